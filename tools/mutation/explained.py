"""The mutants that no test can, or should, tell from the code: `survivors.toml` lists them and says why."""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from tools.mutation.mutant import Mutant

_FILE = Path(__file__).with_name("survivors.toml")


class Identity(NamedTuple):
    """What a mutant is known by while code around it comes and goes."""

    room: str
    scope: str
    before: str
    after: str


def identity(mutant: Mutant) -> Identity:
    """Return what `mutant` is known by."""
    return Identity(mutant.room, mutant.scope, mutant.before, mutant.after)


@cache
def explained() -> Mapping[Identity, str]:
    """Return why each of the listed mutants survives."""
    reasons = tomllib.loads(_FILE.read_text())["reason"]
    return {
        Identity(reason["room"], one.get("in", ""), one["before"], one["after"]): reason["why"]
        for reason in reasons
        for one in reason["mutants"]
    }


def listing() -> str:
    """Return the list as docs/evidence/mutation-survivors.md has it: by room and reason, each cut down to what differs."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    for room, of_room in groupby(explained().items(), key=lambda one: one[0].room):
        yield f"\n### {room}\n"
        for why, mutants in groupby(of_room, key=lambda one: one[1]):
            yield f"- {' '.join(why.split())}"
            for mutant, _ in mutants:
                old, new = map(_code, _differing(mutant.before, mutant.after))
                where = _code(mutant.scope) if mutant.scope else "the module"
                yield f"  - {where}: {old} → {new}"


def _differing(before: str, after: str) -> tuple[str, str]:
    """Return the words that differ."""
    old, new = before.split(), after.split()
    start = _alike(old, new)
    end = _alike(old[start:][::-1], new[start:][::-1])
    return " ".join(old[start : len(old) - end]), " ".join(new[start : len(new) - end])


def _alike(one: list[str], other: list[str]) -> int:
    """Return with how many equal words both begin."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((number for number, (a, b) in pairs if a != b), min(len(one), len(other)))


def _code(text: str) -> str:
    if "`" in text:
        return f"`` {text} ``"
    return f"`{text}`" if text else "nothing"

"""Make a failing case smaller, and a run of it readable."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from campaigns.simulation.campaign import play
from campaigns.simulation.case import Case
from campaigns.simulation.case_generator import generate_case
from campaigns.simulation.messages import START
from campaigns.simulation.simulator import World

_TRIES = 4_000


def shrink(case: Case, promise: str) -> Case:
    """Return a small case that breaks the same promise as `case`."""
    tries = _TRIES
    smaller: Case | None = case
    while smaller and tries > 0:
        case, smaller = smaller, None
        for candidate in _simpler(case):
            tries -= 1
            if _breaks(candidate, promise):
                smaller = candidate
                break
            if not tries:
                break
    return case


def readable(world: World) -> str:
    """Return what happened in a run, a line for each call."""
    lines = [str(world.case), ""]
    queries = 0
    for step, (clock, actor, operation, about, fault) in enumerate(world.wires.trace, 1):
        queries = queries + 1 if operation == "query" else 0
        if queries > 1 and not fault:
            continue  # the other shards of the index
        time = f"{START + timedelta(microseconds=clock):%d %H:%M:%S.%f}"[:-3]
        lines.append(f"{step:4} {time}  {actor:10} {operation:29}{about}{f'  ** {fault}' if fault else ''}")
    contacts = [item for (_, record), item in world.table.items.items() if record == "contact"]
    lines += ["", *(f"  {_plain(item)}" for item in contacts), f"  on the list: {world.held.entries}", ""]
    return "\n".join([*lines, *map(str, world.watch.violations)])


def failure(seed: int, promise: str) -> str:
    """Return the history of the failing case of this seed, shrunk."""
    return f"The case of seed {seed}, shrunk:\n\n{readable(play(shrink(generate_case(seed), promise)))}"


def _breaks(case: Case, promise: str) -> bool:
    return any(violation.promise == promise for violation in play(case).watch.violations)


def _simpler(case: Case) -> Iterator[Case]:
    """Yield cases that are a little simpler than `case`, first those that take the most away."""
    for name in ("messages", "reinstatements", "faults", "switches", "added"):
        held: tuple[Any, ...] = getattr(case, name)
        for number in range(len(held)):
            yield _with(case, name, held[:number] + held[number + 1 :])
    yield from _sooner(case)
    yield from _plainer(case)
    for name in ("feedback_workers", "shards", "sweeps", "batch"):
        if getattr(case, name) > 1:
            yield _with(case, name, 1)


def _sooner(case: Case) -> Iterator[Case]:
    """Yield cases whose faults and interruptions soft_bounce earlier calls: with fewer messages there are fewer."""
    for name in ("faults", "switches"):
        held: tuple[Any, ...] = getattr(case, name)
        for number, one in enumerate(held):
            for nth in range(one.nth):
                yield _with(case, name, (*held[:number], replace(one, nth=nth), *held[number + 1 :]))


def _plainer(case: Case) -> Iterator[Case]:
    """Yield cases with fewer choices and stale reads."""
    for name in ("choices", "staleness"):
        digits: tuple[int, ...] = getattr(case, name)
        if digits:
            yield _with(case, name, digits[:-1])
        for number, digit in enumerate(digits):
            if digit:
                yield _with(case, name, (*digits[:number], 0, *digits[number + 1 :]))


def _with(case: Case, name: str, value: Any) -> Case:  # noqa: ANN401 (whatever that field holds)
    parts: dict[str, Any] = {name: value}
    return replace(case, **parts)


def _plain(item: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {name: next(iter(value.values())) for name, value in item.items() if name != "record"}

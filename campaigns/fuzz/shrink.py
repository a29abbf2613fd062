"""Make the payloads that break a rule as small as they can be and still break it, and keep them where people can read.

A finding is a JSON file: the rule, what was said, and the Lambda events; `python -m campaigns.fuzz --replay FILE` plays it.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from campaigns.fuzz.invariants import Referee, Violation
from campaigns.fuzz.payloads import Payload

Json = Any
Breaks = Callable[[Sequence[Payload]], bool]

FINDINGS = Path(".local/fuzz")
_TRIES = 10_000


def breaks(referee: Referee, violation: Violation) -> Breaks:
    """Return what says whether payloads break the same rule in the same way, whatever numbers and names it mentions."""
    kind = violation.said.split("'")[0].rstrip("0123456789., ")

    def check(payloads: Sequence[Payload]) -> bool:
        found = chain(referee.play(payloads), referee.play_faulty(payloads))
        return any(one.rule == violation.rule and one.said.startswith(kind) for one in found)

    return check


def shrink(payloads: Sequence[Payload], broken: Breaks, tries: int = _TRIES) -> list[Payload]:
    """Return payloads simpler than these that are still `broken`, after at most so many `tries`."""
    best = list(payloads)
    left = iter(range(tries))
    found = True
    while found:
        found = False
        for simpler in _simpler_cases(best):
            if next(left, None) is None:
                return best
            if broken(simpler):
                best, found = simpler, True
                break
    return best


def save(payloads: Sequence[Payload], violation: Violation, name: str, folder: Path = FINDINGS) -> Path:
    """Write a finding; return where it is."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    finding = {"rule": violation.rule, "said": violation.said, "events": [payload.event for payload in payloads]}
    path.write_text(f"{json.dumps(finding, indent=1)}\n", encoding="utf-8")
    return path


def load(path: Path) -> list[Payload]:
    """Return the payloads of a finding."""
    return [_payload(event) for event in json.loads(path.read_text(encoding="utf-8"))["events"]]


def _payload(event: Json) -> Payload:
    alone = isinstance(event, dict) and list(event) == ["Records"] and isinstance(event["Records"], list)
    entry = event["Records"][0] if alone and len(event["Records"]) == 1 else None
    return Payload("finding", event, entry)


def _simpler_cases(payloads: list[Payload]) -> Iterator[list[Payload]]:
    if len(payloads) > 1:
        half = len(payloads) // 2
        yield from (payloads[:half], payloads[half:])
        yield from (payloads[:number] + payloads[number + 1 :] for number in range(len(payloads)))
    for number, payload in enumerate(payloads):
        whole = payload.entry if payload.entry is not None else payload.event
        for simpler in _simpler(whole):
            event = {"Records": [simpler]} if payload.entry is not None else simpler
            yield [*payloads[:number], _payload(event), *payloads[number + 1 :]]


def _simpler(value: Json) -> Iterator[Json]:
    """Yield values a little simpler than a JSON value, the simplest first."""
    match value:
        case dict():
            yield from ({key: one for key, one in value.items() if key != name} for name in value)
            yield from ({**value, name: simpler} for name, one in value.items() for simpler in _simpler(one))
        case list():
            if len(value) > 1:
                yield from (value[: len(value) // 2], value[len(value) // 2 :])
            yield from (value[:at] + value[at + 1 :] for at in range(len(value)))
            yield from (
                [*value[:at], simpler, *value[at + 1 :]] for at, one in enumerate(value) for simpler in _simpler(one)
            )
        case str():
            yield from _simpler_text(value)


def _simpler_text(text: str) -> Iterator[str]:
    try:
        decoded = json.loads(text)
    except (ValueError, RecursionError):
        decoded = None
    if isinstance(decoded, dict | list):
        yield from map(json.dumps, _simpler(decoded))
    part = len(text) // 2
    while part:
        yield from (text[:at] + text[at + part :] for at in range(0, len(text), part))
        part //= 2 if part > 1 else 1
        if len(text) // max(part, 1) > 32:  # smaller parts are not worth their number
            return

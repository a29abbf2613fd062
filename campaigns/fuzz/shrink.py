"""Shrinking: find the simplest payloads that still break a rule."""

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from campaigns.fuzz.findings import payload_of
from campaigns.fuzz.invariants import InvariantChecker, Violation
from campaigns.fuzz.payloads import Payload

Json = Any
Breaks = Callable[[Sequence[Payload]], bool]
"""Returns True if payloads break the rule."""

_MAX_TRIES = 10_000
_MAX_PARTS = 32
"""Parts of a text that are removed one by one; smaller parts are too many."""


def breaks_same_rule(checker: InvariantChecker, violation: Violation) -> Breaks:
    """Return a function that is True if payloads cause the same kind of violation, with any numbers and names."""
    kind = violation.description.split("'")[0].rstrip("0123456789., ")

    def check(payloads: Sequence[Payload]) -> bool:
        found = chain(checker.check_case(payloads), checker.check_with_faults(payloads))
        return any(one.rule == violation.rule and one.description.startswith(kind) for one in found)

    return check


def shrink(payloads: Sequence[Payload], breaks: Breaks, max_tries: int = _MAX_TRIES) -> list[Payload]:
    """Return simpler payloads for which `breaks` is still True, after at most `max_tries` tries."""
    best = list(payloads)
    tries = iter(range(max_tries))
    improved = True
    while improved:
        improved = False
        for simpler in _simpler_cases(best):
            if next(tries, None) is None:
                return best
            if breaks(simpler):
                best, improved = simpler, True
                break
    return best


def _simpler_cases(payloads: list[Payload]) -> Iterator[list[Payload]]:
    if len(payloads) > 1:
        half = len(payloads) // 2
        yield from (payloads[:half], payloads[half:])
        yield from (payloads[:number] + payloads[number + 1 :] for number in range(len(payloads)))
    for number, payload in enumerate(payloads):
        for simpler in _simpler(payload.event if payload.record is None else payload.record):
            event = simpler if payload.record is None else {"Records": [simpler]}
            yield [*payloads[:number], payload_of(event), *payloads[number + 1 :]]


def _simpler(value: Json) -> Iterator[Json]:
    """Yield JSON values that are a little simpler than `value`, the simplest first."""
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
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    if isinstance(parsed, dict | list):
        yield from map(json.dumps, _simpler(parsed))
    size = len(text) // 2
    while size:
        yield from (text[:at] + text[at + size :] for at in range(0, len(text), size))
        size //= 2 if size > 1 else 1
        if len(text) // max(size, 1) > _MAX_PARTS:
            return

"""Reduce a failing case, and describe a run."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from campaigns.simulation.campaign import run_case
from campaigns.simulation.case import Case
from campaigns.simulation.case_generator import generate_case
from campaigns.simulation.messages import START
from campaigns.simulation.simulator import Simulation

_MAX_TRIES = 4_000


def shrink_case(case: Case, promise: str) -> Case:
    """Return a smaller case that breaks the same promise as `case`."""
    tries = _MAX_TRIES
    smaller: Case | None = case
    while smaller and tries > 0:
        case, smaller = smaller, None
        for candidate in _candidates(case):
            tries -= 1
            if _breaks(candidate, promise):
                smaller = candidate
                break
            if not tries:
                break
    return case


def describe_run(simulation: Simulation) -> str:
    """Return the case, one line for each call, the contacts at the end, and the violations."""
    lines = [str(simulation.case), ""]
    queries = 0
    for step, call in enumerate(simulation.injector.trace, 1):
        queries = queries + 1 if call.operation == "query" else 0
        if queries > 1 and not call.outcome:
            continue  # a sweep queries every shard of the index; the first line stands for all
        time = f"{START + timedelta(microseconds=call.clock):%d %H:%M:%S.%f}"[:-3]
        outcome = f"  ** {call.outcome}" if call.outcome else ""
        lines.append(f"{step:4} {time}  {call.actor:10} {call.operation:30} {call.about}{outcome}")
    contacts = [item for (_, record), item in simulation.table.items.items() if record == "contact"]
    lines += ["", *(f"  {_plain(item)}" for item in contacts), f"  on the list: {simulation.suppressed.entries}", ""]
    return "\n".join([*lines, *map(str, simulation.checker.violations)])


def describe_failure(seed: int, promise: str) -> str:
    """Return the history of the failing case of this seed, after reduction."""
    shrunk = run_case(shrink_case(generate_case(seed), promise))
    return f"Case {seed}, reduced:\n\n{describe_run(shrunk)}"


def _breaks(case: Case, promise: str) -> bool:
    return any(violation.promise == promise for violation in run_case(case).checker.violations)


def _candidates(case: Case) -> Iterator[Case]:
    """Yield cases that are a little smaller than `case`, those that remove most first."""
    for name in ("messages", "reinstatements", "foreign_writes", "faults", "switches", "added", "expiry"):
        elements: tuple[Any, ...] = getattr(case, name)
        for number in range(len(elements)):
            yield _with(case, name, elements[:number] + elements[number + 1 :])
    if case.backlog is not None:
        yield replace(case, backlog=None, outages=(), jobs=())
    yield from _with_earlier_calls(case)
    yield from _with_fewer_choices(case)
    for name in ("feedback_workers", "shards", "sweeps", "batch"):
        if getattr(case, name) > 1:
            yield _with(case, name, 1)


def _with_earlier_calls(case: Case) -> Iterator[Case]:
    """Yield cases whose faults and switches concern earlier calls: a case with fewer messages has fewer calls."""
    for name in ("faults", "switches"):
        elements: tuple[Any, ...] = getattr(case, name)
        for number, element in enumerate(elements):
            for nth in range(element.nth):
                yield _with(case, name, (*elements[:number], replace(element, nth=nth), *elements[number + 1 :]))


def _with_fewer_choices(case: Case) -> Iterator[Case]:
    """Yield cases with fewer choices and fewer stale reads."""
    for name in ("choices", "staleness"):
        digits: tuple[int, ...] = getattr(case, name)
        if digits:
            yield _with(case, name, digits[:-1])
        for number, digit in enumerate(digits):
            if digit:
                yield _with(case, name, (*digits[:number], 0, *digits[number + 1 :]))


def _with(case: Case, name: str, value: Any) -> Case:  # noqa: ANN401 (the type of the field `name`)
    fields: dict[str, Any] = {name: value}
    return replace(case, **fields)


def _plain(item: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {name: next(iter(value.values())) for name, value in item.items() if name != "record"}

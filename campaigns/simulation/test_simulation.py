"""Random cases break no promise, every fault is survived, and every planted bug is found."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from campaigns.simulation.campaign import run_case, run_cases
from campaigns.simulation.case_generator import generate_case, with_imports
from campaigns.simulation.fault_kinds import FAULTS, first_call_fault
from campaigns.simulation.planted_bugs import IMPORT_BUGS, PLANTED_BUGS, PlantedBug, find_planted_bug
from campaigns.simulation.shrink import describe_failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from campaigns.simulation.case import Case
    from campaigns.simulation.simulator import Simulation

SLICE = 500
"""Cases of one test. `make campaigns` runs a million."""
BUDGET = 2_000
"""Cases within which a fault must occur, or a planted bug must be found."""
_IMPORT_OPERATIONS = {"create_import_job", "get_import_job", "put_object", "get_object", "delete_object"}


@pytest.mark.parametrize("first", range(0, 4 * SLICE, SLICE))
def test_random_cases_break_no_promise(first: int) -> None:
    figures = run_cases(range(first, first + SLICE))
    histories = [describe_failure(seed, violation.promise) for seed, violation in figures.violations[:1]]
    assert "\n".join(histories) == ""
    assert figures.violations == []


def test_equal_seeds_give_equal_histories_in_any_order() -> None:
    figures, reversed_figures = run_cases(range(150)), run_cases(range(149, -1, -1))
    assert figures.digest() == reversed_figures.digest()
    assert len(figures.histories) > 125


@pytest.mark.parametrize("operation", FAULTS)
def test_each_fault_of_an_operation_breaks_no_promise(operation: str) -> None:
    """Each fault is added to the first call of the operation, in the first case that makes such a call."""
    for name in dict.fromkeys(FAULTS[operation]):
        cases = _cases(imports=operation in _IMPORT_OPERATIONS)
        simulations = (
            run_case(replace(case, faults=(*case.faults, first_call_fault(operation, name)))) for case in cases
        )
        affected = next(simulation for simulation in simulations if _has_fault(simulation, operation, name))
        assert affected.checker.violations == []


def _cases(theme: str = "", *, imports: bool) -> "Iterator[Case]":
    cases = (generate_case(seed, theme) for seed in range(BUDGET))
    return map(with_imports, cases) if imports else cases


def _has_fault(simulation: "Simulation", operation: str, fault: str) -> bool:
    return any(call.operation == operation and call.outcome.startswith(fault) for call in simulation.injector.trace)


@pytest.mark.parametrize("planted_bug", [*PLANTED_BUGS, *IMPORT_BUGS], ids=lambda planted_bug: planted_bug.name)
def test_planted_bug_breaks_a_promise(planted_bug: PlantedBug) -> None:
    cases = map(planted_bug.focus, _cases(planted_bug.theme, imports=planted_bug in IMPORT_BUGS))
    with planted_bug.planted():
        violations = next((found for case in cases if (found := run_case(case).checker.violations)), [])
    assert violations
    # A wrong name in a planted bug must not pass for a bug that was found.
    assert not any(error in violations[0].description for error in ("AttributeError", "NameError", "TypeError"))


def test_failing_case_is_reduced_to_two_messages_and_the_broken_promise() -> None:
    with find_planted_bug("calls of SES have no rate limiter").planted():
        cases = ((seed, generate_case(seed)) for seed in range(BUDGET))
        without_imports = ((seed, case) for seed, case in cases if case.backlog is None)
        seed = next(seed for seed, case in without_imports if run_case(case).checker.violations)
        history = describe_failure(seed, "P8")
    assert history.count("\n  message ") <= 2  # of two variants, so that there are two calls
    assert "_suppressed_destination" in history
    assert "P8 broken at step" in history

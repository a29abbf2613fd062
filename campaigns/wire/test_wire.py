"""A slice of `make wire`: no message is lost on a faulty wire or by killed functions, and planted bugs are found."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from campaigns.simulation.planted_bugs.planting import PlantedBug
from campaigns.wire.campaign import Figures, run_case, run_every_fault, run_with_kills
from campaigns.wire.case import generate_case, overtaking_case, small_case
from campaigns.wire.faults import FAULTS, FaultPlan
from campaigns.wire.history import describe_simulation
from campaigns.wire.killed_processes import KILL_TIMES
from campaigns.wire.planted_bugs import LEASES_NEVER_EXPIRE, PLANTED_BUGS, RECORDS_ARE_LOGGED
from campaigns.wire.simulator import WireSimulation

CASES = 4
"""Cases of some 150 deliveries each. `make wire` makes 100,000 deliveries."""
KILLS = 30
"""`make wire` kills 10,000 processes."""
FAULT_PORTIONS = 50
"""The slice runs one of so many faults of a small case; `make wire` runs all."""
MAX_CASES = 20
"""Cases within which a planted bug must be found."""


def _histories(figures: Figures) -> str:
    return "\n".join(figures.histories.values())


@pytest.mark.parametrize("seed", range(CASES))
def test_no_message_is_lost_if_calls_fail_on_the_wire(seed: int) -> None:
    figures = Figures()
    figures.add(run_case(generate_case(seed, 80, 12)))
    assert _histories(figures) == ""
    assert figures.deliveries > 100
    assert figures.faults.total() > 3


def test_no_message_is_lost_if_all_attempts_of_a_call_fail() -> None:
    figures = run_every_fault(0, FAULT_PORTIONS)
    assert _histories(figures) == ""
    assert figures.cases > 10


def test_no_message_is_lost_if_functions_are_killed() -> None:
    figures = run_with_kills(range(20), KILLS)
    assert _histories(figures) == ""
    assert figures.kills.total() >= KILLS
    assert set(figures.kills) == set(KILL_TIMES)


def test_fault_of_a_call_depends_on_seed_and_call_only() -> None:
    calls = [(operation, f"c{number}@example.com".encode()) for operation in FAULTS for number in range(40)]
    plan, same, other = FaultPlan(1, 0.3), FaultPlan(1, 0.3), FaultPlan(2, 0.3)
    faults = {call: plan.next_fault(*call) for call in calls}
    assert {call: same.next_fault(*call) for call in reversed(calls)} == faults
    assert {call: other.next_fault(*call) for call in calls} != faults
    assert {operation for (operation, _), (fault, _) in faults.items() if fault} == set(FAULTS)


@pytest.mark.parametrize("bug", PLANTED_BUGS, ids=lambda bug: bug.name)
def test_planted_bug_breaks_a_promise_within_a_few_cases(bug: PlantedBug) -> None:
    with bug.planted():
        simulations = (simulation for simulation in _revealing_cases() if simulation.checker.violations)
        found = next(map(describe_simulation, simulations), "")
    assert " broken at step " in found


def _revealing_cases() -> Iterator[WireSimulation]:
    """Run cases that reveal the planted bugs."""
    late = {("put_suppressed_destination", 0): "no answer, effect later"}
    yield run_case(overtaking_case(), FaultPlan(0, 0.0, forced=late))
    for operation, fault in (
        ("send_message", "empty object"),
        ("send_message", "denied"),
        ("put_events", "denied"),
        ("put_suppressed_destination", "denied"),
        ("put_suppressed_destination", "empty body"),
    ):
        yield run_case(small_case(), FaultPlan(0, 0.0, forced={(operation, nth): fault for nth in range(4)}))
    for seed in range(MAX_CASES):
        yield run_case(replace(generate_case(seed, 60, 4), intensity=0.15, focus="batch_get_item"))


def test_lease_that_outlives_a_killed_process_is_found() -> None:
    figures = run_with_kills(range(2), 100, 20, LEASES_NEVER_EXPIRE)
    assert "P4 broken" in _histories(figures)


def test_personal_data_in_the_output_of_a_process_is_found() -> None:
    figures = run_with_kills(range(2), 100, 20, RECORDS_ARE_LOGGED)
    assert "P7 broken" in _histories(figures)

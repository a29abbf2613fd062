"""The promises hold through faults, crashes and every order, and the simulator would notice if they did not."""

from dataclasses import replace

import pytest

from campaigns.simulation.campaign import play, play_all
from campaigns.simulation.case import Fault
from campaigns.simulation.case_generator import generate_case, with_imports
from campaigns.simulation.fault_kinds import FAULTS
from campaigns.simulation.planted_bugs import IMPORT_BUGS, PLANTED_BUGS, PlantedBug
from campaigns.simulation.shrink import failure

SLICE = 5_000
"""Cases of one test. `make simulate` plays a million."""
BUDGET = 8_000
"""Cases within which a design bug must be found."""


@pytest.mark.parametrize("first", range(0, 4 * SLICE, SLICE))
def test_no_promise_is_broken(first: int) -> None:
    """Cases made by chance break no promise; a failing one is shown shrunk."""
    figures = play_all(range(first, first + SLICE))
    histories = [failure(seed, violation.promise) for seed, violation in figures.violations[:1]]
    assert "\n".join(histories) == ""
    assert figures.violations == []


def test_the_same_seed_makes_the_same_history() -> None:
    """Playing cases again, after others, gives the very same calls, faults and times."""
    once, again = play_all(range(300)), play_all(range(299, -1, -1))
    assert once.digest() == again.digest()
    assert len(once.histories) > 250


@pytest.mark.parametrize("operation", FAULTS)
def test_every_fault_strikes_and_is_survived(operation: str) -> None:
    """Each fault that a call of this kind can have soft_bounce_days in some case, in which no promise is broken."""
    for number, fault in enumerate(FAULTS[operation]):
        made = (generate_case(seed) for seed in range(SLICE))
        worlds = (play(replace(case, faults=(*case.faults, Fault(operation, 0, number)))) for case in made)
        soft_bounced = (
            world
            for world in worlds
            if any(one[2] == operation and one[4].startswith(fault) for one in world.wires.trace)
        )
        assert next(soft_bounced).watch.violations == []


@pytest.mark.parametrize("planted_bug", [*PLANTED_BUGS, *IMPORT_BUGS], ids=lambda planted_bug: planted_bug.name)
def test_every_design_bug_is_found(planted_bug: PlantedBug) -> None:
    """A design bug seeded into the code breaks a promise that the simulator sees, and is no mere mistake in a name."""
    made = map(generate_case, range(BUDGET))
    cases = map(with_imports, made) if planted_bug in IMPORT_BUGS else made
    with planted_bug.planted():
        found = next((violations for case in cases if (violations := play(case).watch.violations)), [])
    assert found
    assert not any(error in found[0].what for error in ("AttributeError", "NameError", "TypeError"))


def test_a_failing_case_is_shrunk_to_a_readable_history() -> None:
    """What is shown of a failing case holds few messages, the calls made, and the promise that was broken."""
    planted_bug = next(planted_bug for planted_bug in PLANTED_BUGS if planted_bug.name == "calls are not paced")
    with planted_bug.planted():
        seed = next(seed for seed in range(BUDGET) if play(generate_case(seed)).watch.violations)
        shown = failure(seed, "P8")
    assert shown.count("message") <= 2  # of two variants, so that there are two calls
    assert "put_suppressed_destination" in shown
    assert "P8 broken at step" in shown

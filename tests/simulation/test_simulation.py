"""The promises hold through faults, crashes and every order, and the simulator would notice if they did not."""

from dataclasses import replace

import pytest

from tests.simulation.breakage import FAULTS
from tests.simulation.case import Fault, make
from tests.simulation.exhaustive import explore, scopes
from tests.simulation.mutants import MUTANTS, Mutant
from tests.simulation.play import play, play_all
from tests.simulation.shrink import failure, readable

SLICE = 5_000
"""Cases of one test. `make simulate` plays a million."""
BUDGET = 5_000
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
    """Each fault that a call of this kind can have strikes in some case, in which no promise is broken."""
    for number, fault in enumerate(FAULTS[operation]):
        made = (make(seed) for seed in range(SLICE))
        worlds = (play(replace(case, faults=(*case.faults, Fault(operation, 0, number)))) for case in made)
        struck = (
            world for world in worlds if any(one[2] == operation and one[4] == fault for one in world.wires.trace)
        )
        assert next(struck).watch.violations == []


@pytest.mark.parametrize("name", scopes())
def test_every_crash_is_survived(name: str) -> None:
    """In a small scope, every crash at every call is survived, whoever goes first."""
    explored = explore(scopes()[name], 0)
    assert "\n".join(readable(play(case)) for case, _ in explored.violations[:1]) == ""
    assert explored.runs > 100


def test_every_interruption_is_survived() -> None:
    """In a small scope, every interruption of every call by anybody is survived."""
    case = scopes()["two bounces and a delivery about a reinstatement"]
    explored = explore(case, 1, crashing=False)
    assert "\n".join(readable(play(case)) for case, _ in explored.violations[:1]) == ""
    assert explored.runs > 100


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_design_bug_is_found(mutant: Mutant) -> None:
    """A design bug seeded into the code breaks a promise that the simulator sees."""
    with mutant.planted():
        found = next((violations for seed in range(BUDGET) if (violations := play(make(seed)).watch.violations)), [])
    assert found


def test_a_failing_case_is_shrunk_to_a_readable_history() -> None:
    """What is shown of a failing case holds few messages, the calls made, and the promise that was broken."""
    mutant = next(mutant for mutant in MUTANTS if mutant.name == "calls are not paced")
    with mutant.planted():
        seed = next(seed for seed in range(BUDGET) if play(make(seed)).watch.violations)
        shown = failure(seed, "P8")
    assert shown.count("message") == 1
    assert "put_suppressed_destination" in shown
    assert "P8 broken at step" in shown

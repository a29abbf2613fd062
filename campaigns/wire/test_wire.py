"""No feedback is lost when connections break or processes are killed, and each planted bug is found."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from campaigns.simulation.planted_bugs.planting import Mutant
from campaigns.wire.campaign import Figures, every_call, play, play_killing
from campaigns.wire.case import make, overtaken, small
from campaigns.wire.faults import FAULTS, Plan
from campaigns.wire.history import readable
from campaigns.wire.planted_bugs import LEASED_FOREVER, MUTANTS, TELLS_ALL
from campaigns.wire.simulator import World

CASES = 4
"""Cases of the slice, of some 600 deliveries each. `make wire` plays 100,000 deliveries."""
KILLS = 100
"""`make wire` kills 10,000 processes."""
EVERY = 24
"""Of the calls of a small case, every so many are broken; `make wire` breaks every one in every way."""
BUDGET = 20
"""Cases within which a bug must be found."""


def _shown(figures: Figures) -> str:
    return "\n".join(figures.histories.values())


@pytest.mark.parametrize("seed", range(CASES))
def test_nothing_is_lost_on_a_wire_that_breaks(seed: int) -> None:
    """Whatever breaks, every message is stored or in quarantine in the end, and the list follows."""
    figures = Figures()
    figures.add(play(make(seed, 300, 24)))
    assert _shown(figures) == ""
    assert figures.deliveries > 400
    assert figures.faults.total() > 10


def test_every_call_may_break() -> None:
    """In a small case, a call of which every attempt fails, in any way, loses nothing."""
    figures = every_call(0, EVERY)
    assert _shown(figures) == ""
    assert figures.cases > 20


def test_nothing_is_lost_when_functions_are_killed() -> None:
    """Functions killed at any moment leave nothing undone, nothing stuck, and the list as it should be."""
    figures = play_killing(range(20), KILLS)
    assert _shown(figures) == ""
    assert figures.kills.total() >= KILLS
    assert set(figures.kills) == {"at any time", "call not made", "call made", "answer given"}


def test_the_same_seed_makes_the_same_faults() -> None:
    """What a call suffers depends on the seed and on the call alone, not on what else was called before it."""
    calls = [(operation, f"c{number}@example.com".encode()) for operation in FAULTS for number in range(40)]
    plan, again, other = Plan(1, 0.3), Plan(1, 0.3), Plan(2, 0.3)
    planned = {call: plan.fate(*call) for call in calls}
    assert {call: again.fate(*call) for call in reversed(calls)} == planned
    assert {call: other.fate(*call) for call in calls} != planned
    assert {operation for (operation, _), (fault, _) in planned.items() if fault} == set(FAULTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_bug_is_found(mutant: Mutant) -> None:
    """A bug in how AWS's answers are taken breaks a promise within a few cases."""
    with mutant.planted():
        found = next((readable(world) for world in _telling() if world.checker.violations), "")
    assert " broken at step " in found


def _telling() -> Iterator[World]:
    yield play(overtaken(), Plan(0, 0.0, forced={("put_suppressed_destination", 0): "never answered, done later"}))
    for operation, fault in (
        ("send_message", "empty object"),
        ("send_message", "denied"),
        ("put_events", "denied"),
        ("put_suppressed_destination", "denied"),
        ("put_suppressed_destination", "empty"),
    ):
        yield play(small(), Plan(0, 0.0, forced={(operation, nth): fault for nth in range(4)}))
    for seed in range(BUDGET):
        yield play(replace(make(seed, 60, 4), intensity=0.15, focus="batch_get_item"))


def test_a_claim_that_never_ends_is_found() -> None:
    """What a killed process leaves behind for good is noticed."""
    figures = play_killing(range(2), KILLS, 20, LEASED_FOREVER)
    assert "P4 broken" in _shown(figures)


def test_what_a_process_gives_away_is_found() -> None:
    """What functions print in processes that are killed is read like all else they print."""
    figures = play_killing(range(2), KILLS, 20, TELLS_ALL)
    assert "P7 broken" in _shown(figures)

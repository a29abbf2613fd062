"""In small scopes nothing is left to chance: every interleaving, and a crash at every call."""

import pytest

from campaigns.simulation.exhaustive import explore, replay, ways
from campaigns.simulation.planted_bugs import PLANTED_BUGS
from campaigns.simulation.shrink import readable
from campaigns.simulation.small_scopes import scopes

_QUICK = [
    "two feedback workers, a bounce, a complaint and a delivery of one address",
    "two feedback workers, two soft bounces and an opt-out of one address",
    "two feedback workers, a bounce, its copy and a complaint of another",
    "a feedback worker and the stream's, a bounce, its copy and a complaint of another",
]
"""The scopes that take seconds. `python -m campaigns.simulation --exhaustive` explores the others, too."""
_SMALLEST = _QUICK[2]


@pytest.mark.parametrize("name", _QUICK)
def test_every_way_through_a_small_scope_is_survived(name: str) -> None:
    """Whoever makes which call when, and whoever dies at which one, no promise is broken."""
    scope = scopes(crashes=1)[name]
    explored = explore(scope)
    assert "\n".join(readable(replay(scope, way)) for way, _ in explored.violations[:1]) == ""
    assert explored.states > 1_000
    assert explored.graph.crashes > 400
    assert ways(explored.graph) > 100_000


def test_exploring_again_finds_the_same_states() -> None:
    """Nothing but the choices decides what happens: the same graph comes of them every time."""
    scope = scopes(crashes=0)[_SMALLEST]
    assert explore(scope).graph == explore(scope).graph


@pytest.mark.parametrize(
    "bug",
    ["a lost race counts as done", "a contact somebody else added counts as done"],
)
def test_exploring_finds_design_bugs(bug: str) -> None:
    """Where two workers write one contact, some interleaving or some crash shows what is wrong."""
    planted_bug = next(planted_bug for planted_bug in PLANTED_BUGS if planted_bug.name == bug)
    with planted_bug.planted():
        explored = explore(scopes(crashes=1)[_QUICK[0]])
    assert explored.violations

"""Exhaustive exploration of small scopes: every interleaving of the calls, and a crash at every call."""

from unittest.mock import patch

import pytest

from campaigns.simulation.exhaustive import count_interleavings, explore, replay
from campaigns.simulation.planted_bugs import EXPLORED_BUGS, find_planted_bug
from campaigns.simulation.shrink import describe_run
from campaigns.simulation.small_scopes import make_scopes
from ses_feedback.contacts import record
from ses_feedback.contacts.record import shard

_THREE_FACTS = "two feedback workers, a bounce, a complaint and a delivery of one address"
_DUPLICATE_BOUNCE = "two feedback workers, a bounce, its copy and a complaint of another address"
_DELIVERED_AND_BOUNCED = "two feedback workers, an email that is delivered and bounces, and a delivery of another email"
_QUICK = [
    _THREE_FACTS,
    "two feedback workers, two soft bounces and an opt-out of one address",
    _DUPLICATE_BOUNCE,
    "one feedback and one stream worker, a bounce, its copy and a complaint of another address",
    _DELIVERED_AND_BOUNCED,
    "two feedback workers, a contact that expires, a soft bounce and a delivery",
]
"""Scopes whose exploration takes seconds. `python -m campaigns.simulation --exhaustive` explores all scopes."""


@pytest.mark.parametrize("name", _QUICK)
def test_small_scope_breaks_no_promise_in_any_interleaving(name: str) -> None:
    scope = make_scopes(crashes=1)[name]
    exploration = explore(scope)
    assert "\n".join(describe_run(replay(scope, path)) for path, _ in exploration.violations[:1]) == ""
    assert exploration.states > 1_000
    assert exploration.graph.crashes > 400
    assert count_interleavings(exploration.graph) > 50_000


def test_patched_number_of_shards_applies_to_addresses_whose_shard_was_computed_before() -> None:
    # An exploration patches the number of shards to one. If shards were cached, the sweep would not find the contact.
    addresses = [f"recipient-{number}@example.com" for number in range(50)]
    before = {shard(address) for address in addresses}
    with patch.object(record, "SHARDS", 1):
        assert {shard(address) for address in addresses} == {"00"}
    assert {shard(address) for address in addresses} == before
    assert len(before) > 1


def test_two_explorations_of_a_scope_find_the_same_states() -> None:
    scope = make_scopes(crashes=0)[_DUPLICATE_BOUNCE]
    assert explore(scope).graph == explore(scope).graph


_SCOPES_OF_BUGS = {
    "a lost race counts as done": _THREE_FACTS,
    "a contact added by another worker counts as done": _THREE_FACTS,
    "a delivery clears the soft bounce of its own email": _DELIVERED_AND_BOUNCED,
    "the optimistic lock ignores the expiry": "two feedback workers, a contact that expires, deliveries, and an "
    "application that adds an attribute",
    **{
        bug.name: "one feedback worker and one sweep, a suspension that ended, a soft bounce and a delivery"
        for bug in EXPLORED_BUGS
    },
}
"""The scope in which each planted bug breaks a promise without a crash."""


@pytest.mark.parametrize("name", _SCOPES_OF_BUGS)
def test_exploration_of_a_scope_finds_its_planted_bug(name: str) -> None:
    with find_planted_bug(name).planted():
        exploration = explore(make_scopes(crashes=0)[_SCOPES_OF_BUGS[name]])
    assert exploration.violations

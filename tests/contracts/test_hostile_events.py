"""Hostile events cost a bounded amount, whatever they contain. `make bench` prints the cost of a million of each."""

from collections.abc import Callable
from functools import partial

import pytest

from benchmarks.denial_of_wallet import MAX_LIST_CALLS, Attack, measure_attack
from benchmarks.hostile_events import (
    HOSTILE_KINDS,
    STRANGERS,
    forged_dsn,
    forged_dsn_of_variants,
    forged_dsn_with_recipient,
)
from benchmarks.messages import Json
from benchmarks.subjects import SES_FEEDBACK
from benchmarks.traffic import EventKind
from benchmarks.usage_counts import count_usage

MAX_WRITES = 16
"""Write units of the table and its indexes for an event: the contact, its history, the list sync and the status event.
The longest address takes two units for each item."""
MAX_STORED = 4_000
"""Stored bytes of an event about a new contact with the longest address."""


@pytest.mark.parametrize("name", HOSTILE_KINDS)
def test_hostile_event_has_bounded_writes_storage_and_list_calls(name: str) -> None:
    found = measure_attack(HOSTILE_KINDS[name])
    assert found.writes <= MAX_WRITES
    assert found.stored <= MAX_STORED
    assert found.list_calls <= MAX_LIST_CALLS


@pytest.mark.parametrize("create", [forged_dsn, forged_dsn_with_recipient, forged_dsn_of_variants])
def test_usage_does_not_grow_with_the_number_of_unmatched_recipients(create: Callable[..., Json]) -> None:
    kinds = [EventKind(1.0, "Bounce", partial(create, strangers=strangers)) for strangers in (1, 30, STRANGERS)]
    usages = [count_usage(SES_FEEDBACK, kind) for kind in kinds]
    counts = [(usage.calls, usage.units, usage.sync, usage.stored) for usage in usages]
    assert counts[0] == counts[1] == counts[2]


def test_attack_beyond_a_bound_is_reported() -> None:
    assert Attack(0.00001, 1, 1, 0, 0).is_bounded
    assert not Attack(0.00001, 1, 1.1, 0, 0).is_bounded
    assert not Attack(0.001, 1, 1, 0, 0).is_bounded

"""A slice of `python -m campaigns.fuzz --bounds`: what stays bounded, whatever is sent."""

from datetime import timedelta

import pytest

from campaigns.fuzz.bounds import BATCH, busiest_second, play, storm
from tests.support.builders import START


def test_hostile_events_break_no_bound() -> None:
    """Metric dimensions, items and log lines stay small, whatever is in a message."""
    bounds = play(range(3_000))
    assert bounds.figures.dimensions != set()
    assert bounds.broken() == []


@pytest.mark.parametrize("rate", [0.5, 1.0, 3.0, 20.0])
def test_ses_is_never_called_above_the_rate(rate: float) -> None:
    """In no second, wherever it begins, are there more calls than the stack allows; and all are made in the end."""
    seen = storm(200, 200, rate)
    assert seen.calls == 200
    assert seen.busiest <= max(1, rate)


def test_a_storm_heats_no_partition() -> None:
    """Bounces at many addresses spread over the table and over every shard of its indexes."""
    seen = storm(3_000, 3_000)
    assert max(seen.partitions) <= 5
    assert {name: len(writes) for name, writes in seen.shards.items()} == {"Unsendable": 16, "PendingSync": 16}
    assert seen.broken() == []


def test_a_storm_at_one_address_leaves_little() -> None:
    """Whoever answers one mail with thousands of bounces fills no partition and heats none."""
    seen = storm(1, 2_000)
    assert seen.calls == 2_000 / BATCH
    assert seen.broken() == []


def test_the_busiest_second_may_begin_anywhere() -> None:
    """Calls on both sides of a full second are in one second all the same."""
    moments = [START + timedelta(milliseconds=one) for one in (0, 900, 1_000, 1_500, 1_899, 1_900)]
    assert busiest_second(moments) == 4
    assert busiest_second([]) == 0

"""Storms of bounces, smaller than those of `python -m campaigns.fuzz --bounds`."""

from datetime import timedelta

import pytest

from campaigns.fuzz.storms import BATCH_SIZE, busiest_second, simulate_storm
from tests.support.builders import START


@pytest.mark.parametrize("rate", [0.5, 1.0, 3.0, 20.0])
def test_calls_to_ses_never_exceed_the_rate_and_all_are_made(rate: float) -> None:
    storm = simulate_storm(100, 100, rate)
    assert storm.ses_calls == 100
    assert storm.busiest_second <= max(1, rate)


def test_storm_at_many_addresses_spreads_over_all_partitions() -> None:
    storm = simulate_storm(1_000, 1_000)
    assert max(storm.contact_writes) <= 5
    assert {name: len(writes) for name, writes in storm.shard_writes.items()} == {
        "Unsendable": 16,
        "PendingSync": 16,
        "SuspensionEnd": 0,
    }
    assert storm.exceeded() == []


def test_storm_at_one_address_stores_little() -> None:
    storm = simulate_storm(1, 1_000)
    assert storm.ses_calls == 1_000 / BATCH_SIZE
    assert storm.exceeded() == []


def test_busiest_second_may_begin_at_any_time() -> None:
    moments = [START + timedelta(milliseconds=one) for one in (0, 900, 1_000, 1_500, 1_899, 1_900)]
    assert busiest_second(moments) == 4
    assert busiest_second([]) == 0

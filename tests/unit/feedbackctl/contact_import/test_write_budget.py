"""The rate of an import stays below half of what a new table can write."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from feedbackctl.contact_import.write_budget import WriteBudget, write_units

HALF_OF_A_NEW_TABLE = 2_000
LARGEST_BATCH = 200
"""Units of a batch of 100 contacts with their history items, each of at most one unit."""


class Clock:
    """A clock that only sleeping advances."""

    def __init__(self) -> None:
        self.time = 50.0

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@given(st.lists(st.tuples(st.integers(0, LARGEST_BATCH), st.sampled_from((0.0, 0.01, 0.2))), max_size=60))
def test_no_second_has_more_units_than_half_of_a_new_table(batches: list[tuple[int, float]]) -> None:
    clock = Clock()
    budget = WriteBudget(now=lambda: clock.time, sleep=clock.sleep)
    writes = []
    for units, pause in batches:
        budget.spend(units)
        writes.append((clock.time, units))
        clock.sleep(pause)
    for start, _ in writes:
        assert sum(units for at, units in writes if start <= at < start + 1 - 1e-6) <= HALF_OF_A_NEW_TABLE


def test_rate_without_other_work_is_that_of_the_budget() -> None:
    clock = Clock()
    budget = WriteBudget(now=lambda: clock.time, sleep=clock.sleep)
    times = []
    for _ in range(20):
        budget.spend(LARGEST_BATCH)
        times.append(clock.time)
    assert all(abs(later - earlier - LARGEST_BATCH / 1_800) < 1e-9 for earlier, later in pairwise(times))


def test_units_are_those_of_the_items_size() -> None:
    small: dict[str, dict[str, Any]] = {"address": {"S": "a@example.com"}, "flag": {"BOOL": True}, "rev": {"N": "1"}}
    assert write_units(small) == 1
    assert write_units({"text": {"S": "é" * 512}}) == 2
    assert write_units({"map": {"M": {"list": {"L": [{"S": "x" * 1_000}, {"S": "y" * 1_100}]}}}}) == 3

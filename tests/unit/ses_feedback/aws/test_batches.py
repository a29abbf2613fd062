"""Batches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ses_feedback.aws.batches import batched


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ("", []),
        ("a", [("a",)]),
        ("ab", [("a", "b")]),
        ("abc", [("a", "b"), ("c",)]),
        ("abcd", [("a", "b"), ("c", "d")]),
    ],
)
def test_the_last_batch_is_shorter_unless_the_items_fill_it(items: str, expected: list[tuple[str, ...]]) -> None:
    assert expected == list(batched(items, 2))


@given(st.lists(st.integers(), max_size=50), st.integers(1, 20))
def test_batches_contain_every_item_once_in_order(items: list[int], size: int) -> None:
    batches = list(batched(iter(items), size))
    assert items == [item for batch in batches for item in batch]
    assert all(len(batch) == size for batch in batches[:-1])
    assert all(1 <= len(batch) <= size for batch in batches[-1:])


def test_items_are_read_only_when_their_batch_is_needed() -> None:
    """Pending contacts may fill many pages of an index."""
    numbers = iter(range(10))
    assert (next(batched(numbers, 3)), next(numbers)) == ((0, 1, 2), 3)

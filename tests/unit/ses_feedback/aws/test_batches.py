"""What is cut into batches."""

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
def test_the_last_batch_is_shorter(items: str, expected: list[tuple[str, ...]]) -> None:
    """Unless it fits."""
    assert expected == list(batched(items, 2))


@given(st.lists(st.integers(), max_size=50), st.integers(1, 20))
def test_nothing_is_lost(items: list[int], size: int) -> None:
    """Everything is there once, in its order, and every batch but the last is full."""
    batches = list(batched(iter(items), size))
    assert items == [item for batch in batches for item in batch]
    assert all(len(batch) == size for batch in batches[:-1])
    assert all(1 <= len(batch) <= size for batch in batches[-1:])


def test_items_are_taken_when_they_are_wanted() -> None:
    """What is due may be many pages long."""
    numbers = iter(range(10))
    assert (next(batched(numbers, 3)), next(numbers)) == ((0, 1, 2), 3)

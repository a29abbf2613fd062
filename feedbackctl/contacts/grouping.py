"""Runs of items that fit a limit together."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_T = TypeVar("_T")


def grouped(
    items: Iterable[_T], size_of: Callable[[_T], int], most_size: int, most_items: int | None = None
) -> Iterator[list[_T]]:
    """Yield runs of `items`, each with at most `most_items` and a size of at most `most_size` together.

    An item that is larger by itself is a run of its own.
    """
    group: list[_T] = []
    size = 0
    for item in items:
        its_size = size_of(item)
        if group and (len(group) == most_items or size + its_size > most_size):
            yield group
            group, size = [], 0
        group.append(item)
        size += its_size
    if group:
        yield group

"""Compare the durations of two commands that run in turn, so that the load of the machine affects both alike."""

from collections.abc import Callable
from statistics import median
from typing import NamedTuple


class Comparison(NamedTuple):
    """The medians of both durations in milliseconds, and the median ratio of the second to the first."""

    first: float
    second: float
    ratio: float


def compare(first: Callable[[], float], second: Callable[[], float], pairs: int) -> Comparison:
    """Run two commands in turn, `pairs` times. Each returns its duration in seconds."""
    for run in (first, second):
        run()  # Both are compiled and in the file cache now.
    times = [(first(), second()) for _ in range(pairs)]
    one, other = (1000 * median(column) for column in zip(*times, strict=True))
    return Comparison(one, other, median(later / earlier for earlier, later in times))

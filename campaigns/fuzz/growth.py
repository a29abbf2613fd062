"""How the work grows with hostile input: measured at one size, at twice and at four times that size.

Python's function calls and the peak of allocated bytes are counted, because counts repeat exactly. Neither contains the
work of a regular expression, so CPU time is measured too, as the minimum of several runs. The tests check counts only,
because times vary on a busy machine; `make fuzz` checks both.
"""

import gc
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from campaigns.fuzz.harness import Harness
from campaigns.fuzz.hostile_inputs import HOSTILE_INPUTS, Event, HostileInput

REPEATS = 5
"""Runs of which the fastest counts."""
MAX_GROWTH = 4.7
"""Growth of the counts for four times the input: four, and a little, because containers grow in steps."""
MAX_TIME_GROWTH = 9.0
"""Growth of the time for four times the input. Linear growth is 4, quadratic growth 16."""
NEGLIGIBLE_SECONDS = 0.01
"""Times up to this one are too short to matter, whatever their growth."""


@dataclass(frozen=True, slots=True)
class Growth:
    """The work for one kind of input at the three sizes. `seconds` is empty if times were not measured."""

    name: str
    sizes: tuple[int, int, int]
    calls: tuple[int, ...]
    peaks: tuple[int, ...]
    seconds: tuple[float, ...] = ()

    @property
    def counts_are_linear(self) -> bool:
        """True if no count grows much faster than the input."""
        return self.calls[2] <= MAX_GROWTH * self.calls[0] and self.peaks[2] <= MAX_GROWTH * self.peaks[0]

    @property
    def is_linear(self) -> bool:
        """True if neither the counts nor the time grow much faster than the input."""
        time_growth = self.seconds[2] / self.seconds[0]
        return self.counts_are_linear and (time_growth <= MAX_TIME_GROWTH or self.seconds[2] <= NEGLIGIBLE_SECONDS)

    def summary(self) -> str:
        """Return the measurement as a line."""
        calls, peak = (counts[2] / counts[0] for counts in (self.calls, self.peaks))
        line = f"{self.name:44} {self.sizes[2]:>9,}: calls x{calls:4.1f}, memory x{peak:4.1f}"
        if not self.seconds:
            return line
        time = self.seconds[2] / self.seconds[0]
        return (
            f"{line}, time x{time:4.1f}, at most {1_000 * self.seconds[2]:7.1f} ms and {self.peaks[2] / 1024:8,.0f} KiB"
            f"{'' if self.is_linear else '   NOT LINEAR'}"
        )


def measure_all() -> Iterator[Growth]:
    """Measure every kind of hostile input, with times."""
    for name, hostile_input in HOSTILE_INPUTS.items():
        yield measure(name, hostile_input, with_times=True)


def measure(name: str, hostile_input: HostileInput, *, with_times: bool = False) -> Growth:
    """Measure the work for one kind of hostile input."""
    size, build = hostile_input
    sizes = size // 4, size // 2, size
    harness, events = Harness(), [build(one) for one in sizes]
    harness.feedback(events[0])  # fills caches
    return Growth(
        name,
        sizes,
        tuple(_count_calls(harness, event) for event in events),
        tuple(harness.measure_peak(event) for event in events),
        tuple(min(_measure_seconds(harness, event) for _ in range(REPEATS)) for event in events) if with_times else (),
    )


def _count_calls(harness: Harness, event: Event) -> int:
    harness.clear()
    calls = 0

    def count(_frame: object, kind: str, _argument: object) -> None:
        nonlocal calls
        calls += kind.endswith("call")

    sys.setprofile(count)
    harness.feedback(event)
    sys.setprofile(None)
    return calls


def _measure_seconds(harness: Harness, event: Event) -> float:
    harness.clear()
    gc.disable()
    seconds = harness.feedback(event).seconds
    gc.enable()
    return seconds

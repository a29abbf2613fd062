"""What a run comes to, in numbers."""

import os
import re
import resource
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

_DIMENSION = re.compile(r'"ConfigurationSet":"((?:[^"\\]|\\.)*)"')
_METRICS = '{"_aws"'


@dataclass
class Figures:
    """Counts of a run, or of part of one; parts add up."""

    dispositions: Counter[tuple[str, str]] = field(default_factory=Counter)
    payloads: Counter[str] = field(default_factory=Counter)
    seconds: "array[float]" = field(default_factory=lambda: array("f"))
    slowest: tuple[float, int] = (0.0, 0)
    dimensions: set[str] = field(default_factory=set)
    most_lines: int = 0
    most_printed: int = 0
    longest_line: int = 0
    largest_item: int = 0
    most_memory: int = 0
    peaks: dict[int, list[int]] = field(default_factory=dict)

    def add(self, shape: str, dispositions: Iterable[str], seconds: float, seed: int) -> None:
        """Count a payload, and what became of its records."""
        self.payloads[shape] += 1
        self.dispositions.update((shape, one) for one in dispositions)
        self.seconds.append(seconds)
        self.slowest = max(self.slowest, (seconds, seed))

    def printed(self, lines: Sequence[str]) -> None:
        """Count what one invocation printed, and remember the metrics' dimensions."""
        self.most_lines = max(self.most_lines, len(lines))
        self.most_printed = max(self.most_printed, sum(map(len, lines)))
        self.longest_line = max(self.longest_line, *map(len, lines), 0)
        for line in lines:
            if line.startswith(_METRICS):
                self.dimensions.update(_DIMENSION.findall(line))

    def remember_peak(self) -> None:
        """Remember how much memory this process took at most until now."""
        self.peaks.setdefault(os.getpid(), []).append(_peak())

    def __iadd__(self, other: Self) -> Self:
        """Add those of another part."""
        self.dispositions += other.dispositions
        self.payloads += other.payloads
        self.seconds += other.seconds
        self.slowest = max(self.slowest, other.slowest)
        self.dimensions |= other.dimensions
        for name in ("most_lines", "most_printed", "longest_line", "largest_item", "most_memory"):
            setattr(self, name, max(getattr(self, name), getattr(other, name)))
        for process, peaks in other.peaks.items():
            self.peaks.setdefault(process, []).extend(peaks)
        return self

    def total(self, disposition: str) -> int:
        """Return how many records came to `disposition`."""
        return sum(number for (_, one), number in self.dispositions.items() if one == disposition)

    def table(self) -> str:
        """Return payloads and dispositions by shape."""
        columns = ("applied", "ignored", "quarantined", "retry")
        rows = [f"{'shape':22} {'payloads':>10} " + " ".join(f"{name:>12}" for name in columns)]
        names = sorted({shape.partition(",")[0] for shape in self.payloads})
        for name in names:
            payloads = sum(number for shape, number in self.payloads.items() if shape.partition(",")[0] == name)
            cells = (self._cell(name, column) for column in columns)
            rows.append(f"{name:22} {payloads:>10,} " + " ".join(f"{cell:>12,}" for cell in cells))
        totals = (self.total(column) for column in columns)
        rows.append(f"{'all':22} {self.payloads.total():>10,} " + " ".join(f"{cell:>12,}" for cell in totals))
        return "\n".join(rows)

    def _cell(self, name: str, disposition: str) -> int:
        return sum(
            number
            for (shape, one), number in self.dispositions.items()
            if one == disposition and shape.partition(",")[0] == name
        )

    def told(self) -> str:
        """Return the figures as lines fit to be shown."""
        ordered = sorted(self.seconds)
        p50, p99, p999 = (1_000 * ordered[int(len(ordered) * part)] for part in (0.5, 0.99, 0.999))
        first = sum(peaks[min(len(peaks) - 1, len(peaks) // 10)] for peaks in self.peaks.values())
        last = sum(peaks[-1] for peaks in self.peaks.values())
        return (
            f"{self.table()}\n"
            f"a payload takes {p50:.2f} ms (p50), {p99:.2f} ms (p99), {p999:.2f} ms (p99.9), "
            f"{1_000 * ordered[-1]:.1f} ms (longest, payload {self.slowest[1]}), "
            f"and {self.most_memory / 1024:,.0f} KiB at most of those measured\n"
            f"memory of {len(self.peaks)} processes: {last / 2**20:,.1f} MiB at most, of which "
            f"{(last - first) / 2**20:,.1f} MiB since the first tenth\n"
            f"{len(self.dimensions)} metric dimension sets; items up to {self.largest_item:,} bytes; "
            f"up to {self.most_lines} lines and {self.most_printed:,} characters printed by an invocation"
        )


def _peak() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024

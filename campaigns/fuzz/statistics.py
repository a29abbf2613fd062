"""Statistics of a run: payloads, dispositions, times, memory, and the output of invocations."""

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
_COLUMNS = ("applied", "ignored", "quarantined", "retry")


@dataclass
class Statistics:
    """Statistics of a run or of a part of it; the statistics of parts can be added."""

    dispositions: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Records by shape and disposition."""
    payloads: Counter[str] = field(default_factory=Counter)
    """Payloads by shape."""
    seconds: "array[float]" = field(default_factory=lambda: array("f"))
    slowest: tuple[float, int] = (0.0, 0)
    """Seconds and seed of the slowest payload."""
    dimensions: set[str] = field(default_factory=set)
    most_lines: int = 0
    most_output: int = 0
    longest_line: int = 0
    largest_item: int = 0
    most_memory: int = 0
    peaks: dict[int, list[int]] = field(default_factory=dict)
    """By process: the peak of its memory after each part."""

    def add(self, shape: str, dispositions: Iterable[str], seconds: float, seed: int) -> None:
        """Count a payload and the dispositions of its records."""
        self.payloads[shape] += 1
        self.dispositions.update((shape, one) for one in dispositions)
        self.seconds.append(seconds)
        self.slowest = max(self.slowest, (seconds, seed))

    def add_output(self, lines: Sequence[str]) -> None:
        """Count the lines that one invocation printed, and keep the dimensions of its metrics."""
        self.most_lines = max(self.most_lines, len(lines))
        self.most_output = max(self.most_output, sum(map(len, lines)))
        self.longest_line = max(self.longest_line, *map(len, lines), 0)
        for line in lines:
            if line.startswith(_METRICS):
                self.dimensions.update(_DIMENSION.findall(line))

    def add_memory_peak(self) -> None:
        """Keep the peak of this process's memory."""
        self.peaks.setdefault(os.getpid(), []).append(_memory_peak())

    def __iadd__(self, other: Self) -> Self:
        """Add the statistics of another part."""
        self.dispositions += other.dispositions
        self.payloads += other.payloads
        self.seconds += other.seconds
        self.slowest = max(self.slowest, other.slowest)
        self.dimensions |= other.dimensions
        for name in ("most_lines", "most_output", "longest_line", "largest_item", "most_memory"):
            setattr(self, name, max(getattr(self, name), getattr(other, name)))
        for process, peaks in other.peaks.items():
            self.peaks.setdefault(process, []).extend(peaks)
        return self

    def total(self, disposition: str) -> int:
        """Return the number of records with this disposition."""
        return sum(number for (_, one), number in self.dispositions.items() if one == disposition)

    def table(self) -> str:
        """Return a table of payloads and dispositions by carrier."""
        rows = [_row("carrier", "payloads", _COLUMNS)]
        for carrier in sorted({_carrier(shape) for shape in self.payloads}):
            payloads = sum(number for shape, number in self.payloads.items() if _carrier(shape) == carrier)
            rows.append(_row(carrier, f"{payloads:,}", [f"{self._count(carrier, one):,}" for one in _COLUMNS]))
        totals = [f"{self.total(column):,}" for column in _COLUMNS]
        return "\n".join([*rows, _row("all", f"{self.payloads.total():,}", totals)])

    def _count(self, carrier: str, disposition: str) -> int:
        counts = self.dispositions.items()
        return sum(number for (shape, one), number in counts if one == disposition and _carrier(shape) == carrier)

    def summary(self) -> str:
        """Return the statistics as text."""
        ordered = sorted(self.seconds)
        p50, p99, p999 = (1_000 * ordered[int(len(ordered) * part)] for part in (0.5, 0.99, 0.999))
        first = sum(peaks[min(len(peaks) - 1, len(peaks) // 10)] for peaks in self.peaks.values())
        last = sum(peaks[-1] for peaks in self.peaks.values())
        return (
            f"{self.table()}\n"
            f"time per payload: {p50:.2f} ms (p50), {p99:.2f} ms (p99), {p999:.2f} ms (p99.9), "
            f"{1_000 * ordered[-1]:.1f} ms (longest, seed {self.slowest[1]}); "
            f"memory per payload: at most {self.most_memory / 1024:,.0f} KiB of those measured\n"
            f"memory of {len(self.peaks)} processes: at most {last / 2**20:,.1f} MiB, of which "
            f"{(last - first) / 2**20:,.1f} MiB since the first tenth of the run\n"
            f"{len(self.dimensions)} metric dimension sets; items of at most {self.largest_item:,} bytes; "
            f"at most {self.most_lines} lines and {self.most_output:,} characters printed by an invocation"
        )


def _carrier(shape: str) -> str:
    return shape.partition(",")[0]


def _row(name: str, payloads: str, cells: Sequence[str]) -> str:
    return f"{name:22} {payloads:>10} " + " ".join(f"{cell:>12}" for cell in cells)


def _memory_peak() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # https://man7.org/linux/man-pages/man2/getrusage.2.html

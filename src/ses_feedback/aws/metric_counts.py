"""Counts and delays of one batch. Metrics are emitted once per batch, not once per record."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class MetricCounts:
    """Counts, and the longest delays in milliseconds, by configuration set and metric name."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    longest: dict[tuple[str, str], int] = field(default_factory=dict)
    by_provider: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Counts by mailbox provider and metric name."""
    diagnostics: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Recipients in bounces by mailbox provider and enhanced status code. They are logged, not published."""
    stack_counts: Counter[str] = field(default_factory=Counter)
    """Counts that belong to the stack, not to a configuration set, by metric name."""
    stack_longest: dict[str, int] = field(default_factory=dict)
    """Longest times in milliseconds that belong to the stack, by metric name."""

    def count(self, configuration_set: str, name: str, number: int = 1) -> None:
        """Add `number` to the count `name`."""
        self.counts[configuration_set, name] += number

    def delay(self, configuration_set: str, name: str, milliseconds: int) -> None:
        """Keep the longest delay `name`. A negative delay, which results from clock differences, counts as 0."""
        key = configuration_set, name
        self.longest[key] = max(self.longest.get(key, 0), milliseconds)

    def count_retry(self, age: int) -> None:
        """Count a record that is returned for a retry, and keep the age of the oldest one in milliseconds."""
        self.stack_counts["Retried"] += 1
        self.stack_longest["OldestRetryAge"] = max(self.stack_longest.get("OldestRetryAge", 0), age)

    def include(self, other: "MetricCounts") -> None:
        """Add the counts and delays of `other`."""
        self.counts.update(other.counts)
        self.by_provider.update(other.by_provider)
        for key, milliseconds in other.longest.items():
            self.delay(*key, milliseconds)
        self.diagnostics.update(other.diagnostics)
        self.stack_counts.update(other.stack_counts)
        for name, milliseconds in other.stack_longest.items():
            self.stack_longest[name] = max(self.stack_longest.get(name, 0), milliseconds)

    def __iter__(self) -> Iterator[tuple[str, str, int]]:
        """Yield configuration set, metric name and value of each count and delay, without those by provider."""
        for table in (self.counts, self.longest):
            for (configuration_set, name), value in table.items():
                yield configuration_set, name, value

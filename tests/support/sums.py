"""Base class of counters that are added up over several parts."""

from collections import Counter
from dataclasses import dataclass, fields
from typing import Self


@dataclass
class Sums:
    """Counters. Adding merges field by field: sum of numbers, lists and counters; union of sets and dicts."""

    def __iadd__(self, other: Self) -> Self:
        """Add the counters of another part."""
        for field in fields(self):
            total, part = getattr(self, field.name), getattr(other, field.name)
            if isinstance(total, set | dict) and not isinstance(total, Counter):
                total |= part
            else:
                total += part
            setattr(self, field.name, total)
        return self

"""Figures of many parts, added up."""

from collections import Counter
from dataclasses import dataclass, fields
from typing import Self


@dataclass
class Sums:
    """Figures whose parts add up, field by field: numbers, lists and counters are added, sets and dicts united."""

    def __iadd__(self, other: Self) -> Self:
        """Add those of another part."""
        for one in fields(self):
            mine, its = getattr(self, one.name), getattr(other, one.name)
            if isinstance(mine, set | dict) and not isinstance(mine, Counter):
                mine |= its
            else:
                mine += its
            setattr(self, one.name, mine)
        return self

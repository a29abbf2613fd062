"""The rate of an import: at most half of what a new table can write, so that feedback is stored meanwhile."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ses_feedback.contacts.record import Item

UNITS_A_SECOND = 1_800
"""Write units that an import uses in a second. With the batch that begins in it, a second has at most 2,000.

A new on-demand table writes 4,000:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html#on-demand-capacity-mode-initial"""
_UNIT_BYTES = 1_024
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html#write-operation-consumption"""
_LARGEST_NUMBER = 21
"""Bytes of a number of 38 digits."""
_CONTAINER = 3
"""Bytes of a list or a map, beside its content; each element takes one more."""


@dataclass
class WriteBudget:
    """Spreads write units over time."""

    units_a_second: float = UNITS_A_SECOND
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _free_at: float = field(default=0.0, init=False)

    def spend(self, units: int) -> None:
        """Wait until the units of the calls before have had their time. Then `units` may be written."""
        moment = max(self.now(), self._free_at)
        self.sleep(max(0.0, moment - self.now()))
        self._free_at = moment + units / self.units_a_second


def write_units(item: Item) -> int:
    """Return the units that a write of the item takes at most.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    size = sum(len(name.encode()) + _size(value) for name, value in item.items())
    return -(-size // _UNIT_BYTES)


def _size(value: Item | dict[str, object]) -> int:
    [(kind, content)] = value.items()
    match content:
        case str():
            return _LARGEST_NUMBER if kind == "N" else len(content.encode())
        case list():
            return _CONTAINER + sum(1 + _size(one) for one in content)
        case dict():
            return _CONTAINER + sum(1 + len(name.encode()) + _size(one) for name, one in content.items())
        case _:
            return 1

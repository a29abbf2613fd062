"""The size of DynamoDB items and the request units of reads and writes, by the documented rules.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

import math
from collections.abc import Mapping
from typing import Any

Item = Mapping[str, Mapping[str, Any]]
"""An item in DynamoDB JSON: attribute name → {type: value}."""

WRITE_UNIT_BYTES = 1024
READ_UNIT_BYTES = 4096
_CONTAINER_BYTES = 3
_ELEMENT_BYTES = 1


def item_size(item: Item) -> int:
    """Return the size of `item` in bytes: its attribute names and values."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(typed: Mapping[str, Any]) -> int:
    """Return the bytes of a value.

    Raises:
        ValueError: the contacts table has no values of this type.

    """
    ((kind, value),) = typed.items()
    match kind:
        case "S":
            return len(value.encode())
        case "N":
            # One byte for each two significant digits, plus one.
            return math.ceil(len(value.lstrip("-").replace(".", "").strip("0")) / 2) + 1
        case "BOOL" | "NULL":
            return 1
        case "L":
            return _CONTAINER_BYTES + sum(_ELEMENT_BYTES + _value_size(element) for element in value)
        case "M":
            return _CONTAINER_BYTES + item_size(value) + _ELEMENT_BYTES * len(value)
        case _:
            raise ValueError(kind)


def write_units(*sizes: int) -> int:
    """Return the write units of one write: one per started kilobyte of the larger of the old and the new item."""
    return max(1, math.ceil(max(sizes, default=0) / WRITE_UNIT_BYTES))


def read_units(size: int, *, consistent: bool) -> float:
    """Return the read units of one read: one per started 4 KB, and half of that if it is eventually consistent."""
    return max(1, math.ceil(size / READ_UNIT_BYTES)) * (1.0 if consistent else 0.5)

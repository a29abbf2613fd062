"""What DynamoDB bills: the size of items, and the request units of reads and writes, by its documented rules."""

import math
from collections.abc import Mapping
from typing import Any

Item = Mapping[str, Mapping[str, Any]]
"""An item in DynamoDB's own JSON: attribute name → {type: value}."""

WRITE_UNIT_BYTES = 1024
READ_UNIT_BYTES = 4096
_CONTAINER_BYTES = 3
_ELEMENT_BYTES = 1


def item_size(item: Item) -> int:
    """Return the bytes of `item`: those of its names and of its values."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(typed: Mapping[str, Any]) -> int:
    """Return the bytes of a value.

    Raises:
        ValueError: it is of a type that the Contacts table does not hold.

    """
    ((kind, value),) = typed.items()
    match kind:
        case "S":
            return len(value.encode())
        case "N":
            # A byte for two significant digits, and one more.
            return math.ceil(len(value.lstrip("-").replace(".", "").strip("0")) / 2) + 1
        case "BOOL" | "NULL":
            return 1
        case "L":
            return _CONTAINER_BYTES + sum(_ELEMENT_BYTES + _value_size(one) for one in value)
        case "M":
            return _CONTAINER_BYTES + item_size(value) + _ELEMENT_BYTES * len(value)
        case _:
            raise ValueError(kind)


def write_units(*sizes: int) -> int:
    """Return the write units of one write: a kilobyte or part of one each, of the item as it is or as it was."""
    return max(1, math.ceil(max(sizes, default=0) / WRITE_UNIT_BYTES))


def read_units(size: int, *, consistent: bool) -> float:
    """Return the read units of one read: four kilobytes or part of them each, half of that if it may be stale."""
    return max(1, math.ceil(size / READ_UNIT_BYTES)) * (1.0 if consistent else 0.5)

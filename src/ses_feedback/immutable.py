"""Immutable objects: `class Address(Struct, frozen=True)`, and `replace` for a copy with other field values.

Assigning to a field raises `AttributeError`. A frozen dataclass rejects the assignment too, but takes five to fifteen
times as long to create: docs/explain/decisions/0019-immutable-at-run-time.md has the measurements.
"""

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    # mypy checks the field names and values of this function, for structs as well.
    from dataclasses import replace
else:
    from msgspec.structs import replace

__all__ = ["Struct", "replace"]

"""Values: objects that nobody changes once they are made.

mypy holds everybody to that. A frozen dataclass holds to it at run time as well, and so sets each of its fields by a
call: of the hundred fields that come of one record, that is a sixth of all the time it takes.
"""

from typing import TYPE_CHECKING

__all__ = ["value"]

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:
    from dataclasses import dataclass

    def value(*, frozen: bool, slots: bool, order: bool = False):  # noqa: ANN201 (seen at run time only)
        """Make a class one of values: to mypy a dataclass with these parameters, `frozen` among them."""
        return dataclass(unsafe_hash=frozen, slots=slots, order=order)

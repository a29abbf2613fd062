"""Planted bugs: how one replaces attributes of the real code."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

Patch = tuple[Any, str, Any]
"""A module or class, the name of one of its attributes, and the replacement."""


@dataclass(frozen=True, slots=True)
class PlantedBug:
    """A design bug: its title, and the attributes that it replaces."""

    name: str
    patches: Sequence[Patch]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Replace the attributes while the context is active."""
        originals = [(owner, name, owner.__dict__[name]) for owner, name, _ in self.patches]
        for owner, name, replacement in self.patches:
            setattr(owner, name, replacement)
        try:
            yield
        finally:
            for owner, name, original in originals:
                setattr(owner, name, original)


def planted_bug(name: str, *patches: Patch) -> PlantedBug:
    """Return the planted bug with the title `name`."""
    return PlantedBug(name, patches)


Mutant = PlantedBug
mutant = planted_bug

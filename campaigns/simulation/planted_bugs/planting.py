"""Planted bugs: how one replaces attributes of the real code."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from campaigns.simulation.case import Case
from campaigns.simulation.fault_kinds import first_call_fault

Patch = tuple[Any, str, Any]
"""A module or class, the name of one of its attributes, and the replacement."""


@dataclass(frozen=True, slots=True)
class PlantedBug:
    """A design bug: its title, and the attributes that it replaces.

    Few random cases show some bugs. `fault`, an operation and the name of a fault, is one that such a bug needs.
    `theme` is the theme of the cases that it needs.
    """

    name: str
    patches: Sequence[Patch]
    fault: tuple[str, str] | None = None
    theme: str = ""

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

    def focus(self, case: Case) -> Case:
        """Return `case`, with the `fault` of this bug at the first call of its operation."""
        return replace(case, faults=(*case.faults, first_call_fault(*self.fault))) if self.fault else case


def planted_bug(name: str, *patches: Patch, fault: tuple[str, str] | None = None, theme: str = "") -> PlantedBug:
    """Return the planted bug with the title `name`."""
    return PlantedBug(name, patches, fault, theme)

"""What a seeded design bug is, and how it gets into the code."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

Patch = tuple[Any, str, Any]
"""A module or class, the name of something in it, and what to put there instead."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A design bug: what it is, and what it puts in whose place."""

    name: str
    patches: Sequence[Patch]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Have the bug for as long as the context lasts."""
        originals = [(owner, name, owner.__dict__[name]) for owner, name, _ in self.patches]
        for owner, name, replacement in self.patches:
            setattr(owner, name, replacement)
        try:
            yield
        finally:
            for owner, name, original in originals:
                setattr(owner, name, original)


def mutant(name: str, *patches: Patch) -> Mutant:
    """Return the design bug called `name`."""
    return Mutant(name, patches)

"""What a mutant is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """A room's source with one thing wrong, in the class or function `scope`: the lines `before` are now `after`."""

    room: str
    scope: str
    line: int
    before: str
    after: str
    source: str

    def difference(self) -> str:
        """Return the lines as a diff."""
        old = [f"  - {line}" for line in self.before.splitlines()]
        return "\n".join([*old, *(f"  + {line}" for line in self.after.splitlines())])

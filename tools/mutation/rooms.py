"""The pure rooms, and what has to notice when one of them goes wrong: a room's own tests, not the whole suite."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Room:
    """A room, and the tests that hold it."""

    name: str

    @property
    def tests(self) -> str:
        """The room's own tests."""
        return f"tests/test_{self.name}.py"


_JUDGE = ("address", "timestamps", "envelope", "feedback", "policy", "contact")
_HELP = ("stored", "changes", "metric_counts", "answers", "batches", "imports", "report", "statements", "notified")
ROOMS = tuple(map(Room, (*_JUDGE, *_HELP)))

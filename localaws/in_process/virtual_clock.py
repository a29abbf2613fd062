"""The clock of the embedded AWS."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Returns the time and waits."""

    def now(self) -> datetime:
        """Return the current time, aware."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class VirtualClock:
    """A clock that advances only by sleeping. Sleeping takes no real time."""

    def __init__(self, start: datetime | None = None) -> None:
        """Start at this aware time, or at the real time."""
        self._now = start or datetime.now(UTC)

    def now(self) -> datetime:
        """Return the current time, aware."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Advance the clock by so many seconds."""
        self._now += timedelta(seconds=seconds)

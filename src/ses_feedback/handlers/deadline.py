"""What time it is, and how much of it Lambda leaves."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Context(Protocol):
    """What is used of Lambda's context."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the function."""


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def deadline(context: Context, now: Callable[[], datetime], reserve: timedelta) -> datetime:
    """Return until when new work may be begun, so that `reserve` is left of the function's time."""
    return now() + timedelta(milliseconds=context.get_remaining_time_in_millis()) - reserve

"""The clock, and the deadline of an invocation."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Context(Protocol):
    """The part of Lambda's context object that is used.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the invocation."""


def utc_now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


def deadline(context: Context, now: Callable[[], datetime], reserve: timedelta) -> datetime:
    """Return the time after which no new work may begin, so that `reserve` remains to finish the work in progress."""
    return now() + timedelta(milliseconds=context.get_remaining_time_in_millis()) - reserve

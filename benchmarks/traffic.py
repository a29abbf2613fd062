"""The mail whose cost is reckoned, and how it comes to the functions."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import messages as mail


@dataclass(frozen=True, slots=True)
class Kind:
    """What may become of a mail: the share of mails, the lane that hears of it, and how it is reported."""

    share: float
    lane: str
    document: Callable[[int], dict[str, Any]]


def _next_day(make: Callable[..., dict[str, Any]], **how: Any) -> Callable[[int], dict[str, Any]]:  # noqa: ANN401 (make's own)
    return lambda number: make(number, sequence=mail.DAY, **how)


KINDS: Mapping[str, Kind] = {
    "hard bounce": Kind(0.01, "Bounce", _next_day(mail.bounce)),
    "soft bounce": Kind(0.005, "Bounce", _next_day(mail.bounce, soft=True)),
    "complaint": Kind(0.0005, "Complaint", _next_day(mail.complaint)),
    "delivery": Kind(0.9845, "Delivery", _next_day(mail.delivery)),
}
"""One event for a mail. Each comes to a contact that had a delivery the day before, so that even a delivery changes
something: the day the contact is known to have been delivered to."""
AGAIN = Kind(0.0, "Delivery", mail.delivery)
"""Another delivery on the same day: it changes nothing."""

VOLUMES = (10_000, 1_000_000, 1_000_000_000)
"""Mails a month."""
MAILS_PER_CONTACT = 4
"""A month: how many contacts there are to store."""

MONTH_SECONDS = 365.25 / 12 * 86_400
BUSY_SECONDS = 22 * 8 * 3600
"""In which a month's mail is sent: working hours."""
POLLERS = 5
"""With which Lambda reads a queue, at least."""
LONG_POLL_SECONDS = 20
RECEIVES_A_SECOND = 10
"""Of one poller that finds something: beyond that messages come several at a time."""
RECEIVE_BATCH = 10


def per_second(messages: float) -> float:
    """Return the rate of so many a month."""
    return messages / BUSY_SECONDS


def received_at_once(rate: float) -> float:
    """Return how many messages a poller gets with one request."""
    return min(RECEIVE_BATCH, max(1.0, rate / (POLLERS * RECEIVES_A_SECOND)))


def handed_over(rate: float, size: int, window: float) -> float:
    """Return how many messages Lambda hands over at a time: what the pollers gather in the window, at most `size`."""
    return min(size, max(received_at_once(rate), rate * window / POLLERS))


def gathered(rate: float, seconds: float, most: float) -> float:
    """Return how many messages Firehose writes into an object: the first, and what comes in `seconds` from it."""
    return min(most, 1 + rate * seconds)


def sqs_requests(messages: float, batch: float) -> float:
    """Return the requests of a queue in a month: each message is sent, received and deleted, some at a time."""
    at_once = received_at_once(per_second(messages))
    return messages * (1 + 1 / at_once + 1 / min(RECEIVE_BATCH, batch))


def idle_requests() -> float:
    """Return the requests of a queue in a month in which nothing comes."""
    return POLLERS * MONTH_SECONDS / LONG_POLL_SECONDS


def kms_requests(messages: float) -> float:
    """Return the requests of the key in a month: SNS, SQS, DynamoDB and Lambda keep a data key for five minutes."""
    return min(messages * 4, 20 * MONTH_SECONDS / 300)


def paced_share(calls: float) -> float:
    """Return the share of so many calls a month that one call a second can serve; the rest is imported."""
    return min(1.0, MONTH_SECONDS / 1.05 / calls) if calls else 1.0


def rounds(calls: float, at_once: int) -> int:
    """Return in how many rounds so many calls are made, `at_once` at a time."""
    return math.ceil(calls / at_once)

"""The emails whose cost is computed, and how their events reach the functions."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import messages as events


@dataclass(frozen=True, slots=True)
class EventKind:
    """A kind of event: its share of emails, its lane, and a function that returns the event of a recipient."""

    share: float
    lane: str
    document: Callable[[int], dict[str, Any]]


def _next_day(create: Callable[..., dict[str, Any]], **options: Any) -> Callable[[int], dict[str, Any]]:  # noqa: ANN401 (options of create)
    return lambda number: create(number, sequence=events.DAY, **options)


KINDS: Mapping[str, EventKind] = {
    "hard bounce": EventKind(0.01, "Bounce", _next_day(events.bounce)),
    "soft bounce": EventKind(0.005, "Bounce", _next_day(events.bounce, soft=True)),
    "complaint": EventKind(0.0005, "Complaint", _next_day(events.complaint)),
    "delivery": EventKind(0.9845, "Delivery", _next_day(events.delivery)),
}
"""One event for each email. Each recipient had a delivery on the day before, so each event changes its contact, also a
delivery: it is the first of its day."""
SAME_DAY_DELIVERY = EventKind(0.0, "Delivery", events.delivery)
"""Another delivery on the same day. It does not change the contact."""

VOLUMES = (10_000, 1_000_000, 1_000_000_000)
"""Emails a month."""
EMAILS_PER_CONTACT = 4
"""Emails a month to each contact."""

MONTH_SECONDS = 365.25 / 12 * 86_400
SENDING_SECONDS = 22 * 8 * 3600
"""The time in which the emails of a month are sent: working hours."""
POLLERS = 5
"""Lambda's initial number of pollers of a queue.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
"""
LONG_POLL_SECONDS = 20
RECEIVES_PER_SECOND = 10
"""Requests of one poller while a queue has messages. At a higher rate, a request returns several messages."""
RECEIVE_BATCH = 10


def messages_per_second(messages: float) -> float:
    """Return the rate while emails are sent, for `messages` a month."""
    return messages / SENDING_SECONDS


def messages_per_receive(rate: float) -> float:
    """Return the number of messages that a poller gets with one request."""
    return min(RECEIVE_BATCH, max(1.0, rate / (POLLERS * RECEIVES_PER_SECOND)))


def messages_per_invocation(rate: float, batch_size: int, window: float) -> float:
    """Return the messages of an invocation: all that a poller collects in the window, at most `batch_size`."""
    return min(batch_size, max(messages_per_receive(rate), rate * window / POLLERS))


def records_per_object(rate: float, seconds: float, limit: float) -> float:
    """Return the records in an object of Firehose: the first, and those of the next `seconds`, at most `limit`."""
    return min(limit, 1 + rate * seconds)


def sqs_requests(messages: float, batch: float) -> float:
    """Return the requests of a queue for `messages`. Each message is sent, received and deleted, some in batches."""
    received = messages_per_receive(messages_per_second(messages))
    return messages * (1 + 1 / received + 1 / min(RECEIVE_BATCH, batch))


def idle_sqs_requests() -> float:
    """Return the requests of an empty queue in a month."""
    return POLLERS * MONTH_SECONDS / LONG_POLL_SECONDS


def kms_requests(messages: float) -> float:
    """Return the KMS requests of a month. SNS, SQS, DynamoDB and Lambda reuse a data key for five minutes."""
    return min(messages * 4, 20 * MONTH_SECONDS / 300)


def rate_limited_share(calls: float) -> float:
    """Return the share of `calls` a month that one call per second allows. Import jobs replace the rest."""
    return min(1.0, MONTH_SECONDS / 1.05 / calls) if calls else 1.0


def rounds(calls: float, concurrency: int) -> int:
    """Return the number of rounds of `calls` with `concurrency` calls at the same time."""
    return math.ceil(calls / concurrency)

"""The functions of the template in this process, with clients that call the counting stub."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from benchmarks import messages
from benchmarks.account import BUCKET, CONFIGURATION_SET, TABLE
from benchmarks.aws_stub import Stub
from benchmarks.messages import RECEIVED
from benchmarks.subjects import SES_FEEDBACK, Context, create_handler, create_object_handler
from ses_feedback.aws.batches import batched
from ses_feedback.aws.clients import Clients
from ses_feedback.handlers import suppression
from ses_feedback.settings import Settings

if TYPE_CHECKING:
    from benchmarks.subjects import Handler

_OBJECT_LANE = "Delivery with objects"
STREAM_BATCH = 100
"""Stream records in a batch for SuppressionFunction, as in the template."""
SUPPRESSION_TIMEOUT = 300
"""Seconds, as in the template."""
_MAX_ROUNDS = 8
"""Rounds over the stream after which the list sync must have nothing left to write."""


class Clock:
    """A virtual clock that only sleeping advances. It starts when all feedback has been received."""

    def __init__(self) -> None:
        """Start at the time of the messages."""
        self._now = RECEIVED
        self.slept = 0.0

    def now(self) -> datetime:
        """Return the time."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Advance by `seconds`."""
        self._now += timedelta(seconds=seconds)
        self.slept += seconds


@dataclass(slots=True)
class Usage:
    """AWS calls and DynamoDB request units by name, invocations, and seconds that functions slept."""

    calls: Counter[str] = field(default_factory=Counter)
    units: dict[str, float] = field(default_factory=dict)
    invocations: int = 0
    slept: float = 0.0


class Lanes:
    """The feedback functions and SuppressionFunction of one account."""

    def __init__(self, subject: str = SES_FEEDBACK) -> None:
        """Create the account of `subject`. The baseline has no SuppressionFunction."""
        self.stub = Stub()
        self.clock = Clock()
        self._subject = subject
        self._session = self.stub.session()
        self._handlers: dict[str, Handler] = {}

    def process(self, lane: str, events: Iterable[Any]) -> Usage:
        """Invoke the function of a lane with each event, and return the usage."""
        if lane not in self._handlers:
            virtual_time = {"now": self.clock.now, "sleep": self.clock.sleep}
            options: dict[str, Any] = virtual_time if self._subject == SES_FEEDBACK else {}
            self._handlers[lane] = create_handler(self._subject, self._session, lane=lane, **options)
        with self._measure() as usage:
            for event in events:
                self._handlers[lane](event, Context())
                usage.invocations += 1
        return usage

    def process_objects(self, documents: Iterable[Any], size: int) -> Usage:
        """Invoke the delivery function with notifications of objects of `size` documents, and return the usage."""
        notifications = []
        for number, lines in enumerate(batched(documents, size)):
            key = f"deliveries/{number}"
            self.stub.objects[f"/{key}"] = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
            record = {"eventSource": "aws:s3", "s3": {"bucket": {"name": BUCKET}, "object": {"key": key}}}
            notifications.append({"Records": [record]})
        if _OBJECT_LANE not in self._handlers:
            handler = create_object_handler(self._session, now=self.clock.now, sleep=self.clock.sleep)
            self._handlers[_OBJECT_LANE] = handler
        return self.process(_OBJECT_LANE, messages.batches(notifications, 10, lane="Delivery"))

    def sync(self) -> Usage:
        """Invoke SuppressionFunction with the stream of the table until it is empty, and return the usage.

        Raises:
            RuntimeError: the writes of the function add stream records without end.

        """
        settings = Settings(TABLE, metric_configuration_sets=(CONFIGURATION_SET,))
        with self._measure() as usage:
            list_sync = suppression.compose(
                settings, Clients(self._session), now=self.clock.now, sleep=self.clock.sleep
            )
            for _ in range(_MAX_ROUNDS):
                records = self.stub.table.stream.take()
                if not records:
                    return usage
                for batch in batched(records, STREAM_BATCH):
                    list_sync({"Records": list(batch)}, Context(SUPPRESSION_TIMEOUT))
                    usage.invocations += 1
        raise RuntimeError("the stream is never empty")

    @contextmanager
    def _measure(self) -> Iterator[Usage]:
        usage = Usage()
        calls, units, slept = self.stub.calls.copy(), dict(self.stub.table.bill.units), self.clock.slept
        yield usage
        usage.calls = self.stub.calls - calls
        now = self.stub.table.bill.units
        usage.units = {name: now[name] - units.get(name, 0) for name in now if now[name] != units.get(name, 0)}
        usage.slept = self.clock.slept - slept

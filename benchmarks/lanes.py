"""The functions as the template puts them together, on the counting stub, in this process."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from benchmarks import messages
from benchmarks.aws_stub import Stub
from benchmarks.messages import RECEIVED
from benchmarks.subjects import BUCKET, CONFIGURATION_SET, OURS, TABLE, Context, handler, reader
from ses_feedback.aws.batches import batched
from ses_feedback.aws.clients import Clients
from ses_feedback.handlers import suppression
from ses_feedback.settings import Settings

if TYPE_CHECKING:
    from benchmarks.subjects import Handler

_OBJECTS = "Delivery, which S3 notifies of objects"
STREAM_BATCH = 100
"""Stream records that SuppressionFunction is given at a time, as the template has it."""
MIRROR_SECONDS = 300
"""How long SuppressionFunction may take, as the template has it."""
MOST_RUNS = 8
"""Runs over the stream after which a list_sync in step has nothing left to write."""


class Clock:
    """A clock that only sleeping moves on. It starts when all the feedback has been received."""

    def __init__(self) -> None:
        """Start."""
        self._now = RECEIVED
        self.slept = 0.0

    def now(self) -> datetime:
        """Return the time."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self._now += timedelta(seconds=seconds)
        self.slept += seconds


@dataclass(slots=True)
class Spent:
    """AWS calls and DynamoDB request units, by name; `slept` are seconds a function waited."""

    calls: Counter[str] = field(default_factory=Counter)
    units: dict[str, float] = field(default_factory=dict)
    invocations: int = 0
    slept: float = 0.0


class Lanes:
    """Feedback functions and SuppressionFunction of one account."""

    def __init__(self, subject: str = OURS) -> None:
        """Compose them; the baseline has no SuppressionFunction."""
        self.stub = Stub()
        self.clock = Clock()
        self._subject = subject
        self._session = self.stub.session()
        self._handlers: dict[str, Handler] = {}

    def feed(self, lane: str, events: Iterable[Any]) -> Spent:
        """Hand events to a lane's function; return what that took."""
        if lane not in self._handlers:
            how: dict[str, Any] = {"now": self.clock.now, "sleep": self.clock.sleep} if self._subject == OURS else {}
            self._handlers[lane] = handler(self._subject, self._session, lane=lane, **how)
        with self._spending() as spent:
            for event in events:
                self._handlers[lane](event, Context())
                spent.invocations += 1
        return spent

    def gather(self, documents: Iterable[Any], size: int) -> Spent:
        """Hand documents to the delivery lane's function in objects of `size` each; return what that took."""
        notified = []
        for number, lines in enumerate(batched(documents, size)):
            key = f"deliveries/{number}"
            self.stub.objects[f"/{key}"] = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
            told = {"eventSource": "aws:s3", "s3": {"bucket": {"name": BUCKET}, "object": {"key": key}}}
            notified.append({"Records": [told]})
        if _OBJECTS not in self._handlers:
            self._handlers[_OBJECTS] = reader(self._session, now=self.clock.now, sleep=self.clock.sleep)
        return self.feed(_OBJECTS, messages.batches(notified, 10, lane="Delivery"))

    def sync(self) -> Spent:
        """Hand the table's stream to SuppressionFunction until there is none; return what that took.

        Raises:
            RuntimeError: what it writes brings it back for ever.

        """
        settings = Settings(TABLE, metric_configuration_sets=(CONFIGURATION_SET,))
        with self._spending() as spent:
            list_sync = suppression.compose(
                settings, Clients(self._session), now=self.clock.now, sleep=self.clock.sleep
            )
            for _ in range(MOST_RUNS):
                records = self.stub.table.stream.take()
                if not records:
                    return spent
                for batch in batched(records, STREAM_BATCH):
                    list_sync({"Records": list(batch)}, Context(MIRROR_SECONDS))
                    spent.invocations += 1
        raise RuntimeError("the stream never ends")

    @contextmanager
    def _spending(self) -> Iterator[Spent]:
        spent = Spent()
        calls, units, slept = self.stub.calls.copy(), dict(self.stub.table.bill.units), self.clock.slept
        yield spent
        spent.calls = self.stub.calls - calls
        now = self.stub.table.bill.units
        spent.units = {name: now[name] - units.get(name, 0) for name in now if now[name] != units.get(name, 0)}
        spent.slept = self.clock.slept - slept

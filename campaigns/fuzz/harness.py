"""The functions as they are deployed, on an AWS in memory, and all that can be seen of what they do."""

import io
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import thread_time
from typing import Any, cast

from aws_lambda_powertools import Logger

from campaigns.fuzz.in_memory_aws import DynamoDb, Events, SesV2, Sqs, Table
from ses_feedback.aws.clients import Clients
from ses_feedback.aws.metrics import MAX_CONFIGURATION_SETS, Metrics
from ses_feedback.aws.quarantine import Quarantine
from ses_feedback.contacts.repository import ContactRepository
from ses_feedback.handlers import suppression
from ses_feedback.handlers.feedback import FeedbackHandler
from ses_feedback.processing.pipeline import Pipeline
from ses_feedback.processing.results import BatchReport, RecordResult
from ses_feedback.settings import Settings
from tests.support.fakes import InlineExecutor

NOW = datetime(2026, 3, 3, tzinfo=UTC)
"""After every message of a campaign was handed to its queue."""
OWN_METRICS = ("receipts", *(f"set-{number}" for number in range(MAX_CONFIGURATION_SETS - 1)))
"""As many configuration sets with metrics of their own as a stack may have."""
SETTINGS = Settings("Contacts", "queue", lane="Bounce", metric_configuration_sets=OWN_METRICS)


class Watched(Pipeline):
    """A pipeline whose reports can be looked at; a handler tells of a batch no more than Lambda wants to know."""

    results: tuple[RecordResult, ...] = ()

    def process(self, event: object, until: datetime | None = None) -> BatchReport:
        """Process an event, and remember what became of its records."""
        self.results = ()
        report = super().process(event, until)
        self.results = report.results
        return report


class CurrentStdout(io.TextIOBase):
    """Whatever standard output is when something is written to it; Powertools remembers what it was at first."""

    def write(self, text: str, /) -> int:
        """Write."""
        return sys.stdout.write(text)


class FiveMinutes:
    """Lambda's context of an invocation that has SuppressionFunction's whole time left."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the function."""
        return 300_000


@dataclass
class Clock:
    """A clock that only sleeping moves on, at once, and that can be put back."""

    time: datetime = NOW

    def now(self) -> datetime:
        """Return the time."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.time += timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Seen:
    """What an invocation did: its answer or what it raised, what became of each record, and what it printed."""

    answer: object
    error: BaseException | None
    results: tuple[RecordResult, ...]
    printed: str
    seconds: float


@dataclass
class House:
    """The functions, their AWS, and a clock that only they move."""

    settings: Settings = SETTINGS
    clock: Clock = field(default_factory=Clock)
    table: Table = field(default_factory=Table)
    sqs: Sqs = field(default_factory=Sqs)
    events: Events = field(default_factory=Events)

    def __post_init__(self) -> None:
        """Put the functions together."""
        self.sesv2 = SesV2(self.clock.now)
        self.dynamodb = cast("Any", DynamoDb(self.table))  # botocore's clients have no types either
        store = ContactRepository(
            self.dynamodb,
            self.settings.table_name,
            self.settings.limits,
            history_days=self.settings.history_days,
            now=self.clock.now,
            sleep=self.clock.sleep,
            executor=InlineExecutor(),
        )
        quarantine = Quarantine(lambda: cast("Any", self.sqs), self.settings.quarantine_queue_url)
        lane = self.settings.lane
        self.pipeline = Watched(store, quarantine, now=self.clock.now, lane=lane)
        logger = Logger(service=f"{lane}Function")
        metrics = Metrics(self.settings.metric_configuration_sets)
        self._feedback = FeedbackHandler(self.pipeline, metrics, logger, self.clock.now)
        self._suppression = suppression.compose(
            self.settings, self._clients(), now=self.clock.now, sleep=self.clock.sleep
        )
        for service in (f"{lane}Function", "SuppressionFunction"):
            # Python keeps loggers, with the streams they began with, for as long as the process lasts.
            handler = getattr(logging.getLogger(service), "powertools_handler", None)
            if isinstance(handler, logging.StreamHandler):
                handler.setStream(CurrentStdout())

    def _clients(self) -> Clients:
        clients = Clients.__new__(Clients)  # no session: no client is made of one
        clients.dynamodb, clients.sqs, clients.events, clients.sesv2 = self.dynamodb, self.sqs, self.events, self.sesv2
        return clients

    def clear(self) -> None:
        """Forget what is stored, kept and published, and put the clock back."""
        self.table.clear()
        self.sqs.kept.clear()
        self.events.published.clear()
        self.sesv2.entries.clear()
        self.sesv2.calls.clear()
        self.clock.time = NOW

    def fail(self, refuses: Callable[[str], bool]) -> None:
        """Let writes of the addresses, and of the messages, fail of which `refuses` says so."""
        self.table.refuses = self.sqs.refuses = refuses

    def feedback(self, event: object) -> Seen:
        """Hand an event to the feedback function."""
        return self._invoke(self._feedback, event, self.pipeline)

    def stream(self) -> Seen:
        """Hand to SuppressionFunction what the stream tells of the table since it was last asked."""
        changed = dict(self.table.changed.items)
        self.table.changed.items.clear()
        records = [
            {"dynamodb": {"Keys": {name: item[name] for name in ("address", "record")}, "SequenceNumber": str(number)}}
            for number, item in enumerate(changed.values())
        ]
        return self._invoke(self._suppression, {"Records": records})

    def sweep(self, after: timedelta = timedelta(minutes=5)) -> Seen:
        """Let time pass and SuppressionFunction sweep."""
        self.clock.sleep(after.total_seconds())
        return self._invoke(self._suppression, {"source": "ses-feedback", "detail-type": "Sweep"})

    def _invoke(self, handler: Callable[[Any, Any], object], event: object, watched: Watched | None = None) -> Seen:
        answer: object = None
        error: BaseException | None = None
        with _listening() as heard:
            began = thread_time()
            try:
                answer = handler(event, FiveMinutes())
            except Exception as raised:  # noqa: BLE001 (whether it may raise this is the question)
                error = raised
            seconds = thread_time() - began
        return Seen(answer, error, watched.results if watched else (), heard.getvalue(), seconds)


@contextmanager
def _listening() -> Iterator[io.StringIO]:
    spoken, sys.stdout = sys.stdout, io.StringIO()
    try:
        yield sys.stdout
    finally:
        sys.stdout = spoken

"""The functions as deployed, on an in-memory AWS, and everything visible that their invocations do."""

import io
import logging
import sys
import tracemalloc
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
"""A time after every message of the campaign arrived in its queue."""
STREAMS = ("receipts", "marketing")
METRIC_CONFIGURATION_SETS = ("receipts", *(f"set-{number}" for number in range(MAX_CONFIGURATION_SETS - 1)))
"""As many configuration sets with metrics of their own as a stack may have."""
SETTINGS = Settings(
    "Contacts", "queue", lane="Bounce", metric_configuration_sets=METRIC_CONFIGURATION_SETS, streams=STREAMS
)


class RecordingPipeline(Pipeline):
    """A pipeline that keeps the results of its last batch, of which a handler returns less."""

    results: tuple[RecordResult, ...] = ()

    def process(self, event: object, until: datetime | None = None) -> BatchReport:
        """Process an event and keep the results of its records."""
        self.results = ()
        report = super().process(event, until)
        self.results = report.results
        return report


class CurrentStdout(io.TextIOBase):
    """Writes to the present `sys.stdout`, because Powertools keeps the stream it began with."""

    def write(self, text: str, /) -> int:
        """Write."""
        return sys.stdout.write(text)


class LambdaContext:
    """Lambda's context at the start of an invocation of SuppressionFunction."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the function's timeout."""
        return 300_000


@dataclass
class Clock:
    """A clock that only `sleep` advances."""

    time: datetime = NOW

    def now(self) -> datetime:
        """Return the time."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Advance the clock."""
        self.time += timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Invocation:
    """A finished invocation: the answer or the error, the results of the records, the output and the CPU seconds."""

    answer: object
    error: BaseException | None
    results: tuple[RecordResult, ...]
    output: str
    seconds: float


@dataclass
class Harness:
    """The functions and their AWS."""

    settings: Settings = SETTINGS
    clock: Clock = field(default_factory=Clock)
    table: Table = field(default_factory=Table)
    sqs: Sqs = field(default_factory=Sqs)
    events: Events = field(default_factory=Events)

    def __post_init__(self) -> None:
        """Compose the functions."""
        self.sesv2 = SesV2(self.clock.now)
        self.dynamodb = cast("Any", DynamoDb(self.table))  # botocore's clients have no types either
        self.pipeline = self._compose_pipeline()
        logger = Logger(service=f"{self.settings.lane}Function")
        metrics = Metrics(self.settings.metric_configuration_sets)
        self._feedback = FeedbackHandler(self.pipeline, metrics, logger, self.clock.now)
        self._suppression = suppression.compose(
            self.settings, self._clients(), now=self.clock.now, sleep=self.clock.sleep
        )
        _log_to_current_stdout(f"{self.settings.lane}Function", "SuppressionFunction")

    def clear(self) -> None:
        """Remove everything that is stored, quarantined and published, and reset the clock."""
        self.table.clear()
        self.sqs.kept.clear()
        self.events.published.clear()
        self.sesv2.entries.clear()
        self.sesv2.calls.clear()
        self.clock.time = NOW

    def fail_for(self, fails: Callable[[str], bool]) -> None:
        """Throttle writes of the addresses and of the quarantine messages for which `fails` returns True."""
        self.table.fails = self.sqs.fails = fails

    def feedback(self, event: object) -> Invocation:
        """Invoke the feedback function."""
        return self._invoke(self._feedback, event, self.pipeline)

    def measure_peak(self, event: object) -> int:
        """Clear everything, invoke the feedback function, and return the peak of the bytes that it allocated."""
        self.clear()
        tracemalloc.start()
        self.feedback(event)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    def stream(self) -> Invocation:
        """Invoke SuppressionFunction with the contacts written since the last call, as the table's stream does."""
        contacts = dict(self.table.pending.items)
        self.table.pending.items.clear()
        records = [
            {"dynamodb": {"Keys": {name: item[name] for name in ("address", "record")}, "SequenceNumber": str(number)}}
            for number, item in enumerate(contacts.values())
        ]
        return self._invoke(self._suppression, {"Records": records})

    def sweep(self, after: timedelta = timedelta(minutes=5)) -> Invocation:
        """Advance the clock and invoke SuppressionFunction, as its schedule does."""
        self.clock.sleep(after.total_seconds())
        return self._invoke(self._suppression, {"source": "ses-feedback", "detail-type": "Sweep"})

    def _compose_pipeline(self) -> RecordingPipeline:
        contacts = ContactRepository(
            self.dynamodb,
            self.settings.table_name,
            self.settings.limits,
            history_days=self.settings.history_days,
            now=self.clock.now,
            sleep=self.clock.sleep,
            executor=InlineExecutor(),
        )
        quarantine = Quarantine(lambda: cast("Any", self.sqs), self.settings.quarantine_queue_url)
        options, lane = self.settings.policy_options, self.settings.lane
        return RecordingPipeline(contacts, quarantine, now=self.clock.now, options=options, lane=lane)

    def _clients(self) -> Clients:
        clients = Clients.__new__(Clients)  # without a session, from which no client is created
        clients.dynamodb, clients.sqs, clients.events, clients.sesv2 = self.dynamodb, self.sqs, self.events, self.sesv2
        return clients

    def _invoke(
        self, handler: Callable[[Any, Any], object], event: object, pipeline: RecordingPipeline | None = None
    ) -> Invocation:
        answer: object = None
        error: BaseException | None = None
        with _captured_stdout() as output:
            started = thread_time()
            try:
                answer = handler(event, LambdaContext())
            except Exception as raised:  # noqa: BLE001 (the invariants decide which errors are allowed)
                error = raised
            seconds = thread_time() - started
        return Invocation(answer, error, pipeline.results if pipeline else (), output.getvalue(), seconds)


def _log_to_current_stdout(*services: str) -> None:
    """Redirect the loggers of these services, which Python keeps for the whole process with their first stream."""
    for service in services:
        handler = getattr(logging.getLogger(service), "powertools_handler", None)
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(CurrentStdout())


@contextmanager
def _captured_stdout() -> Iterator[io.StringIO]:
    original, sys.stdout = sys.stdout, io.StringIO()
    try:
        yield sys.stdout
    finally:
        sys.stdout = original

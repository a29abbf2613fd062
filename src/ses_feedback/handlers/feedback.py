"""Handler of BounceFunction, ComplaintFunction and DeliveryFunction. Each lane accepts every kind of feedback."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Protocol

from aws_lambda_powertools import Logger

from ses_feedback.aws.function_clients import FunctionClients
from ses_feedback.aws.metrics import Metrics
from ses_feedback.aws.quarantine import Quarantine
from ses_feedback.contacts.repository import ContactRepository
from ses_feedback.handlers.deadline import Context, deadline, utc_now
from ses_feedback.handlers.garbage_collection import paused_collector
from ses_feedback.processing.pipeline import Pipeline, QuarantineStore
from ses_feedback.processing.results import BatchReport, Disposition, RecordResult, safe_id
from ses_feedback.reading.envelope import Carrier
from ses_feedback.settings import Settings, access_from_environment, from_environment

RESERVE = timedelta(seconds=26)
"""Time reserved to finish the work in progress and to respond. A hanging call takes twelve seconds, and contacts are
first read, then written. If several calls hang until their last attempt, the function times out and the batch is
redelivered."""
LOGGED_DIAGNOSTICS = 20
"""Pairs of provider and status code in the log line of a batch."""
LOGGED_RECORDS = 100
"""Log lines for exceptional records of one batch. The log line of the batch counts all of them."""


class FeedbackNotStoredError(Exception):
    """Feedback could not be stored, and Lambda accepts no response per record. Lambda retries the whole event.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
    """


class Clients(Protocol):
    """Clients of a feedback function."""

    @property
    def dynamodb(self) -> Any:  # noqa: ANN401 (botocore creates the methods of its clients at run time)
        """Amazon DynamoDB."""

    @property
    def sqs(self) -> Any:  # noqa: ANN401
        """Amazon SQS."""


class Processor(Protocol):
    """A pipeline for Lambda events."""

    def process(self, event: object, until: datetime | None = None) -> BatchReport:
        """Process a Lambda event, and return the result of each record."""


class FeedbackHandler:
    """Processes Lambda events, publishes metrics, and logs one line per batch."""

    def __init__(self, pipeline: Processor, metrics: Metrics, logger: Logger, now: Callable[[], datetime]) -> None:
        """Process events with `pipeline`."""
        self._now = now
        self._pipeline = pipeline
        self._metrics = metrics
        self._logger = logger

    def __call__(self, event: object, context: Context) -> dict[str, Any]:
        """Process `event`, and return the response to Lambda (see `build_response`).

        Raises:
            FeedbackNotStoredError: A record needs a retry, and Lambda must retry the whole event.

        """
        started = self._now()
        with paused_collector():
            report = self._pipeline.process(event, deadline(context, self._now, RESERVE))
        self._metrics.emit(report.metric_counts)
        self._log(report, round((self._now() - started).total_seconds(), 3))
        return build_response(report)

    def _log(self, report: BatchReport, seconds: float) -> None:
        exceptional = [result for result in report.results if result.exceptional]
        for result in exceptional[:LOGGED_RECORDS]:
            self._logger.warning("record", extra=_log_fields(result))
        counts = {"records": len(report.results), "exceptional": len(exceptional), **report.dispositions}
        self._logger.info("batch", extra={**counts, "seconds": seconds, **_diagnostics(report)})


def compose(
    settings: Settings,
    clients: Clients,
    *,
    now: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
) -> FeedbackHandler:
    """Return the handler of a lane."""
    create_pipeline = pipeline_factory(settings, clients, now=now, sleep=sleep)
    return compose_handler(settings, create_pipeline(compose_quarantine(settings, clients)), now)


def pipeline_factory(
    settings: Settings,
    clients: Clients,
    *,
    now: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> Callable[[QuarantineStore], Pipeline]:
    """Return a function that returns a pipeline of the lane for a quarantine store."""
    store = ContactRepository(
        clients.dynamodb, settings.table_name, settings.limits, history_days=settings.history_days, now=now, sleep=sleep
    )
    return lambda quarantine: Pipeline(
        store,
        quarantine,
        now=now,
        options=settings.policy_options,
        lane=settings.lane,
        hash_key=settings.stack_id,
    )


def compose_quarantine(settings: Settings, clients: Clients) -> Quarantine:
    """Return the stack's quarantine."""
    return Quarantine(lambda: clients.sqs, settings.quarantine_queue_url)


def compose_handler(settings: Settings, processor: Processor, now: Callable[[], datetime]) -> FeedbackHandler:
    """Return the handler of a lane that processes events with `processor`."""
    logger = Logger(service=f"{settings.lane or 'Feedback'}Function")
    metrics = Metrics(settings.metric_configuration_sets, settings.stack_name, settings.lane)
    return FeedbackHandler(processor, metrics, logger, now)


def handle(event: object, context: Context) -> dict[str, Any]:
    """Handle an invocation of BounceFunction, ComplaintFunction or DeliveryFunction."""
    return _handler()(event, context)


@cache
def _handler() -> FeedbackHandler:
    return compose(from_environment(), FunctionClients(access_from_environment()))


def build_response(report: BatchReport) -> dict[str, Any]:
    """Return the response to Lambda: for SQS the records to redeliver, otherwise the number of records per disposition.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html

    Raises:
        FeedbackNotStoredError: A record that did not come from SQS, or has no message id, needs a retry.

    """
    retries = [result for result in report.results if result.disposition is Disposition.RETRY]
    if any(result.record.carrier is not Carrier.SQS or not result.record.id for result in retries):
        reasons = ", ".join(sorted({result.reason for result in retries}))
        raise FeedbackNotStoredError(
            f"{len(retries)} of {len(report.results)} records could not be stored ({reasons}); Lambda tries again"
        )
    if any(result.record.carrier is Carrier.SQS for result in report.results):
        # Several results may have the same record: a notification of a delivery file.
        identifiers = dict.fromkeys(result.record.id for result in retries)
        return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in identifiers]}
    return dict(report.dispositions)


def _diagnostics(report: BatchReport) -> dict[str, Any]:
    """Return the most frequent providers and status codes of a batch's bounces, for the log. They name no person."""
    most = report.metric_counts.diagnostics.most_common(LOGGED_DIAGNOSTICS)
    found = [{"provider": provider, "status": status, "bounces": number} for (provider, status), number in most]
    return {"diagnostics": found} if found else {}


def _log_fields(result: RecordResult) -> Mapping[str, Any]:
    if result.error_kind:
        return {"kind": result.kind, "template": result.template, "error_kind": result.error_kind}
    return {
        "record_id": safe_id(result.record.id),
        "disposition": result.disposition.value,
        "kind": result.kind,
        "reason": result.reason,
        "message_id": result.message_id,
        "contacts": list(result.contacts[:10]),
    }

"""BounceFunction, ComplaintFunction and DeliveryFunction: one code path, for any lane takes every kind of feedback."""

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
from ses_feedback.processing.pipeline import BatchReport, Disposition, Pipeline, QuarantineStore, RecordResult, safe_id
from ses_feedback.reading.envelope import Carrier
from ses_feedback.settings import Settings, access_from_environment, from_environment

RESERVE = timedelta(seconds=26)
"""Time kept back to finish what was begun, and to answer: a call that hangs takes twelve seconds (`wire.ATTEMPTS`), and
contacts are read and then written. Where it is not enough, because each call is answered at its last attempt only, the
function is ended, and the batch comes again."""
LOGGED_RECORDS = 100
"""Exceptional records logged of one batch; the batch's line counts them all."""


class FeedbackNotStoredError(Exception):
    """Feedback could not be stored now and must come again. Raised where Lambda can't be told record by record."""


class Clients(Protocol):
    """What a feedback function needs of its clients."""

    @property
    def dynamodb(self) -> Any:  # noqa: ANN401 (botocore makes its clients' methods at run time)
        """Amazon DynamoDB."""

    @property
    def sqs(self) -> Any:  # noqa: ANN401
        """Amazon SQS."""


class Processor(Protocol):
    """What takes events in."""

    def process(self, event: object, until: datetime | None = None) -> BatchReport:
        """Process a Lambda event, and say what became of each of its records."""


class FeedbackHandler:
    """Processes events and answers Lambda."""

    def __init__(self, pipeline: Processor, metrics: Metrics, logger: Logger, now: Callable[[], datetime]) -> None:
        """Process through `pipeline`."""
        self._now = now
        self._pipeline = pipeline
        self._metrics = metrics
        self._logger = logger

    def __call__(self, event: object, context: Context) -> dict[str, Any]:
        """Process `event`; for SQS, answer with the records to deliver again, else with what became of the event.

        Raises:
            FeedbackNotStoredError: something must come again and Lambda can't be told which record, so that Lambda
                retries the event as a whole.

        """
        report = self._pipeline.process(event, deadline(context, self._now, RESERVE))
        self._metrics.emit(report.metric_counts)
        self._log(report)
        return answer(report)

    def _log(self, report: BatchReport) -> None:
        exceptional = [outcome for outcome in report.results if outcome.exceptional]
        for outcome in exceptional[:LOGGED_RECORDS]:
            self._logger.warning("record", extra=_described(outcome))
        self._logger.info(
            "batch", extra={"records": len(report.results), "exceptional": len(exceptional), **report.dispositions}
        )


def compose(
    settings: Settings,
    clients: Clients,
    *,
    now: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
) -> FeedbackHandler:
    """Put the handler of a lane together."""
    pipeline = pipelines(settings, clients, now=now, sleep=sleep)
    return answering(settings, pipeline(quarantine(settings, clients)), now)


def pipelines(
    settings: Settings,
    clients: Clients,
    *,
    now: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> Callable[[QuarantineStore], Pipeline]:
    """Return what makes a lane's pipelines, given where each is to keep what can't be acted on."""
    store = ContactRepository(
        clients.dynamodb, settings.table_name, settings.limits, history_days=settings.history_days, now=now, sleep=sleep
    )
    return lambda keeper: Pipeline(store, keeper, now=now, options=settings.policy_options, lane=settings.lane)


def quarantine(settings: Settings, clients: Clients) -> Quarantine:
    """Return the stack's quarantine."""
    return Quarantine(lambda: clients.sqs, settings.quarantine_queue_url)


def answering(settings: Settings, processor: Processor, now: Callable[[], datetime]) -> FeedbackHandler:
    """Return a lane's handler that has its events processed by `processor`."""
    logger = Logger(service=f"{settings.lane or 'Feedback'}Function")
    return FeedbackHandler(processor, Metrics(settings.metric_configuration_sets), logger, now)


def handle(event: object, context: Context) -> dict[str, Any]:
    """Handle what Lambda hands to BounceFunction, ComplaintFunction or DeliveryFunction."""
    return _handler()(event, context)


@cache
def _handler() -> FeedbackHandler:
    return compose(from_environment(), FunctionClients(access_from_environment()))


def answer(report: BatchReport) -> dict[str, Any]:
    """Return what Lambda is told of `report`.

    Raises:
        FeedbackNotStoredError: as `FeedbackHandler.__call__`.

    """
    again = [outcome for outcome in report.results if outcome.disposition is Disposition.RETRY]
    if any(outcome.record.carrier is not Carrier.SQS or not outcome.record.id for outcome in again):
        reasons = ", ".join(sorted({outcome.reason for outcome in again}))
        raise FeedbackNotStoredError(
            f"{len(again)} of {len(report.results)} records could not be stored ({reasons}); Lambda tries again"
        )
    if any(outcome.record.carrier is Carrier.SQS for outcome in report.results):
        # A record that stands for many messages is named once.
        return {"batchItemFailures": [{"itemIdentifier": one} for one in dict.fromkeys(one.record.id for one in again)]}
    return dict(report.dispositions)


def _described(outcome: RecordResult) -> Mapping[str, Any]:
    if outcome.error_kind:
        return {"kind": outcome.kind, "template": outcome.template, "error_kind": outcome.error_kind}
    return {
        "record_id": safe_id(outcome.record.id),
        "disposition": outcome.disposition.value,
        "kind": outcome.kind,
        "reason": outcome.reason,
        "message_id": outcome.message_id,
        "contacts": list(outcome.contacts[:10]),
    }

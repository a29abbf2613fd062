"""Handler of SuppressionFunction: events of the table's stream, and a scheduled sweep for contacts still pending."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from ses_feedback.aws.clients import Clients
from ses_feedback.aws.events import EventPublisher
from ses_feedback.aws.function_clients import FunctionClients
from ses_feedback.aws.metric_counts import MetricCounts
from ses_feedback.aws.metrics import Metrics
from ses_feedback.contacts.record import RECORD, UNREADABLE
from ses_feedback.contacts.repository import ContactRepository
from ses_feedback.handlers.deadline import Context, deadline, utc_now
from ses_feedback.settings import Settings, access_from_environment, from_environment
from ses_feedback.suppression.account_status import HEALTHY, AccountCheck
from ses_feedback.suppression.import_jobs.job_client import ImportJobClient
from ses_feedback.suppression.import_jobs.ledger import ImportLedger
from ses_feedback.suppression.import_jobs.objects import ImportObjects
from ses_feedback.suppression.import_jobs.start import ImportStarter
from ses_feedback.suppression.list_client import SuppressionListClient
from ses_feedback.suppression.rate_limiter import RateLimiter
from ses_feedback.suppression.releases import SuspensionReleases
from ses_feedback.suppression.report import SyncReport
from ses_feedback.suppression.sync import ListSync

RESERVE = timedelta(seconds=30)
"""Time reserved to finish the call in progress, mark its contact, and respond: longer than hanging calls take."""


class SuppressionHandler:
    """Syncs changed contacts, publishes metrics, and logs one line per invocation."""

    def __init__(
        self,
        list_sync: ListSync,
        metrics: Metrics,
        logger: Logger,
        now: Callable[[], datetime],
        account: AccountCheck | None = None,
    ) -> None:
        """Sync contacts with `list_sync`; a sweep also checks `account`."""
        self._account = account
        self._sync = list_sync
        self._metrics = metrics
        self._logger = logger
        self._now = now

    def __call__(self, event: object, context: Context) -> dict[str, Any]:
        """Sync the contacts of a stream event, and return the records to redeliver. Any other event starts a sweep.

        https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
        """
        until = deadline(context, self._now, RESERVE)
        records = event.get("Records") if isinstance(event, Mapping) else None
        if not isinstance(records, list):
            return self._sweep(until)
        changed = list(_changed_contacts(records))
        report = self._sync.sync((address for address, _ in changed), until)
        self._finish("stream", report)
        failed = [number for address, number in changed if report.pending.get(address, UNREADABLE) != UNREADABLE]
        return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}

    def _sweep(self, until: datetime) -> dict[str, Any]:
        # First, and with metrics of its own: a sweep that fails must not hide that SES has paused the account.
        if self._account:
            found = MetricCounts()
            state = self._account.check(until, found)
            self._metrics.emit(found)
            if state != HEALTHY:
                self._logger.warning("account", extra={"state": state})
        return self._finish("sweep", self._sync.sweep(until))

    def _finish(self, source: str, report: SyncReport) -> dict[str, Any]:
        self._metrics.emit(report.metric_counts)
        done: dict[str, Any] = {
            "published": report.published,
            "put": report.put,
            "deleted": report.deleted,
            "imported": report.imported,
            "released": report.released,
            "still_pending": len(report.pending),
        }
        if report.pending:
            done["pending_because"] = sorted(set(report.pending.values()))
        if report.imports:
            done["imports"] = dict(report.imports)
        if report.rejected:
            # One line for all rejections: in the SES sandbox, every call is rejected.
            # https://docs.aws.amazon.com/ses/latest/dg/request-production-access.html
            self._logger.warning(
                "rejected by SES, still pending; see the runbook", extra={"codes": dict(report.rejected)}
            )
        self._logger.info(source, extra=done)
        return done


def compose(
    settings: Settings,
    clients: Clients | FunctionClients,
    *,
    now: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
) -> SuppressionHandler:
    """Return the handler."""
    table, limits = settings.table_name, settings.limits
    contacts = ContactRepository(
        clients.dynamodb, table, limits, history_days=settings.history_days, now=now, sleep=sleep
    )
    rate_limiter = RateLimiter(clients.dynamodb, table, settings.suppression_rate, now=now, sleep=sleep)
    worker = uuid.uuid4().hex
    list_sync = ListSync(
        contacts,
        SuppressionListClient(clients.sesv2),
        EventPublisher(clients.events, settings.event_bus_name),
        rate_limiter,
        limits,
        now=now,
        worker=worker,
        releases=SuspensionReleases(contacts, limits, now),
        importer=_import_starter(settings, clients, contacts, rate_limiter, now=now, worker=worker),
    )
    metrics = Metrics(settings.metric_configuration_sets, settings.stack_name)
    account = AccountCheck(clients.sesv2, rate_limiter, now)
    return SuppressionHandler(list_sync, metrics, Logger(service="SuppressionFunction"), now, account)


def _import_starter(
    settings: Settings,
    clients: Clients | FunctionClients,
    contacts: ContactRepository,
    rate_limiter: RateLimiter,
    *,
    now: Callable[[], datetime],
    worker: str,
) -> ImportStarter | None:
    """Return the starter of import jobs, or None if the stack has no bucket for them."""
    if not settings.import_bucket:
        return None
    # As many entries as calls can write in `SuppressionBacklogHours`.
    max_pending = round(settings.suppression_rate * 3600 * settings.suppression_backlog_hours)
    return ImportStarter(
        contacts,
        ImportLedger(clients.dynamodb, settings.table_name),
        ImportObjects(lambda: clients.s3, settings.import_bucket),
        ImportJobClient(clients.sesv2),
        rate_limiter=rate_limiter,
        limits=settings.limits,
        max_pending=max_pending or None,
        now=now,
        worker=worker,
    )


def handle(event: object, context: Context) -> dict[str, Any]:
    """Handle an invocation of SuppressionFunction."""
    return _handler()(event, context)


@cache
def _handler() -> SuppressionHandler:
    return compose(from_environment(), FunctionClients(access_from_environment()))


def _changed_contacts(records: list[Any]) -> Iterator[tuple[str, str]]:
    """Yield address and sequence number of each stream record of a contact. Records of its history are skipped."""
    for record in records:
        try:
            stream_record = record["dynamodb"]
            # A removed contact expired; it had deliveries only.
            # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
            removed = record.get("eventName") == "REMOVE"
            if stream_record["Keys"]["record"]["S"] == RECORD and not removed:
                yield stream_record["Keys"]["address"]["S"], stream_record["SequenceNumber"]
        except (KeyError, TypeError):
            continue  # not a record of the table's stream

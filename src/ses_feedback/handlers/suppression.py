"""SuppressionFunction: takes the table's stream, and a schedule for what the stream left undone."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from ses_feedback.aws.clients import Clients
from ses_feedback.aws.events import Announcer
from ses_feedback.aws.function_clients import FunctionClients
from ses_feedback.aws.metrics import Metrics
from ses_feedback.contacts.record import RECORD, UNREADABLE
from ses_feedback.contacts.repository import ContactStore
from ses_feedback.handlers.deadline import Context, deadline, utc_now
from ses_feedback.settings import Settings, access_from_environment, from_environment
from ses_feedback.suppression.import_jobs.ledger import ImportJobs, ImportLedger, ImportObjects
from ses_feedback.suppression.import_jobs.start import Backlog
from ses_feedback.suppression.list_client import SuppressionList
from ses_feedback.suppression.rate_limiter import Pace
from ses_feedback.suppression.report import Followed
from ses_feedback.suppression.sync import Mirror

RESERVE = timedelta(seconds=30)
"""Time kept back to finish a call under way, mark the contact, and answer: more than SES and DynamoDB may hang."""


class SuppressionHandler:
    """Follows changed contacts and answers Lambda."""

    def __init__(self, mirror: Mirror, metrics: Metrics, logger: Logger, now: Callable[[], datetime]) -> None:
        """Follow through `mirror`."""
        self._mirror = mirror
        self._metrics = metrics
        self._logger = logger
        self._now = now

    def __call__(self, event: object, context: Context) -> dict[str, Any]:
        """Follow the contacts of a stream event, or sweep; answer the stream with the records to hand out again."""
        until = deadline(context, self._now, RESERVE)
        held = event.get("Records") if isinstance(event, Mapping) else None
        if not isinstance(held, list):
            return self._finish("sweep", self._mirror.sweep(until))
        changed = list(_changed(held))
        followed = self._mirror.follow((address for address, _ in changed), until)
        self._finish("stream", followed)
        failures = [number for address, number in changed if followed.left.get(address, UNREADABLE) != UNREADABLE]
        return {"batchItemFailures": [{"itemIdentifier": number} for number in failures]}

    def _finish(self, source: str, followed: Followed) -> dict[str, Any]:
        self._metrics.emit(followed.tally)
        done: dict[str, Any] = {
            "announced": followed.announced,
            "put": followed.put,
            "deleted": followed.deleted,
            "imported": followed.imported,
            "left": len(followed.left),
        }
        if followed.left:
            done["left_because"] = sorted(set(followed.left.values()))
        if followed.imports:
            done["imports"] = dict(followed.imports)
        if followed.refused:
            # Once for all of them: in the SES sandbox every call is refused.
            self._logger.warning("refused by SES, left due; see the runbook", extra={"codes": dict(followed.refused)})
        self._logger.info(source, extra=done)
        return done


def compose(
    settings: Settings,
    clients: Clients | FunctionClients,
    *,
    now: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
) -> SuppressionHandler:
    """Put SuppressionFunction together."""
    table, limits = settings.table_name, settings.limits
    contacts = ContactStore(clients.dynamodb, table, limits, history_days=settings.history_days, now=now, sleep=sleep)
    turns = Pace(clients.dynamodb, table, settings.suppression_rate, now=now, sleep=sleep)
    worker = uuid.uuid4().hex
    mirror = Mirror(
        contacts,
        SuppressionList(clients.sesv2),
        Announcer(clients.events, settings.event_bus_name),
        turns,
        limits,
        now=now,
        worker=worker,
        backlog=_backlog(settings, clients, contacts, turns, now=now, worker=worker),
    )
    metrics = Metrics(settings.metric_configuration_sets)
    return SuppressionHandler(mirror, metrics, Logger(service="SuppressionFunction"), now)


def _backlog(
    settings: Settings,
    clients: Clients | FunctionClients,
    contacts: ContactStore,
    turns: Pace,
    *,
    now: Callable[[], datetime],
    worker: str,
) -> Backlog | None:
    """Put together who has SES import a backlog, None for a stack without a bucket to import from."""
    if not settings.import_bucket:
        return None
    most = round(settings.suppression_rate * 3600 * settings.suppression_backlog_hours)
    return Backlog(
        contacts,
        ImportLedger(clients.dynamodb, settings.table_name),
        ImportObjects(lambda: clients.s3, settings.import_bucket),
        ImportJobs(clients.sesv2),
        turns=turns,
        limits=settings.limits,
        most=most or None,
        now=now,
        worker=worker,
    )


def handle(event: object, context: Context) -> dict[str, Any]:
    """Handle what Lambda hands to SuppressionFunction."""
    return _handler()(event, context)


@cache
def _handler() -> SuppressionHandler:
    return compose(from_environment(), FunctionClients(access_from_environment()))


def _changed(held: list[Any]) -> Iterator[tuple[str, str]]:
    """Yield address and sequence number of the records that are about a contact itself, not its history."""
    for record in held:
        try:
            stream = record["dynamodb"]
            if stream["Keys"]["record"]["S"] == RECORD:
                yield stream["Keys"]["address"]["S"], stream["SequenceNumber"]
        except (KeyError, TypeError):
            continue  # no stream of the table's makes such a record; it names no contact to follow

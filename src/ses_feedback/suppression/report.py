"""Result of one run of the sync: counts for metrics and the log, and the contacts that are still pending."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ses_feedback.aws.metric_counts import MetricCounts
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.contacts.status import Limits, standing


@dataclass(slots=True)
class SyncReport:
    """Result of one run of the sync.

    `pending` has the addresses that are still pending, with the reason. `rejected` counts the error codes of rejected
    entries. `put`, `deleted` and `imported` count contacts whose entries were written, by single calls or by an import
    job. `imports` counts the import jobs by what happened to them. `released` counts ended suspensions.
    `bus_unresponsive` is True after the event bus did not answer; then the run publishes no more events.
    """

    pending: dict[str, str] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)
    metric_counts: MetricCounts = field(default_factory=MetricCounts)
    published: int = 0
    put: int = 0
    deleted: int = 0
    imported: int = 0
    released: int = 0
    imports: Counter[str] = field(default_factory=Counter)
    bus_unresponsive: bool = False

    def record_sync_lag(self, stored: ContactRecord, limits: Limits, now: datetime) -> None:
        """Record how long a contact was pending until its entries were written, by its configuration set."""
        lag = _milliseconds(now - (stored.pending_since or now))
        self.metric_counts.delay(configuration_set_of(stored, limits), "SuppressionLag", lag)

    def record_pending_lag(self, since: datetime | None, now: datetime) -> None:
        """Record how long a contact has been pending that is still pending."""
        self.metric_counts.delay("", "SuppressionLag", _milliseconds(now - (since or now)))


def configuration_set_of(stored: ContactRecord, limits: Limits) -> str:
    """Return the configuration set of the email that gave the contact its status, or an empty string."""
    evidence = standing(stored.contact, limits).evidence
    return evidence.configuration_set if evidence else ""


def _milliseconds(lag: timedelta) -> int:
    return round(lag.total_seconds() * 1000)

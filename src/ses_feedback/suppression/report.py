"""What a run of the list_sync did: counted for metrics and the log, and what is left for a later run."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ses_feedback.aws.metric_counts import MetricCounts
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.contacts.status import Limits, standing


@dataclass(slots=True)
class SyncReport:
    """What a run of the list_sync did.

    `left` are the addresses still due, and why; `refused` counts SES's codes; `put`, `deleted` and `imported` count
    contacts whose entries one call after another or an import job wrote, `imports` what became of import jobs.
    `bus_hangs` once the event bus did not answer: then nothing more is published in this run.
    """

    left: dict[str, str] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    metric_counts: MetricCounts = field(default_factory=MetricCounts)
    published: int = 0
    put: int = 0
    deleted: int = 0
    imported: int = 0
    released: int = 0
    imports: Counter[str] = field(default_factory=Counter)
    bus_hangs: bool = False

    def record_lag(self, stored: ContactRecord, limits: Limits, now: datetime) -> None:
        """Tell how long the list took to sync a contact, under its stream of mail."""
        lag = _milliseconds(now - (stored.pending_since or now))
        self.metric_counts.delay(stream_of(stored, limits), "SuppressionLag", lag)

    def waiting(self, since: datetime | None, now: datetime) -> None:
        """Tell how long something has waited that waits still."""
        self.metric_counts.delay("", "SuppressionLag", _milliseconds(now - (since or now)))


def stream_of(stored: ContactRecord, limits: Limits) -> str:
    """Return the configuration set of the mail that made the contact what it is."""
    evidence = standing(stored.contact, limits).evidence
    return evidence.configuration_set if evidence else ""


def _milliseconds(lag: timedelta) -> int:
    return round(lag.total_seconds() * 1000)

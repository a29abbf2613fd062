"""Results of processing: one per record, and the report of a batch. They contain no personal data and may be logged."""

import hmac
import re
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum

from ses_feedback.aws.metric_counts import MetricCounts
from ses_feedback.immutable import Struct
from ses_feedback.reading.envelope import Record

_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class Disposition(StrEnum):
    """The way in which processing of a record ended."""

    APPLIED = "applied"
    IGNORED = "ignored"
    QUARANTINED = "quarantined"
    RETRY = "retry"
    """The record is not acknowledged, so that its carrier delivers it again."""


class RecordResult(Struct, frozen=True):
    """The result of one record. `contacts` are hashes of addresses (`contact_hash`)."""

    record: Record
    disposition: Disposition
    kind: str = ""
    reason: str = ""
    message_id: str = ""
    contacts: tuple[str, ...] = ()
    template: str = ""
    error_kind: str = ""

    @property
    def exceptional(self) -> bool:
        """True if the record gets a log line of its own."""
        return bool(self.reason or self.error_kind)


class BatchReport(Struct, frozen=True):
    """The results of a batch, and the metrics to publish for it."""

    results: tuple[RecordResult, ...]
    metric_counts: MetricCounts

    @property
    def dispositions(self) -> Mapping[str, int]:
        """Number of records per disposition."""
        return Counter(result.disposition.value for result in self.results)


def contact_hash(address: str, key: str) -> str:
    """Return the hash that stands for the contact `address` in logs: an HMAC with the id of the stack as `key`.

    The same address has another hash in another stack. A reader of the logs alone cannot test a guessed address.
    """
    return hmac.new(key.encode(), address.encode(), "sha256").hexdigest()[:12]


def safe_id(text: str) -> str:
    """Return `text` if it has the form of an AWS id, otherwise an empty string: other text may be personal data."""
    return text if _SAFE_ID.fullmatch(text) else ""

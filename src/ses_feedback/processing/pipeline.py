"""From a Lambda event to stored contacts: open, parse, judge, fold and store, a batch at a time.

Every record ends as exactly one of applied, ignored, quarantined, or left for another try, and none changes what
becomes of another.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from ses_feedback.aws.metric_counts import MetricCounts
from ses_feedback.aws.refusals import OUT_OF_TIME
from ses_feedback.immutable import Struct
from ses_feedback.judging.facts import Fact, Judgement
from ses_feedback.judging.judge import judge
from ses_feedback.judging.policy import PolicyOptions
from ses_feedback.reading.envelope import EnvelopeError, Notice, Record, open_record, read_records
from ses_feedback.reading.ses_events import FeedbackError, parse_feedback

_DEFAULT_OPTIONS = PolicyOptions()
_LANES = frozenset({"Bounce", "Complaint"})
_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class FactStore(Protocol):
    """Where facts are stored."""

    def learn(self, facts: Iterable[Fact], until: datetime | None = None) -> Mapping[str, str]:
        """Store `facts` until then; return the addresses whose facts could not all be stored, with the reason."""


class QuarantineStore(Protocol):
    """Where messages that can't be acted on are kept."""

    def store(self, original: str, reason: str, source: str, sent_at: datetime | None = None) -> str:
        """Keep a message; return why it could not be kept, empty when it is."""


class Disposition(StrEnum):
    """What became of a record."""

    APPLIED = "applied"
    IGNORED = "ignored"
    QUARANTINED = "quarantined"
    RETRY = "retry"
    """Not acknowledged: it will come again."""


class RecordResult(Struct, frozen=True):
    """What became of one record, in words fit for logs: no address, and no text of the sender's or the recipient's."""

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
        """Whether somebody may want to know of this record by itself."""
        return bool(self.reason or self.error_kind)


class BatchReport(Struct, frozen=True):
    """What became of a batch."""

    results: tuple[RecordResult, ...]
    metric_counts: MetricCounts

    @property
    def dispositions(self) -> Mapping[str, int]:
        """How many records each disposition took."""
        return Counter(outcome.disposition.value for outcome in self.results)


@dataclass(slots=True)
class _Read:
    """A record on its way: what it was judged to be, or what is wrong with it."""

    record: Record
    judgement: Judgement | None = None
    problem: str = ""
    failures: Mapping[str, str] = field(default_factory=dict)
    late: bool = False

    @property
    def facts(self) -> tuple[Fact, ...]:
        return self.judgement.facts if self.judgement else ()


class Pipeline:
    """The one way in: feedback changes contacts, and nothing else."""

    def __init__(
        self,
        contacts: FactStore,
        quarantine: QuarantineStore,
        *,
        now: Callable[[], datetime],
        options: PolicyOptions = _DEFAULT_OPTIONS,
        lane: str = "",
    ) -> None:
        """Store in `contacts`; `lane` is the kind of feedback expected, empty for any."""
        self._contacts = contacts
        self._quarantine = quarantine
        self._now = now
        self._options = options
        self._lane = lane

    def process(self, event: object, until: datetime | None = None) -> BatchReport:
        """Process a Lambda event, whatever it holds, and say what became of each of its records.

        What is not begun by `until` is left for another try, so that an event that takes too long gets further
        with each.
        """
        return self.process_records(read_records(event), until)

    def process_records(self, taken: Iterable[Record], until: datetime | None = None) -> BatchReport:
        """Process records, as `process` does those of an event."""
        read = [self._read_in_time(record, until) for record in taken]
        self._store(read, until)
        metric_counts, now = MetricCounts(), self._now()
        return BatchReport(tuple([self._settle(one, metric_counts, now, until) for one in read]), metric_counts)

    def _read_in_time(self, record: Record, until: datetime | None) -> _Read:
        """Read and judge a record unless the deadline has passed: one expensive record must not delay all others."""
        return _Read(record, late=True) if until and self._now() >= until else self._read(record)

    def _read(self, record: Record) -> _Read:
        try:
            opened = open_record(record)
            if isinstance(opened, Notice):
                return _Read(record, judge(opened))
            judgement = judge(parse_feedback(opened.fields), opened.sent_at or self._now(), self._options)
        except EnvelopeError as error:
            return _Read(record, problem=error.reason)
        except FeedbackError as error:
            return _Read(record, problem=str(error))
        except Exception as error:  # noqa: BLE001 (the batch's edge: a bug must not hold up the other records)
            return _Read(record, problem=_bug(error))
        return _Read(record, judgement, judgement.problem)

    def _store(self, read: list[_Read], until: datetime | None) -> None:
        try:
            failed = self._contacts.learn((fact for one in read for fact in one.facts), until)
        except Exception:  # noqa: BLE001 (the batch's edge: find the record at fault by storing each by itself)
            for one in read:
                self._store_alone(one, until)
            return
        if failed:
            for one in read:
                one.failures = _failures(one, failed)

    def _store_alone(self, one: _Read, until: datetime | None) -> None:
        try:
            one.failures = _failures(one, self._contacts.learn(one.facts, until))
        except Exception as error:  # noqa: BLE001 (as above)
            one.problem = _bug(error)

    def _settle(self, one: _Read, metric_counts: MetricCounts, now: datetime, until: datetime | None) -> RecordResult:
        disposition, reason = self._disposition(one, until)
        judgement = one.judgement
        if disposition is Disposition.RETRY:
            return _outcome(one, disposition, reason)
        if disposition is Disposition.QUARANTINED:
            metric_counts.count(judgement.counted_under if judgement else "", "Quarantined")
        if judgement:
            self._count(judgement, metric_counts, now)
        return _outcome(one, disposition, reason)

    def _disposition(self, one: _Read, until: datetime | None) -> tuple[Disposition, str]:
        if one.late:
            return Disposition.RETRY, OUT_OF_TIME.code
        if one.failures:
            return Disposition.RETRY, ", ".join(sorted(set(one.failures.values())))
        if one.problem:
            return self._keep(one, until)
        if one.judgement and one.judgement.kind == "Notice":
            return Disposition.IGNORED, ""
        # A complaint or a bounce that names nobody changes nothing: somebody should know of it.
        unnamed = one.judgement and one.judgement.kind in _LANES and not one.facts
        return Disposition.APPLIED, "no-recipient" if unnamed else ""

    def _keep(self, one: _Read, until: datetime | None) -> tuple[Disposition, str]:
        if until and self._now() >= until:
            # A call that hangs would cost those the answer that are stored by now.
            return Disposition.RETRY, f"not quarantined: {OUT_OF_TIME.code}"
        try:
            original = one.record.original()
        except (RecursionError, TypeError, ValueError) as error:
            # The record came decoded and can't be written as JSON again.
            return Disposition.RETRY, f"not quarantined: {type(error).__name__}"
        refused = self._quarantine.store(original, one.problem, safe_id(one.record.id), one.record.sent_at)
        return (Disposition.RETRY, f"not quarantined: {refused}") if refused else (Disposition.QUARANTINED, one.problem)

    def _count(self, judgement: Judgement, metric_counts: MetricCounts, now: datetime) -> None:
        stream = judgement.counted_under
        for name, number in judgement.counts:
            metric_counts.count(stream, name, number)
        for one in judgement.provider_counts:
            metric_counts.by_provider[one.provider, one.name] += one.number
        lane = judgement.kind if judgement.kind in _LANES else "Delivery"
        if self._lane and judgement.kind != "Notice" and lane != self._lane:
            metric_counts.count(stream, "MisroutedFeedback")
        if judgement.at:
            metric_counts.delay(stream, "FeedbackLag", round((now - judgement.at).total_seconds() * 1000))


def contact_hash(address: str) -> str:
    """Return what stands for `address` in logs."""
    return hashlib.sha256(address.encode()).hexdigest()[:12]


def safe_id(text: str) -> str:
    """Return an id as logs and queue attributes may hold it: empty when it might be something else."""
    return text if _SAFE_ID.fullmatch(text) else ""


def _outcome(one: _Read, disposition: Disposition, reason: str) -> RecordResult:
    judgement = one.judgement
    return RecordResult(
        one.record,
        disposition,
        kind=judgement.kind if judgement else "",
        reason=reason,
        message_id=safe_id(judgement.message_id) if judgement else "",
        contacts=tuple(contact_hash(address) for address in {fact.address.key: None for fact in one.facts})
        if reason
        else (),
        template=judgement.template if judgement else "",
        error_kind=judgement.error_kind if judgement else "",
    )


def _failures(one: _Read, failed: Mapping[str, str]) -> dict[str, str]:
    return {fact.address.key: failed[fact.address.key] for fact in one.facts if fact.address.key in failed}


def _bug(error: Exception) -> str:
    return f"internal-error: {type(error).__name__}"

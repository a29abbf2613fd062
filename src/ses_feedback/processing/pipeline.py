"""Pipeline that processes a batch of records: it opens, parses and judges them, and stores their facts in contacts.

Each record gets exactly one disposition: applied, ignored, quarantined or retry. No record changes the result of
another.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ses_feedback.aws.metric_counts import MetricCounts
from ses_feedback.aws.refusals import OUT_OF_TIME
from ses_feedback.contacts.contact import enhanced_status_code
from ses_feedback.judging.facts import Fact, Judgement
from ses_feedback.judging.judge import judge
from ses_feedback.judging.policy import PolicyOptions
from ses_feedback.judging.preferences import KIND as PREFERENCE
from ses_feedback.judging.preferences import judge_preference
from ses_feedback.judging.providers import find_provider
from ses_feedback.judging.recipients import domain_of
from ses_feedback.processing.results import BatchReport, Disposition, RecordResult, contact_hash, safe_id
from ses_feedback.reading.envelope import EnvelopeError, Notice, Record, open_record, read_records
from ses_feedback.reading.preference_messages import PreferenceError, is_preference, parse_preference
from ses_feedback.reading.ses_events import FeedbackError, parse_feedback

_DEFAULT_OPTIONS = PolicyOptions()
_LANE_OF_KIND = {"Bounce": "Bounce", "Complaint": "Complaint", PREFERENCE: "Complaint"}
"""The lane of each kind of feedback; the lane of all others is that of deliveries."""
_WITH_RECIPIENT = frozenset({"Bounce", "Complaint"})
_LANES_WITH_PREFERENCES = frozenset({"Complaint", ""})
WRONG_LANE = "preference-in-wrong-lane"
"""Reason of a preference message in another lane than that of complaints."""


class FactStore(Protocol):
    """Store of facts about contacts."""

    def learn(self, facts: Iterable[Fact], until: datetime | None = None) -> Mapping[str, str]:
        """Store `facts`. Begin no new work after `until`.

        Return the addresses whose facts are not all stored, with the reason of each.
        """


class QuarantineStore(Protocol):
    """Store of messages that cannot be processed."""

    def store(self, original: str, reason: str, source: str, sent_at: datetime | None = None) -> str:
        """Store a message. Return an empty string, or the reason if it could not be stored."""


@dataclass(slots=True)
class _JudgedRecord:
    """A record with its judgement. A record that cannot be judged has a `problem`, or is `late`."""

    record: Record
    judgement: Judgement | None = None
    problem: str = ""
    failures: Mapping[str, str] | None = None
    late: bool = False

    @property
    def facts(self) -> tuple[Fact, ...]:
        return self.judgement.facts if self.judgement else ()


class Pipeline:
    """Processes records in batches. Every change of a contact by feedback is made by this class."""

    def __init__(
        self,
        contacts: FactStore,
        quarantine: QuarantineStore,
        *,
        now: Callable[[], datetime],
        options: PolicyOptions = _DEFAULT_OPTIONS,
        lane: str = "",
        hash_key: str = "",
    ) -> None:
        """Store facts in `contacts`. `lane` is the kind of feedback that is expected; empty accepts every kind.

        `hash_key` is the key of the hashes that stand for contacts in the results (`contact_hash`).
        """
        self._contacts = contacts
        self._quarantine = quarantine
        self._now = now
        self._options = options
        self._lane = lane
        self._hash_key = hash_key

    def process(self, event: object, until: datetime | None = None) -> BatchReport:
        """Process the records of a Lambda event, and return the result of each.

        A record whose work has not begun by `until` gets the disposition retry. Each retry of a large event therefore
        has fewer facts to store.
        """
        return self.process_records(read_records(event), until)

    def process_records(self, records: Iterable[Record], until: datetime | None = None) -> BatchReport:
        """Process `records`, and return the result of each. `until` has the same meaning as in `process`."""
        batch = [self._judge_in_time(record, until) for record in records]
        self._store_facts(batch, until)
        metric_counts, now = MetricCounts(), self._now()
        return BatchReport(tuple([self._finish(judged, metric_counts, now, until) for judged in batch]), metric_counts)

    def _judge_in_time(self, record: Record, until: datetime | None) -> _JudgedRecord:
        """Judge a record, unless `until` has passed. Then the facts of earlier records can still be stored."""
        return _JudgedRecord(record, late=True) if until and self._now() >= until else self._judge(record)

    def _judge(self, record: Record) -> _JudgedRecord:
        try:
            opened = open_record(record)
            if isinstance(opened, Notice):
                return _JudgedRecord(record, judge(opened))
            sent_at = opened.sent_at or self._now()
            if is_preference(opened.fields):
                judgement = self._judge_preference(opened.fields, sent_at)
            else:
                judgement = judge(parse_feedback(opened.fields), sent_at, self._options)
        except (EnvelopeError, PreferenceError) as error:
            return _JudgedRecord(record, problem=error.reason)
        except FeedbackError as error:
            return _JudgedRecord(record, problem=str(error))
        except Exception as error:  # noqa: BLE001 (a bug must not affect the other records of the batch)
            return _JudgedRecord(record, problem=internal_error(error))
        return _JudgedRecord(record, judgement, judgement.problem)

    def _judge_preference(self, fields: Mapping[str, Any], sent_at: datetime) -> Judgement:
        # Only the complaint queue has a sender beside SES. In another queue, the message is not from an application
        # that may send it.
        if self._lane not in _LANES_WITH_PREFERENCES:
            raise EnvelopeError(WRONG_LANE)
        return judge_preference(parse_preference(fields), sent_at, self._options)

    def _store_facts(self, batch: list[_JudgedRecord], until: datetime | None) -> None:
        try:
            failed = self._contacts.learn((fact for judged in batch for fact in judged.facts), until)
        except Exception:  # noqa: BLE001 (each record is stored separately, to find the one that causes the exception)
            for judged in batch:
                self._store_facts_of(judged, until)
            return
        if failed:
            for judged in batch:
                judged.failures = _failures(judged, failed)

    def _store_facts_of(self, judged: _JudgedRecord, until: datetime | None) -> None:
        try:
            judged.failures = _failures(judged, self._contacts.learn(judged.facts, until))
        except Exception as error:  # noqa: BLE001 (a bug must not affect the other records of the batch)
            judged.problem = internal_error(error)

    def _finish(
        self, judged: _JudgedRecord, metric_counts: MetricCounts, now: datetime, until: datetime | None
    ) -> RecordResult:
        disposition, reason = self._determine_disposition(judged, until)
        judgement = judged.judgement
        if disposition is Disposition.RETRY:
            metric_counts.count_retry(age_of(judged.record, now))
            return _result(judged, disposition, reason, self._hash_key)
        if disposition is Disposition.QUARANTINED:
            metric_counts.count(judgement.counted_under if judgement else "", "Quarantined")
        if judgement:
            self._count_metrics(judgement, metric_counts, now)
        return _result(judged, disposition, reason, self._hash_key)

    def _determine_disposition(self, judged: _JudgedRecord, until: datetime | None) -> tuple[Disposition, str]:
        """Return the disposition of a record and its reason. A record with a problem is sent to quarantine."""
        if judged.late:
            return Disposition.RETRY, OUT_OF_TIME.code
        if judged.failures:
            return Disposition.RETRY, ", ".join(sorted(set(judged.failures.values())))
        if judged.problem:
            return self._quarantine_record(judged, until)
        if judged.judgement and judged.judgement.kind == "Notice":
            return Disposition.IGNORED, ""
        # A bounce or complaint without a recipient changes no contact. Because of the reason, it is logged.
        without_recipient = judged.judgement and judged.judgement.kind in _WITH_RECIPIENT and not judged.facts
        return Disposition.APPLIED, "no-recipient" if without_recipient else ""

    def _quarantine_record(self, judged: _JudgedRecord, until: datetime | None) -> tuple[Disposition, str]:
        if until and self._now() >= until:
            # If the call gets no response, no time remains to acknowledge the records whose facts are stored.
            return Disposition.RETRY, f"not quarantined: {OUT_OF_TIME.code}"
        record = judged.record
        try:
            original = record.original()
        except (RecursionError, TypeError, ValueError) as error:
            # The Lambda event contained the content as decoded JSON, which cannot be encoded again.
            return Disposition.RETRY, f"not quarantined: {type(error).__name__}"
        refused = self._quarantine.store(original, judged.problem, safe_id(record.id), record.sent_at)
        if refused:
            return Disposition.RETRY, f"not quarantined: {refused}"
        return Disposition.QUARANTINED, judged.problem

    def _count_metrics(self, judgement: Judgement, metric_counts: MetricCounts, now: datetime) -> None:
        configuration_set = judgement.counted_under
        for name, number in judgement.counts:
            metric_counts.count(configuration_set, name, number)
        for counted in judgement.provider_counts:
            metric_counts.by_provider[counted.provider, counted.name] += counted.number
        lane = _LANE_OF_KIND.get(judgement.kind, "Delivery")
        if self._lane and judgement.kind != "Notice" and lane != self._lane:
            metric_counts.count(configuration_set, "MisroutedFeedback")
        if judgement.kind == "Bounce":
            for fact in judgement.facts:
                metric_counts.diagnostics[_diagnostic_of(fact)] += 1
        if judgement.at:
            metric_counts.delay(configuration_set, "FeedbackLag", round((now - judgement.at).total_seconds() * 1000))


def age_of(record: Record, now: datetime) -> int:
    """Return the milliseconds since a record was first sent to its queue, or 0 if that is unknown."""
    return max(0, round((now - record.sent_at).total_seconds() * 1000)) if record.sent_at else 0


def _diagnostic_of(fact: Fact) -> tuple[str, str]:
    """Return the mailbox provider of a bounce, and its enhanced status code or an empty string.

    The provider is that of the domain. To search the diagnostic text for others would cost a third of a bounce's CPU.
    """
    return find_provider(domain_of(fact.address)), enhanced_status_code(fact.details.status)


def _result(judged: _JudgedRecord, disposition: Disposition, reason: str, hash_key: str) -> RecordResult:
    judgement = judged.judgement
    # Only the log needs the hashes, and only of records with a reason.
    addresses = dict.fromkeys(fact.address.key for fact in judged.facts) if reason else ()
    return RecordResult(
        judged.record,
        disposition,
        kind=judgement.kind if judgement else "",
        reason=reason,
        message_id=safe_id(judgement.message_id) if judgement else "",
        contacts=tuple([contact_hash(address, hash_key) for address in addresses]),
        template=judgement.template if judgement else "",
        error_kind=judgement.error_kind if judgement else "",
    )


def _failures(judged: _JudgedRecord, failed: Mapping[str, str]) -> dict[str, str]:
    return {fact.address.key: failed[fact.address.key] for fact in judged.facts if fact.address.key in failed}


def internal_error(error: Exception) -> str:
    """Return the reason of the quarantine of a record that caused an unexpected exception."""
    return f"internal-error: {type(error).__name__}"

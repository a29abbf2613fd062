"""Feedback that comes in objects: a notification of S3's stands for every message in the object it tells of.

Each message is judged, applied or put in quarantine by itself. But only the notification can be acknowledged, so as
long as one of its messages has to come again, all of them do. Applying them again changes nothing; counting them again,
or putting them in quarantine again, would. So that is left until none has to come again.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Protocol

from ses_feedback.aws.batches import batched
from ses_feedback.aws.errors import AWS_ERRORS, error_code
from ses_feedback.aws.metric_counts import MetricCounts
from ses_feedback.aws.objects import ObjectError
from ses_feedback.aws.quarantine import too_long
from ses_feedback.aws.refusals import OUT_OF_TIME
from ses_feedback.immutable import replace
from ses_feedback.processing.pipeline import BatchReport, Disposition, Pipeline, QuarantineStore, RecordResult, safe_id
from ses_feedback.reading.envelope import Record, read_records
from ses_feedback.reading.s3_notifications import ObjectName, parse_object_names, split_messages

AT_ONCE = 1_000
"""Messages of an object that are in work at a time: what a batch of the lane's queue is otherwise."""
MOST_KEPT = 100
"""Messages of one notification that are put in quarantine by themselves. With more, the notification is instead: SES
never wrote that, and a function that runs out of time while it keeps them would keep them again."""
UNUSABLE = "unusable-lines"
"""Why a notification is in quarantine whose object holds more than `MOST_KEPT` messages to keep, or one too long to."""


class Objects(Protocol):
    """Where the objects are."""

    def read(self, one: ObjectName) -> bytes:
        """Return what is in an object; raise ObjectError or AWS_ERRORS."""


class Deliveries:
    """The one way in, for a lane that S3 notifies of objects: what tells of none goes through the pipeline as it is."""

    def __init__(
        self,
        pipeline: Callable[[QuarantineStore], Pipeline],
        quarantine: QuarantineStore,
        objects: Objects,
        now: Callable[[], datetime],
    ) -> None:
        """Process through what `pipeline` makes, given where it is to keep what can't be acted on."""
        self._pipeline = pipeline
        self._quarantine = quarantine
        self._objects = objects
        self._now = now

    def process(self, event: object, until: datetime | None = None) -> BatchReport:
        """Process a Lambda event, as `Pipeline.process`; every message of an object has an outcome of its own.

        Of an object that has to come again those outcomes alone are told that are why.
        """
        messages: list[Record] = []
        notified: list[tuple[Record, tuple[ObjectName, ...]]] = []
        for record in read_records(event):
            names = parse_object_names(record)
            if names:
                notified.append((record, names))
            else:
                messages.append(record)
        report = self._pipeline(self._quarantine).process_records(messages, until)
        results = list(report.results)
        for record, names in notified:
            told = _Notification(record)
            pipeline = self._pipeline(told.kept)
            for name in names:
                self._read(told, name, pipeline, until)
            late = until is not None and self._now() >= until
            results += told.settle(self._quarantine, report.metric_counts, late=late)
        return BatchReport(tuple(results), report.metric_counts)

    def _read(self, told: "_Notification", name: ObjectName, pipeline: Pipeline, until: datetime | None) -> None:
        """Process what is in an object, so many messages at a time, as long as it is not too late to begin."""
        try:
            for chunk in self._chunks(told.record, name):
                if until and self._now() >= until:
                    told.break_off()
                    return
                told.include(pipeline.process_records(chunk, until))
        except ObjectError as error:
            told.set_aside(error.reason)
        except AWS_ERRORS as error:
            told.again(error_code(error))
        except Exception as error:  # noqa: BLE001 (the batch's edge, as the pipeline's: a bug must not hold up the others)
            told.set_aside(f"internal-error: {type(error).__name__}")

    def _chunks(self, record: Record, name: ObjectName) -> Iterator[tuple[Record, ...]]:
        """Yield the messages of an object, as records that are acknowledged as `record` is."""
        yield ()  # to see whether there is time to read it
        messages = split_messages(self._objects.read(name))
        yield from batched((replace(record, content=message) for message in messages), AT_ONCE)


class _Notification:
    """A notification on its way: what became of its messages, and what is put off until none has to come again."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.kept = _Kept()
        self._outcomes: list[RecordResult] = []
        self._problem = ""
        self._tally = MetricCounts()

    def include(self, report: BatchReport) -> None:
        """Take in what became of some of its messages; not the messages, of which there may be tens of thousands."""
        self._outcomes += [replace(outcome, record=self.record) for outcome in report.results]
        self._tally.include(report.metric_counts)

    def again(self, reason: str) -> None:
        """Have it come again."""
        self._outcomes.append(RecordResult(self.record, Disposition.RETRY, reason=reason))

    def break_off(self) -> None:
        """Have it come again for what there was no time for, unless no try would ever come to the end of it."""
        if not self.kept.unusable:
            self.again(OUT_OF_TIME.code)

    def set_aside(self, reason: str) -> None:
        """Have the notification itself put in quarantine, for the first reason there is."""
        self._problem = self._problem or reason

    def settle(self, quarantine: QuarantineStore, metric_counts: MetricCounts, *, late: bool) -> Iterable[RecordResult]:
        """Put in quarantine and count what was put off, or tell what has to come again."""
        if self.kept.unusable:
            self.kept = _Kept()
            self.set_aside(UNUSABLE)
        again = [outcome for outcome in self._outcomes if outcome.disposition is Disposition.RETRY]
        if again:
            return again
        refused = self.kept.hand_over(quarantine, late=late) or self._hand_over(quarantine)
        if refused:
            return [RecordResult(self.record, Disposition.RETRY, reason=f"not quarantined: {refused}")]
        metric_counts.include(self._tally)
        return self._outcomes or [RecordResult(self.record, Disposition.IGNORED)]

    def _hand_over(self, quarantine: QuarantineStore) -> str:
        if not self._problem:
            return ""
        self._outcomes.append(RecordResult(self.record, Disposition.QUARANTINED, reason=self._problem))
        self._tally.count("", "Quarantined")
        return quarantine.store(self.record.original(), self._problem, safe_id(self.record.id), self.record.sent_at)


class _Kept:
    """What is to be put in quarantine, later."""

    def __init__(self) -> None:
        self._messages: list[tuple[str, str, str, datetime | None]] = []
        self.unusable = False

    def store(self, original: str, reason: str, source: str, sent_at: datetime | None = None) -> str:
        """Keep a message for later."""
        self.unusable = self.unusable or len(self._messages) >= MOST_KEPT or too_long(original)
        if not self.unusable:
            self._messages.append((original, reason, source, sent_at))
        return ""

    def hand_over(self, quarantine: QuarantineStore, *, late: bool) -> str:
        """Put everything in quarantine, unless it is `late`; return why something is not, empty when all is."""
        if self._messages and late:
            return OUT_OF_TIME.code
        for message in self._messages:
            refused = quarantine.store(*message)
            if refused:
                return refused
        return ""

"""The pipeline for delivery files: S3 objects with SES events, of which S3 notifies the delivery lane's queue.

Each event in a file is judged and applied or quarantined separately, but only the notification can be acknowledged. If
one event needs a retry, the notification is delivered again, and all events of its files are processed again. Storing
facts is idempotent. Counting metrics and quarantining are not. Both are therefore deferred until no event needs a
retry.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Protocol

from ses_feedback.aws.batches import batched
from ses_feedback.aws.errors import AWS_ERRORS, error_code
from ses_feedback.aws.metric_counts import MetricCounts
from ses_feedback.aws.objects import ObjectError
from ses_feedback.aws.quarantine import too_long
from ses_feedback.aws.refusals import OUT_OF_TIME
from ses_feedback.immutable import replace
from ses_feedback.processing.pipeline import Pipeline, QuarantineStore, age_of, internal_error
from ses_feedback.processing.results import BatchReport, Disposition, RecordResult, safe_id
from ses_feedback.reading.envelope import Record, read_records
from ses_feedback.reading.s3_notifications import ObjectName, parse_object_names, split_messages

EVENTS_PER_BATCH = 1_000
"""SES events of a file that are processed together. A batch of the lane's queue has the same size."""
MAX_QUARANTINED_EVENTS = 100
"""SES events of one notification that are quarantined separately. If there are more, the notification is quarantined
instead. SES does not write such files, and a function that times out while it stores them would store them again."""
UNUSABLE = "unusable-lines"
"""Reason of a quarantined notification whose files have too many events to quarantine, or one that is too long."""


class ObjectReader(Protocol):
    """Reader of S3 objects."""

    def read(self, name: ObjectName, /) -> bytes:
        """Return the content of an object.

        Raises:
            ObjectError: The object cannot be read, and a retry will not help.
            AWS_ERRORS: The call failed.

        """


class DeliveryFilePipeline:
    """Processes notifications of S3 objects. Other records go through the ordinary pipeline."""

    def __init__(
        self,
        create_pipeline: Callable[[QuarantineStore], Pipeline],
        quarantine: QuarantineStore,
        objects: ObjectReader,
        now: Callable[[], datetime],
    ) -> None:
        """Process events in pipelines that `create_pipeline` returns for a quarantine store."""
        self._create_pipeline = create_pipeline
        self._quarantine = quarantine
        self._objects = objects
        self._now = now

    def process(self, event: object, until: datetime | None = None) -> BatchReport:
        """Process a Lambda event as `Pipeline.process` does, with one result for each event in a file.

        If a notification needs a retry, only the results that are the cause are returned for it.
        """
        records: list[Record] = []
        notifications: list[tuple[Record, tuple[ObjectName, ...]]] = []
        for record in read_records(event):
            names = parse_object_names(record)
            if names:
                notifications.append((record, names))
            else:
                records.append(record)
        report = self._create_pipeline(self._quarantine).process_records(records, until)
        results = list(report.results)
        for record, names in notifications:
            notification = _Notification(record)
            pipeline = self._create_pipeline(notification.quarantine)
            for name in names:
                self._process_file(notification, name, pipeline, until)
            now = self._now()
            late = until is not None and now >= until
            finished = notification.finish(self._quarantine, report.metric_counts, late=late)
            if any(result.disposition is Disposition.RETRY for result in finished):
                report.metric_counts.count_retry(age_of(record, now))
            results += finished
        return BatchReport(tuple(results), report.metric_counts)

    def _process_file(
        self, notification: "_Notification", name: ObjectName, pipeline: Pipeline, until: datetime | None
    ) -> None:
        try:
            for batch in self._batches(notification.record, name):
                if until and self._now() >= until:
                    notification.stop_at_deadline()
                    return
                notification.include(pipeline.process_records(batch, until))
        except ObjectError as error:
            notification.quarantine_whole(error.reason)
        except AWS_ERRORS as error:
            notification.retry(error_code(error))
        except Exception as error:  # noqa: BLE001 (a bug must not affect the other records of the batch)
            notification.quarantine_whole(internal_error(error))

    def _batches(self, record: Record, name: ObjectName) -> Iterator[tuple[Record, ...]]:
        """Yield the events of a file as records that are acknowledged as `record` is."""
        yield ()  # so that the deadline is checked before the file is read
        events = split_messages(self._objects.read(name))
        yield from batched((replace(record, content=event) for event in events), EVENTS_PER_BATCH)


class _Notification:
    """A notification being processed: results of its events, and what is deferred until no event needs a retry."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.quarantine = _DeferredQuarantine()
        self._results: list[RecordResult] = []
        self._problem = ""
        self._metric_counts = MetricCounts()

    def include(self, report: BatchReport) -> None:
        """Add the results of some events, without the events: there may be tens of thousands."""
        self._results += [replace(result, record=self.record) for result in report.results]
        self._metric_counts.include(report.metric_counts)

    def retry(self, reason: str) -> None:
        """Have the notification delivered again."""
        self._results.append(RecordResult(self.record, Disposition.RETRY, reason=reason))

    def stop_at_deadline(self) -> None:
        """Have the notification delivered again for the events that are left.

        If the notification will be quarantined anyway, no retry is necessary.
        """
        if not self.quarantine.unusable:
            self.retry(OUT_OF_TIME.code)

    def quarantine_whole(self, reason: str) -> None:
        """Have the notification itself quarantined. The first reason is kept."""
        self._problem = self._problem or reason

    def finish(self, quarantine: QuarantineStore, metric_counts: MetricCounts, *, late: bool) -> list[RecordResult]:
        """Quarantine and count what was deferred, and return all results. If a retry is needed, return its causes."""
        if self.quarantine.unusable:
            self.quarantine = _DeferredQuarantine()
            self.quarantine_whole(UNUSABLE)
        retries = [result for result in self._results if result.disposition is Disposition.RETRY]
        if retries:
            return retries
        refused = self.quarantine.release(quarantine, late=late) or self._quarantine_record(quarantine)
        if refused:
            return [RecordResult(self.record, Disposition.RETRY, reason=f"not quarantined: {refused}")]
        metric_counts.include(self._metric_counts)
        return self._results or [RecordResult(self.record, Disposition.IGNORED)]

    def _quarantine_record(self, quarantine: QuarantineStore) -> str:
        if not self._problem:
            return ""
        self._results.append(RecordResult(self.record, Disposition.QUARANTINED, reason=self._problem))
        self._metric_counts.count("", "Quarantined")
        return quarantine.store(self.record.original(), self._problem, safe_id(self.record.id), self.record.sent_at)


class _DeferredQuarantine:
    """Messages to quarantine later. `unusable` is True if there are too many, or one is too long."""

    def __init__(self) -> None:
        self._messages: list[tuple[str, str, str, datetime | None]] = []
        self.unusable = False

    def store(self, original: str, reason: str, source: str, sent_at: datetime | None = None) -> str:
        """Keep a message for `release`."""
        self.unusable = self.unusable or len(self._messages) >= MAX_QUARANTINED_EVENTS or too_long(original)
        if not self.unusable:
            self._messages.append((original, reason, source, sent_at))
        return ""

    def release(self, quarantine: QuarantineStore, *, late: bool) -> str:
        """Store the messages in `quarantine`. Return an empty string, or the reason if one could not be stored.

        If it is `late`, no call is made.
        """
        if self._messages and late:
            return OUT_OF_TIME.code
        for message in self._messages:
            refused = quarantine.store(*message)
            if refused:
                return refused
        return ""

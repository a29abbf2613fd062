"""Import jobs of the suppression list: bulk additions and deletions that SES applies some time after the call.

Documented are the calls, the two formats, the limits and the states
(https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html and
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetImportJob.html). These points are assumptions:

- Entries are written in random order between the start and the end of the job.
- The object is read when the job starts. If it cannot be read, the job fails.
- If the object has too many records, the job fails, not the call.
- A record that SES refuses counts as failed; the others are written.
- Deleting an address that is not listed is not a failure.
- The duration of a job is configurable, because SES does not document it.
"""

import csv
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from io import StringIO
from typing import NamedTuple

MAX_RECORDS = {"PUT": 100_000, "DELETE": 10_000}
"""The maximum number of records in an object, by action.

https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html
"""
MAX_UNFINISHED_JOBS = 20
"""The maximum number of unfinished jobs: https://docs.aws.amazon.com/ses/latest/dg/quotas.html."""


class JobStatus(StrEnum):
    """The state of a job, as SES names it."""

    CREATED = "CREATED"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class Record(NamedTuple):
    """One record of the object of a job. `reason` is empty if the address is to be deleted."""

    email_address: str
    reason: str


@dataclass(slots=True)
class ImportJob:
    """A job and its progress. `pending` are the unwritten records with their times, the next one last."""

    job_id: str
    action: str
    s3_url: str
    data_format: str
    created: datetime
    starts: datetime
    ends: datetime
    status: JobStatus = JobStatus.CREATED
    processed: int = 0
    failed: int = 0
    error: str = ""
    pending: list[tuple[datetime, Record]] = field(default_factory=list)

    @property
    def is_finished(self) -> bool:
        """True if the job has completed or failed."""
        return self.status in {JobStatus.COMPLETED, JobStatus.FAILED}


class ImportJobs:
    """The import jobs of one account. They progress only when `advance` is called. A new job takes `duration`."""

    def __init__(self, read_object: Callable[[str], bytes], duration: timedelta) -> None:
        """Read objects with `read_object`, which takes an `s3://` URL."""
        self._read_object = read_object
        self.duration = duration
        self._jobs: dict[str, ImportJob] = {}
        self._random = random.Random(0)  # noqa: S311 (repeatable order, not secrecy)

    def create(self, action: str, s3_url: str, data_format: str, now: datetime) -> ImportJob:
        """Create a job. It starts after a quarter of its duration."""
        job_id = f"00000000-0000-4000-8000-{len(self._jobs):012d}"
        starts, ends = now + self.duration / 4, now + self.duration
        self._jobs[job_id] = job = ImportJob(job_id, action, s3_url, data_format, now, starts, ends)
        return job

    def get(self, job_id: str) -> ImportJob | None:
        """Return the job with this id, or None if there is none."""
        return self._jobs.get(job_id)

    def all(self) -> list[ImportJob]:
        """Return every job, oldest first."""
        return list(self._jobs.values())

    def count_unfinished(self) -> int:
        """Return the number of jobs that have neither completed nor failed."""
        return sum(not job.is_finished for job in self._jobs.values())

    def advance(self, now: datetime, apply_record: Callable[[str, Record, datetime], bool]) -> None:
        """Advance every job to `now`. `apply_record` writes a record and returns False if SES refuses it."""
        for job in self._jobs.values():
            if job.status is JobStatus.CREATED and job.starts <= now:
                self._start(job)
            if job.status is JobStatus.PROCESSING:
                _process(job, now, apply_record)

    def _start(self, job: ImportJob) -> None:
        try:
            records = list(_parse_records(self._read_object(job.s3_url).decode(), job.data_format))
        except (OSError, ValueError) as error:
            job.status, job.error = JobStatus.FAILED, f"The object could not be read ({type(error).__name__})."
            return
        if len(records) > MAX_RECORDS[job.action]:
            job.status, job.error = JobStatus.FAILED, "The object holds too many records."
            return
        span = (job.ends - job.starts).total_seconds()
        times = [job.starts + timedelta(seconds=self._random.uniform(0, span)) for _ in records]
        job.pending = sorted(zip(times, records, strict=True), reverse=True)
        job.status = JobStatus.PROCESSING


def _process(job: ImportJob, now: datetime, apply_record: Callable[[str, Record, datetime], bool]) -> None:
    while job.pending and job.pending[-1][0] <= now:
        at, record = job.pending.pop()
        job.processed += 1
        job.failed += not apply_record(job.action, record, at)
    if job.ends <= now:
        job.status = JobStatus.COMPLETED


def _parse_records(text: str, data_format: str) -> Iterator[Record]:
    """Yield the records of an object. A record without an address has an empty one, so SES refuses it.

    Raises:
        ValueError: the text is not newline-delimited JSON.
    """
    if data_format == "CSV":
        for row in csv.reader(StringIO(text)):
            yield Record(row[0].strip() if row else "", row[1].strip() if len(row) > 1 else "")
        return
    for line in text.splitlines():
        parsed = json.loads(line)
        fields = parsed if isinstance(parsed, dict) else {}
        yield Record(str(fields.get("emailAddress", "")), str(fields.get("reason", "")))

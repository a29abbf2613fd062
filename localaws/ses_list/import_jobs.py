"""Import jobs of the SES suppression list: bulk additions and deletions, carried out some time after they are asked.

SES documents the calls, the limits, the two formats and the names of the states (API v2 reference; developer guide,
"Using the account-level suppression list"). Guessed: that entries are written in no order between the job's start and
its end; that the object is read when the job starts, and the job fails when it can't be; that an object of too many
records makes the job fail, and not the call; that a record SES refuses counts as failed while the others are written;
and that deleting an address that is not listed is no failure. How long a job takes, SES does not say.
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

MOST_RECORDS = {"PUT": 100_000, "DELETE": 10_000}
MOST_JOBS = 20
"""Jobs that may be unfinished at once."""


class JobStatus(StrEnum):
    """How far a job is, in SES's words."""

    CREATED = "CREATED"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class Record(NamedTuple):
    """A line of a job's object; `reason` is empty in a deletion."""

    email_address: str
    reason: str


@dataclass(slots=True)
class ImportJob:
    """A job, and how far it is; `left` are the records not yet written, the next last, and when each is."""

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
    left: list[tuple[datetime, Record]] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Whether the job is finished, one way or the other."""
        return self.status in {JobStatus.COMPLETED, JobStatus.FAILED}


class ImportJobs:
    """The jobs of one account. Time passes for them only when somebody looks (`advance`)."""

    def __init__(self, read_object: Callable[[str], bytes], take: timedelta) -> None:
        """Read objects through `read_object`, which takes `s3://…` and raises OSError; each job takes so long."""
        self._read_object = read_object
        self._take = take
        self._jobs: dict[str, ImportJob] = {}
        self._chance = random.Random(0)  # noqa: S311 (repeatable chance, not secrecy)

    def create(self, action: str, s3_url: str, data_format: str, now: datetime) -> ImportJob:
        """Accept a job."""
        job_id = f"00000000-0000-4000-8000-{len(self._jobs):012d}"
        starts, ends = now + self._take / 4, now + self._take
        self._jobs[job_id] = job = ImportJob(job_id, action, s3_url, data_format, now, starts, ends)
        return job

    def get(self, job_id: str) -> ImportJob | None:
        """Return a job."""
        return self._jobs.get(job_id)

    def unfinished(self) -> int:
        """Return how many jobs are not over."""
        return sum(not job.is_over for job in self._jobs.values())

    def advance(self, now: datetime, write: Callable[[str, Record, datetime], bool]) -> None:
        """Let the jobs do what they do until `now`; `write` carries a record out, and says whether SES took it."""
        for job in self._jobs.values():
            if job.status is JobStatus.CREATED and job.starts <= now:
                self._start(job)
            if job.status is JobStatus.PROCESSING:
                _process(job, now, write)

    def _start(self, job: ImportJob) -> None:
        try:
            records = list(_records(self._read_object(job.s3_url).decode(), job.data_format))
        except (OSError, ValueError) as error:
            job.status, job.error = JobStatus.FAILED, f"The object could not be read ({type(error).__name__})."
            return
        if len(records) > MOST_RECORDS[job.action]:
            job.status, job.error = JobStatus.FAILED, "The object holds too many records."
            return
        span = (job.ends - job.starts).total_seconds()
        moments = [job.starts + timedelta(seconds=self._chance.uniform(0, span)) for _ in records]
        job.left = sorted(zip(moments, records, strict=True), reverse=True)
        job.status = JobStatus.PROCESSING


def _process(job: ImportJob, now: datetime, write: Callable[[str, Record, datetime], bool]) -> None:
    while job.left and job.left[-1][0] <= now:
        moment, record = job.left.pop()
        job.processed += 1
        job.failed += not write(job.action, record, moment)
    if job.ends <= now:
        job.status = JobStatus.COMPLETED


def _records(text: str, data_format: str) -> Iterator[Record]:
    """Yield the records of an object; one that is none is one that SES refuses.

    Raises:
        ValueError: this is not newline-delimited JSON.

    """
    if data_format == "CSV":
        for row in csv.reader(StringIO(text)):
            yield Record(row[0].strip() if row else "", row[1].strip() if len(row) > 1 else "")
        return
    for line in text.splitlines():
        entry = json.loads(line)
        known = entry if isinstance(entry, dict) else {}
        yield Record(str(known.get("emailAddress", "")), str(known.get("reason", "")))

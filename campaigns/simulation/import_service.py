"""SES import jobs and the S3 bucket that they read: a job begins later, and writes entry by entry, or fails."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from campaigns.simulation.aws_services import SesV2Client, SuppressionEntries
from campaigns.simulation.fault_injector import Answer, FaultInjector
from campaigns.simulation.scheduler import SECOND
from tests.support.dynamodb_table import refused

_START_DELAYS = (1, 20, 200, 400, 2_000, 12_000, 90_000)
"""Seconds until SES begins a job: shorter and longer than the leases of its contacts."""
_ENTRY_DELAYS = (0, 0, 5, 200)
"""Seconds between two entries."""


class S3Client:
    """A client of the bucket."""

    def __init__(self, objects: dict[str, bytes], injector: FaultInjector) -> None:
        """Store `objects` by key."""
        self._objects = objects
        self._injector = injector

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> Answer:  # noqa: N803, ARG002 (names of botocore)
        """Write an object."""

        def effect() -> Answer:
            self._objects[Key] = Body
            return {"ETag": '"made-up"'}

        return self._injector.call("put_object", f"{Key}: {Body.count(b'emailAddress')} entries", effect)

    def get_object(self, *, Bucket: str, Key: str) -> Answer:  # noqa: N803, ARG002
        """Read an object. If it is missing, the error is AccessDenied, because the role may not list the bucket.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        """

        def effect() -> Answer:
            if Key not in self._objects:
                raise refused("GetObject", "AccessDenied")
            return {"Body": BytesIO(self._objects[Key])}

        return self._injector.call("get_object", Key, effect)

    def delete_object(self, *, Bucket: str, Key: str) -> Answer:  # noqa: N803, ARG002
        """Delete an object."""

        def effect() -> Answer:
            self._objects.pop(Key, None)
            return {}

        return self._injector.call("delete_object", Key, effect)


@dataclass(slots=True)
class _Job:
    """A job: its object and action, and the state that GetImportJob returns."""

    url: str
    action: str
    status: str = "CREATED"
    processed: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class JobPlan:
    """The course of a job, decoded from a number: times in microseconds, and which entries it writes."""

    start_delay: int
    entry_delay: int
    reads_late: bool
    outcome: int
    """0 and 1: all entries; 2: all but one; 3: fails after some entries."""
    position: int

    @classmethod
    def decode(cls, number: int) -> "JobPlan":
        """Return the plan of this number."""
        number, start = divmod(number, len(_START_DELAYS))
        number, entry = divmod(number, len(_ENTRY_DELAYS))
        number, late = divmod(number, 2)
        position, outcome = divmod(number, 4)
        return cls(_START_DELAYS[start] * SECOND, _ENTRY_DELAYS[entry] * SECOND, bool(late), outcome, position)

    def encode(self) -> int:
        """Return a number from which `decode` returns this plan."""
        number = (4 * self.position + self.outcome) * 2 + self.reads_late
        number = number * len(_ENTRY_DELAYS) + _ENTRY_DELAYS.index(self.entry_delay // SECOND)
        return number * len(_START_DELAYS) + _START_DELAYS.index(self.start_delay // SECOND)


class ImportService:
    """The import jobs of an account. `plans` are numbers that determine the course of each job in turn.

    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_CreateImportJob.html
    """

    def __init__(
        self,
        suppressed: SuppressionEntries,
        objects: Mapping[str, bytes],
        plans: Sequence[int],
        injector: FaultInjector,
    ) -> None:
        """Import `objects` into `suppressed`."""
        self.jobs: dict[str, _Job] = {}
        self._suppressed = suppressed
        self._objects = objects
        self._plans = iter(plans)
        self._injector = injector

    def create_job(self, url: str, action: str) -> str:
        """Create a job and return its id."""
        plan = JobPlan.decode(next(self._plans, 0))
        job_id = f"job-{len(self.jobs) + 1}"
        job = self.jobs[job_id] = _Job(url, action)
        at = self._injector.scheduler.clock + plan.start_delay
        # SES does not document when it reads the object, so it may be gone by then.
        body = None if plan.reads_late else self._read(url)
        self._injector.add_late_effect(at, f"{url} begins", lambda: self._run(job, body, at, plan))
        return job_id

    def _read(self, url: str) -> bytes | None:
        return self._objects.get(url.removeprefix("s3://bucket/"))

    def _run(self, job: _Job, body: bytes | None, at: int, plan: JobPlan) -> Answer:
        if body is None:
            body = self._read(job.url)
        entries = [json.loads(line) for line in (body or b"").decode().splitlines()]
        complete = plan.outcome < 2 and body is not None
        omitted = plan.position % len(entries) if entries else 0
        job.status = "PROCESSING"
        for number, entry in enumerate(entries):
            if complete or number < omitted or (plan.outcome == 2 and number > omitted):
                about = f"{job.url} {entry['emailAddress']} {entry.get('reason', '')}"
                effect = self._entry_effect(job, entry)
                self._injector.add_late_effect(at + number * plan.entry_delay, about, effect)
            else:
                job.failed += 1
        ends = at + len(entries) * plan.entry_delay
        status = "COMPLETED" if complete or plan.outcome == 2 else "FAILED"
        self._injector.add_late_effect(ends, f"{job.url} {status}", lambda: self._end(job, status))
        return {}

    def _entry_effect(self, job: _Job, entry: Mapping[str, str]) -> Callable[[], Answer]:
        def effect() -> Answer:
            job.processed += 1
            if job.action == "PUT":
                self._suppressed.put(entry["emailAddress"], entry["reason"])
            else:
                self._suppressed.delete(entry["emailAddress"])
            return {}

        return effect

    def _end(self, job: _Job, status: str) -> Answer:
        job.status = status
        return {}


class ImportingSesV2Client(SesV2Client):
    """A client of the suppression list and of import jobs."""

    def __init__(
        self,
        suppressed: SuppressionEntries,
        injector: FaultInjector,
        check_call: Callable[[], None],
        service: ImportService,
    ) -> None:
        """Create jobs in `service`."""
        super().__init__(suppressed, injector, check_call)
        self._service = service

    def create_import_job(
        self,
        *,
        ImportDestination: Mapping[str, Any],  # noqa: N803
        ImportDataSource: Mapping[str, str],  # noqa: N803
    ) -> Answer:
        """Create a job."""
        action = ImportDestination["SuppressionListDestination"]["SuppressionListImportAction"]
        url = ImportDataSource["S3Url"]

        def effect() -> Answer:
            return {"JobId": self._service.create_job(url, action)}

        self._check_call()
        return self._injector.call("create_import_job", f"{url} {action}", effect)

    def get_import_job(self, *, JobId: str) -> Answer:  # noqa: N803
        """Return the state of a job."""

        def effect() -> Answer:
            if JobId not in self._service.jobs:
                raise refused("GetImportJob", "NotFoundException")
            job = self._service.jobs[JobId]
            counts = {"ProcessedRecordsCount": job.processed, "FailedRecordsCount": job.failed}
            return {"JobStatus": job.status, **(counts if job.status not in {"CREATED", "PROCESSING"} else {})}

        self._check_call()
        return self._injector.call("get_import_job", JobId, effect)

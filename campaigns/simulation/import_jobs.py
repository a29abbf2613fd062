"""Import jobs of SES's, and the bucket they import from: carried out some time later, entry by entry, or not at all."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from campaigns.simulation.aws_services import SesList, SesV2
from campaigns.simulation.call_faults import Answer, Wires
from campaigns.simulation.fault_kinds import refused
from campaigns.simulation.scheduler import SECOND

_BEGINS = (1, 20, 200, 400, 2_000, 12_000, 90_000)
"""Seconds until SES begins a job: as long as HOLD, too, and longer."""
_BETWEEN = (0, 0, 5, 200)
"""Seconds between two entries."""


@dataclass(slots=True)
class _Job:
    """A job as SES tells of it."""

    status: str = "CREATED"
    processed: int = 0
    failed: int = 0


class Bucket:
    """A client of the bucket."""

    def __init__(self, objects: dict[str, bytes], wires: Wires) -> None:
        """Call over `wires`."""
        self._objects = objects
        self._wires = wires

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> Answer:  # noqa: N803, ARG002 (botocore's own names)
        """Write an object."""

        def effect() -> Answer:
            self._objects[Key] = Body
            return {"ETag": '"made-up"'}

        return self._wires.call("put_object", f"{Key}: {Body.count(b'emailAddress')} entries", effect)

    def get_object(self, *, Bucket: str, Key: str) -> Answer:  # noqa: N803, ARG002
        """Read an object; of one that is gone, nothing is told but that it may not be read."""

        def effect() -> Answer:
            if Key not in self._objects:
                raise refused("GetObject", "AccessDenied")
            return {"Body": BytesIO(self._objects[Key])}

        return self._wires.call("get_object", Key, effect)

    def delete_object(self, *, Bucket: str, Key: str) -> Answer:  # noqa: N803, ARG002
        """Delete an object."""

        def effect() -> Answer:
            self._objects.pop(Key, None)
            return {}

        return self._wires.call("delete_object", Key, effect)


class Jobs:
    """The jobs of an account. `plans` are numbers that say how each goes, one after another."""

    def __init__(self, held: SesList, objects: Mapping[str, bytes], plans: Sequence[int], wires: Wires) -> None:
        """Import into `held`."""
        self.jobs: dict[str, _Job] = {}
        self._list = held
        self._objects = objects
        self._plans = iter(plans)
        self._wires = wires

    def begin(self, url: str, action: str) -> str:
        """Begin a job; return its id."""
        plan = next(self._plans, 0)
        plan, begins = divmod(plan, len(_BEGINS))
        plan, between = divmod(plan, len(_BETWEEN))
        job = self.jobs[f"job-{len(self.jobs) + 1}"] = _Job()
        at = self._wires.stage.clock + _BEGINS[begins] * SECOND
        gap = _BETWEEN[between] * SECOND
        plan, late = divmod(plan, 2)
        read = None if late else self._object(url)  # SES does not say when it reads the object
        self._wires.later(at, f"{url} begins", lambda: self._carry_out(job, (url, action), read, (at, gap, plan)))
        return f"job-{len(self.jobs)}"

    def _object(self, url: str) -> bytes | None:
        return self._objects.get(url.removeprefix("s3://bucket/"))

    def _carry_out(self, job: _Job, what: tuple[str, str], read: bytes | None, plan: tuple[int, int, int]) -> Answer:
        (url, action), (at, gap, how) = what, plan
        body = read if read is not None else self._object(url)
        entries = [json.loads(line) for line in (body or b"").decode().splitlines()]
        # Most do all; some give up in the middle, some leave out an entry, and say so.
        whole = how % 4 < 2 and body is not None
        left_out = how // 4 % len(entries) if entries else 0
        job.status = "PROCESSING"
        for number, entry in enumerate(entries):
            if whole or number < left_out or (how % 4 == 2 and number > left_out):
                effect = self._entry(job, entry, action)
                self._wires.later(at + number * gap, f"{url} {entry['emailAddress']} {entry.get('reason', '')}", effect)
            else:
                job.failed += 1
        over = at + len(entries) * gap
        status = "COMPLETED" if whole or how % 4 == 2 else "FAILED"
        self._wires.later(over, f"{url} {status}", lambda: self._end(job, status))
        return {}

    def _entry(self, job: _Job, entry: Mapping[str, str], action: str) -> Callable[[], Answer]:
        def effect() -> Answer:
            job.processed += 1
            self._list.written.add(entry["emailAddress"].lower())
            if action == "PUT":
                self._list.entries[entry["emailAddress"]] = entry["reason"]
            else:
                self._list.entries.pop(entry["emailAddress"], None)
            return {}

        return effect

    def _end(self, job: _Job, status: str) -> Answer:
        job.status = status
        return {}


class ImportingSesV2(SesV2):
    """A client of the suppression list that has jobs, too."""

    def __init__(self, held: SesList, wires: Wires, called: Callable[[], None], jobs: Jobs) -> None:
        """Call over `wires`."""
        super().__init__(held, wires, called)
        self._jobs = jobs

    def create_import_job(
        self,
        *,
        ImportDestination: Mapping[str, Any],  # noqa: N803
        ImportDataSource: Mapping[str, str],  # noqa: N803
    ) -> Answer:
        """Begin a job."""
        action = ImportDestination["SuppressionListDestination"]["SuppressionListImportAction"]
        url = ImportDataSource["S3Url"]

        def effect() -> Answer:
            return {"JobId": self._jobs.begin(url, action)}

        self._called()
        return self._wires.call("create_import_job", f"{url} {action}", effect)

    def get_import_job(self, *, JobId: str) -> Answer:  # noqa: N803
        """Tell how far a job is."""

        def effect() -> Answer:
            if JobId not in self._jobs.jobs:
                raise refused("GetImportJob", "NotFoundException")
            job = self._jobs.jobs[JobId]
            counts = {"ProcessedRecordsCount": job.processed, "FailedRecordsCount": job.failed}
            return {"JobStatus": job.status, **(counts if job.status not in {"CREATED", "PROCESSING"} else {})}

        self._called()
        return self._wires.call("get_import_job", JobId, effect)

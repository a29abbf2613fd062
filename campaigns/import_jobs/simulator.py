"""The simulator's world, in which SES imports what waits: objects, jobs that write entries when they please, sweeps.

What breaks is what breaks in the simulator. A job's calls suffer what calls of the suppression list suffer, those of S3
and of the ledger what reading the rate_limiter does.
"""

import json
import random
from dataclasses import replace
from functools import cache
from io import BytesIO
from typing import Any, cast

from botocore.exceptions import ClientError

from campaigns.simulation.aws_services import EventBridgeClient, SesV2Client, SuppressionEntries
from campaigns.simulation.case import Case
from campaigns.simulation.case_generator import generate_case
from campaigns.simulation.dynamodb_client import DynamoDb
from campaigns.simulation.invariants import InvariantChecker
from campaigns.simulation.lanes import Handler
from campaigns.simulation.messages import START
from campaigns.simulation.scheduler import SECOND
from campaigns.simulation.simulator import Simulation
from campaigns.simulation.stream_workers import StreamPoller, Sweeper
from ses_feedback.aws.events import EventPublisher
from ses_feedback.handlers.suppression import SuppressionHandler
from ses_feedback.suppression.import_jobs.job_client import ImportJobClient
from ses_feedback.suppression.import_jobs.ledger import ImportLedger
from ses_feedback.suppression.import_jobs.model import KEY, ImportJob, Stage, decode
from ses_feedback.suppression.import_jobs.objects import ImportObjects
from ses_feedback.suppression.import_jobs.settle import JOB_LIFETIME
from ses_feedback.suppression.import_jobs.start import ImportStarter
from ses_feedback.suppression.list_client import SuppressionListClient
from ses_feedback.suppression.rate_limiter import RateLimiter
from ses_feedback.suppression.sync import ListSync
from ses_feedback.timestamps import format_timestamp
from tests.support.dynamodb_table import Item

_HOUR = 3600 * SECOND
_EVERY = 300 * SECOND
_PATIENCE = 60_000
_LEDGER = KEY["address"]["S"], KEY["record"]["S"]
DELAYS = (20 * SECOND, 20 * SECOND, 200 * SECOND, 1200 * SECOND, 5 * _HOUR, 30 * _HOUR)
"""How long after it was asked SES begins a job, and then how long that takes."""
FATES = ("COMPLETED",) * 6 + ("FAILED", "FAILED HALFWAY", "ONE RECORD", "UNHEARD OF")
"""What becomes of a job. One that SES says it never heard of is carried out all the same."""


class Job:
    """An import job of SES's."""

    def __init__(self, url: str, action: str, now: int, chance: random.Random) -> None:
        """Begin later, take some time, and end as chance has it."""
        self.url = url
        self.action = action
        self.fate = chance.choice(FATES)
        self.starts = now + chance.choice(DELAYS)
        self.ends = self.starts + chance.choice(DELAYS)
        self.left: list[tuple[int, dict[str, str]]] = []
        self.status = "CREATED"
        self.failed = self.processed = 0

    def load(self, text: str, chance: random.Random) -> None:
        """Take the records of the object; they are written in no order."""
        records = [json.loads(line) for line in text.splitlines()]
        spared = {"FAILED": len(records), "FAILED HALFWAY": len(records) // 2, "ONE RECORD": 1}.get(self.fate, 0)
        chance.shuffle(records)
        self.processed, self.failed = len(records), spared
        self.left = [(chance.randrange(self.starts, self.ends + 1), record) for record in records[spared:]]
        self.left.sort(key=lambda one: one[0], reverse=True)
        self.status = "PROCESSING"


class Importer:
    """SES, as it carries jobs out."""

    def __init__(self, held: SuppressionEntries, objects: dict[str, bytes], seed: int) -> None:
        """Write into `held` what is in `objects`."""
        self.jobs: list[Job] = []
        self.chance = random.Random(seed)  # noqa: S311 (repeatable chance, not secrecy)
        self._held = held
        self._objects = objects

    def due(self) -> int | None:
        """Return when something happens next."""
        return min((self._next(job) for job in self.jobs if job.status in {"CREATED", "PROCESSING"}), default=None)

    def _next(self, job: Job) -> int:
        if job.status == "CREATED":
            return job.starts
        return job.left[-1][0] if job.left else job.ends

    def perform(self) -> None:
        """Let it happen."""
        at = self.due()
        for job in self.jobs:
            if job.status not in {"CREATED", "PROCESSING"} or self._next(job) != at:
                continue
            if job.status == "CREATED":
                text = self._objects.get(job.url.partition("s3://bucket/")[2])
                job.load((text or b"").decode(), self.chance)
            elif job.left:
                self._write(job.action, job.left.pop()[1])
            else:
                job.status = "FAILED" if job.fate.startswith("FAILED") else "COMPLETED"

    def state(self) -> object:
        """Return what decides how it goes on."""
        return [(job.status, job.left) for job in self.jobs]

    def _write(self, action: str, record: dict[str, str]) -> None:
        address = record["emailAddress"]
        self._held.written.add(address.lower())
        if action == "PUT":
            self._held.entries[address] = record["reason"]
        else:
            self._held.entries.pop(address, None)


class ImportingSes(SesV2Client):
    """A client of SES with import jobs."""

    world: "BacklogWorld"

    def create_import_job(self, *, ImportDestination: Any, ImportDataSource: Any) -> dict[str, Any]:  # noqa: ANN401, N803
        """Begin a job."""
        action = ImportDestination["SuppressionListDestination"]["SuppressionListImportAction"]
        url, importer = ImportDataSource["S3Url"], self.world.importer

        @cache  # what a repeated call would begin: this client's calls are never repeated
        def effect() -> dict[str, Any]:
            importer.jobs.append(Job(url, action, self.world.scheduler.clock, importer.chance))
            return {"JobId": str(len(importer.jobs) - 1)}

        self._check_call()
        return self._injector.call("put_suppressed_destination", f"import job of {action} {url}", effect)

    def get_import_job(self, *, JobId: str) -> dict[str, Any]:  # noqa: N803
        """Tell of a job."""

        def effect() -> dict[str, Any]:
            job = self.world.importer.jobs[int(JobId)]
            if job.fate == "UNHEARD OF":
                raise ClientError({"Error": {"Code": "NotFoundException", "Message": "made up"}}, "GetImportJob")
            return {"JobStatus": job.status, "FailedRecordsCount": job.failed, "ProcessedRecordsCount": job.processed}

        self._check_call()
        return self._injector.call("get_item", f"import job {JobId}", effect)


class S3:
    """A client of the bucket."""

    def __init__(self, world: "BacklogWorld") -> None:
        """Keep objects in `world`."""
        self._world = world

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> dict[str, Any]:  # noqa: N803, ARG002
        """Write an object."""

        def effect() -> dict[str, Any]:
            self._world.objects[Key] = Body
            return {"ETag": '"made-up"'}

        return self._world.injector.call("get_item", f"put {Key}", effect)

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803, ARG002
        """Read an object."""

        def effect() -> dict[str, Any]:
            if Key not in self._world.objects:
                raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "made up"}}, "GetObject")
            return {"Body": BytesIO(self._world.objects[Key])}

        return self._world.injector.call("get_item", f"get {Key}", effect)

    def delete_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803, ARG002
        """Delete an object."""

        def effect() -> dict[str, Any]:
            self._world.objects.pop(Key, None)
            return {}

        return self._world.injector.call("get_item", f"delete {Key}", effect)


class ImportingSweeper(Sweeper):
    """The schedule. Sweeps that would find nothing due, and no import to look after, are left out."""

    world: "BacklogWorld"

    def due(self) -> int | None:
        """Return when the next sweep finds something."""
        times = [super().due(), *self._imports()]
        return min((time for time in times if time is not None), default=None)

    def _imports(self) -> list[int]:
        ledger = decode(self.world.table.items.get(_LEDGER))
        return [max(self._next, -(-self._changes(one) // _EVERY) * _EVERY) for one in ledger.jobs]

    def _changes(self, one: ImportJob) -> int:
        """Return when there is something new about an import, at the earliest."""
        if one.stage is Stage.LOST:
            return round((one.started_at + JOB_LIFETIME - START).total_seconds() * SECOND)
        job = self.world.importer.jobs[int(one.job_id)] if one.job_id else None
        return job.ends if job and job.fate != "UNHEARD OF" else 0


class BacklogWorld(Simulation):
    """A case in which every sweep imports what it finds; `streaming` says whether the stream is report too."""

    most: int | None = 0

    def __init__(self, case: Case, seed: int = 0, *, streaming: bool = True) -> None:
        """Set everything up for `case`."""
        self.objects: dict[str, bytes] = {}
        self._seed = seed
        self._streaming = streaming
        super().__init__(case)
        self.scheduler.max_steps = _PATIENCE  # (jobs take long, and a lost one three days)

    def _written(self, old: Item | None, new: Item) -> None:
        """Record a violation if another worker takes over a lease that an import still holds."""
        leases = [(one or {}).get("lease", {}).get("S", "") for one in (old, new)]
        now = format_timestamp(self.injector.now())
        taken = leases[0].startswith("import-") and leases[1] not in {"", leases[0]}
        if old and taken and old["leased_until"]["S"] > now:
            self.checker.add_violation("P4", f"{new['address']['S']} is leased while {leases[0]} holds")
        self.checker.check_write(old, new)

    def _add_actors(self) -> None:
        self.table.writes.seen = self._written
        self.importer = Importer(self.suppressed, self.objects, self._seed)
        add_actor, self.scheduler.add_actor = self.scheduler.add_actor, self._add_actor  # type: ignore[method-assign]
        super()._add_actors()
        self.scheduler.add_actor = add_actor  # type: ignore[method-assign]
        self.scheduler.add_actor("SES", self.importer)

    def _add_actor(self, name: str, activity: Any) -> None:  # noqa: ANN401
        if isinstance(activity, StreamPoller) and not self._streaming:
            return
        if isinstance(activity, Sweeper):
            activity = ImportingSweeper(self._suppression_worker(), self.table)
            activity.world = self
        type(self.scheduler).add_actor(self.scheduler, name, activity)

    def _dynamodb(self) -> Any:  # noqa: ANN401
        return DynamoDb(self.table, self.injector)

    def suppression_function(self) -> Handler:
        """Compose SuppressionFunction, as its handler's module does."""
        self._workers += 1
        sesv2 = ImportingSes(self.suppressed, self.injector, self.checker.check_list_call)
        sesv2.world = self
        contacts, client = self.contacts(), self._dynamodb()
        rate_limiter = RateLimiter(client, "Contacts", 1.0, now=self.injector.now, sleep=self.injector.sleep)
        worker = f"worker-{self._workers}"
        backlog = ImportStarter(
            contacts,
            ImportLedger(client, "Contacts"),
            ImportObjects(lambda: cast("Any", S3(self)), "bucket"),
            ImportJobClient(cast("Any", sesv2)),
            rate_limiter=rate_limiter,
            limits=self.limits,
            max_pending=self.most,
            now=self.injector.now,
            worker=worker,
        )
        list_sync = ListSync(
            contacts,
            SuppressionListClient(cast("Any", sesv2)),
            EventPublisher(
                cast("Any", EventBridgeClient(self.checker.published, self.injector, self.checker.check_text)),
                "default",
            ),
            rate_limiter,
            self.limits,
            now=self.injector.now,
            worker=worker,
            importer=backlog,
        )
        return SuppressionHandler(list_sync, cast("Any", self.output), cast("Any", self.output), self.injector.now)


def a_world(seed: int) -> BacklogWorld:
    """Return the world of this seed: a case of the simulator's, in which much is said while imports are under way."""
    chance, case = random.Random(seed), generate_case(seed)  # noqa: S311
    later = (0, 0, 320_000, 420_000, 2_000_000, 4_000_000, 25_000_000)
    stretched = replace(
        case,
        messages=tuple(replace(one, arrives=one.arrives + chance.choice(later)) for one in case.messages),
        reinstatements=tuple(replace(one, at=one.at + chance.choice(later)) for one in case.reinstatements),
    )
    return BacklogWorld(stretched, seed, streaming=seed % 3 == 0)


def perform(world: BacklogWorld) -> InvariantChecker:
    """Perform a world, the same way every time."""
    before = random.getstate()
    random.seed(world.case.shards)
    try:
        return world.run()
    finally:
        random.setstate(before)

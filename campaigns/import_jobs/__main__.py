"""How long a backlog takes, and what it costs in calls: `python -m campaigns.import_jobs.__main__`.

Time is virtual: every call takes what such calls take, the sweep comes every five minutes, and SES writes at its own
rate_limiter. `--seeds N` also plays N histories of faults (`tests/test_backlog_promises.py` plays a few).
"""

import argparse
import time
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from typing import Any

from botocore.exceptions import ClientError

from campaigns.import_jobs import simulator
from campaigns.import_jobs.simulator import a_world
from localaws.in_process.partiql import StatementError, apply_statement, parse_statements
from localaws.suppression_list.account_list import AccountSuppressionList
from localaws.suppression_list.errors import SuppressionListError
from ses_feedback.aws.events import EventPublisher
from ses_feedback.contacts.contact import Contact
from ses_feedback.contacts.record import ContactRecord, Item, encode, learn
from ses_feedback.contacts.repository import ContactRepository
from ses_feedback.contacts.status import Limits
from ses_feedback.judging.facts import Verdict
from ses_feedback.suppression.import_jobs.ledger import ImportJobs, ImportLedger, ImportObjects
from ses_feedback.suppression.import_jobs.start import ImportStarter
from ses_feedback.suppression.list_client import SuppressionList
from ses_feedback.suppression.rate_limiter import RateLimiter
from ses_feedback.suppression.sync import ListSync
from tests.support.builders import a_fact
from tests.support.fakes import InlineExecutor, ManualClock

SECONDS: Mapping[str, float] = {"dynamodb": 0.005, "events": 0.01, "s3": 0.1, "ses": 0.1}
"""How long a call of each service takes."""
SWEEP = timedelta(minutes=5)
FUNCTION = timedelta(seconds=270)
"""SuppressionFunction's time, less what it keeps back."""
_GIVEN_UP = 400
LIMITS = Limits()


@dataclass
class Aws:
    """As much of AWS as a sweep uses, in memory, with every call counted and timed."""

    clock: ManualClock
    imports_take: timedelta
    items: dict[tuple[str, str], Item] = field(default_factory=dict)
    index: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Open."""
        self.list = AccountSuppressionList(
            self.clock.now,
            read_object=lambda url: self.objects[url.removeprefix("s3://bucket/")],
            import_duration=self.imports_take,
        )

    def client(self, service: str) -> Any:  # noqa: ANN401 (a client)
        """Return a client of a service: `<operation>` of this class, counted and timed."""
        return _Client(self, service)

    def batch_get_item(self, request: dict[str, Any]) -> dict[str, Any]:
        """Read contacts."""
        ((table, asked),) = request["RequestItems"].items()
        found = (self.items.get((one["address"]["S"], one["record"]["S"])) for one in asked["Keys"])
        return {"Responses": {table: [item for item in found if item]}, "UnprocessedKeys": {}}

    def get_item(self, request: dict[str, Any]) -> dict[str, Any]:
        """Read the rate_limiter, or the ledger."""
        item = self.items.get((request["Key"]["address"]["S"], request["Key"]["record"]["S"]))
        return {"Item": item} if item else {}

    def update_item(self, request: dict[str, Any]) -> dict[str, Any]:
        """Move the rate_limiter on: nobody else does."""
        key = request["Key"]
        taken_at = request["ExpressionAttributeValues"][":moment"]
        self.items[key["address"]["S"], key["record"]["S"]] = {**key, "taken_at": taken_at}
        return {"ConsumedCapacity": {}}

    def put_item(self, request: dict[str, Any]) -> dict[str, Any]:
        """Write the ledger, if its rev is the one expected."""
        item = request["Item"]
        key = item["address"]["S"], item["record"]["S"]
        held = self.items.get(key)
        expected = request.get("ExpressionAttributeValues", {}).get(":rev")
        if (held["rev"] if held else None) != expected:
            raise ClientError({"Error": {"Code": "ConditionalCheckFailedException"}}, "PutItem")
        self.put(item)
        return {"ConsumedCapacity": {}}

    def batch_execute_statement(self, request: dict[str, Any]) -> dict[str, Any]:
        """Write contacts."""
        responses: list[dict[str, Any]] = []
        for statement in parse_statements(request["Statements"]):
            key = statement.key["address"]["S"], statement.key["record"]["S"]
            try:
                self.put(apply_statement(statement, self.items.get(key)))
            except StatementError as error:
                responses.append({"Error": {"Code": error.code}})
            else:
                responses.append({"TableName": statement.table})
        return {"Responses": responses}

    def put(self, item: Item) -> None:
        """Write an item, and its place in the index of what is due."""
        key = item["address"]["S"], item["record"]["S"]
        held = self.items.get(key)
        if held and "pending_shard" in held:
            shard = self.index[held["pending_shard"]["S"]]
            del shard[bisect_left(shard, (held["pending_at"]["S"], key[0]))]
        if "pending_shard" in item:
            insort(self.index.setdefault(item["pending_shard"]["S"], []), (item["pending_at"]["S"], key[0]))
        self.items[key] = item

    def query(self, request: dict[str, Any]) -> dict[str, Any]:
        """Read a page of a shard of the index."""
        values, start = request["ExpressionAttributeValues"], request.get("ExclusiveStartKey")
        shard = self.index.get(values[":shard"]["S"], [])
        begin = bisect_right(shard, (start["pending_at"]["S"], start["address"]["S"])) if start else 0
        end = min(bisect_right(shard, (values[":before"]["S"], "~")), begin + request["Limit"])
        items = [{"pending_at": {"S": at}, "address": {"S": address}} for at, address in shard[begin:end]]
        return {"Items": items} | ({"LastEvaluatedKey": items[-1]} if len(items) == request["Limit"] else {})

    def put_events(self, request: dict[str, Any]) -> dict[str, Any]:
        """Take events."""
        return {"Entries": [{"EventId": "1"} for _ in request["Entries"]]}

    def put_object(self, request: dict[str, Any]) -> dict[str, Any]:
        """Write an object."""
        self.objects[request["Key"]] = request["Body"]
        return {"ETag": '"made-up"'}

    def get_object(self, request: dict[str, Any]) -> dict[str, Any]:
        """Read an object."""
        return {"Body": BytesIO(self.objects[request["Key"]])}

    def delete_object(self, request: dict[str, Any]) -> dict[str, Any]:
        """Delete an object."""
        del self.objects[request["Key"]]
        return {}

    def put_suppressed_destination(self, request: dict[str, Any]) -> dict[str, Any]:
        """Put an entry."""
        self.list.put(request["EmailAddress"], request["Reason"])
        return {"ResponseMetadata": {"RequestId": "made-up"}}

    def create_import_job(self, request: dict[str, Any]) -> dict[str, Any]:
        """Begin a job."""
        action = request["ImportDestination"]["SuppressionListDestination"]["SuppressionListImportAction"]
        source = request["ImportDataSource"]
        return {"JobId": self.list.create_import_job(action, source["S3Url"], source["DataFormat"])}

    def get_import_job(self, request: dict[str, Any]) -> dict[str, Any]:
        """Tell of a job."""
        job = self.list.get_import_job(request["JobId"])
        return {"JobStatus": job.status.value, "ProcessedRecordsCount": job.processed, "FailedRecordsCount": job.failed}


class _Client:
    """A client of one service."""

    def __init__(self, aws: Aws, service: str) -> None:
        self._aws = aws
        self._service = service

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        effect = getattr(self._aws, operation)

        def call(**request: Any) -> Any:  # noqa: ANN401 (as botocore)
            self._aws.calls[operation] += 1
            self._aws.clock.sleep(SECONDS[self._service])
            try:
                return effect(request)
            except SuppressionListError as error:
                raise ClientError({"Error": {"Code": error.code}}, operation) from error

        return call


@dataclass(frozen=True, slots=True)
class Cleared:
    """How a backlog was cleared: how long it took, and what it took."""

    contacts: int
    hours: float
    sweeps: int
    imported: int
    put: int
    calls: Mapping[str, int]

    def __str__(self) -> str:
        """Say it on a few lines."""
        of_ses = sum(self.calls.get(name, 0) for name in ("create_import_job", "get_import_job"))
        of_ses += self.calls.get("put_suppressed_destination", 0)
        others = ", ".join(f"{number:,} {name}" for name, number in sorted(self.calls.items()))
        return (
            f"{self.contacts:,} contacts cleared in {self.hours:.1f} virtual hours and {self.sweeps} sweeps: "
            f"{self.imported:,} imported, {self.put:,} put one by one\n"
            f"  {of_ses:,} calls of SES ({of_ses / self.contacts:.4f} a contact)\n  {others}"
        )


def a_backlog(contacts: int, imports_take: timedelta) -> Aws:
    """Return an AWS in which so many contacts bounced at once, every tenth of them with a complaint."""
    aws = Aws(ManualClock(), imports_take)
    for number in range(contacts):
        verdict = Verdict.SUPPRESS if number % 10 else Verdict.COMPLAIN
        address = f"recipient{number:06d}@example.com"
        learnt = learn(ContactRecord(Contact(address)), [a_fact(verdict, address=address)], LIMITS, aws.clock.now())
        if learnt:
            aws.put(encode(learnt, LIMITS))
    aws.clock.sleep(90)
    return aws


def clear(contacts: int, imports_take: timedelta, most: int | None) -> Cleared:
    """Sweep until nothing waits, or for long enough."""
    aws = a_backlog(contacts, imports_take)
    began = aws.clock.now()
    imported = put = sweeps = 0
    while any(aws.index.values()) and sweeps < _GIVEN_UP:
        starts = aws.clock.now()
        done = _mirror(aws, most, f"{sweeps}", InlineExecutor()).sweep(starts + FUNCTION)
        imported += done.imported
        put += done.put
        sweeps += 1
        ends = aws.clock.now()
        aws.clock.naps.clear()
        if any(aws.index.values()):
            aws.clock.sleep(max(0.0, (starts + SWEEP - ends).total_seconds()))
    hours = (aws.clock.now() - began).total_seconds() / 3600
    if not any(aws.index.values()):
        held = {entry.email_address: entry.reason.value for entry in aws.list.entries()}
        wanted = {address: item["synced"]["S"] for (address, record), item in aws.items.items() if record == "contact"}
        if held != wanted or len(held) != contacts:
            raise AssertionError("the list is not what the contacts say")
    return Cleared(contacts, hours, sweeps, imported, put, dict(aws.calls))


def _mirror(aws: Aws, most: int | None, worker: str, executor: Executor) -> ListSync:
    dynamodb, sesv2, clock = aws.client("dynamodb"), aws.client("ses"), aws.clock
    contacts = ContactRepository(
        dynamodb, "Contacts", LIMITS, history_days=365, now=clock.now, sleep=clock.sleep, executor=executor
    )
    rate_limiter = RateLimiter(dynamodb, "Contacts", 1.0, now=clock.now, sleep=clock.sleep)
    backlog = ImportStarter(
        contacts,
        ImportLedger(dynamodb, "Contacts"),
        ImportObjects(lambda: aws.client("s3"), "bucket"),
        ImportJobs(sesv2),
        rate_limiter=rate_limiter,
        limits=LIMITS,
        most=most,
        now=clock.now,
        worker=worker,
    )
    publisher = EventPublisher(aws.client("events"), "default")
    parts = contacts, SuppressionList(sesv2), publisher, rate_limiter, LIMITS
    return ListSync(*parts, now=clock.now, worker=worker, backlog=backlog)


def play(seeds: int) -> None:
    """Play histories of faults, and print what came of them."""
    began, violations, jobs, faults = time.perf_counter(), 0, 0, 0
    for seed in range(seeds):
        world = a_world(seed)
        broken = simulator.perform(world).violations
        jobs, faults, violations = (
            jobs + len(world.importer.jobs),
            faults + world.wires.broken,
            violations + bool(broken),
        )
        for violation in broken[:1]:
            print(f"seed {seed}: {violation}")  # noqa: T201
    took = time.perf_counter() - began
    print(f"{seeds:,} histories, {jobs:,} import jobs, {faults:,} faults: {violations} violations ({took:.0f} s)")  # noqa: T201


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--minutes", type=int, nargs="*", default=[10, 60], help="how long SES takes for a job")
    parser.add_argument("--seeds", type=int, default=0, help="histories of faults to play as well")
    options = parser.parse_args()
    for minutes in options.minutes:
        began = time.perf_counter()
        cleared = clear(options.contacts, timedelta(minutes=minutes), 21_600)
        print(f"SES takes {minutes} minutes for a job: {cleared}\n  ({time.perf_counter() - began:.0f} s)")  # noqa: T201
    print(f"one by one: {options.contacts * 1.05 / 3600:.1f} hours at a call every 1.05 s, and as many calls")  # noqa: T201
    if options.seeds:
        play(options.seeds)


if __name__ == "__main__":
    main()

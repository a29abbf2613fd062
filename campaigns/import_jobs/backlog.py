"""Measures how long sweeps take to clear a backlog of pending contacts, and how many AWS calls they make.

Time is virtual: each call takes as long as such a call takes, a sweep starts every five minutes, and SES needs a given
time for each import job.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from typing import Any

from botocore.exceptions import ClientError

from localaws.suppression_list.account_list import AccountSuppressionList
from localaws.suppression_list.errors import SuppressionListError
from ses_feedback.aws.events import EventPublisher
from ses_feedback.contacts.contact import Contact
from ses_feedback.contacts.record import ContactRecord, encode, learn
from ses_feedback.contacts.repository import ContactRepository
from ses_feedback.contacts.status import Limits
from ses_feedback.judging.facts import Verdict
from ses_feedback.suppression.import_jobs.job_client import ImportJobClient
from ses_feedback.suppression.import_jobs.ledger import ImportLedger
from ses_feedback.suppression.import_jobs.objects import ImportObjects
from ses_feedback.suppression.import_jobs.start import ImportStarter
from ses_feedback.suppression.list_client import SuppressionListClient
from ses_feedback.suppression.rate_limiter import RateLimiter
from ses_feedback.suppression.sync import ListSync
from tests.support.builders import a_fact
from tests.support.dynamodb_table import Operations, Table
from tests.support.fakes import InlineExecutor, ManualClock

CALL_SECONDS: Mapping[str, float] = {"dynamodb": 0.005, "events": 0.01, "s3": 0.1, "ses": 0.1}
"""The duration of a call, by service."""
SWEEP_EVERY = timedelta(minutes=5)
SWEEP_TIME = timedelta(seconds=270)
"""The time SuppressionFunction has for a sweep."""
CALLS_PER_SECOND = 1.0
MOST_SWEEPS = 400
"""Sweeps after which a backlog counts as one that is never cleared."""
_SES_CALLS = ("create_import_job", "get_import_job", "put_suppressed_destination")
_LIMITS = Limits()


@dataclass
class Aws:
    """The AWS services a sweep uses, in memory. Calls are counted and take virtual time."""

    clock: ManualClock
    job_time: timedelta
    """How long SES takes for an import job."""
    table: Table = field(default_factory=Table)
    objects: dict[str, bytes] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Create the suppression list."""
        self.operations = Operations(self.table)
        self.list = AccountSuppressionList(
            self.clock.now,
            read_object=lambda url: self.objects[url.removeprefix("s3://bucket/")],
            import_duration=self.job_time,
        )

    def client(self, service: str) -> Any:  # noqa: ANN401 (stands for a botocore client)
        """Return a client whose calls are counted and take `CALL_SECONDS`."""
        return _Client(self, service)

    def put_events(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 (botocore's parameters, here and below)
        """Accept events."""
        return {"Entries": [{"EventId": "1"} for _ in request["Entries"]]}

    def put_object(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        """Write an object."""
        self.objects[request["Key"]] = request["Body"]
        return {"ETag": '"made-up"'}

    def get_object(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        """Read an object."""
        return {"Body": BytesIO(self.objects[request["Key"]])}

    def delete_object(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        """Delete an object."""
        del self.objects[request["Key"]]
        return {}

    def put_suppressed_destination(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        """Put an entry on the list."""
        self.list.put(request["EmailAddress"], request["Reason"])
        return {"ResponseMetadata": {"RequestId": "made-up"}}

    def create_import_job(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        """Start an import job."""
        action = request["ImportDestination"]["SuppressionListDestination"]["SuppressionListImportAction"]
        source = request["ImportDataSource"]
        return {"JobId": self.list.create_import_job(action, source["S3Url"], source["DataFormat"])}

    def get_import_job(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return the status of an import job."""
        job = self.list.get_import_job(request["JobId"])
        return {"JobStatus": job.status.value, "ProcessedRecordsCount": job.processed, "FailedRecordsCount": job.failed}


class _Client:
    """A client of one service."""

    def __init__(self, aws: Aws, service: str) -> None:
        self._aws = aws
        self._seconds = CALL_SECONDS[service]
        self._operations = aws.operations if service == "dynamodb" else aws

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        perform = getattr(self._operations, operation)

        def call(**request: Any) -> Any:  # noqa: ANN401
            self._aws.calls[operation] += 1
            self._aws.clock.sleep(self._seconds)
            try:
                return perform(**request)
            except SuppressionListError as error:
                raise ClientError({"Error": {"Code": error.code}}, operation) from error

        return call


@dataclass(frozen=True, slots=True)
class Cleared:
    """What it took to clear a backlog."""

    contacts: int
    hours: float
    sweeps: int
    imported: int
    put: int
    calls: Mapping[str, int]

    def __str__(self) -> str:
        """Return the figures on three lines."""
        ses_calls = sum(self.calls.get(name, 0) for name in _SES_CALLS)
        by_operation = ", ".join(f"{number:,} {name}" for name, number in sorted(self.calls.items()))
        return (
            f"{self.contacts:,} contacts cleared in {self.hours:.1f} virtual hours and {self.sweeps} sweeps: "
            f"{self.imported:,} imported, {self.put:,} put one by one\n"
            f"  {ses_calls:,} calls to SES ({ses_calls / self.contacts:.4f} per contact)\n"
            f"  calls by operation: {by_operation}"
        )


def create_backlog(contacts: int, job_time: timedelta) -> Aws:
    """Return an AWS in which so many contacts bounced at once, every tenth of them with a complaint."""
    aws = Aws(ManualClock(), job_time)
    for number in range(contacts):
        verdict = Verdict.SUPPRESS if number % 10 else Verdict.COMPLAIN
        address = f"recipient{number:06d}@example.com"
        learnt = learn(ContactRecord(Contact(address)), [a_fact(verdict, address=address)], _LIMITS, aws.clock.now())
        if learnt:
            aws.table.put(encode(learnt, _LIMITS))
    aws.clock.sleep(90)
    return aws


def clear(contacts: int, job_time: timedelta, limit: int | None) -> Cleared:
    """Sweep until no contact is pending. An import job starts if more than `limit` entries are pending.

    Raises:
        AssertionError: the backlog is not cleared, or the list differs from what the contacts require.

    """
    aws = create_backlog(contacts, job_time)
    started = aws.clock.now()
    imported = put = sweeps = 0
    while aws.table.earliest("PendingSync"):
        assert sweeps < MOST_SWEEPS, "the backlog is never cleared"
        sweep_started = aws.clock.now()
        counts = _list_sync(aws, limit, f"{sweeps}").sweep(sweep_started + SWEEP_TIME)
        imported += counts.imported
        put += counts.put
        sweeps += 1
        aws.clock.sleeps.clear()
        if aws.table.earliest("PendingSync"):
            aws.clock.sleep(max(0.0, (sweep_started + SWEEP_EVERY - aws.clock.now()).total_seconds()))
    hours = (aws.clock.now() - started).total_seconds() / 3600
    entries = {entry.email_address: entry.reason.value for entry in aws.list.entries()}
    synced = {
        address: item["synced"]["S"] for (address, record), item in aws.table.items.items() if record == "contact"
    }
    assert entries == synced, "the list differs from what the contacts require"
    assert len(entries) == contacts
    return Cleared(contacts, hours, sweeps, imported, put, dict(aws.calls))


def _list_sync(aws: Aws, limit: int | None, worker: str) -> ListSync:
    dynamodb, sesv2, clock = aws.client("dynamodb"), aws.client("ses"), aws.clock
    contacts = ContactRepository(
        dynamodb, "Contacts", _LIMITS, history_days=365, now=clock.now, sleep=clock.sleep, executor=InlineExecutor()
    )
    rate_limiter = RateLimiter(dynamodb, "Contacts", CALLS_PER_SECOND, now=clock.now, sleep=clock.sleep)
    import_starter = ImportStarter(
        contacts,
        ImportLedger(dynamodb, "Contacts"),
        ImportObjects(lambda: aws.client("s3"), "bucket"),
        ImportJobClient(sesv2),
        rate_limiter=rate_limiter,
        limits=_LIMITS,
        max_pending=limit,
        now=clock.now,
        worker=worker,
    )
    publisher = EventPublisher(aws.client("events"), "default")
    parts = contacts, SuppressionListClient(sesv2), publisher, rate_limiter, _LIMITS
    return ListSync(*parts, now=clock.now, worker=worker, importer=import_starter)

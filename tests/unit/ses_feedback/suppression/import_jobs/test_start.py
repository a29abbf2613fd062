"""Import jobs of SuppressionFunction, on an emulated AWS."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from ses_feedback.judging.facts import Fact, Verdict
from ses_feedback.suppression.import_jobs.model import (
    IMPORT_LEASE_DURATION,
    KEY,
    PAUSE,
    ImportJob,
    Ledger,
    Stage,
    decode,
)
from ses_feedback.suppression.import_jobs.settle import JOB_LIFETIME
from ses_feedback.suppression.lease import LEASE_DURATION
from tests.support.builders import a_fact, on_day
from tests.support.deployed_functions import EmbeddedStack, FakeContext, embedded_stack
from tests.support.faulty_client import Fault, FaultyClient, fails_with, loses_response, returns_garbage, times_out

BUCKET = "imports"
FIVE_MINUTES = timedelta(minutes=5)


@dataclass
class ImportFixture:
    """An emulated AWS whose sweeps start an import job if more than two contacts are pending."""

    stack: EmbeddedStack
    s3: FaultyClient

    def sweep(self, after: timedelta = FIVE_MINUTES, *, hours: float = 2 / 3600) -> dict[str, Any]:
        """Sweep `after` some time."""
        self.stack.clock.sleep(after.total_seconds())
        handler = self.stack.suppression(import_bucket=BUCKET, suppression_backlog_hours=hours)
        return handler({"source": "ses-feedback", "detail-type": "Sweep"}, FakeContext())

    def learn(self, *facts: Fact) -> None:
        """Store facts. The stream does not deliver them."""
        self.stack.learn(*facts)

    def ledger(self) -> Ledger:
        """Return the ledger."""
        response = self.stack.aws.client("dynamodb").get_item(TableName=self.stack.aws.table_name, Key=KEY)
        return decode(response.get("Item"))

    def objects(self) -> list[str]:
        """Return the contents of the objects in the bucket."""
        objects = self.stack.aws.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])
        client = self.stack.aws.client("s3")
        return [client.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read().decode() for item in objects]

    def called(self, operation: str) -> int:
        """Return the number of calls of an SES operation."""
        return self.stack.sesv2.count(operation)

    def pending(self) -> list[str]:
        """Return the addresses of all pending contacts."""
        store = self.stack.repository(self.stack.aws.client("dynamodb"))
        return sorted(address for _, address in store.find_pending(self.stack.clock.now() + timedelta(days=365)))


@contextmanager
def an_import_fixture(**options: Any) -> Iterator[ImportFixture]:  # noqa: ANN401
    """Create a fixture; `options` are those of `embedded_stack`."""
    with embedded_stack(**options) as stack:
        stack.aws.client("s3").create_bucket(Bucket=BUCKET)
        fixture = ImportFixture(stack, FaultyClient(stack.aws.client("s3")))
        create_clients = stack.clients

        def clients() -> Any:  # noqa: ANN401
            created = create_clients()
            created.s3 = fixture.s3
            return created

        stack.clients = clients  # type: ignore[method-assign]
        yield fixture


@pytest.fixture
def fixture() -> Iterator[ImportFixture]:
    """Return a fixture without contacts."""
    with an_import_fixture() as fixture:
        yield fixture


NAMES = ["ann@example.com", "bob@example.com", "cleo@example.com", "dan@example.com"]


def bounces(*names: str) -> list[Fact]:
    """Return a hard bounce of each address."""
    return [a_fact(address=name) for name in names]


def started_import(fixture: ImportFixture) -> ImportJob:
    """Return the running job after a sweep of four bounces."""
    fixture.learn(*bounces(*NAMES))
    fixture.sweep()
    [job] = fixture.ledger().jobs
    assert job.stage is Stage.RUNNING
    return job


# --- Without faults ---------------------------------------------------------------------------------------------------


def test_a_backlog_is_imported_with_two_ses_calls(fixture: ImportFixture) -> None:
    """One sweep starts the job, and the next one settles it. The contacts are no longer pending."""
    fixture.learn(*bounces(*NAMES))
    started = fixture.sweep()
    assert (started["imports"], started["published"], started["put"], started["still_pending"]) == (
        {"started": 1},
        4,
        0,
        0,
    )
    result = fixture.sweep()
    assert (result["imported"], result["imports"], fixture.stack.listed()) == (
        4,
        {"completed": 1},
        dict.fromkeys(NAMES, "BOUNCE"),
    )
    calls = [
        fixture.called(operation) for operation in ("create_import_job", "get_import_job", "put_suppressed_destination")
    ]
    assert (calls, fixture.pending(), fixture.objects(), fixture.ledger().jobs) == ([1, 1, 0], [], [], ())
    stored = fixture.stack.contact(NAMES[0])
    assert (stored.synced, stored.lease, stored.leased_until, stored.retry_at) == ("BOUNCE", "", None, None)


def test_a_backlog_below_the_limit_is_written_call_by_call(fixture: ImportFixture) -> None:
    fixture.learn(*bounces(*NAMES[:2]))
    result = fixture.sweep()
    assert (result["put"], fixture.called("create_import_job"), "imports" in result) == (2, 0, False)


def test_zero_backlog_hours_start_no_job_but_settle_the_running_one(fixture: ImportFixture) -> None:
    started_import(fixture)
    fixture.learn(*bounces(*(f"{number}@example.com" for number in range(4))))
    result = fixture.sweep(hours=0)
    assert (result["imported"], result["put"], fixture.called("create_import_job")) == (4, 4, 1)


def test_the_object_has_a_line_for_each_variant_and_complaints_first(fixture: ImportFixture) -> None:
    fixture.learn(*bounces("ann@example.com", "Ann@example.com", "bob@example.com"))
    fixture.learn(a_fact(Verdict.COMPLAIN, address="cleo@example.com"))
    fixture.sweep()
    [text] = fixture.objects()
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines[0] == {"emailAddress": "cleo@example.com", "reason": "COMPLAINT"}
    assert {line["emailAddress"]: line["reason"] for line in lines[1:]} == dict.fromkeys(
        ["Ann@example.com", "ann@example.com", "bob@example.com"], "BOUNCE"
    )


def test_if_most_contacts_need_a_deletion_the_job_deletes_and_the_others_are_put(fixture: ImportFixture) -> None:
    fixture.learn(*bounces(*NAMES))
    fixture.sweep()
    fixture.sweep()
    assert len(fixture.stack.listed()) == 4
    for name in NAMES:
        fixture.stack.reinstate(name)
    fixture.learn(a_fact(address="new@example.com", at=on_day(6)))
    started = fixture.sweep()
    assert (started["put"], started["imports"]) == (1, {"started": 1})
    fixture.sweep()
    assert (fixture.stack.listed(), fixture.pending()) == ({"new@example.com": "BOUNCE"}, [])
    assert fixture.stack.contact(NAMES[0]).synced == "NONE"


def test_entries_that_ses_may_reject_are_not_imported(fixture: ImportFixture) -> None:
    """One rejected entry would make the whole job fail."""
    odd = ["bounce@simulator.amazonses.com", '"odd one"@example.com']
    fixture.learn(*bounces(*NAMES, *odd))
    fixture.sweep()
    [text] = fixture.objects()
    assert [json.loads(line)["emailAddress"] for line in text.splitlines()] == NAMES
    # An entry of the mailbox simulator is never put.
    assert fixture.called("put_suppressed_destination") == 1


def test_while_a_job_is_running_other_contacts_are_written_call_by_call(fixture: ImportFixture) -> None:
    fixture.stack.aws.suppression_list.import_jobs.duration = timedelta(hours=1)
    started_import(fixture)
    fixture.learn(*bounces(*(f"{number}@example.com" for number in range(4))))
    result = fixture.sweep()
    assert (result["put"], result["imported"], fixture.called("create_import_job")) == (4, 0, 1)


def test_the_lag_of_the_oldest_contact_is_recorded_while_a_job_is_running(
    fixture: ImportFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """The index does not show that it is pending, because its `retry_at` is in the future."""
    fixture.stack.aws.suppression_list.import_jobs.duration = timedelta(hours=1)
    started_import(fixture)
    capsys.readouterr()
    fixture.sweep()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [lag] = [line["SuppressionLag"] for line in lines if "SuppressionLag" in line]
    assert lag == [pytest.approx(600_000, abs=2_000)]


# --- Changes while a job is running -----------------------------------------------------------------------------------


def test_contacts_that_changed_during_a_job_are_written_again(fixture: ImportFixture) -> None:
    started_import(fixture)
    fixture.stack.reinstate(NAMES[0])
    fixture.learn(a_fact(Verdict.COMPLAIN, address=NAMES[1], at=on_day(2)))
    assert fixture.sweep()["imported"] == 2
    fixture.sweep()
    assert fixture.stack.listed() == {NAMES[1]: "COMPLAINT", NAMES[2]: "BOUNCE", NAMES[3]: "BOUNCE"}
    assert fixture.pending() == []


def test_the_stream_does_not_write_a_contact_under_the_lease_of_a_job(fixture: ImportFixture) -> None:
    fixture.stack.aws.suppression_list.import_jobs.duration = timedelta(hours=1)
    started_import(fixture)
    fixture.learn(a_fact(Verdict.COMPLAIN, address=NAMES[1], at=on_day(2)))
    fixture.stack.drain()
    fixture.sweep()
    assert fixture.called("put_suppressed_destination") == 0


def test_entries_that_a_slow_job_overwrote_are_written_again(fixture: ImportFixture) -> None:
    """The leases expired, and the contacts were written call by call. Then SES ran the job, with outdated entries."""
    fixture.stack.aws.suppression_list.import_jobs.duration = IMPORT_LEASE_DURATION + timedelta(hours=2)
    started_import(fixture)
    fixture.stack.reinstate(NAMES[0])
    assert fixture.sweep(IMPORT_LEASE_DURATION + FIVE_MINUTES)["put"] == 3
    assert fixture.stack.listed() == dict.fromkeys(NAMES[1:], "BOUNCE")
    assert fixture.sweep(timedelta(hours=2))["imports"] == {"completed": 1}
    assert NAMES[0] in fixture.stack.listed()
    fixture.sweep()
    assert (fixture.stack.listed(), fixture.pending()) == (dict.fromkeys(NAMES[1:], "BOUNCE"), [])
    assert fixture.ledger().jobs == ()


# --- Faults -----------------------------------------------------------------------------------------------------------


def test_a_job_that_the_sandbox_rejects_is_abandoned_and_jobs_are_paused() -> None:
    with an_import_fixture(sandbox=True) as fixture:
        fixture.learn(*bounces(*NAMES))
        assert fixture.sweep()["imports"] == {"rejected: BadRequestException": 1}
        assert fixture.sweep()["imports"] == {"abandoned": 1}
        assert fixture.stack.contact(NAMES[0]).lease == ""
        fixture.sweep()
        assert (fixture.called("create_import_job"), len(fixture.pending()), fixture.objects()) == (1, 4, [])
        assert fixture.ledger().paused_until is not None


def test_after_the_pause_a_job_is_started_again(fixture: ImportFixture) -> None:
    fixture.stack.sesv2.only, fixture.stack.sesv2.faults = (
        "create_import_job",
        {0: fails_with("LimitExceededException")},
    )
    fixture.learn(*bounces(*NAMES))
    fixture.sweep()
    fixture.sweep(hours=1)
    fixture.stack.sesv2.faults = {}
    fixture.learn(*bounces(*(f"{number}@example.com" for number in range(4))))
    fixture.sweep(PAUSE)
    fixture.sweep()
    assert (len(fixture.stack.listed()), fixture.pending()) == (8, [])


def test_a_throttled_creation_is_repeated(fixture: ImportFixture) -> None:
    fixture.stack.sesv2.only, fixture.stack.sesv2.faults = (
        "create_import_job",
        {0: fails_with("TooManyRequestsException")},
    )
    started_import(fixture)
    assert fixture.called("create_import_job") == 2


@pytest.mark.parametrize("fault", [times_out, loses_response, fails_with("InternalFailure")])
def test_a_creation_without_a_response_makes_a_lost_job(fixture: ImportFixture, fault: Any) -> None:  # noqa: ANN401
    """Its contacts are released after the lease of its worker. Entries that it may have written are corrected later."""
    fixture.stack.sesv2.only, fixture.stack.sesv2.faults = "create_import_job", {0: fault}
    fixture.learn(*bounces(*NAMES))
    fixture.sweep()
    fixture.stack.sesv2.only = ""
    assert [job.stage for job in fixture.ledger().jobs] == [Stage.CREATING]
    fixture.stack.reinstate(NAMES[0])
    assert fixture.sweep(LEASE_DURATION)["imports"] == {"lost": 1}
    assert fixture.stack.contact(NAMES[1]).lease == ""
    fixture.sweep()
    # SES runs the lost job.
    fixture.stack.aws.client("sesv2").put_suppressed_destination(EmailAddress=NAMES[0], Reason="BOUNCE")
    fixture.sweep(JOB_LIFETIME)
    fixture.sweep()
    assert fixture.stack.listed() == dict.fromkeys(NAMES[1:], "BOUNCE")
    assert (fixture.pending(), fixture.ledger().jobs, fixture.objects()) == ([], (), [])


def test_the_contacts_of_a_failed_job_are_written_call_by_call(fixture: ImportFixture) -> None:
    job = started_import(fixture)
    fixture.stack.aws.client("s3").delete_object(Bucket=BUCKET, Key=f"imports/{job.name}")
    fixture.s3.only, fixture.s3.default_fault = "get_object", fails_with("InternalError")
    assert fixture.sweep()["imports"] == {"failed": 1}
    assert fixture.stack.contact(NAMES[0]).lease.startswith(job.name)
    assert fixture.sweep(IMPORT_LEASE_DURATION + FIVE_MINUTES)["put"] == 4


def test_a_job_with_one_failed_record_fails(fixture: ImportFixture) -> None:
    """SES does not name the record in its response, so all contacts are written call by call."""
    job = started_import(fixture)
    ses_job = fixture.stack.aws.suppression_list.import_jobs.get(job.job_id)
    assert ses_job
    ses_job.failed = 1
    assert fixture.sweep()["imports"] == {"failed": 1}
    fixture.sweep()
    assert (len(fixture.stack.listed()), fixture.ledger().paused_until is None) == (4, False)


def test_a_job_whose_object_was_deleted_is_removed_in_the_end(fixture: ImportFixture) -> None:
    job = started_import(fixture)
    fixture.stack.clock.sleep(600)
    fixture.stack.aws.suppression_list.entries()
    fixture.stack.aws.client("s3").delete_object(Bucket=BUCKET, Key=f"imports/{job.name}")
    fixture.sweep(JOB_LIFETIME)
    assert [unsettled.name for unsettled in fixture.ledger().jobs] == [job.name]
    fixture.sweep(JOB_LIFETIME)
    assert (fixture.ledger().jobs, fixture.pending()) == ((), [])


@pytest.mark.parametrize("fault", [times_out, returns_garbage])
@pytest.mark.parametrize("nth", [0, 1])
def test_without_its_object_no_job_is_created(fixture: ImportFixture, nth: int, fault: Fault) -> None:
    """The contacts are released and written call by call. A success without an ETag is not from S3."""
    fixture.s3.only, fixture.s3.faults = "put_object", {nth: fault}
    fixture.learn(*bounces(*NAMES))
    fixture.sweep()
    fixture.sweep()
    fixture.sweep()
    assert (len(fixture.stack.listed()), fixture.called("create_import_job")) == (4, 0)
    assert fixture.pending() == []


def test_a_malformed_ledger_stops_only_import_jobs(fixture: ImportFixture) -> None:
    """The log names the reason, and entries are written call by call."""
    item = {**KEY, "rev": {"S": "?"}}
    fixture.stack.aws.client("dynamodb").put_item(TableName=fixture.stack.aws.table_name, Item=item)
    fixture.learn(*bounces(*NAMES))
    result = fixture.sweep()
    assert (result["imports"], result["put"], fixture.called("create_import_job")) == ({"unreadable-ledger": 1}, 4, 0)


def test_an_unreadable_contact_does_not_prevent_settling_a_job(fixture: ImportFixture) -> None:
    started_import(fixture)
    broken = {"address": {"S": NAMES[0]}, "record": {"S": "contact"}}
    fixture.stack.aws.client("dynamodb").put_item(TableName=fixture.stack.aws.table_name, Item=broken)
    assert fixture.sweep()["imported"] == 3
    assert fixture.ledger().jobs == ()


def test_a_job_that_could_not_be_created_in_time_is_not_started(fixture: ImportFixture) -> None:
    fixture.learn(*bounces(*NAMES))
    fixture.stack.clock.sleep(300)
    handler = fixture.stack.suppression(import_bucket=BUCKET, suppression_backlog_hours=1 / 3600)
    handler({"source": "ses-feedback"}, FakeContext(timedelta(seconds=80)))
    assert (fixture.called("create_import_job"), len(fixture.stack.listed())) == (0, 4)

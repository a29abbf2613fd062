"""Settling import jobs: completed, failed and lost jobs, and contacts that change in the meantime."""

import json
from datetime import timedelta
from typing import Any

import pytest

from ses_feedback.judging.facts import Verdict
from ses_feedback.suppression.import_jobs.model import (
    IMPORT_LEASE_DURATION,
    Stage,
)
from ses_feedback.suppression.import_jobs.settle import JOB_LIFETIME
from ses_feedback.suppression.lease import LEASE_DURATION
from tests.support.builders import a_fact, on_day
from tests.support.faulty_client import fails_with, loses_response, times_out
from tests.support.import_fixture import (
    BUCKET,
    FIVE_MINUTES,
    NAMES,
    ImportFixture,
    bounces,
    started_import,
)


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
    # SES runs the lost job. The sweep has asked SES about the account within this second.
    fixture.stack.clock.sleep(1)
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


def test_an_unreadable_contact_does_not_prevent_settling_a_job(fixture: ImportFixture) -> None:
    started_import(fixture)
    broken = {"address": {"S": NAMES[0]}, "record": {"S": "contact"}}
    fixture.stack.aws.client("dynamodb").put_item(TableName=fixture.stack.aws.table_name, Item=broken)
    assert fixture.sweep()["imported"] == 3
    assert fixture.ledger().jobs == ()

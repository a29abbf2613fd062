"""Import jobs of SuppressionFunction, on an emulated AWS."""

import json
from datetime import timedelta

import pytest

from ses_feedback.judging.facts import Verdict
from ses_feedback.suppression.import_jobs.model import (
    KEY,
    PAUSE,
)
from tests.support.builders import a_fact, on_day
from tests.support.deployed_functions import FakeContext
from tests.support.faulty_client import Fault, fails_with, returns_garbage, times_out
from tests.support.import_fixture import (
    BUCKET,
    NAMES,
    ImportFixture,
    an_import_fixture,
    bounces,
    started_import,
)

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


def test_a_job_that_could_not_be_created_in_time_is_not_started(fixture: ImportFixture) -> None:
    fixture.learn(*bounces(*NAMES))
    fixture.stack.clock.sleep(300)
    handler = fixture.stack.suppression(import_bucket=BUCKET, suppression_backlog_hours=1 / 3600)
    handler({"source": "ses-feedback"}, FakeContext(timedelta(seconds=80)))
    assert (fixture.called("create_import_job"), len(fixture.stack.listed())) == (0, 4)

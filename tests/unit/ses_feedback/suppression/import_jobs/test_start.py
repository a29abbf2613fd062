"""SuppressionFunction has SES import what one call a second would take too long for, over real clients."""

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
class Bureau:
    """A world in which imports begin when more than two contacts wait."""

    stack: EmbeddedStack
    s3: FaultyClient

    def sweep(self, after: timedelta = FIVE_MINUTES, *, hours: float = 2 / 3600) -> dict[str, Any]:
        """Let time pass, and sweep."""
        self.stack.clock.sleep(after.total_seconds())
        handler = self.stack.suppression(import_bucket=BUCKET, suppression_backlog_hours=hours)
        return handler({"source": "ses-feedback", "detail-type": "Sweep"}, FakeContext())

    def learn(self, *facts: Fact) -> None:
        """Store facts that the stream loses."""
        self.stack.learn(*facts)

    def ledger(self) -> Ledger:
        """Return the ledger."""
        answer = self.stack.aws.client("dynamodb").get_item(TableName=self.stack.aws.table_name, Key=KEY)
        return decode(answer.get("Item"))

    def objects(self) -> list[str]:
        """Return what is in the bucket."""
        held = self.stack.aws.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])
        client = self.stack.aws.client("s3")
        return [client.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read().decode() for one in held]

    def called(self, operation: str) -> int:
        """Return how many calls of an operation of SES's were made."""
        return self.stack.sesv2.count(operation)

    def due(self) -> list[str]:
        """Return who is due, now or later."""
        store = self.stack.repository(self.stack.aws.client("dynamodb"))
        return sorted(address for _, address in store.find_pending(self.stack.clock.now() + timedelta(days=365)))


@contextmanager
def a_bureau(**how: Any) -> Iterator[Bureau]:  # noqa: ANN401
    """Open one."""
    with embedded_stack(**how) as stack:
        stack.aws.client("s3").create_bucket(Bucket=BUCKET)
        bureau = Bureau(stack, FaultyClient(stack.aws.client("s3")))
        make = stack.clients

        def clients() -> Any:  # noqa: ANN401
            made = make()
            made.s3 = bureau.s3
            return made

        stack.clients = clients  # type: ignore[method-assign]
        yield bureau


@pytest.fixture
def bureau() -> Iterator[Bureau]:
    """A bureau."""
    with a_bureau() as bureau:
        yield bureau


NAMES = ["ann@example.com", "bob@example.com", "cleo@example.com", "dan@example.com"]


def bounces(*names: str) -> list[Fact]:
    """Return a hard bounce of each address."""
    return [a_fact(address=name) for name in names]


def waiting_for_ses(bureau: Bureau) -> ImportJob:
    """Return the import that is under way after a sweep of four bounces."""
    bureau.learn(*bounces(*NAMES))
    bureau.sweep()
    [one] = bureau.ledger().jobs
    assert one.stage is Stage.RUNNING
    return one


# --- As it should go --------------------------------------------------------------------------------------------------


def test_a_backlog_is_imported(bureau: Bureau) -> None:
    """What waits goes to SES in one job; the next sweep finds it done. Two calls of SES, and nothing is left."""
    bureau.learn(*bounces(*NAMES))
    begun = bureau.sweep()
    assert (begun["imports"], begun["published"], begun["put"], begun["still_pending"]) == ({"started": 1}, 4, 0, 0)
    done = bureau.sweep()
    assert (done["imported"], done["imports"], bureau.stack.listed()) == (
        4,
        {"completed": 1},
        dict.fromkeys(NAMES, "BOUNCE"),
    )
    calls = [bureau.called(one) for one in ("create_import_job", "get_import_job", "put_suppressed_destination")]
    assert (calls, bureau.due(), bureau.objects(), bureau.ledger().jobs) == ([1, 1, 0], [], [], ())
    stored = bureau.stack.contact(NAMES[0])
    assert (stored.synced, stored.lease, stored.leased_until, stored.retry_at) == ("BOUNCE", "", None, None)


def test_what_is_little_enough_is_not(bureau: Bureau) -> None:
    """As many as are cleared in time are written call by call."""
    bureau.learn(*bounces(*NAMES[:2]))
    done = bureau.sweep()
    assert (done["put"], bureau.called("create_import_job"), "imports" in done) == (2, 0, False)


def test_an_import_can_be_switched_off(bureau: Bureau) -> None:
    """Zero hours never import, but what is under way is seen to."""
    waiting_for_ses(bureau)
    bureau.learn(*bounces(*(f"{number}@example.com" for number in range(4))))
    done = bureau.sweep(hours=0)
    assert (done["imported"], done["put"], bureau.called("create_import_job")) == (4, 4, 1)


def test_every_spelling_is_imported_and_complaints_come_first(bureau: Bureau) -> None:
    """The object holds each variant with the reason of its contact, one JSON object a line."""
    bureau.learn(*bounces("ann@example.com", "Ann@example.com", "bob@example.com"))
    bureau.learn(a_fact(Verdict.COMPLAIN, address="cleo@example.com"))
    bureau.sweep()
    [text] = bureau.objects()
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines[0] == {"emailAddress": "cleo@example.com", "reason": "COMPLAINT"}
    assert {line["emailAddress"]: line["reason"] for line in lines[1:]} == dict.fromkeys(
        ["Ann@example.com", "ann@example.com", "bob@example.com"], "BOUNCE"
    )


def test_deletions_are_imported_by_themselves(bureau: Bureau) -> None:
    """Most wait to come off the list: they do, in one job, and who is to go on it is put by a call."""
    bureau.learn(*bounces(*NAMES))
    bureau.sweep()
    bureau.sweep()
    assert len(bureau.stack.listed()) == 4
    for name in NAMES:
        bureau.stack.reinstate(name)
    bureau.learn(a_fact(address="new@example.com", at=on_day(6)))
    begun = bureau.sweep()
    assert (begun["put"], begun["imports"]) == (1, {"started": 1})
    bureau.sweep()
    assert (bureau.stack.listed(), bureau.due()) == ({"new@example.com": "BOUNCE"}, [])
    assert bureau.stack.contact(NAMES[0]).synced == "NONE"


def test_what_ses_may_refuse_is_left_out(bureau: Bureau) -> None:
    """One entry SES does not take would spoil the job, and nobody could tell which."""
    odd = ["bounce@simulator.amazonses.com", '"odd one"@example.com']
    bureau.learn(*bounces(*NAMES, *odd))
    bureau.sweep()
    [text] = bureau.objects()
    assert [json.loads(line)["emailAddress"] for line in text.splitlines()] == NAMES
    # An entry of the mailbox simulator is never put.
    assert bureau.called("put_suppressed_destination") == 1


def test_one_import_at_a_time(bureau: Bureau) -> None:
    """While SES is at one, what else waits is written call by call."""
    bureau.stack.aws.suppression_list.import_jobs.duration = timedelta(hours=1)
    waiting_for_ses(bureau)
    bureau.learn(*bounces(*(f"{number}@example.com" for number in range(4))))
    done = bureau.sweep()
    assert (done["put"], done["imported"], bureau.called("create_import_job")) == (4, 0, 1)


def test_the_lag_is_told_while_ses_is_at_it(bureau: Bureau, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever watches sees how long the oldest has waited, although no sweep finds it due."""
    bureau.stack.aws.suppression_list.import_jobs.duration = timedelta(hours=1)
    waiting_for_ses(bureau)
    capsys.readouterr()
    bureau.sweep()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [lag] = [line["SuppressionLag"] for line in lines if "SuppressionLag" in line]
    assert lag == [pytest.approx(600_000, abs=2_000)]


# --- What moves meanwhile ---------------------------------------------------------------------------------------------


def test_who_moved_is_written_again(bureau: Bureau) -> None:
    """A reinstatement and a complaint while SES is at it end as they should; the others are done."""
    waiting_for_ses(bureau)
    bureau.stack.reinstate(NAMES[0])
    bureau.learn(a_fact(Verdict.COMPLAIN, address=NAMES[1], at=on_day(2)))
    assert bureau.sweep()["imported"] == 2
    bureau.sweep()
    assert bureau.stack.listed() == {NAMES[1]: "COMPLAINT", NAMES[2]: "BOUNCE", NAMES[3]: "BOUNCE"}
    assert bureau.due() == []


def test_nobody_writes_what_ses_is_at(bureau: Bureau) -> None:
    """The stream brings a change of a contact under an import's lease, and leaves it to the import."""
    bureau.stack.aws.suppression_list.import_jobs.duration = timedelta(hours=1)
    waiting_for_ses(bureau)
    bureau.learn(a_fact(Verdict.COMPLAIN, address=NAMES[1], at=on_day(2)))
    bureau.stack.drain()
    bureau.sweep()
    assert bureau.called("put_suppressed_destination") == 0


def test_what_takes_too_long_is_written_call_by_call_and_again_when_overwritten(bureau: Bureau) -> None:
    """Contacts are given back after a while. A job that is carried out after all, wrongly by then, is put right."""
    bureau.stack.aws.suppression_list.import_jobs.duration = IMPORT_LEASE_DURATION + timedelta(hours=2)
    waiting_for_ses(bureau)
    bureau.stack.reinstate(NAMES[0])
    assert bureau.sweep(IMPORT_LEASE_DURATION + FIVE_MINUTES)["put"] == 3
    assert bureau.stack.listed() == dict.fromkeys(NAMES[1:], "BOUNCE")
    assert bureau.sweep(timedelta(hours=2))["imports"] == {"completed": 1}
    assert NAMES[0] in bureau.stack.listed()
    bureau.sweep()
    assert (bureau.stack.listed(), bureau.due()) == (dict.fromkeys(NAMES[1:], "BOUNCE"), [])
    assert bureau.ledger().jobs == ()


# --- What goes wrong --------------------------------------------------------------------------------------------------


def test_a_sandbox_imports_nothing() -> None:
    """SES refuses; the contacts go back to be written one by one, and it is a while until the next attempt."""
    with a_bureau(sandbox=True) as bureau:
        bureau.learn(*bounces(*NAMES))
        assert bureau.sweep()["imports"] == {"rejected: BadRequestException": 1}
        assert bureau.sweep()["imports"] == {"abandoned": 1}
        assert bureau.stack.contact(NAMES[0]).lease == ""
        bureau.sweep()
        assert (bureau.called("create_import_job"), len(bureau.due()), bureau.objects()) == (1, 4, [])
        assert bureau.ledger().paused_until is not None


def test_after_a_rest_it_is_tried_again(bureau: Bureau) -> None:
    """A refusal is not for ever."""
    bureau.stack.sesv2.only, bureau.stack.sesv2.faults = "create_import_job", {0: fails_with("LimitExceededException")}
    bureau.learn(*bounces(*NAMES))
    bureau.sweep()
    bureau.sweep(hours=1)
    bureau.stack.sesv2.faults = {}
    bureau.learn(*bounces(*(f"{number}@example.com" for number in range(4))))
    bureau.sweep(PAUSE)
    bureau.sweep()
    assert (len(bureau.stack.listed()), bureau.due()) == (8, [])


def test_a_busy_ses_is_asked_again(bureau: Bureau) -> None:
    """A throttle is waited out, a turn a call."""
    bureau.stack.sesv2.only, bureau.stack.sesv2.faults = (
        "create_import_job",
        {0: fails_with("TooManyRequestsException")},
    )
    waiting_for_ses(bureau)
    assert bureau.called("create_import_job") == 2


@pytest.mark.parametrize("fault", [times_out, loses_response, fails_with("InternalFailure")])
def test_a_job_nobody_knows_of(bureau: Bureau, fault: Any) -> None:  # noqa: ANN401 (a fault)
    """Contacts go back when whoever asked must be dead; what the job may have written is put right in the end."""
    bureau.stack.sesv2.only, bureau.stack.sesv2.faults = "create_import_job", {0: fault}
    bureau.learn(*bounces(*NAMES))
    bureau.sweep()
    bureau.stack.sesv2.only = ""
    assert [one.stage for one in bureau.ledger().jobs] == [Stage.CREATING]
    bureau.stack.reinstate(NAMES[0])
    assert bureau.sweep(LEASE_DURATION)["imports"] == {"lost": 1}
    assert bureau.stack.contact(NAMES[1]).lease == ""
    bureau.sweep()
    # As the job does, when it is carried out at last.
    bureau.stack.aws.client("sesv2").put_suppressed_destination(EmailAddress=NAMES[0], Reason="BOUNCE")
    bureau.sweep(JOB_LIFETIME)
    bureau.sweep()
    assert bureau.stack.listed() == dict.fromkeys(NAMES[1:], "BOUNCE")
    assert (bureau.due(), bureau.ledger().jobs, bureau.objects()) == ([], (), [])


def test_a_job_that_fails(bureau: Bureau) -> None:
    """Its contacts are written one by one."""
    one = waiting_for_ses(bureau)
    bureau.stack.aws.client("s3").delete_object(Bucket=BUCKET, Key=f"imports/{one.name}")
    bureau.s3.only, bureau.s3.default_fault = "get_object", fails_with("InternalError")
    assert bureau.sweep()["imports"] == {"failed": 1}
    assert bureau.stack.contact(NAMES[0]).lease.startswith(one.name)
    assert bureau.sweep(IMPORT_LEASE_DURATION + FIVE_MINUTES)["put"] == 4


def test_a_job_with_a_failed_record(bureau: Bureau) -> None:
    """Nobody can tell which it was, so all are written one by one."""
    one = waiting_for_ses(bureau)
    job = bureau.stack.aws.suppression_list.import_jobs.get(one.job_id)  # nothing that is imported can fail
    assert job
    job.failed = 1
    assert bureau.sweep()["imports"] == {"failed": 1}
    bureau.sweep()
    assert (len(bureau.stack.listed()), bureau.ledger().paused_until is None) == (4, False)


def test_an_object_that_is_gone_is_given_up(bureau: Bureau) -> None:
    """An import whose object somebody deleted does not stand in the way for ever."""
    one = waiting_for_ses(bureau)
    bureau.stack.clock.sleep(600)
    bureau.stack.aws.suppression_list.entries()
    bureau.stack.aws.client("s3").delete_object(Bucket=BUCKET, Key=f"imports/{one.name}")
    bureau.sweep(JOB_LIFETIME)
    assert [import_.name for import_ in bureau.ledger().jobs] == [one.name]
    bureau.sweep(JOB_LIFETIME)
    assert (bureau.ledger().jobs, bureau.due()) == ((), [])


@pytest.mark.parametrize("fault", [times_out, returns_garbage])
@pytest.mark.parametrize("nth", [0, 1])
def test_s3_is_away(bureau: Bureau, nth: int, fault: Fault) -> None:
    """Nothing is imported without an object, and nobody's lease stays; a success without an ETag is not S3's."""
    bureau.s3.only, bureau.s3.faults = "put_object", {nth: fault}
    bureau.learn(*bounces(*NAMES))
    bureau.sweep()
    bureau.sweep()
    bureau.sweep()
    assert (len(bureau.stack.listed()), bureau.called("create_import_job")) == (4, 0)
    assert bureau.due() == []


def test_a_ledger_that_can_not_be_read_stops_only_imports(bureau: Bureau) -> None:
    """Somebody wrote the item: no import begins, the log says why, and the list follows call by call."""
    item = {**KEY, "rev": {"S": "?"}}
    bureau.stack.aws.client("dynamodb").put_item(TableName=bureau.stack.aws.table_name, Item=item)
    bureau.learn(*bounces(*NAMES))
    done = bureau.sweep()
    assert (done["imports"], done["put"], bureau.called("create_import_job")) == ({"unreadable-ledger": 1}, 4, 0)


def test_an_unreadable_contact_does_not_hold_up_an_import(bureau: Bureau) -> None:
    """Somebody wrote over a contact: the import is settled without it."""
    waiting_for_ses(bureau)
    broken = {"address": {"S": NAMES[0]}, "record": {"S": "contact"}}
    bureau.stack.aws.client("dynamodb").put_item(TableName=bureau.stack.aws.table_name, Item=broken)
    assert bureau.sweep()["imported"] == 3
    assert bureau.ledger().jobs == ()


def test_no_time_no_import(bureau: Bureau) -> None:
    """What would not be finished is not begun."""
    bureau.learn(*bounces(*NAMES))
    bureau.stack.clock.sleep(300)
    handler = bureau.stack.suppression(import_bucket=BUCKET, suppression_backlog_hours=1 / 3600)
    handler({"source": "ses-feedback"}, FakeContext(timedelta(seconds=80)))
    assert (bureau.called("create_import_job"), len(bureau.stack.listed())) == (0, 4)

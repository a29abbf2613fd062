"""`feedbackctl reinstate` on AWS emulated in this process."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from feedbackctl.__main__ import main
from feedbackctl.commands import reinstate
from localaws.in_process.embedded_aws import EmbeddedAws
from ses_feedback.aws.clients import Clients
from ses_feedback.handlers import feedback, suppression
from ses_feedback.settings import Settings
from tests.support.builders import RECIPIENT, START, a_bounce, a_complaint, a_subscription
from tests.support.deployed_functions import FakeContext
from tests.support.faulty_client import FaultyClient, fails_with


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    """A new AWS."""
    with EmbeddedAws() as embedded:
        yield embedded


def run(aws: EmbeddedAws, address: str, reason: str = "asked by phone", *flags: str) -> tuple[int, str]:
    """Run the command, and return its exit code and output."""
    arguments = ["reinstate", address, "--table", aws.table_name, "--reason", reason, *flags]
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


def sync(aws: EmbeddedAws) -> None:
    """Pass the table's stream to SuppressionFunction."""
    settings = Settings(aws.table_name)
    handler = suppression.compose(settings, Clients(), now=aws.clock.now, sleep=aws.clock.sleep)
    while records := aws.stream_records():
        handler({"Records": records}, FakeContext())


def receive_feedback(aws: EmbeddedAws, event: dict[str, Any]) -> None:
    """Process an event and update the suppression list."""
    handler = feedback.compose(Settings(aws.table_name), Clients(), now=aws.clock.now, sleep=aws.clock.sleep)
    assert handler(event, FakeContext()) == {"applied": 1}
    sync(aws)


def test_reinstated_contact_may_receive_email_and_leaves_the_list(aws: EmbeddedAws) -> None:
    receive_feedback(aws, a_bounce())
    assert [entry.email_address for entry in aws.suppression_list.entries()] == [RECIPIENT]
    assert run(aws, f"Display Name <{RECIPIENT}>") == (0, "The contact is active.\n")
    sync(aws)
    [contact] = aws.contacts()
    assert (contact["may_send"], contact["cleared_reason"]) == ({"BOOL": True}, {"S": "asked by phone"})
    assert aws.suppression_list.entries() == []
    assert aws.events()[-1]["detail"]["new_status"] == "active"


@pytest.mark.parametrize(
    ("event", "status"),
    [(a_complaint(), "complained"), (a_subscription(), "unsubscribed")],
    ids=["complaint", "opt-out"],
)
def test_complaint_and_opt_out_stay_unless_the_person_asked(
    aws: EmbeddedAws, event: dict[str, Any], status: str
) -> None:
    receive_feedback(aws, event)
    code, output = run(aws, RECIPIENT)
    assert (code, output.splitlines()) == (
        0,
        [
            f"The contact is {status}.",
            "Only the person can withdraw this: give --they-asked if the person asked for email again.",
        ],
    )
    assert run(aws, RECIPIENT, "asked by phone", "--they-asked") == (0, "The contact is active.\n")
    [contact] = aws.contacts()
    assert (contact["may_send"], contact["opted_in_reason"]) == ({"BOOL": True}, {"S": "asked by phone"})


def test_feedback_from_before_a_reinstatement_changes_nothing(aws: EmbeddedAws) -> None:
    receive_feedback(aws, a_bounce())
    run(aws, RECIPIENT)
    receive_feedback(aws, a_bounce())
    assert [contact["status"] for contact in aws.contacts()] == [{"S": "active"}]


def test_second_reinstatement_at_the_same_time_changes_nothing(
    aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reinstate, "utc_now", lambda: START)
    first = run(aws, RECIPIENT), aws.contacts()
    assert first[0] == (0, "The contact is active.\n")
    assert (run(aws, RECIPIENT), aws.contacts()) == first


def test_contact_that_cannot_be_written_is_an_error_after_ten_attempts(
    aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = fails_with("InternalServerError")
    broken = FaultyClient(aws.client("dynamodb"), default_fault=refused, only="batch_execute_statement")
    monkeypatch.setattr(Clients, "dynamodb", broken)
    assert run(aws, RECIPIENT) == (1, "Error: the contact cannot be written: InternalServerError; try again\n")
    assert (broken.count("batch_execute_statement"), aws.contacts()) == (10, [])


@pytest.mark.parametrize("address", ["no-domain", "caf\udce9@example.com", "cafe@caf\udce9.example.com"])
def test_invalid_address_is_an_error_that_does_not_repeat_it(aws: EmbeddedAws, address: str) -> None:
    code, output = run(aws, address)
    assert (code, "give the bare address" in output, address in output, aws.contacts()) == (1, True, False, [])


@pytest.mark.parametrize("event", [a_bounce(), a_bounce("Transient", "MailboxFull")], ids=["status", "soft_bounce"])
def test_evidence_newer_than_the_clock_is_an_error_and_is_not_overridden(
    aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch, event: dict[str, Any]
) -> None:
    """Either the clock is slow or the feedback has a date in the future."""
    receive_feedback(aws, event)
    before = aws.contacts()
    monkeypatch.setattr(reinstate, "utc_now", lambda: START - timedelta(days=1))
    code, output = run(aws, RECIPIENT)
    assert (code, "@" in output) == (1, False)
    assert "newer than this machine's clock (2026-02-28T12:00:00.000Z)" in output
    assert aws.contacts() == before


@pytest.mark.parametrize(
    ("reason", "error"),
    [("", "empty"), (" \n", "empty"), ("x" * 501, "has 501 characters"), ("caf\udce9", "write it in UTF-8")],
    ids=["empty", "blank", "too long", "not text"],
)
def test_invalid_reason_is_an_error(aws: EmbeddedAws, reason: str, error: str) -> None:
    code, output = run(aws, RECIPIENT, reason)
    assert (code, error in output, aws.contacts()) == (1, True, [])


def test_reason_of_500_characters_is_stored_without_surrounding_space(aws: EmbeddedAws) -> None:
    assert run(aws, RECIPIENT, f" {'ä' * 500}\n") == (0, "The contact is active.\n")
    assert [contact["cleared_reason"] for contact in aws.contacts()] == [{"S": "ä" * 500}]


def test_unreadable_contact_is_an_error_with_its_name_in_the_runbook(aws: EmbeddedAws) -> None:
    item = {"address": {"S": RECIPIENT}, "record": {"S": "contact"}}
    aws.client("dynamodb").put_item(TableName=aws.table_name, Item=item)
    code, output = run(aws, RECIPIENT)
    assert (code, "unreadable-contact" in output) == (1, True)

"""`feedbackctl contact reinstate ADDRESS…`."""

from datetime import timedelta
from typing import Any

import pytest

from feedbackctl.commands.contact import reinstate
from ses_feedback.contacts.repository import ContactRepository
from tests.support.builders import OTHER_RECIPIENT, RECIPIENT, START, a_bounce, a_complaint, a_subscription
from tests.support.operated_stack import CALLER, OperatedStack

REASON = ("--reason", "asked by phone")


def run(stack: OperatedStack, *arguments: str, stdin: str | None = None) -> tuple[int, str]:
    """Run the command, and return its exit code and output."""
    result = stack.run("contact", "reinstate", *arguments, stdin=stdin)
    return result.exit_code, result.output


def test_reinstated_contact_may_receive_email_and_leaves_the_list(stack: OperatedStack) -> None:
    stack.receive(a_bounce())
    assert stack.listed() == {RECIPIENT}
    assert run(stack, f"Display Name <{RECIPIENT}>", *REASON)[0] == 0
    stack.sync()
    contact = stack.item(RECIPIENT)
    assert (contact["may_send"], contact["cleared_reason"]) == ({"BOOL": True}, {"S": "asked by phone"})
    assert stack.listed() == set()
    assert stack.aws.events()[-1]["detail"]["new_status"] == "active"


def test_history_has_caller_and_reason(stack: OperatedStack) -> None:
    run(stack, RECIPIENT, *REASON)
    [record] = [name for name in stack.records(RECIPIENT) if name.startswith("operator#")]
    item = stack.item(RECIPIENT, record)
    assert (item["caller"], item["reason"]) == ({"S": CALLER}, {"S": "asked by phone"})


@pytest.mark.parametrize(
    ("event", "status"),
    [(a_complaint(), "complained"), (a_subscription(), "unsubscribed")],
    ids=["complaint", "opt-out"],
)
def test_complaint_and_opt_out_stay_unless_the_person_asked(
    stack: OperatedStack, event: dict[str, Any], status: str
) -> None:
    stack.receive(event)
    code, output = run(stack, RECIPIENT, *REASON)
    assert (code, stack.status(RECIPIENT), "Give --they-asked" in output) == (0, status, True)
    assert run(stack, RECIPIENT, *REASON, "--they-asked")[0] == 0
    assert (stack.status(RECIPIENT), stack.item(RECIPIENT)["opted_in_reason"]) == ("active", {"S": "asked by phone"})


def test_they_asked_takes_one_address(stack: OperatedStack) -> None:
    code, output = run(stack, RECIPIENT, OTHER_RECIPIENT, *REASON, "--they-asked")
    assert (code, "each person asks for themselves" in output) == (2, True)


def test_addresses_are_read_from_standard_input(stack: OperatedStack) -> None:
    stack.receive(a_bounce(), a_bounce(recipients=(OTHER_RECIPIENT,)))
    lines = f"\ufeff{RECIPIENT}\r\n\n{OTHER_RECIPIENT}\n{RECIPIENT.upper()}\n"
    assert run(stack, "-", *REASON, "--yes", stdin=lines)[0] == 0
    assert [stack.status(address) for address in (RECIPIENT, OTHER_RECIPIENT)] == ["active", "active"]


def test_line_that_is_no_address_is_named_by_its_number(stack: OperatedStack) -> None:
    code, output = run(stack, "-", *REASON, "--yes", stdin=f"{RECIPIENT}\nsecret text\n")
    assert (code, "line 2 of standard input" in output, "secret" in output) == (2, True, False)
    assert stack.records(RECIPIENT) == []


def test_feedback_from_before_a_reinstatement_changes_nothing(stack: OperatedStack) -> None:
    stack.receive(a_bounce())
    run(stack, RECIPIENT, *REASON)
    stack.receive(a_bounce())
    assert stack.status(RECIPIENT) == "active"


def test_contact_that_cannot_be_written_is_an_error(stack: OperatedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ContactRepository, "write", lambda *_: "InternalServerError")
    code, output = run(stack, RECIPIENT, *REASON)
    assert (code, "1 of 1 contacts were not changed: InternalServerError" in output) == (1, True)
    assert stack.records(RECIPIENT) == []


@pytest.mark.parametrize("address", ["no-domain", "caf\udce9@example.com", "cafe@caf\udce9.example.com"])
def test_invalid_address_is_an_error_that_does_not_repeat_it(stack: OperatedStack, address: str) -> None:
    code, output = run(stack, address, *REASON)
    assert (code, "give the bare address" in output, address in output) == (2, True, False)


@pytest.mark.parametrize("event", [a_bounce(), a_bounce("Transient", "MailboxFull")], ids=["status", "soft_bounce"])
def test_evidence_newer_than_the_clock_is_not_overridden(
    stack: OperatedStack, monkeypatch: pytest.MonkeyPatch, event: dict[str, Any]
) -> None:
    """Either the clock is slow or the feedback has a date in the future."""
    stack.receive(event)
    before = stack.item(RECIPIENT)
    monkeypatch.setattr(reinstate, "utc_now", lambda: START - timedelta(days=1))
    code, output = run(stack, RECIPIENT, *REASON)
    assert (code, "newer than this machine's clock (2026-02-28T12:00:00.000Z)" in output) == (1, True)
    assert stack.item(RECIPIENT) == before


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("x" * 501, "has 501 characters"),
        ("caf\udce9", "plain text"),
        ("a\x1b", "plain"),
    ],
    ids=["empty", "blank", "too long", "not text", "control character"],
)
def test_invalid_reason_is_a_usage_error(stack: OperatedStack, reason: str, error: str) -> None:
    code, output = run(stack, RECIPIENT, "--reason", reason)
    assert (code, error in output, stack.records(RECIPIENT)) == (2, True, [])


def test_unreadable_contact_is_an_error_with_its_name_in_the_runbook(stack: OperatedStack) -> None:
    item = {"address": {"S": RECIPIENT}, "record": {"S": "contact"}}
    stack.aws.client("dynamodb").put_item(TableName=stack.aws.table_name, Item=item)
    for command in ("reinstate", "show", "explain"):
        options = REASON if command == "reinstate" else ()
        result = stack.run("contact", command, RECIPIENT, *options)
        assert (result.exit_code, "unreadable-contact" in result.output) == (1, True)

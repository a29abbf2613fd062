"""`feedbackctl list diff` and `list reconcile`: each difference, drift under throttling, and interruptions."""

import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from feedbackctl.list_comparison import list_pages, reconciliation
from ses_feedback.contacts.repository import ContactRepository
from tests.support.builders import a_bounce, a_complaint, a_mail
from tests.support.operated_stack import OperatedStack, operated_stack

APPLY = ("list", "reconcile", "--apply", "--reason", "drift", "--yes")
CONTACTS = 20
CLOCKS = (
    "stack",
    "contacts.changes",
    "contacts.list_entries",
    "commands.contact.reinstate",
    "commands.list.reconcile",
    "list_comparison.list_pages",
    "list_comparison.reconciliation",
)
"""Modules that use this machine's clock. Here it is the stack's, which counts the waits without waiting."""


def reader(number: int) -> str:
    return f"reader-{number:02d}@example.org"


def feedback(number: int) -> dict[str, Any]:
    address = reader(number)
    mail = a_mail(destination=[address], messageId=f"0100019a-{number:06d}")
    make = a_complaint if number % 3 == 0 else a_bounce
    return make(recipients=(address,), mail=mail, feedbackId=f"0100019b-{number:06d}")


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OperatedStack]:
    monkeypatch.chdir(tmp_path)
    with operated_stack(calls_per_second=None) as running:
        for module in CLOCKS:
            monkeypatch.setattr(f"feedbackctl.{module}.utc_now", running.aws.clock.now)
        for module in ("stack", "list_comparison.list_pages"):
            monkeypatch.setattr(f"feedbackctl.{module}.time", SimpleNamespace(sleep=running.aws.clock.sleep))
        running.receive(*(feedback(number) for number in range(CONTACTS)))
        yield running


def counts(stack: OperatedStack) -> dict[str, int]:
    """Return the differences that `list diff` finds."""
    found = json.loads(stack.run("list", "diff", "--json").stdout)["differences"]
    return {name: one["count"] for name, one in found.items() if one["count"]}


def listed(stack: OperatedStack) -> dict[str, str]:
    return {entry.email_address: entry.reason.value for entry in stack.aws.suppression_list.entries()}


def drift(stack: OperatedStack, seed: int) -> None:
    """Change a tenth of the list at random, as other programs and operators do."""
    chance = random.Random(seed)  # noqa: S311 (a repeatable choice)
    entries = stack.aws.suppression_list
    for number in chance.sample(range(CONTACTS), CONTACTS // 10):
        if chance.random() < 0.5 or number % 3:
            entries.delete(reader(number))
        else:
            entries.put(reader(number), "BOUNCE")


def test_list_in_step_has_no_difference(stack: OperatedStack) -> None:
    result = stack.run("list", "diff")
    assert (result.exit_code, counts(stack)) == (0, {"in_step": CONTACTS})
    assert "SES uses entries with the reasons BOUNCE and COMPLAINT." in result.stdout


def test_each_difference_is_named(stack: OperatedStack) -> None:
    entries = stack.aws.suppression_list
    entries.delete(reader(1))
    entries.put(reader(3), "BOUNCE")
    entries.put(reader(4), "COMPLAINT")
    entries.put("stranger@example.org", "BOUNCE")
    stack.run("contact", "suppress", "pending@example.org", "--reason", "legal")
    stack.run("contact", "unsubscribe", "opted-out@example.org", "--reason", "by post")
    entries.put("opted-out@example.org", "COMPLAINT")
    expected = {"missing": 1, "other_reason": 1, "not_required": 2, "without_contact": 1, "pending": 1}
    assert counts(stack) == expected | {"in_step": CONTACTS - 3}
    document = json.loads(stack.run("list", "diff", "--json").stdout)
    assert document["differences"]["missing"]["samples"] == [reader(1)]
    assert stack.run("list", "diff").exit_code == 1


def test_entry_of_a_reinstated_contact_under_an_unknown_variant_is_stale(stack: OperatedStack) -> None:
    stack.aws.suppression_list.put("READER-01@example.org", "BOUNCE")
    stack.run("contact", "reinstate", reader(1), "--reason", "works again")
    stack.sync()
    assert counts(stack)["stale"] == 1
    stack.run(*APPLY)
    stack.sync()
    assert counts(stack) == {"in_step": CONTACTS - 1}
    assert stack.status(reader(1)) == "active"


def test_entries_that_are_not_understood_are_never_deleted(stack: OperatedStack) -> None:
    entries = stack.aws.suppression_list
    entries.put("stranger@example.org", "BOUNCE")
    entries.put(reader(4), "COMPLAINT")
    stack.run(*APPLY)
    stack.sync()
    assert listed(stack)["stranger@example.org"] == "BOUNCE"
    assert listed(stack)[reader(4)] == "COMPLAINT"


@pytest.mark.parametrize("seed", range(2))
def test_drift_under_throttling_converges_in_one_pass(
    stack: OperatedStack, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(list_pages, "PAGE_SIZE", 7)
    before = listed(stack)
    drift(stack, seed)
    assert listed(stack) != before
    stack.aws.suppression_list.quota = type(stack.aws.suppression_list.quota)(1.0)
    result = stack.run(*APPLY)
    assert result.exit_code == 0, result.output
    stack.aws.suppression_list.quota = type(stack.aws.suppression_list.quota)(None)
    stack.sync()
    assert listed(stack) == before
    assert counts(stack) == {"in_step": CONTACTS}


def test_second_run_writes_nothing(stack: OperatedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    drift(stack, 1)
    stack.run(*APPLY)
    contacts = stack.aws.contacts()
    with monkeypatch.context() as patch:
        patch.setattr(ContactRepository, "_execute", lambda *_: pytest.fail("a write"))
        assert stack.run(*APPLY).exit_code == 0
    assert stack.aws.contacts() == contacts
    stack.sync()
    [operation] = stack.json("contact", "operations")["operations"]
    assert operation["state"] == "done"


def test_without_apply_nothing_changes(stack: OperatedStack) -> None:
    drift(stack, 1)
    before = stack.aws.contacts(), listed(stack)
    assert stack.run("list", "reconcile", "--reason", "look").exit_code == 0
    assert (stack.aws.contacts(), listed(stack)) == before


def test_repaired_contact_has_a_history_item(stack: OperatedStack) -> None:
    stack.aws.suppression_list.delete(reader(1))
    stack.run(*APPLY)
    [record] = [one for one in stack.records(reader(1)) if one.startswith("operator#")]
    item = stack.item(reader(1), record)
    assert (item["action"]["S"], item["reason"]["S"]) == ("reconcile", "drift")


def test_reasons_that_ses_ignores_are_the_first_line(stack: OperatedStack) -> None:
    stack.aws.suppression_list.put_account_attributes(["BOUNCE"])
    assert "SES ignores entries with the reason COMPLAINT" in stack.run("list", "diff").stdout.splitlines()[0]


def test_expired_token_reads_the_list_again(stack: OperatedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_pages, "PAGE_SIZE", 25)
    pages = itertools.count(1)
    read_page = list_pages._read_page  # noqa: SLF001

    def expire(stack_: Any, token: str) -> Any:  # noqa: ANN401 (its own)
        return None if next(pages) == 2 else read_page(stack_, token)

    monkeypatch.setattr(list_pages, "_read_page", expire)
    assert counts(stack) == {"in_step": CONTACTS}


def test_denied_call_is_unknown(stack: OperatedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_pages, "ATTEMPTS", 0)
    result = stack.run("list", "diff")
    assert (result.exit_code, "SES did not return its list" in result.stderr) == (3, True)


@pytest.mark.parametrize("write", range(1, 3))
def test_reconciliation_that_is_interrupted_at_any_write_is_completed_by_the_next_run(
    stack: OperatedStack, monkeypatch: pytest.MonkeyPatch, write: int
) -> None:
    before = listed(stack)
    drift(stack, 2)
    monkeypatch.setattr(reconciliation, "READ_AT_ONCE", 3)
    execute, calls = ContactRepository._execute, itertools.count(1)  # noqa: SLF001

    def interrupt(repository: ContactRepository, writes: Any) -> Any:  # noqa: ANN401 (its own)
        outcomes = execute(repository, writes)
        if next(calls) == write:
            raise KeyboardInterrupt
        return outcomes

    with monkeypatch.context() as patch:
        patch.setattr(ContactRepository, "_execute", interrupt)
        assert "Interrupted" in stack.run(*APPLY).stderr
    stack.run(*APPLY)
    stack.sync()
    items = [record for number in range(CONTACTS) for record in stack.records(reader(number)) if "reconcile" in record]
    assert (listed(stack), len(items)) == (before, CONTACTS // 10)

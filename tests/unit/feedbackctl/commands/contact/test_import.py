"""`feedbackctl contact import`: contacts, history and events, and what is left after an interruption anywhere."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from feedbackctl.contact_import import plan
from ses_feedback.contacts.repository import ContactRepository
from tests.support.builders import OTHER_RECIPIENT, RECIPIENT, a_bounce, a_complaint, a_delivery
from tests.support.exported_files import POSTMARK, SENDGRID_BOUNCES
from tests.support.operated_stack import CALLER, OperatedStack, operated_stack

MOVE = ("--reason", "moved to SES")
NUMBER = 12


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """A file with a few of each kind, one address twice, and bad lines."""
    path = tmp_path / "any.csv"
    kinds = ("bounce", "complaint", "unsubscribe")
    rows = [f"reader-{number}@example.org,{kinds[number % 3]},2024-03-{number + 1:02d}" for number in range(NUMBER)]
    rows += ["Reader-0@example.org,bounce,2024-05-01", "nonsense,bounce,2024-05-01", "", "a@example.org,odd,"]
    path.write_text("Address,Why,When\n" + "\n".join(rows) + "\n")
    return path


def command(path: Path, *options: str) -> tuple[str, ...]:
    columns = ("--columns", "email=Address,reason=Why,date=When")
    return ("contact", "import", str(path), *columns, *MOVE, *options)


def state(stack: OperatedStack) -> dict[str, Any]:
    """Return each contact without its number of writes, and its history items without ids of operations."""
    left = {}
    for contact in stack.aws.contacts():
        address = contact["address"]["S"]
        items = [stack.item(address, record) for record in stack.records(address) if record != "contact"]
        kept = ("action", "source", "stated_reason", "stated_at", "reason", "caller")
        history = sorted(tuple(item.get(name, {}).get("S", "") for name in kept) for item in items)
        waiting = {"pending_since", "pending_at", "rev"}
        left[address] = ({name: value for name, value in contact.items() if name not in waiting}, history)
    return left


def test_each_changed_contact_has_its_date_reason_and_history(stack: OperatedStack, exported: Path) -> None:
    result = stack.run(*command(exported, "--source", "crm", "--yes"))
    assert result.exit_code == 1
    assert "Lines that could not be read and are not imported: 2." in result.stderr
    item = stack.item("reader-1@example.org")
    assert item["complained_at"] == {"S": "2024-03-02T00:00:00.000Z"}
    assert item["reason"] == {"S": "Import/crm-complaint"}
    [record] = [one for one in stack.records("reader-1@example.org") if one != "contact"]
    history = stack.item("reader-1@example.org", record)
    found = {
        name: history[name]["S"] for name in ("action", "caller", "reason", "source", "stated_reason", "stated_at")
    }
    assert found == {
        "action": "import",
        "caller": CALLER,
        "reason": "moved to SES",
        "source": "crm (complaint)",
        "stated_reason": "complaint",
        "stated_at": "2024-03-02T00:00:00.000Z",
    }
    [operation] = stack.json("contact", "operations")["operations"]
    assert (operation["id"], operation["state"]) == (history["operation"]["S"], "done")


def test_second_run_changes_nothing(stack: OperatedStack, exported: Path) -> None:
    stack.run(*command(exported, "--yes"))
    before = stack.aws.contacts(), state(stack)
    result = stack.run(*command(exported, "--yes"))
    assert (stack.aws.contacts(), state(stack)) == before
    assert "Nothing was changed." in result.stdout


def test_address_twice_in_a_file_keeps_the_latest_date_in_any_order(stack: OperatedStack, tmp_path: Path) -> None:
    path = tmp_path / "twice.csv"
    path.write_text("Address,Why,When\na@example.org,bounce,2024-05-01\nA@example.org,bounce,2024-03-01\n")
    document = json.loads(stack.run(*command(path, "--yes", "--json")).stdout)
    assert document["results"] == {"import": 1, "known": 1, "failed": 0}
    assert stack.item("a@example.org")["bounced_at"] == {"S": "2024-05-01T00:00:00.000Z"}


def test_dry_run_writes_nothing(stack: OperatedStack, exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ContactRepository, "_execute", lambda *_: pytest.fail("a write"))
    assert stack.run(*command(exported, "--dry-run")).exit_code == 0
    assert (stack.aws.contacts(), stack.records("operations")) == ([], [])


def test_contact_goes_on_the_list_and_no_event_is_published(stack: OperatedStack, exported: Path) -> None:
    stack.run(*command(exported, "--yes"))
    stack.sync()
    assert {"reader-0@example.org", "reader-1@example.org"} <= {address.lower() for address in stack.listed()}
    assert "reader-2@example.org" not in stack.listed()
    assert stack.aws.events() == []


def test_later_feedback_publishes_the_change_from_the_imported_status(stack: OperatedStack, exported: Path) -> None:
    stack.run(*command(exported, "--yes"))
    stack.sync()
    stack.receive(a_complaint(recipients=("reader-0@example.org",)))
    [event] = stack.aws.events()
    assert (event["detail"]["old_status"], event["detail"]["new_status"]) == ("bounced", "complained")


def test_publish_publishes_one_event_for_each_contact(stack: OperatedStack, exported: Path) -> None:
    stack.run(*command(exported, "--publish", "--yes"))
    stack.sync()
    changes = [one for one in stack.aws.events() if one["detail-type"] == "Contact Status Changed"]
    assert sorted(one["detail"]["address"] for one in changes) == sorted(state(stack))


def test_event_that_was_pending_before_is_published(stack: OperatedStack, tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("Address,Why,When\nnew@example.org,complaint,2024-05-01\n")
    stack.run("contact", "suppress", "new@example.org", "--reason", "legal")
    stack.run(*command(path, "--yes"))
    stack.sync()
    [event] = stack.aws.events()
    assert (event["detail"]["old_status"], event["detail"]["new_status"]) == ("active", "complained")


def test_known_contacts_are_not_weakened(stack: OperatedStack, tmp_path: Path) -> None:
    stack.receive(a_bounce(), a_complaint(recipients=(OTHER_RECIPIENT,)), a_delivery(recipients=("ok@example.com",)))
    path = tmp_path / "any.csv"
    addresses = (RECIPIENT, OTHER_RECIPIENT, "ok@example.com")
    path.write_text("Address,Why,When\n" + "".join(f"{one},bounce,2020-01-01\n" for one in addresses))
    stack.run(*command(path, "--yes"))
    assert [stack.status(one) for one in addresses] == ["bounced", "complained", "active"]
    document = json.loads(stack.run(*command(path, "--force", "--yes", "--json")).stdout)
    assert document["results"]["import"] == 1
    assert [stack.status(one) for one in addresses] == ["bounced", "complained", "bounced"]


def test_standard_input_is_read(stack: OperatedStack) -> None:
    result = stack.run("contact", "import", "-", *MOVE, "--yes", "--json", stdin=POSTMARK.text)
    document = json.loads(result.stdout)
    assert (document["format"], document["results"]["import"]) == ("postmark", 4)


def test_undo_refuses_an_import(stack: OperatedStack, exported: Path) -> None:
    stack.run(*command(exported, "--yes"))
    [operation] = stack.json("contact", "operations")["operations"]
    result = stack.run("contact", "reinstate", "--undo", operation["id"], *MOVE, "--yes")
    assert (result.exit_code, "import" in result.stderr) == (1, True)


def test_unreadable_item_is_reported_and_hides_no_other(stack: OperatedStack, exported: Path) -> None:
    key = {"address": {"S": "reader-3@example.org"}, "record": {"S": "contact"}}
    stack.aws.client("dynamodb").put_item(TableName=stack.aws.table_name, Item=key)
    document = json.loads(stack.run(*command(exported, "--yes", "--json")).stdout)
    assert {"kind": "bounce", "outcome": "unreadable", "entries": 1} in document["rows"]
    assert document["results"]["import"] == NUMBER


@pytest.mark.parametrize(
    "options",
    [
        ("--kind", "bounce"),
        ("--source", "crm"),
        ("--columns", "email=Address", "--format", "postmark", "--kind", "bounce"),
        ("--columns", "email=Address"),
        ("--columns", "email=Address", "--kind", "bounce", "--source", "two words"),
        ("--format", "unknown"),
        ("--stream", "a b"),
    ],
)
def test_contradicting_options_are_a_usage_error(
    stack: OperatedStack, exported: Path, options: tuple[str, ...]
) -> None:
    assert stack.run("contact", "import", str(exported), *MOVE, *options).exit_code == 2


def test_without_a_terminal_the_import_needs_yes(stack: OperatedStack, exported: Path) -> None:
    result = stack.run(*command(exported))
    assert (result.exit_code, stack.aws.contacts()) == (1, [])
    assert "--yes" in result.stderr


def test_forced_format_reads_an_ambiguous_file(stack: OperatedStack, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(SENDGRID_BOUNCES.text)
    arguments = ("contact", "import", str(path), *MOVE, "--yes", "--json")
    assert stack.run(*arguments).exit_code == 1
    assert json.loads(stack.run(*arguments, "--format", "sendgrid-bounces").stdout)["results"]["import"] == 1


# --- Interruptions ------------------------------------------------------------------------------------------------


@pytest.fixture
def whole(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The state after an import in small batches that nothing interrupts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plan, "BATCH", 5)
    with operated_stack(calls_per_second=None) as stack:
        stack.run(*command(exported, "--yes"))
        return state(stack)


@pytest.mark.parametrize("after_the_call", [False, True])
@pytest.mark.parametrize("write", range(1, 7))
def test_import_that_is_interrupted_at_any_write_is_completed_by_the_next_run(
    whole: dict[str, Any],
    stack: OperatedStack,
    exported: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: int,
    *,
    after_the_call: bool,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ContactRepository, "_execute", interrupted(itertools.count(1), write, after_the_call))
        assert "Interrupted" in stack.run(*command(exported, "--yes")).stderr
    result = stack.run(*command(exported, "--yes"))
    assert "It is continued." in result.stderr
    assert state(stack) == whole
    [operation] = stack.json("contact", "operations")["operations"]
    assert operation["state"] == "done"


def interrupted(calls: Iterator[int], number: int, after_the_call: bool) -> Any:  # noqa: ANN401, FBT001 (a method)
    """Return `ContactRepository._execute` with Ctrl-C before or after the call of this number."""
    execute = ContactRepository._execute  # noqa: SLF001

    def call(repository: ContactRepository, writes: Any) -> Any:  # noqa: ANN401 (its own)
        is_last = next(calls) == number
        if is_last and not after_the_call:
            raise KeyboardInterrupt
        outcomes = execute(repository, writes)
        if is_last:
            raise KeyboardInterrupt
        return outcomes

    return call


def test_contact_that_feedback_changes_meanwhile_keeps_both(
    stack: OperatedStack, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_all = ContactRepository.write_all
    receive = iter([lambda: stack.receive(a_complaint(recipients=("reader-0@example.org",)))])

    def after_feedback(repository: ContactRepository, records: Any) -> Any:  # noqa: ANN401 (its own)
        with monkeypatch.context() as patch:
            patch.setattr(ContactRepository, "write_all", write_all)
            next(receive, lambda: None)()
        return write_all(repository, records)

    monkeypatch.setattr(ContactRepository, "write_all", after_feedback)
    stack.run(*command(exported, "--yes"))
    item = stack.item("reader-0@example.org")
    assert {"complained_at", "bounced_at"} <= item.keys()

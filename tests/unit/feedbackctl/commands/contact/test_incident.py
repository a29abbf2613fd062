"""`feedbackctl contact reinstate --where`: an incident is repaired completely, and nothing else is."""

import json
import time
from typing import Any

import pytest

from feedbackctl.aws_session import AwsSession
from feedbackctl.contacts import bulk_reinstatement, operations
from localaws.suppression_list.errors import BadRequestError
from ses_feedback.contacts.repository import ContactRepository
from tests.support.incident import WHERE, bystanders, incident, reader
from tests.support.operated_stack import BUCKET, CALLER, OperatedStack

READERS = 12
READER_ADDRESSES = [reader(number) for number in range(READERS)]
COMMAND = ("contact", "reinstate", "--where", *WHERE, "--reason", "DMARC record was wrong")


@pytest.fixture
def hit(stack: OperatedStack) -> OperatedStack:
    """Return the stack after the incident."""
    stack.receive(*incident(READERS))
    return stack


def statuses(stack: OperatedStack) -> dict[str, str]:
    return {item["address"]["S"]: item["status"]["S"] for item in stack.aws.contacts()}


def operator_items(stack: OperatedStack, address: str) -> list[dict[str, Any]]:
    return [stack.item(address, record) for record in stack.records(address) if record.startswith("operator#")]


def test_exactly_the_incidents_contacts_are_reinstated(hit: OperatedStack) -> None:
    before = statuses(hit)
    document = hit.json(*COMMAND, "--yes")
    after = statuses(hit)
    assert {address for address in before if after[address] != before[address]} == set(READER_ADDRESSES)
    assert {after[address] for address in READER_ADDRESSES} == {"active"}
    numbers = (document["matched"], document["kept_back"], document["undetermined"], document["results"])
    assert numbers == (READERS, 1, 0, {"reinstated": READERS})
    hit.sync()
    assert hit.listed() == set(bystanders())


def test_preview_groups_diagnostics_and_has_ten_samples(hit: OperatedStack) -> None:
    document = hit.json(*COMMAND, "--dry-run")
    assert document["samples"] == READER_ADDRESSES[:10]
    [group] = document["diagnostics"]
    assert (group["contacts"], "gsmtp" in group["text"], "ID - gsmtp" in group["text"]) == (READERS, True, True)
    assert (document["operation"], set(statuses(hit).values())) == (None, {"bounced", "complained"})


def test_each_contact_records_caller_reason_and_operation(hit: OperatedStack) -> None:
    operation = hit.json(*COMMAND, "--yes")["operation"]
    for address in READER_ADDRESSES:
        [item] = operator_items(hit, address)
        texts = {name: item[name]["S"] for name in ("action", "caller", "reason", "operation")}
        assert texts == {
            "action": "reinstate",
            "caller": CALLER,
            "reason": "DMARC record was wrong",
            "operation": operation,
        }


def test_second_run_finds_nothing(hit: OperatedStack) -> None:
    hit.run(*COMMAND, "--yes")
    assert hit.json(*COMMAND, "--yes")["matched"] == 0


def test_contact_without_history_is_undetermined_and_stays(hit: OperatedStack) -> None:
    address = READER_ADDRESSES[3]
    for record in hit.records(address):
        if record.startswith("feedback#"):
            key = {"address": {"S": address}, "record": {"S": record}}
            hit.aws.client("dynamodb").delete_item(TableName=hit.aws.table_name, Key=key)
    document = hit.json(*COMMAND, "--yes")
    assert (document["matched"], document["undetermined"]) == (READERS - 1, 1)
    assert hit.status(address) == "bounced"


def test_limit_reinstates_a_slice_and_the_next_run_the_next(hit: OperatedStack) -> None:
    assert hit.json(*COMMAND, "--limit", "5", "--yes")["results"] == {"reinstated": 5}
    assert hit.json(*COMMAND, "--limit", "5", "--yes")["results"] == {"reinstated": 5}
    assert hit.json(*COMMAND, "--limit", "5", "--yes")["results"] == {"reinstated": 2}


def test_list_entries_are_deleted_by_jobs_before_the_contacts_change(
    hit: OperatedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_reinstatement, "JOB_THRESHOLD", 1)
    monkeypatch.setattr(time, "sleep", hit.aws.clock.sleep)
    hit.json(*COMMAND, "--yes")
    assert hit.listed() == set(bystanders())
    item = hit.item(READER_ADDRESSES[0])
    assert (item["synced"], "list_pending" in item, "publish_pending" in item) == ({"S": "NONE"}, False, True)
    assert AwsSession().client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
    calls = len(hit.aws.events())
    hit.sync()
    assert len(hit.aws.events()) - calls == READERS


def test_without_import_jobs_the_stack_deletes_the_entries(hit: OperatedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox refuses jobs."""
    monkeypatch.setattr(bulk_reinstatement, "JOB_THRESHOLD", 1)

    def refuse(*_: object, **__: object) -> None:
        raise BadRequestError("sandbox")

    monkeypatch.setattr(type(hit.aws.suppression_list), "create_import_job", refuse)
    hit.json(*COMMAND, "--yes")
    assert "list_pending" in hit.item(READER_ADDRESSES[0])
    hit.sync()
    assert hit.listed() == set(bystanders())


def test_undo_restores_the_old_evidence(hit: OperatedStack) -> None:
    before = {address: hit.item(address)["reason"] for address in READER_ADDRESSES}
    operation = hit.json(*COMMAND, "--yes")["operation"]
    hit.sync()
    undone = hit.json("contact", "reinstate", "--undo", operation, "--reason", "real after all", "--yes")
    assert undone["results"] == {"restored": READERS, "kept": 0}
    hit.sync()
    assert {address: hit.item(address)["reason"] for address in READER_ADDRESSES} == before
    assert hit.listed() == {*bystanders(), *READER_ADDRESSES}
    again = hit.run("contact", "reinstate", "--undo", operation, "--reason", "again", "--yes")
    assert (again.exit_code, again.stderr) == (1, "Error: The operation is undone already.\n")


def test_undo_leaves_contacts_with_a_later_reinstatement(hit: OperatedStack) -> None:
    operation = hit.json(*COMMAND, "--yes")["operation"]
    hit.run("contact", "reinstate", READER_ADDRESSES[0], "--reason", "confirmed by phone")
    undone = hit.json("contact", "reinstate", "--undo", operation, "--reason", "wrong", "--yes")
    assert undone["results"] == {"restored": READERS - 1, "kept": 1}
    assert undone["problems"] == {"the contact changed after the operation": 1}
    assert hit.status(READER_ADDRESSES[0]) == "active"


@pytest.mark.parametrize("writes", [1, 8])
def test_interrupted_operation_is_continued_by_the_same_command(
    hit: OperatedStack, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    monkeypatch.setattr(operations, "CHUNK", 3)
    original = ContactRepository.write
    remaining = iter(range(writes))

    def interrupted(repository: ContactRepository, record: Any) -> str | None:  # noqa: ANN401
        if next(remaining, None) is None:
            raise KeyboardInterrupt
        return original(repository, record)

    with monkeypatch.context() as interruption:
        interruption.setattr(ContactRepository, "write", interrupted)
        first = hit.run(*COMMAND, "--yes", "--json")
    assert (first.exit_code, "Interrupted" in first.stderr) == (1, True)
    again = hit.run(*COMMAND, "--yes", "--json")
    assert (again.exit_code, "is unfinished" in again.stderr) == (0, True)
    assert {hit.status(address) for address in READER_ADDRESSES} == {"active"}
    [operation] = hit.json("contact", "operations")["operations"]
    assert (operation["state"], operation["id"]) == ("done", json.loads(again.stdout)["operation"])
    assert [len(operator_items(hit, address)) for address in READER_ADDRESSES] == [1] * READERS


def test_selection_of_complaints_is_refused(hit: OperatedStack) -> None:
    result = hit.run("contact", "reinstate", "--where", "--status", "complained", "--reason", "x", "--yes")
    assert (result.exit_code, "only the person can" in result.stderr) == (2, True)


def test_script_must_confirm_with_yes(hit: OperatedStack) -> None:
    result = hit.run(*COMMAND)
    assert (result.exit_code, "Give --yes" in result.stderr) == (1, True)
    assert hit.status(READER_ADDRESSES[0]) == "bounced"

"""`feedbackctl contact erase` and `export`."""

import csv
import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ses_feedback.contacts.contact import EVIDENCE_REGISTERS
from tests.support.builders import (
    MESSAGE_ID,
    OTHER_RECIPIENT,
    RECIPIENT,
    a_bounce,
    a_complaint,
    a_mail,
    a_subscription,
)
from tests.support.operated_stack import OperatedStack

REASON = ("--reason", "asked", "--yes")
TAGS = {"ses:configuration-set": ["receipts"], "customer": ["4711"]}


@pytest.fixture
def bounced(stack: OperatedStack) -> OperatedStack:
    """Return a stack with a bounced contact that another application uses as well, and a complainer."""
    stack.receive(a_bounce(mail=a_mail(tags=TAGS)), a_complaint(recipients=(OTHER_RECIPIENT,)))
    stack.aws.client("dynamodb").update_item(
        TableName=stack.aws.table_name,
        Key={"address": {"S": RECIPIENT}, "record": {"S": "contact"}},
        UpdateExpression="SET crm = :crm",
        ExpressionAttributeValues={":crm": {"S": "notes about the person"}},
    )
    return stack


@pytest.mark.parametrize("address", [RECIPIENT, OTHER_RECIPIENT])
def test_erased_contact_keeps_address_and_objection_only(bounced: OperatedStack, address: str) -> None:
    before = bounced.item(address)
    document = bounced.json("contact", "erase", address, *REASON)
    after = bounced.item(address)
    kept = ("address", "status", "may_send", "may_send_transactional", "status_at", "variants", "synced", "unsendable")
    assert {name: after.get(name) for name in kept} == {name: before.get(name) for name in kept}
    details = {f"{register}_{text}" for register in EVIDENCE_REGISTERS for text in ("reason", "message_id", "tags")}
    assert (details & after.keys(), "crm" in after, MESSAGE_ID in json.dumps(after)) == (set(), False, False)
    assert not any(record.startswith("feedback#") for record in bounced.records(address))
    assert (document["status"], document["forgotten"]) == (before["status"]["S"], False)
    assert address in bounced.listed()


def test_erased_contact_goes_on_with_new_feedback(bounced: OperatedStack) -> None:
    bounced.run("contact", "erase", RECIPIENT, *REASON)
    bounced.run("contact", "reinstate", RECIPIENT, "--reason", "asked again")
    bounced.sync()
    assert (bounced.status(RECIPIENT), RECIPIENT in bounced.listed()) == ("active", False)


def test_second_erasure_keeps_the_status(bounced: OperatedStack) -> None:
    for _ in range(2):
        assert bounced.json("contact", "erase", RECIPIENT, *REASON)["status"] == "bounced"


def test_forgotten_contact_is_neither_in_the_table_nor_on_the_list(bounced: OperatedStack) -> None:
    bounced.json("contact", "erase", RECIPIENT, "--forget", *REASON)
    assert (bounced.records(RECIPIENT), bounced.listed()) == ([], {OTHER_RECIPIENT})


def test_receipt_names_each_place_with_its_end(bounced: OperatedStack) -> None:
    receipt = bounced.json("contact", "erase", RECIPIENT, *REASON)["receipt"]
    places = {place["place"]: bool(place["until"]) for place in receipt}
    assert places == {
        "quarantine, dead letters, undelivered": True,
        "queues of the lanes": True,
        "point-in-time recovery of the table": True,
        "bulk operations": True,
        "contact": False,
        "SES suppression list": False,
        "your own applications, SES contact lists and exports": False,
    }


def test_export_has_each_contact_with_its_history(bounced: OperatedStack) -> None:
    lines: list[dict[str, Any]] = [json.loads(line) for line in bounced.run("contact", "export").stdout.splitlines()]
    assert {one["address"]: [entry["kind"] for entry in one["history"]] for one in lines} == {
        RECIPIENT: ["Bounce"],
        OTHER_RECIPIENT: ["Complaint"],
    }


def test_export_as_csv_has_one_line_for_each_contact(bounced: OperatedStack) -> None:
    rows = list(csv.DictReader(io.StringIO(bounced.run("contact", "export", "--csv").stdout)))
    assert {(row["address"], row["tags"]) for row in rows} == {(RECIPIENT, "customer=4711"), (OTHER_RECIPIENT, "")}


def test_export_as_sqlite_has_contacts_streams_and_history(bounced: OperatedStack, tmp_path: Path) -> None:
    bounced.run("contact", "unsubscribe", RECIPIENT, "--stream", "newsletter", "--reason", "by post")
    file = tmp_path / "contacts.sqlite"
    assert bounced.run("contact", "export", "--sqlite", str(file)).exit_code == 0
    with sqlite3.connect(file) as database:
        contacts = database.execute("SELECT address, status, domain FROM contacts ORDER BY address").fetchall()
        streams = database.execute("SELECT address, stream, register FROM streams").fetchall()
        history = database.execute("SELECT kind, caller IS NULL OR caller = '' FROM history ORDER BY kind").fetchall()
    database.close()
    assert contacts == [(OTHER_RECIPIENT, "complained", "example.com"), (RECIPIENT, "bounced", "example.com")]
    assert streams == [(RECIPIENT, "newsletter", "unsubscribed_from")]
    assert history == [("Bounce", 1), ("Complaint", 1), ("Operator", 0)]


def test_file_that_exists_is_not_overwritten(bounced: OperatedStack, tmp_path: Path) -> None:
    file = tmp_path / "contacts.sqlite"
    file.write_text("mine")
    result = bounced.run("contact", "export", "--sqlite", str(file))
    assert (result.exit_code, file.read_text()) == (1, "mine")


def test_export_that_fails_leaves_no_file(
    bounced: OperatedStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feedbackctl.contacts.sqlite_file._INDEXES", "no SQL")
    result = bounced.run("contact", "export", "--sqlite", str(tmp_path / "contacts.sqlite"))
    assert (result.exit_code, list(tmp_path.iterdir())) == (1, [])


def test_people_who_opted_out_of_a_stream_are_found(stack: OperatedStack) -> None:
    stack.receive(a_subscription(destination=(OTHER_RECIPIENT,)))
    stack.run("contact", "unsubscribe", RECIPIENT, "--stream", "newsletter", "--reason", "by post")
    found = stack.json("contact", "list", "--stream", "newsletter")["contacts"]
    assert [(one["address"], one["status"], one["no_streams"]) for one in found] == [
        (RECIPIENT, "active", ["newsletter"])
    ]

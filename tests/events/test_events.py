"""Every file in events/ has the outcome that its row in events/index.toml states.

About fifteen events also have a golden file with their complete outcome, down to the log lines. They show the reader
what the functions store, publish and log. `pytest tests/events --update-golden` rewrites them after a change.
"""

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from feedbackctl.replay.unapplied_messages import original_text
from localaws.in_process.embedded_aws import EmbeddedAws
from localaws.in_process.lambda_functions import Functions, Invocation
from localaws.in_process.virtual_clock import VirtualClock
from localaws.suppression_list.entries import SuppressedDestination
from ses_feedback.aws.metrics import METRICS
from ses_feedback.reading.envelope import read_records
from ses_feedback.settings import Settings

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "events"
GOLDEN = ROOT / "tests/events/golden"
INDEX: dict[str, dict[str, Any]] = tomllib.loads((EVENTS / "index.toml").read_text())
KEYS = {"shows", "expect", "contacts", "list", "history", "metrics", "quarantined"}
FILES = sorted(str(path.relative_to(EVENTS)) for path in EVENTS.rglob("*.json"))
GOLDEN_FILES = sorted(str(path.relative_to(GOLDEN)) for path in GOLDEN.rglob("*.json"))
NOW = datetime(2026, 12, 1, tzinfo=UTC)

Item = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Replayed:
    """An event, its row of the index, and its outcome in an empty AWS account."""

    name: str
    event: dict[str, Any]
    row: dict[str, Any]
    outcome: dict[str, Any]
    quarantined: list[str]

    def events(self, detail_type: str) -> list[dict[str, Any]]:
        """Return the published events of one detail-type."""
        return [event for event in self.outcome["events"] if event["detail-type"] == detail_type]


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    """One AWS for all events, because creating one takes longer than most events."""
    with EmbeddedAws(VirtualClock(NOW)) as aws:
        yield aws


@pytest.fixture(scope="module")
def functions(aws: EmbeddedAws) -> Functions:
    """The functions in that AWS."""
    return Functions(aws, Settings(aws.table_name, aws.quarantine_url, streams=("newsletter", "tips")))


@pytest.fixture(scope="module", params=FILES)
def replayed(request: pytest.FixtureRequest, aws: EmbeddedAws, functions: Functions) -> Replayed:
    """Each event after its function and SuppressionFunction have processed it."""
    name: str = request.param
    event: dict[str, Any] = json.loads((EVENTS / name).read_text())
    empty(aws)
    listed = aws.suppression_list.entries()
    invocations = [functions.suppression(event) if name.startswith("suppression/") else functions.feedback(event)]
    while changes := aws.stream_records():
        invocations.append(functions.suppression({"Records": changes}))
    quarantined = [original_text(*message) for message in aws.quarantined()]
    return Replayed(name, event, INDEX[name], outcome(aws, invocations, listed), quarantined)


def test_the_index_has_one_row_for_each_event() -> None:
    assert sorted(INDEX) == FILES


def test_the_index_has_no_unknown_keys() -> None:
    """A misspelled key would count as missing, that is, as "none"."""
    assert {name: set(row) - KEYS for name, row in INDEX.items() if not {"contacts"} <= set(row) <= KEYS} == {}


def test_every_golden_file_belongs_to_an_event() -> None:
    assert set(GOLDEN_FILES) <= set(FILES)


def test_an_event_has_the_outcome_of_its_golden_file(replayed: Replayed, request: pytest.FixtureRequest) -> None:
    if replayed.name not in GOLDEN_FILES:
        return
    golden = GOLDEN / replayed.name
    if request.config.getoption("--update-golden"):
        golden.write_text(json.dumps(replayed.outcome, indent=2) + "\n")
    assert json.loads(golden.read_text()) == replayed.outcome


def test_an_event_creates_exactly_the_contacts_of_its_row(replayed: Replayed) -> None:
    contacts = {contact["address"]: contact["status"] for contact in replayed.outcome["contacts"]}
    assert contacts == replayed.row["contacts"]


def test_an_event_adds_exactly_the_list_entries_of_its_row(replayed: Replayed) -> None:
    """Each entry has the address as SES spelled it."""
    assert replayed.outcome["suppression_list"] == replayed.row.get("list", {})


def test_an_event_stores_exactly_the_history_of_its_row(replayed: Replayed) -> None:
    expected = replayed.row.get("history", [])
    history = replayed.outcome["history"]
    assert len(history) == len(expected)
    assert [{name: item.get(name) for name in row} for item, row in zip(history, expected, strict=True)] == expected


def test_the_history_of_an_event_quotes_the_event(replayed: Replayed) -> None:
    """Ids, DSN fields and configuration set are copied, not composed; a long diagnostic code is shortened."""
    texts = set(strings(replayed.event))
    for item in replayed.outcome["history"]:
        for name in ("message_id", "feedback_id", "action", "status", "configuration_set", "tenant"):
            assert item.get(name) in {None, *texts}
        diagnostic = item.get("diagnostic_code", "").removesuffix("…")
        assert any(text.startswith(diagnostic) for text in texts)


def test_a_contact_has_the_reason_and_the_time_of_its_history(replayed: Replayed) -> None:
    history = [(item["address"], item["reason"], item["at"]) for item in replayed.outcome["history"]]
    for contact in replayed.outcome["contacts"]:
        if contact["status"] != "active":
            assert (contact["address"], contact["reason"], contact["status_at"]) in history


def test_an_event_publishes_the_status_of_each_contact_that_is_no_longer_active(replayed: Replayed) -> None:
    assert replayed.events("Contact Status Changed") == [
        {
            "source": "ses-feedback",
            "detail-type": "Contact Status Changed",
            "detail": {
                "address": contact["address"],
                "old_status": "active",
                "new_status": contact["status"],
                "may_send": contact["may_send"],
                "rev": 1,
                "reason": contact["reason"],
                "time": contact["status_at"],
                **evidence_of(contact),
            },
        }
        for contact in replayed.outcome["contacts"]
        if contact["status"] != "active" and not contact["address"].endswith("@simulator.amazonses.com")
    ]


def test_an_event_publishes_the_preferences_of_each_contact_that_opted_out(replayed: Replayed) -> None:
    published = [event["detail"] for event in replayed.events("Contact Preferences Changed")]
    fields = [(detail["address"], detail["opted_out"], detail["changed"]) for detail in published]
    lists = {
        contact["address"]: [*(["*"] if contact["status"] == "unsubscribed" else []), *contact.get("no_streams", [])]
        for contact in replayed.outcome["contacts"]
    }
    assert fields == [(address, names, names) for address, names in lists.items() if names]
    history = {(item["address"], item["reason"], item["at"]) for item in replayed.outcome["history"]}
    assert {(detail["address"], detail["reason"], detail["time"]) for detail in published} <= history


def test_an_event_counts_exactly_the_metrics_of_its_row(replayed: Replayed) -> None:
    assert replayed.outcome["metrics"] == replayed.row.get("metrics", {})


def test_an_event_is_quarantined_for_the_reasons_of_its_row(replayed: Replayed) -> None:
    """Each quarantined message is one of the event's own, byte for byte, and is logged with its reason."""
    reasons = [attributes["reason"] for attributes in replayed.outcome["quarantined"]]
    assert reasons == replayed.row.get("quarantined", [])
    assert set(replayed.quarantined) <= {record.original() for record in read_records(replayed.event)}
    logged = [line["reason"] for line in replayed.outcome["log"] if line.get("disposition") == "quarantined"]
    assert logged == reasons


def test_the_log_never_contains_an_address(replayed: Replayed) -> None:
    """Log lines identify a contact by its hash."""
    assert "@" not in json.dumps(replayed.outcome["log"])


def test_no_event_leaves_work_behind(replayed: Replayed) -> None:
    """No record is returned to the queue, and no contact is pending."""
    assert replayed.outcome["answer"].get("batchItemFailures", []) == []
    assert [contact["address"] for contact in replayed.outcome["contacts"] if "pending_shard" in contact] == []


def empty(aws: EmbeddedAws) -> None:
    """Remove all items and messages. Entries of the list stay: SES does not allow every one to be deleted."""
    for item in items(aws):
        key = {name: item[name] for name in ("address", "record")}
        aws.client("dynamodb").delete_item(TableName=aws.table_name, Key=key)
    sqs = aws.client("sqs")
    for queue in sqs.list_queues()["QueueUrls"]:
        request = {"QueueUrl": queue, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 0}
        while messages := sqs.receive_message(**request).get("Messages"):
            for message in messages:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def items(aws: EmbeddedAws) -> list[Item]:
    """Return every item of the table."""
    found: list[Item] = aws.client("dynamodb").scan(TableName=aws.table_name)["Items"]
    return found


def outcome(
    aws: EmbeddedAws, invocations: Sequence[Invocation], listed: Iterable[SuppressedDestination]
) -> dict[str, Any]:
    """Return the complete outcome of an event in a stable order. `listed` are the entries from before the event."""
    added = [entry for entry in aws.suppression_list.entries() if entry not in listed]
    stored = sorted(map(plain, items(aws)), key=lambda item: (item["address"], item["record"]))
    return {
        "answer": dict(invocations[0].response),
        "contacts": [item for item in stored if item["record"] == "contact"],
        "history": [item for item in stored if item["record"].startswith("feedback#")],
        "suppression_list": {entry.email_address: entry.reason.value for entry in added},
        "metrics": counted(invocations),
        "events": sorted(map(published, aws.events()), key=lambda event: event["detail"]["address"]),
        "quarantined": [message.attributes for message in aws.quarantined()],
        "log": [logged(line) for invocation in invocations for line in invocation.log],
    }


def counted(invocations: Iterable[Invocation]) -> dict[str, float]:
    """Return the sums of all metrics except lags, which depend on the duration of the test."""
    counts = [invocation.counts for invocation in invocations]
    totals = {name: sum(count.get(name, 0) for count in counts) for name in METRICS}
    return {name: total for name, total in totals.items() if total}


def published(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event without the fields that EventBridge adds."""
    return {name: event[name] for name in ("source", "detail-type", "detail")}


def logged(line: str) -> dict[str, Any]:
    """Return a log line without its time, its place in the code and the duration of the batch."""
    entry: dict[str, Any] = json.loads(line)
    return {name: value for name, value in entry.items() if name not in {"timestamp", "location", "seconds"}}


def evidence_of(contact: Mapping[str, Any]) -> dict[str, Any]:
    """Return the published fields of the evidence that gives a contact its status."""
    names = [name.removesuffix("_at") for name in contact if name.endswith("_at") and name != "status_at"]
    registers = [
        name
        for name in names
        if contact[f"{name}_at"] == contact["status_at"] and contact.get(f"{name}_reason") == contact["reason"]
    ]
    name = min(registers, key=lambda one: one == "soft_bounced")
    fields = {field: contact.get(f"{name}_{field}", "") for field in ("configuration_set", "message_id", "status_code")}
    return {**fields, "tags": contact.get(f"{name}_tags", {})}


def strings(value: object) -> Iterator[str]:
    """Yield every string in `value`, also inside strings that hold JSON."""
    if isinstance(value, str):
        yield value
        try:
            nested = json.loads(value)
        except ValueError:
            return
        if isinstance(nested, dict | list):
            yield from strings(nested)
    elif isinstance(value, dict | list):
        for element in value.values() if isinstance(value, dict) else value:
            yield from strings(element)


def plain(item: Item) -> dict[str, Any]:
    """Return an item without DynamoDB's types."""
    return {name: untyped(value) for name, value in sorted(item.items())}


def untyped(value: dict[str, Any]) -> Any:  # noqa: ANN401 (an attribute of any type)
    """Return the value of an attribute without its type."""
    ((kind, content),) = value.items()
    if kind == "L":
        return [untyped(element) for element in content]
    if kind == "M":
        return plain(content)
    return int(content) if kind == "N" else content

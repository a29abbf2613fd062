"""Every file in events/ does what its row in events/index.toml says, and all that its golden file says.

The index was written by hand from what SES documents; the golden files are what the functions do, to be read when
they change: `pytest tests/test_events.py --update-golden` writes them anew.
"""

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from feedbackctl.replay.unapplied_messages import original
from localaws.in_process.embedded_aws import EmbeddedAws, VirtualClock
from localaws.in_process.functions import Functions, Invocation
from localaws.ses_list.suppression_list import SuppressedDestination
from ses_feedback.aws.metrics import METRICS
from ses_feedback.reading.envelope import records
from ses_feedback.settings import Settings

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "events"
GOLDEN = ROOT / "tests/events/golden"
INDEX: dict[str, dict[str, Any]] = tomllib.loads((EVENTS / "index.toml").read_text())
FILES = sorted(str(path.relative_to(EVENTS)) for path in EVENTS.rglob("*.json"))
NOW = datetime(2026, 12, 1, tzinfo=UTC)

Item = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Replayed:
    """An event, and everything that came of it in an AWS that was empty."""

    name: str
    event: dict[str, Any]
    outcome: dict[str, Any]
    quarantined: list[str]


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    """One AWS for all events, for making one takes longer than most events do."""
    with EmbeddedAws(VirtualClock(NOW)) as aws:
        yield aws


@pytest.fixture(scope="module")
def functions(aws: EmbeddedAws) -> Functions:
    """The functions on it."""
    return Functions(aws, Settings(aws.table_name, aws.quarantine_url))


@pytest.fixture(scope="module", params=FILES)
def replayed(request: pytest.FixtureRequest, aws: EmbeddedAws, functions: Functions) -> Replayed:
    """An event, handed to the function it is meant for, and its changes to SuppressionFunction."""
    name: str = request.param
    event: dict[str, Any] = json.loads((EVENTS / name).read_text())
    empty(aws)
    listed = aws.suppression_list.entries()
    invocations = [functions.suppression(event) if name.startswith("suppression/") else functions.feedback(event)]
    while changes := aws.stream_records():
        invocations.append(functions.suppression({"Records": changes}))
    return Replayed(
        name, event, outcome(aws, invocations, listed), [original(message) for message in aws.quarantined()]
    )


def test_the_index_lists_every_event_once() -> None:
    """No file without a row, no row without a file."""
    assert sorted(INDEX) == FILES


def test_every_golden_file_is_an_events() -> None:
    """A golden file whose event is gone goes too."""
    assert sorted(str(path.relative_to(GOLDEN)) for path in GOLDEN.rglob("*.json")) == FILES


def test_an_event_leaves_what_its_golden_file_holds(replayed: Replayed, request: pytest.FixtureRequest) -> None:
    """Contacts, history, list, metrics, events, log lines and answer are, to the letter, the known ones."""
    golden = GOLDEN / replayed.name
    if request.config.getoption("--update-golden"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(json.dumps(replayed.outcome, indent=2) + "\n")
    assert json.loads(golden.read_text()) == replayed.outcome


def test_an_event_leaves_the_contacts_its_row_says(replayed: Replayed) -> None:
    """These contacts, in this status, and no others."""
    contacts = {contact["address"]: contact["status"] for contact in replayed.outcome["contacts"]}
    assert contacts == INDEX[replayed.name]["contacts"]


def test_an_event_leaves_the_list_its_row_says(replayed: Replayed) -> None:
    """These entries, under SES's own variant and with this reason, and no others."""
    assert replayed.outcome["suppression_list"] == INDEX[replayed.name]["list"]


def test_an_event_is_ignored_as_its_row_says(replayed: Replayed) -> None:
    """So many messages were no feedback."""
    assert replayed.outcome["metrics"].get("IgnoredMessage", 0) == INDEX[replayed.name]["ignored"]


def test_an_event_is_quarantined_as_its_row_says(replayed: Replayed) -> None:
    """So many messages are on the quarantine queue, and each is one the event brought, to the letter."""
    assert len(replayed.quarantined) == INDEX[replayed.name]["quarantined"]
    assert set(replayed.quarantined) <= {record.original() for record in records(replayed.event)}


def test_no_event_puts_an_address_in_a_log(replayed: Replayed) -> None:
    """Logs know contacts by their hash."""
    assert "@" not in json.dumps(replayed.outcome["log"])


def test_every_event_is_settled(replayed: Replayed) -> None:
    """Nothing is left for another try, and no contact still waits for the list or an event."""
    assert replayed.outcome["answer"].get("batchItemFailures", []) == []
    assert [contact["address"] for contact in replayed.outcome["contacts"] if "pending_shard" in contact] == []


def empty(aws: EmbeddedAws) -> None:
    """Take everything out of table and queues; SES would not let go of every entry of the list."""
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
    """Return everything in the table."""
    held: list[Item] = aws.client("dynamodb").scan(TableName=aws.table_name)["Items"]
    return held


def outcome(
    aws: EmbeddedAws, invocations: Sequence[Invocation], listed: Iterable[SuppressedDestination]
) -> dict[str, Any]:
    """Return everything that came of an event (`listed` was before it), in an order and a form that stay the same."""
    added = [entry for entry in aws.suppression_list.entries() if entry not in listed]
    held = sorted(map(plain, items(aws)), key=lambda item: (item["address"], item["record"]))
    return {
        "answer": dict(invocations[0].answer),
        "contacts": [item for item in held if item["record"] == "contact"],
        "history": [item for item in held if item["record"].startswith("feedback#")],
        "suppression_list": {entry.email_address: entry.reason.value for entry in added},
        "metrics": counted(invocations),
        "events": sorted(map(published, aws.events()), key=lambda event: event["detail"]["address"]),
        "quarantined": [message.attributes for message in aws.quarantined()],
        "log": [logged(line) for invocation in invocations for line in invocation.log],
    }


def counted(invocations: Iterable[Invocation]) -> dict[str, float]:
    """Return the metrics that count (lags depend on when the test runs through)."""
    counts = [invocation.counts for invocation in invocations]
    totals = {name: sum(one.get(name, 0) for one in counts) for name in METRICS}
    return {name: total for name, total in totals.items() if total}


def published(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event without what EventBridge adds."""
    return {name: event[name] for name in ("source", "detail-type", "detail")}


def logged(line: str) -> dict[str, Any]:
    """Return a log line without when and where in the code it was logged."""
    entry: dict[str, Any] = json.loads(line)
    return {name: value for name, value in entry.items() if name not in {"timestamp", "location"}}


def plain(item: Item) -> dict[str, Any]:
    """Return an item without DynamoDB's types."""
    return {name: untyped(value) for name, value in sorted(item.items())}


def untyped(value: dict[str, Any]) -> Any:  # noqa: ANN401 (whatever an attribute holds)
    """Return an attribute's value without its type."""
    ((kind, held),) = value.items()
    if kind == "L":
        return [untyped(element) for element in held]
    return int(held) if kind == "N" else held

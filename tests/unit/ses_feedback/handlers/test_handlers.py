"""The functions answer Lambda rightly, whatever it hands them, and log one line for a batch."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from campaigns.wire.http_server import Reply, Server
from localaws.in_process.embedded_aws import EmbeddedAws
from ses_feedback.aws.metric_counts import MetricCounts
from ses_feedback.contacts.repository import LEARN_AT_ONCE
from ses_feedback.handlers import deadline, feedback, suppression
from ses_feedback.handlers.feedback import LOGGED_RECORDS, FeedbackNotStoredError, build_response
from ses_feedback.processing.results import BatchReport, Disposition, RecordResult, contact_hash
from ses_feedback.reading.envelope import Carrier, Record
from ses_feedback.settings import SettingsError
from tests.support.builders import (
    MESSAGE_ID,
    RECIPIENT,
    a_bounce,
    a_bus_event,
    a_complaint,
    a_delivery,
    a_fact,
    an_open,
    an_sns_event,
    an_sqs_event,
    an_sqs_record,
)
from tests.support.deployed_functions import EmbeddedStack, FakeContext, embedded_stack, log_to_current_stdout
from tests.support.faulty_client import FaultyClient, fails_statements, fails_with, runs_first, times_out

if TYPE_CHECKING:
    from campaigns.wire.http_server import Request

OTHER = "other@example.com"


@pytest.fixture
def stack() -> Iterator[EmbeddedStack]:
    """A world."""
    with embedded_stack() as stack:
        yield stack


def printed(capsys: pytest.CaptureFixture[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the log lines and the metrics printed since the last time."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if "_aws" not in line], [line for line in lines if "_aws" in line]


def failures(result: dict[str, Any]) -> list[str]:
    """Return the records of a partial batch response."""
    assert list(result) == ["batchItemFailures"]
    return [failure["itemIdentifier"] for failure in result["batchItemFailures"]]


# --- As Lambda calls them -------------------------------------------------------------------------------------------


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[EmbeddedAws]:
    """An embedded AWS whose environment the functions have, and no function's process yet."""
    with EmbeddedAws(calls_per_second=None) as aws:
        for name, value in aws.environment.items():
            monkeypatch.setenv(name, value)
        # It answers botocore alone: which finds credentials that no variable holds.
        credentials = tmp_path / "credentials"
        credentials.write_text("[default]\naws_access_key_id = embedded\naws_secret_access_key = embedded\n")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.setenv("LANE", "Bounce")
        feedback._handler.cache_clear()  # noqa: SLF001 (a new process)
        suppression._handler.cache_clear()  # noqa: SLF001
        log_to_current_stdout()
        yield aws
        feedback._handler.cache_clear()  # noqa: SLF001 (its clients are dead now)
        suppression._handler.cache_clear()  # noqa: SLF001


def test_from_the_queue_to_the_list(deployed: EmbeddedAws) -> None:
    """A bounce in the queue becomes a contact, and by the stream an entry and an event."""
    assert failures(feedback.handle(an_sqs_event(a_bounce()), FakeContext())) == []
    records = deployed.stream_records()
    assert failures(suppression.handle({"Records": records}, FakeContext())) == []
    assert [entry.email_address for entry in deployed.suppression_list.entries()] == [RECIPIENT]
    assert [event["detail"]["new_status"] for event in deployed.events()] == ["bounced"]


def test_a_process_is_set_up_once(deployed: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process reads from its environment, it reads when it starts."""
    feedback.handle(an_sqs_event(), FakeContext())
    monkeypatch.delenv("TABLE_NAME")
    feedback.handle(an_sqs_event(a_bounce()), FakeContext())
    assert len(deployed.contacts()) == 1


def test_a_function_speaks_to_dynamodb_itself(deployed: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what Lambda tells it in its environment."""
    asked: list[Any] = []

    def refuse(request: "Request") -> Reply:
        asked.append(request.headers)
        return Reply(403)

    with Server() as server:
        server.answer = refuse
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "the-function")
        assert failures(feedback.handle(an_sqs_event(a_bounce()), FakeContext())) == ["sqs-message-1"]
        assert failures(suppression.handle({"Records": [a_change()]}, FakeContext())) == ["1"]
    targets = [headers["x-amz-target"].partition(".")[2] for headers in asked]
    assert targets == ["BatchGetItem", "BatchExecuteStatement", "BatchGetItem"]
    assert all("Credential=the-function/" in headers["authorization"] for headers in asked)
    assert deployed.contacts() == []


def a_change() -> dict[str, Any]:
    """Return a record of the table's stream."""
    return {"dynamodb": {"Keys": {"address": {"S": RECIPIENT}, "record": {"S": "contact"}}, "SequenceNumber": "1"}}


@pytest.mark.parametrize("handle", [feedback.handle, suppression.handle])
@pytest.mark.usefixtures("deployed")
def test_a_function_without_its_table(handle: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 (a handler)
    """A function that is set up wrongly says how, on every invocation."""
    monkeypatch.delenv("TABLE_NAME")
    for _ in range(2):
        with pytest.raises(SettingsError, match="TABLE_NAME"):
            handle(an_sqs_event(), FakeContext())


def test_the_service_is_named_after_the_lane(deployed: EmbeddedAws, capsys: pytest.CaptureFixture[str]) -> None:
    """Log lines say which function they are of."""
    feedback.handle(an_sqs_event(a_bounce()), FakeContext())
    suppression.handle({"Records": deployed.stream_records()}, FakeContext())
    logs, _ = printed(capsys)
    assert [line["service"] for line in logs] == ["BounceFunction", "SuppressionFunction"]


# --- Feedback: what Lambda is told ----------------------------------------------------------------------------------


def test_partial_batch_response(stack: EmbeddedStack) -> None:
    """Of a batch, the records that must come again are named, and no others."""
    client = stack.dynamodb
    client.only = "batch_execute_statement"
    client.default_fault = fails_statements("AccessDenied", lambda address, _: address == OTHER)
    event = an_sqs_event(a_bounce(), a_complaint(recipients=[OTHER]), "poison", a_delivery(recipients=[OTHER]))
    assert failures(stack.feedback()(event, FakeContext())) == ["sqs-message-2", "sqs-message-4"]
    stack.dynamodb.default_fault = None
    assert failures(stack.feedback()(event, FakeContext())) == []
    assert len(stack.aws.contacts()) == 2


def real_call(_operation: str, real: Any, request: dict[str, Any]) -> object:  # noqa: ANN401 (a botocore method)
    """AWS does as asked."""
    return real(**request)


DIRECT = [
    (an_sns_event(a_bounce()), "sns"),
    (a_bus_event(a_bounce()), "bus"),
    (a_bounce(), "bare"),
    ({"Records": [an_sqs_record(a_bounce(), messageId="")]}, "a queue's record without an id"),
]


@pytest.mark.parametrize("event", [event for event, _ in DIRECT], ids=[name for _, name in DIRECT])
def test_a_direct_invocation_raises(stack: EmbeddedStack, event: object) -> None:
    """Where Lambda can't be told which record failed, the whole invocation fails, so that it comes again."""
    stack.dynamodb.default_fault = fails_with("InternalServerError")
    handler = stack.feedback()
    with pytest.raises(FeedbackNotStoredError, match=r"^1 of 1 records could not be stored \(InternalServerError\)"):
        handler(event, FakeContext())
    stack.dynamodb.default_fault = None
    handler(event, FakeContext())
    assert stack.contact(RECIPIENT).rev == 1


def test_a_direct_invocation_counts_and_logs_before_it_raises(
    stack: EmbeddedStack, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was done with is counted, and what was not is logged."""
    stack.dynamodb.default_fault = fails_with("InternalServerError")
    with pytest.raises(FeedbackNotStoredError):
        stack.feedback()(an_sns_event(a_bounce(), an_open()), FakeContext())
    logs, metrics = printed(capsys)
    assert [line["message"] for line in logs] == ["record", "batch"]
    assert [line["Open"] for line in metrics] == [[1.0]]


def test_what_became_of_a_direct_invocation(stack: EmbeddedStack) -> None:
    """A direct invocation returns the outcome."""
    assert stack.feedback()(an_sns_event(a_bounce(), "poison"), FakeContext()) == {"applied": 1, "quarantined": 1}
    assert stack.feedback()(a_bus_event(a_bounce()), FakeContext()) == {"applied": 1}


def test_an_empty_queue_event(stack: EmbeddedStack) -> None:
    """An event of no records is done with."""
    assert stack.feedback()({"Records": []}, FakeContext()) == {}


def test_a_mixed_event_is_never_half_acknowledged() -> None:
    """When a record that has no id to name must come again, all do."""
    records = Record(Carrier.SQS, "1", ""), Record(Carrier.SNS, "2", "")
    results = [RecordResult(record, Disposition.RETRY, reason="ReadTimeoutError") for record in records]
    assert build_response(BatchReport((results[0],), MetricCounts())) == {
        "batchItemFailures": [{"itemIdentifier": "1"}]
    }
    with pytest.raises(FeedbackNotStoredError, match="2 of 2"):
        build_response(BatchReport(tuple(results), MetricCounts()))


def test_no_time_left(stack: EmbeddedStack) -> None:
    """A function about to be ended begins nothing it could not finish, and its records come again."""
    result = stack.feedback()(an_sqs_event(a_bounce()), FakeContext(feedback.RESERVE))
    assert (failures(result), stack.dynamodb.calls) == (["sqs-message-1"], [])


def test_a_long_batch_gets_further_with_each_try(stack: EmbeddedStack) -> None:
    """A batch that takes longer than a function has is not begun from its start for ever."""
    stack.dynamodb.only, stack.dynamodb.default_fault = "batch_get_item", runs_first(lambda: stack.clock.sleep(30))
    event = an_sqs_event(*(a_delivery(recipients=[f"{number}@example.com"]) for number in range(LEARN_AT_ONCE + 10)))
    handler, again = stack.feedback(), []
    for _ in range(2):
        again.append(len(left := failures(handler(event, FakeContext(timedelta(seconds=55))))))
        event = {"Records": [record for record in event["Records"] if record["messageId"] in left]}
    assert again == [10, 0]


# --- Feedback: what is logged and counted ---------------------------------------------------------------------------


def test_a_batch_is_one_line(stack: EmbeddedStack, capsys: pytest.CaptureFixture[str]) -> None:
    """A batch that went well is one line of counts, and one of metrics for each configuration set."""
    stack.feedback(metric_configuration_sets=("receipts",))(
        an_sqs_event(*(a_bounce(recipients=[f"{number}@example.com"]) for number in range(40))), FakeContext()
    )
    logs, metrics = printed(capsys)
    told = [{name: line[name] for name in ("level", "message", "records", "exceptional", "applied")} for line in logs]
    assert told == [{"level": "INFO", "message": "batch", "records": 40, "exceptional": 0, "applied": 40}]
    assert [(line["ConfigurationSet"], line["PermanentBounce"]) for line in metrics] == [("receipts", [40.0])]


def test_an_exceptional_record_has_a_line(stack: EmbeddedStack, capsys: pytest.CaptureFixture[str]) -> None:
    """Its reason, its id, SES's id of the message, and hashes of contacts: enough to find it, not to read it."""
    stack.dynamodb.default_fault = times_out
    stack.feedback()(an_sqs_event(a_bounce()), FakeContext())
    logs, _ = printed(capsys)
    expected = {
        "level": "WARNING",
        "message": "record",
        "record_id": "sqs-message-1",
        "disposition": "retry",
        "kind": "Bounce",
        "reason": "ReadTimeoutError",
        "message_id": MESSAGE_ID,
        "contacts": [contact_hash(RECIPIENT)],
    }
    assert {name: logs[0][name] for name in expected} == expected


def test_a_bounce_of_many_names_ten(stack: EmbeddedStack, capsys: pytest.CaptureFixture[str]) -> None:
    """A line stays short."""
    stack.dynamodb.default_fault = times_out
    stack.feedback()(
        an_sqs_event(a_bounce(recipients=[f"{number}@example.com" for number in range(40)])), FakeContext()
    )
    assert len(printed(capsys)[0][0]["contacts"]) == 10


def test_a_flood_of_poison_is_not_a_flood_of_lines(stack: EmbeddedStack, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a batch of nothing but poison, so many records have a line, and the batch's line counts them all."""
    number = LOGGED_RECORDS + 50
    stack.feedback()(an_sqs_event(*["poison"] * number), FakeContext())
    logs, metrics = printed(capsys)
    assert [line["message"] for line in logs] == ["record"] * LOGGED_RECORDS + ["batch"]
    assert (logs[-1]["exceptional"], logs[-1]["quarantined"], metrics[0]["Quarantined"]) == (number, number, [number])


def test_a_lane_counts_what_is_misrouted(stack: EmbeddedStack, capsys: pytest.CaptureFixture[str]) -> None:
    """A topic wired to the wrong lane works and is reported."""
    stack.feedback(lane="Bounce")(an_sqs_event(a_complaint()), FakeContext())
    _, [line] = printed(capsys)
    assert (line["MisroutedFeedback"], line["Complaint"], stack.contact(RECIPIENT).status) == (
        [1.0],
        [1.0],
        "complained",
    )


# --- Suppression: what Lambda is told -------------------------------------------------------------------------------


def test_stream_failures_are_named_by_sequence_number(stack: EmbeddedStack) -> None:
    """Every change of a contact that is still due is handed back, and no other's."""
    stack.learn(a_fact(), a_fact(address=OTHER))
    stack.learn(a_fact(at=a_fact().at + timedelta(days=1)))
    records = stack.stream()
    stack.sesv2.default_fault = lambda operation, real, request: (
        times_out if request["EmailAddress"] == RECIPIENT else real_call
    )(operation, real, request)
    left = [
        one["dynamodb"]["SequenceNumber"] for one in records if one["dynamodb"]["Keys"]["address"]["S"] == RECIPIENT
    ]
    assert len(left) == 2
    assert failures(stack.suppression()({"Records": records}, FakeContext())) == left
    assert stack.listed() == {OTHER: "BOUNCE"}


ODD = [{}, {"dynamodb": {}}, {"dynamodb": {"Keys": None}}, None, "text", {"dynamodb": {"Keys": {"record": {"S": 1}}}}]


def test_odd_stream_records_are_passed_over(stack: EmbeddedStack) -> None:
    """A record without a contact to sync is not retried."""
    history = {
        "dynamodb": {"Keys": {"address": {"S": RECIPIENT}, "record": {"S": "feedback#1"}}, "SequenceNumber": "1"}
    }
    rate_limiter = {
        "dynamodb": {
            "Keys": {"address": {"S": "suppression-list"}, "record": {"S": "rate_limiter"}},
            "SequenceNumber": "2",
        }
    }
    assert failures(stack.suppression()({"Records": [*ODD, history, rate_limiter]}, FakeContext())) == []
    assert stack.dynamodb.calls == []


def test_the_mirror_stops_in_time(stack: EmbeddedStack) -> None:
    """What would not be finished before Lambda ends the function is not begun."""
    stack.learn(a_fact())
    records = stack.stream()
    result = stack.suppression()({"Records": records}, FakeContext(suppression.RESERVE - timedelta(seconds=1)))
    assert failures(result) == [records[0]["dynamodb"]["SequenceNumber"]]
    assert (stack.listed(), stack.sesv2.calls) == ({}, [])


def test_the_stream_ends(stack: EmbeddedStack) -> None:
    """What the list_sync writes comes back by the stream, and comes to nothing."""
    stack.learn(a_fact(), a_fact(address=OTHER))
    assert stack.drain() <= 2
    assert (stack.listed(), len(stack.sesv2.calls)) == ({RECIPIENT: "BOUNCE", OTHER: "BOUNCE"}, 2)


@pytest.mark.parametrize("address", [RECIPIENT, "either/or@example.com"], ids=["sandbox", "slash"])
def test_the_stream_ends_when_ses_refuses(address: str) -> None:
    """An entry SES won't have is tried once, not as often as its own postponement comes back."""
    with embedded_stack(sandbox=True) as stack:
        stack.learn(a_fact(address=address))
        assert stack.drain() <= 2
        assert (len(stack.sesv2.calls), len(stack.aws.events())) == (1, 1)


def test_a_sweep_says_what_it_did(stack: EmbeddedStack) -> None:
    """The outcome is returned to the caller and logged."""
    stack.learn(a_fact())
    assert stack.sweep() == {"published": 1, "put": 1, "deleted": 0, "imported": 0, "released": 0, "still_pending": 0}


@pytest.mark.parametrize("event", [{"source": "ses-feedback", "detail-type": "Sweep"}, {}, None, {"Records": "no"}])
def test_anything_but_a_stream_is_a_sweep(stack: EmbeddedStack, event: object) -> None:
    """Nothing can be invoked in a way that does harm."""
    stack.learn(a_fact())
    stack.clock.sleep(600)
    assert stack.suppression()(event, FakeContext())["put"] == 1


def test_what_is_left_is_told_with_its_reasons(stack: EmbeddedStack, capsys: pytest.CaptureFixture[str]) -> None:
    """A run's log line counts the remaining contacts by cause, without addresses."""
    stack.learn(a_fact(), a_fact(address=OTHER))
    stack.sesv2.default_fault = times_out
    stack.suppression()({"Records": stack.stream()}, FakeContext())
    [line] = printed(capsys)[0]
    told = {name: line[name] for name in ("message", "published", "put", "deleted", "still_pending", "pending_because")}
    expected = {"published": 2, "put": 0, "deleted": 0, "still_pending": 2, "pending_because": ["ReadTimeoutError"]}
    assert told == {"message": "stream", **expected}


def test_the_sandbox_is_logged_once_a_batch(capsys: pytest.CaptureFixture[str]) -> None:
    """However many entries SES refuses, that is one line."""
    with embedded_stack(sandbox=True) as stack:
        stack.learn(*(a_fact(address=f"{number}@example.com") for number in range(5)))
        assert failures(stack.suppression()({"Records": stack.stream()}, FakeContext())) == []
    logs, _ = printed(capsys)
    refused = [line for line in logs if line["level"] == "WARNING"]
    assert [line["codes"] for line in refused] == [{"BadRequestException": 5}]


def test_the_mirrors_metrics(stack: EmbeddedStack, capsys: pytest.CaptureFixture[str]) -> None:
    """A run counts what it did once for all its contacts."""
    stack.learn(a_fact(), a_fact(address=OTHER))
    stack.clock.sleep(10)
    stack.suppression(metric_configuration_sets=("receipts",))({"Records": stack.stream()}, FakeContext())
    [line] = printed(capsys)[1]
    assert (line["ConfigurationSet"], line["ContactSuppressed"]) == ("receipts", [2.0])
    assert 11_000 <= line["SuppressionLag"][0] < 12_000


# --- The clock ------------------------------------------------------------------------------------------------------


def test_the_time() -> None:
    """The time is aware, and now."""
    assert abs(deadline.utc_now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_the_deadline() -> None:
    """The reserve is kept back from what Lambda leaves."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert deadline.deadline(FakeContext(timedelta(seconds=60)), lambda: now, timedelta(seconds=25)) == now + timedelta(
        seconds=35
    )


def test_a_world_can_be_watched(stack: EmbeddedStack) -> None:
    """The functions' clients are the world's: a test that counts no calls would prove nothing."""
    stack.feedback()(an_sqs_event(a_bounce()), FakeContext())
    assert isinstance(stack.dynamodb, FaultyClient)
    assert stack.dynamodb.count("batch_execute_statement") == 1
    assert replace(stack.settings) == stack.settings

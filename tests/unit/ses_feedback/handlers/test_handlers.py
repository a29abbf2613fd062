"""Responses, logs and metrics of the Lambda functions."""

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
STACK_ID = "arn:aws:cloudformation:us-east-1:123456789012:stack/ses-feedback/1b2c3d4e-0000-1111-2222-333344445555"


@pytest.fixture
def stack() -> Iterator[EmbeddedStack]:
    """The embedded stack."""
    with embedded_stack() as stack:
        yield stack


def printed(capsys: pytest.CaptureFixture[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the log lines and the metrics printed since the last call."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if "_aws" not in line], [line for line in lines if "_aws" in line]


def failed_identifiers(result: dict[str, Any]) -> list[str]:
    """Return the identifiers in a partial batch response."""
    assert list(result) == ["batchItemFailures"]
    return [failure["itemIdentifier"] for failure in result["batchItemFailures"]]


# --- Entry points -------------------------------------------------------------------------------------------------


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[EmbeddedAws]:
    """An embedded AWS whose environment variables are set. No function has been initialized."""
    # The changes are undone before the embedded AWS restores the environment.
    with EmbeddedAws(calls_per_second=None) as aws, monkeypatch.context() as variables:
        for name, value in aws.environment.items():
            variables.setenv(name, value)
        # The embedded AWS supports botocore only. Without credentials in variables, the direct client is not used.
        credentials = tmp_path / "credentials"
        credentials.write_text("[default]\naws_access_key_id = embedded\naws_secret_access_key = embedded\n")
        variables.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
        variables.delenv("AWS_ACCESS_KEY_ID")
        variables.setenv("LANE", "Bounce")
        feedback._handler.cache_clear()  # noqa: SLF001 (a new process)
        suppression._handler.cache_clear()  # noqa: SLF001
        log_to_current_stdout()
        yield aws
        feedback._handler.cache_clear()  # noqa: SLF001 (its clients are closed)
        suppression._handler.cache_clear()  # noqa: SLF001


def test_a_bounce_in_the_queue_becomes_a_list_entry_and_an_event(deployed: EmbeddedAws) -> None:
    assert failed_identifiers(feedback.handle(an_sqs_event(a_bounce()), FakeContext())) == []
    records = deployed.stream_records()
    assert failed_identifiers(suppression.handle({"Records": records}, FakeContext())) == []
    assert [entry.email_address for entry in deployed.suppression_list.entries()] == [RECIPIENT]
    assert [event["detail"]["new_status"] for event in deployed.events()] == ["bounced"]


def test_the_environment_is_read_once_per_process(deployed: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    feedback.handle(an_sqs_event(), FakeContext())
    monkeypatch.delenv("TABLE_NAME")
    feedback.handle(an_sqs_event(a_bounce()), FakeContext())
    assert len(deployed.contacts()) == 1


def test_dynamodb_is_called_directly_with_the_credentials_of_the_environment(
    deployed: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[Any] = []

    def reject(request: "Request") -> Reply:
        received.append(request.headers)
        return Reply(403)

    with Server() as server:
        server.answer = reject
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "the-function")
        assert failed_identifiers(feedback.handle(an_sqs_event(a_bounce()), FakeContext())) == ["sqs-message-1"]
        assert failed_identifiers(suppression.handle({"Records": [a_stream_record()]}, FakeContext())) == ["1"]
    targets = [headers["x-amz-target"].partition(".")[2] for headers in received]
    assert targets == ["BatchGetItem", "BatchExecuteStatement", "BatchGetItem"]
    assert all("Credential=the-function/" in headers["authorization"] for headers in received)
    assert deployed.contacts() == []


def a_stream_record() -> dict[str, Any]:
    """Return a record of the table's stream."""
    return {"dynamodb": {"Keys": {"address": {"S": RECIPIENT}, "record": {"S": "contact"}}, "SequenceNumber": "1"}}


@pytest.mark.parametrize("handle", [feedback.handle, suppression.handle])
@pytest.mark.usefixtures("deployed")
def test_every_invocation_without_a_table_name_raises_an_error_that_names_the_variable(
    handle: Any,  # noqa: ANN401 (a handler)
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TABLE_NAME")
    for _ in range(2):
        with pytest.raises(SettingsError, match="TABLE_NAME"):
            handle(an_sqs_event(), FakeContext())


def test_log_lines_contain_the_name_of_the_function(deployed: EmbeddedAws, capsys: pytest.CaptureFixture[str]) -> None:
    feedback.handle(an_sqs_event(a_bounce()), FakeContext())
    suppression.handle({"Records": deployed.stream_records()}, FakeContext())
    logs, _ = printed(capsys)
    assert [line["service"] for line in logs] == ["BounceFunction", "SuppressionFunction"]


# --- Feedback: response -------------------------------------------------------------------------------------------


def test_the_response_names_only_the_records_to_retry(stack: EmbeddedStack) -> None:
    client = stack.dynamodb
    client.only = "batch_execute_statement"
    client.default_fault = fails_statements("AccessDenied", lambda address, _: address == OTHER)
    event = an_sqs_event(a_bounce(), a_complaint(recipients=[OTHER]), "poison", a_delivery(recipients=[OTHER]))
    assert failed_identifiers(stack.feedback()(event, FakeContext())) == ["sqs-message-2", "sqs-message-4"]
    stack.dynamodb.default_fault = None
    assert failed_identifiers(stack.feedback()(event, FakeContext())) == []
    assert len(stack.aws.contacts()) == 2


def real_call(_operation: str, real: Any, request: dict[str, Any]) -> object:  # noqa: ANN401 (a botocore method)
    """Carry out the call."""
    return real(**request)


DIRECT = [
    (an_sns_event(a_bounce()), "sns"),
    (a_bus_event(a_bounce()), "bus"),
    (a_bounce(), "bare"),
    ({"Records": [an_sqs_record(a_bounce(), messageId="")]}, "SQS record without an id"),
]


@pytest.mark.parametrize("event", [event for event, _ in DIRECT], ids=[name for _, name in DIRECT])
def test_a_direct_invocation_with_a_record_to_retry_raises(stack: EmbeddedStack, event: object) -> None:
    """Lambda retries the whole event."""
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
    stack.dynamodb.default_fault = fails_with("InternalServerError")
    with pytest.raises(FeedbackNotStoredError):
        stack.feedback()(an_sns_event(a_bounce(), an_open()), FakeContext())
    logs, metrics = printed(capsys)
    assert [line["message"] for line in logs] == ["record", "batch"]
    assert [line["Open"] for line in metrics] == [[1.0]]


def test_a_direct_invocation_returns_the_number_of_records_per_disposition(stack: EmbeddedStack) -> None:
    assert stack.feedback()(an_sns_event(a_bounce(), "poison"), FakeContext()) == {"applied": 1, "quarantined": 1}
    assert stack.feedback()(a_bus_event(a_bounce()), FakeContext()) == {"applied": 1}


def test_an_event_without_records_returns_an_empty_response(stack: EmbeddedStack) -> None:
    assert stack.feedback()({"Records": []}, FakeContext()) == {}


def test_an_event_raises_if_a_record_to_retry_has_no_identifier() -> None:
    records = Record(Carrier.SQS, "1", ""), Record(Carrier.SNS, "2", "")
    results = [RecordResult(record, Disposition.RETRY, reason="ReadTimeoutError") for record in records]
    assert build_response(BatchReport((results[0],), MetricCounts())) == {
        "batchItemFailures": [{"itemIdentifier": "1"}]
    }
    with pytest.raises(FeedbackNotStoredError, match="2 of 2"):
        build_response(BatchReport(tuple(results), MetricCounts()))


def test_without_time_left_no_call_is_made_and_records_are_retried(stack: EmbeddedStack) -> None:
    result = stack.feedback()(an_sqs_event(a_bounce()), FakeContext(feedback.RESERVE))
    assert (failed_identifiers(result), stack.dynamodb.calls) == (["sqs-message-1"], [])


def test_each_attempt_at_a_long_batch_advances(stack: EmbeddedStack) -> None:
    stack.dynamodb.only, stack.dynamodb.default_fault = "batch_get_item", runs_first(lambda: stack.clock.sleep(30))
    event = an_sqs_event(*(a_delivery(recipients=[f"{number}@example.com"]) for number in range(LEARN_AT_ONCE + 10)))
    handler, numbers = stack.feedback(), []
    for _ in range(2):
        numbers.append(len(left := failed_identifiers(handler(event, FakeContext(timedelta(seconds=55))))))
        event = {"Records": [record for record in event["Records"] if record["messageId"] in left]}
    assert numbers == [10, 0]


# --- Feedback: logs and metrics -----------------------------------------------------------------------------------


def test_a_batch_without_problems_logs_one_line_and_one_line_of_metrics_per_configuration_set(
    stack: EmbeddedStack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.feedback(metric_configuration_sets=("receipts",))(
        an_sqs_event(*(a_bounce(recipients=[f"{number}@example.com"]) for number in range(40))), FakeContext()
    )
    logs, metrics = printed(capsys)
    fields = [{name: line[name] for name in ("level", "message", "records", "exceptional", "applied")} for line in logs]
    assert fields == [{"level": "INFO", "message": "batch", "records": 40, "exceptional": 0, "applied": 40}]
    assert [(line["ConfigurationSet"], line["PermanentBounce"]) for line in metrics] == [("receipts", [40.0])]


def test_an_exceptional_record_logs_a_line_without_personal_data(
    stack: EmbeddedStack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.dynamodb.default_fault = times_out
    stack.feedback(stack_id=STACK_ID)(an_sqs_event(a_bounce()), FakeContext())
    logs, _ = printed(capsys)
    expected = {
        "level": "WARNING",
        "message": "record",
        "record_id": "sqs-message-1",
        "disposition": "retry",
        "kind": "Bounce",
        "reason": "ReadTimeoutError",
        "message_id": MESSAGE_ID,
        "contacts": [contact_hash(RECIPIENT, STACK_ID)],
    }
    assert {name: logs[0][name] for name in expected} == expected


def test_a_log_line_contains_at_most_ten_hashes_of_contacts(
    stack: EmbeddedStack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.dynamodb.default_fault = times_out
    stack.feedback()(
        an_sqs_event(a_bounce(recipients=[f"{number}@example.com" for number in range(40)])), FakeContext()
    )
    assert len(printed(capsys)[0][0]["contacts"]) == 10


def test_a_batch_of_malformed_records_logs_a_limited_number_of_lines(
    stack: EmbeddedStack, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log line of the batch counts all of them."""
    number = LOGGED_RECORDS + 50
    stack.feedback()(an_sqs_event(*["poison"] * number), FakeContext())
    logs, metrics = printed(capsys)
    assert [line["message"] for line in logs] == ["record"] * LOGGED_RECORDS + ["batch"]
    assert (logs[-1]["exceptional"], logs[-1]["quarantined"], metrics[0]["Quarantined"]) == (number, number, [number])


def test_the_line_of_a_batch_has_its_duration_and_the_status_codes_of_its_bounces_by_provider(
    stack: EmbeddedStack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.dynamodb.only = "batch_execute_statement"
    stack.dynamodb.default_fault = runs_first(lambda: stack.clock.sleep(1.25))
    stack.feedback()(an_sqs_event(a_bounce(), a_bounce(recipients=[OTHER]), a_delivery()), FakeContext())
    [line] = printed(capsys)[0]
    assert line["diagnostics"] == [{"provider": "other", "status": "5.1.1", "bounces": 2}]
    assert line["seconds"] >= 1.25


def test_a_status_that_is_no_enhanced_status_code_is_not_logged(
    stack: EmbeddedStack, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mail server could write an address there."""
    bounce = a_bounce()
    bounce["bounce"]["bouncedRecipients"][0]["status"] = "someone@example.com"
    stack.feedback()(an_sqs_event(bounce), FakeContext())
    [line] = printed(capsys)[0]
    assert line["diagnostics"] == [{"provider": "other", "status": "", "bounces": 1}]


def test_a_record_returned_for_retry_is_counted_with_its_age(
    stack: EmbeddedStack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.dynamodb.only, stack.dynamodb.default_fault = "batch_execute_statement", fails_with("AccessDenied")
    feedback_handler = stack.feedback(stack_name="ours", lane="Bounce")
    event = an_sqs_event(a_bounce())
    stack.clock.sleep(60)
    feedback_handler(event, FakeContext())
    first = [line for line in printed(capsys)[1] if line.get("Stack") == "ours"]
    stack.clock.sleep(420)
    feedback_handler(event, FakeContext())
    second = [line for line in printed(capsys)[1] if line.get("Stack") == "ours"]
    assert [line.get("Lane") for line in first] == [None, "Bounce"]
    assert {line["Retried"][0] for line in (*first, *second)} == {1.0}
    assert second[0]["OldestRetryAge"][0] - first[0]["OldestRetryAge"][0] == 420_000


def test_feedback_in_the_wrong_lane_is_applied_and_counted_as_misrouted(
    stack: EmbeddedStack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.feedback(lane="Bounce")(an_sqs_event(a_complaint()), FakeContext())
    _, [line] = printed(capsys)
    assert (line["MisroutedFeedback"], line["Complaint"], stack.contact(RECIPIENT).status) == (
        [1.0],
        [1.0],
        "complained",
    )


# --- Suppression ---------------------------------------------------------------------------------------------------


def test_stream_records_of_contacts_still_pending_are_returned(stack: EmbeddedStack) -> None:
    stack.learn(a_fact(), a_fact(address=OTHER))
    stack.learn(a_fact(at=a_fact().at + timedelta(days=1)))
    records = stack.stream()
    stack.sesv2.default_fault = lambda operation, real, request: (
        times_out if request["EmailAddress"] == RECIPIENT else real_call
    )(operation, real, request)
    expected = [
        record["dynamodb"]["SequenceNumber"]
        for record in records
        if record["dynamodb"]["Keys"]["address"]["S"] == RECIPIENT
    ]
    assert len(expected) == 2
    assert failed_identifiers(stack.suppression()({"Records": records}, FakeContext())) == expected
    assert stack.listed() == {OTHER: "BOUNCE"}


RECORDS_WITHOUT_CONTACT = [
    {},
    {"dynamodb": {}},
    {"dynamodb": {"Keys": None}},
    None,
    "text",
    {"dynamodb": {"Keys": {"record": {"S": 1}}}},
]


def test_stream_records_without_a_contact_are_skipped(stack: EmbeddedStack) -> None:
    history = {
        "dynamodb": {"Keys": {"address": {"S": RECIPIENT}, "record": {"S": "feedback#1"}}, "SequenceNumber": "1"}
    }
    rate_limiter = {
        "dynamodb": {
            "Keys": {"address": {"S": "suppression-list"}, "record": {"S": "rate_limiter"}},
            "SequenceNumber": "2",
        }
    }
    assert (
        failed_identifiers(
            stack.suppression()({"Records": [*RECORDS_WITHOUT_CONTACT, history, rate_limiter]}, FakeContext())
        )
        == []
    )
    assert stack.dynamodb.calls == []


def test_a_sync_without_time_left_makes_no_call_and_returns_the_records(stack: EmbeddedStack) -> None:
    stack.learn(a_fact())
    records = stack.stream()
    result = stack.suppression()({"Records": records}, FakeContext(suppression.RESERVE - timedelta(seconds=1)))
    assert failed_identifiers(result) == [records[0]["dynamodb"]["SequenceNumber"]]
    assert (stack.listed(), stack.sesv2.calls) == ({}, [])


def test_writes_of_the_sync_cause_no_endless_stream(stack: EmbeddedStack) -> None:
    stack.learn(a_fact(), a_fact(address=OTHER))
    assert stack.drain() <= 2
    assert (stack.listed(), len(stack.sesv2.calls)) == ({RECIPIENT: "BOUNCE", OTHER: "BOUNCE"}, 2)


@pytest.mark.parametrize("address", [RECIPIENT, "either/or@example.com"], ids=["sandbox", "slash"])
def test_an_entry_that_ses_rejects_is_tried_once_per_stream(address: str) -> None:
    with embedded_stack(sandbox=True) as stack:
        stack.learn(a_fact(address=address))
        assert stack.drain() <= 2
        assert (len(stack.sesv2.calls), len(stack.aws.events())) == (1, 1)


def test_a_sweep_returns_its_counts(stack: EmbeddedStack) -> None:
    stack.learn(a_fact())
    assert stack.sweep() == {"published": 1, "put": 1, "deleted": 0, "imported": 0, "released": 0, "still_pending": 0}


@pytest.mark.parametrize("event", [{"source": "ses-feedback", "detail-type": "Sweep"}, {}, None, {"Records": "no"}])
def test_any_event_other_than_a_stream_event_starts_a_sweep(stack: EmbeddedStack, event: object) -> None:
    stack.learn(a_fact())
    stack.clock.sleep(600)
    assert stack.suppression()(event, FakeContext())["put"] == 1


def test_the_log_line_counts_contacts_still_pending_with_their_reasons(
    stack: EmbeddedStack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.learn(a_fact(), a_fact(address=OTHER))
    stack.sesv2.default_fault = times_out
    stack.suppression()({"Records": stack.stream()}, FakeContext())
    [line] = printed(capsys)[0]
    fields = {
        name: line[name] for name in ("message", "published", "put", "deleted", "still_pending", "pending_because")
    }
    expected = {"published": 2, "put": 0, "deleted": 0, "still_pending": 2, "pending_because": ["ReadTimeoutError"]}
    assert fields == {"message": "stream", **expected}


def test_rejections_in_the_sandbox_log_one_line_per_batch(capsys: pytest.CaptureFixture[str]) -> None:
    with embedded_stack(sandbox=True) as stack:
        stack.learn(*(a_fact(address=f"{number}@example.com") for number in range(5)))
        assert failed_identifiers(stack.suppression()({"Records": stack.stream()}, FakeContext())) == []
    logs, _ = printed(capsys)
    warnings = [line for line in logs if line["level"] == "WARNING"]
    assert [line["codes"] for line in warnings] == [{"BadRequestException": 5}]


def test_a_sync_publishes_metrics_once_for_all_contacts(
    stack: EmbeddedStack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.learn(a_fact(), a_fact(address=OTHER))
    stack.clock.sleep(10)
    stack.suppression(metric_configuration_sets=("receipts",))({"Records": stack.stream()}, FakeContext())
    [line] = printed(capsys)[1]
    assert (line["ConfigurationSet"], line["ContactSuppressed"]) == ("receipts", [2.0])
    assert 11_000 <= line["SuppressionLag"][0] < 12_000


@pytest.mark.parametrize(("code", "state", "values"), [("", None, [0.0]), ("Throttling", "unknown: Throttling", None)])
def test_a_sweep_publishes_the_state_of_the_account_and_logs_it_unless_it_is_healthy(
    stack: EmbeddedStack, capsys: pytest.CaptureFixture[str], code: str, state: str | None, values: list[float] | None
) -> None:
    if code:
        stack.sesv2.only, stack.sesv2.default_fault = "get_account", fails_with(code)
    stack.suppression(stack_name="ours")({}, FakeContext())
    logs, metrics = printed(capsys)
    assert [line["state"] for line in logs if line["message"] == "account"] == ([state] if state else [])
    assert [line["AccountRestricted"] for line in metrics if "Stack" in line] == ([values] if values else [])


# --- The clock ------------------------------------------------------------------------------------------------------


def test_the_current_time_is_in_utc() -> None:
    assert abs(deadline.utc_now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_the_deadline_is_the_end_of_the_invocation_minus_the_reserve() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert deadline.deadline(FakeContext(timedelta(seconds=60)), lambda: now, timedelta(seconds=25)) == now + timedelta(
        seconds=35
    )


def test_the_embedded_stack_records_the_calls_of_the_functions(stack: EmbeddedStack) -> None:
    """Otherwise, tests that count calls would prove nothing."""
    stack.feedback()(an_sqs_event(a_bounce()), FakeContext())
    assert isinstance(stack.dynamodb, FaultyClient)
    assert stack.dynamodb.count("batch_execute_statement") == 1
    assert replace(stack.settings) == stack.settings

"""Delivery files: each event is processed like a message of its own."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from string import ascii_letters, digits
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ses_feedback.aws.quarantine import MAX_MESSAGE_BYTES
from ses_feedback.handlers import deliveries
from ses_feedback.handlers.feedback import RESERVE, FeedbackHandler, FeedbackNotStoredError
from ses_feedback.judging.facts import Fact
from ses_feedback.processing import delivery_files
from ses_feedback.processing.delivery_files import EVENTS_PER_BATCH, MAX_QUARANTINED_EVENTS, DeliveryFilePipeline
from ses_feedback.processing.pipeline import Pipeline, QuarantineStore
from ses_feedback.processing.results import Disposition
from ses_feedback.reading.s3_notifications import ObjectName
from tests.support.builders import (
    MESSAGE_ID,
    RECIPIENT,
    a_bounce,
    a_complaint,
    a_delivery,
    a_subscription,
    an_open,
    an_s3_notification,
    an_sqs_event,
    text,
)
from tests.support.deployed_functions import EmbeddedStack, FakeContext, embedded_stack, log_to_current_stdout
from tests.support.fakes import FakeContacts, FakeQuarantine, ManualClock
from tests.support.faulty_client import (
    Fault,
    FaultyClient,
    fails_statements,
    fails_with,
    returns_garbage,
    runs_first,
    times_out,
)
from tests.support.sam_template import ROOT
from tests.support.strategies import documents, json_values

OTHER = "other@example.com"
POISON = '{"eventType": "Bounce"}'
KEY = "deliveries/2026/03/01/12/stream-1"
MINUTE = FakeContext(timedelta(seconds=60))


class Lane:
    """DeliveryFunction on an embedded stack, and the bucket with delivery files."""

    def __init__(self, stack: EmbeddedStack) -> None:
        """Create the bucket."""
        self.stack = stack
        self.s3 = FaultyClient(stack.aws.client("s3"))
        self.s3.create_bucket(Bucket="deliveries")

    def put(self, *messages: object, key: str = KEY) -> dict[str, Any]:
        """Write an object with these messages, as Firehose does, and return the notification of S3."""
        lines = [message if isinstance(message, str) else text(message) for message in messages]
        self.s3.put_object(Bucket="deliveries", Key=key, Body="".join(f"{line}\n" for line in lines).encode())
        return an_s3_notification(key)

    def function(self) -> FeedbackHandler:
        """Return the handler, as a new process creates it."""
        clients = self.stack.clients()
        clients.s3 = self.s3
        changed = replace(
            self.stack.settings, delivery_bucket="deliveries", lane="Delivery", metric_configuration_sets=("receipts",)
        )
        handler = deliveries.compose(changed, clients, now=self.stack.clock.now, sleep=self.stack.clock.sleep)
        log_to_current_stdout()
        self.s3.calls.clear()
        return handler

    def __call__(self, *bodies: object, context: FakeContext = MINUTE) -> list[str]:
        """Invoke the function with a batch of its queue. Return the identifiers of the records to retry."""
        response = self.function()(an_sqs_event(*bodies), context)
        assert list(response) == ["batchItemFailures"]
        return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]

    def quarantined(self) -> list[tuple[str, str, str]]:
        """Return body, reason and record id of each quarantined message."""
        messages = self.stack.aws.quarantined()
        return [(message.body, message.attributes["reason"], message.attributes["source"]) for message in messages]


@pytest.fixture
def lane() -> Iterator[Lane]:
    """A lane with delivery files."""
    with embedded_stack() as stack:
        yield Lane(stack)


def printed(capsys: pytest.CaptureFixture[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the log lines and the metrics printed since the last call."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if "_aws" not in line], [line for line in lines if "_aws" in line]


def some_deliveries(number: int) -> list[dict[str, Any]]:
    """Return a delivery to each of `number` contacts."""
    return [a_delivery(recipients=[f"{index}@example.com"]) for index in range(number)]


# --- Files and events --------------------------------------------------------------------------------------------


def test_every_event_of_a_file_is_applied_and_counted(lane: Lane, capsys: pytest.CaptureFixture[str]) -> None:
    """The file is read with one call."""
    assert lane(lane.put(*some_deliveries(3), an_open(), a_complaint())) == []
    statuses = {item["address"]["S"]: item["status"]["S"] for item in lane.stack.aws.contacts()}
    assert statuses == {**{f"{index}@example.com": "active" for index in range(3)}, RECIPIENT: "complained"}
    [batch], [counted] = printed(capsys)
    assert (batch["message"], batch["records"], batch["applied"]) == ("batch", 5, 5)
    assert (counted["Delivery"], counted["Open"], counted["Complaint"]) == ([3.0], [1.0], [1.0])
    assert lane.s3.count("get_object") == 1


def test_a_malformed_event_of_a_file_is_quarantined_and_the_others_are_applied(lane: Lane) -> None:
    assert lane(lane.put(a_delivery(), POISON, "not JSON", a_delivery(recipients=[OTHER]))) == []
    assert sorted(item["address"]["S"] for item in lane.stack.aws.contacts()) == [OTHER, RECIPIENT]
    assert lane.quarantined() == [
        (POISON, "malformed: bounce: missing", "sqs-message-1"),
        ("not JSON", "not-json", "sqs-message-1"),
    ]


def test_notifications_and_events_in_one_batch_are_both_processed(lane: Lane) -> None:
    first_object = lane.put(a_delivery(recipients=["one@example.com"]), key="deliveries/1")
    second_object = lane.put(a_delivery(recipients=["two@example.com"]), key="deliveries/2")
    assert lane(first_object, a_subscription(), second_object, POISON) == []
    statuses = {item["address"]["S"]: item["status"]["S"] for item in lane.stack.aws.contacts()}
    assert statuses == {"one@example.com": "active", "two@example.com": "active", RECIPIENT: "unsubscribed"}
    assert [source for _, _, source in lane.quarantined()] == ["sqs-message-4"]


def test_the_test_event_of_s3_is_ignored(lane: Lane, capsys: pytest.CaptureFixture[str]) -> None:
    assert lane({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "deliveries"}) == []
    assert (lane.quarantined(), printed(capsys)[0][0]["ignored"], lane.s3.calls) == ([], 1, [])


def test_an_empty_object_is_ignored(lane: Lane, capsys: pytest.CaptureFixture[str]) -> None:
    """The S3 console creates one for a folder."""
    assert lane(lane.put(key="deliveries/")) == []
    assert (lane.quarantined(), printed(capsys)[0][0]["ignored"]) == ([], 1)


def test_a_file_that_is_processed_again_causes_no_write(lane: Lane) -> None:
    notification = lane.put(*some_deliveries(50))
    assert lane(notification) == []
    before = lane.stack.dynamodb.count("batch_execute_statement")
    assert lane(notification) == []
    assert lane.stack.dynamodb.count("batch_execute_statement") == before


# --- Retries ----------------------------------------------------------------------------------------------------


def test_one_event_to_retry_causes_a_retry_of_its_notification(lane: Lane, capsys: pytest.CaptureFixture[str]) -> None:
    """Until then, nothing of the file is counted or quarantined, and the other events are applied."""
    notification = lane.put(*some_deliveries(3), POISON, a_bounce(recipients=[OTHER]), a_complaint(recipients=[OTHER]))
    lane.stack.dynamodb.only = "batch_execute_statement"
    lane.stack.dynamodb.default_fault = fails_statements("AccessDenied", lambda address, _: address == OTHER)
    assert lane(a_delivery(), notification) == ["sqs-message-2"]
    logs, [counted] = printed(capsys)
    assert (counted["Delivery"], lane.quarantined(), len(lane.stack.aws.contacts())) == ([1.0], [], 4)
    assert [(line["disposition"], line["reason"]) for line in logs[:-1]] == [("retry", "AccessDenied")] * 2
    lane.stack.dynamodb.default_fault = None
    assert lane(notification) == []
    _, metrics = printed(capsys)
    assert sorted((name, line[name]) for line in metrics for name in line if name in {"Delivery", "Quarantined"}) == [
        ("Delivery", [3.0]),
        ("Quarantined", [1.0]),
    ]
    assert len(lane.quarantined()) == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (fails_with("SlowDown"), "SlowDown"),
        (fails_with("AccessDenied"), "AccessDenied"),
        (times_out, "ReadTimeoutError"),
        (returns_garbage, "MalformedResponseError"),
    ],
)
def test_a_file_that_cannot_be_read_is_retried_and_the_rest_of_the_batch_is_not(
    lane: Lane,
    fault: Fault,
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    notification = lane.put(a_delivery(recipients=[OTHER]))
    lane.s3.default_fault = fault
    assert lane(notification, a_delivery()) == ["sqs-message-1"]
    assert (printed(capsys)[0][0]["reason"], lane.quarantined()) == (reason, [])
    lane.s3.default_fault = None
    assert lane(notification) == []
    assert len(lane.stack.aws.contacts()) == 2


def test_a_file_is_not_read_without_time_left(lane: Lane) -> None:
    notification = lane.put(a_delivery())
    assert lane(notification, context=FakeContext(RESERVE)) == ["sqs-message-1"]
    assert (lane.s3.calls, lane.stack.aws.contacts()) == ([], [])


def test_each_attempt_at_a_long_file_advances(lane: Lane) -> None:
    notification = lane.put(*some_deliveries(EVENTS_PER_BATCH + 100))
    lane.stack.dynamodb.only = "batch_execute_statement"
    lane.stack.dynamodb.default_fault = runs_first(lambda: lane.stack.clock.sleep(40))
    assert lane(notification) == ["sqs-message-1"]
    applied = len(lane.stack.aws.contacts())
    lane.stack.dynamodb.default_fault = None
    assert lane(notification) == []
    assert (0 < applied < EVENTS_PER_BATCH + 100, len(lane.stack.aws.contacts())) == (True, EVENTS_PER_BATCH + 100)


def test_a_file_with_an_event_that_cannot_be_quarantined_is_retried_and_not_counted(
    lane: Lane, capsys: pytest.CaptureFixture[str]
) -> None:
    notification = lane.put(a_delivery(), POISON)
    lane.stack.sqs.default_fault = fails_with("InternalFailure")
    assert lane(notification) == ["sqs-message-1"]
    logs, metrics = printed(capsys)
    assert (logs[0]["reason"], metrics) == ("not quarantined: InternalFailure", [])
    lane.stack.sqs.default_fault = None
    assert lane(notification) == []
    assert len(lane.quarantined()) == 1


def test_a_direct_invocation_with_a_notification_to_retry_raises(lane: Lane) -> None:
    notification = lane.put(a_delivery())
    lane.stack.dynamodb.default_fault = fails_with("InternalServerError")
    with pytest.raises(FeedbackNotStoredError, match="InternalServerError"):
        lane.function()(notification, MINUTE)
    lane.stack.dynamodb.default_fault = None
    assert lane.function()(notification, MINUTE) == {"applied": 1}


# --- Quarantine -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("notification", "reason"),
    [
        (an_s3_notification("deliveries/expired"), "no-such-object"),
        (an_s3_notification("failed/1"), "foreign-object"),
        (an_s3_notification(KEY, bucket="another"), "foreign-object"),
    ],
)
def test_the_notification_of_an_object_that_cannot_be_read_is_quarantined_and_counted(
    lane: Lane, notification: dict[str, Any], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lane(notification, a_delivery()) == []
    assert lane.quarantined() == [(text(notification), reason, "sqs-message-1")]
    assert len(lane.stack.aws.contacts()) == 1
    assert [line["Quarantined"] for line in printed(capsys)[1] if "Quarantined" in line] == [[1.0]]


def test_a_lane_without_delivery_files_quarantines_a_notification_with_the_reason_in_the_runbook(lane: Lane) -> None:
    """This happens after `DeliveriesBy` changed back from Firehose."""
    notification = an_s3_notification(KEY)
    lane.stack.feedback(lane="Delivery")(an_sqs_event(notification), MINUTE)
    [(_, reason, _)] = lane.quarantined()
    back = (ROOT / "docs/operate/runbook.md").read_text().partition("### Back to the topic")[2].partition("\n## ")[0]
    assert (reason, "`unknown-shape`" in back) == ("unknown-shape", True)


def test_an_unreadable_object_does_not_prevent_the_others_of_its_notification(lane: Lane) -> None:
    """The first reason is stored."""
    lane.put(a_delivery(), key="deliveries/1")
    lane.put(a_delivery(recipients=[OTHER]), key="deliveries/2")
    assert lane(an_s3_notification("deliveries/1", "deliveries/gone", "failed/1", "deliveries/2")) == []
    assert len(lane.stack.aws.contacts()) == 2
    assert [reason for _, reason, _ in lane.quarantined()] == ["no-such-object"]


def test_a_file_with_too_many_malformed_events_is_quarantined_as_a_notification(lane: Lane) -> None:
    """Valid events are applied."""
    notification = lane.put(*["poison"] * (MAX_QUARANTINED_EVENTS + 1), a_delivery())
    assert lane(notification) == []
    assert lane.quarantined() == [(text(notification), "unusable-lines", "sqs-message-1")]
    assert len(lane.stack.aws.contacts()) == 1


def test_a_file_with_an_event_too_long_for_the_quarantine_is_quarantined_as_a_notification(lane: Lane) -> None:
    random = Random(1)  # noqa: S311 (repeatable, not used for secrets)
    noise = "".join(random.choices(ascii_letters + digits + "+/-_.,", k=MAX_MESSAGE_BYTES + 1))
    notification = lane.put("poison", noise, a_delivery())
    assert lane(notification) == []
    assert lane.quarantined() == [(text(notification), "unusable-lines", "sqs-message-1")]
    assert len(lane.stack.aws.contacts()) == 1


def test_a_notification_with_too_many_malformed_events_is_quarantined_at_the_deadline(lane: Lane) -> None:
    """A retry would not help."""
    lane.put(*["poison"] * (MAX_QUARANTINED_EVENTS + 1))
    lane.put(a_delivery(), key="deliveries/2")
    lane.s3.faults = {1: runs_first(lambda: lane.stack.clock.sleep(40))}
    assert lane(an_s3_notification(KEY, "deliveries/2")) == []
    assert [reason for _, reason, _ in lane.quarantined()] == ["unusable-lines"]


def test_nothing_is_quarantined_without_time_left(lane: Lane, capsys: pytest.CaptureFixture[str]) -> None:
    """If the function timed out meanwhile, the event would be quarantined twice."""
    notification = lane.put(a_delivery(), POISON)
    lane.stack.dynamodb.only = "batch_execute_statement"
    lane.stack.dynamodb.default_fault = runs_first(lambda: lane.stack.clock.sleep(40))
    assert (lane(notification), lane.quarantined()) == (["sqs-message-1"], [])
    assert printed(capsys)[0][0]["reason"] == "not quarantined: out-of-time"
    assert (lane(notification), len(lane.quarantined())) == ([], 1)


def test_deferred_messages_are_not_quarantined_after_the_deadline(
    lane: Lane, capsys: pytest.CaptureFixture[str]
) -> None:
    """Reading another file may use up the time."""
    lane.put(POISON)
    lane.put(key="deliveries/2")
    lane.s3.faults = {1: runs_first(lambda: lane.stack.clock.sleep(40))}
    assert (lane(an_s3_notification(KEY, "deliveries/2")), lane.quarantined()) == (["sqs-message-1"], [])
    assert printed(capsys)[0][0]["reason"] == "not quarantined: out-of-time"


def test_up_to_100_malformed_events_are_quarantined_separately(lane: Lane) -> None:
    assert lane(lane.put(*["poison"] * MAX_QUARANTINED_EVENTS)) == []
    assert {(body, reason) for body, reason, _ in lane.quarantined()} == {("poison", "not-json")}
    assert len(lane.quarantined()) == MAX_QUARANTINED_EVENTS


def test_a_bug_quarantines_the_notification_and_the_batch_continues(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crashes(*_: object) -> None:
        raise ZeroDivisionError

    notification = lane.put(a_delivery(recipients=[OTHER]))
    monkeypatch.setattr(delivery_files, "split_messages", crashes)
    assert lane(notification, a_delivery()) == []
    assert [reason for _, reason, _ in lane.quarantined()] == ["internal-error: ZeroDivisionError"]
    assert len(lane.stack.aws.contacts()) == 1


# --- Logs -----------------------------------------------------------------------------------------------------------


def test_log_lines_identify_events_by_reason_record_and_message_id_without_personal_data(
    lane: Lane, capsys: pytest.CaptureFixture[str]
) -> None:
    without_recipient = a_complaint(recipients=[])
    assert lane(lane.put("canary@example.com", without_recipient, {**a_delivery(), "canary@example.com": 1})) == []
    out = capsys.readouterr().out
    logs = [json.loads(line) for line in out.splitlines() if "_aws" not in line]
    fields = [(line["record_id"], line["reason"], line["message_id"]) for line in logs[:-1]]
    assert fields == [("sqs-message-1", "not-json", ""), ("sqs-message-1", "no-recipient", MESSAGE_ID)]
    assert ("canary" in out, RECIPIENT in out) == (False, False)


# --- Equivalence------------------------------------------------------------------------------------------------------


class FakeBucket:
    """S3 objects in memory."""

    def __init__(self) -> None:
        """Create an empty bucket."""
        self.objects: dict[ObjectName, bytes] = {}

    def read(self, name: ObjectName, /) -> bytes:
        """Return the content of an object."""
        return self.objects[name]


class PipelineFixture:
    """A pipeline for delivery files with fakes of its stores."""

    def __init__(self, contacts: FakeContacts | None = None) -> None:
        """Create the pipeline."""
        clock = ManualClock()
        self.contacts = contacts or FakeContacts(now=clock.now)
        self.quarantine = FakeQuarantine()
        self.bucket = FakeBucket()

        def create_pipeline(quarantine: QuarantineStore) -> Pipeline:
            return Pipeline(self.contacts, quarantine, now=clock.now)

        self.pipeline = DeliveryFilePipeline(create_pipeline, self.quarantine, self.bucket, clock.now)


class CountingContacts(FakeContacts):
    """A contact store that records the number of facts of each call."""

    def __init__(self) -> None:
        """Create an empty store."""
        super().__init__(now=ManualClock().now)
        self.sizes: list[int] = []

    def learn(self, facts: Iterable[Fact], until: datetime | None = None) -> Mapping[str, str]:
        """Record the number of facts, and store them."""
        facts = list(facts)
        self.sizes.append(len(facts))
        return super().learn(facts, until)


def test_a_large_file_is_processed_in_batches() -> None:
    contacts = CountingContacts()
    fixture = PipelineFixture(contacts)
    messages = some_deliveries(2 * EVENTS_PER_BATCH + 10)
    fixture.bucket.objects[ObjectName("deliveries", KEY)] = "\n".join(map(text, messages)).encode()
    report = fixture.pipeline.process(an_sqs_event(an_s3_notification(KEY)))
    assert [size for size in contacts.sizes if size] == [EVENTS_PER_BATCH, EVENTS_PER_BATCH, 10]
    assert (len(report.results), len(contacts.items)) == (len(messages), len(messages))
    # Results refer to the notification, not to the events.
    assert {result.record.content for result in report.results} == {text(an_s3_notification(KEY))}


@given(st.lists(documents() | json_values(), max_size=8))
def test_a_file_and_separate_messages_with_the_same_events_have_the_same_results(messages: list[Any]) -> None:
    """Contacts, quarantine, dispositions and counts are compared."""
    from_file, from_messages = PipelineFixture(), PipelineFixture()
    bodies = [text(message) for message in messages]
    from_file.bucket.objects[ObjectName("deliveries", KEY)] = "\n".join(bodies).encode("utf-8", "surrogatepass")
    file_report = from_file.pipeline.process(an_sqs_event(an_s3_notification(KEY)))
    message_report = from_messages.pipeline.process(an_sqs_event(*bodies))
    assert from_file.contacts.items == from_messages.contacts.items
    quarantined = [(message.original, message.reason) for message in from_messages.quarantine.messages]
    assert [(message.original, message.reason) for message in from_file.quarantine.messages] == quarantined
    assert {result.record.id for result in file_report.results} == {"sqs-message-1"}
    expected = [(result.disposition, result.kind, result.reason, result.contacts) for result in message_report.results]
    assert [(result.disposition, result.kind, result.reason, result.contacts) for result in file_report.results] == (
        expected or [(Disposition.IGNORED, "", "", ())]
    )
    assert sorted(file_report.metric_counts) == sorted(message_report.metric_counts)

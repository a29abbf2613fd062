"""What comes in an object is handled as if each of its messages had come alone, on an embedded AWS and by law."""

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
from ses_feedback.processing import delivery_files as entrance
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
    """DeliveryFunction in a world, and the bucket that S3 notifies it of."""

    def __init__(self, stack: EmbeddedStack) -> None:
        """Make the bucket."""
        self.stack = stack
        self.s3 = FaultyClient(stack.aws.client("s3"))
        self.s3.create_bucket(Bucket="deliveries")

    def put(self, *messages: object, key: str = KEY) -> dict[str, Any]:
        """Write an object of these messages, as Firehose does of what SES publishes; return S3's notification."""
        lines = [one if isinstance(one, str) else text(one) for one in messages]
        self.s3.put_object(Bucket="deliveries", Key=key, Body="".join(f"{line}\n" for line in lines).encode())
        return an_s3_notification(key)

    def function(self) -> FeedbackHandler:
        """Return the function in a process of its own, that has been called nothing yet."""
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
        """Hand the function a batch of its queue; return which records have to come again."""
        answer = self.function()(an_sqs_event(*bodies), context)
        assert list(answer) == ["batchItemFailures"]
        return [one["itemIdentifier"] for one in answer["batchItemFailures"]]

    def quarantined(self) -> list[tuple[str, str, str]]:
        """Return what is in quarantine, with the reason and the record it came in."""
        kept = self.stack.aws.quarantined()
        return [(one.body, one.attributes["reason"], one.attributes["source"]) for one in kept]


@pytest.fixture
def lane() -> Iterator[Lane]:
    """A lane."""
    with embedded_stack() as stack:
        yield Lane(stack)


def printed(capsys: pytest.CaptureFixture[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the log lines and the metrics printed since the last time."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if "_aws" not in line], [line for line in lines if "_aws" in line]


def some_deliveries(number: int) -> list[dict[str, Any]]:
    """Return a delivery to each of so many contacts."""
    return [a_delivery(recipients=[f"{one}@example.com"]) for one in range(number)]


# --- An object is so many messages ----------------------------------------------------------------------------------


def test_every_message_of_an_object_is_applied(lane: Lane, capsys: pytest.CaptureFixture[str]) -> None:
    """With one call of S3, and counted as if each had come alone."""
    assert lane(lane.put(*some_deliveries(3), an_open(), a_complaint())) == []
    statuses = {item["address"]["S"]: item["status"]["S"] for item in lane.stack.aws.contacts()}
    assert statuses == {**{f"{one}@example.com": "active" for one in range(3)}, RECIPIENT: "complained"}
    [batch], [counted] = printed(capsys)
    assert (batch["message"], batch["records"], batch["applied"]) == ("batch", 5, 5)
    assert (counted["Delivery"], counted["Open"], counted["Complaint"]) == ([3.0], [1.0], [1.0])
    assert lane.s3.count("get_object") == 1


def test_a_message_that_cant_be_understood_goes_to_quarantine_by_itself(lane: Lane) -> None:
    """And the others are applied."""
    assert lane(lane.put(a_delivery(), POISON, "not JSON", a_delivery(recipients=[OTHER]))) == []
    assert sorted(item["address"]["S"] for item in lane.stack.aws.contacts()) == [OTHER, RECIPIENT]
    assert lane.quarantined() == [
        (POISON, "malformed: bounce: missing", "sqs-message-1"),
        ("not JSON", "not-json", "sqs-message-1"),
    ]


def test_objects_and_messages_come_in_one_batch(lane: Lane) -> None:
    """What still comes by the topic is handled as ever."""
    first_object = lane.put(a_delivery(recipients=["one@example.com"]), key="deliveries/1")
    second_object = lane.put(a_delivery(recipients=["two@example.com"]), key="deliveries/2")
    assert lane(first_object, a_subscription(), second_object, POISON) == []
    statuses = {item["address"]["S"]: item["status"]["S"] for item in lane.stack.aws.contacts()}
    assert statuses == {"one@example.com": "active", "two@example.com": "active", RECIPIENT: "unsubscribed"}
    assert [source for _, _, source in lane.quarantined()] == ["sqs-message-4"]


def test_s3_trying_the_queue_is_no_feedback(lane: Lane, capsys: pytest.CaptureFixture[str]) -> None:
    """Which it does once, when the stack is made."""
    assert lane({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "deliveries"}) == []
    assert (lane.quarantined(), printed(capsys)[0][0]["ignored"], lane.s3.calls) == ([], 1, [])


def test_an_empty_object_is_no_feedback(lane: Lane, capsys: pytest.CaptureFixture[str]) -> None:
    """The console makes such for a folder."""
    assert lane(lane.put(key="deliveries/")) == []
    assert (lane.quarantined(), printed(capsys)[0][0]["ignored"]) == ([], 1)


def test_what_is_known_is_not_written_again(lane: Lane) -> None:
    """An object that comes a second time costs no write."""
    notification = lane.put(*some_deliveries(50))
    assert lane(notification) == []
    before = lane.stack.dynamodb.count("batch_execute_statement")
    assert lane(notification) == []
    assert lane.stack.dynamodb.count("batch_execute_statement") == before


# --- What has to come again -----------------------------------------------------------------------------------------


def test_one_message_that_has_to_come_again_brings_its_object_again(
    lane: Lane, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named once. Until then nothing of the object is counted or put in quarantine, and the rest is applied."""
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
def test_an_object_that_cant_be_read_comes_again(
    lane: Lane,
    fault: Fault,
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And nothing else of its batch does."""
    notification = lane.put(a_delivery(recipients=[OTHER]))
    lane.s3.default_fault = fault
    assert lane(notification, a_delivery()) == ["sqs-message-1"]
    assert (printed(capsys)[0][0]["reason"], lane.quarantined()) == (reason, [])
    lane.s3.default_fault = None
    assert lane(notification) == []
    assert len(lane.stack.aws.contacts()) == 2


def test_an_object_is_not_begun_when_there_is_no_time(lane: Lane) -> None:
    """It comes again, unread."""
    notification = lane.put(a_delivery())
    assert lane(notification, context=FakeContext(RESERVE)) == ["sqs-message-1"]
    assert (lane.s3.calls, lane.stack.aws.contacts()) == ([], [])


def test_a_long_object_gets_further_with_each_try(lane: Lane) -> None:
    """What was applied before time ran out is known the next time, and takes no writes."""
    notification = lane.put(*some_deliveries(EVENTS_PER_BATCH + 100))
    lane.stack.dynamodb.only = "batch_execute_statement"
    lane.stack.dynamodb.default_fault = runs_first(lambda: lane.stack.clock.sleep(40))
    assert lane(notification) == ["sqs-message-1"]
    begun = len(lane.stack.aws.contacts())
    lane.stack.dynamodb.default_fault = None
    assert lane(notification) == []
    assert (0 < begun < EVENTS_PER_BATCH + 100, len(lane.stack.aws.contacts())) == (True, EVENTS_PER_BATCH + 100)


def test_what_cant_be_put_in_quarantine_comes_again(lane: Lane, capsys: pytest.CaptureFixture[str]) -> None:
    """And is not counted until it can."""
    notification = lane.put(a_delivery(), POISON)
    lane.stack.sqs.default_fault = fails_with("InternalFailure")
    assert lane(notification) == ["sqs-message-1"]
    logs, metrics = printed(capsys)
    assert (logs[0]["reason"], metrics) == ("not quarantined: InternalFailure", [])
    lane.stack.sqs.default_fault = None
    assert lane(notification) == []
    assert len(lane.quarantined()) == 1


def test_a_notification_handed_over_by_hand_fails_as_a_whole(lane: Lane) -> None:
    """Where Lambda can't be told which record has to come again, the invocation fails."""
    notification = lane.put(a_delivery())
    lane.stack.dynamodb.default_fault = fails_with("InternalServerError")
    with pytest.raises(FeedbackNotStoredError, match="InternalServerError"):
        lane.function()(notification, MINUTE)
    lane.stack.dynamodb.default_fault = None
    assert lane.function()(notification, MINUTE) == {"applied": 1}


# --- What no other try would help -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("notification", "reason"),
    [
        (an_s3_notification("deliveries/expired"), "no-such-object"),
        (an_s3_notification("failed/1"), "foreign-object"),
        (an_s3_notification(KEY, bucket="another"), "foreign-object"),
    ],
)
def test_an_object_that_is_not_to_be_had_is_set_aside(
    lane: Lane, notification: dict[str, Any], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its notification goes to quarantine as it came, with the reason, and counts."""
    assert lane(notification, a_delivery()) == []
    assert lane.quarantined() == [(text(notification), reason, "sqs-message-1")]
    assert len(lane.stack.aws.contacts()) == 1
    assert [line["Quarantined"] for line in printed(capsys)[1] if "Quarantined" in line] == [[1.0]]


def test_where_deliveries_come_by_topic_a_notification_is_no_shape_of_theirs(lane: Lane) -> None:
    """As after the way back from Firehose: the runbook names this reason."""
    notification = an_s3_notification(KEY)
    lane.stack.feedback(lane="Delivery")(an_sqs_event(notification), MINUTE)
    [(_, reason, _)] = lane.quarantined()
    back = (ROOT / "docs/operate/runbook.md").read_text().partition("### Back to the topic")[2].partition("\n## ")[0]
    assert (reason, "`unknown-shape`" in back) == ("unknown-shape", True)


def test_the_other_objects_of_a_notification_are_read(lane: Lane) -> None:
    """One that is gone before them is not; the first that can't be had says why."""
    lane.put(a_delivery(), key="deliveries/1")
    lane.put(a_delivery(recipients=[OTHER]), key="deliveries/2")
    assert lane(an_s3_notification("deliveries/1", "deliveries/gone", "failed/1", "deliveries/2")) == []
    assert len(lane.stack.aws.contacts()) == 2
    assert [reason for _, reason, _ in lane.quarantined()] == ["no-such-object"]


def test_a_flood_of_poison_is_set_aside_in_one_piece(lane: Lane) -> None:
    """Keeping each by itself would outlast the function, and begin anew each time. What is sound is applied."""
    notification = lane.put(*["poison"] * (MAX_QUARANTINED_EVENTS + 1), a_delivery())
    assert lane(notification) == []
    assert lane.quarantined() == [(text(notification), "unusable-lines", "sqs-message-1")]
    assert len(lane.stack.aws.contacts()) == 1


def test_a_line_that_no_quarantine_takes_is_set_aside_with_its_object(lane: Lane) -> None:
    """Those before it are not kept again with each try, and no try would help."""
    chance = Random(1)  # noqa: S311 (repeatable chance, not secrecy)
    noise = "".join(chance.choices(ascii_letters + digits + "+/-_.,", k=MAX_MESSAGE_BYTES + 1))
    notification = lane.put("poison", noise, a_delivery())
    assert lane(notification) == []
    assert lane.quarantined() == [(text(notification), "unusable-lines", "sqs-message-1")]
    assert len(lane.stack.aws.contacts()) == 1


def test_a_flood_that_no_try_gets_to_the_end_of_is_set_aside(lane: Lane) -> None:
    """When time runs out on it, what is left of it is not tried again for ever."""
    lane.put(*["poison"] * (MAX_QUARANTINED_EVENTS + 1))
    lane.put(a_delivery(), key="deliveries/2")
    lane.s3.faults = {1: runs_first(lambda: lane.stack.clock.sleep(40))}
    assert lane(an_s3_notification(KEY, "deliveries/2")) == []
    assert [reason for _, reason, _ in lane.quarantined()] == ["unusable-lines"]


def test_what_is_to_be_kept_is_not_begun_when_there_is_no_time(lane: Lane, capsys: pytest.CaptureFixture[str]) -> None:
    """A function that is ended meanwhile would keep it again."""
    notification = lane.put(a_delivery(), POISON)
    lane.stack.dynamodb.only = "batch_execute_statement"
    lane.stack.dynamodb.default_fault = runs_first(lambda: lane.stack.clock.sleep(40))
    assert (lane(notification), lane.quarantined()) == (["sqs-message-1"], [])
    assert printed(capsys)[0][0]["reason"] == "not quarantined: out-of-time"
    assert (lane(notification), len(lane.quarantined())) == ([], 1)


def test_what_is_kept_for_later_is_not_handed_over_too_late(lane: Lane, capsys: pytest.CaptureFixture[str]) -> None:
    """Reading another object may take what time there was."""
    lane.put(POISON)
    lane.put(key="deliveries/2")
    lane.s3.faults = {1: runs_first(lambda: lane.stack.clock.sleep(40))}
    assert (lane(an_s3_notification(KEY, "deliveries/2")), lane.quarantined()) == (["sqs-message-1"], [])
    assert printed(capsys)[0][0]["reason"] == "not quarantined: out-of-time"


def test_as_much_poison_as_that_is_kept_line_by_line(lane: Lane) -> None:
    """Up to there."""
    assert lane(lane.put(*["poison"] * MAX_QUARANTINED_EVENTS)) == []
    assert {(body, reason) for body, reason, _ in lane.quarantined()} == {("poison", "not-json")}
    assert len(lane.quarantined()) == MAX_QUARANTINED_EVENTS


def test_a_bug_holds_up_nobody(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notification that brings one to light is set aside, and the batch goes on."""

    def crashes(*_: object) -> None:
        raise ZeroDivisionError

    notification = lane.put(a_delivery(recipients=[OTHER]))
    monkeypatch.setattr(entrance, "split_messages", crashes)
    assert lane(notification, a_delivery()) == []
    assert [reason for _, reason, _ in lane.quarantined()] == ["internal-error: ZeroDivisionError"]
    assert len(lane.stack.aws.contacts()) == 1


# --- Logs -----------------------------------------------------------------------------------------------------------


def test_logs_name_the_notification_and_nobody(lane: Lane, capsys: pytest.CaptureFixture[str]) -> None:
    """A message of an object is found by its reason, the record it came in, and SES's id."""
    nobody = a_complaint(recipients=[])
    assert lane(lane.put("canary@example.com", nobody, {**a_delivery(), "canary@example.com": 1})) == []
    out = capsys.readouterr().out
    logs = [json.loads(line) for line in out.splitlines() if "_aws" not in line]
    told = [(line["record_id"], line["reason"], line["message_id"]) for line in logs[:-1]]
    assert told == [("sqs-message-1", "not-json", ""), ("sqs-message-1", "no-recipient", MESSAGE_ID)]
    assert ("canary" in out, RECIPIENT in out) == (False, False)


# --- By law ---------------------------------------------------------------------------------------------------------


class Bucket:
    """Objects in memory."""

    def __init__(self) -> None:
        """Start empty."""
        self.objects: dict[ObjectName, bytes] = {}

    def read(self, one: ObjectName) -> bytes:
        """Return what is in an object."""
        return self.objects[one]


class Entrance:
    """Deliveries between fakes."""

    def __init__(self, contacts: FakeContacts | None = None) -> None:
        """Put it together."""
        clock = ManualClock()
        self.contacts = contacts or FakeContacts(now=clock.now)
        self.quarantine = FakeQuarantine()
        self.bucket = Bucket()

        def pipeline(keeper: QuarantineStore) -> Pipeline:
            return Pipeline(self.contacts, keeper, now=clock.now)

        self.deliveries = DeliveryFilePipeline(pipeline, self.quarantine, self.bucket, clock.now)


class Sized(FakeContacts):
    """Contacts that tell how many facts they were given at a time."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(now=ManualClock().now)
        self.sizes: list[int] = []

    def learn(self, facts: Iterable[Fact], until: datetime | None = None) -> Mapping[str, str]:
        """Count."""
        given_at_once = list(facts)
        self.sizes.append(len(given_at_once))
        return super().learn(given_at_once, until)


def test_a_large_object_is_handled_piece_by_piece() -> None:
    """No more messages are in work at once than come in a batch of the queue otherwise."""
    contacts = Sized()
    entrance = Entrance(contacts)
    messages = some_deliveries(2 * EVENTS_PER_BATCH + 10)
    entrance.bucket.objects[ObjectName("deliveries", KEY)] = "\n".join(map(text, messages)).encode()
    report = entrance.deliveries.process(an_sqs_event(an_s3_notification(KEY)))
    assert [size for size in contacts.sizes if size] == [EVENTS_PER_BATCH, EVENTS_PER_BATCH, 10]
    assert (len(report.results), len(contacts.items)) == (len(messages), len(messages))
    # What is told of a message holds the notification, not the message.
    assert {one.record.content for one in report.results} == {text(an_s3_notification(KEY))}


@given(st.lists(documents() | json_values(), max_size=8))
def test_an_object_is_as_good_as_its_messages(messages: list[Any]) -> None:
    """Whatever is in it: the same contacts, the same quarantine, the same ends, the same counts."""
    whole, single = Entrance(), Entrance()
    bodies = [text(message) for message in messages]
    whole.bucket.objects[ObjectName("deliveries", KEY)] = "\n".join(bodies).encode("utf-8", "surrogatepass")
    together = whole.deliveries.process(an_sqs_event(an_s3_notification(KEY)))
    alone = single.deliveries.process(an_sqs_event(*bodies))
    assert whole.contacts.items == single.contacts.items
    assert [(one.original, one.reason) for one in whole.quarantine.messages] == [
        (one.original, one.reason) for one in single.quarantine.messages
    ]
    assert {one.record.id for one in together.results} == {"sqs-message-1"}
    ends = [(one.disposition, one.kind, one.reason, one.contacts) for one in alone.results]
    assert [(one.disposition, one.kind, one.reason, one.contacts) for one in together.results] == (
        ends or [(Disposition.IGNORED, "", "", ())]
    )
    assert sorted(together.metric_counts) == sorted(alone.metric_counts)

"""`Preferences`: the message, its repetition, and what is refused before it is sent."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from localaws.in_process.embedded_aws import EmbeddedAws
from ses_feedback.client import (
    FeedbackClientError,
    InvalidArgumentError,
    PreferenceNotSentError,
    PreferenceReceipt,
    Preferences,
    UnusableAddressError,
)

ADDRESS = "ada@example.com"
QUEUE_URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/ComplaintQueue"
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)

Json = dict[str, Any]


class Queue:
    """An SQS client that keeps what is sent, or fails with `error`."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.requests: list[Json] = []

    def send_message(self, **request: Any) -> Json:  # noqa: ANN401 (botocore's parameters)
        self.requests.append(request)
        if self.error:
            raise self.error
        return {"MessageId": "1"}

    @property
    def messages(self) -> list[Json]:
        return [json.loads(request["MessageBody"]) for request in self.requests]


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def preferences(queue: Queue) -> Preferences:
    return Preferences(QUEUE_URL, client=queue)


@pytest.mark.parametrize("preference", ["unsubscribe", "subscribe"])
def test_a_message_has_every_given_field(queue: Queue, preferences: Preferences, preference: str) -> None:
    send = getattr(preferences, preference)
    receipt = send("Ada <Ada@EXAMPLE.com.>", "newsletter", reason="preference center", time=NOON, id="order-1")
    assert receipt == PreferenceReceipt("order-1", NOON)
    assert queue.messages == [
        {
            "preference": preference,
            "version": 1,
            "address": "Ada@example.com",
            "stream": "newsletter",
            "reason": "preference center",
            "time": "2026-11-28T12:00:00.000Z",
            "id": "order-1",
        }
    ]
    assert queue.requests[0].keys() == {"QueueUrl", "MessageBody"}
    assert queue.requests[0]["QueueUrl"] == QUEUE_URL


@pytest.mark.parametrize("reason", [None, ""])
def test_a_message_without_stream_and_reason_has_neither(
    queue: Queue, preferences: Preferences, reason: str | None
) -> None:
    preferences.unsubscribe(ADDRESS, reason=reason)
    assert queue.messages[0].keys() == {"preference", "version", "address", "time", "id"}


def test_time_and_id_are_generated_and_returned(queue: Queue, preferences: Preferences) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    first, second = preferences.unsubscribe(ADDRESS), preferences.unsubscribe(ADDRESS)
    assert first.id != second.id
    assert len(first.id) == 32
    assert before <= first.time <= second.time <= datetime.now(UTC)
    assert [message["id"] for message in queue.messages] == [first.id, second.id]


def test_a_call_with_the_receipt_of_another_sends_the_same_message(queue: Queue, preferences: Preferences) -> None:
    receipt = preferences.subscribe(ADDRESS, "newsletter", reason="double opt-in")
    again = preferences.subscribe(ADDRESS, "newsletter", reason="double opt-in", **receipt._asdict())
    assert again == receipt
    assert queue.messages[0] == queue.messages[1]


def test_a_time_is_sent_in_utc_with_milliseconds(queue: Queue, preferences: Preferences) -> None:
    time = datetime(2026, 11, 28, 13, 0, 0, 123_999, tzinfo=timezone(timedelta(hours=1)))
    receipt = preferences.unsubscribe(ADDRESS, time=time)
    assert queue.messages[0]["time"] == "2026-11-28T12:00:00.123Z"
    assert receipt.time == NOON + timedelta(milliseconds=123)


@pytest.mark.parametrize(
    "options",
    [
        {"stream": ""},
        {"stream": "*"},
        {"stream": "two words"},
        {"stream": "x" * 65},
        {"reason": "x" * 201},
        {"reason": "two\nlines"},
        {"reason": "\ud800"},
        {"id": ""},
        {"id": "x" * 65},
        {"id": "a b"},
        {"time": datetime(2026, 11, 28)},  # noqa: DTZ001 (the missing time zone is the subject)
        {"time": datetime(1969, 12, 31, tzinfo=UTC)},
        {"time": datetime(9000, 1, 1, tzinfo=UTC)},
    ],
    ids=repr,
)
def test_an_invalid_argument_raises_and_nothing_is_sent(
    queue: Queue, preferences: Preferences, options: dict[str, Any]
) -> None:
    for send in (preferences.unsubscribe, preferences.subscribe):
        with pytest.raises(InvalidArgumentError):
            send(ADDRESS, **options)
    assert queue.requests == []


@pytest.mark.parametrize("options", [{"stream": "x" * 64}, {"reason": "\u00e9" * 200}, {"id": "_-" * 32}])
def test_an_argument_of_the_greatest_length_is_sent(
    queue: Queue, preferences: Preferences, options: dict[str, Any]
) -> None:
    preferences.unsubscribe(ADDRESS, **options)
    assert options.items() <= queue.messages[0].items()


@pytest.mark.parametrize("address", ["", "no-at-sign", "a@example.com, b@example.com", "secret@exa mple.com"])
def test_an_unusable_address_raises_and_nothing_is_sent(queue: Queue, preferences: Preferences, address: str) -> None:
    with pytest.raises(UnusableAddressError, match="ask the person for one address") as raised:
        preferences.unsubscribe(address)
    assert "example" not in str(raised.value)
    assert isinstance(raised.value, ValueError)
    with pytest.raises(InvalidArgumentError, match="not NoneType"):
        preferences.subscribe(None)  # type: ignore[arg-type]
    assert queue.requests == []


def test_an_address_that_its_a_labels_make_too_long_raises(queue: Queue, preferences: Preferences) -> None:
    with pytest.raises(UnusableAddressError, match="too long"):
        preferences.unsubscribe(f"{'x' * 302}@b\u00fccher.example")
    preferences.unsubscribe(f"{'x' * 297}@b\u00fccher.example")
    assert [len(message["address"]) for message in queue.messages] == [319]


def denied() -> ClientError:
    details: Any = {"Error": {"Code": "AccessDenied", "Message": f"{ADDRESS} is not allowed"}}
    return ClientError(details, "SendMessage")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (denied, "AccessDenied"),
        (lambda: EndpointConnectionError(endpoint_url=QUEUE_URL), "EndpointConnectionError"),
        (lambda: ConnectionResetError(ADDRESS), "ConnectionResetError"),
    ],
)
def test_a_failure_raises_with_the_receipt_to_repeat_the_call(error: Callable[[], Exception], code: str) -> None:
    queue = Queue(error())
    preferences = Preferences(QUEUE_URL, client=queue)
    with pytest.raises(PreferenceNotSentError, match="repeat the call") as raised:
        preferences.unsubscribe(ADDRESS, "newsletter")
    assert (raised.value.code, raised.value.__cause__) == (code, None)
    assert ADDRESS not in str(raised.value)
    assert isinstance(raised.value, FeedbackClientError)
    queue.error = None
    preferences.unsubscribe(ADDRESS, "newsletter", **raised.value.receipt._asdict())
    assert queue.messages[0] == queue.messages[1]


@pytest.mark.parametrize(
    "options",
    [{"queue_url": "ComplaintQueue"}, {"queue_url": QUEUE_URL, "client": object(), "session": object()}],
)
def test_contradicting_arguments_raise(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError):
        Preferences(**options)


@pytest.mark.parametrize(
    ("url", "region"),
    [
        (QUEUE_URL, "eu-central-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/ComplaintQueue", "cn-north-1"),
        ("http://127.0.0.1:4566/123456789012/ComplaintQueue", "us-east-1"),
    ],
)
def test_a_client_that_the_package_creates_is_in_the_region_of_the_queue(url: str, region: str) -> None:
    client = Preferences(url, session=boto3.session.Session(region_name="us-east-1"))._client  # noqa: SLF001
    assert (client.meta.region_name, client.meta.config.read_timeout) == (region, 1)


def test_a_message_arrives_in_the_queue_that_boto3_reaches() -> None:
    with EmbeddedAws() as aws:
        sqs = aws.client("sqs")
        url = sqs.create_queue(QueueName="ComplaintQueue")["QueueUrl"]
        receipt = Preferences(url, session=boto3.session.Session(region_name="us-east-1")).unsubscribe(ADDRESS)
        [message] = sqs.receive_message(QueueUrl=url)["Messages"]
    assert json.loads(message["Body"])["id"] == receipt.id

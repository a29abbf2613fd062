"""Containers of messages are opened, however they are nested."""

import base64
import gzip
import json
from typing import Any

import pytest

from feedbackctl.unpacking.containers import MAX_DEPTH, as_queue_message, unpack, unpack_received
from ses_feedback.aws.quarantine import PACKED
from ses_feedback.timestamps import format_timestamp
from tests.support.builders import OTHER_RECIPIENT, a_bounce, an_sns_event, an_sqs_event, text

BOUNCE, OTHER = text(a_bounce()), text(a_bounce(recipients=[OTHER_RECIPIENT]))
SENT = "1772366405000"
SENT_AT = "2026-03-01T12:00:05.000Z"


def texts(container: object) -> list[tuple[tuple[int, ...], str]]:
    """Return numbers and queue texts of the messages in a container."""
    found = unpack(container if isinstance(container, str) else json.dumps(container))
    return [(inner.numbers, as_queue_message(inner.content)[0]) for inner in found]


def a_message(body: str, **attributes: str) -> dict[str, Any]:
    """Return a message as `aws sqs receive-message --attribute-names All --message-attribute-names All` prints it."""
    typed = {name: {"StringValue": value, "DataType": "String"} for name, value in attributes.items()}
    return {
        "MessageId": "1",
        "ReceiptHandle": "r",
        "MD5OfBody": "d",
        "Body": body,
        "Attributes": {"SentTimestamp": SENT, "ApproximateReceiveCount": "1"},
        **({"MessageAttributes": typed} if typed else {}),
    }


def packed(body: str) -> str:
    return base64.b64encode(gzip.compress(body.encode("utf-8", "surrogatepass"))).decode()


def a_failure(payload: object) -> dict[str, Any]:
    """Return the record of a failed invocation.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    return {
        "version": "1.0",
        "timestamp": "2026-03-01T12:00:05.000Z",
        "requestContext": {"requestId": "1", "condition": "RetriesExhausted", "approximateInvokeCount": 3},
        "requestPayload": payload,
        "responseContext": {"statusCode": 200},
        "responsePayload": {"errorMessage": "timed out"},
    }


EVENT = an_sqs_event(a_bounce(), json.loads(OTHER))
BOTH = [((1,), BOUNCE), ((2,), OTHER)]


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({"Messages": [a_message(BOUNCE)]}, [((), BOUNCE)]),
        ({"Messages": [a_message(BOUNCE), a_message(OTHER)]}, BOTH),
        ({"Messages": [a_message(packed(BOUNCE), encoding=PACKED), 7]}, [((1,), BOUNCE), ((2,), "7")]),
        ({"Messages": [a_message(json.dumps(EVENT))]}, BOTH),
        ({"Messages": [a_message(packed(json.dumps(EVENT)), encoding=PACKED)]}, BOTH),
        ({"Messages": [a_message(BOUNCE), a_message(json.dumps(a_failure(EVENT)))]}, [
            ((1,), BOUNCE), ((2, 1), BOUNCE), ((2, 2), OTHER)
        ]),
        (a_message(BOUNCE), [((), BOUNCE)]),
        (EVENT, BOTH),
        (EVENT["Records"][0], [((), BOUNCE)]),
        (EVENT["Records"], BOTH),
        ([BOUNCE, OTHER], BOTH),
        (a_failure(EVENT), BOTH),
        (a_failure(json.loads(BOUNCE)), [((), json.dumps(json.loads(BOUNCE)))]),
        ({"requestContext": {}, "DDBStreamBatchInfo": {}, "payload": json.dumps(EVENT)}, BOTH),
        ({"Type": "Notification", "Message": json.dumps(a_failure(EVENT))}, BOTH),
        ({"detail-type": "Lambda Function Invocation Result - Failure", "detail": a_failure(EVENT)}, BOTH),
        (an_sqs_event(an_sqs_event(EVENT)), BOTH),
        (json.dumps(json.dumps(EVENT)), BOTH),
    ],
)  # fmt: skip
def test_each_message_in_a_container_is_found_with_its_numbers(
    container: object, expected: list[tuple[tuple[int, ...], str]]
) -> None:
    assert texts(container) == expected


def test_record_of_sns_stays_a_record_and_becomes_its_notification_in_a_queue() -> None:
    [inner] = unpack(json.dumps(an_sns_event(a_bounce())))
    [record] = an_sns_event(a_bounce())["Records"]
    assert inner.content == record
    assert json.loads(as_queue_message(inner.content)[0]) == record["Sns"]


@pytest.mark.parametrize(
    "content",
    [
        BOUNCE,
        "not JSON: Records",
        "{}",
        '{"Records": [{"eventSource": "aws:s3", "s3": {}}]}',
        '{"Messages": 1}',
        '{"mail": {}, "Messages": ["a"]}',
        '{"MessageId": "1"}',
        '{"requestPayload": {}}',
        "[" * 200_000,
        '{"Records": [' * 100_000,
    ],
)
def test_other_text_is_the_message_itself_unchanged(content: str) -> None:
    assert texts(content) == [((), content)]


@pytest.mark.parametrize("attributes", [None, 7, {"encoding": 7}, {"encoding": {"StringValue": 7}}])
def test_malformed_attributes_of_a_message_do_not_matter(attributes: object) -> None:
    message = a_message(BOUNCE) | {"MessageAttributes": attributes, "Attributes": attributes}
    assert texts({"Messages": [message]}) == [((), BOUNCE)]
    record = {"eventSource": "aws:sqs", "body": BOUNCE, "messageAttributes": attributes, "attributes": attributes}
    assert texts({"Records": [record]}) == [((), BOUNCE)]


def test_damaged_packed_body_is_one_message_as_it_is() -> None:
    assert texts({"Messages": [a_message("H4sI damaged", encoding=PACKED)]}) == [((), "H4sI damaged")]


def test_messages_keep_the_time_at_which_they_were_first_sent() -> None:
    """A message inside a body is not later than the message around it."""
    [plain] = unpack_received(a_message(BOUNCE))
    [redriven] = unpack_received(a_message(BOUNCE, **{"sent-at": "2026-02-01T00:00:00.000Z"}))
    [inner] = unpack_received(a_message(json.dumps(a_failure(json.loads(BOUNCE)))))
    times = [as_queue_message(one.content)[1] for one in (plain, redriven, inner)]
    assert [format_timestamp(time) for time in times if time] == [SENT_AT, "2026-02-01T00:00:00.000Z", SENT_AT]


def test_containers_are_opened_to_a_limited_depth() -> None:
    """Each level of escaping doubles the text, so that a deep one cannot be long."""
    nested: Any = json.loads(BOUNCE)
    for _ in range(MAX_DEPTH + 5):
        nested = [nested]
    [(numbers, _)] = texts(nested)
    assert len(numbers) == MAX_DEPTH

"""Containers of messages, opened down to the messages inside.

| container | written by |
|---|---|
| `{"Messages": […]}`, or one of its messages | `aws sqs receive-message` |
| `{"Records": […]}`, or one of its records | Lambda, as the event of a function |
| `{"requestContext": …, "requestPayload": …}` | Lambda, as the record of a failed asynchronous invocation |
| an array | EventBridge Pipes, exports, `jq` |

Each may be the body of a message, and so in another container. Bodies that quarantine packed are unpacked. S3's
notifications are messages of their own, and events of SuppressionFunction are kept whole.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from feedbackctl.unpacking.packed_text import unpack_text
from ses_feedback.aws.events import SOURCE
from ses_feedback.reading.envelope import Carrier, read_records

MAX_DEPTH = 8
"""Containers in containers that are opened. The deepest that occurs is four: output, packed body, event, SNS."""
_MARKS = ("Messages", "Records", "requestPayload", "payload", "MessageId", "eventSource", "EventSource", SOURCE)
"""Texts of which every container has one, also as an escaped body. An array is found by its first character."""


class Unpacked(NamedTuple):
    """A message in a container.

    `numbers` are the numbers of the records on the way to it. `content` is the text of a queue message, a record of a
    Lambda event, or a whole event: of SuppressionFunction, or without records.
    """

    numbers: tuple[int, ...]
    content: str | dict[str, Any]


_EMPTY = Unpacked((), {"Records": []})
"""A container without messages."""


def is_event(content: Mapping[str, Any]) -> bool:
    """Return True for a whole event, and False for a Lambda record."""
    return "Records" in content or content.get("source") == SOURCE


def unpack(text: str) -> Iterator[Unpacked]:
    """Yield the messages inside `text`. A text that is no container is itself the only one, unchanged."""
    yield from _unpack_text(text, None, 0)


def unpack_received(message: Mapping[str, Any]) -> Iterator[Unpacked]:
    """Yield the messages inside a message that SQS's ReceiveMessage returned."""
    yield from _unpack_received(message, 0)


def as_queue_message(content: str | Mapping[str, Any]) -> tuple[str, datetime | None]:
    """Return the text that a queue carries for a message, and the time at which it was first sent if that is known.

    An SNS record becomes the notification that it contains, which has its own time.
    """
    if isinstance(content, str):
        return content, None
    [record] = read_records({"Records": [content]})
    if record.carrier is Carrier.SQS:
        return record.original(), record.sent_at
    return json.dumps(content["Sns"] if record.carrier is Carrier.SNS else content), None


def _unpack_text(text: str, sent: str | None, depth: int) -> Iterator[Unpacked]:
    """Yield the messages inside a text that was sent at `sent`, in milliseconds since 1970 as SQS writes it."""
    return _open_text(text, sent, depth) or iter([_message(text, sent)])


def _open_text(text: str, sent: str | None, depth: int) -> Iterator[Unpacked] | None:
    """Return the messages in a text, or None if it is no container."""
    value = _decode(text) if depth < MAX_DEPTH and _may_be_container(text) else None
    return _open(value, sent, depth)


def _unpack_value(value: object, sent: str | None, depth: int) -> Iterator[Unpacked]:
    if isinstance(value, str):
        return _unpack_text(value, sent, depth)
    children = _open(value, sent, depth) if depth < MAX_DEPTH else None
    return children or iter([_message(json.dumps(value), sent)])


def _message(text: str, sent: str | None) -> Unpacked:
    return Unpacked((), _sqs_record(text, sent) if sent else text)


def _open(value: object, sent: str | None, depth: int) -> Iterator[Unpacked] | None:
    """Return the messages in a container, or None if `value` is none."""
    match value:
        case str():
            return _open_text(value, sent, depth + 1)
        case []:
            return iter([_EMPTY])
        case list():
            return _numbered(value, sent, depth, always=True)
        case dict():
            return _open_batch(value, sent, depth) or _open_failure(value, sent, depth) or _open_record(value, depth)
    return None


def _open_batch(value: dict[str, Any], sent: str | None, depth: int) -> Iterator[Unpacked] | None:
    """Return the messages in a Lambda event or in the output of `aws sqs receive-message`."""
    match value:
        case {"source": str(source)} if source == SOURCE:
            return iter([Unpacked((), value)])
        case {"Records": list(records)}:
            return _open_records(value, records, sent, depth)
        case {"Messages": []}:
            return iter([_EMPTY])
        case {"Messages": list(messages)} if "mail" not in value:
            return _numbered(messages, sent, depth)
    return None


def _open_failure(value: dict[str, Any], sent: str | None, depth: int) -> Iterator[Unpacked] | None:
    """Return the messages in the record of a failed invocation, which SNS and EventBridge carry in their envelopes.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    match value:
        case {"requestContext": dict(), "requestPayload": payload}:
            return _unpack_value(payload, sent, depth + 1)
        # A failed batch of a stream, in an object of S3: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-s3-destination.html
        case {"requestContext": dict(), "payload": str(payload)}:
            return _unpack_text(payload, sent, depth + 1)
        case {"Type": "Notification", "Message": str(inner)} if "requestPayload" in inner:
            return _unpack_text(inner, sent, depth + 1)
        case {"detail-type": str(), "detail": {"requestContext": dict(), "requestPayload": payload}}:
            return _unpack_value(payload, sent, depth + 1)
    return None


def _open_record(value: dict[str, Any], depth: int) -> Iterator[Unpacked] | None:
    """Return the messages in one message of SQS, or in one record of a Lambda event."""
    match value:
        case {"MessageId": str(), "Body": str()}:
            return _unpack_received(value, depth)
        case {"eventSource": "aws:sqs", "body": str(body)}:
            return _unpack_sqs_record(value, body, depth)
        case {"EventSource": "aws:sns", "Sns": {"Message": str(inner)}}:
            return _unpack_sns_record(value, inner, depth)
        case {"eventSource": "aws:ses"}:
            return iter([Unpacked((), value)])
    return None


def _open_records(event: dict[str, Any], records: list[Any], sent: str | None, depth: int) -> Iterator[Unpacked] | None:
    sources = {str(record.get("eventSource")) if isinstance(record, Mapping) else "" for record in records}
    if not records or sources == {"aws:dynamodb"}:
        return iter([Unpacked((), event)])
    return None if sources == {"aws:s3"} else _numbered(records, sent, depth)


def _numbered(values: Iterable[Any], sent: str | None, depth: int, *, always: bool = False) -> Iterator[Unpacked]:
    """Yield the messages in the values, with the value's number if there are several or `always` is True."""
    some = list(values)
    for number, value in enumerate(some, 1):
        numbers = (number,) if always or len(some) > 1 else ()
        for inner in _unpack_value(value, sent, depth + 1):
            yield Unpacked(numbers + inner.numbers, inner.content)


def _unpack_received(message: Mapping[str, Any], depth: int) -> Iterator[Unpacked]:
    """Yield the messages in a message that has the fields of the API.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Message.html
    """
    attributes = message.get("MessageAttributes")
    typed = {
        name: {"dataType": "String", "stringValue": value["StringValue"]}
        for name, value in (attributes.items() if isinstance(attributes, Mapping) else ())
        if isinstance(value, Mapping) and isinstance(value.get("StringValue"), str)
    }
    system = message.get("Attributes")
    record = _sqs_record(message["Body"], None) | {
        "messageId": str(message.get("MessageId", "")),
        "attributes": dict(system) if isinstance(system, Mapping) else {},
        "messageAttributes": typed,
    }
    return _unpack_sqs_record(record, message["Body"], depth)


def _unpack_sqs_record(record: dict[str, Any], body: str, depth: int) -> Iterator[Unpacked]:
    attributes = record.get("messageAttributes")
    encoding = attributes.get("encoding") if isinstance(attributes, Mapping) else None
    encoding = encoding.get("stringValue") if isinstance(encoding, Mapping) else None
    text = unpack_text(body, encoding if isinstance(encoding, str) else "")
    if text is None:  # damaged: the message as it is
        return iter([Unpacked((), record)])
    # A body that is no container keeps its record, with the queue that it came from.
    return _open_text(text, _first_sent(record), depth + 1) or iter([Unpacked((), {**record, "body": text})])


def _unpack_sns_record(record: dict[str, Any], text: str, depth: int) -> Iterator[Unpacked]:
    return _open_text(text, None, depth + 1) or iter([Unpacked((), record)])


def _first_sent(record: Mapping[str, Any]) -> str | None:
    """Return the time at which an SQS message was first sent, in milliseconds, or None if it is unknown."""
    [read] = read_records({"Records": [record]})
    return str(round(read.sent_at.timestamp() * 1000)) if read.sent_at else None


def _sqs_record(text: str, sent: str | None) -> dict[str, Any]:
    """Return a record as Lambda receives it from SQS: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html."""
    attributes = {"SentTimestamp": sent} if sent else {}
    return {"messageId": "", "body": text, "attributes": attributes, "eventSource": "aws:sqs"}


def _may_be_container(text: str) -> bool:
    return text.lstrip("\ufeff \t\r\n").startswith("[") or any(mark in text for mark in _MARKS)


def _decode(text: str) -> object:
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return None

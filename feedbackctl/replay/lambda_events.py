"""Lambda events of replayed messages: batches of queue messages, and failures in a function's response."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from feedbackctl.replay.message_files import Message

if TYPE_CHECKING:
    from localaws.in_process.lambda_functions import Invocation

BATCH_SIZE = 100
"""Messages in one invocation: `BatchSize` in template.yaml."""
BATCH_BYTES = 4 * 1_048_576
"""Bytes of messages in one invocation. Lambda's limit for an event is 6 MB:
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""


def group_messages(messages: Iterable[Message]) -> Iterator[list[Message]]:
    """Yield batches of messages from one queue, as Lambda receives them from SQS, and each other message by itself."""
    group: list[Message] = []
    size = 0
    for message in messages:
        is_first = bool(group) and queue_of(message) != queue_of(group[0])
        if group and (is_first or len(group) == BATCH_SIZE or size + message.size > BATCH_BYTES):
            yield group
            group, size = [], 0
        if queue_of(message) is None:
            yield [message]
        else:
            group.append(message)
            size += message.size
    if group:
        yield group


def queue_of(message: Message) -> str | None:
    """Return the ARN of the queue of a message, an empty text if it is unknown, or None if it is not of a queue."""
    if isinstance(message.content, str):
        return ""
    if message.content.get("eventSource") != "aws:sqs":
        return None
    return str(message.content.get("eventSourceARN", ""))


def lambda_record(number: int, message: Message) -> dict[str, Any]:
    """Return a message as a record of a Lambda event.

    A text has no SentTimestamp: the time of sending is unknown, and no feedback may get a later date from it. Ids of
    queue messages are new, because several files may have the same message.
    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    """
    id_ = f"replayed-{number}"
    if isinstance(message.content, str):
        return {"messageId": id_, "body": message.content, "attributes": {}, "eventSource": "aws:sqs"}
    return message.content if queue_of(message) is None else message.content | {"messageId": id_}


def record_id(record: object) -> str:
    """Return the id by which a function reports that a record failed: a message id or a sequence number.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    if not isinstance(record, Mapping):
        return ""
    change = record.get("dynamodb")
    return str(change.get("SequenceNumber") if isinstance(change, Mapping) else record.get("messageId"))


def must_retry(record: object, invocation: "Invocation") -> bool:
    """Return True if the invocation failed or reported the record as failed."""
    return invocation.error is not None or record_id(record) in invocation.failures


def retry_reasons(invocation: "Invocation") -> dict[str, str]:
    """Return the logged reason of each failed record, by its id."""
    lines = (json.loads(line) for line in invocation.log if '"retry"' in line)
    return {line["record_id"]: line["reason"] for line in lines if line.get("disposition") == "retry"}

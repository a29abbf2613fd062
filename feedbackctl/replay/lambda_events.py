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
    """Yield batches of queue messages, as Lambda receives them from SQS, and each Lambda event by itself."""
    group: list[Message] = []
    size = 0
    for message in messages:
        is_text = isinstance(message.content, str)
        if group and (not is_text or len(group) == BATCH_SIZE or size + message.size > BATCH_BYTES):
            yield group
            group, size = [], 0
        if is_text:
            group.append(message)
            size += message.size
        else:
            yield [message]
    if group:
        yield group


def sqs_record(number: int, message: Message) -> dict[str, Any]:
    """Return a record as Lambda receives it from SQS: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html.

    It has no SentTimestamp. The time of sending is unknown, and no feedback may get a later date from it.
    """
    return {"messageId": f"replayed-{number}", "body": message.content, "attributes": {}, "eventSource": "aws:sqs"}


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

"""The queues of a stack that store messages for an operator, and their messages."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol, Self

import click

from feedbackctl.aws_failures import describe_failure
from feedbackctl.printable import printable_lines
from feedbackctl.stack import Stack
from ses_feedback.aws.batches import batched
from ses_feedback.aws.errors import AWS_ERRORS, error_code
from ses_feedback.timestamps import format_timestamp

STORED = {
    "quarantine": "QuarantineQueueUrl",
    "dead-letters": "DeadLetterQueueUrl",
    "undelivered": "UndeliveredQueueUrl",
}
"""Queues for an operator, and the stack's outputs with their URLs."""
LANES = {"bounce": "BounceQueueUrl", "complaint": "ComplaintQueueUrl", "delivery": "DeliveryQueueUrl"}
"""Queues that a redrive may send to. Any lane accepts SES's feedback, the complaint lane every message."""
_BATCH_SIZE = 10
"""Messages in one request. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html"""
WAIT_SECONDS = 1
"""Seconds that SQS waits for a message, so that it asks all of its servers.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html"""
_VISIBILITY_TIMEOUT = 300
"""Seconds for which a message that was read is invisible, if the command is killed before it releases it."""


class ReceivingClient(Protocol):
    """The methods of botocore's SQS client that receive messages and leave them in the queue."""

    def receive_message(self, **request: Any) -> Any: ...  # noqa: ANN401, D102
    def change_message_visibility_batch(self, **request: Any) -> Any: ...  # noqa: ANN401, D102


class StoredMessage(NamedTuple):
    """A message of a queue, as SQS returned it in `received`."""

    id: str
    reason: str
    source: str
    sent_at: str
    size: int
    received: dict[str, Any]

    def describe(self) -> dict[str, Any]:
        """Return the fields without content."""
        return {name: getattr(self, name) for name in ("id", "reason", "source", "sent_at", "size")}


@dataclass
class QueueReader:
    """Reads all messages of a queue and leaves them there. Use it as a context: at its end they are visible again."""

    sqs: ReceivingClient
    url: str
    _receipts: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, stack: Stack, name: str) -> "QueueReader":
        """Return a reader of the stack's queue `name`."""
        return cls(stack.aws.client("sqs"), stack.output(STORED[name]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        release_messages(self.sqs, self.url, self._receipts.values())

    def messages(self) -> Iterator[StoredMessage]:
        """Yield each message once, until SQS returns none that is new.

        Raises:
            AWS_ERRORS: SQS did not answer.

        """
        while True:
            found = receive_messages(self.sqs, self.url, _VISIBILITY_TIMEOUT).get("Messages", [])
            new = [message for message in found if message["MessageId"] not in self._receipts]
            self._receipts |= {message["MessageId"]: message["ReceiptHandle"] for message in found}
            if not new:
                return
            yield from map(_describe, new)


def receive_messages(sqs: ReceivingClient, url: str, visibility_timeout: int) -> dict[str, Any]:
    """Return SQS's response with at most ten messages, which are invisible for `visibility_timeout` seconds.

    Raises:
        AWS_ERRORS: SQS did not answer.

    """
    response: dict[str, Any] = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=_BATCH_SIZE,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["SentTimestamp"],
        VisibilityTimeout=visibility_timeout,
        WaitTimeSeconds=WAIT_SECONDS,
    )
    return response


def release_messages(sqs: ReceivingClient, url: str, receipts: Iterable[str]) -> None:
    """Make received messages visible. If SQS fails, they become visible after the visibility timeout: print that."""
    try:
        for batch in batched(receipts, _BATCH_SIZE):
            entries = [
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for number, receipt in enumerate(batch)
            ]
            sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)
    except AWS_ERRORS as error:
        failure = describe_failure(error) or error_code(error)
        click.echo(printable_lines(f"The messages that stay are hidden for some minutes. {failure}"), err=True)


def sent_at(message: dict[str, Any]) -> datetime:
    """Return the time at which a received message was sent to its queue."""
    return datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)


def attribute_of(message: dict[str, Any], name: str) -> str:
    """Return a message attribute, or an empty text."""
    return str(message.get("MessageAttributes", {}).get(name, {}).get("StringValue", ""))


def reason_of(message: dict[str, Any]) -> str:
    """Return why a message was quarantined, or an empty text."""
    return attribute_of(message, "reason")


def _describe(message: dict[str, Any]) -> StoredMessage:
    return StoredMessage(
        message["MessageId"],
        reason_of(message),
        attribute_of(message, "source"),
        format_timestamp(sent_at(message)),
        len(message["Body"].encode("utf-8", "surrogatepass")),
        message,
    )

"""The queues of a stack that store messages for an operator, and their messages."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from feedbackctl.stack import Stack
from ses_feedback.aws.batches import batched
from ses_feedback.aws.errors import AWS_ERRORS
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
_VISIBILITY_TIMEOUT = 300
"""Seconds for which a message that was read is invisible, if the command is killed before it releases it."""


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

    sqs: Any
    url: str
    _receipts: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, stack: Stack, name: str) -> "QueueReader":
        """Return a reader of the stack's queue `name`."""
        return cls(stack.aws.client("sqs"), stack.output(STORED[name]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # If SQS fails, the messages become visible after the visibility timeout.
        with suppress(*AWS_ERRORS):
            for batch in batched(self._receipts.values(), _BATCH_SIZE):
                entries = [
                    {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                    for number, receipt in enumerate(batch)
                ]
                self.sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)

    def messages(self) -> Iterator[StoredMessage]:
        """Yield each message once, until SQS returns none that is new.

        Raises:
            AWS_ERRORS: SQS did not answer.

        """
        while True:
            response = self.sqs.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=_BATCH_SIZE,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["SentTimestamp"],
                VisibilityTimeout=_VISIBILITY_TIMEOUT,
                WaitTimeSeconds=1,
            )
            found = response.get("Messages", [])
            new = [message for message in found if message["MessageId"] not in self._receipts]
            self._receipts |= {message["MessageId"]: message["ReceiptHandle"] for message in found}
            if not new:
                return
            yield from map(_describe, new)


def reason_of(message: dict[str, Any]) -> str:
    """Return why a message was quarantined, or an empty text."""
    return _attribute(message, "reason")


def _describe(message: dict[str, Any]) -> StoredMessage:
    sent = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
    return StoredMessage(
        message["MessageId"],
        reason_of(message),
        _attribute(message, "source"),
        format_timestamp(sent),
        len(message["Body"].encode("utf-8", "surrogatepass")),
        message,
    )


def _attribute(message: dict[str, Any], name: str) -> str:
    return str(message.get("MessageAttributes", {}).get(name, {}).get("StringValue", ""))

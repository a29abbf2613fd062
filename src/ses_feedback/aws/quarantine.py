"""The quarantine queue: it stores messages that cannot be processed, with the reason, for 14 days."""

import base64
import gzip
import re
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from ses_feedback.aws.errors import AWS_ERRORS, error_code, require
from ses_feedback.reading.envelope import SENT_AT
from ses_feedback.timestamps import format_timestamp

MAX_MESSAGE_BYTES = 1_048_576
"""SQS's limit for the body and the attributes of a message together (1 MiB).

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""
ATTRIBUTE_BYTES = 1_024
"""Bytes that are kept free for the attributes."""
_ALWAYS_FITS = MAX_MESSAGE_BYTES // 6
"""A message of this many characters fits: a character has at most four bytes, and Base64 adds a third."""
TOO_LONG = "too-long"
"""The reason why a message is not stored if it is too long for SQS, even compressed."""
PACKED = "gzip+base64"
"""The attribute `encoding` of a message that is compressed with gzip and encoded in Base64."""
SQS_INVALID_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""A character that an SQS message cannot contain. The expression for the allowed characters compiles far slower.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
"""
_ATTRIBUTE_CHARACTERS = 256


class QueueClient(Protocol):
    """The method of botocore's SQS client that is called here."""

    def send_message(self, **request: Any) -> Any: ...  # noqa: ANN401, D102


class Quarantine:
    """The quarantine queue."""

    def __init__(self, connect: Callable[[], QueueClient], queue_url: str) -> None:
        """Send to `queue_url` through the client from `connect`, which is called when it is first needed."""
        self._connect = connect
        self._queue_url = queue_url

    @cached_property
    def _client(self) -> QueueClient:
        return self._connect()

    def store(self, original: str, reason: str, source: str, sent_at: datetime | None = None) -> str:
        """Store the `original` text of a message with the `reason` and the id of the `source` record.

        The body is the original text, so that a redrive can send it to a lane's queue. Text that SQS does not accept
        (control characters, lone surrogates, too long) is compressed with gzip and encoded in Base64. Then the
        attribute `encoding` is `gzip+base64`. No attribute contains a part of the text. If the body leaves no room for
        attributes, there are none: every message that came from a queue fits this queue, too.

        Return an empty string if SQS confirms the message. Return `TOO_LONG` or an error code if it does not.
        """
        packed = _pack(original)
        if packed is None:
            return TOO_LONG
        texts = {
            "reason": reason,
            "source": source or "unknown",
            "encoding": packed.encoding,
            # A redrive passes this time on, so that it never changes the date of feedback.
            SENT_AT: format_timestamp(sent_at) if sent_at else "",
        }
        attributes = {
            name: {"DataType": "String", "StringValue": text[:_ATTRIBUTE_CHARACTERS]}
            for name, text in texts.items()
            if text and packed.has_room
        }
        return self._send(packed.body, attributes)

    def _send(self, body: str, attributes: dict[str, dict[str, str]]) -> str:
        try:
            response = self._client.send_message(
                QueueUrl=self._queue_url, MessageBody=body, MessageAttributes=attributes
            )
            require(response, "MessageId")
        except AWS_ERRORS as error:
            return error_code(error)
        except Exception as error:  # noqa: BLE001 (an unforeseen response must not fail the other messages of the batch)
            return f"internal-error: {type(error).__name__}"
        return ""


def too_long(original: str) -> bool:
    """Return True if the quarantine cannot store a message. Messages from SQS and SNS are never too long."""
    return len(original) > _ALWAYS_FITS and _pack(original) is None


class _Packed(NamedTuple):
    """The body that stores a message. `has_room` is True if attributes fit."""

    body: str
    encoding: str = ""
    has_room: bool = True


def _pack(original: str) -> _Packed | None:
    """Return the body that stores a message, or None if it is too long."""
    limit = MAX_MESSAGE_BYTES - ATTRIBUTE_BYTES
    acceptable = bool(original) and not SQS_INVALID_CHARACTER.search(original)
    raw = original.encode("utf-8", "surrogatepass")
    if acceptable and len(raw) <= limit:
        return _Packed(original)
    body = base64.b64encode(gzip.compress(raw, mtime=0)).decode("ascii")
    if len(body) <= limit:
        return _Packed(body, PACKED)
    return _Packed(original, has_room=False) if acceptable and len(raw) <= MAX_MESSAGE_BYTES else None

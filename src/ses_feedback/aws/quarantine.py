"""Keep what can't be acted on: the quarantine queue holds a message's original text and the reason, for 14 days."""

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
"""SQS's limit for a message's body and attributes together (1 MiB)."""
ATTRIBUTE_BYTES = 1_024
_ALWAYS_FITS = MAX_MESSAGE_BYTES // 6
"""Characters: of at most three bytes each, or four, that gzip does not shorten, and base64 makes longer by a third."""
TOO_LONG = "too-long"
"""Not kept, for SQS never takes it, packed neither."""
SQS_INVALID_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""A character that no SQS message can have (written as what is left out: compiling what is let in takes far longer)."""


class Sqs(Protocol):
    """The calls of botocore's SQS client that are made here."""

    def send_message(self, **request: Any) -> Any: ...  # noqa: ANN401, D102


class Quarantine:
    """The quarantine queue."""

    def __init__(self, connect: Callable[[], Sqs], queue_url: str) -> None:
        """Send to `queue_url` through the client `connect` makes, once something must be kept: most days nothing is."""
        self._connect = connect
        self._queue_url = queue_url

    @cached_property
    def _client(self) -> Sqs:
        return self._connect()

    def store(self, original: str, reason: str, source: str, sent_at: datetime | None = None) -> str:
        """Put a message's `original` text in quarantine with the `reason` and the `source` record's id.

        The body is the text itself, so that it can be sent to a lane's queue again as it is. Text SQS does not take
        (control characters, lone surrogates, too long) is gzipped and encoded in base64, and the attribute `encoding`
        says `gzip+base64`. No attribute holds anything of the message's text. Where there is no room for attributes
        either way, there are none: what one queue carried, the other can.

        Returns the reason why it is not kept, empty when it is: `TOO_LONG`, or why SQS did not take it.
        """
        packed = _packed(original)
        if packed is None:
            return TOO_LONG
        told = {
            "reason": reason,
            "source": source or "unknown",
            "encoding": packed.encoding,
            # A redrive passes this time on, so that it never changes the date of feedback.
            SENT_AT: format_timestamp(sent_at) if sent_at else "",
        }
        attributes = {
            name: {"DataType": "String", "StringValue": one[:256]} for name, one in told.items() if one and packed.room
        }
        try:
            answer = self._client.send_message(
                QueueUrl=self._queue_url, MessageBody=packed.body, MessageAttributes=attributes
            )
            require(answer, "MessageId")
        except AWS_ERRORS as error:
            return error_code(error)
        except Exception as error:  # noqa: BLE001 (the batch's edge: an answer nobody foresaw must not hold up the others)
            return f"internal-error: {type(error).__name__}"
        return ""


def too_long(original: str) -> bool:
    """Say whether a message is one that no quarantine can keep. What SQS or SNS carried never is."""
    return len(original) > _ALWAYS_FITS and _packed(original) is None


class _Packed(NamedTuple):
    """A message as the queue holds it, and whether there is room for attributes."""

    body: str
    encoding: str = ""
    room: bool = True


def _packed(original: str) -> _Packed | None:
    """Return how a message is kept, None when it can't be."""
    limit = MAX_MESSAGE_BYTES - ATTRIBUTE_BYTES
    carried = bool(original) and not SQS_INVALID_CHARACTER.search(original)
    raw = original.encode("utf-8", "surrogatepass")
    if carried and len(raw) <= limit:
        return _Packed(original)
    body = base64.b64encode(gzip.compress(raw, mtime=0)).decode("ascii")
    if len(body) <= limit:
        return _Packed(body, "gzip+base64")
    return _Packed(original, room=False) if carried and len(raw) <= MAX_MESSAGE_BYTES else None

"""Keep what can't be acted on: the quarantine queue holds a message's original text and the reason, for 14 days."""

import base64
import gzip
import re
from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol

from ses_feedback.faults import AWS_FAULTS, fault, proven

MAX_MESSAGE_BYTES = 1_048_576
"""SQS's limit for a message's body and attributes together (1 MiB)."""
_ATTRIBUTE_BYTES = 1_024
NOT_CARRIED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
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

    def keep(self, original: str, reason: str, source: str) -> str:
        """Put a message's `original` text in quarantine with the `reason` and the `source` record's id.

        The body is the text itself, so that it can be sent to a lane's queue again as it is. Text SQS does not take
        (control characters, lone surrogates, too long) is gzipped and encoded in base64, and the attribute `encoding`
        says `gzip+base64`. No attribute holds anything of the message's text. Where there is no room for attributes
        either way, there are none: what one queue carried, the other can.

        Returns the reason why SQS did not take it, empty when it did.
        """
        attributes = {"reason": reason, "source": source or "unknown"}
        body = original
        carried = bool(original) and not NOT_CARRIED.search(original)
        raw = original.encode("utf-8", "surrogatepass")
        if not carried or len(raw) > MAX_MESSAGE_BYTES - _ATTRIBUTE_BYTES:
            attributes["encoding"] = "gzip+base64"
            body = base64.b64encode(gzip.compress(raw, mtime=0)).decode("ascii")
        if carried and len(body) > MAX_MESSAGE_BYTES - _ATTRIBUTE_BYTES:
            body, attributes = original, {}
        typed = {name: {"DataType": "String", "StringValue": value[:256]} for name, value in attributes.items()}
        try:
            answer = self._client.send_message(QueueUrl=self._queue_url, MessageBody=body, MessageAttributes=typed)
            proven(answer, "MessageId")
        except AWS_FAULTS as error:
            return fault(error)
        return ""

"""Pass a person's choice on to the stack."""

import json
import re
import uuid
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from ses_feedback.address_syntax import MAX_LENGTH, AddressError, normalize_address
from ses_feedback.client.arguments import is_name, require_stream, require_text
from ses_feedback.client.aws_client import create_client
from ses_feedback.client.errors import (
    InvalidArgumentError,
    PreferenceNotSentError,
    UnusableAddressError,
    aws_errors,
    error_code,
)
from ses_feedback.timestamps import format_timestamp, parse_timestamp

VERSION = 1
MAX_REASON_LENGTH = 200
_REGION_IN_URL = re.compile(r"https://sqs\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/")


class PreferenceReceipt(NamedTuple):
    """The identity of a preference. A call with the same `id` and `time` repeats it."""

    id: str
    time: datetime


class Preferences:
    """Sends preferences to the complaint queue, from which the stack applies them in seconds.

    Only an application that has the person's own request may call it. The policy of the output
    `SendPreferencesPolicyArn` permits it. Threads may share an object.
    """

    def __init__(self, queue_url: str, *, client: Any = None, session: Any = None) -> None:  # noqa: ANN401 (boto3)
        """Send to the queue of the output `ComplaintQueueUrl`.

        `client` is a boto3 SQS client of the queue's Region. Without it, one with short timeouts is created, from
        `session` or the default credentials.

        Raises:
            InvalidArgumentError: `queue_url` is no URL, or both a client and a session are given.

        """
        if not queue_url.startswith(("https://", "http://")):
            raise InvalidArgumentError("queue_url is not a URL; pass the output ComplaintQueueUrl")
        if client is not None and session is not None:
            raise InvalidArgumentError("pass one of client and session")
        region = _REGION_IN_URL.match(queue_url)
        self._url = queue_url
        self._client = client or create_client("sqs", session, region[1] if region else None)

    def unsubscribe(
        self,
        address: str,
        stream: str | None = None,
        *,
        reason: str | None = None,
        time: datetime | None = None,
        id: str | None = None,  # noqa: A002 (the name in the message)
    ) -> PreferenceReceipt:
        """Opt the person out of a stream, or of all bulk email without `stream`.

        `reason` says where the person asked ("preference center"), in at most 200 printable characters. `time` is when,
        with a time zone; by default now. `id` has 1 to 64 letters, digits, hyphens and underscores; by default it is
        random. To repeat a call, pass the `id` and the `time` of its receipt: the person's choice counts once.

        Raises:
            InvalidArgumentError: an argument is invalid.
            PreferenceNotSentError: SQS did not confirm the message.
            UnusableAddressError: `address` does not contain exactly one usable address.

        """
        return self._send("unsubscribe", address, stream, reason, _receipt(id, time))

    def subscribe(
        self,
        address: str,
        stream: str | None = None,
        *,
        reason: str | None = None,
        time: datetime | None = None,
        id: str | None = None,  # noqa: A002 (the name in the message)
    ) -> PreferenceReceipt:
        """Opt the person in again, on the person's own request (a confirmed double opt-in).

        The arguments are those of `unsubscribe`. An opt-in without `stream` is one to all bulk email and to each
        declared stream. An opt-in to one stream does not end an opt-out of all bulk email.

        Raises:
            InvalidArgumentError: an argument is invalid.
            PreferenceNotSentError: SQS did not confirm the message.
            UnusableAddressError: `address` does not contain exactly one usable address.

        """
        return self._send("subscribe", address, stream, reason, _receipt(id, time))

    def _send(
        self,
        preference: Literal["unsubscribe", "subscribe"],
        address: str,
        stream: str | None,
        reason: str | None,
        receipt: PreferenceReceipt,
    ) -> PreferenceReceipt:
        require_stream(stream)
        _require_reason(reason)
        message: dict[str, object] = {"preference": preference, "version": VERSION, "address": _usable(address)}
        if stream is not None:
            message["stream"] = stream
        if reason:
            message["reason"] = reason
        message |= {"time": format_timestamp(receipt.time), "id": receipt.id}
        try:
            self._client.send_message(QueueUrl=self._url, MessageBody=json.dumps(message))
        except aws_errors() as error:
            raise PreferenceNotSentError(error_code(error), receipt) from None
        return receipt


def _usable(address: str) -> str:
    require_text(address)
    try:
        variant = normalize_address(address)[1]
    except AddressError as error:
        raise UnusableAddressError(f"{error}; ask the person for one address") from None
    # A domain can be longer in A-labels than it was in the text.
    if len(variant) > MAX_LENGTH:
        raise UnusableAddressError("the address is too long for a message; ask the person for another address")
    return variant


def _require_reason(reason: str | None) -> None:
    if reason and (len(reason) > MAX_REASON_LENGTH or not reason.isprintable()):
        raise InvalidArgumentError(f"reason has at most {MAX_REASON_LENGTH} printable characters; shorten it")


def _receipt(given_id: str | None, time: datetime | None) -> PreferenceReceipt:
    if given_id is not None and not is_name(given_id):
        raise InvalidArgumentError("id has 1 to 64 characters A-Z, a-z, 0-9, - and _; pass that of the receipt")
    if time is not None and time.utcoffset() is None:
        raise InvalidArgumentError("time is a datetime with a time zone; pass that of the receipt")
    # As the stack stores it: in UTC, with milliseconds.
    moment = parse_timestamp((time or datetime.now(UTC)).isoformat())
    if moment is None:
        raise InvalidArgumentError("time is before 1970 or after 8999; pass when the person asked")
    return PreferenceReceipt(given_id or uuid.uuid4().hex, moment)

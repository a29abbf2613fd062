"""Lambda events and the envelopes inside them, opened down to the SES event.

An SES event reaches Lambda in an SQS message (raw or in an SNS notification), in an SNS notification, in an EventBridge
event, or directly (`sam local invoke`, `feedbackctl replay`). Envelopes may be nested. The case of keys differs between
carriers: `eventSource` in SQS records (https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html), `EventSource` in
SNS records (https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html). The SNS subject is ignored, because it
differs between identity notifications and event publishing.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from msgspec import DecodeError
from msgspec.json import Decoder
from pydantic_core import from_json

from ses_feedback.immutable import Struct
from ses_feedback.reading.preference_messages import is_preference
from ses_feedback.timestamps import parse_epoch_milliseconds, parse_timestamp

MAX_ENVELOPES = 8
"""Nested envelopes that are opened. The deepest nesting that occurs is three: SQS, SNS, EventBridge."""
SENT_AT = "sent-at"
"""Message attribute of a redriven SQS message: the time at which it was first sent to a queue."""
VALIDATION_NOTICE = "Successfully validated SNS topic for Amazon SES event publishing"
"""Plain text that SES publishes whenever an event destination is created or changed. AWS does not document this."""

# `detail-type` → `eventType`: https://docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html
# `detail` has an `eventType` too, which takes precedence.
_DETAIL_TYPES = {
    "Email Bounced": "Bounce",
    "Email Complaint Received": "Complaint",
    "Email Delivered": "Delivery",
    "Email Delivery Delayed": "DeliveryDelay",
    "Email Sent": "Send",
    "Email Rejected": "Reject",
    "Email Rendering Failed": "Rendering Failure",
    "Email Opened": "Open",
    "Email Clicked": "Click",
    "Email Subscribed": "Subscription",
}
# https://docs.aws.amazon.com/sns/latest/dg/http-subscription-confirmation-json.html
_SNS_CONFIRMATIONS = ("SubscriptionConfirmation", "UnsubscribeConfirmation")
# SES publishes `AmazonSnsSubscriptionSucceeded` when a topic is set for an identity. AWS does not document it.
# `Received`: https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html
_NOTICE_TYPES = {"AmazonSnsSubscriptionSucceeded": "set-up notice", "Received": "inbound mail"}


class EnvelopeError(ValueError):
    """A record contains no SES event. `reason` is one of a few fixed words and may be logged."""

    def __init__(self, reason: str) -> None:
        """Store a reason such as `not-json`."""
        super().__init__(reason)
        self.reason = reason


class Carrier(StrEnum):
    """The service that delivered a record to Lambda. It determines how the record is acknowledged."""

    SQS = "sqs"
    SNS = "sns"
    SES = "ses"
    INVOKE = "invoke"
    """EventBridge or a direct invocation: the whole event is one record."""


class Record(Struct, frozen=True):
    """One message of a Lambda event, in its envelopes.

    `id` is the id that the carrier assigned, or an empty string. For SQS it is the identifier in a partial batch
    response. `content` is text or decoded JSON. `sent_at` is the time at which the carrier received the message.
    """

    carrier: Carrier
    id: str
    content: object
    sent_at: datetime | None = None

    def original(self) -> str:
        """Return the content as text for the quarantine: unchanged if it is text, otherwise encoded as JSON."""
        return self.content if isinstance(self.content, str) else json.dumps(self.content)


class Document(Struct, frozen=True):
    """A decoded SES event or preference message.

    `sent_at` is the time at which the outermost carrier received it: the event is not later.
    """

    fields: Mapping[str, Any]
    sent_at: datetime | None


class Notice(Struct, frozen=True):
    """A message from AWS that is not about a sent email. `kind` is one of a few fixed words."""

    kind: str


def read_records(event: object) -> list[Record]:
    """Return the records of a Lambda event. An event without a list of records is one record."""
    if not isinstance(event, dict):
        return [Record(Carrier.INVOKE, "", event)]
    entries = event.get("Records")
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        return [Record(Carrier.INVOKE, _text(event, "id", "MessageId"), event, _invocation_time(event))]
    return [_record(entry) for entry in entries]


def open_record(record: Record) -> Document | Notice:
    """Return the SES event or the preference message inside `record`, or the notice that `record` is.

    Raises:
        EnvelopeError: `record` contains neither.

    """
    # Received email that SES passes directly to Lambda:
    # https://docs.aws.amazon.com/ses/latest/dg/receiving-email-action-lambda.html
    if record.carrier is Carrier.SES:
        return Notice("inbound mail")
    return _open(record.content, record.sent_at)


def _record(entry: object) -> Record:
    if not isinstance(entry, dict):
        return Record(Carrier.INVOKE, "", entry)
    source = _text(entry, "eventSource", "EventSource")
    if source == "aws:sqs":
        return Record(Carrier.SQS, _text(entry, "messageId"), entry.get("body"), _sqs_time(entry))
    if source == "aws:sns":
        sns = entry.get("Sns")
        if isinstance(sns, dict):
            return Record(Carrier.SNS, _text(sns, "MessageId"), sns.get("Message"), _sns_time(sns))
    if source == "aws:ses":
        return Record(Carrier.SES, "", entry)
    return Record(Carrier.INVOKE, "", entry)


def _sqs_time(entry: Mapping[str, Any]) -> datetime | None:
    """Return the time at which a message was first sent to a queue, or None if it is missing.

    A redriven message carries the time in an attribute, because SQS assigns a new `SentTimestamp`:
    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    """
    attributes = entry.get("attributes")
    sent = attributes.get("SentTimestamp") if isinstance(attributes, dict) else None
    sent_at = parse_epoch_milliseconds(sent) if isinstance(sent, str) else None
    message_attributes = entry.get("messageAttributes")
    attribute = message_attributes.get(SENT_AT) if isinstance(message_attributes, dict) else None
    first_sent_at = parse_timestamp(_text(attribute, "stringValue")) if isinstance(attribute, dict) else None
    return min(first_sent_at, sent_at) if first_sent_at and sent_at else sent_at


def _open(content: object, sent_at: datetime | None) -> Document | Notice:
    for _ in range(MAX_ENVELOPES):
        if isinstance(content, str):
            text = content.strip().removeprefix("\ufeff")
            if text.startswith(VALIDATION_NOTICE):
                return Notice("set-up notice")
            content = _decoded(text)
            continue
        if not isinstance(content, dict):
            raise EnvelopeError("no-content" if content is None else "not-an-object")
        if "notificationType" in content or "eventType" in content or is_preference(content):
            return _document(content, sent_at)
        if "detail-type" in content:
            sent_at = sent_at or _bus_time(content)
            inner = _open_bus_event(content)
        else:
            sent_at = sent_at or _sns_time(content)
            inner = _open_sns(content)
        if isinstance(inner, Notice):
            return inner
        content = inner
    raise EnvelopeError("wrapped-too-often")


_json = Decoder()


def _decoded(text: str) -> object:
    try:
        return _json.decode(text)
    except (DecodeError, RecursionError, UnicodeEncodeError):
        return _decoded_slowly(text)


def _decoded_slowly(text: str) -> object:
    """Return the JSON value in `text`, in which numbers need not be finite.

    Raises:
        EnvelopeError: `text` is not JSON.

    """
    try:
        return from_json(text)
    except (ValueError, TypeError):  # ValueError: not JSON, or nested too deeply. TypeError: a lone surrogate.
        raise EnvelopeError("not-json" if text else "no-content") from None


def _document(fields: Mapping[str, Any], sent_at: datetime | None) -> Document | Notice:
    notice = fields.get("notificationType")
    if isinstance(notice, str) and notice in _NOTICE_TYPES and "eventType" not in fields:
        return Notice(_NOTICE_TYPES[notice])
    return Document(fields, sent_at)


def _open_sns(content: Mapping[str, Any]) -> object:
    if content.get("Type") in _SNS_CONFIRMATIONS and "Token" in content:
        return Notice("set-up notice")
    # S3 sends a test event when notifications to a queue are configured:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    if content.get("Event") == "s3:TestEvent":
        return Notice("set-up notice")
    if "Message" in content and ("Type" in content or "TopicArn" in content):
        return content["Message"]
    raise EnvelopeError("unknown-shape")


def _open_bus_event(content: Mapping[str, Any]) -> object:
    detail, detail_type = content.get("detail"), content.get("detail-type")
    if isinstance(detail, str) or (
        isinstance(detail, dict) and ("eventType" in detail or "notificationType" in detail)
    ):
        return detail
    if content.get("source") != "aws.ses" or not isinstance(detail_type, str):
        raise EnvelopeError("unknown-shape")
    # Advisor and tenant events concern the account, not an email:
    # https://docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html
    if not detail_type.lower().startswith("email"):
        return Notice("account event")
    if detail_type not in _DETAIL_TYPES or not isinstance(detail, dict):
        raise EnvelopeError("unknown-bus-event")
    return {**detail, "eventType": _DETAIL_TYPES[detail_type]}


def _invocation_time(event: Mapping[str, Any]) -> datetime | None:
    return _bus_time(event) if "detail-type" in event else _sns_time(event)


def _bus_time(event: Mapping[str, Any]) -> datetime | None:
    # EventBridge truncates `time` to seconds, so that the SES event in it may be up to 999 ms later:
    # https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
    time = parse_timestamp(_text(event, "time"))
    return time + timedelta(milliseconds=999) if time else None


def _sns_time(sns: Mapping[str, Any]) -> datetime | None:
    return parse_timestamp(_text(sns, "Timestamp"))


def _text(mapping: Mapping[str, Any], *keys: str) -> str:
    for key in keys:
        value = mapping.get(key)
        if isinstance(value, str):
            return value
    return ""

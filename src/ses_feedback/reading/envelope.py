"""Open what Lambda hands over, down to the SES document inside.

SES feedback arrives as an SQS event (raw delivery or SNS-wrapped), an SNS event, an EventBridge event (alone, or
inside either), or bare, as `sam local invoke` and replay hand it over. Key casing differs between AWS's own carriers
(`EventSource`, `eventSource`), and Subject differs between SES's own mechanisms: nothing here looks at Subject.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic_core import from_json

from ses_feedback.immutable import Struct
from ses_feedback.timestamps import parse_epoch_milliseconds, parse_timestamp

SENT_AT = "sent-at"
"""Message attribute of a redriven message: when it was first sent to a queue."""
MAX_WRAPPINGS = 8
"""Envelopes inside envelopes that are opened; SQS around SNS around EventBridge, the deepest seen, is three."""

VALIDATION_NOTICE = "Successfully validated SNS topic for Amazon SES event publishing"
"""The plain text SES sends whenever an event destination is created or changed."""

# detail-type → eventType. `detail.eventType` says the same and is preferred; this is for a detail that lacks it.
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
_SNS_CONFIRMATIONS = ("SubscriptionConfirmation", "UnsubscribeConfirmation")
_NOTICE_TYPES = {"AmazonSnsSubscriptionSucceeded": "set-up notice", "Received": "inbound mail"}


class EnvelopeError(ValueError):
    """There is no SES document inside. `reason` is one of a few fixed words, fit for logs and queue attributes."""

    def __init__(self, reason: str) -> None:
        """Keep `reason`, for example `not-json`."""
        super().__init__(reason)
        self.reason = reason


class Carrier(StrEnum):
    """What brought a record to Lambda, which decides how it is acknowledged."""

    SQS = "sqs"
    SNS = "sns"
    SES = "ses"
    INVOKE = "invoke"
    """EventBridge, or somebody's own invocation: the whole event is one record."""


class Record(Struct, frozen=True):
    """One message as Lambda handed it over, unopened.

    `id` is the carrier's own (an SQS record's is what a partial batch response names), empty when it has none.
    `content` is the text or the already decoded JSON it carries.
    """

    carrier: Carrier
    id: str
    content: object
    sent_at: datetime | None = None

    def original(self) -> str:
        """Return the content as the text quarantine keeps: the very text where it came as text, else as JSON."""
        return self.content if isinstance(self.content, str) else json.dumps(self.content)


class Document(Struct, frozen=True):
    """An SES document, decoded, and when its outermost carrier took it: no feedback in it can be later."""

    fields: Mapping[str, Any]
    sent_at: datetime | None


class Notice(Struct, frozen=True):
    """Something AWS sends along that is no feedback about a message. `what` is one of a few fixed words."""

    what: str


def read_records(event: object) -> list[Record]:
    """Return the records of a Lambda event, whatever it is; an event that holds none is one record itself."""
    if not isinstance(event, dict):
        return [Record(Carrier.INVOKE, "", event)]
    held = event.get("Records")
    if not isinstance(held, Sequence) or isinstance(held, str):
        return [Record(Carrier.INVOKE, _text(event, "id", "MessageId"), event, _invocation_time(event))]
    return [_record(entry) for entry in held]


def open_record(record: Record) -> Document | Notice:
    """Return the SES document inside `record`, or the notice it rate_limiter out to be.

    Raises:
        EnvelopeError: it is neither.

    """
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
    """Return when a message was first sent to a queue: a redrive sends it again later, and says when that was.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    """
    attributes = entry.get("attributes")
    sent = attributes.get("SentTimestamp") if isinstance(attributes, dict) else None
    sent_at = parse_epoch_milliseconds(sent) if isinstance(sent, str) else None
    message_attributes = entry.get("messageAttributes")
    attribute = message_attributes.get(SENT_AT) if isinstance(message_attributes, dict) else None
    first = parse_timestamp(_text(attribute, "stringValue")) if isinstance(attribute, dict) else None
    return min(first, sent_at) if first and sent_at else sent_at


def _open(content: object, sent_at: datetime | None) -> Document | Notice:
    for _ in range(MAX_WRAPPINGS):
        if isinstance(content, str):
            text = content.strip().removeprefix("\ufeff")
            if text.startswith(VALIDATION_NOTICE):
                return Notice("set-up notice")
            content = _decoded(text)
            continue
        if not isinstance(content, dict):
            raise EnvelopeError("no-content" if content is None else "not-an-object")
        if "notificationType" in content or "eventType" in content:
            return _document(content, sent_at)
        if "detail-type" in content:
            sent_at = sent_at or _bus_time(content)
            found = _open_bus_event(content)
        else:
            sent_at = sent_at or _sns_time(content)
            found = _open_sns(content)
        if isinstance(found, Notice):
            return found
        content = found
    raise EnvelopeError("wrapped-too-often")


def _decoded(text: str) -> object:
    try:
        return from_json(text)
    except (ValueError, TypeError):  # not JSON, nested too deep; a lone surrogate (TypeError): no text SES ever sent
        raise EnvelopeError("not-json" if text else "no-content") from None


def _document(fields: Mapping[str, Any], sent_at: datetime | None) -> Document | Notice:
    notice = fields.get("notificationType")
    if isinstance(notice, str) and notice in _NOTICE_TYPES and "eventType" not in fields:
        return Notice(_NOTICE_TYPES[notice])
    return Document(fields, sent_at)


def _open_sns(content: Mapping[str, Any]) -> object:
    if content.get("Type") in _SNS_CONFIRMATIONS and "Token" in content:
        return Notice("set-up notice")
    if content.get("Event") == "s3:TestEvent":  # S3 tries a queue when it is told to notify it of objects
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
    if not detail_type.lower().startswith("email"):
        return Notice("account event")  # VDM advisor and tenant events: about the account, not about a message
    if detail_type not in _DETAIL_TYPES or not isinstance(detail, dict):
        raise EnvelopeError("unknown-bus-event")
    return {**detail, "eventType": _DETAIL_TYPES[detail_type]}


def _invocation_time(event: Mapping[str, Any]) -> datetime | None:
    return _bus_time(event) if "detail-type" in event else _sns_time(event)


def _bus_time(event: Mapping[str, Any]) -> datetime | None:
    # EventBridge cuts its time to the second: the feedback in it may be up to a second later than it says.
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

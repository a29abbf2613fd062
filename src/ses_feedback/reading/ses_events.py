"""Events that SES publishes about a sent email, as pydantic models, and the parser for them.

SES uses two vocabularies for the same events:

- identity notifications, whose type is in `notificationType`:
  https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
- event publishing, whose type is in `eventType`. It has more event types, and tags in `mail.tags`:
  https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import ValidationError

from ses_feedback.reading.names import normalize_name
from ses_feedback.reading.ses_objects import (
    NONE_IF_MALFORMED,
    BounceObject,
    ComplaintObject,
    DeliveryDelayObject,
    DeliveryObject,
    FailureObject,
    Mail,
    SesObject,
    SubscriptionObject,
    TrackingObject,
)

# Automatic tags: https://docs.aws.amazon.com/ses/latest/dg/monitor-using-event-publishing.html
_CONFIGURATION_SET_TAG = "ses:configuration-set"
_TENANT_TAG = "ses:tenant-name"


class FeedbackError(ValueError):
    """The document is not an SES event.

    `reason` is `malformed`, `two-kinds` or `unknown-kind`. `where` names the malformed fields, without their values.
    """

    def __init__(self, reason: str, where: tuple[str, ...] = ()) -> None:
        """Store a reason such as `malformed` and fields such as `("bounce.bounceType: string_type",)`."""
        super().__init__(": ".join((reason, ", ".join(where))) if where else reason)
        self.reason = reason
        self.where = where


class Feedback(SesObject):
    """Base class of all events. `kind` is the event type, without its space (`RenderingFailure`)."""

    kind: ClassVar[str]
    mail: Annotated[Mail | None, NONE_IF_MALFORMED] = None

    @property
    def event_time(self) -> datetime | None:
        """Time of the event, or None if the event has none."""
        return None

    @property
    def message_id(self) -> str:
        """The id that SES assigned to the email, or an empty string if it is missing."""
        return (self.mail.message_id if self.mail else None) or ""

    @property
    def configuration_set(self) -> str:
        """The configuration set that sent the email, or an empty string (always so in identity notifications)."""
        return self.mail.tag(_CONFIGURATION_SET_TAG) if self.mail else ""

    @property
    def tenant(self) -> str:
        """The tenant that sent the email, or an empty string if there is none."""
        return self.mail.tag(_TENANT_TAG) if self.mail else ""


class Bounce(Feedback):
    """A hard or soft bounce."""

    kind = "Bounce"
    bounce: BounceObject

    @property
    def event_time(self) -> datetime | None:
        """Time at which the recipient's mail server sent the bounce."""
        return self.bounce.timestamp


class Complaint(Feedback):
    """A complaint, received through a mailbox provider's feedback loop."""

    kind = "Complaint"
    complaint: ComplaintObject

    @property
    def event_time(self) -> datetime | None:
        """Time at which the mailbox provider sent the complaint."""
        return self.complaint.timestamp


class Delivery(Feedback):
    """A delivery to the recipient's mail server."""

    kind = "Delivery"
    delivery: DeliveryObject

    @property
    def event_time(self) -> datetime | None:
        """Time at which the mail server accepted the email."""
        return self.delivery.timestamp


class Send(Feedback):
    """SES accepted the email and will try to deliver it."""

    kind = "Send"


class Reject(Feedback):
    """SES accepted the email, found a virus in it, and delivers it to no recipient."""

    kind = "Reject"


class RenderingFailure(Feedback):
    """A template could not be rendered, so that no email was sent. SES writes `Rendering Failure`, with a space."""

    kind = "RenderingFailure"
    failure: Annotated[FailureObject | None, NONE_IF_MALFORMED] = None


class DeliveryDelay(Feedback):
    """A temporary failure. SES retries until `expirationTime`."""

    kind = "DeliveryDelay"
    delivery_delay: Annotated[DeliveryDelayObject | None, NONE_IF_MALFORMED] = None

    @property
    def event_time(self) -> datetime | None:
        """Time of the delay."""
        return self.delivery_delay.timestamp if self.delivery_delay else None


class Open(Feedback):
    """The recipient or a program loaded the tracking image."""

    kind = "Open"
    open: Annotated[TrackingObject | None, NONE_IF_MALFORMED] = None

    @property
    def event_time(self) -> datetime | None:
        """Time of the opening."""
        return self.open.timestamp if self.open else None


class Click(Feedback):
    """The recipient or a program followed a tracked link."""

    kind = "Click"
    click: Annotated[TrackingObject | None, NONE_IF_MALFORMED] = None

    @property
    def event_time(self) -> datetime | None:
        """Time of the click."""
        return self.click.timestamp if self.click else None


class Subscription(Feedback):
    """A recipient changed preferences on an SES contact list."""

    kind = "Subscription"
    subscription: SubscriptionObject

    @property
    def event_time(self) -> datetime | None:
        """Time of the change."""
        return self.subscription.timestamp


KINDS: Mapping[str, type[Feedback]] = {
    model.kind.lower(): model
    for model in (Bounce, Complaint, Delivery, Send, Reject, RenderingFailure, DeliveryDelay, Open, Click, Subscription)
}


def parse_feedback(document: Mapping[str, Any]) -> Feedback:
    """Return the SES event in `document`, a decoded JSON object of either vocabulary.

    Raises:
        FeedbackError: The event type is unknown, two different ones are given, or a required field is missing or has
            the wrong type.

    """
    model = _model(document)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        # Without the cause: pydantic's message may quote the event.
        raise FeedbackError("malformed", _malformed_fields(error)) from None


def _model(document: Mapping[str, Any]) -> type[Feedback]:
    kind, other = _kind(document.get("eventType")), _kind(document.get("notificationType"))
    if kind and other and kind != other:
        raise FeedbackError("two-kinds")
    model = KINDS.get(kind or other)
    if model is None:
        raise FeedbackError("unknown-kind")
    return model


def _kind(name: object) -> str:
    return normalize_name(name) if isinstance(name, str) else ""


def _malformed_fields(error: ValidationError) -> tuple[str, ...]:
    # `loc` holds names of declared fields and list indices only. `tags`, whose keys come from the sender, accepts any
    # value. There are at most three errors, because lists of recipients fail at the first.
    return tuple(f"{'.'.join(map(str, fault['loc']))}: {fault['type']}" for fault in error.errors())

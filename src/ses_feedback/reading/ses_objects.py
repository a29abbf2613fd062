"""JSON objects inside SES events: `mail`, `bounce`, `complaint`, `delivery` and the others, as pydantic models.

Fields and their meanings:
https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html (identity notifications) and
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html (event publishing).

A model has the fields that are read. AWS adds fields and values without notice. Therefore every enumeration is open,
other fields are ignored, and every field is optional. A field that decides how an event is judged (a type, the list of
recipients) must have the documented JSON type; otherwise the event is malformed. Any other field of a wrong type counts
as absent: a complaint must not be lost because a header or another recipient is malformed.
"""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, core_schema

from ses_feedback.timestamps import parse_timestamp


class _NoneIfMalformed:
    """Mark a field that is None if its value has the wrong type."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401 (pydantic's own signature)
        return core_schema.with_default_schema(handler(source), default=None, on_error="default")


class _EmptyIfMalformed:
    """Mark a list element that is an object without values if it has the wrong type, so that the others are kept."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401 (pydantic's own signature)
        return core_schema.with_default_schema(handler(source), default_factory=source, on_error="default")


def _timestamp(value: object) -> datetime | None:
    return parse_timestamp(value) if isinstance(value, str) else None


NONE_IF_MALFORMED = _NoneIfMalformed()
EMPTY_IF_MALFORMED = _EmptyIfMalformed()
Text = Annotated[str | None, NONE_IF_MALFORMED]
Texts = Annotated[tuple[str, ...] | None, Field(fail_fast=True), NONE_IF_MALFORMED]
Timestamp = Annotated[datetime | None, BeforeValidator(_timestamp)]
# An email has at most 50 recipients: https://docs.aws.amazon.com/ses/latest/dg/quotas.html
# Longer lists than this are malformed, so that one hostile message cannot use up the memory and time of its batch.
RECIPIENTS = Field(default=None, max_length=1_000, fail_fast=True)


def first_text(values: object) -> str | None:
    """Return the first text of a tag's values, a list or one text, or None if there is none."""
    first = values[0] if isinstance(values, list) and values else values
    return first if isinstance(first, str) else None


class SesObject(BaseModel):
    """A JSON object in an SES event."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="ignore",
        frozen=True,
        defer_build=True,
        hide_input_in_errors=True,
    )


class Mail(SesObject):
    """The `mail` object: the email that the event is about.

    `destination` lists all recipients of the email, which the event may not concern:
    https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#mail-object

    Headers are not read: validating them takes as long as the rest of the event.
    """

    timestamp: Timestamp = None
    message_id: Text = None
    destination: Texts = None
    tags: Annotated[dict[str, Any] | None, NONE_IF_MALFORMED] = None

    def tag(self, name: str) -> str:
        """Return the first value of the tag `name`, or an empty string if there is none.

        Identity notifications have no tags:
        https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
        """
        tags = self.tags
        return first_text(tags[name]) or "" if tags and name in tags else ""


class BouncedRecipient(SesObject):
    """A recipient of a bounce. `action`, `status` and `diagnosticCode` are copied from the DSN, if there is one.

    https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#bounced-recipients
    """

    email_address: Text = None
    action: Text = None
    status: Text = None
    diagnostic_code: Text = None


class BounceObject(SesObject):
    """The `bounce` object. In production, `bouncedRecipients` may be empty."""

    bounce_type: str | None = None
    bounce_sub_type: str | None = None
    bounced_recipients: tuple[Annotated[BouncedRecipient, EMPTY_IF_MALFORMED], ...] | None = RECIPIENTS
    timestamp: Timestamp = None
    feedback_id: Text = None


class ComplainedRecipient(SesObject):
    """A recipient who may have complained."""

    email_address: Text = None


class ComplaintObject(SesObject):
    """The `complaint` object. If it has several recipients, SES does not know which of them complained.

    https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#complained-recipients
    """

    complained_recipients: tuple[Annotated[ComplainedRecipient, EMPTY_IF_MALFORMED], ...] | None = RECIPIENTS
    timestamp: Timestamp = None
    feedback_id: Text = None
    complaint_sub_type: str | None = None
    complaint_feedback_type: str | None = None


class DeliveryObject(SesObject):
    """The `delivery` object: the recipient's mail server accepted the email."""

    timestamp: Timestamp = None
    recipients: tuple[Text, ...] | None = RECIPIENTS


class TrackingObject(SesObject):
    """The `open` or `click` object."""

    timestamp: Timestamp = None


class FailureObject(SesObject):
    """The `failure` object of a rendering failure."""

    template_name: Text = None
    error_message: Text = None


class DelayedRecipient(SesObject):
    """A recipient whose email is delayed."""

    email_address: Text = None
    status: Text = None
    diagnostic_code: Text = None


class DeliveryDelayObject(SesObject):
    """The `deliveryDelay` object."""

    delayed_recipients: Annotated[tuple[DelayedRecipient, ...] | None, NONE_IF_MALFORMED] = None
    timestamp: Timestamp = None


class TopicSubscription(SesObject):
    """One topic of a contact list, and the status `OptIn` or `OptOut`."""

    topic_name: Text = None
    subscription_status: Text = None


class TopicPreferences(SesObject):
    """The preferences of one contact of an SES contact list."""

    unsubscribe_all: bool | None = None
    topic_subscription_status: Annotated[tuple[TopicSubscription, ...] | None, NONE_IF_MALFORMED] = None


class SubscriptionObject(SesObject):
    """The `subscription` object: a recipient changed preferences on an SES contact list."""

    timestamp: Timestamp = None
    new_topic_preferences: TopicPreferences | None = None
    old_topic_preferences: Annotated[TopicPreferences | None, NONE_IF_MALFORMED] = None

"""What SES said: every kind of feedback it publishes, as pydantic models, and `parse`.

Two vocabularies say the same things: identity notifications (`notificationType`) and event publishing (`eventType`,
which adds kinds and `mail.tags`). AWS adds fields and values without notice, so every enum is open, unknown fields are
ignored, and every field is optional. A field that decides something (a type, the list of recipients) must have the
right JSON type or the message is malformed; any other field of the wrong type counts as absent, for a complaint must
not be lost over a malformed header, nor over a malformed recipient beside its own. Fields and their meanings: the SES
developer guide, "Amazon SNS notification contents" and "Contents of event data that Amazon SES publishes to Amazon
SNS".
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, core_schema

from ses_feedback.timestamps import parse_timestamp

MAX_NAME_LENGTH = 64
_CONFIGURATION_SET_TAG = "ses:configuration-set"
_TENANT_TAG = "ses:tenant-name"


class FeedbackError(ValueError):
    """The document is not feedback SES publishes.

    `reason` is one of a few fixed words; `where` names the fields at fault, never their values.
    """

    def __init__(self, reason: str, where: tuple[str, ...] = ()) -> None:
        """Keep `reason`, for example `malformed`, and `where`, for example `("bounce.bounceType: string_type",)`."""
        super().__init__(": ".join((reason, ", ".join(where))) if where else reason)
        self.reason = reason
        self.where = where


class _OrAbsent:
    """Mark a field whose malformed value counts as absent."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401 (pydantic's own signature)
        return core_schema.with_default_schema(handler(source), default=None, on_error="default")


class _OrNobody:
    """Mark a recipient that, malformed, counts as one of whom nothing is said: it must not keep the others off."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401 (pydantic's own signature)
        return core_schema.with_default_schema(handler(source), default_factory=source, on_error="default")


def _timestamp(value: object) -> datetime | None:
    return parse_timestamp(value) if isinstance(value, str) else None


OR_ABSENT = _OrAbsent()
OR_NOBODY = _OrNobody()
Text = Annotated[str | None, OR_ABSENT]
Flag = Annotated[bool | None, OR_ABSENT]
Whole = Annotated[int | None, OR_ABSENT]
Texts = Annotated[tuple[str, ...] | None, Field(fail_fast=True), OR_ABSENT]
TextsByName = Annotated[dict[str, tuple[str, ...]] | None, OR_ABSENT]
# A message goes to fifty recipients at most. Beyond what any mistake explains, it is no feedback of SES's, and what
# costs memory and time for nothing must not take the other messages of its batch along.
CROWD = Field(default=None, max_length=1_000, fail_fast=True)
Timestamp = Annotated[datetime | None, BeforeValidator(_timestamp)]


class _Said(BaseModel):
    """A JSON object of SES's."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="ignore",
        frozen=True,
        defer_build=True,
        hide_input_in_errors=True,
    )


class Header(_Said):
    """One header of the original message."""

    name: Text = None
    value: Text = None


class CommonHeaders(_Said):
    """The original message's best known headers. `to` may be one element with several comma-joined addresses."""

    from_: Texts = Field(alias="from")
    to: Texts = None
    cc: Texts = None
    bcc: Texts = None
    reply_to: Texts = None
    sender: Texts = None
    return_path: Text = None
    date: Text = None
    subject: Text = None
    message_id: Text = None


class MailHeaders(_Said):
    """The original message's headers."""

    headers: Annotated[tuple[Header, ...] | None, Field(fail_fast=True), OR_ABSENT] = None
    common_headers: Annotated[CommonHeaders | None, OR_ABSENT] = None


class Mail(_Said):
    """The message the feedback is about. `destination` names everybody it was sent to, not whom the feedback names.

    Its headers are read when somebody asks for them: nothing in here does, and it takes as long as all the rest.
    """

    timestamp: Timestamp = None
    message_id: Text = None
    source: Text = None
    source_arn: Text = None
    source_ip: Text = None
    caller_identity: Text = None
    sending_account_id: Text = None
    destination: Texts = None
    headers_truncated: Flag = None
    unread_headers: Any = Field(default=None, alias="headers")
    unread_common_headers: Any = Field(default=None, alias="commonHeaders")
    tags: Annotated[dict[str, Any] | None, OR_ABSENT] = None

    @property
    def headers(self) -> tuple[Header, ...] | None:
        """Every header, in the message's order, None when they were not passed on."""
        return self._headers.headers

    @property
    def common_headers(self) -> CommonHeaders | None:
        """The best known headers, None when they were not passed on."""
        return self._headers.common_headers

    @property
    def _headers(self) -> MailHeaders:
        return MailHeaders.model_validate({"headers": self.unread_headers, "commonHeaders": self.unread_common_headers})

    def tag(self, name: str) -> str:
        """Return the first value of the tag `name`, empty when there is none (identity notifications have no tags)."""
        values = (self.tags or {}).get(name)
        first = values[0] if isinstance(values, list | tuple) and values else values
        return first if isinstance(first, str) else ""


class BouncedRecipient(_Said):
    """A recipient of a bounce. `action`, `status` and `diagnosticCode` come from the DSN, when there was one."""

    email_address: Text = None
    action: Text = None
    status: Text = None
    diagnostic_code: Text = None


class BounceObject(_Said):
    """The `bounce` object. `bouncedRecipients` can be empty in production."""

    bounce_type: str | None = None
    bounce_sub_type: str | None = None
    bounced_recipients: tuple[Annotated[BouncedRecipient, OR_NOBODY], ...] | None = CROWD
    timestamp: Timestamp = None
    feedback_id: Text = None
    remote_mta_ip: Text = None
    reporting_mta: Text = Field(alias="reportingMTA")


class ComplainedRecipient(_Said):
    """A recipient who may have complained."""

    email_address: Text = None


class ComplaintObject(_Said):
    """The `complaint` object. More than one recipient means SES could not tell which of them complained."""

    complained_recipients: tuple[Annotated[ComplainedRecipient, OR_NOBODY], ...] | None = CROWD
    timestamp: Timestamp = None
    feedback_id: Text = None
    complaint_sub_type: str | None = None
    user_agent: Text = None
    complaint_feedback_type: str | None = None
    arrival_date: Timestamp = None
    reporting_mta: Text = Field(alias="reportingMTA")
    remote_mta_ip: Text = None


class DeliveryObject(_Said):
    """The `delivery` object: the recipient's mail server accepted the message."""

    timestamp: Timestamp = None
    processing_time_millis: Whole = None
    recipients: tuple[Text, ...] | None = CROWD
    smtp_response: Text = None
    reporting_mta: Text = Field(alias="reportingMTA")
    remote_mta_ip: Text = None


class RejectObject(_Said):
    """The `reject` object: SES found a virus after accepting the message."""

    reason: Text = None


class OpenObject(_Said):
    """The `open` object. `isBotEvent` is the text `Likely` or `Unlikely`."""

    ip_address: Text = None
    timestamp: Timestamp = None
    user_agent: Text = None
    is_bot_event: Text = None


class ClickObject(OpenObject):
    """The `click` object."""

    link: Text = None
    link_tags: TextsByName = None


class FailureObject(_Said):
    """The `failure` object of a rendering failure."""

    template_name: Text = None
    error_message: Text = None


class DelayedRecipient(_Said):
    """A recipient whose mail is delayed."""

    email_address: Text = None
    status: Text = None
    diagnostic_code: Text = None


class DeliveryDelayObject(_Said):
    """The `deliveryDelay` object."""

    delay_type: Text = None
    delayed_recipients: Annotated[tuple[DelayedRecipient, ...] | None, OR_ABSENT] = None
    expiration_time: Timestamp = None
    timestamp: Timestamp = None
    reporting_mta: Text = Field(alias="reportingMTA")


class TopicSubscription(_Said):
    """One topic of a contact list: `OptIn` or `OptOut`."""

    topic_name: Text = None
    subscription_status: Text = None


class TopicPreferences(_Said):
    """A contact's preferences on a contact list."""

    unsubscribe_all: bool | None = None
    topic_subscription_status: Annotated[tuple[TopicSubscription, ...] | None, OR_ABSENT] = None
    topic_default_subscription_status: Annotated[tuple[TopicSubscription, ...] | None, OR_ABSENT] = None


class SubscriptionObject(_Said):
    """The `subscription` object: a recipient changed preferences on a contact list."""

    contact_list: Text = None
    timestamp: Timestamp = None
    source: Text = None
    new_topic_preferences: TopicPreferences | None = None
    old_topic_preferences: Annotated[TopicPreferences | None, OR_ABSENT] = None


class Feedback(_Said):
    """Anything SES reports about a sent message. `kind` is SES's own name of it, without the space."""

    kind: ClassVar[str]
    mail: Annotated[Mail | None, OR_ABSENT] = None

    @property
    def own_time(self) -> datetime | None:
        """The time of the event itself, as the kind's own object says it."""
        return None

    @property
    def time(self) -> datetime | None:
        """The event's own time, or, where SES gave none, that of the message it is about."""
        return self.own_time or (self.mail.timestamp if self.mail else None)

    @property
    def message_id(self) -> str:
        """The id SES gave the message, empty when it is not said."""
        return (self.mail.message_id if self.mail else None) or ""

    @property
    def configuration_set(self) -> str:
        """The configuration set the message was sent with, empty in identity notifications."""
        return self.mail.tag(_CONFIGURATION_SET_TAG) if self.mail else ""

    @property
    def tenant(self) -> str:
        """The tenant the message was sent for, empty when there is none."""
        return self.mail.tag(_TENANT_TAG) if self.mail else ""


class Bounce(Feedback):
    """A bounce, hard or soft."""

    kind = "Bounce"
    bounce: BounceObject

    @property
    def own_time(self) -> datetime | None:
        """When the recipient's mail server bounced it."""
        return self.bounce.timestamp


class Complaint(Feedback):
    """A complaint, through a provider's feedback loop."""

    kind = "Complaint"
    complaint: ComplaintObject

    @property
    def own_time(self) -> datetime | None:
        """When the provider sent the complaint."""
        return self.complaint.timestamp


class Delivery(Feedback):
    """A delivery to the recipient's mail server."""

    kind = "Delivery"
    delivery: DeliveryObject

    @property
    def own_time(self) -> datetime | None:
        """When the mail server accepted it."""
        return self.delivery.timestamp


class Send(Feedback):
    """SES accepted the message and will try to deliver it."""

    kind = "Send"


class Reject(Feedback):
    """SES accepted the message, found a virus in it, and dropped it for every recipient."""

    kind = "Reject"
    reject: Annotated[RejectObject | None, OR_ABSENT] = None


class RenderingFailure(Feedback):
    """A template could not be rendered; nothing was sent. SES spells it `Rendering Failure`."""

    kind = "RenderingFailure"
    failure: Annotated[FailureObject | None, OR_ABSENT] = None


class DeliveryDelay(Feedback):
    """A temporary failure; SES goes on trying until `expirationTime`."""

    kind = "DeliveryDelay"
    delivery_delay: Annotated[DeliveryDelayObject | None, OR_ABSENT] = None

    @property
    def own_time(self) -> datetime | None:
        """When the delay happened."""
        return self.delivery_delay.timestamp if self.delivery_delay else None


class Open(Feedback):
    """The recipient, or a machine, loaded the message's tracking image."""

    kind = "Open"
    open: Annotated[OpenObject | None, OR_ABSENT] = None

    @property
    def own_time(self) -> datetime | None:
        """When it was opened."""
        return self.open.timestamp if self.open else None


class Click(Feedback):
    """The recipient, or a machine, report a link in the message."""

    kind = "Click"
    click: Annotated[ClickObject | None, OR_ABSENT] = None

    @property
    def own_time(self) -> datetime | None:
        """When it was clicked."""
        return self.click.timestamp if self.click else None


class Subscription(Feedback):
    """A recipient changed preferences on an SES contact list."""

    kind = "Subscription"
    subscription: SubscriptionObject

    @property
    def own_time(self) -> datetime | None:
        """When the preferences changed."""
        return self.subscription.timestamp


KINDS: Mapping[str, type[Feedback]] = {
    model.kind.lower(): model
    for model in (Bounce, Complaint, Delivery, Send, Reject, RenderingFailure, DeliveryDelay, Open, Click, Subscription)
}


def normalize_name(name: str) -> str:
    """Return `name` as SES's names are compared: ASCII letters and digits only, in lower case.

    SES spells one name in several ways: `Rendering Failure`, `RenderingFailure`, `RENDERING_FAILURE`. Names longer
    than any SES uses fold to one unknown name, so that what is remembered per name stays small.
    """
    return _fold(name) if len(name) <= MAX_NAME_LENGTH else "toolong"


@lru_cache(maxsize=1024)
def _fold(name: str) -> str:
    return "".join(c for c in name if c.isascii() and c.isalnum()).lower()


def parse_feedback(document: Mapping[str, Any]) -> Feedback:
    """Return what SES says in `document`, a decoded JSON object of either vocabulary.

    Raises:
        FeedbackError: it names no known kind, two different ones, or lacks what gives the kind its meaning.

    """
    model = _model(document)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        # Without the cause: pydantic's own text may quote the message.
        raise FeedbackError("malformed", _faults(error)) from None


def _model(document: Mapping[str, Any]) -> type[Feedback]:
    named = {
        normalize_name(name) for key in ("eventType", "notificationType") if isinstance(name := document.get(key), str)
    }
    if len(named) > 1:
        raise FeedbackError("two-kinds")
    model = KINDS.get(named.pop()) if named else None
    if model is None:
        raise FeedbackError("unknown-kind")
    return model


def _faults(error: ValidationError) -> tuple[str, ...]:
    # `loc` holds field names and indices of declared models only: `tags`, whose keys are the sender's, takes anything.
    # Three at most, for recipients fail fast.
    return tuple(f"{'.'.join(map(str, fault['loc']))}: {fault['type']}" for fault in error.errors())

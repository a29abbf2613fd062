"""Verdicts and facts: the result of judging one SES event."""

from datetime import datetime
from enum import StrEnum

from ses_feedback.address import Address
from ses_feedback.immutable import Struct

Tags = tuple[tuple[str, str], ...]
"""The sender's own message tags: name and value, in order of name."""


class Verdict(StrEnum):
    """Meaning of an SES event for one recipient."""

    SUPPRESS = "SUPPRESS"
    """The address cannot receive mail."""
    COMPLAIN = "COMPLAIN"
    """The recipient reported the email as spam."""
    UNSUBSCRIBE = "UNSUBSCRIBE"
    """The recipient opted out of one stream or of all email; the mailbox works."""
    SUBSCRIBE = "SUBSCRIBE"
    """The recipient opted into one stream or into all email."""
    ECHO = "ECHO"
    """SES did not send, because the address is on the account suppression list."""
    SOFT_BOUNCE = "SOFT_BOUNCE"
    """A temporary failure that counts against the address."""
    DELIVERED = "DELIVERED"
    """The recipient's mail server accepted the email."""
    NOTE = "NOTE"
    """Stored in the contact's history; the contact does not change."""
    COUNT = "COUNT"
    """Counted as a metric only."""
    IGNORE = "IGNORE"
    """Not feedback about an email."""


class ListReason(StrEnum):
    """Reason of a suppression-list entry.

    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_PutSuppressedDestination.html
    """

    BOUNCE = "BOUNCE"
    COMPLAINT = "COMPLAINT"


class Register(StrEnum):
    """Register of a contact that a fact is merged into."""

    NONE = ""
    COMPLAINED = "complained"
    BOUNCED = "bounced"
    GLOBALLY_SUPPRESSED = "globally_suppressed"
    NAMELESS = "nameless"
    LISTED_BOUNCE = "listed_bounce"
    LISTED_COMPLAINT = "listed_complaint"
    SOFT_BOUNCES = "soft_bounces"
    DELIVERED = "delivered"
    UNSUBSCRIBED = "unsubscribed"
    UNSUBSCRIBED_FROM = "unsubscribed_from"
    OPTED_INTO = "opted_into"


class EventDetails(Struct, frozen=True):
    """Fields of an SES event or of a preference message, cut to size, for the contact's history.

    Of a preference message, `message_id` is its id and `sub_type` the stream that it names.
    """

    kind: str
    type: str = ""
    sub_type: str = ""
    message_id: str = ""
    feedback_id: str = ""
    action: str = ""
    status: str = ""
    diagnostic_code: str = ""
    tenant: str = ""
    tags: Tags = ()
    stated_reason: str = ""


class Fact(Struct, frozen=True):
    """A verdict about one contact, with its time and identity.

    `message` is the number of the email (`message_order`). `reason` is from a closed vocabulary
    (`Permanent/NoEmail`, `Complaint/abuse`), so that it may be logged; `details` holds text of SES, of mail servers
    and of the sender, which may not. `stream` names the stream of an opt-out or opt-in; empty means all email.
    """

    address: Address
    verdict: Verdict
    at: datetime
    message: int
    rule: str
    reason: str
    details: EventDetails
    configuration_set: str = ""
    register: Register = Register.NONE
    stream: str = ""


class ProviderCount(Struct, frozen=True):
    """A count by mailbox provider (`providers.find_provider`)."""

    provider: str
    name: str
    number: int


class Judgement(Struct, frozen=True):
    """Result of judging an SES event: facts about contacts, and counts by metric name.

    `problem`, one of a few fixed words, is set if part of the message cannot be used. The message is then kept in
    quarantine although its facts hold. `counted_under` is the configuration set for metrics; it differs from the
    email's own for email to the mailbox simulator. `template` and `error_kind` describe a rendering failure.
    """

    kind: str
    rule: str
    facts: tuple[Fact, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    problem: str = ""
    at: datetime | None = None
    message_id: str = ""
    counted_under: str = ""
    provider_counts: tuple[ProviderCount, ...] = ()
    template: str = ""
    error_kind: str = ""

"""Verdicts and facts: the result of judging one SES event."""

from datetime import datetime
from enum import StrEnum

from ses_feedback.address import Address
from ses_feedback.immutable import Struct


class Verdict(StrEnum):
    """What a piece of feedback comes to."""

    SUPPRESS = "SUPPRESS"
    """The address is dead."""
    COMPLAIN = "COMPLAIN"
    """The recipient called the mail spam."""
    UNSUBSCRIBE = "UNSUBSCRIBE"
    """The recipient wants no more mail; the address lives."""
    ECHO = "ECHO"
    """SES did not send, because the address is on the suppression list already."""
    SOFT_BOUNCE = "SOFT_BOUNCE"
    """A soft bounce that counts against the address."""
    DELIVERED = "DELIVERED"
    """The recipient's mail server took the message."""
    NOTE = "NOTE"
    """Kept in the contact's history; changes nothing."""
    COUNT = "COUNT"
    """Counted as a metric only."""
    IGNORE = "IGNORE"
    """Not feedback about a message."""


class ListReason(StrEnum):
    """Why SES keeps an address on the suppression list."""

    BOUNCE = "BOUNCE"
    COMPLAINT = "COMPLAINT"


class EventDetails(Struct, frozen=True):
    """What SES said, cut to size, for the contact's history."""

    kind: str
    type: str = ""
    sub_type: str = ""
    message_id: str = ""
    feedback_id: str = ""
    action: str = ""
    status: str = ""
    diagnostic_code: str = ""
    tenant: str = ""


class Fact(Struct, frozen=True):
    """A verdict about one contact, with its time and identity.

    `reason` is from a closed vocabulary (`Permanent/NoEmail`, `Complaint/abuse`), so that it may be logged; `said`
    holds SES's own words, which may not.
    """

    address: Address
    verdict: Verdict
    at: datetime
    rule: str
    reason: str
    said: EventDetails
    configuration_set: str = ""
    listed: ListReason | None = None


class Judgement(Struct, frozen=True):
    """What a piece of feedback comes to: facts about contacts, and counts by metric name.

    `problem`, one of a few fixed words, is set when something in the message can't be acted on, so that the message
    must be kept in quarantine although its facts hold.
    """

    kind: str
    rule: str
    facts: tuple[Fact, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    problem: str = ""
    at: datetime | None = None
    message_id: str = ""
    configuration_set: str = ""

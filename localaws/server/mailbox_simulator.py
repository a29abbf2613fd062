"""The outcomes of an email: those of the SES mailbox simulator, also for ordinary addresses.

The local part of a recipient selects the outcome (`bounce+ann@example.com` bounces), as at
https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html. Unlike the simulator's addresses, ordinary
addresses get on the suppression list. These functions are pure. `feedback_messages` writes the outcomes as JSON.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from typing import Any

from localaws.suppression_list.entries import SuppressionReason

_SUPPRESSED_TEXT = (
    "Amazon SES did not send the message to this address because it is on the suppression list for your account. "
    "For more information about removing addresses from the suppression list, see the Amazon SES Developer Guide at "
    "https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html"
)
_MTA = "a8-31.smtp-out.amazonses.com"


@dataclass(frozen=True, slots=True)
class Email:
    """An email that SES accepted."""

    message_id: str
    source: str
    recipients: tuple[str, ...]
    sent_at: datetime
    account: str
    region: str
    identity: str = ""
    subject: str = ""
    configuration_set: str = ""
    operation: str = "SendEmail"
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Feedback:
    """One event: `kind` is the eventType, `detail` the object with the same name."""

    kind: str
    detail: Mapping[str, Any]
    recipients: tuple[str, ...] = ()

    @property
    def is_hard_bounce(self) -> bool:
        """True for a hard bounce that is not an echo of the suppression list."""
        return self.detail.get("bounceType") == "Permanent" and self.detail["bounceSubType"] == "General"

    @property
    def is_first_hand_complaint(self) -> bool:
        """True for a complaint that is not an echo of the suppression list."""
        return self.kind == "Complaint" and self.detail["complaintSubType"] is None


def parse_recipient(recipient: str) -> str:
    """Return the address in `Name <address>`."""
    return parseaddr(recipient)[1] or recipient


def create_feedback(email: Email, listed: Mapping[str, SuppressionReason]) -> list[Feedback]:
    """Return all feedback on an email, in order of time. `listed` are the addresses that SES does not deliver to."""
    by_outcome: dict[str, list[str]] = {}
    for recipient in map(parse_recipient, email.recipients):
        reason = listed.get(recipient)
        outcome = f"listed-{reason.lower()}" if reason else _choose_outcome(recipient)
        by_outcome.setdefault(outcome, []).append(recipient)
    feedback = [Feedback("Send", {}, tuple(map(parse_recipient, email.recipients)))]
    for outcome, recipients in by_outcome.items():
        feedback += _OUTCOMES[outcome](email, recipients)
    return feedback


def _choose_outcome(recipient: str) -> str:
    """Return the outcome that the local part names, with or without a `+label`."""
    name = recipient.rpartition("@")[0].partition("+")[0].lower()
    return name if name in _OUTCOMES else "success"


def _deliver(email: Email, recipients: Iterable[str]) -> Iterator[Feedback]:
    for recipient in recipients:
        detail = {
            "timestamp": format_time_after(email, 400),
            "processingTimeMillis": 400,
            "recipients": [recipient],
            "smtpResponse": "250 2.6.0 Message received",
            "reportingMTA": _MTA,
        }
        yield Feedback("Delivery", detail, (recipient,))


def _bounce(email: Email, recipients: list[str], **detail: object) -> Feedback:
    """Return one bounce of all recipients with the same outcome, as the simulator does."""
    common = {"bounceType": "Permanent", "bounceSubType": "General", "timestamp": format_time_after(email, 500)}
    return Feedback("Bounce", {**common, "feedbackId": _new_feedback_id(), **detail}, tuple(recipients))


def _bounced_recipients(recipients: list[str], diagnosis: str, status: str = "5.1.1") -> list[dict[str, str]]:
    return [
        {"emailAddress": address, "action": "failed", "status": status, "diagnosticCode": diagnosis.format(address)}
        for address in recipients
    ]


def _hard_bounce(email: Email, recipients: list[str]) -> Iterator[Feedback]:
    bounced = _bounced_recipients(recipients, "smtp; 550 5.1.1 user unknown")
    yield _bounce(email, recipients, bouncedRecipients=bounced, reportingMTA=f"dns; {_MTA}")


def _bounce_as_globally_suppressed(email: Email, recipients: list[str]) -> Iterator[Feedback]:
    # The sub type is General, as observed on SES, although the simulator's documentation implies Suppressed.
    text = "smtp; 550 5.1.1 As requested: user unknown (suppressed address: {})"
    bounced = _bounced_recipients(recipients, text)
    yield _bounce(email, recipients, bouncedRecipients=bounced, reportingMTA=f"dns; {_MTA}")


def _bounce_as_full(email: Email, recipients: list[str]) -> Iterator[Feedback]:
    bounced = _bounced_recipients(recipients, "smtp; 452 4.2.2 mailbox full", "4.2.2")
    kind = {"bounceType": "Transient", "bounceSubType": "MailboxFull"}
    yield _bounce(email, recipients, **kind, bouncedRecipients=bounced, reportingMTA=f"dns; {_MTA}")


def _accept_then_bounce_as_full(email: Email, recipients: list[str]) -> Iterator[Feedback]:
    # A gateway accepts the email, and the mailbox behind it is full: both events are about the same email.
    yield from _deliver(email, recipients)
    yield from _bounce_as_full(email, recipients)


def _reply_automatically(email: Email, recipients: list[str]) -> Iterator[Feedback]:
    yield from _deliver(email, recipients)
    # An automatic reply is not a delivery status notification (RFC 3464), so SES knows only the address.
    bounced = [{"emailAddress": address} for address in recipients]
    yield _bounce(email, recipients, bounceType="Transient", bouncedRecipients=bounced)


def _complain(email: Email, recipients: list[str]) -> Iterator[Feedback]:
    yield from _deliver(email, recipients)
    for recipient in recipients:
        detail = {
            "feedbackId": _new_feedback_id(),
            "complaintSubType": None,
            "complainedRecipients": [{"emailAddress": recipient}],
            "timestamp": format_time_after(email, 900),
            "userAgent": "Amazon SES Mailbox Simulator",
            "complaintFeedbackType": "abuse",
            "arrivalDate": format_time_after(email, 400),
        }
        yield Feedback("Complaint", detail, (recipient,))


def _echo_bounce(email: Email, recipients: list[str]) -> Iterator[Feedback]:
    yield _bounce(
        email,
        recipients,
        bounceSubType="OnAccountSuppressionList",
        bouncedRecipients=_bounced_recipients(recipients, _SUPPRESSED_TEXT),
        reportingMTA="dns; amazonses.com",
    )


def _echo_complaint(email: Email, recipients: list[str]) -> Iterator[Feedback]:
    # No recipient complained about this email, so it has no feedback type, user agent or arrival date.
    detail = {
        "feedbackId": _new_feedback_id(),
        "complaintSubType": "OnAccountSuppressionList",
        "complainedRecipients": [{"emailAddress": address} for address in recipients],
        "timestamp": format_time_after(email, 500),
    }
    yield Feedback("Complaint", detail, tuple(recipients))


_OUTCOMES = {
    "success": _deliver,
    "bounce": _hard_bounce,
    "ooto": _reply_automatically,
    "complaint": _complain,
    "suppressionlist": _bounce_as_globally_suppressed,
    # Not addresses of the simulator.
    "mailboxfull": _bounce_as_full,
    "latefull": _accept_then_bounce_as_full,
    # https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html
    "listed-bounce": _echo_bounce,
    "listed-complaint": _echo_complaint,
}


def _new_feedback_id() -> str:
    return f"{uuid.uuid4()}-000000"


def format_time_after(email: Email, milliseconds: int) -> str:
    """Return the time so long after sending, but not after now, because feedback is published at once here."""
    moment = min(email.sent_at + timedelta(milliseconds=milliseconds), datetime.now(UTC))
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

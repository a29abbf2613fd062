"""An incident: a provider rejects email to living mailboxes because the sender's DMARC record is wrong.

Beside the readers that it hits, there are contacts that a repair must not touch.
"""

from datetime import datetime, timedelta
from typing import Any

from ses_feedback.timestamps import format_timestamp
from tests.support.builders import START, a_bounce, a_bounced_recipient, a_complaint, a_mail

REJECTION = (
    "smtp; 550-5.7.26 Unauthenticated email from example.com is not accepted due to domain's DMARC policy. "
    "550 5.7.26 {number}a0b1c2d3e4f5-{number} - gsmtp"
)
GONE = "smtp; 550 5.1.1 The email account that you tried to reach does not exist"
BEGIN, END = START, START + timedelta(hours=2)
WHERE = (
    *("--since", format_timestamp(BEGIN), "--until", format_timestamp(END)),
    *("--diagnostic", "dmarc policy", "--status-code", "5.7.26"),
)
"""The conditions that select the incident."""


def reader(number: int) -> str:
    """Return the address of a reader that the incident hits."""
    return f"reader-{number:03d}@example.org"


def rejection(address: str, number: int, at: datetime | None = None) -> dict[str, Any]:
    """Return the bounce of a reader."""
    recipient = a_bounced_recipient(address, status="5.7.26", diagnosticCode=REJECTION.format(number=number))
    return bounce(recipient, number, at or BEGIN + timedelta(seconds=number))


def bounce(recipient: dict[str, Any], number: int, at: datetime) -> dict[str, Any]:
    """Return a bounce of one recipient's email at `at`."""
    address = recipient["emailAddress"]
    mail = a_mail(timestamp=format_timestamp(at), messageId=f"0100019a-{number:06d}", destination=[address])
    feedback = f"0100019b-{number:06d}"
    return a_bounce(recipients=(recipient,), mail=mail, at=at + timedelta(seconds=5), feedbackId=feedback)


def bystanders() -> dict[str, list[dict[str, Any]]]:
    """Return the feedback of contacts that a repair must leave as they are, by address."""
    gone = {"status": "5.1.1", "diagnosticCode": GONE}
    complainer, twice = "complained@example.org", "rejected-and-gone@example.org"
    return {
        "gone@example.org": [bounce(a_bounced_recipient("gone@example.org", **gone), 900, BEGIN)],
        "earlier@example.org": [rejection("earlier@example.org", 901, BEGIN - timedelta(days=1))],
        "later@example.org": [rejection("later@example.org", 902, END + timedelta(minutes=1))],
        complainer: [
            rejection(complainer, 903),
            a_complaint(recipients=(complainer,), mail=a_mail(destination=[complainer])),
        ],
        twice: [bounce(a_bounced_recipient(twice, **gone), 904, BEGIN - timedelta(days=3)), rejection(twice, 905)],
    }


def incident(readers: int) -> list[dict[str, Any]]:
    """Return the feedback of an incident with this number of readers, and of its bystanders."""
    events = [rejection(reader(number), number) for number in range(readers)]
    return events + [event for some in bystanders().values() for event in some]

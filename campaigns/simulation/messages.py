"""What SES says, made up: the text of a message, and, by hand and apart from the code's own policy, what it means."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from campaigns.fuzz.canaries import canary, canary_address

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""What the clock shows at virtual time 0."""


def stamp(milliseconds: int) -> str:
    """Return the timestamp of a time given in milliseconds after `START`, as SES writes it."""
    moment = START + timedelta(milliseconds=milliseconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


@dataclass(frozen=True, slots=True)
class Meant:
    """One thing a message says of one address; copies of a message share their `feedback`.

    `register` is empty when it is for the history only.
    """

    address: str
    variant: str
    register: str
    at: str
    reason: str
    configuration_set: str
    verdict: str
    feedback: int


@dataclass(frozen=True, slots=True)
class Message:
    """A message on its way: `fate` is what must become of it, `lane` the queue it comes down.

    It is on the queue from `arrives` on (milliseconds); `number` tells it from its copies.
    """

    kind: str
    body: str
    meant: tuple[Meant, ...]
    fate: str
    lane: int
    arrives: int
    number: int

    def __str__(self) -> str:
        """Describe it on one line."""
        said = ", ".join(f"{one.variant} {one.register or 'note'} at {one.at[11:]}" for one in self.meant)
        return f"message {self.number} ({self.kind}) on lane {self.lane} from {self.arrives} ms: {said or self.fate}"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of message. `meaning` and `reason` are what the policy table in the design says of it."""

    name: str
    says: str
    meaning: str
    verdict: str
    reason: str = ""
    fields: Mapping[str, Any] | None = None
    several: bool = False
    fate: str = "applied"


def _bounce(name: str, meaning: str, verdict: str, type_: str, sub_type: str) -> Kind:
    fields = {"bounceType": type_, "bounceSubType": sub_type}
    return Kind(name, "bounce", meaning, verdict, f"{type_}/{sub_type}", fields)


def _complaint(name: str, meaning: str, verdict: str, reason: str, **fields: str) -> Kind:
    return Kind(name, "complaint", meaning, verdict, f"Complaint/{reason}", fields)


KINDS: tuple[tuple[int, Kind], ...] = (
    (5, _bounce("hard bounce", "bounced", "SUPPRESS", "Permanent", "General")),
    (2, _bounce("no such mailbox", "bounced", "SUPPRESS", "Permanent", "NoEmail")),
    (5, _bounce("soft bounce", "soft_bounced", "SOFT_BOUNCE", "Transient", "MailboxFull")),
    (5, Kind("delivery", "delivery", "delivered", "DELIVERED", "Delivery")),
    (4, _complaint("complaint", "complained", "COMPLAIN", "abuse", complaintFeedbackType="abuse")),
    (1, _complaint("complaint without type", "complained", "COMPLAIN", "unspecified")),
    (2, Kind("complaint of somebody", "complaint", "unsubscribed", "UNSUBSCRIBE", "Complaint/unspecified", {}, True)),  # noqa: FBT003 (a column of a table)
    (3, _bounce("bounce echo", "listed_bounce", "ECHO", "Permanent", "OnAccountSuppressionList")),
    (
        2,
        _complaint(
            "complaint echo",
            "listed_complaint",
            "ECHO",
            "OnAccountSuppressionList",
            complaintSubType="OnAccountSuppressionList",
        ),
    ),
    (3, _bounce("opted out", "unsubscribed", "UNSUBSCRIBE", "Permanent", "UnsubscribedRecipient")),
    (1, _bounce("message too large", "", "NOTE", "Transient", "MessageTooLarge")),
    (1, _complaint("not spam", "", "NOTE", "not-spam", complaintFeedbackType="not-spam")),
    (1, Kind("bounce of several", "bounce", "bounced", "SUPPRESS", "Permanent/General",
             {"bounceType": "Permanent", "bounceSubType": "General"}, True)),  # noqa: FBT003 (as above)
    (1, Kind("bounce of nobody else", "bounce", "bounced", "SUPPRESS", "Permanent/General",
             {"bounceType": "Permanent", "bounceSubType": "General"}, fate="quarantined")),
    (1, Kind("garbage", "garbage", "", "", fate="quarantined")),
    (1, Kind("notice", "notice", "", "", fate="ignored")),
)  # fmt: skip
"""How often, and what."""

BYSTANDER = "bystander@example.org"
"""Somebody the mail went to, too, of whom no feedback says anything."""
_NOTICE = "Successfully validated SNS topic for Amazon SES event publishing."


def say(kind: Kind, variants: Sequence[str], at: int, identity: int, *, as_event: bool, wrapped: bool) -> str:
    """Return the body of a message of this kind about `variants`, dated `at`."""
    if kind.says == "notice":
        return _NOTICE
    if kind.says == "garbage":
        return f"garbage {canary('body', identity)}"
    name = kind.says.capitalize()
    document: dict[str, Any] = {
        "eventType" if as_event else "notificationType": name,
        "mail": {
            "timestamp": stamp(at - 5_000),
            "messageId": f"mail-{identity}",
            "destination": [*variants, BYSTANDER],
            "source": canary_address(identity),
            "commonHeaders": {"subject": canary("subject", identity)},
            "tags": {"ses:configuration-set": ["shop"]} if as_event else {},
        },
        kind.says: _said(kind, variants, at, identity),
    }
    text = json.dumps(document)
    return json.dumps({"Type": "Notification", "TopicArn": "arn", "Message": text}) if wrapped else text


def _said(kind: Kind, variants: Sequence[str], at: int, identity: int) -> dict[str, Any]:
    said: dict[str, Any] = {**(kind.fields or {}), "timestamp": stamp(at), "feedbackId": f"feedback-{identity}"}
    answered = canary("answered", identity)
    if kind.says == "delivery":
        return {**said, "recipients": list(variants), "smtpResponse": answered}
    recipients = [{"emailAddress": name, "status": "5.1.1", "diagnosticCode": answered} for name in variants]
    if kind.fate == "quarantined":
        recipients.append({"emailAddress": "nobody", "status": "5.1.1"})
    return {**said, "bouncedRecipients" if kind.says == "bounce" else "complainedRecipients": recipients}

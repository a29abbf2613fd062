"""What SES publishes about one mail: the mailbox simulator's answers, and those of ordinary mailboxes here.

Pure: a mail and what is on the suppression list in, feedback out. The shapes sync the SES developer guide
("Contents of event data that Amazon SES publishes to Amazon SNS" and "Amazon SNS notification contents").
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from typing import Any

from localaws.ses_list.suppression_list import SuppressionReason

SIMULATOR = "simulator.amazonses.com"

_LISTED = (
    "Amazon SES did not send the message to this address because it is on the suppression list for your account. "
    "For more information about removing addresses from the suppression list, see the Amazon SES Developer Guide at "
    "https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html"
)
_MTA = "a8-31.smtp-out.amazonses.com"
_NOTIFIED = ("Bounce", "Complaint", "Delivery")


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail SES accepted."""

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
    """One thing SES publishes: `kind` is its eventType, `detail` the object of that name."""

    kind: str
    detail: Mapping[str, Any]
    recipients: tuple[str, ...] = ()

    @property
    def permanent(self) -> bool:
        """Whether SES puts the recipients on the suppression list by itself: a hard bounce that it did not echo."""
        return self.detail.get("bounceType") == "Permanent" and self.detail["bounceSubType"] == "General"


def address_of(recipient: str) -> str:
    """Return the addr-spec out of `Name <address>`."""
    return parseaddr(recipient)[1] or recipient


def happens_to(mail: Mail, listed: Mapping[str, SuppressionReason]) -> list[Feedback]:
    """Return all feedback on `mail`, in the order of its times. `listed` are the addresses SES holds mail back from."""
    by_fate: dict[str, list[str]] = {}
    for recipient in map(address_of, mail.recipients):
        reason = listed.get(recipient)
        fate = f"listed-{reason.lower()}" if reason else _fate(recipient)
        by_fate.setdefault(fate, []).append(recipient)
    feedback = [Feedback("Send", {}, tuple(map(address_of, mail.recipients)))]
    for fate, recipients in by_fate.items():
        feedback += _FATES[fate](mail, recipients)
    return feedback


def as_event(mail: Mail, feedback: Feedback) -> str:
    """Return what a configuration set's event destination publishes."""
    name = {"Rendering Failure": "failure", "DeliveryDelay": "deliveryDelay"}.get(feedback.kind, feedback.kind.lower())
    document = {"eventType": feedback.kind, "mail": _mail_of_event(mail), name: feedback.detail}
    # Events end in a newline and notifications do not.
    return json_of(document) + "\n"


def as_notification(mail: Mail, feedback: Feedback) -> str | None:
    """Return what an identity's topic publishes; None for what only event destinations are told."""
    if feedback.kind not in _NOTIFIED:
        return None
    # A suppression echo is a bounce or a complaint in both vocabularies.
    detail = {key: value for key, value in feedback.detail.items() if key != "complaintSubType" or value}
    caller = {"sourceIp": "127.0.0.1", "callerIdentity": "root"}
    document = {
        "notificationType": feedback.kind,
        feedback.kind.lower(): detail,
        "mail": {**_mail(mail), **caller},
    }
    return json_of(document)


def json_of(document: Mapping[str, Any]) -> str:
    """Return JSON as SES writes it, without spaces."""
    return json.dumps(document, separators=(",", ":"))


def _fate(recipient: str) -> str:
    """Say what becomes of mail to an address that is not listed: by local part, as at the mailbox simulator.

    An address elsewhere (`bounce+ann@example.com`) meets the same fate as the simulator's, but SES takes it seriously:
    it goes on the suppression list.
    """
    name = recipient.rpartition("@")[0].partition("+")[0].lower()
    return name if name in _FATES else "success"


def _delivery(mail: Mail, recipients: Iterable[str]) -> Iterator[Feedback]:
    for recipient in recipients:
        detail = {
            "timestamp": _time(mail, 400),
            "processingTimeMillis": 400,
            "recipients": [recipient],
            "smtpResponse": "250 2.6.0 Message received",
            "reportingMTA": _MTA,
        }
        yield Feedback("Delivery", detail, (recipient,))


def _bounce(mail: Mail, recipients: list[str], **detail: object) -> Feedback:
    """Make one bounce of all recipients of one fate: SES combines them."""
    common = {"bounceType": "Permanent", "bounceSubType": "General", "timestamp": _time(mail, 500)}
    feedback_id = f"{uuid.uuid4()}-000000"
    return Feedback("Bounce", {**common, "feedbackId": feedback_id, **detail}, tuple(recipients))


def _failed(recipients: list[str], diagnosis: str) -> list[dict[str, str]]:
    return [
        {"emailAddress": one, "action": "failed", "status": "5.1.1", "diagnosticCode": diagnosis.format(one)}
        for one in recipients
    ]


def _hard_bounce(mail: Mail, recipients: list[str]) -> Iterator[Feedback]:
    failed = _failed(recipients, "smtp; 550 5.1.1 user unknown")
    yield _bounce(mail, recipients, bouncedRecipients=failed, reportingMTA=f"dns; {_MTA}")


def _globally_suppressed(mail: Mail, recipients: list[str]) -> Iterator[Feedback]:
    # Plain Permanent/General, not Suppressed, contrary to the simulator's documentation.
    failed = _failed(recipients, "smtp; 550 5.1.1 As requested: user unknown (suppressed address: {})")
    yield _bounce(mail, recipients, bouncedRecipients=failed, reportingMTA=f"dns; {_MTA}")


def _full(mail: Mail, recipients: list[str]) -> Iterator[Feedback]:
    failed = [
        {"emailAddress": one, "action": "failed", "status": "4.2.2", "diagnosticCode": "smtp; 452 4.2.2 mailbox full"}
        for one in recipients
    ]
    kind = {"bounceType": "Transient", "bounceSubType": "MailboxFull"}
    yield _bounce(mail, recipients, **kind, bouncedRecipients=failed, reportingMTA=f"dns; {_MTA}")


def _auto_reply(mail: Mail, recipients: list[str]) -> Iterator[Feedback]:
    yield from _delivery(mail, recipients)
    # An automatic reply is no delivery status notification: of the recipient there is only the address.
    bare = [{"emailAddress": one} for one in recipients]
    yield _bounce(mail, recipients, bounceType="Transient", bouncedRecipients=bare)


def _complaint(mail: Mail, recipients: list[str]) -> Iterator[Feedback]:
    yield from _delivery(mail, recipients)
    for recipient in recipients:
        detail = {
            "feedbackId": f"{uuid.uuid4()}-000000",
            "complaintSubType": None,
            "complainedRecipients": [{"emailAddress": recipient}],
            "timestamp": _time(mail, 900),
            "userAgent": "Amazon SES Mailbox Simulator",
            "complaintFeedbackType": "abuse",
            "arrivalDate": _time(mail, 400),
        }
        yield Feedback("Complaint", detail, (recipient,))


def _listed_bounce(mail: Mail, recipients: list[str]) -> Iterator[Feedback]:
    yield _bounce(
        mail,
        recipients,
        bounceSubType="OnAccountSuppressionList",
        bouncedRecipients=_failed(recipients, _LISTED),
        reportingMTA="dns; amazonses.com",
    )


def _listed_complaint(mail: Mail, recipients: list[str]) -> Iterator[Feedback]:
    # Nobody complained this time, so there is no type, agent or arrival.
    detail = {
        "feedbackId": f"{uuid.uuid4()}-000000",
        "complaintSubType": "OnAccountSuppressionList",
        "complainedRecipients": [{"emailAddress": one} for one in recipients],
        "timestamp": _time(mail, 500),
    }
    yield Feedback("Complaint", detail, tuple(recipients))


_FATES = {
    "success": _delivery,
    "bounce": _hard_bounce,
    "ooto": _auto_reply,
    "complaint": _complaint,
    "suppressionlist": _globally_suppressed,
    "mailboxfull": _full,
    "listed-bounce": _listed_bounce,
    "listed-complaint": _listed_complaint,
}


def _mail(mail: Mail) -> dict[str, Any]:
    return {
        "timestamp": _time(mail, 0),
        "source": mail.source,
        "sourceArn": f"arn:aws:ses:{mail.region}:{mail.account}:identity/{mail.identity or address_of(mail.source)}",
        "sendingAccountId": mail.account,
        "messageId": mail.message_id,
        "destination": [address_of(one) for one in mail.recipients],
    }


def _mail_of_event(mail: Mail) -> dict[str, Any]:
    headers = {"From": mail.source, "To": ", ".join(mail.recipients), "Subject": mail.subject, "MIME-Version": "1.0"}
    tags = {
        "ses:operation": mail.operation,
        "ses:configuration-set": mail.configuration_set,
        "ses:source-ip": "127.0.0.1",
        "ses:from-domain": address_of(mail.source).rpartition("@")[2],
        "ses:caller-identity": "root",
        **mail.tags,
    }
    return {
        **_mail(mail),
        "headersTruncated": False,
        "headers": [{"name": name, "value": value} for name, value in headers.items()],
        "commonHeaders": {
            "from": [mail.source],
            "to": [", ".join(mail.recipients)],
            "messageId": mail.message_id,
            "subject": mail.subject,
        },
        "tags": {name: [value] for name, value in tags.items()},
    }


def _time(mail: Mail, milliseconds: int) -> str:
    """Return the time so long after sending, but not in the future: feedback is published at once here."""
    moment = min(mail.sent_at + timedelta(milliseconds=milliseconds), datetime.now(UTC))
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

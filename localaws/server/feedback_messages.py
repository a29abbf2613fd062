"""The JSON messages that SES publishes about feedback: events of configuration sets and notifications of identities.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html and
https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
"""

import json
from collections.abc import Mapping
from typing import Any

from localaws.server.mailbox_simulator import Email, Feedback, format_time_after, parse_recipient

_NOTIFIED_KINDS = ("Bounce", "Complaint", "Delivery")
# The name of the detail object, where it is not the lower-case event type.
_DETAIL_NAMES = {"Rendering Failure": "failure", "DeliveryDelay": "deliveryDelay"}


def to_event(email: Email, feedback: Feedback) -> str:
    """Return the event that an event destination of a configuration set publishes."""
    name = _DETAIL_NAMES.get(feedback.kind, feedback.kind.lower())
    document = {"eventType": feedback.kind, "mail": _mail_of_event(email), name: feedback.detail}
    # On SES, events end with a line break and notifications do not.
    return _to_json(document) + "\n"


def to_notification(email: Email, feedback: Feedback) -> str | None:
    """Return the notification that a topic of an identity receives, or None if SES sends no such notification."""
    if feedback.kind not in _NOTIFIED_KINDS:
        return None
    detail = {name: value for name, value in feedback.detail.items() if name != "complaintSubType" or value}
    caller = {"sourceIp": "127.0.0.1", "callerIdentity": "root"}
    document = {
        "notificationType": feedback.kind,
        feedback.kind.lower(): detail,
        "mail": {**_mail(email), **caller},
    }
    return _to_json(document)


def _to_json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))


def _mail(email: Email) -> dict[str, Any]:
    identity = email.identity or parse_recipient(email.source)
    return {
        "timestamp": format_time_after(email, 0),
        "source": email.source,
        "sourceArn": f"arn:aws:ses:{email.region}:{email.account}:identity/{identity}",
        "sendingAccountId": email.account,
        "messageId": email.message_id,
        "destination": [parse_recipient(recipient) for recipient in email.recipients],
    }


def _mail_of_event(email: Email) -> dict[str, Any]:
    recipients = ", ".join(email.recipients)
    headers = {"From": email.source, "To": recipients, "Subject": email.subject, "MIME-Version": "1.0"}
    tags = {
        "ses:operation": email.operation,
        "ses:configuration-set": email.configuration_set,
        "ses:source-ip": "127.0.0.1",
        "ses:from-domain": parse_recipient(email.source).rpartition("@")[2],
        "ses:caller-identity": "root",
        **email.tags,
    }
    return {
        **_mail(email),
        "headersTruncated": False,
        "headers": [{"name": name, "value": value} for name, value in headers.items()],
        "commonHeaders": {
            "from": [email.source],
            "to": [recipients],
            "messageId": email.message_id,
            "subject": email.subject,
        },
        "tags": {name: [value] for name, value in tags.items()},
    }

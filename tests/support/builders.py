"""Builders of what SES sends and of what becomes of it, each with defaults that make sense, and strategies for both.

`a_bounce(sub_type="NoEmail")` is a whole document as SES publishes it; whatever a test does not name does not matter to
it. The strategies draw from the same builders, so that what Hypothesis tries looks like what SES sends.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from ses_feedback.address import Address, parse_address
from ses_feedback.contacts.contact import Contact, Evidence, learn_facts, merge
from ses_feedback.judging.facts import EventDetails, Fact, ListReason, Register, Verdict
from ses_feedback.message_order import number_message
from ses_feedback.timestamps import format_timestamp

Json = dict[str, Any]
T = TypeVar("T")

EVENT = "eventType"
"""The vocabulary of event publishing (configuration sets)."""
NOTIFICATION = "notificationType"
"""The vocabulary of identity notifications."""
VOCABULARIES = (EVENT, NOTIFICATION)

RECIPIENT = "recipient@example.com"
OTHER_RECIPIENT = "other-recipient@example.com"
BYSTANDER = "bystander@example.org"
"""Named by `mail.destination` only, so by nobody who bounced or complained."""
SENDER = "sender@example.com"
CONFIGURATION_SET = "receipts"
MESSAGE_ID = "0100019a00000000-11111111-2222-3333-4444-555555555555-000000"
FEEDBACK_ID = "0100019a00000001-66666666-7777-8888-9999-000000000000-000000"

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""When the message of a builder was sent."""
AT = START + timedelta(seconds=5)
"""When the feedback of a builder happened."""


def on_day(number: float) -> datetime:
    """Return the time `number` days after `START`."""
    return START + timedelta(days=number)


def text(document: object) -> str:
    """Return `document` as the JSON text SES would publish."""
    return json.dumps(document)


# --- What SES sends -------------------------------------------------------------------------------------------------


def a_mail(vocabulary: str = EVENT, *, configuration_set: str = CONFIGURATION_SET, **fields: object) -> Json:
    """Return a `mail` object to a recipient and a bystander; identity notifications have no tags."""
    mail: Json = {
        "timestamp": format_timestamp(START),
        "messageId": MESSAGE_ID,
        "source": SENDER,
        "sourceArn": "arn:aws:ses:us-east-1:123456789012:identity/example.com",
        "sendingAccountId": "123456789012",
        "destination": [RECIPIENT, OTHER_RECIPIENT, BYSTANDER],
        "headersTruncated": False,
        "headers": [{"name": "From", "value": SENDER}, {"name": "To", "value": RECIPIENT}],
        "commonHeaders": {"from": [SENDER], "to": [f"{RECIPIENT}, {BYSTANDER}"], "subject": "Your receipt"},
    }
    if vocabulary == EVENT:
        mail["tags"] = {"ses:configuration-set": [configuration_set], "ses:from-domain": ["example.com"]}
    else:
        mail["sourceIp"] = "192.0.2.10"
    return mail | fields


def a_message(kind: str, vocabulary: str = EVENT, *, mail: Json | None = None, **objects: object) -> Json:
    """Return a document of `kind` that holds `objects` by their names."""
    return {vocabulary: kind, "mail": a_mail(vocabulary) if mail is None else mail, **objects}


def a_bounced_recipient(address: str = RECIPIENT, **fields: object) -> Json:
    """Return a bounced recipient with what a DSN says of it."""
    said = {"action": "failed", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 user unknown"}
    return {"emailAddress": address, **said, **fields}


def an_auto_reply_recipient(address: str = RECIPIENT) -> Json:
    """Return a bounced recipient of whom no DSN said anything: its out-of-fixture reply did."""
    return {"emailAddress": address}


def a_bounce(
    type_: object = "Permanent",
    sub_type: object = "General",
    *,
    recipients: Sequence[str | Json] = (RECIPIENT,),
    at: datetime = AT,
    vocabulary: str = EVENT,
    mail: Json | None = None,
    **fields: object,
) -> Json:
    """Return a bounce of `recipients`, addresses or whole recipient objects; `fields` go into its `bounce` object.

    Without `mail`, the email went to those recipients and others.
    """
    if mail is None:
        named = [one if isinstance(one, str) else one.get("emailAddress") for one in recipients]
        texts = [one for one in named if isinstance(one, str) and one not in {RECIPIENT, OTHER_RECIPIENT, BYSTANDER}]
        mail = a_mail(vocabulary, destination=[RECIPIENT, OTHER_RECIPIENT, BYSTANDER, *texts])
    bounce = {
        "feedbackId": FEEDBACK_ID,
        "bounceType": type_,
        "bounceSubType": sub_type,
        "bouncedRecipients": [one if isinstance(one, dict) else a_bounced_recipient(one) for one in recipients],
        "timestamp": format_timestamp(at),
        "reportingMTA": "dns; a8-70.smtp-out.amazonses.com",
    }
    return a_message("Bounce", vocabulary, mail=mail, bounce=bounce | fields)


def a_complaint(
    feedback_type: object = "abuse",
    sub_type: object = None,
    *,
    recipients: Sequence[str | Json] = (RECIPIENT,),
    at: datetime = AT,
    vocabulary: str = EVENT,
    mail: Json | None = None,
    **fields: object,
) -> Json:
    """Return a complaint that names `recipients`; `fields` go into its `complaint` object."""
    complaint = {
        "feedbackId": FEEDBACK_ID,
        "complaintSubType": sub_type,
        "complainedRecipients": [one if isinstance(one, dict) else {"emailAddress": one} for one in recipients],
        "timestamp": format_timestamp(at),
        "userAgent": "ExampleLoop/1.0",
        "complaintFeedbackType": feedback_type,
        "arrivalDate": format_timestamp(at),
    }
    return a_message("Complaint", vocabulary, mail=mail, complaint=complaint | fields)


def a_delivery(
    *,
    recipients: Sequence[str | None] = (RECIPIENT,),
    at: datetime = AT,
    vocabulary: str = EVENT,
    mail: Json | None = None,
    **fields: object,
) -> Json:
    """Return a delivery to `recipients`; `fields` go into its `delivery` object."""
    delivery = {
        "timestamp": format_timestamp(at),
        "processingTimeMillis": 5_000,
        "recipients": list(recipients),
        "smtpResponse": "250 2.0.0 OK",
        "reportingMTA": "a8-70.smtp-out.amazonses.com",
        "remoteMtaIp": "123.456.789.012",
    }
    return a_message("Delivery", vocabulary, mail=mail, delivery=delivery | fields)


def a_subscription(
    *,
    unsubscribe_all: object = True,
    destination: Sequence[str] = (RECIPIENT,),
    at: datetime = AT,
    vocabulary: str = EVENT,
    **fields: object,
) -> Json:
    """Return a change of preferences by the only recipient of a message; `fields` go into its `subscription` object."""
    topics = [{"topicName": "news", "subscriptionStatus": "OptOut"}]
    subscription = {
        "contactList": "everybody",
        "timestamp": format_timestamp(at),
        "source": "UnsubscribeHeader",
        "newTopicPreferences": {"unsubscribeAll": unsubscribe_all, "topicSubscriptionStatus": topics},
        "oldTopicPreferences": {"unsubscribeAll": False, "topicSubscriptionStatus": topics},
    }
    mail = a_mail(vocabulary, destination=list(destination))
    return a_message("Subscription", vocabulary, mail=mail, subscription=subscription | fields)


def a_send(*, destination: Sequence[str] = (RECIPIENT, BYSTANDER), vocabulary: str = EVENT) -> Json:
    """Return the event of a message that SES took for `destination`."""
    return a_message("Send", vocabulary, mail=a_mail(vocabulary, destination=list(destination)), send={})


def a_reject(vocabulary: str = EVENT) -> Json:
    """Return the event of a message in which SES found a virus."""
    return a_message("Reject", vocabulary, reject={"reason": "Bad content"})


def a_rendering_failure(vocabulary: str = EVENT, *, kind: str = "Rendering Failure") -> Json:
    """Return the event of a template that could not be rendered."""
    failure = {"templateName": "receipt", "errorMessage": "Attribute 'name' is not present"}
    return a_message(kind, vocabulary, failure=failure)


def a_delivery_delay(vocabulary: str = EVENT, *, at: datetime = AT) -> Json:
    """Return the event of a delivery that SES goes on trying."""
    delay = {
        "delayType": "MailboxFull",
        "delayedRecipients": [{"emailAddress": RECIPIENT, "status": "4.2.2", "diagnosticCode": "smtp; 452 full"}],
        "expirationTime": format_timestamp(at + timedelta(hours=12)),
        "timestamp": format_timestamp(at),
    }
    return a_message("DeliveryDelay", vocabulary, deliveryDelay=delay)


def an_open(vocabulary: str = EVENT, *, at: datetime = AT) -> Json:
    """Return the event of a message that was opened."""
    opened = {
        "ipAddress": "192.0.2.20",
        "timestamp": format_timestamp(at),
        "userAgent": "Example",
        "isBotEvent": "Likely",
    }
    return a_message("Open", vocabulary, open=opened)


def a_click(vocabulary: str = EVENT, *, at: datetime = AT, link_tags: object = None) -> Json:
    """Return the event of a link that was report."""
    clicked = {
        "ipAddress": "192.0.2.20",
        "timestamp": format_timestamp(at),
        "userAgent": "Example",
        "link": "https://example.com/",
        "linkTags": link_tags,
    }
    return a_message("Click", vocabulary, click=clicked)


# --- What brings it -------------------------------------------------------------------------------------------------


def a_bus_event(detail: object, detail_type: object = "Email Bounced", **fields: object) -> Json:
    """Return an EventBridge event, as Lambda gets it."""
    return {
        "version": "0",
        "id": "11111111-2222-3333-4444-555555555555",
        "detail-type": detail_type,
        "source": "aws.ses",
        "account": "123456789012",
        "time": "2026-03-01T12:00:06Z",
        "region": "us-east-1",
        "resources": [],
        "detail": detail,
        **fields,
    }


def an_sns_envelope(message: object, **fields: object) -> Json:
    """Return the envelope SNS puts around `message` on its way to a queue."""
    return {
        "Type": "Notification",
        "MessageId": "sns-message-id",
        "TopicArn": "arn:aws:sns:us-east-1:123456789012:BounceTopic",
        "Subject": "Amazon SES Email Event Notification",
        "Message": message if isinstance(message, str) else text(message),
        "Timestamp": "2026-03-01T12:00:07.000Z",
        **fields,
    }


def an_sns_event(*messages: object) -> Json:
    """Return the event with which SNS invokes Lambda."""
    return {"Records": [{"EventSource": "aws:sns", "Sns": an_sns_envelope(message)} for message in messages]}


def an_sqs_record(body: object, number: int = 1, **fields: object) -> Json:
    """Return one record of an SQS event; its carrier took the message at 12:00:08."""
    return {
        "messageId": f"sqs-message-{number}",
        "body": body if isinstance(body, str) else text(body),
        "attributes": {"SentTimestamp": str(int((START + timedelta(seconds=8)).timestamp() * 1000))},
        "eventSource": "aws:sqs",
        **fields,
    }


def an_sqs_event(*bodies: object) -> Json:
    """Return the event with which SQS invokes Lambda."""
    return {"Records": [an_sqs_record(body, number) for number, body in enumerate(bodies, start=1)]}


def an_s3_notification(*keys: str, bucket: str = "deliveries") -> Json:
    """Return what S3 tells a queue of objects that were written; `keys` as S3 writes them there, encoded for URLs."""
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": "us-east-1",
                "eventTime": "2026-03-01T12:00:08.000Z",
                "eventName": "ObjectCreated:Put",
                "userIdentity": {"principalId": "AWS:AROAEXAMPLE:AWSFirehoseToS3"},
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "11111111-2222-3333-4444-555555555555",
                    "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
                    "object": {"key": key, "size": 1024, "eTag": "0" * 32, "sequencer": "0055AED6DCD90281E5"},
                },
            }
            for key in keys
        ]
    }


# --- What becomes of it ---------------------------------------------------------------------------------------------


def an_address(raw: str = RECIPIENT) -> Address:
    """Return the address in `raw`."""
    return parse_address(raw)


REGISTERS = {
    Verdict.SUPPRESS: Register.BOUNCED,
    Verdict.COMPLAIN: Register.COMPLAINED,
    Verdict.UNSUBSCRIBE: Register.UNSUBSCRIBED,
    Verdict.SUBSCRIBE: Register.OPTED_INTO,
    Verdict.SOFT_BOUNCE: Register.SOFT_BOUNCES,
    Verdict.DELIVERED: Register.DELIVERED,
}
"""Register of each verdict that has one."""


def a_fact(
    verdict: Verdict = Verdict.SUPPRESS,
    at: datetime = AT,
    *,
    address: str = RECIPIENT,
    reason: str = "Permanent/General",
    configuration_set: str = CONFIGURATION_SET,
    register: Register | None = None,
    mailed_at: datetime | None = None,
    message_id: str = "",
    stream: str = "",
) -> Fact:
    """Return a fact about the contact of `address`, by default of an email of its own sent at `at`."""
    details = EventDetails("Bounce", "Permanent", "General", message_id or MESSAGE_ID, FEEDBACK_ID)
    return Fact(
        parse_address(address),
        verdict,
        at,
        number_message(mailed_at or at, message_id or verdict.value),
        "bounce-permanent",
        reason,
        details,
        configuration_set,
        REGISTERS.get(verdict, Register.NONE) if register is None else register,
        stream,
    )


def an_echo(listed: ListReason = ListReason.BOUNCE, at: datetime = AT, *, address: str = RECIPIENT) -> Fact:
    """Return an echo of the suppression-list entry with the reason `listed`."""
    register = Register.LISTED_BOUNCE if listed is ListReason.BOUNCE else Register.LISTED_COMPLAINT
    return a_fact(Verdict.ECHO, at, address=address, register=register)


def soft_bounce_days(*days: float, address: str = RECIPIENT) -> list[Fact]:
    """Return a soft_bounce on each of `days` after `START`."""
    return [a_fact(Verdict.SOFT_BOUNCE, on_day(day), address=address, reason="Transient/General") for day in days]


def a_contact(
    *facts: Fact, address: str = RECIPIENT, opted_in: datetime | None = None, cleared: datetime | None = None
) -> Contact:
    """Return the contact of which `facts` are known, reinstated at `opted_in` or `cleared`."""
    contact = learn_facts(Contact(parse_address(address).key), facts)
    return reinstated(reinstated(contact, opted_in), cleared, "cleared")


def reinstated(contact: Contact, at: datetime | None, kind: str = "opted_in") -> Contact:
    """Return `contact` with a reinstatement of `kind` at `at`, if that is a time."""
    if at is None:
        return contact
    evidence = Evidence(at, "operator")
    given = (
        Contact(contact.address, opted_in=evidence)
        if kind == "opted_in"
        else Contact(contact.address, cleared=evidence)
    )
    return merge(contact, given)

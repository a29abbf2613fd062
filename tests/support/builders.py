"""Builders of SES events, of the envelopes around them, and of facts and contacts.

`a_bounce(sub_type="NoEmail")` returns a complete event as SES publishes it. A test names only the values that it needs.
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from ses_feedback.address import parse_address
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
"""A recipient of the email who neither bounced nor complained: only in `mail.destination`."""
SENDER = "sender@example.com"
CONFIGURATION_SET = "receipts"
MESSAGE_ID = "0100019a00000000-11111111-2222-3333-4444-555555555555-000000"
FEEDBACK_ID = "0100019a00000001-66666666-7777-8888-9999-000000000000-000000"

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""Time at which the email of the builders was sent."""
AT = START + timedelta(seconds=5)
"""Time of the event that the builders return."""


def on_day(number: float) -> datetime:
    """Return the time `number` days after `START`."""
    return START + timedelta(days=number)


def text(document: object) -> str:
    """Return `document` as JSON text, as SES publishes it."""
    return json.dumps(document)


# --- SES events ---------------------------------------------------------------------------------------------------


def a_mail(vocabulary: str = EVENT, *, configuration_set: str = CONFIGURATION_SET, **fields: object) -> Json:
    """Return a `mail` object of an email to two recipients and a bystander. Identity notifications have no tags."""
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
    """Return an event of type `kind` with the given JSON objects."""
    return {vocabulary: kind, "mail": a_mail(vocabulary) if mail is None else mail, **objects}


def a_bounced_recipient(address: str = RECIPIENT, **fields: object) -> Json:
    """Return a bounced recipient with the fields of a DSN."""
    dsn_fields = {"action": "failed", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 user unknown"}
    return {"emailAddress": address, **dsn_fields, **fields}


def an_auto_reply_recipient(address: str = RECIPIENT) -> Json:
    """Return a bounced recipient without DSN fields: SES received an out-of-office reply."""
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
    """Return a bounce of `recipients`, given as addresses or recipient objects. `fields` are added to `bounce`.

    By default, the email was sent to these recipients and others.
    """
    if mail is None:
        destination = [RECIPIENT, OTHER_RECIPIENT, BYSTANDER]
        for recipient in recipients:
            address = recipient if isinstance(recipient, str) else recipient.get("emailAddress")
            if isinstance(address, str) and address not in destination:
                destination.append(address)
        mail = a_mail(vocabulary, destination=destination)
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
    """Return a complaint of `recipients`. `fields` are added to `complaint`."""
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
    """Return a delivery to `recipients`. `fields` are added to `delivery`."""
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
    """Return a change of preferences by the only recipient of an email. `fields` are added to `subscription`."""
    topics = [{"topicName": "news", "subscriptionStatus": "OptOut"}]
    subscription = {
        "contactList": "customers",
        "timestamp": format_timestamp(at),
        "source": "UnsubscribeHeader",
        "newTopicPreferences": {"unsubscribeAll": unsubscribe_all, "topicSubscriptionStatus": topics},
        "oldTopicPreferences": {"unsubscribeAll": False, "topicSubscriptionStatus": topics},
    }
    mail = a_mail(vocabulary, destination=list(destination))
    return a_message("Subscription", vocabulary, mail=mail, subscription=subscription | fields)


def a_send(*, destination: Sequence[str] = (RECIPIENT, BYSTANDER), vocabulary: str = EVENT) -> Json:
    """Return the event of an email that SES accepted for `destination`."""
    return a_message("Send", vocabulary, mail=a_mail(vocabulary, destination=list(destination)), send={})


def a_reject(vocabulary: str = EVENT) -> Json:
    """Return the event of an email in which SES found a virus."""
    return a_message("Reject", vocabulary, reject={"reason": "Bad content"})


def a_rendering_failure(vocabulary: str = EVENT, *, kind: str = "Rendering Failure") -> Json:
    """Return the event of a template that SES could not render."""
    failure = {"templateName": "receipt", "errorMessage": "Attribute 'name' is not present"}
    return a_message(kind, vocabulary, failure=failure)


def a_delivery_delay(vocabulary: str = EVENT, *, at: datetime = AT) -> Json:
    """Return the event of a delivery that SES retries."""
    delay = {
        "delayType": "MailboxFull",
        "delayedRecipients": [{"emailAddress": RECIPIENT, "status": "4.2.2", "diagnosticCode": "smtp; 452 full"}],
        "expirationTime": format_timestamp(at + timedelta(hours=12)),
        "timestamp": format_timestamp(at),
    }
    return a_message("DeliveryDelay", vocabulary, deliveryDelay=delay)


def an_open(vocabulary: str = EVENT, *, at: datetime = AT) -> Json:
    """Return the event of an email that was opened."""
    opened = {
        "ipAddress": "192.0.2.20",
        "timestamp": format_timestamp(at),
        "userAgent": "Example",
        "isBotEvent": "Likely",
    }
    return a_message("Open", vocabulary, open=opened)


def a_click(vocabulary: str = EVENT, *, at: datetime = AT, link_tags: object = None) -> Json:
    """Return the event of a link that was clicked."""
    clicked = {
        "ipAddress": "192.0.2.20",
        "timestamp": format_timestamp(at),
        "userAgent": "Example",
        "link": "https://example.com/",
        "linkTags": link_tags,
    }
    return a_message("Click", vocabulary, click=clicked)


# --- Envelopes ------------------------------------------------------------------------------------------------------


def a_bus_event(detail: object, detail_type: object = "Email Bounced", **fields: object) -> Json:
    """Return an EventBridge event as Lambda receives it."""
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
    """Return an SNS notification of `message` as a queue receives it without raw delivery."""
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
    """Return the Lambda event of SNS."""
    return {"Records": [{"EventSource": "aws:sns", "Sns": an_sns_envelope(message)} for message in messages]}


def an_sqs_record(body: object, number: int = 1, **fields: object) -> Json:
    """Return one record of an SQS event. SQS received the message at 12:00:08."""
    return {
        "messageId": f"sqs-message-{number}",
        "body": body if isinstance(body, str) else text(body),
        "attributes": {"SentTimestamp": str(int((START + timedelta(seconds=8)).timestamp() * 1000))},
        "eventSource": "aws:sqs",
        **fields,
    }


def an_sqs_event(*bodies: object) -> Json:
    """Return the Lambda event of SQS."""
    return {"Records": [an_sqs_record(body, number) for number, body in enumerate(bodies, start=1)]}


def an_s3_notification(*keys: str, bucket: str = "deliveries") -> Json:
    """Return the notification of new objects that S3 sends to a queue. `keys` are URL-encoded."""
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


def a_preference(preference: str = "unsubscribe", stream: str | None = None, **fields: object) -> Json:
    """Return a preference message, as an application sends it to the complaint queue."""
    document: Json = {
        "preference": preference,
        "version": 1,
        "address": RECIPIENT,
        "stream": stream,
        "reason": "preference center",
        "time": format_timestamp(AT),
        "id": "request-1",
    }
    return document | fields


# --- Facts and contacts ---------------------------------------------------------------------------------------------


REGISTERS = {
    Verdict.SUPPRESS: Register.BOUNCED,
    Verdict.COMPLAIN: Register.COMPLAINED,
    Verdict.UNSUBSCRIBE: Register.UNSUBSCRIBED,
    Verdict.SUBSCRIBE: Register.OPTED_INTO,
    Verdict.SOFT_BOUNCE: Register.SOFT_BOUNCES,
    Verdict.DELIVERED: Register.DELIVERED,
}
"""Register that a verdict changes by default."""


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
    """Return a fact about the contact of `address`. By default, the email was sent at `at` too."""
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


def an_opt_out(stream: str, at: datetime = AT, *, address: str = RECIPIENT) -> Fact:
    """Return an opt-out from one stream."""
    return a_fact(Verdict.UNSUBSCRIBE, at, address=address, register=Register.UNSUBSCRIBED_FROM, stream=stream)


def an_opt_in(stream: str = "", at: datetime = AT, *, address: str = RECIPIENT) -> Fact:
    """Return an opt-in to one stream, or to all email."""
    return a_fact(Verdict.SUBSCRIBE, at, address=address, stream=stream)


def soft_bounce_days(*days: float, address: str = RECIPIENT) -> list[Fact]:
    """Return a soft bounce on each of `days` after `START`."""
    return [a_fact(Verdict.SOFT_BOUNCE, on_day(day), address=address, reason="Transient/General") for day in days]


def a_contact(
    *facts: Fact, address: str = RECIPIENT, opted_in: datetime | None = None, cleared: datetime | None = None
) -> Contact:
    """Return the contact with `facts`, reinstated at `opted_in` or `cleared`."""
    contact = learn_facts(Contact(parse_address(address).key), facts)
    return reinstated(reinstated(contact, opted_in), cleared, "cleared")


def reinstated(contact: Contact, at: datetime | None, kind: str = "opted_in") -> Contact:
    """Return `contact` with a reinstatement of `kind` at `at`. If `at` is None, return it unchanged."""
    if at is None:
        return contact
    evidence = Evidence(at, "operator")
    if kind == "opted_in":
        return merge(contact, Contact(contact.address, opted_in=evidence))
    return merge(contact, Contact(contact.address, cleared=evidence))


def a_contact_item(
    address: str, *, may_send: bool = True, transactional: bool = True, no_streams: Sequence[str] = ()
) -> Json:
    """Return the part of a contact's item that an application reads."""
    item: Json = {
        "address": {"S": address},
        "record": {"S": "contact"},
        "may_send": {"BOOL": may_send},
        "may_send_transactional": {"BOOL": transactional},
    }
    return item | ({"no_streams": {"L": [{"S": name} for name in no_streams]}} if no_streams else {})

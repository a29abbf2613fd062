"""Builders of what SES sends and of what becomes of it, each with defaults that make sense, and strategies for both.

`a_bounce(sub_type="NoEmail")` is a whole document as SES publishes it; whatever a test does not name does not matter to
it. The strategies draw from the same builders, so that what Hypothesis tries looks like what SES sends.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Any, TypeVar

from hypothesis import strategies as st

from ses_feedback.address import Address, parse_address
from ses_feedback.contacts.contact import KEPT_STREAMS, Contact, Evidence, learn_facts, merge
from ses_feedback.contacts.status import Limits
from ses_feedback.judging.facts import EventDetails, Fact, ListReason, Register, Verdict
from ses_feedback.message_order import day_of_time, number_message
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


def an_auto_replier(address: str = RECIPIENT) -> Json:
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


# Strategies are made once: Hypothesis spends more on making one than on drawing from it.

# --- Strategies: JSON -----------------------------------------------------------------------------------------------

ODD_TEXTS = (
    "",
    " ",
    "\x00",
    "\ud800",
    "a\udfff@example.com",
    "\u212a@example.com",
    "\u0130",
    "\ufeff",
    "NaN",
    "é" * 400,
)
"""What breaks those who think text is text."""
ODD_NUMBERS = (0, 1, -1, 2**63, -(10**400), 1e308, float("nan"), float("inf"), float("-inf"))


@cache
def texts() -> st.SearchStrategy[str]:
    """Return any text, lone surrogates and NULs among it."""
    return st.sampled_from(ODD_TEXTS) | st.text(st.characters(), max_size=12)


@cache
def json_values() -> st.SearchStrategy[Any]:
    """Return any value that `json.loads` can return, NaN, Infinity and huge integers among it."""
    scalars = st.none() | st.booleans() | st.sampled_from(ODD_NUMBERS) | st.integers() | st.floats() | texts()
    return st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | json_objects(inner), max_leaves=6)


@cache
def json_objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """Return any JSON object of `values`, often with names that mean something."""
    return st.dictionaries(st.sampled_from(MEANINGFUL_NAMES) | texts(), values, max_size=4)


MEANINGFUL_NAMES = (
    *("Records", "eventSource", "EventSource", "messageId", "body", "attributes", "SentTimestamp", "Sns"),
    *(
        "Type",
        "Token",
        "TopicArn",
        "Message",
        "MessageId",
        "Timestamp",
        "source",
        "detail",
        "detail-type",
        "time",
        "id",
    ),
    *("eventType", "notificationType", "mail", "tags", "destination", "messageId", "timestamp", "bounce", "complaint"),
    *("delivery", "subscription", "newTopicPreferences", "unsubscribeAll", "bounceType", "bounceSubType"),
    *(
        "bouncedRecipients",
        "complainedRecipients",
        "recipients",
        "emailAddress",
        "ses:configuration-set",
        "ses:tenant-name",
    ),
)
MEANINGFUL_TEXTS = (
    *("aws:sqs", "aws:sns", "aws:ses", "aws.ses", "Notification", "SubscriptionConfirmation", "Email Bounced"),
    *("Bounce", "Complaint", "Delivery", "Send", "Open", "Rendering Failure", "Received", "Permanent", "Transient"),
    *(RECIPIENT, "2026-03-01T12:00:00.000Z", "true"),
)


DEPTH_OF_DOCUMENTS = 8
"""Deeper than anything SES publishes."""


def nested(depth: int) -> Any:  # noqa: ANN401 (JSON)
    """Return `depth` lists, each the only element of the one around it."""
    value: Any = "inmost"
    for _ in range(depth):
        value = [value]
    return value


# --- Strategies: what SES sends -------------------------------------------------------------------------------------

BOUNCE_TYPES = ("Permanent", "Transient", "Undetermined", "PERMANENT", "transient", "Temporal", "", None)
BOUNCE_SUB_TYPES = (
    *("General", "NoEmail", "Suppressed", "OnAccountSuppressionList", "OnTenantSuppressionList"),
    *("UnsubscribedRecipient", "EmailValidationSuppressed", "MailboxFull", "mailboxfull", "MessageTooLarge"),
    *("ContentRejected", "AttachmentRejected", "CustomTimeoutExceeded", "Undetermined", "FullMoon", "", None),
)
COMPLAINT_SUB_TYPES = (None, "", "OnAccountSuppressionList", "OnTenantSuppressionList", "Shouted")
FEEDBACK_TYPES = (None, "", "abuse", "auth-failure", "fraud", "not-spam", "NOT-SPAM", "other", "virus", "boredom")

USABLE_SPELLINGS = (
    RECIPIENT,
    RECIPIENT.upper(),
    f"Recipient, The <{RECIPIENT}>",
    f'"<a@b>, \\"c\\"" <{RECIPIENT}>',
    f" <{OTHER_RECIPIENT}> ",
    '"quoted @ <local>"@example.com',
    "plus+tag/slash@example.com",
    "idn@b\u00fccher.example",
    "IDN@XN--BCHER-KVA.example",
    "literal@[192.0.2.1]",
    "dot@example.com.",
)
UNUSABLE_SPELLINGS = (
    *(
        "",
        " ",
        "nobody",
        "@example.com",
        "nobody@",
        "<>",
        "a@example.com, b@example.com",
        "a@example.com b@example.com",
    ),
    *("<@relay.example:a@example.com>", "<a@example.com> <b@example.com>", "a@exa mple.com", "\ud800@example.com"),
    *("a@\u212a.example", "a\u200b@example.com", "a@" + "x" * 400, "x" * 2_001),
)


@cache
def variants() -> st.SearchStrategy[str]:
    """Return what SES may name a recipient, usable or not."""
    return st.sampled_from(USABLE_SPELLINGS) | st.sampled_from(UNUSABLE_SPELLINGS) | texts()


@cache
def _recipients() -> st.SearchStrategy[list[str]]:
    return st.lists(variants(), max_size=3)


@cache
def moments() -> st.SearchStrategy[datetime]:
    """Return times within 200 days, crowded enough that several share a day, or are equal."""
    return st.builds(
        lambda day, hour: START.replace(hour=0) + timedelta(days=day, hours=hour),
        st.integers(0, 200),
        st.sampled_from((0, 1, 12, 23.999)),
    )


@cache
def _mails(vocabulary: str) -> st.SearchStrategy[Json]:
    return st.builds(
        lambda destination, configuration_set: a_mail(
            vocabulary, destination=destination, configuration_set=configuration_set
        ),
        _recipients(),
        st.sampled_from((CONFIGURATION_SET, "marketing", "not a name", "x" * 65)),
    )


@cache
@st.composite
def documents(draw: st.DrawFn) -> Json:
    """Return documents as SES publishes them: every kind, both vocabularies, recipients of every variant."""
    vocabulary = draw(st.sampled_from(VOCABULARIES))
    recipients = draw(_recipients())
    common: Json = {"vocabulary": vocabulary, "at": draw(moments())}
    match draw(st.sampled_from(("bounce", "bounce", "complaint", "complaint", "delivery", "subscription", "rest"))):
        case "bounce":
            recipient = draw(st.sampled_from((a_bounced_recipient, an_auto_replier)))
            types = draw(st.sampled_from(BOUNCE_TYPES)), draw(st.sampled_from(BOUNCE_SUB_TYPES))
            mail = draw(_mails(vocabulary))
            return a_bounce(*types, recipients=[recipient(one) for one in recipients], mail=mail, **common)
        case "complaint":
            types = draw(st.sampled_from(FEEDBACK_TYPES)), draw(st.sampled_from(COMPLAINT_SUB_TYPES))
            return a_complaint(*types, recipients=recipients, mail=draw(_mails(vocabulary)), **common)
        case "delivery":
            return a_delivery(recipients=recipients, mail=draw(_mails(vocabulary)), **common)
        case "subscription":
            everything = draw(st.sampled_from((True, False, "true", None)))
            return a_subscription(unsubscribe_all=everything, destination=recipients, **common)
        case _:
            build = draw(st.sampled_from(_THE_REST))
            return build(vocabulary)


_THE_REST: tuple[Callable[[str], Json], ...] = (
    lambda vocabulary: a_send(vocabulary=vocabulary),
    a_reject,
    a_rendering_failure,
    a_delivery_delay,
    an_open,
    a_click,
)


@cache
@st.composite
def mutated_documents(draw: st.DrawFn) -> Json:
    """Return documents in which one to four fields are missing, replaced by any JSON, or wrapped in more of it."""
    document: Json = json.loads(json.dumps(draw(documents())))
    for _ in range(draw(st.integers(1, 4))):
        # Seldom the kind: without it all is said.
        spared = () if draw(st.integers(0, 9)) == 0 else VOCABULARIES
        slots = [(holder, name) for holder, name in _slots(document) if name not in spared]
        if slots:
            holder, name = draw(st.sampled_from(slots))
            _mutate(draw, holder, name)
    return document


def _slots(value: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 (JSON)
    """Yield every object with each of its names, and every list with each of its indices."""
    if depth > DEPTH_OF_DOCUMENTS or not isinstance(value, dict | list):
        return
    for name in value if isinstance(value, dict) else range(len(value)):
        yield value, name
        yield from _slots(value[name], depth + 1)


def _mutate(draw: st.DrawFn, holder: Any, name: Any) -> None:  # noqa: ANN401 (JSON)
    match draw(st.sampled_from(("delete", "null", "replace", "meaningful", "wrap", "nest", "add"))):
        case "delete":
            del holder[name]
        case "null":
            holder[name] = None
        case "replace":
            holder[name] = draw(json_values())
        case "meaningful":
            holder[name] = draw(st.sampled_from(MEANINGFUL_TEXTS))
        case "wrap":
            inner = holder[name]
            holder[name] = draw(st.sampled_from(([inner], {"value": inner}, [inner, inner])))
        case "nest":
            holder[name] = nested(draw(st.sampled_from((2, 20_000))))
        case _ if isinstance(holder, dict):
            holder[draw(st.sampled_from(MEANINGFUL_NAMES) | texts())] = draw(json_values())
        case _:
            holder.append(draw(json_values()))


# --- Strategies: what becomes of it ---------------------------------------------------------------------------------

LATE = on_day(3_000)
"""Later than every soft_bounce of a strategy: a delivery then lifts any suspension."""
SOFT = (Verdict.SOFT_BOUNCE, Verdict.DELIVERED)
"""Verdicts that stronger ones would hide: of a contact that bounced for good, no soft_bounce counts."""
_OF_RECIPIENT = (RECIPIENT, "Recipient@example.com", "RECIPIENT@example.com")


@cache
def limits() -> st.SearchStrategy[Limits]:
    """Return the choices a stack may make."""
    return st.builds(
        Limits,
        st.integers(1, 30),
        st.sampled_from((1, 2, 30, 90, 400)),
        st.booleans(),
        st.booleans(),
        st.sampled_from((0, 1, 30)),
        st.booleans(),
    )


@cache
@st.composite
def facts(draw: st.DrawFn, verdicts: Sequence[Verdict] = tuple(Verdict)) -> Fact:
    """Return facts about one contact, in any of a few variants, of few emails."""
    verdict = draw(st.sampled_from(verdicts))
    at = draw(moments() | st.just(LATE))
    register = draw(st.sampled_from(_REGISTERS_OF.get(verdict, (None,))))
    streams = _STREAMS_OF.get(register or Register.NONE, ("",))
    return a_fact(
        verdict,
        at,
        address=draw(st.sampled_from(_OF_RECIPIENT)),
        reason=draw(st.sampled_from(("Permanent/General", "Complaint/abuse"))),
        configuration_set=draw(st.sampled_from(("", CONFIGURATION_SET))),
        register=register,
        mailed_at=at - timedelta(days=draw(st.sampled_from((0, 0, 0, 1, 5, 9)))) if at > on_day(9) else at,
        message_id=draw(st.sampled_from(("one", "two", "three"))),
        stream=draw(st.sampled_from(streams)),
    )


_STREAMS = ("newsletter", "receipts")
_STREAMS_OF = {Register.UNSUBSCRIBED_FROM: _STREAMS, Register.OPTED_INTO: ("", *_STREAMS)}
_REGISTERS_OF: dict[Verdict, tuple[Register, ...]] = {
    Verdict.SUPPRESS: (Register.BOUNCED, Register.GLOBALLY_SUPPRESSED),
    Verdict.UNSUBSCRIBE: (Register.UNSUBSCRIBED, Register.UNSUBSCRIBED_FROM),
    Verdict.SUBSCRIBE: (Register.OPTED_INTO,),
    Verdict.SOFT_BOUNCE: (Register.SOFT_BOUNCES, Register.SOFT_BOUNCES, Register.NAMELESS),
    Verdict.ECHO: (Register.LISTED_BOUNCE, Register.LISTED_COMPLAINT),
}


@cache
@st.composite
def accepted_then_bounced(draw: st.DrawFn) -> list[Fact]:
    """Return deliveries on many days and soft bounces of the same emails, up to six days late."""
    first, number, late = draw(st.integers(10, 100)), draw(st.integers(1, 45)), draw(st.integers(0, 6))
    history = []
    for day in range(first, first + number):
        email: dict[str, Any] = {"mailed_at": on_day(day), "message_id": "accepted"}
        history.append(a_fact(Verdict.DELIVERED, on_day(day), **email))
        if draw(st.integers(0, 5)):
            history.append(a_fact(Verdict.SOFT_BOUNCE, on_day(day + late), **email))
    return history


@cache
@st.composite
def opt_out_storms(draw: st.DrawFn) -> list[Fact]:
    """Return opt-outs from more streams than a contact keeps."""
    number = draw(st.integers(KEPT_STREAMS - 2, KEPT_STREAMS + 3))
    register = Register.UNSUBSCRIBED_FROM
    return [
        a_fact(Verdict.UNSUBSCRIBE, on_day(1), register=register, stream=f"stream-{one:02d}") for one in range(number)
    ]


@cache
@st.composite
def runs_of_soft_bounces(draw: st.DrawFn) -> list[Fact]:
    """Return soft_bounce_days at regular intervals, often more of them than a contact keeps."""
    first, interval, number = draw(st.integers(0, 100)), draw(st.sampled_from((1, 2, 9, 40))), draw(st.integers(1, 45))
    return soft_bounce_days(*range(first, first + interval * number, interval))


@cache
@st.composite
def forgotten_suspensions(draw: st.DrawFn) -> list[Fact]:
    """Return soft_bounce_days that suspend, and then so many more, far apart, that the first are no longer kept."""
    first, number = draw(st.integers(0, 100)), draw(st.integers(28, 40))
    return soft_bounce_days(*range(first, first + 5), *range(first + 50, first + 50 + 50 * number, 50))


@cache
@st.composite
def variant_storms(draw: st.DrawFn, verdicts: Sequence[Verdict]) -> list[Fact]:
    """Return facts in more variants than a contact keeps."""
    verdict = draw(st.sampled_from(verdicts))
    letters = len("recipient")
    masks = draw(st.lists(st.integers(0, 2**letters - 1), min_size=10, max_size=30, unique=True))
    locals_ = ("".join(c.upper() if mask >> i & 1 else c for i, c in enumerate("recipient")) for mask in masks)
    return [a_fact(verdict, on_day(1), address=f"{local}@example.com") for local in locals_]


def orders(items: Sequence[T]) -> st.SearchStrategy[list[T]]:
    """Return `items` in any order; `st.permutations` would spend a choice, of which there are few, on each of them."""
    return st.integers(0, 2**32).map(lambda seed: Random(seed).sample(items, len(items)))  # noqa: S311 (no secret)


@cache
def _parts(verdicts: Sequence[Verdict]) -> st.SearchStrategy[list[list[Fact]]]:
    single = facts(verdicts).map(lambda one: [one])
    return st.lists(
        st.one_of(
            single,
            single,
            single,
            runs_of_soft_bounces(),
            forgotten_suspensions(),
            variant_storms(verdicts),
            accepted_then_bounced() if Verdict.DELIVERED in verdicts else single,
            opt_out_storms() if Verdict.UNSUBSCRIBE in verdicts else single,
        ),
        max_size=8,
    )


@cache
@st.composite
def histories(draw: st.DrawFn, *, verdicts: Sequence[Verdict] = tuple(Verdict), shuffled: bool = True) -> list[Fact]:
    """Return what SES may say of one contact, in any order."""
    history = [fact for part in draw(_parts(verdicts)) for fact in part]
    return draw(orders(history)) if shuffled else history


@cache
@st.composite
def contacts(draw: st.DrawFn) -> Contact:
    """Return contacts of one address, some of them reinstated, as facts could have made them."""
    opted_in, cleared = draw(st.none() | moments()), draw(st.none() | moments())
    contact = a_contact(*draw(histories(shuffled=False)), opted_in=opted_in, cleared=cleared)
    releases = tuple(sorted(draw(st.sets(st.integers(day_of_time(START), day_of_time(START) + 150), max_size=4))))
    return merge(contact, Contact(contact.address, releases=releases))

"""Parsing of SES events in both vocabularies, and rejection of malformed ones."""

import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from ses_feedback.judging.judge import judge
from ses_feedback.reading.names import normalize_name
from ses_feedback.reading.ses_events import (
    KINDS,
    Bounce,
    Click,
    Complaint,
    Delivery,
    DeliveryDelay,
    Feedback,
    FeedbackError,
    Open,
    Reject,
    RenderingFailure,
    Send,
    Subscription,
    parse_feedback,
)
from ses_feedback.reading.ses_objects import Mail
from tests.support.builders import (
    AT,
    BYSTANDER,
    CONFIGURATION_SET,
    EVENT,
    FEEDBACK_ID,
    MESSAGE_ID,
    NOTIFICATION,
    RECIPIENT,
    START,
    VOCABULARIES,
    Json,
    a_bounce,
    a_bounced_recipient,
    a_click,
    a_complaint,
    a_delivery,
    a_delivery_delay,
    a_mail,
    a_message,
    a_reject,
    a_rendering_failure,
    a_send,
    a_subscription,
    an_auto_reply_recipient,
    an_open,
)
from tests.support.strategies import nested


def bounce(document: Json) -> Bounce:
    """Return the bounce in `document`."""
    feedback = parse_feedback(document)
    assert isinstance(feedback, Bounce)
    return feedback


def complaint(document: Json) -> Complaint:
    """Return the complaint in `document`."""
    feedback = parse_feedback(document)
    assert isinstance(feedback, Complaint)
    return feedback


def mail(**fields: object) -> Mail:
    """Return the `mail` object of a bounce, with `fields` replaced."""
    return mail_of(a_mail() | fields)


def mail_of(fields: Json) -> Mail:
    """Return the `mail` object of a bounce whose JSON is `fields`."""
    feedback = parse_feedback(a_bounce(mail=fields))
    assert feedback.mail
    return feedback.mail


def time_of(feedback: Feedback) -> datetime | None:
    """Return the time of an event, or of its email if the event has none."""
    return feedback.event_time or (feedback.mail.timestamp if feedback.mail else None)


def parse_error(document: Mapping[str, Any]) -> FeedbackError:
    """Return the error that parsing `document` raises."""
    with pytest.raises(FeedbackError) as error:
        parse_feedback(document)
    return error.value


# --- Event types ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
@pytest.mark.parametrize(
    ("build", "model", "time"),
    [
        (a_bounce, Bounce, AT),
        (a_complaint, Complaint, AT),
        (a_delivery, Delivery, AT),
        (a_subscription, Subscription, AT),
        (a_send, Send, START),
        (a_reject, Reject, START),
        (a_rendering_failure, RenderingFailure, START),
        (a_delivery_delay, DeliveryDelay, AT),
        (an_open, Open, AT),
        (a_click, Click, AT),
    ],
)
def test_every_event_type_is_parsed_in_both_vocabularies(
    build: Callable[..., Json], model: type[Feedback], time: datetime, vocabulary: str
) -> None:
    """An event without a time of its own has the time of its email."""
    feedback = parse_feedback(build(vocabulary=vocabulary))
    assert (model, time, MESSAGE_ID) == (type(feedback), time_of(feedback), feedback.message_id)


@pytest.mark.parametrize("name", ["Rendering Failure", "RenderingFailure", "renderingFailure", "RENDERING_FAILURE"])
def test_every_way_to_write_an_event_type_is_recognized(name: str) -> None:
    assert RenderingFailure is type(parse_feedback(a_rendering_failure(kind=name)))


def test_a_name_is_normalized_to_lower_case_ascii_letters_and_digits() -> None:
    """The KELVIN SIGN is not the letter k."""
    assert normalize_name("On-Account_SUPPRESSION list\u212a\u00e91") == "onaccountsuppressionlist1"


def test_names_of_more_than_64_characters_are_normalized_to_one() -> None:
    """The cache remains small, whatever names senders use."""
    assert [normalize_name("a" * length) for length in (64, 65, 9_999)] == ["a" * 64, "toolong", "toolong"]


def test_the_same_event_type_in_both_vocabularies_is_accepted() -> None:
    assert Bounce is type(parse_feedback(a_bounce() | {NOTIFICATION: "bounce"}))


def test_two_different_event_types_raise_an_error() -> None:
    error = parse_error(a_bounce() | {NOTIFICATION: "Complaint"})
    assert (error.reason, error.where, str(error)) == ("two-kinds", (), "two-kinds")


@pytest.mark.parametrize(
    "name", ["Recalled", "", " ", "Bounce" * 20, None, 5, ["Bounce"], {"a": "Bounce"}, "\ud800", "toolong"]
)
def test_an_unknown_event_type_raises_an_error(name: object) -> None:
    """SES may introduce it later, so the event is quarantined."""
    assert parse_error(a_bounce() | {EVENT: name}).reason == "unknown-kind"


@pytest.mark.parametrize("name", [None, 5, ["Complaint"]])
def test_an_event_type_that_is_no_text_is_ignored(name: object) -> None:
    """The other vocabulary's value decides."""
    assert Bounce is type(parse_feedback(a_bounce() | {NOTIFICATION: name}))


def test_an_empty_document_raises_an_error() -> None:
    assert parse_error({}).reason == "unknown-kind"


# --- Decisive fields ------------------------------------------------------------------------------------------------


def test_a_bounce_has_the_fields_of_its_dsn() -> None:
    parsed = bounce(a_bounce("Transient", "MailboxFull")).bounce
    (recipient,) = parsed.bounced_recipients or ()
    assert (*(parsed.bounce_type, parsed.bounce_sub_type, parsed.feedback_id, parsed.timestamp),) == (
        "Transient",
        "MailboxFull",
        FEEDBACK_ID,
        AT,
    )
    assert (*(recipient.email_address, recipient.action, recipient.status, recipient.diagnostic_code),) == (
        RECIPIENT,
        "failed",
        "5.1.1",
        "smtp; 550 5.1.1 user unknown",
    )


def test_a_long_diagnostic_code_of_several_lines_is_unchanged() -> None:
    code = "smtp; 550 5.1.1\n user\r\n\tunknown " * 1_000
    (recipient,) = (
        bounce(a_bounce(recipients=[a_bounced_recipient(diagnosticCode=code)])).bounce.bounced_recipients or ()
    )
    assert code == recipient.diagnostic_code


def test_a_recipient_without_a_dsn_has_only_an_address() -> None:
    (recipient,) = bounce(a_bounce(recipients=[an_auto_reply_recipient()])).bounce.bounced_recipients or ()
    assert (*(recipient.email_address, recipient.action, recipient.status, recipient.diagnostic_code),) == (
        RECIPIENT,
        None,
        None,
        None,
    )


def test_a_complaint_has_the_fields_of_its_report() -> None:
    """In real events, complaintSubType is null."""
    parsed = complaint(a_complaint("fraud")).complaint
    assert (
        parsed.complaint_sub_type,
        parsed.complaint_feedback_type,
        [recipient.email_address for recipient in parsed.complained_recipients or ()],
    ) == (None, "fraud", [RECIPIENT])


@pytest.mark.parametrize(
    "document",
    [
        a_bounce() | {"bounce": {}},
        a_complaint() | {"complaint": {}},
        a_delivery() | {"delivery": {}},
        a_subscription() | {"subscription": {}},
        {EVENT: "Send"},
        {EVENT: "Reject"},
        {EVENT: "Rendering Failure"},
        {EVENT: "DeliveryDelay"},
        {EVENT: "Open"},
        {EVENT: "Click"},
    ],
    ids=lambda document: document[EVENT],
)
def test_events_without_fields_are_parsed(document: Json) -> None:
    """AWS may drop fields without notice."""
    assert (
        ""
        == parse_feedback({**document, "mail": None}).message_id
        == parse_feedback({**document, "mail": {}}).message_id
    )


EMPTY_OBJECTS: Json = {
    "bounce": {"bouncedRecipients": [{}]},
    "complaint": {"complainedRecipients": [{}]},
    "delivery": {},
    "subscription": {
        "newTopicPreferences": {"topicSubscriptionStatus": [{}], "topicDefaultSubscriptionStatus": [{}]},
        "oldTopicPreferences": {},
    },
    "deliveryDelay": {"delayedRecipients": [{}]},
    **{name: {} for name in ("mail", "reject", "failure", "open", "click")},
}
"""The objects of all event types, without any value."""


def values(value: object) -> Iterator[object]:
    """Yield all values in a dumped model."""
    if isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from values(part)
    else:
        yield value


@pytest.mark.parametrize(
    "objects",
    [
        EMPTY_OBJECTS,
        {name: {} for name in EMPTY_OBJECTS if name != "mail"},
        {name: {} for name in ("mail", "bounce", "complaint", "delivery", "subscription")},
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_every_missing_field_is_none(kind: str, objects: Json) -> None:
    """An empty string would be a value that SES may send."""
    assert {*values(parse_feedback({EVENT: kind, **objects}).model_dump())} == {None}


TIME = "2026-03-01T12:00:05Z"
TOPICS = [{"topicName": "news", "subscriptionStatus": "OptOut"}]
PREFERENCES: Json = {"unsubscribeAll": True, "topicSubscriptionStatus": TOPICS}
DSN: Json = {"emailAddress": RECIPIENT, "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 user unknown"}
HOST: Json = {"reportingMTA": "dns; a8-70.smtp-out.amazonses.com", "remoteMtaIp": "127.0.2.0"}
OPENED: Json = {"ipAddress": "192.0.2.20", "timestamp": TIME, "userAgent": "Example/1.0", "isBotEvent": "Unlikely"}
DOCUMENTED: dict[str, tuple[str, Json]] = {
    "Bounce": (
        "bounce",
        {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [{**DSN, "action": "failed"}],
            "timestamp": TIME,
            "feedbackId": FEEDBACK_ID,
            **HOST,
        },
    ),
    "Complaint": (
        "complaint",
        {
            "complainedRecipients": [{"emailAddress": RECIPIENT}],
            "timestamp": TIME,
            "feedbackId": FEEDBACK_ID,
            "complaintSubType": "OnAccountSuppressionList",
            "userAgent": "ExampleLoop/1.0",
            "complaintFeedbackType": "abuse",
            "arrivalDate": TIME,
            **HOST,
        },
    ),
    "Delivery": (
        "delivery",
        {
            "timestamp": TIME,
            "processingTimeMillis": 546,
            "recipients": [RECIPIENT],
            "smtpResponse": "250 2.0.0 OK",
            **HOST,
        },
    ),
    "Reject": ("reject", {"reason": "Bad content"}),
    "Open": ("open", OPENED),
    "Click": ("click", {**OPENED, "link": "https://example.com/", "linkTags": {"campaign": ["spring"]}}),
    "Rendering Failure": ("failure", {"templateName": "receipt", "errorMessage": "Attribute 'name' is not present"}),
    "DeliveryDelay": (
        "deliveryDelay",
        {
            "delayType": "MailboxFull",
            "delayedRecipients": [DSN],
            "expirationTime": TIME,
            "timestamp": TIME,
            "reportingMTA": HOST["reportingMTA"],
        },
    ),
    "Subscription": (
        "subscription",
        {
            "contactList": "customers",
            "timestamp": TIME,
            "source": "UnsubscribeHeader",
            "newTopicPreferences": PREFERENCES,
            "oldTopicPreferences": PREFERENCES,
        },
    ),
}
"""Event type → name of its object, and all fields that AWS documents.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""


READ: dict[str, tuple[str, ...]] = {
    "Bounce": ("bounceType", "bounceSubType", "bouncedRecipients", "timestamp", "feedbackId"),
    "Complaint": ("complainedRecipients", "timestamp", "feedbackId", "complaintSubType", "complaintFeedbackType"),
    "Delivery": ("timestamp", "recipients"),
    "Open": ("timestamp",),
    "Click": ("timestamp",),
    "Rendering Failure": ("templateName", "errorMessage"),
    "DeliveryDelay": ("delayedRecipients", "timestamp"),
    "Subscription": ("timestamp", "newTopicPreferences", "oldTopicPreferences"),
}
"""Event type → the documented fields that are read."""


@pytest.mark.parametrize("kind", READ)
def test_every_field_that_is_read_has_the_name_that_ses_uses(kind: str) -> None:
    name, fields = DOCUMENTED[kind]
    parsed = parse_feedback({EVENT: kind, name: fields}).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert {name: {field: fields[field] for field in READ[kind]}} == parsed


def test_a_reject_has_no_field_that_is_read() -> None:
    name, fields = DOCUMENTED["Reject"]
    assert parse_feedback({EVENT: "Reject", name: fields}).model_dump(exclude_none=True) == {}


MAIL: Json = {
    "timestamp": TIME,
    "messageId": MESSAGE_ID,
    "source": "sender@example.com",
    "sourceArn": "arn:aws:ses:us-east-1:123456789012:identity/example.com",
    "sourceIp": "192.0.2.10",
    "callerIdentity": "mailer",
    "sendingAccountId": "123456789012",
    "destination": [RECIPIENT, BYSTANDER],
    "headersTruncated": False,
    "headers": [{"name": "X-Campaign", "value": "spring"}],
    "commonHeaders": {
        "from": ["sender@example.com"],
        "to": [RECIPIENT],
        "cc": [BYSTANDER],
        "bcc": [BYSTANDER],
        "replyTo": ["replies@example.com"],
        "sender": ["sender@example.com"],
        "returnPath": "sender@example.com",
        "date": "Sun, 01 Mar 2026 12:00:05 +0000",
        "subject": "Your receipt",
        "messageId": "<receipt@example.com>",
    },
    "tags": {"campaign": ["spring"]},
}


def test_the_mail_object_has_the_time_the_id_the_recipients_and_the_tags() -> None:
    read = ("timestamp", "messageId", "destination", "tags")
    assert mail(**MAIL).model_dump(mode="json", by_alias=True) == {field: MAIL[field] for field in read}


def test_a_mail_object_with_a_single_field_is_parsed() -> None:
    assert mail_of({"messageId": MESSAGE_ID}).model_dump(exclude_none=True) == {"message_id": MESSAGE_ID}


def test_assigning_a_field_of_an_event_raises() -> None:
    feedback = bounce(a_bounce())
    with pytest.raises(ValidationError):
        feedback.bounce.bounce_type = "Transient"  # type: ignore[misc]


@pytest.mark.parametrize("name", ["bounce", "complaint", "delivery", "subscription"])
@pytest.mark.parametrize("value", [None, "text", 5, [], [{}]])
def test_an_event_whose_own_object_is_no_object_is_malformed(name: str, value: object) -> None:
    """A bounce without its `bounce` object has no bounced recipients."""
    error = parse_error({EVENT: name.title(), "mail": a_mail(), name: value})
    assert ("malformed", (f"{name}: model_type",)) == (error.reason, error.where)


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({EVENT: "Bounce"}, "bounce: missing"),
        (a_bounce(bounceType=5), "bounce.bounceType: string_type"),
        (a_bounce(bounceSubType=["General"]), "bounce.bounceSubType: string_type"),
        (a_bounce(bouncedRecipients="all"), "bounce.bouncedRecipients: tuple_type"),
        (a_bounce(bouncedRecipients={"emailAddress": RECIPIENT}), "bounce.bouncedRecipients: tuple_type"),
        (a_complaint(sub_type=5), "complaint.complaintSubType: string_type"),
        (a_complaint(feedback_type=False), "complaint.complaintFeedbackType: string_type"),
        ({EVENT: "Delivery", "delivery": {"recipients": "all"}}, "delivery.recipients: tuple_type"),
        (a_subscription(newTopicPreferences=[]), "subscription.newTopicPreferences: model_type"),
        (a_subscription(unsubscribe_all="maybe"), "subscription.newTopicPreferences.unsubscribeAll: bool_parsing"),
    ],
)
def test_a_decisive_field_of_a_wrong_type_makes_the_event_malformed(document: Json, where: str) -> None:
    error = parse_error(document)
    assert ("malformed", (where,), f"malformed: {where}") == (error.reason, error.where, str(error))


@pytest.mark.parametrize(
    ("document", "named"),
    [
        (a_bounce(bouncedRecipients=[RECIPIENT, {"emailAddress": RECIPIENT}]), [None, RECIPIENT]),
        (a_bounce(recipients=[{"emailAddress": 5}, {"emailAddress": RECIPIENT}]), [None, RECIPIENT]),
        (a_bounce(bouncedRecipients=nested(100_000)), [None]),
        (a_complaint(complainedRecipients=[None, {"emailAddress": RECIPIENT}]), [None, RECIPIENT]),
        (a_delivery(recipients=[RECIPIENT, 5]), [RECIPIENT, None]),  # type: ignore[list-item]
    ],
)
def test_a_malformed_recipient_does_not_affect_the_others(document: Json, named: list[str | None]) -> None:
    feedback = parse_feedback(document)
    match feedback:
        case Bounce():
            found = [recipient.email_address for recipient in feedback.bounce.bounced_recipients or ()]
        case Complaint():
            found = [recipient.email_address for recipient in feedback.complaint.complained_recipients or ()]
        case _:
            assert isinstance(feedback, Delivery)
            found = list(feedback.delivery.recipients or ())
    assert named == found


def test_the_error_names_every_malformed_field() -> None:
    error = parse_error(a_bounce(5, ["General"]))
    where = ("bounce.bounceType: string_type", "bounce.bounceSubType: string_type")
    assert (where, f"malformed: {where[0]}, {where[1]}") == (error.where, str(error))


def test_the_error_names_at_most_five_fields() -> None:
    """The log line remains short."""
    wrong: Json = dict.fromkeys(("bounceType", "bounceSubType", "bouncedRecipients"), 5)
    assert 1 <= len(parse_error(a_bounce(**wrong)).where) <= 5


@pytest.mark.parametrize("recipient", [5, None, {"emailAddress": 5}])
def test_300000_malformed_recipients_use_less_than_one_megabyte(recipient: object) -> None:
    """A function that runs out of memory affects the other messages of its batch."""
    document = a_bounce(bouncedRecipients=[recipient] * 300_000)
    tracemalloc.start()
    parse_error(document)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize("build", [a_bounce, a_complaint, a_delivery])
def test_1000_recipients_are_accepted_and_more_are_malformed(build: Callable[..., Json]) -> None:
    """An email has at most 50: https://docs.aws.amazon.com/ses/latest/dg/quotas.html."""
    for number in (1_001, 100_000):
        assert parse_error(build(recipients=[RECIPIENT] * number)).reason == "malformed"
    for number in (50, 1_000):
        assert judge(parse_feedback(build(recipients=[RECIPIENT] * number))).facts


def test_the_error_and_its_context_do_not_contain_values_of_the_event() -> None:
    error = parse_error(a_bounce(bouncedRecipients="secret@example.com", secret="secret@example.com"))
    assert "secret" not in f"{error!r}{error.__cause__!r}{error.__context__!r}{error.__context__}"


# --- Other fields ---------------------------------------------------------------------------------------------------

WRONG_VALUES: tuple[Any, ...] = (
    None,
    5,
    -1.5,
    "\ud800",
    [],
    {},
    [None],
    {"a": 5},
    float("nan"),
    10**5_000,
    nested(100_000),
)
"""Values that have the wrong type for most fields."""


def with_wrong_values(fields: Json, *unchanged: str) -> list[Json]:
    """Return copies of `fields`; in each, all fields except `unchanged` have one wrong value."""
    return [{name: value if name in unchanged else wrong for name, value in fields.items()} for wrong in WRONG_VALUES]


def test_malformed_other_fields_do_not_affect_a_bounce() -> None:
    for other in with_wrong_values(a_bounce()["bounce"], "bounceType", "bounceSubType", "bouncedRecipients"):
        (recipient,) = bounce(a_bounce() | {"bounce": other}).bounce.bounced_recipients or ()
        assert recipient.email_address == RECIPIENT
    for other in with_wrong_values(a_bounced_recipient(), "emailAddress"):
        (recipient,) = bounce(a_bounce(recipients=[other])).bounce.bounced_recipients or ()
        assert recipient.email_address == RECIPIENT


def test_malformed_other_fields_do_not_affect_a_complaint() -> None:
    decisive = ("complaintSubType", "complaintFeedbackType", "complainedRecipients")
    for other in with_wrong_values(a_complaint()["complaint"], *decisive):
        (recipient,) = complaint(a_complaint() | {"complaint": other}).complaint.complained_recipients or ()
        assert recipient.email_address == RECIPIENT


def test_a_malformed_mail_object_does_not_affect_a_bounce() -> None:
    for other in [*with_wrong_values(a_mail()), *with_wrong_values(a_mail(), "tags"), *WRONG_VALUES]:
        assert bounce(a_bounce() | {"mail": other}).bounce.bounce_type == "Permanent"


@pytest.mark.parametrize(
    ("document", "name"),
    [
        *((a_reject(), "reject"), (a_rendering_failure(), "failure"), (a_delivery_delay(), "deliveryDelay")),
        *((an_open(), "open"), (a_click(), "click"), (a_send(), "send")),
    ],
)
def test_malformed_objects_of_events_that_are_only_counted_are_ignored(document: Json, name: str) -> None:
    """Such an event has the time of its email."""
    for other in [*WRONG_VALUES, *with_wrong_values(document[name])]:
        assert time_of(parse_feedback({**document, name: other})) == START


def test_malformed_old_preferences_are_ignored() -> None:
    for other in WRONG_VALUES:
        assert parse_feedback(a_subscription(oldTopicPreferences=other)).kind == "Subscription"


def test_unknown_fields_are_ignored() -> None:
    document = a_bounce(brandNew={"a": 1}) | {"brandNew": [nested(100_000)]}
    assert bounce(document) == bounce(a_bounce())


# --- Times and tags -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["2018-10-08T14:05:45.000Z", "2018-10-08T14:05:45Z", "2018-10-08T14:05:45 +0000", "2018-10-08T07:05:45.000-07:00"],
)
def test_every_form_of_a_timestamp_is_parsed(text: str) -> None:
    at = datetime(2018, 10, 8, 14, 5, 45, tzinfo=UTC)
    assert (at, at) == (time_of(bounce(a_bounce(timestamp=text))), mail(timestamp=text).timestamp)


@pytest.mark.parametrize("value", [None, "", "yesterday", 1_539_007_545, "9999-12-31T23:59:59Z", ["x"]])
def test_an_event_without_a_usable_time_has_the_time_of_its_email(value: object) -> None:
    assert [
        time_of(parse_feedback(document))
        for document in (a_bounce(timestamp=value), a_complaint(timestamp=value), a_delivery(timestamp=value))
    ] == [START] * 3


@pytest.mark.parametrize("mail", [None, {}, {"timestamp": None}])
def test_an_event_without_any_time_has_none(mail: object) -> None:
    """The current time is not used: the same event must always yield the same facts."""
    assert time_of(parse_feedback(a_bounce(timestamp=None) | {"mail": mail})) is None


def test_configuration_set_and_tenant_are_read_from_tags() -> None:
    tags = {"ses:configuration-set": [CONFIGURATION_SET, "second"], "ses:tenant-name": ["shop"]}
    feedback = parse_feedback(a_bounce(mail=a_mail(tags=tags)))
    assert (feedback.configuration_set, feedback.tenant) == (CONFIGURATION_SET, "shop")


def test_an_identity_notification_has_no_configuration_set_and_no_tenant() -> None:
    feedback = parse_feedback(a_bounce(vocabulary=NOTIFICATION))
    assert (feedback.configuration_set, feedback.tenant) == ("", "")


@pytest.mark.parametrize(
    ("value", "first"),
    [
        ("text", "text"),
        (["one", "two"], "one"),
        ([], ""),
        ([5], ""),
        (None, ""),
        (5, ""),
        ({"a": 1}, ""),
        ([["x"]], ""),
    ],
)
def test_a_tag_is_the_first_text_of_its_list(value: object, first: str) -> None:
    """Some forwarders replace the list by its only value."""
    assert first == mail(tags={"campaign": value}).tag("campaign")


def test_an_event_without_a_mail_object_has_no_message_id_configuration_set_or_tenant() -> None:
    feedback = parse_feedback(a_bounce() | {"mail": None})
    assert (feedback.message_id, feedback.configuration_set, feedback.tenant) == ("", "", "")


def test_kinds_are_indexed_by_their_normalized_names() -> None:
    kinds = [model.kind for model in KINDS.values()]
    names = "Bounce Complaint Delivery Send Reject RenderingFailure DeliveryDelay Open Click Subscription"
    assert (names.split(), list(map(normalize_name, kinds))) == (kinds, list(KINDS))


def test_objects_of_other_event_types_are_ignored() -> None:
    document = a_message("Delivery", **{name: a_bounce()[name] for name in ("bounce",)}, delivery={})
    assert Delivery is type(parse_feedback(document))


@pytest.mark.parametrize(
    ("flag", "meaning"), [(True, True), ("true", True), ("false", False), (0, False), (None, None)]
)
def test_a_boolean_may_be_given_as_text(flag: object, meaning: bool | None) -> None:  # noqa: FBT001 (JSON)
    feedback = parse_feedback(a_subscription(unsubscribe_all=flag))
    assert isinstance(feedback, Subscription)
    preferences = feedback.subscription.new_topic_preferences
    assert preferences
    assert meaning == preferences.unsubscribe_all

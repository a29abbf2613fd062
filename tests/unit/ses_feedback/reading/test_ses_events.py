"""What SES said, in both of its vocabularies, and what it can't have said."""

import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from ses_feedback.judging.judge import judge
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
    normalize_name,
    parse_feedback,
)
from ses_feedback.reading.ses_objects import Header, Mail
from tests.support.builders import (
    AT,
    BYSTANDER,
    CONFIGURATION_SET,
    EVENT,
    FEEDBACK_ID,
    MESSAGE_ID,
    NOTIFICATION,
    RECIPIENT,
    SENDER,
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
    """Return the mail of a bounce whose `mail` object has `fields`."""
    return mail_of(a_mail() | fields)


def mail_of(said: Json) -> Mail:
    """Return the mail of a bounce whose `mail` object is `said`."""
    feedback = parse_feedback(a_bounce(mail=said))
    assert feedback.mail
    return feedback.mail


def refused(document: Mapping[str, Any]) -> FeedbackError:
    """Return the error that `document` is refused with."""
    with pytest.raises(FeedbackError) as error:
        parse_feedback(document)
    return error.value


# --- Kinds ----------------------------------------------------------------------------------------------------------


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
def test_every_kind_is_read_in_both_vocabularies(
    build: Callable[..., Json], model: type[Feedback], time: datetime, vocabulary: str
) -> None:
    """With its own time, or that of the message where SES gives it none."""
    feedback = parse_feedback(build(vocabulary=vocabulary))
    assert (model, time, MESSAGE_ID) == (type(feedback), feedback.time, feedback.message_id)


@pytest.mark.parametrize("name", ["Rendering Failure", "RenderingFailure", "renderingFailure", "RENDERING_FAILURE"])
def test_every_spelling_of_a_kind_is_that_kind(name: str) -> None:
    """SES spells one kind in several ways."""
    assert RenderingFailure is type(parse_feedback(a_rendering_failure(kind=name)))


def test_a_name_folds_to_its_ascii_letters_and_digits() -> None:
    """KELVIN SIGN is none of them."""
    assert normalize_name("On-Account_SUPPRESSION list\u212a\u00e91") == "onaccountsuppressionlist1"


def test_names_longer_than_any_of_ses_fold_to_one() -> None:
    """The cache per name stays small, whatever names senders use."""
    assert [normalize_name("a" * length) for length in (64, 65, 9_999)] == ["a" * 64, "toolong", "toolong"]


def test_both_vocabularies_may_name_one_kind() -> None:
    """Forwarders merge them."""
    assert Bounce is type(parse_feedback(a_bounce() | {NOTIFICATION: "bounce"}))


def test_two_kinds_are_refused() -> None:
    """The document does not say which one applies."""
    error = refused(a_bounce() | {NOTIFICATION: "Complaint"})
    assert (error.reason, error.where, str(error)) == ("two-kinds", (), "two-kinds")


@pytest.mark.parametrize(
    "name", ["Recalled", "", " ", "Bounce" * 20, None, 5, ["Bounce"], {"a": "Bounce"}, "\ud800", "toolong"]
)
def test_an_unknown_kind_is_refused(name: object) -> None:
    """Whatever has no meaning here may have one later: it must be kept."""
    assert refused(a_bounce() | {EVENT: name}).reason == "unknown-kind"


@pytest.mark.parametrize("name", [None, 5, ["Complaint"]])
def test_a_kind_that_is_no_text_names_none(name: object) -> None:
    """The other vocabulary's name decides."""
    assert Bounce is type(parse_feedback(a_bounce() | {NOTIFICATION: name}))


def test_an_empty_document_is_refused() -> None:
    """It names no kind."""
    assert refused({}).reason == "unknown-kind"


# --- Fields that decide ---------------------------------------------------------------------------------------------


def test_a_bounce_says_what_its_dsn_said() -> None:
    """And when, and by which feedback id."""
    said = bounce(a_bounce("Transient", "MailboxFull")).bounce
    (recipient,) = said.bounced_recipients or ()
    assert (*(said.bounce_type, said.bounce_sub_type, said.feedback_id, said.timestamp),) == (
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


def test_a_diagnostic_code_is_read_as_it_is() -> None:
    """Over several lines, and as long as it likes."""
    code = "smtp; 550 5.1.1\n user\r\n\tunknown " * 1_000
    (recipient,) = (
        bounce(a_bounce(recipients=[a_bounced_recipient(diagnosticCode=code)])).bounce.bounced_recipients or ()
    )
    assert code == recipient.diagnostic_code


def test_an_auto_replier_has_an_address_only() -> None:
    """No DSN spoke of it."""
    (recipient,) = bounce(a_bounce(recipients=[an_auto_reply_recipient()])).bounce.bounced_recipients or ()
    assert (*(recipient.email_address, recipient.action, recipient.status, recipient.diagnostic_code),) == (
        RECIPIENT,
        None,
        None,
        None,
    )


def test_a_complaint_says_what_its_report_said() -> None:
    """ComplaintSubType is null in real events."""
    said = complaint(a_complaint("fraud")).complaint
    assert (
        said.complaint_sub_type,
        said.complaint_feedback_type,
        [one.email_address for one in said.complained_recipients or ()],
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
def test_every_field_is_optional(document: Json) -> None:
    """AWS drops fields without notice, and most of them decide nothing."""
    assert (
        ""
        == parse_feedback({**document, "mail": None}).message_id
        == parse_feedback({**document, "mail": {}}).message_id
    )


SILENT: Json = {
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
"""The objects of every kind, none of which says anything."""


def said(value: object) -> Iterator[object]:
    """Yield what a model, dumped, says, however deep."""
    if isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from said(part)
    else:
        yield value


@pytest.mark.parametrize(
    "objects",
    [
        SILENT,
        {name: {} for name in SILENT if name != "mail"},
        {name: {} for name in ("mail", "bounce", "complaint", "delivery", "subscription")},
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_what_ses_did_not_say_is_none(kind: str, objects: Json) -> None:
    """Not an empty text, which SES might have said."""
    assert {*said(parse_feedback({EVENT: kind, **objects}).model_dump())} == {None}


TIME = "2026-03-01T12:00:05Z"
TOPICS = [{"topicName": "news", "subscriptionStatus": "OptOut"}]
PREFERENCES: Json = {
    "unsubscribeAll": True,
    "topicSubscriptionStatus": TOPICS,
    "topicDefaultSubscriptionStatus": TOPICS,
}
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
            "contactList": "everybody",
            "timestamp": TIME,
            "source": "UnsubscribeHeader",
            "newTopicPreferences": PREFERENCES,
            "oldTopicPreferences": PREFERENCES,
        },
    ),
}
"""By kind, the name of its object and every field that SES documents ("Contents of event data", developer guide)."""


@pytest.mark.parametrize("kind", DOCUMENTED)
def test_every_documented_field_is_read(kind: str) -> None:
    """Under SES's own name, abbreviations included."""
    name, fields = DOCUMENTED[kind]
    read = parse_feedback({EVENT: kind, name: fields}).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert {name: fields} == read


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


def test_every_documented_field_of_the_message_is_read() -> None:
    """Every feedback has a mail object; its headers are parsed on first access."""
    read = mail(**MAIL)
    assert read.headers
    assert read.common_headers
    headers = [header.model_dump(mode="json", by_alias=True) for header in read.headers]
    common = read.common_headers.model_dump(mode="json", by_alias=True)
    whole = read.model_dump(mode="json", by_alias=True)
    assert {**whole, "headers": headers, "commonHeaders": common} == MAIL


def test_what_a_header_did_not_say_is_none() -> None:
    """Nor are there any where none were passed on."""
    read = mail_of({"headers": [{}], "commonHeaders": {}})
    assert read.headers
    assert read.common_headers
    assert {*said([read.headers[0].model_dump(), read.common_headers.model_dump()])} == {None}
    assert (mail_of({}).headers, mail_of({}).common_headers) == (None, None)


def test_every_field_of_the_message_is_optional() -> None:
    """What is there counts."""
    assert mail_of({"messageId": MESSAGE_ID}).model_dump(exclude_none=True) == {"message_id": MESSAGE_ID}
    assert mail_of({"source": "sender@example.com"}).source == "sender@example.com"


def test_what_ses_said_stays_as_it_is() -> None:
    """Facts, history and metrics are all made of the same feedback."""
    feedback = bounce(a_bounce())
    with pytest.raises(ValidationError):
        feedback.bounce.bounce_type = "Transient"  # type: ignore[misc]  # as mypy knows, too


@pytest.mark.parametrize("name", ["bounce", "complaint", "delivery", "subscription"])
@pytest.mark.parametrize("value", [None, "text", 5, [], [{}]])
def test_what_gives_a_kind_its_meaning_must_be_there(name: str, value: object) -> None:
    """A bounce without its bounce object has no bounced recipients."""
    error = refused({EVENT: name.title(), "mail": a_mail(), name: value})
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
def test_a_field_that_decides_must_be_of_its_type(document: Json, where: str) -> None:
    """Acting on half of the document could be worse than not acting; it is quarantined for an operator."""
    error = refused(document)
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
def test_a_malformed_recipient_is_one_of_whom_nothing_is_said(document: Json, named: list[str | None]) -> None:
    """The other recipients are unaffected."""
    feedback = parse_feedback(document)
    match feedback:
        case Bounce():
            found = [one.email_address for one in feedback.bounce.bounced_recipients or ()]
        case Complaint():
            found = [one.email_address for one in feedback.complaint.complained_recipients or ()]
        case _:
            assert isinstance(feedback, Delivery)
            found = list(feedback.delivery.recipients or ())
    assert named == found


def test_an_error_names_every_field_at_fault() -> None:
    """An operator who reads the quarantined message sees all errors at once."""
    error = refused(a_bounce(5, ["General"]))
    where = ("bounce.bounceType: string_type", "bounce.bounceSubType: string_type")
    assert (where, f"malformed: {where[0]}, {where[1]}") == (error.where, str(error))


def test_an_error_names_a_few_fields_only() -> None:
    """A message with many malformed fields makes no log line of them all."""
    wrong: Json = dict.fromkeys(("bounceType", "bounceSubType", "bouncedRecipients"), 5)
    assert 1 <= len(refused(a_bounce(**wrong)).where) <= 5


@pytest.mark.parametrize("recipient", [5, None, {"emailAddress": 5}])
def test_a_crowd_of_malformed_recipients_costs_little(recipient: object) -> None:
    """A function that runs out of memory takes the other messages of its batch with it."""
    document = a_bounce(bouncedRecipients=[recipient] * 300_000)
    tracemalloc.start()
    refused(document)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize("build", [a_bounce, a_complaint, a_delivery])
def test_a_crowd_of_recipients_is_refused(build: Callable[..., Json]) -> None:
    """SES sends a message to fifty at most; facts about a hundred thousand would never all be stored."""
    for number in (1_001, 100_000):
        assert refused(build(recipients=[RECIPIENT] * number)).reason == "malformed"
    for number in (50, 1_000):
        assert judge(parse_feedback(build(recipients=[RECIPIENT] * number))).facts


def test_an_error_does_not_quote_the_message() -> None:
    """Errors end in logs, and logs hold no address; nor does the error of pydantic's that is behind it."""
    error = refused(a_bounce(bouncedRecipients="secret@example.com", secret="secret@example.com"))
    assert "secret" not in f"{error!r}{error.__cause__!r}{error.__context__!r}{error.__context__}"


# --- Fields that do not decide --------------------------------------------------------------------------------------

WRONG: tuple[Any, ...] = (None, 5, -1.5, "\ud800", [], {}, [None], {"a": 5}, float("nan"), 10**5_000, nested(100_000))
"""Values that are of the right type for few fields."""


def without_sense(document: Json, *spared: str) -> list[Json]:
    """Return copies of `document`'s inner objects, in each of which every field but `spared` is one wrong value."""
    return [{name: value if name in spared else wrong for name, value in document.items()} for wrong in WRONG]


def test_a_bounce_is_a_bounce_whatever_else_it_says() -> None:
    """No malformed header, time or id loses a bounce."""
    for other in without_sense(a_bounce()["bounce"], "bounceType", "bounceSubType", "bouncedRecipients"):
        (recipient,) = bounce(a_bounce() | {"bounce": other}).bounce.bounced_recipients or ()
        assert recipient.email_address == RECIPIENT
    for other in without_sense(a_bounced_recipient(), "emailAddress"):
        (recipient,) = bounce(a_bounce(recipients=[other])).bounce.bounced_recipients or ()
        assert recipient.email_address == RECIPIENT


def test_a_complaint_is_a_complaint_whatever_else_it_says() -> None:
    """Losing one can cost the account."""
    spared = ("complaintSubType", "complaintFeedbackType", "complainedRecipients")
    for other in without_sense(a_complaint()["complaint"], *spared):
        (recipient,) = complaint(a_complaint() | {"complaint": other}).complaint.complained_recipients or ()
        assert recipient.email_address == RECIPIENT


def test_no_mail_object_loses_a_bounce() -> None:
    """Whatever it holds, and whatever it is."""
    for other in [*without_sense(a_mail()), *without_sense(a_mail(), "tags"), *WRONG]:
        assert bounce(a_bounce() | {"mail": other}).bounce.bounce_type == "Permanent"


@pytest.mark.parametrize(
    ("document", "name"),
    [
        *((a_reject(), "reject"), (a_rendering_failure(), "failure"), (a_delivery_delay(), "deliveryDelay")),
        *((an_open(), "open"), (a_click(), "click"), (a_send(), "send")),
    ],
)
def test_what_is_only_counted_is_counted_whatever_it_says(document: Json, name: str) -> None:
    """And has the time of its message when it has none of its own."""
    for other in [*WRONG, *without_sense(document[name])]:
        assert parse_feedback({**document, name: other}).time == START


def test_old_preferences_do_not_matter() -> None:
    """Only the new ones say what the recipient wants."""
    for other in WRONG:
        assert parse_feedback(a_subscription(oldTopicPreferences=other)).kind == "Subscription"


def test_unknown_fields_are_ignored() -> None:
    """AWS adds fields without notice."""
    document = a_bounce(brandNew={"a": 1}) | {"brandNew": [nested(100_000)]}
    assert bounce(document) == bounce(a_bounce())


def test_an_address_of_no_computer_is_no_matter() -> None:
    """The developer guide's own example has remoteMtaIp 123.456.789.012."""
    feedback = parse_feedback(a_delivery(remoteMtaIp="123.456.789.012"))
    assert isinstance(feedback, Delivery)
    assert feedback.delivery.remote_mta_ip == "123.456.789.012"


@pytest.mark.parametrize(("tags", "read"), [(None, None), ({"campaign": ["spring"]}, {"campaign": ("spring",)})])
def test_a_link_may_have_tags(tags: object, read: object) -> None:
    """Null means none."""
    feedback = parse_feedback(a_click(link_tags=tags))
    assert isinstance(feedback, Click)
    assert feedback.click
    assert feedback.click.link_tags == read


# --- Times and tags -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["2018-10-08T14:05:45.000Z", "2018-10-08T14:05:45Z", "2018-10-08T14:05:45 +0000", "2018-10-08T07:05:45.000-07:00"],
)
def test_every_form_of_time_is_read(text: str) -> None:
    """In the kind's own object as in the mail's."""
    at = datetime(2018, 10, 8, 14, 5, 45, tzinfo=UTC)
    assert (at, at) == (bounce(a_bounce(timestamp=text)).time, mail(timestamp=text).timestamp)


@pytest.mark.parametrize("value", [None, "", "yesterday", 1_539_007_545, "9999-12-31T23:59:59Z", ["x"]])
def test_without_a_time_of_its_own_feedback_has_that_of_its_message(value: object) -> None:
    """The message was sent no later than anything came of it."""
    assert [
        parse_feedback(document).time
        for document in (a_bounce(timestamp=value), a_complaint(timestamp=value), a_delivery(timestamp=value))
    ] == [START] * 3


@pytest.mark.parametrize("mail", [None, {}, {"timestamp": None}])
def test_without_any_time_feedback_has_none(mail: object) -> None:
    """The clock is not asked: the same feedback must come to the same facts whenever it comes."""
    assert parse_feedback(a_bounce(timestamp=None) | {"mail": mail}).time is None


def test_the_configuration_set_and_the_tenant_are_tags() -> None:
    """In events."""
    tags = {"ses:configuration-set": [CONFIGURATION_SET, "second"], "ses:tenant-name": ["shop"]}
    feedback = parse_feedback(a_bounce(mail=a_mail(tags=tags)))
    assert (feedback.configuration_set, feedback.tenant) == (CONFIGURATION_SET, "shop")


def test_a_notification_has_no_tags() -> None:
    """Its configuration set is unknown."""
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
def test_a_tag_is_its_first_text(value: object, first: str) -> None:
    """Every value is a list; some forwarders flatten it."""
    assert first == mail(tags={"campaign": value}).tag("campaign")


def test_without_a_mail_object_nothing_is_said_of_the_message() -> None:
    """Neither its id, its configuration set nor its tenant."""
    feedback = parse_feedback(a_bounce() | {"mail": None})
    assert (feedback.message_id, feedback.configuration_set, feedback.tenant) == ("", "", "")


def test_every_kind_is_known_by_its_folded_name() -> None:
    """As `normalize_name` returns it; `kind` itself is SES's name without the space, which rules and history bear."""
    kinds = [model.kind for model in KINDS.values()]
    said = "Bounce Complaint Delivery Send Reject RenderingFailure DeliveryDelay Open Click Subscription"
    assert (said.split(), list(map(normalize_name, kinds))) == (kinds, list(KINDS))


def test_a_message_of_a_kind_may_hold_objects_of_others() -> None:
    """Only its own kind's object counts."""
    document = a_message("Delivery", **{name: a_bounce()[name] for name in ("bounce",)}, delivery={})
    assert Delivery is type(parse_feedback(document))


@pytest.mark.parametrize(
    ("flag", "meaning"), [(True, True), ("true", True), ("false", False), (0, False), (None, None)]
)
def test_a_flag_may_be_a_text(flag: object, meaning: bool | None) -> None:  # noqa: FBT001 (JSON)
    """SES's documentation calls its booleans strings, and its examples show booleans."""
    feedback = parse_feedback(a_subscription(unsubscribe_all=flag))
    assert isinstance(feedback, Subscription)
    preferences = feedback.subscription.new_topic_preferences
    assert preferences
    assert meaning == preferences.unsubscribe_all
    assert meaning == mail(headersTruncated=flag).headers_truncated


def test_headers_are_read_when_asked_for() -> None:
    """As they came, or not at all."""
    sender = Header(name="From", value=SENDER)
    assert [(sender, Header(name="To", value=RECIPIENT)), None] == [mail().headers, mail(headers=["From"]).headers]
    assert mail(commonHeaders="From").common_headers is None


def test_joined_addresses_stay_joined() -> None:
    """Splitting at commas is unsafe, and nothing here needs it."""
    headers = mail().common_headers
    assert headers
    assert (f"{RECIPIENT}, {BYSTANDER}",) == headers.to

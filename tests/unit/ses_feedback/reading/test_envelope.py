"""What Lambda hands over, and the SES document, or the notice, found inside."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ses_feedback.reading.envelope import (
    Carrier,
    Document,
    EnvelopeError,
    Notice,
    Record,
    open_record,
    read_records,
)
from tests.support.builders import (
    NOTIFICATION,
    a_bounce,
    a_bus_event,
    an_sns_envelope,
    an_sns_event,
    an_sqs_event,
    an_sqs_record,
    text,
)
from tests.support.strategies import nested

BUS_TIME = datetime(2026, 3, 1, 12, 0, 6, 999_000, tzinfo=UTC)
"""EventBridge's time is cut to the second: until the end of that second the event may have happened."""
SNS_TIME = datetime(2026, 3, 1, 12, 0, 7, tzinfo=UTC)
SQS_TIME = datetime(2026, 3, 1, 12, 0, 8, tzinfo=UTC)

SUBSCRIBED = {"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "You have successfully subscribed"}
RECEIVED = {"notificationType": "Received", "mail": {}, "receipt": {"action": {"type": "Bounce"}}}
TO_BE_CONFIRMED = {"Type": "SubscriptionConfirmation", "Token": "a-token", "Message": "You have chosen to subscribe"}
UNSUBSCRIBED = {"Type": "UnsubscribeConfirmation", "Token": "a-token", "Message": "You have unsubscribed"}


def opened(event: object) -> Document | Notice:
    """Return what is inside the only record of `event`."""
    (record,) = read_records(event)
    return open_record(record)


def refused(event: object) -> str:
    """Return why there is nothing inside the only record of `event`."""
    with pytest.raises(EnvelopeError) as error:
        opened(event)
    assert (error.value.reason,) == error.value.args
    return error.value.reason


def in_sqs(body: object) -> Record:
    """Return the record that SQS made of `body`."""
    (record,) = read_records(an_sqs_event(body))
    return record


# --- Records --------------------------------------------------------------------------------------------------------


def test_an_sqs_event_has_a_record_for_each_message() -> None:
    """Each by the id a partial batch response names, with its body and the time SQS took it."""
    expected = [Record(Carrier.SQS, f"sqs-message-{n}", body, SQS_TIME) for n, body in ((1, "one"), (2, "two"))]
    assert expected == read_records(an_sqs_event("one", "two"))


@pytest.mark.parametrize("source_key", ["EventSource", "eventSource"])
def test_an_sns_event_has_a_record_for_each_message(source_key: str) -> None:
    """With the message's own text, id and time, whatever the case of the key that names the source."""
    event = {"Records": [{source_key: "aws:sns", "Sns": an_sns_envelope(body)} for body in ("one", "two")]}
    assert [Record(Carrier.SNS, "sns-message-id", body, SNS_TIME) for body in ("one", "two")] == read_records(event)


def test_inbound_mail_to_lambda_is_a_record_of_its_own_kind() -> None:
    """SES hands received mail to Lambda by itself, and nothing in it is feedback."""
    entry = {"eventSource": "aws:ses", "ses": {"mail": {}, "receipt": {}}}
    assert [Record(Carrier.SES, "", entry)] == read_records({"Records": [entry]})


def test_a_bus_event_is_one_record_by_its_own_id() -> None:
    """EventBridge invokes Lambda with the event itself."""
    event = a_bus_event(a_bounce())
    assert [Record(Carrier.INVOKE, "11111111-2222-3333-4444-555555555555", event, BUS_TIME)] == read_records(event)


def test_a_bare_sns_envelope_is_one_record() -> None:
    """As `sam local invoke` and replay hand it over."""
    event = an_sns_envelope("a message")
    assert [Record(Carrier.INVOKE, "sns-message-id", event, SNS_TIME)] == read_records(event)


@pytest.mark.parametrize(
    "event", [None, 1, "text", [], [{}], {}, {"Records": None}, {"Records": "text"}, {"Records": {}}]
)
def test_anything_else_is_one_record(event: object) -> None:
    """Every event that Lambda was invoked with must be kept or reported."""
    assert [Record(Carrier.INVOKE, "", event)] == read_records(event)


@pytest.mark.parametrize(
    "entry",
    [
        *(None, 1, "text", {}, {"eventSource": 1}, {"eventSource": "aws:s3"}, {"EventSource": "aws:sns"}, {"Sns": {}}),
        *({"EventSource": "aws:sns", "Sns": None}, {"EventSource": "aws:sns", "Sns": "text"}),
    ],
)
def test_a_record_of_no_known_source_is_kept_as_it_is(entry: object) -> None:
    """So that quarantine can keep all of it."""
    assert [Record(Carrier.INVOKE, "", entry)] == read_records({"Records": [entry]})


@pytest.mark.parametrize(
    "attributes", [None, "text", {}, {"SentTimestamp": None}, {"SentTimestamp": 1}, {"SentTimestamp": "x"}]
)
def test_an_sqs_record_need_not_say_when_it_was_sent(attributes: object) -> None:
    """Without a usable SentTimestamp no time is clamped."""
    event = {"Records": [an_sqs_record("body", attributes=attributes)]}
    assert [Record(Carrier.SQS, "sqs-message-1", "body", None)] == read_records(event)


def test_an_event_without_records_has_none() -> None:
    """An empty batch is nothing to do."""
    assert read_records({"Records": []}) == []


def test_the_original_of_a_text_is_the_very_text() -> None:
    """Redriving it from quarantine must be like its first coming."""
    body = ' {"a": 1 ,"a":2}\n'
    assert body == in_sqs(body).original()


@pytest.mark.parametrize("content", [None, [1], {"b": [1.5, None, "\ud800"]}])
def test_the_original_of_what_came_decoded_is_json(content: object) -> None:
    """Lambda decodes what invokes it: that text is gone."""
    assert content == json.loads(Record(Carrier.INVOKE, "", content).original())


# --- What is inside -------------------------------------------------------------------------------------------------

BOUNCE = a_bounce()
CARRIED: dict[str, tuple[object, datetime | None]] = {
    "bare": (BOUNCE, None),
    "bare notification": (a_bounce(vocabulary=NOTIFICATION), None),
    "bare text": (text(BOUNCE), None),
    "SNS envelope": (an_sns_envelope(BOUNCE), SNS_TIME),
    "SNS": (an_sns_event(BOUNCE), SNS_TIME),
    "SQS": (an_sqs_event(BOUNCE), SQS_TIME),
    "SNS in SQS": (an_sqs_event(an_sns_envelope(BOUNCE)), SQS_TIME),
    "EventBridge": (a_bus_event(BOUNCE), BUS_TIME),
    "EventBridge in SQS": (an_sqs_event(a_bus_event(BOUNCE)), SQS_TIME),
    "EventBridge in SNS": (an_sns_event(a_bus_event(BOUNCE)), SNS_TIME),
    "EventBridge in SNS in SQS": (an_sqs_event(an_sns_envelope(a_bus_event(BOUNCE))), SQS_TIME),
    "EventBridge with a detail of text": (a_bus_event(text(BOUNCE)), BUS_TIME),
    "EventBridge after an input transformer": (a_bus_event(BOUNCE, "Ours", source="ours"), BUS_TIME),
    "a notification on a bus of ours": (
        a_bus_event(a_bounce(vocabulary=NOTIFICATION), "Ours", source="ours"),
        BUS_TIME,
    ),
    "text of an SNS envelope": (text(an_sns_envelope(BOUNCE)), SNS_TIME),
    "text of a bus event": (text(a_bus_event(BOUNCE)), BUS_TIME),
}


@pytest.mark.parametrize(("event", "sent_at"), [pytest.param(*case, id=name) for name, case in CARRIED.items()])
def test_every_carrier_is_opened(event: object, sent_at: datetime | None) -> None:
    """Down to the same document, with the time at which the outermost carrier that tells took it."""
    document = opened(event)
    assert isinstance(document, Document)
    assert (BOUNCE["bounce"], sent_at) == (document.fields["bounce"], document.sent_at)


@pytest.mark.parametrize("space", ["{}\n", "\r\n {} ", "\ufeff{}"])
def test_space_around_the_text_does_not_matter(space: str) -> None:
    """Events end in a newline, and files may begin with a byte order mark."""
    assert Document(BOUNCE, SQS_TIME) == opened(an_sqs_event(space.format(text(BOUNCE))))


@pytest.mark.parametrize("subject", [None, "Amazon SES Email Receipt Notification", "anything"])
def test_the_subject_does_not_matter(subject: str | None) -> None:
    """Subjects differ between SES's own mechanisms and between its years."""
    assert Document(BOUNCE, SNS_TIME) == opened(an_sns_envelope(BOUNCE, Subject=subject))


@pytest.mark.parametrize("missing", ["Type", "TopicArn"])
def test_an_sns_envelope_is_known_by_either_of_its_marks(missing: str) -> None:
    """Forwarders drop fields."""
    envelope = {name: value for name, value in an_sns_envelope(BOUNCE).items() if name != missing}
    assert Document(BOUNCE, SNS_TIME) == opened(envelope)


@pytest.mark.parametrize("time", [None, 5, "noon"])
def test_a_carrier_need_not_say_when_it_took_the_message(time: object) -> None:
    """Without a usable time, no feedback is taken to be later than it may be."""
    assert [Document(BOUNCE, None)] * 2 == [
        opened(a_bus_event(BOUNCE, time=time)),
        opened(an_sns_envelope(BOUNCE, Timestamp=time)),
    ]


@pytest.mark.parametrize(
    ("detail_type", "kind"),
    [
        ("Email Bounced", "Bounce"),
        ("Email Complaint Received", "Complaint"),
        ("Email Delivered", "Delivery"),
        ("Email Delivery Delayed", "DeliveryDelay"),
        ("Email Sent", "Send"),
        ("Email Rejected", "Reject"),
        ("Email Rendering Failed", "Rendering Failure"),
        ("Email Opened", "Open"),
        ("Email Clicked", "Click"),
        ("Email Subscribed", "Subscription"),
    ],
)
def test_a_detail_without_a_kind_has_that_of_its_bus_event(detail_type: str, kind: str) -> None:
    """The bus names kinds in words of its own."""
    assert Document({"mail": {}, "eventType": kind}, BUS_TIME) == opened(a_bus_event({"mail": {}}, detail_type))


def test_a_detail_knows_its_kind_better_than_its_bus_event() -> None:
    """The document is what SES wrote."""
    assert Document(BOUNCE, BUS_TIME) == opened(a_bus_event(BOUNCE, "Email Opened"))


# --- Notices --------------------------------------------------------------------------------------------------------

NOTICES: dict[str, tuple[object, str]] = {
    # As SES sends it when an event destination is made or changed.
    "the topic was validated": (
        "Successfully validated SNS topic for Amazon SES event publishing.",
        "set-up notice",
    ),
    "the topic was subscribed to": (text(SUBSCRIBED) + "\n", "set-up notice"),
    "a subscription must be confirmed": (text(TO_BE_CONFIRMED), "set-up notice"),
    "a subscription has ended": (text(UNSUBSCRIBED), "set-up notice"),
    "S3 was told to notify of objects": (
        text({"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-03-01T12:00:00.000Z", "Bucket": "mine"}),
        "set-up notice",
    ),
    "mail was received": (text(RECEIVED), "inbound mail"),
    "advice": (text(a_bus_event({"data": "No SPF."}, "Advisor Recommendation Status Open")), "account event"),
    "a tenant": (text(a_bus_event({"data": {"record": {}}}, "Sending Status Disabled")), "account event"),
    "an account event without detail": (text(a_bus_event(None, "Sending Status Enabled")), "account event"),
}


@pytest.mark.parametrize(("body", "what"), [pytest.param(*case, id=name) for name, case in NOTICES.items()])
def test_a_notice_is_known_however_it_comes(body: str, what: str) -> None:
    """Raw, in an SNS envelope, or in the SNS event of a direct subscription."""
    events = [body, an_sqs_event(body), an_sqs_event(an_sns_envelope(body)), an_sns_event(body)]
    assert [Notice(what)] * 4 == [opened(event) for event in events]


def test_inbound_mail_to_lambda_is_a_notice() -> None:
    """Even when its receipt rule's action is a bounce."""
    entry = {"eventSource": "aws:ses", "ses": {"mail": {}, "receipt": {"action": {"type": "Bounce"}}}}
    assert Notice("inbound mail") == opened({"Records": [entry]})


# --- Neither --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", ["", " \n", "\ufeff", "null"])
def test_nothing_is_no_document(body: str) -> None:
    """A blank body, and a null."""
    assert refused(an_sqs_event(body)) == "no-content"


@pytest.mark.parametrize("body", [None, {}, 5, []])
def test_an_sqs_body_that_is_no_text_is_no_document(body: object) -> None:
    """SQS itself never sends one; replay may."""
    reasons = {"dict": "unknown-shape", "NoneType": "no-content"}
    assert reasons.get(type(body).__name__, "not-an-object") == refused(
        {"Records": [an_sqs_record("") | {"body": body}]}
    )


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("Hello", id="text"),
        pytest.param(text(BOUNCE)[:-1], id="truncated"),
        pytest.param(text(BOUNCE).replace("receipt", "rec!\n eipt"), id="wrapped as in an e-mail"),
        pytest.param("{'eventType': 'Bounce'}", id="of Python"),
        pytest.param("{}{}", id="two objects"),
        pytest.param("[" * 200_000, id="deep lists"),
        pytest.param('{"a":' * 200_000 + "1" + "}" * 200_000, id="deep objects"),
        pytest.param('{"a":' + "9" * 5_000 + "}", id="5,000 digits"),
        pytest.param('{"a":"\\ud800"}', id="escaped lone surrogate"),
        pytest.param('{"a":"\x00"}', id="NUL in a text"),
        pytest.param("\x00", id="NUL"),
    ],
)
def test_what_is_not_json_is_refused(body: str) -> None:
    """Truncated, too deep, too long a number, or with characters JSON does not allow."""
    assert refused(an_sqs_event(body)) == "not-json"


def test_a_lone_surrogate_in_the_text_is_refused() -> None:
    """Lambda's own decoding makes one of an escape in the event."""
    assert refused(an_sqs_event('{"a":"\ud800"}')) == "not-json"


@pytest.mark.parametrize("body", ["5", "true", "[]", f"[{text(BOUNCE)}]", "NaN", "Infinity", "1e999"])
def test_json_that_is_no_object_is_refused(body: str) -> None:
    """SES publishes objects."""
    assert refused(an_sqs_event(body)) == "not-an-object"


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"mail": {}},
        {"Message": text(BOUNCE)},
        {"Type": "Notification"},
        {"Type": "SubscriptionConfirmation"},
        {"Records": []},
        a_bus_event({}, "Email Bounced", source="ours"),
        a_bus_event({}, None),
        a_bus_event({}, ["Email Bounced"]),
        a_bus_event(None, "Email Bounced", source="ours"),
    ],
)
def test_an_object_of_no_known_shape_is_refused(content: dict[str, Any]) -> None:
    """There is nothing inside that anybody could find."""
    assert refused(an_sqs_event(content)) == "unknown-shape"


@pytest.mark.parametrize("type_", [[], {}, ["SubscriptionConfirmation"], {"a": 1}])
@pytest.mark.parametrize("others", [{}, {"Token": "a-token"}])
def test_an_envelope_whose_type_is_no_text_is_refused(type_: object, others: dict[str, str]) -> None:
    """Lists and objects are no types, and can't be looked up as such."""
    assert refused(an_sqs_event({"Type": type_, **others})) == "unknown-shape"


@pytest.mark.parametrize("event", [a_bus_event({}, "Email Recalled"), a_bus_event(None), a_bus_event([BOUNCE])])
def test_a_bus_event_that_says_too_little_is_refused(event: dict[str, Any]) -> None:
    """A new kind of event, or no detail."""
    assert refused(event) == "unknown-bus-event"


def wrapped(times: int) -> str:
    """Return a bounce's text in `times` SNS envelopes."""
    body = text(BOUNCE)
    for _ in range(times):
        body = text(an_sns_envelope(body))
    return body


def test_envelopes_in_envelopes_are_opened_up_to_a_number() -> None:
    """Eight, texts of texts among them: far more than AWS ever wraps."""
    assert Document(BOUNCE, SQS_TIME) == opened(an_sqs_event(wrapped(3)))
    assert refused(an_sqs_event(wrapped(4))) == "wrapped-too-often"
    body = text(BOUNCE)
    for _ in range(6):
        body = text(body)
    assert Document(BOUNCE, SQS_TIME) == opened(an_sqs_event(body))
    assert refused(an_sqs_event(text(body))) == "wrapped-too-often"


def test_an_sqs_event_in_sqs_is_not_opened() -> None:
    """One message is one record: a message with several records is no feedback."""
    assert refused(an_sqs_event(an_sqs_event(BOUNCE))) == "unknown-shape"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"eventType":"Send","eventType":"Bounce"}', "Bounce"),
        ('{"eventType":"Bounce","x":NaN,"y":-Infinity,"z":1e999}', "Bounce"),
        ('{"eventType":"Bounce","x":"' + "x" * 2**20 + '"}', "Bounce"),
        ('{"eventType":"Bounce","x":"\\u0000"}', "Bounce"),
        ('{"eventType":"Bounce","x":' + "9" * 4_000 + "}", "Bounce"),
    ],
    ids=["duplicate names", "not finite", "a megabyte", "NUL", "4,000 digits"],
)
def test_odd_json_is_opened(body: str, kind: str) -> None:
    """Of two values of one name the last one counts, as everywhere."""
    document = opened(an_sqs_event(body))
    assert isinstance(document, Document)
    assert kind == document.fields["eventType"]


def test_what_came_decoded_may_be_of_any_depth() -> None:
    """Nothing recurses into it."""
    assert refused(nested(100_000)) == "not-an-object"
    assert refused({"Message": nested(100_000)}) == "unknown-shape"


def test_an_error_does_not_quote_the_text() -> None:
    """Errors end in logs, and logs hold no address."""
    with pytest.raises(EnvelopeError) as error:
        open_record(in_sqs('{"secret": secret@example.com}'))
    assert "secret" not in f"{error.value!r}{error.value.__cause__!r}"


def test_a_bus_event_may_be_a_second_older_than_it_says() -> None:
    """Its time has no milliseconds; a bounce in the same second is not in the future."""
    document = opened(a_bus_event(BOUNCE, time="2026-03-01T12:00:05Z"))
    assert isinstance(document, Document)
    assert datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC) + timedelta(milliseconds=999) == document.sent_at


@pytest.mark.parametrize("notice", ["Received", "AmazonSnsSubscriptionSucceeded"])
def test_a_notice_that_claims_to_be_an_event_is_no_notice(notice: str) -> None:
    """A complaint must not be ignored over a contradiction: as two kinds it is refused, and so kept."""
    document = BOUNCE | {"notificationType": notice, "eventType": "Bounce"}
    assert opened(document) == Document(document, None)

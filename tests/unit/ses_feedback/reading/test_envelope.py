"""Records of Lambda events, and the SES events and notices inside them."""

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
"""EventBridge truncates times to seconds. The event may have happened until the end of that second."""
SNS_TIME = datetime(2026, 3, 1, 12, 0, 7, tzinfo=UTC)
SQS_TIME = datetime(2026, 3, 1, 12, 0, 8, tzinfo=UTC)

TOPIC_SUBSCRIBED = {"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "You have successfully subscribed"}
RECEIVED = {"notificationType": "Received", "mail": {}, "receipt": {"action": {"type": "Bounce"}}}
SUBSCRIPTION_CONFIRMATION = {
    "Type": "SubscriptionConfirmation",
    "Token": "a-token",
    "Message": "You have chosen to subscribe",
}
UNSUBSCRIBE_CONFIRMATION = {"Type": "UnsubscribeConfirmation", "Token": "a-token", "Message": "You have unsubscribed"}


def opened(event: object) -> Document | Notice:
    """Return the SES event or the notice in the only record of `event`."""
    (record,) = read_records(event)
    return open_record(record)


def error_reason(event: object) -> str:
    """Return the reason of the error that opening the only record of `event` raises."""
    with pytest.raises(EnvelopeError) as error:
        opened(event)
    assert (error.value.reason,) == error.value.args
    return error.value.reason


def sqs_record(body: object) -> Record:
    """Return the record of an SQS message with `body`."""
    (record,) = read_records(an_sqs_event(body))
    return record


# --- Records --------------------------------------------------------------------------------------------------------


def test_an_sqs_event_has_a_record_for_each_message() -> None:
    """The id is the one in partial batch responses."""
    expected = [Record(Carrier.SQS, f"sqs-message-{n}", body, SQS_TIME) for n, body in ((1, "one"), (2, "two"))]
    assert expected == read_records(an_sqs_event("one", "two"))


@pytest.mark.parametrize("source_key", ["EventSource", "eventSource"])
def test_an_sns_event_has_a_record_for_each_message(source_key: str) -> None:
    """The case of the source's key does not matter."""
    event = {"Records": [{source_key: "aws:sns", "Sns": an_sns_envelope(body)} for body in ("one", "two")]}
    assert [Record(Carrier.SNS, "sns-message-id", body, SNS_TIME) for body in ("one", "two")] == read_records(event)


def test_received_email_from_ses_has_a_carrier_of_its_own() -> None:
    entry = {"eventSource": "aws:ses", "ses": {"mail": {}, "receipt": {}}}
    assert [Record(Carrier.SES, "", entry)] == read_records({"Records": [entry]})


def test_an_eventbridge_event_is_one_record_with_its_id() -> None:
    event = a_bus_event(a_bounce())
    assert [Record(Carrier.INVOKE, "11111111-2222-3333-4444-555555555555", event, BUS_TIME)] == read_records(event)


def test_an_sns_envelope_as_lambda_event_is_one_record() -> None:
    """`sam local invoke` and `feedbackctl replay` pass such events."""
    event = an_sns_envelope("a message")
    assert [Record(Carrier.INVOKE, "sns-message-id", event, SNS_TIME)] == read_records(event)


@pytest.mark.parametrize(
    "event", [None, 1, "text", [], [{}], {}, {"Records": None}, {"Records": "text"}, {"Records": {}}]
)
def test_any_other_event_is_one_record(event: object) -> None:
    assert [Record(Carrier.INVOKE, "", event)] == read_records(event)


@pytest.mark.parametrize(
    "entry",
    [
        *(None, 1, "text", {}, {"eventSource": 1}, {"eventSource": "aws:s3"}, {"EventSource": "aws:sns"}, {"Sns": {}}),
        *({"EventSource": "aws:sns", "Sns": None}, {"EventSource": "aws:sns", "Sns": "text"}),
    ],
)
def test_a_record_of_an_unknown_source_is_unchanged(entry: object) -> None:
    """The quarantine stores all of it."""
    assert [Record(Carrier.INVOKE, "", entry)] == read_records({"Records": [entry]})


@pytest.mark.parametrize(
    "attributes", [None, "text", {}, {"SentTimestamp": None}, {"SentTimestamp": 1}, {"SentTimestamp": "x"}]
)
def test_an_sqs_record_without_a_usable_sent_timestamp_has_no_time(attributes: object) -> None:
    event = {"Records": [an_sqs_record("body", attributes=attributes)]}
    assert [Record(Carrier.SQS, "sqs-message-1", "body", None)] == read_records(event)


def test_an_empty_list_of_records_returns_no_record() -> None:
    assert read_records({"Records": []}) == []


def test_the_original_of_a_text_is_unchanged() -> None:
    """A redriven message must equal the first one."""
    body = ' {"a": 1 ,"a":2}\n'
    assert body == sqs_record(body).original()


@pytest.mark.parametrize("content", [None, [1], {"b": [1.5, None, "\ud800"]}])
def test_the_original_of_decoded_content_is_json(content: object) -> None:
    assert content == json.loads(Record(Carrier.INVOKE, "", content).original())


# --- Envelopes ------------------------------------------------------------------------------------------------------

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
    "EventBridge after an input transformer": (a_bus_event(BOUNCE, "Custom", source="custom"), BUS_TIME),
    "a notification on a custom bus": (
        a_bus_event(a_bounce(vocabulary=NOTIFICATION), "Custom", source="custom"),
        BUS_TIME,
    ),
    "text of an SNS envelope": (text(an_sns_envelope(BOUNCE)), SNS_TIME),
    "text of a bus event": (text(a_bus_event(BOUNCE)), BUS_TIME),
}


@pytest.mark.parametrize(("event", "sent_at"), [pytest.param(*case, id=name) for name, case in CARRIED.items()])
def test_the_ses_event_and_the_time_of_the_outermost_carrier_are_returned(
    event: object, sent_at: datetime | None
) -> None:
    document = opened(event)
    assert isinstance(document, Document)
    assert (BOUNCE["bounce"], sent_at) == (document.fields["bounce"], document.sent_at)


@pytest.mark.parametrize("space", ["{}\n", "\r\n {} ", "\ufeff{}"])
def test_blanks_and_a_byte_order_mark_around_the_text_are_ignored(space: str) -> None:
    assert Document(BOUNCE, SQS_TIME) == opened(an_sqs_event(space.format(text(BOUNCE))))


@pytest.mark.parametrize("subject", [None, "Amazon SES Email Receipt Notification", "anything"])
def test_the_sns_subject_is_ignored(subject: str | None) -> None:
    """It differs between identity notifications and event publishing."""
    assert Document(BOUNCE, SNS_TIME) == opened(an_sns_envelope(BOUNCE, Subject=subject))


@pytest.mark.parametrize("missing", ["Type", "TopicArn"])
def test_an_sns_envelope_needs_only_one_of_type_and_topic_arn(missing: str) -> None:
    """Forwarders may drop fields."""
    envelope = {name: value for name, value in an_sns_envelope(BOUNCE).items() if name != missing}
    assert Document(BOUNCE, SNS_TIME) == opened(envelope)


@pytest.mark.parametrize("time", [None, 5, "noon"])
def test_a_carrier_without_a_usable_time_yields_no_time(time: object) -> None:
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
def test_a_detail_without_an_event_type_gets_that_of_its_detail_type(detail_type: str, kind: str) -> None:
    assert Document({"mail": {}, "eventType": kind}, BUS_TIME) == opened(a_bus_event({"mail": {}}, detail_type))


def test_the_event_type_of_the_detail_overrides_the_detail_type() -> None:
    assert Document(BOUNCE, BUS_TIME) == opened(a_bus_event(BOUNCE, "Email Opened"))


# --- Notices --------------------------------------------------------------------------------------------------------

NOTICES: dict[str, tuple[object, str]] = {
    "topic validated": (
        "Successfully validated SNS topic for Amazon SES event publishing.",
        "set-up notice",
    ),
    "topic subscribed": (text(TOPIC_SUBSCRIBED) + "\n", "set-up notice"),
    "subscription to confirm": (text(SUBSCRIPTION_CONFIRMATION), "set-up notice"),
    "subscription ended": (text(UNSUBSCRIBE_CONFIRMATION), "set-up notice"),
    "S3 test event": (
        text({"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-03-01T12:00:00.000Z", "Bucket": "mine"}),
        "set-up notice",
    ),
    "email received": (text(RECEIVED), "inbound mail"),
    "advisor event": (text(a_bus_event({"data": "No SPF."}, "Advisor Recommendation Status Open")), "account event"),
    "tenant event": (text(a_bus_event({"data": {"record": {}}}, "Sending Status Disabled")), "account event"),
    "an account event without detail": (text(a_bus_event(None, "Sending Status Enabled")), "account event"),
}


@pytest.mark.parametrize(("body", "kind"), [pytest.param(*case, id=name) for name, case in NOTICES.items()])
def test_a_notice_is_recognized_in_every_envelope(body: str, kind: str) -> None:
    events = [body, an_sqs_event(body), an_sqs_event(an_sns_envelope(body)), an_sns_event(body)]
    assert [Notice(kind)] * 4 == [opened(event) for event in events]


def test_received_email_from_ses_is_a_notice() -> None:
    """The bounce action of a receipt rule is no bounce event."""
    entry = {"eventSource": "aws:ses", "ses": {"mail": {}, "receipt": {"action": {"type": "Bounce"}}}}
    assert Notice("inbound mail") == opened({"Records": [entry]})


# --- Errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", ["", " \n", "\ufeff", "null"])
def test_an_empty_body_raises_no_content(body: str) -> None:
    assert error_reason(an_sqs_event(body)) == "no-content"


@pytest.mark.parametrize("body", [None, {}, 5, []])
def test_an_sqs_body_that_is_no_text_raises_an_error(body: object) -> None:
    """SQS sends text only. Replay may pass other values."""
    reasons = {"dict": "unknown-shape", "NoneType": "no-content"}
    assert reasons.get(type(body).__name__, "not-an-object") == error_reason(
        {"Records": [an_sqs_record("") | {"body": body}]}
    )


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("Hello", id="text"),
        pytest.param(text(BOUNCE)[:-1], id="truncated"),
        pytest.param(text(BOUNCE).replace("receipt", "rec!\n eipt"), id="wrapped as in an email"),
        pytest.param("{'eventType': 'Bounce'}", id="Python literal"),
        pytest.param("{}{}", id="two objects"),
        pytest.param("[" * 200_000, id="deep lists"),
        pytest.param('{"a":' * 200_000 + "1" + "}" * 200_000, id="deep objects"),
        pytest.param('{"a":' + "9" * 5_000 + "}", id="5,000 digits"),
        pytest.param('{"a":"\\ud800"}', id="escaped lone surrogate"),
        pytest.param('{"a":"\x00"}', id="NUL in a text"),
        pytest.param("\x00", id="NUL"),
    ],
)
def test_a_body_that_is_not_json_raises_not_json(body: str) -> None:
    assert error_reason(an_sqs_event(body)) == "not-json"


def test_a_lone_surrogate_raises_not_json() -> None:
    """Lambda decodes an escape in the event to a lone surrogate."""
    assert error_reason(an_sqs_event('{"a":"\ud800"}')) == "not-json"


@pytest.mark.parametrize("body", ["5", "true", "[]", f"[{text(BOUNCE)}]", "NaN", "Infinity", "1e999"])
def test_json_that_is_no_object_raises_not_an_object(body: str) -> None:
    assert error_reason(an_sqs_event(body)) == "not-an-object"


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"mail": {}},
        {"Message": text(BOUNCE)},
        {"Type": "Notification"},
        {"Type": "SubscriptionConfirmation"},
        {"Records": []},
        a_bus_event({}, "Email Bounced", source="custom"),
        a_bus_event({}, None),
        a_bus_event({}, ["Email Bounced"]),
        a_bus_event(None, "Email Bounced", source="custom"),
    ],
)
def test_an_object_of_unknown_shape_raises_unknown_shape(content: dict[str, Any]) -> None:
    assert error_reason(an_sqs_event(content)) == "unknown-shape"


@pytest.mark.parametrize("type_", [[], {}, ["SubscriptionConfirmation"], {"a": 1}])
@pytest.mark.parametrize("others", [{}, {"Token": "a-token"}])
def test_an_envelope_whose_type_is_no_text_raises_unknown_shape(type_: object, others: dict[str, str]) -> None:
    assert error_reason(an_sqs_event({"Type": type_, **others})) == "unknown-shape"


@pytest.mark.parametrize("event", [a_bus_event({}, "Email Recalled"), a_bus_event(None), a_bus_event([BOUNCE])])
def test_an_eventbridge_event_of_unknown_type_or_without_detail_raises_unknown_bus_event(event: dict[str, Any]) -> None:
    assert error_reason(event) == "unknown-bus-event"


def wrapped(times: int) -> str:
    """Return the text of a bounce in `times` SNS envelopes."""
    body = text(BOUNCE)
    for _ in range(times):
        body = text(an_sns_envelope(body))
    return body


def test_eight_nested_envelopes_are_opened_and_a_ninth_raises_an_error() -> None:
    """JSON text inside JSON text counts as an envelope."""
    assert Document(BOUNCE, SQS_TIME) == opened(an_sqs_event(wrapped(3)))
    assert error_reason(an_sqs_event(wrapped(4))) == "wrapped-too-often"
    body = text(BOUNCE)
    for _ in range(6):
        body = text(body)
    assert Document(BOUNCE, SQS_TIME) == opened(an_sqs_event(body))
    assert error_reason(an_sqs_event(text(body))) == "wrapped-too-often"


def test_an_sqs_event_inside_an_sqs_message_raises_unknown_shape() -> None:
    assert error_reason(an_sqs_event(an_sqs_event(BOUNCE))) == "unknown-shape"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"eventType":"Send","eventType":"Bounce"}', "Bounce"),
        ('{"eventType":"Bounce","x":NaN,"y":-Infinity,"z":1e999}', "Bounce"),
        ('{"eventType":"Bounce","x":"' + "x" * 2**20 + '"}', "Bounce"),
        ('{"eventType":"Bounce","x":"\\u0000"}', "Bounce"),
        ('{"eventType":"Bounce","x":' + "9" * 4_000 + "}", "Bounce"),
    ],
    ids=["duplicate names", "not finite", "one megabyte", "NUL", "4,000 digits"],
)
def test_unusual_but_valid_json_is_opened(body: str, kind: str) -> None:
    """The last of several values of one name counts."""
    document = opened(an_sqs_event(body))
    assert isinstance(document, Document)
    assert kind == document.fields["eventType"]


def test_decoded_content_of_any_depth_raises_no_recursion_error() -> None:
    assert error_reason(nested(100_000)) == "not-an-object"
    assert error_reason({"Message": nested(100_000)}) == "unknown-shape"


def test_the_error_message_does_not_contain_the_body() -> None:
    with pytest.raises(EnvelopeError) as error:
        open_record(sqs_record('{"secret": secret@example.com}'))
    assert "secret" not in f"{error.value!r}{error.value.__cause__!r}"


def test_the_time_of_an_eventbridge_event_is_the_end_of_its_second() -> None:
    """EventBridge truncates milliseconds, and the SES event must not be later than its carrier."""
    document = opened(a_bus_event(BOUNCE, time="2026-03-01T12:00:05Z"))
    assert isinstance(document, Document)
    assert datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC) + timedelta(milliseconds=999) == document.sent_at


@pytest.mark.parametrize("notice", ["Received", "AmazonSnsSubscriptionSucceeded"])
def test_a_document_with_both_a_notice_type_and_an_event_type_is_no_notice(notice: str) -> None:
    """A contradiction must not cause a complaint to be ignored. The parser rejects it, so it is quarantined."""
    document = BOUNCE | {"notificationType": notice, "eventType": "Bounce"}
    assert opened(document) == Document(document, None)

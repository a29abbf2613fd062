"""S3 event notifications, and the messages in S3 objects."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ses_feedback.reading.envelope import Carrier, Document, EnvelopeError, Record, open_record
from ses_feedback.reading.s3_notifications import ObjectName, parse_object_names, split_messages
from tests.support.builders import a_bounce, a_delivery, a_mail, an_s3_notification, text
from tests.support.strategies import json_objects, json_values

FILE = ObjectName("deliveries", "deliveries/2026/03/01/12/stream-1")


def object_names(content: object) -> tuple[ObjectName, ...]:
    """Return the objects that a record with `content` names."""
    return parse_object_names(Record(Carrier.SQS, "1", content))


# --- Notifications -------------------------------------------------------------------------------------------------


def test_a_notification_names_its_object() -> None:
    """A queue carries it as text. A direct invocation passes it decoded."""
    notification = an_s3_notification(FILE.key)
    assert (
        object_names(text(notification))
        == object_names(notification)
        == object_names(notification["Records"][0])
        == (FILE,)
    )


def test_several_objects_are_returned_in_the_order_of_the_notification() -> None:
    assert object_names(text(an_s3_notification(FILE.key, "deliveries/2"))) == (
        FILE,
        ObjectName("deliveries", "deliveries/2"),
    )


@pytest.mark.parametrize(
    ("written", "key"), [("deliveries/a%3Db", "deliveries/a=b"), ("deliveries/a+b", "deliveries/a b")]
)
def test_url_encoded_keys_are_decoded(written: str, key: str) -> None:
    assert object_names(text(an_s3_notification(written))) == (ObjectName("deliveries", key),)


def notification_without(*path: str) -> dict[str, Any]:
    """Return a notification of two objects, the second of which lacks the value at `path`."""
    notification = an_s3_notification(FILE.key, FILE.key)
    part = notification["Records"][1]
    for name in path[:-1]:
        part = part[name]
    del part[path[-1]]
    return notification


@pytest.mark.parametrize(
    "content",
    [
        text(a_bounce()),
        a_bounce(),
        text(a_delivery(mail=a_mail(subject="aws:s3"))),
        "aws:s3",
        '"aws:s3"',
        '["aws:s3"]',
        '{"Records": "aws:s3"}',
        '{"Records": []} aws:s3',
        '{"Records": 3, "source": "aws:s3"}',
        '{"Records": null, "source": "aws:s3"}',
        text({"Records": [], "source": "aws:s3"}),
        text({"Records": [None, "aws:s3"]}),
        "[" * 5000 + '"aws:s3"',
        "\ud800aws:s3",
        None,
        17,
        [an_s3_notification(FILE.key)],
        text(notification_without("eventSource")),
        text(notification_without("s3")),
        text(notification_without("s3", "bucket", "name")),
        text(notification_without("s3", "object", "key")),
        text({"Records": [{**an_s3_notification(FILE.key)["Records"][0], "eventSource": "aws:sqs"}], "x": "aws:s3"}),
    ],
)
def test_other_content_and_incomplete_notifications_name_no_object(content: object) -> None:
    """An incomplete notification is quarantined as a whole."""
    assert object_names(content) == ()


# --- Messages in an object -------------------------------------------------------------------------------------------

ONE, OTHER = '{"eventType":"Delivery"}', '{"eventType":"Open","open":{}}'


@pytest.mark.parametrize(
    ("content", "messages"),
    [
        ("", []),
        ("\n \r\n\n", []),
        (f"{ONE}\n", [ONE]),
        (ONE, [ONE]),
        (f"{ONE}\n{OTHER}\n", [ONE, OTHER]),
        (f"{ONE}\r\n{OTHER}\r\n", [ONE, OTHER]),
        (f"{ONE}{OTHER}", [ONE, OTHER]),
        (f"{ONE} \t{OTHER} {ONE}", [ONE, OTHER, ONE]),
        (f"{ONE}{OTHER}\n{OTHER}", [ONE, OTHER, OTHER]),
        ("not JSON\n" + ONE, ["not JSON", ONE]),
        (f"\nnot JSON\n{ONE}\n", ["not JSON", ONE]),
        (ONE + "not JSON", [ONE + "not JSON"]),
        (ONE + OTHER + "not JSON", [ONE, OTHER, "not JSON"]),
        (ONE + OTHER[:-2] + "\n" + ONE, [ONE, OTHER[:-2], ONE]),
        ('{"subject":"}{"}\n' + ONE, ['{"subject":"}{"}', ONE]),
        ('{"subject":"}{"}' + ONE, ['{"subject":"}{"}', ONE]),
        ('{}{"a":' + "[" * 5000, ["{}", '{"a":' + "[" * 5000]),
    ],
)
def test_messages_end_at_newlines_and_at_ends_of_json_objects(content: str, messages: list[str]) -> None:
    assert list(split_messages(content.encode())) == messages


def test_a_line_that_is_not_utf_8_is_a_message_that_is_not_json() -> None:
    malformed, valid = list(split_messages(b'{"a":"\xff"}\n' + ONE.encode()))
    with pytest.raises(EnvelopeError, match="not-json"):
        open_record(Record(Carrier.SQS, "1", malformed))
    assert (malformed.encode("utf-8", "surrogateescape"), valid) == (b'{"a":"\xff"}', ONE)


@given(st.lists(json_objects(json_values()), max_size=8), st.data())
def test_all_objects_are_returned_in_order_whatever_separates_them(
    documents: list[dict[str, Any]], data: st.DataObject
) -> None:
    separators = st.sampled_from(["\n", "", "\r\n", " ", "\n\n"])
    texts = [json.dumps(document) for document in documents]
    content = "".join(document + data.draw(separators) for document in texts)
    assert list(split_messages(content.encode())) == texts


@given(st.binary() | st.lists(st.sampled_from([b"{", b"}", b"\n", b'"', b" ", b"\xff", b"1"])).map(b"".join))
@example(b"}{" * 50)
@example(b"\x1c")
def test_messages_of_an_object_hold_all_of_it_except_blanks(content: bytes) -> None:
    text_of_object = content.decode("utf-8", "surrogateescape")
    assert "".join("".join(split_messages(content)).split()) == "".join(text_of_object.split())


def test_a_message_of_an_object_is_opened_like_an_sqs_message() -> None:
    [message] = split_messages(text(a_delivery()).encode() + b"\n")
    opened = open_record(Record(Carrier.SQS, "1", message))
    assert isinstance(opened, Document)
    assert opened.fields == a_delivery()

"""What S3 tells of is found, and an object falls into the messages SES wrote, whatever stands between them."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ses_feedback.reading.envelope import Carrier, Document, EnvelopeError, Record, open_record
from ses_feedback.reading.s3_notifications import ObjectName, parse_object_names, split_messages
from tests.support.builders import a_bounce, a_delivery, a_mail, an_s3_notification, text
from tests.support.strategies import json_objects, json_values

HERE = ObjectName("deliveries", "deliveries/2026/03/01/12/stream-1")


def told(content: object) -> tuple[ObjectName, ...]:
    """Return the objects of a queue's record with that content."""
    return parse_object_names(Record(Carrier.SQS, "1", content))


# --- What S3 tells of -----------------------------------------------------------------------------------------------


def test_a_notification_names_its_object() -> None:
    """As text, which is how a queue carries it, and decoded, which is how it is handed over by hand."""
    notification = an_s3_notification(HERE.key)
    assert told(text(notification)) == told(notification) == told(notification["Records"][0]) == (HERE,)


def test_a_notification_may_name_several() -> None:
    """In S3's order."""
    assert told(text(an_s3_notification(HERE.key, "deliveries/2"))) == (HERE, ObjectName("deliveries", "deliveries/2"))


@pytest.mark.parametrize(
    ("written", "key"), [("deliveries/a%3Db", "deliveries/a=b"), ("deliveries/a+b", "deliveries/a b")]
)
def test_keys_are_decoded(written: str, key: str) -> None:
    """S3 writes keys as in a form: percent signs, and plus for a space."""
    assert told(text(an_s3_notification(written))) == (ObjectName("deliveries", key),)


def without(*path: str) -> dict[str, Any]:
    """Return a notification of two objects, the second of which lacks something."""
    notification = an_s3_notification(HERE.key, HERE.key)
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
        '{"Records": 3, "of": "aws:s3"}',
        '{"Records": null, "of": "aws:s3"}',
        text({"Records": [], "of": "aws:s3"}),
        text({"Records": [None, "aws:s3"]}),
        "[" * 5000 + '"aws:s3"',
        "\ud800aws:s3",
        None,
        17,
        [an_s3_notification(HERE.key)],
        text(without("eventSource")),
        text(without("s3")),
        text(without("s3", "bucket", "name")),
        text(without("s3", "object", "key")),
        text({"Records": [{**an_s3_notification(HERE.key)["Records"][0], "eventSource": "aws:sqs"}], "x": "aws:s3"}),
    ],
)
def test_what_is_no_notification_names_nothing(content: object) -> None:
    """Nor does one of which a part can't be understood: it is kept whole, not acknowledged for the rest."""
    assert told(content) == ()


# --- What is in an object -------------------------------------------------------------------------------------------

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
def test_messages_are_told_apart(content: str, messages: list[str]) -> None:
    """By newlines, as SES ends its documents, and where there is none by where a document ends."""
    assert list(split_messages(content.encode())) == messages


def test_bytes_that_are_no_text_are_no_message() -> None:
    """They stay with their line, which is not JSON."""
    broken, sound = list(split_messages(b'{"a":"\xff"}\n' + ONE.encode()))
    with pytest.raises(EnvelopeError, match="not-json"):
        open_record(Record(Carrier.SQS, "1", broken))
    assert (broken.encode("utf-8", "surrogateescape"), sound) == (b'{"a":"\xff"}', ONE)


@given(st.lists(json_objects(json_values()), max_size=8), st.data())
def test_no_document_is_lost(documents: list[dict[str, Any]], data: st.DataObject) -> None:
    """Whatever stands between documents, all of them are found, in their order, and nothing else is."""
    gaps = st.sampled_from(["\n", "", "\r\n", " ", "\n\n"])
    written = [json.dumps(one) for one in documents]
    content = "".join(one + data.draw(gaps) for one in written)
    assert list(split_messages(content.encode())) == written


@given(st.binary() | st.lists(st.sampled_from([b"{", b"}", b"\n", b'"', b" ", b"\xff", b"1"])).map(b"".join))
@example(b"}{" * 50)
@example(b"\x1c")
def test_messages_of_an_object_hold_all_of_it_except_blanks(content: bytes) -> None:
    text_of_object = content.decode("utf-8", "surrogateescape")
    assert "".join("".join(split_messages(content)).split()) == "".join(text_of_object.split())


def test_a_document_is_opened_as_if_it_had_come_alone() -> None:
    """What SES wrote is what is found."""
    [message] = split_messages(text(a_delivery()).encode() + b"\n")
    opened = open_record(Record(Carrier.SQS, "1", message))
    assert isinstance(opened, Document)
    assert opened.fields == a_delivery()

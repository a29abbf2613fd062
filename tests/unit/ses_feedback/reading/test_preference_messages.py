"""Preference messages: the parser accepts exactly the documents of the published schema."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ses_feedback.address import Address
from ses_feedback.reading.preference_messages import (
    PreferenceError,
    PreferenceMessage,
    is_preference,
    parse_preference,
)
from tests.support.builders import AT, RECIPIENT, Json, a_bounce, a_preference
from tests.support.preference_schema import SCHEMA, VALIDATOR


def reason_of(document: Json) -> str:
    """Return the reason why a document is no preference message, or an empty text."""
    try:
        parse_preference(document)
    except PreferenceError as error:
        return error.reason
    return ""


def test_a_message_has_the_fields_of_its_document() -> None:
    message = parse_preference(a_preference("unsubscribe", "newsletter", address="Ada <Ada@EXAMPLE.com>"))
    address = Address("ada@example.com", "Ada@example.com")
    assert message == PreferenceMessage("unsubscribe", address, AT, "request-1", "newsletter", "preference center")


@pytest.mark.parametrize("absent", [{"stream": None, "reason": None}, {}])
def test_stream_and_reason_are_optional(absent: Json) -> None:
    document = a_preference()
    del document["stream"], document["reason"]
    message = parse_preference(document | absent)
    assert (message.stream, message.stated_reason) == ("", "")


@pytest.mark.parametrize(
    ("text", "hour"),
    [("2026-11-28T12:00:00Z", 12), ("2026-11-28T12:00:00.5+02:00", 10), ("2026-11-28T12:00:00-00:30", 12)],
)
def test_a_time_may_have_an_offset_or_no_fraction(text: str, hour: int) -> None:
    time = parse_preference(a_preference(time=text)).time
    assert (time.tzinfo, time.hour) == (UTC, hour)


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"preference": "Unsubscribe"}, "preference: literal_error"),
        ({"version": 2}, "version: value_error"),
        ({"version": True}, "version: value_error"),
        ({"address": "no-at-sign"}, "address: value_error"),
        ({"address": "a@example.com, b@example.com"}, "address: value_error"),
        ({"address": 7}, "address: is_instance_of"),
        ({"stream": ""}, "stream: string_pattern_mismatch"),
        ({"stream": "*"}, "stream: string_pattern_mismatch"),
        ({"stream": ["newsletter"]}, "stream: string_type"),
        ({"stream": "newsletter\n"}, "stream: string_pattern_mismatch"),
        ({"reason": "x" * 201}, "reason: string_too_long"),
        ({"time": "2026-11-28"}, "time: string_pattern_mismatch"),
        ({"time": "2026-02-30T12:00:00Z"}, "time: no_time"),
        ({"time": "1969-12-31T12:00:00Z"}, "time: no_time"),
        ({"time": None}, "time: string_type"),
        ({"id": ""}, "id: string_pattern_mismatch"),
        ({"id": "a b"}, "id: string_pattern_mismatch"),
        ({"steam": "newsletter"}, "unknown field: extra_forbidden"),
    ],
)
def test_the_reason_names_the_malformed_field(fields: Json, where: str) -> None:
    assert reason_of(a_preference(**fields)) == f"malformed-preference: {where}"


def test_the_reason_names_every_missing_field() -> None:
    names = ("version", "address", "time", "id")
    expected = ", ".join(f"{name}: missing" for name in names)
    assert reason_of({"preference": "unsubscribe"}) == f"malformed-preference: {expected}"


def test_the_reason_contains_no_text_of_the_message() -> None:
    """An application can misplace anything."""
    secret = "secret@example.com"
    document = {
        secret: secret,
        **{name: secret for name in a_preference() if name != "address"},
        "address": f"{secret},",
    }
    assert "secret" not in reason_of(document)


def test_the_examples_of_the_schema_are_valid() -> None:
    for example in SCHEMA["examples"]:
        assert VALIDATOR.is_valid(example)
        assert parse_preference(example).time > datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("document", "expected"),
    [({"preference": 7}, True), (a_preference(), True), (a_bounce() | a_preference(), False), ({"mail": {}}, False)],
)
def test_a_document_with_a_preference_and_without_an_event_type_is_a_preference_message(
    document: Json,
    expected: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    assert is_preference(document) is expected


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 2),
    st.just(1.0),
    st.text(alphabet="aZ0-_ *é", max_size=70),
    st.sampled_from(["unsubscribe", "subscribe", "x" * 64, "x" * 65, "é" * 200, "é" * 201, RECIPIENT]),
    st.sampled_from(["2026-11-28T12:00:00Z", "2026-11-28T12:00:00.1234567890Z", "2026-11-28 12:00:00Z"]),
    st.just([]),
)
NAMES = st.sampled_from([*a_preference(), "streams"])


@given(st.dictionaries(NAMES, VALUES, max_size=3), st.sets(NAMES, max_size=2))
def test_the_parser_accepts_exactly_the_documents_of_the_schema(changes: dict[str, Any], missing: set[str]) -> None:
    """The schema cannot say which text is an address, so an address is valid or no text here."""
    if isinstance(changes.get("address"), str):
        changes["address"] = RECIPIENT
    document = {name: value for name, value in (a_preference() | changes).items() if name not in missing}
    valid = VALIDATOR.is_valid(document)
    if document.get("version") == 1 and type(document["version"]) is float:
        # JSON Schema has one kind of number. The parser requires the integer that the schema's `const` shows.
        valid = False
    assert (reason_of(document) == "") is valid

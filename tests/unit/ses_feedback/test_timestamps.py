"""Parsing and formatting of timestamps."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ses_feedback.timestamps import format_timestamp, parse_epoch_milliseconds, parse_timestamp, read_timestamp
from tests.support.strategies import texts

AT = datetime(2018, 10, 8, 14, 5, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2018-10-08T14:05:45.000Z",
        "2018-10-08T14:05:45Z",
        "2018-10-08T14:05:45",
        "2018-10-08T14:05:45+00:00",
        "2018-10-08T14:05:45 +0000",
        "2018-10-08T09:05:45.000-05:00",
        "2018-10-08T09:05:45-0500",
        "2018-10-08T19:35:45 +0530",
        "2018-10-08T14:05: 45.000Z",
        "2018-10-08T14 :05:45 Z",
        "2018-10-08T14:05:45.000 Z",
        "2018-10-08T14:05:45.000 +0000",
        "2018-10-08 14:05:45Z",
        "  2018-10-08T14:05:45Z\n",
        "2018-10-08T14:05:45.000999Z",
        "2018-10-08T14:05:45.000999999Z",
    ],
)
def test_every_published_form_is_parsed(text: str) -> None:
    """Milliseconds are optional, offsets have any form, and AWS's examples contain spaces."""
    assert parse_timestamp(text) == AT


@pytest.fixture
def _five_hours_behind_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the time zone of the process to UTC-5."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "EST5")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_five_hours_behind_utc")
def test_results_do_not_depend_on_the_time_zone_of_the_machine() -> None:
    parsed = [parse_timestamp(f"2018-10-08T14:05:45{offset}") for offset in ("", "Z", "+00:00")]
    parsed.append(parse_timestamp("2018-10-08T09:05:45-05:00"))
    assert [(moment, moment.tzinfo) for moment in parsed if moment] == [(AT, UTC)] * 4
    # Each time differs, because results are cached.
    zones = [timezone(timedelta(hours=hours)) for hours in (-5, 0, 9)]
    formatted = [format_timestamp(AT.replace(minute=zone).astimezone(zones[zone])) for zone in range(3)]
    assert formatted == [f"2018-10-08T14:0{zone}:45.000Z" for zone in range(3)]


def test_a_text_of_64_characters_is_parsed_and_a_longer_one_is_not() -> None:
    assert [parse_timestamp("2018-10-08T14:05:45Z".rjust(length)) for length in (64, 65)] == [AT, None]
    assert [parse_epoch_milliseconds("1539007545000".zfill(length)) for length in (64, 65)] == [AT, None]


def test_a_time_is_truncated_to_milliseconds() -> None:
    assert parse_timestamp("2018-10-08T14:05:45.123987Z") == AT + timedelta(milliseconds=123)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "yesterday", "Mon, 8 Oct 2018 14:05:45 +0000", "1539007545", "2018-13-08T14:05:45Z", "2018-10-08T"),
        *("2018-10-08T25:05:45Z", "2018-10-08T14:05:45+25:00", "\ud800", "2018-10-08T14:05:45\ud800Z", "\x00"),
        *("1969-12-31T23:59:59.999Z", "9000-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"),
        *("2018-10-08T14:05:45.000Z" + " " * 60, "9" * 5_000),
    ],
)
def test_text_that_is_no_time_and_times_of_broken_clocks_return_none(text: str) -> None:
    assert parse_timestamp(text) is None


def test_times_from_1970_until_the_end_of_8999_are_parsed() -> None:
    assert [
        format_timestamp(moment)
        for text in ("1970-01-01T00:00:00Z", "8999-12-31T23:59:59.9999Z")
        if (moment := parse_timestamp(text))
    ] == ["1970-01-01T00:00:00.000Z", "8999-12-31T23:59:59.999Z"]


def test_a_string_of_epoch_milliseconds_is_parsed() -> None:
    assert parse_epoch_milliseconds("1539007545123") == AT + timedelta(milliseconds=123)


@pytest.mark.parametrize(
    "text", ["", " 1", "-1", "1.5", "0x10", "\u0661", "9" * 16, "9" * 64, "9" * 65, "9" * 5_000, "221845392000000"]
)
def test_text_that_is_no_number_of_epoch_milliseconds_returns_none(text: str) -> None:
    assert parse_epoch_milliseconds(text) is None


def test_a_time_is_formatted_in_utc_with_milliseconds() -> None:
    assert format_timestamp(AT.astimezone(timezone(timedelta(hours=-5)))) == "2018-10-08T14:05:45.000Z"


def published_times() -> st.SearchStrategy[datetime]:
    """Return a strategy for times with the precision that SES publishes."""
    last = (datetime(9000, 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) - 1
    return st.integers(0, last).map(lambda number: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=number))


@given(published_times())
def test_a_formatted_time_is_parsed_to_the_same_time(moment: datetime) -> None:
    assert [moment] * 2 == [read(format_timestamp(moment)) for read in (parse_timestamp, read_timestamp)]


@given(published_times(), published_times())
def test_formatted_times_sort_chronologically(one: datetime, other: datetime) -> None:
    """Sort keys of the table depend on it."""
    assert (format_timestamp(one) < format_timestamp(other)) == (one < other)


@given(texts() | st.from_regex(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?[ Z+-][0-9:]{0,6}\Z"))
def test_any_text_returns_none_or_a_time_that_can_be_formatted_and_parsed(text: str) -> None:
    moment = parse_timestamp(text)
    if moment is None:
        with pytest.raises(ValueError, match="not a timestamp"):
            read_timestamp(text)
    else:
        assert [moment] * 2 == [read(format_timestamp(moment)) for read in (parse_timestamp, read_timestamp)]
    assert parse_epoch_milliseconds(text) is None or text.isdecimal()


@pytest.mark.parametrize("text", ["2026-06-30T23:59:60Z", "2026-06-30T23:59:60.123+0000"])
def test_a_leap_second_is_parsed_as_the_second_before_it(text: str) -> None:
    moment = parse_timestamp(text)
    assert moment is not None
    assert moment.replace(microsecond=0) == datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC)

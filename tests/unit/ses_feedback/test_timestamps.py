"""Which times are read, and how they are written."""

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
def test_every_published_form_is_read(text: str) -> None:
    """With milliseconds or without, an offset in any form, and the stray spaces of the developer guide."""
    assert parse_timestamp(text) == AT


@pytest.fixture
def _elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine's clock, five hours behind UTC."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "EST5")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_elsewhere")
def test_the_zone_of_the_machine_does_not_matter() -> None:
    """A time without an offset is in UTC, and every time is kept and written in UTC, wherever that is done."""
    read = [parse_timestamp(f"2018-10-08T14:05:45{offset}") for offset in ("", "Z", "+00:00")]
    read.append(parse_timestamp("2018-10-08T09:05:45-05:00"))
    assert [(moment, moment.tzinfo) for moment in read if moment] == [(AT, UTC)] * 4
    # Each of another moment: what was written before is remembered.
    zones = [timezone(timedelta(hours=hours)) for hours in (-5, 0, 9)]
    written = [format_timestamp(AT.replace(minute=zone).astimezone(zones[zone])) for zone in range(3)]
    assert written == [f"2018-10-08T14:0{zone}:45.000Z" for zone in range(3)]


def test_a_time_has_a_longest_text() -> None:
    """64 characters, blanks included: nothing that long is a time SES publishes."""
    assert [parse_timestamp("2018-10-08T14:05:45Z".rjust(length)) for length in (64, 65)] == [AT, None]
    assert [parse_epoch_milliseconds("1539007545000".zfill(length)) for length in (64, 65)] == [AT, None]


def test_a_time_is_cut_to_the_millisecond() -> None:
    """Finer is published nowhere, so what went through the table equals what did not."""
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
def test_what_is_no_time_is_none(text: str) -> None:
    """Other forms, impossible times, and those of a clock that is plainly broken."""
    assert parse_timestamp(text) is None


def test_the_first_and_the_last_time() -> None:
    """From 1970 up to 9000 times are believed."""
    assert [
        format_timestamp(moment)
        for text in ("1970-01-01T00:00:00Z", "8999-12-31T23:59:59.9999Z")
        if (moment := parse_timestamp(text))
    ] == ["1970-01-01T00:00:00.000Z", "8999-12-31T23:59:59.999Z"]


def test_epoch_milliseconds_are_read() -> None:
    """SQS gives its SentTimestamp as a string of them."""
    assert parse_epoch_milliseconds("1539007545123") == AT + timedelta(milliseconds=123)


@pytest.mark.parametrize(
    "text", ["", " 1", "-1", "1.5", "0x10", "\u0661", "9" * 16, "9" * 64, "9" * 65, "9" * 5_000, "221845392000000"]
)
def test_what_are_no_epoch_milliseconds_is_none(text: str) -> None:
    """Signs, other digits, and numbers past the last time that is believed."""
    assert parse_epoch_milliseconds(text) is None


def test_a_time_is_written_in_utc() -> None:
    """With milliseconds and a Z, whatever its zone."""
    assert format_timestamp(AT.astimezone(timezone(timedelta(hours=-5)))) == "2018-10-08T14:05:45.000Z"


def published_times() -> st.SearchStrategy[datetime]:
    """Return times as precise as SES publishes them."""
    last = (datetime(9000, 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) - 1
    return st.integers(0, last).map(lambda number: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=number))


@given(published_times())
def test_a_written_time_is_read_as_itself(moment: datetime) -> None:
    """What the table holds is what the feedback said."""
    assert [moment] * 2 == [read(format_timestamp(moment)) for read in (parse_timestamp, read_timestamp)]


@given(published_times(), published_times())
def test_written_times_sort_as_times_do(one: datetime, other: datetime) -> None:
    """Sort keys of the table are in the order of time."""
    assert (format_timestamp(one) < format_timestamp(other)) == (one < other)


@given(texts() | st.from_regex(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?[ Z+-][0-9:]{0,6}\Z"))
def test_any_text_is_a_time_or_none(text: str) -> None:
    """Reading never fails, and what is read can be written and read again."""
    moment = parse_timestamp(text)
    if moment is None:
        with pytest.raises(ValueError, match="not a timestamp"):
            read_timestamp(text)
    else:
        assert [moment] * 2 == [read(format_timestamp(moment)) for read in (parse_timestamp, read_timestamp)]
    assert parse_epoch_milliseconds(text) is None or text.isdecimal()


@pytest.mark.parametrize("text", ["2026-06-30T23:59:60Z", "2026-06-30T23:59:60.123+0000"])
def test_a_leap_second_is_the_second_before(text: str) -> None:
    """ISO 8601 has leap seconds; a bounce at one must keep its own time."""
    moment = parse_timestamp(text)
    assert moment is not None
    assert moment.replace(microsecond=0) == datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC)

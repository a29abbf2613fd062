"""The time of a replay is that of the newest event."""

from datetime import UTC, datetime, timedelta

import pytest

from feedbackctl.replay.event_times import find_newest_time
from feedbackctl.replay.message_files import Message
from tests.support.builders import AT, START, a_bounce, a_preference, an_sqs_event, text


def newest(*contents: object) -> datetime | None:
    """Return the newest time in messages."""
    return find_newest_time(
        Message("file", content if isinstance(content, str | dict) else "", 1) for content in contents
    )


def test_newest_of_several_events_counts() -> None:
    later = START + timedelta(days=3)
    assert newest(text(a_bounce()), text(a_bounce(at=later)), text(a_bounce())) == later


def test_lambda_event_counts_by_its_records() -> None:
    time = newest(an_sqs_event(a_bounce()))
    assert time is not None
    assert time >= AT


def test_date_long_after_the_email_does_not_count() -> None:
    """It is the date of a wrong clock."""
    assert newest(text(a_bounce(at=START + timedelta(days=29)))) == START


def test_preference_message_counts_by_its_own_time() -> None:
    assert newest(text(a_bounce()), text(a_preference(time="2026-05-01T08:00:00Z"))) == datetime(
        2026, 5, 1, 8, tzinfo=UTC
    )


def test_preference_message_is_not_later_than_its_carrier() -> None:
    time = newest(an_sqs_event(a_preference(time="2031-01-01T00:00:00Z")))
    assert time == newest(an_sqs_event(a_bounce()))


@pytest.mark.parametrize("content", ['{"preference": 1}', "not JSON", "{}", {"Records": []}, {"Records": [7]}])
def test_message_without_an_event_has_no_time(content: object) -> None:
    assert newest(content) is None

"""The time of the newest event in messages: a replay runs at that time, so a file has the same result on any day."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from feedbackctl.replay.message_files import Message
from feedbackctl.unpacking.containers import is_event
from ses_feedback.reading.envelope import Carrier, Document, EnvelopeError, Record, open_record, read_records
from ses_feedback.reading.preference_messages import PreferenceError, is_preference, parse_preference
from ses_feedback.reading.ses_events import Feedback, FeedbackError, parse_feedback

_LATEST = timedelta(days=28)
"""Time after its email within which an event counts: a later date is that of a wrong clock."""


def find_newest_time(messages: Iterable[Message]) -> datetime | None:
    """Return the time of the newest event in `messages`, or None if no event has a time."""
    return max((time for message in messages for time in _times(message)), default=None)


def _times(message: Message) -> Iterator[datetime]:
    content = message.content
    for record in _records(content):
        try:
            document = open_record(record)
            if isinstance(document, Document) and is_preference(document.fields):
                time = parse_preference(document.fields).time
                yield min(time, document.sent_at) if document.sent_at else time
            elif isinstance(document, Document):
                yield from _times_of(parse_feedback(document.fields), document.sent_at)
        except (EnvelopeError, FeedbackError, PreferenceError):
            continue  # the functions put it in quarantine


def _records(content: str | dict[str, Any]) -> list[Record]:
    if isinstance(content, str):
        return [Record(Carrier.INVOKE, "", content)]
    return read_records(content if is_event(content) else {"Records": [content]})


def _times_of(feedback: Feedback, sent_at: datetime | None) -> Iterator[datetime]:
    mailed_at, own = feedback.mail.timestamp if feedback.mail else None, feedback.event_time
    latest = sent_at or (mailed_at + _LATEST if mailed_at else None)
    yield from (time for time in (mailed_at, own) if time and (latest is None or time <= latest))
    if sent_at:
        yield sent_at

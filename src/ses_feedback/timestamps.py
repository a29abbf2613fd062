"""Timestamps of SES and of the services that carry its events, as UTC with a precision of milliseconds.

SES publishes milliseconds at most. With one precision everywhere, a time that was stored equals the time in the event.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

# The page below prints "2018-10-08T14:05:45 +0000". Copies of AWS's examples have "13:16: 09.222Z". Both occur in
# events. https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
_STRAY_SPACE = re.compile(r"(?<=:)\s+|\s+(?=:)|\s+(?=[+-]\d{2}:?\d{2}$)|\s+(?=Z$)")
# ISO 8601 has leap seconds; Python has none.
_LEAP_SECOND = re.compile(r"(?<=:\d\d:)60")
_LONGEST = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END = datetime(9000, 1, 1, tzinfo=UTC)


def parse_timestamp(text: str) -> datetime | None:
    """Return the UTC time in `text`, truncated to milliseconds, or None if there is none.

    ISO 8601 is accepted with `Z`, with an offset (`-05:00`, `-0500`), or without either (UTC). The spaces that occur
    in AWS's examples are ignored. Times before 1970 and after 8999 come from a broken clock and are rejected, because
    arithmetic on them may overflow.
    """
    if len(text) > _LONGEST:
        return None
    text = text.strip()
    if ":60" in text:
        text = _LEAP_SECOND.sub("59", text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(_STRAY_SPACE.sub("", text))
        except ValueError:
            return None
    return _utc_milliseconds(moment)


def read_timestamp(text: str) -> datetime:
    """Return the UTC time in a text that `format_timestamp` returned.

    Raises:
        ValueError: `parse_timestamp` does not accept the text.

    """
    moment = parse_timestamp(text)
    if moment is None:
        raise ValueError("the text is not a timestamp")
    return moment


def parse_epoch_milliseconds(text: str) -> datetime | None:
    """Return the UTC time of a string of epoch milliseconds, or None if it is not one.

    SQS uses this format for `SentTimestamp`: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    """
    if not text.isascii() or not text.isdecimal() or len(text) > _LONGEST:
        return None
    try:
        moment = _EPOCH + timedelta(milliseconds=int(text))
    except OverflowError:
        return None
    return moment if moment < _END else None


# One time is formatted repeatedly: for its register, for the status, for the history.
@lru_cache(1024)
def format_timestamp(moment: datetime) -> str:
    """Return `moment` as `2026-11-22T12:00:00.000Z`. Alphabetical order of these texts is chronological."""
    moment = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _utc_milliseconds(moment: datetime) -> datetime | None:
    if moment.tzinfo is not UTC:
        try:
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except OverflowError:
            return None
    if not _EPOCH <= moment < _END:
        return None
    microseconds = moment.microsecond % 1000
    return moment.replace(microsecond=moment.microsecond - microseconds) if microseconds else moment

"""Read every form of timestamp SES and its carriers publish, as UTC to the millisecond.

Milliseconds because that is the finest SES publishes; one precision everywhere keeps a time that went through the
contact store equal to the time that came out of the message.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

# SES's documentation prints "2018-10-08T14:05:45 +0000" and, wrapped, "13:16: 09.222Z"; both are copied into the wild.
_STRAY_SPACE = re.compile(r"(?<=:)\s+|\s+(?=:)|\s+(?=[+-]\d{2}:?\d{2}$)|\s+(?=Z$)")
# ISO 8601 has leap seconds, Python does not.
_LEAP_SECOND = re.compile(r"(?<=:\d\d:)60")
_LONGEST = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END = datetime(9000, 1, 1, tzinfo=UTC)


def parse_timestamp(text: str) -> datetime | None:
    """Return the UTC time `text` names, cut to milliseconds, or None when it names none.

    Accepts ISO 8601 with `Z`, an offset (`-05:00`, `-0500`) or neither (read as UTC), and the stray spaces of the
    SES developer guide. Times before 1970 and from 9000 on are refused: they are a broken clock's, and arithmetic on
    them could overflow.
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
    """Return the UTC time that `format_timestamp` wrote.

    Raises:
        ValueError: the text names no time that `parse_timestamp` accepts.

    """
    moment = parse_timestamp(text)
    if moment is None:
        raise ValueError("this is no timestamp")
    return moment


def parse_epoch_milliseconds(text: str) -> datetime | None:
    """Return the UTC time of an SQS `SentTimestamp` (a string of epoch milliseconds), or None when it is not one."""
    if not text.isascii() or not text.isdecimal() or len(text) > _LONGEST:
        return None
    try:
        moment = _EPOCH + timedelta(milliseconds=int(text))
    except OverflowError:
        return None
    return moment if moment < _END else None


# One moment is written several times over: beside its register, beside the status, in the history.
@lru_cache(1024)
def format_timestamp(moment: datetime) -> str:
    """Return `moment` as `2026-11-22T12:00:00.000Z`, a form whose alphabetical order is its order in time."""
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
    finer = moment.microsecond % 1000
    return moment.replace(microsecond=moment.microsecond - finer) if finer else moment

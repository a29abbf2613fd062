"""Dates as other systems write them: ISO 8601, RFC 5322, or seconds or milliseconds since 1970."""

import re
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from feedbackctl.suppression_files.model import Problem
from ses_feedback.timestamps import format_timestamp, parse_epoch_milliseconds, parse_timestamp

_EPOCH_SECONDS = re.compile(r"\d{9,10}(\.\d{1,9})?")
_EPOCH_MILLISECONDS = re.compile(r"\d{12,13}")
_ZONE_NAME = re.compile(r" (UTC|GMT)$")
_CLOCK_DIFFERENCE = timedelta(days=1)
"""Time by which a date may be ahead of this machine's clock, as a date in another time zone is."""


def parse_date(text: str, now: datetime) -> datetime:
    """Return the time in `text`, at most `now`.

    Raises:
        Problem: it is no date, or one that two countries read differently, or it is in the future.

    """
    moment = _parse(text.strip())
    if moment is None:
        raise Problem("the date is not ISO 8601, RFC 5322 or seconds since 1970")
    if moment > now + _CLOCK_DIFFERENCE:
        raise Problem("the date is in the future")
    return min(moment, now)


def _parse(text: str) -> datetime | None:
    if _EPOCH_SECONDS.fullmatch(text):
        seconds, _, fraction = text.partition(".")
        return parse_epoch_milliseconds(seconds + fraction[:3].ljust(3, "0"))
    if _EPOCH_MILLISECONDS.fullmatch(text):
        return parse_epoch_milliseconds(text)
    return parse_timestamp(_ZONE_NAME.sub("Z", text)) or _parse_mail_date(text)


def _parse_mail_date(text: str) -> datetime | None:
    """Return the time of a date as in an email's header: https://www.rfc-editor.org/rfc/rfc5322#section-3.3."""
    try:
        moment = parsedate_to_datetime(text)
        return parse_timestamp(format_timestamp(moment) if moment.tzinfo else moment.isoformat())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None

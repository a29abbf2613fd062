"""Number messages by the time they were sent, and find the UTC day of a message.

A message's number is `mail.timestamp` in milliseconds since 1970 (41 bits), followed by a 32-bit hash of
`mail.messageId`. Numbers order messages by time; two events with one number are about one message. DynamoDB stores the
number in twelve bytes
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html).
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zlib import crc32

HASH_BITS = 32
MILLISECONDS_A_DAY = 86_400_000
NUMBERS_A_DAY = MILLISECONDS_A_DAY << HASH_BITS
"""Message numbers of one UTC day: `number // NUMBERS_A_DAY` is the day."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DATE = date(1970, 1, 1)
_MILLISECOND = timedelta(milliseconds=1)


def number_message(sent_at: datetime, message_id: str) -> int:
    """Return the number of the message that SES sent at `sent_at` under the id `message_id`."""
    milliseconds = (sent_at - _EPOCH) // _MILLISECOND
    return milliseconds << HASH_BITS | crc32(message_id.encode("utf-8", "replace"))


def day_of_message(number: int) -> int:
    """Return the UTC day of a message number, in days since 1970-01-01."""
    return number // NUMBERS_A_DAY


def day_of_time(time: datetime) -> int:
    """Return the UTC day of `time`, in days since 1970-01-01."""
    return (time - _EPOCH).days


@lru_cache(64)
def date_of_day(day: int) -> date:
    """Return the date of a day counted from 1970-01-01."""
    return _EPOCH_DATE + timedelta(days=day)


def start_of_day(day: int) -> datetime:
    """Return midnight UTC at the start of a day counted from 1970-01-01."""
    return _EPOCH + timedelta(days=day)

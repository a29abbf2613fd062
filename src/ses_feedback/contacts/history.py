"""History items: one DynamoDB item per SES event that concerned a contact."""

import hashlib
from datetime import datetime, timedelta
from operator import attrgetter

from ses_feedback.contacts.record import Item
from ses_feedback.judging.facts import Fact
from ses_feedback.message_order import date_of_day, day_of_message
from ses_feedback.timestamps import format_timestamp

HISTORY_A_DAY = 64
"""Items kept of one contact, day, rule and stream: a recipient can answer one email with any number of bounces."""


def history_item(fact: Fact, keep_days: int, now: datetime) -> Item:
    """Return the history item of `fact`: the event's fields, the verdict, and the rule that gave it.

    The key depends on the feedback alone, so copies of the same feedback are one item. Its day is that of the email,
    which SES dates: a mail server can date a bounce freely, and must not fill the history by that. Of one day, rule and
    declared stream a contact has `HISTORY_A_DAY` items; feedback with the slot of another is not stored. The stream is
    in the key so that the facts of one message never share a slot. `now` bounds only the expiry:
    DynamoDB never removes an item that expired more than five years ago
    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html), and a clock that is ahead
    must not keep an item forever.
    """
    details = fact.details
    at = format_timestamp(fact.at)
    identity = f"{details.kind}\x1f{details.message_id}\x1f{details.feedback_id}\x1f{at}\x1f"
    slot = hashlib.sha256(identity.encode()).digest()[0] % HISTORY_A_DAY
    day = date_of_day(day_of_message(fact.message)).isoformat()
    record = f"feedback#{day}#{fact.rule}#{slot:02x}"
    item: Item = {
        "address": {"S": fact.address.key},
        "record": {"S": f"{record}#{fact.stream}" if fact.stream else record},
        "at": {"S": at},
        "verdict": {"S": fact.verdict.value},
        "rule": {"S": fact.rule},
        "expires_at": {"N": str(int(max(min(fact.at, now) + timedelta(days=keep_days), now).timestamp()))},
    }
    for name, text in zip(_TEXTS, _fact_texts(fact) + _detail_texts(details), strict=True):
        if text:
            item[name] = {"S": text}
    if details.tags:
        item["tags"] = {"M": {name: {"S": text} for name, text in details.tags}}
    return item


_FACT_TEXTS = ("reason", "configuration_set", "stream")
_DETAILS = (
    "kind",
    "type",
    "sub_type",
    "message_id",
    "feedback_id",
    "action",
    "status",
    "diagnostic_code",
    "tenant",
    "stated_reason",
)
_TEXTS = _FACT_TEXTS + _DETAILS
_fact_texts = attrgetter(*_FACT_TEXTS)
_detail_texts = attrgetter(*_DETAILS)

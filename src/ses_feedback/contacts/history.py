"""History items: one DynamoDB item per SES event that concerned a contact."""

import hashlib
from datetime import datetime, timedelta
from operator import attrgetter

from ses_feedback.contacts.record import Item
from ses_feedback.judging.facts import EventDetails, Fact
from ses_feedback.timestamps import format_timestamp

HISTORY_A_DAY = 64
"""Places for the history of one contact, day and rule: without a bound, one mail could be answered with any number."""


def history_item(fact: Fact, keep_days: int, now: datetime) -> Item:
    """Return the history record of `fact`: what SES said, the verdict, and the rule that gave it.

    Its key comes from the feedback alone, so that the same feedback, however often and however it comes, is one record.
    Whoever got one mail can answer it with thousands of bounces: of one rule and day a contact has `HISTORY_A_DAY`
    places, and what falls on a place that is taken is not kept (of two, one time in so many). `now` only bounds when it
    is removed: DynamoDB never removes what expired more than five years ago, and a clock that runs ahead must not keep
    a record for good.
    """
    said = fact.said
    at = format_timestamp(fact.at)
    identity = f"{said.kind}\x1f{said.message_id}\x1f{said.feedback_id}\x1f{at}"
    slot = hashlib.sha256(identity.encode()).digest()[0] % HISTORY_A_DAY
    item: Item = {
        "address": {"S": fact.address.key},
        "record": {"S": f"feedback#{at[:10]}#{fact.rule}#{slot:02x}"},
        "at": {"S": at},
        "verdict": {"S": fact.verdict.value},
        "rule": {"S": fact.rule},
        "expires_at": {"N": str(int(max(min(fact.at, now) + timedelta(days=keep_days), now).timestamp()))},
    }
    item |= {name: {"S": value} for name, value in zip(_IF_SAID, _if_said(fact), strict=True) if value}
    return item


_IF_SAID = ("reason", "configuration_set", *EventDetails.__struct_fields__)
_if_said = attrgetter("reason", "configuration_set", *(f"said.{name}" for name in EventDetails.__struct_fields__))

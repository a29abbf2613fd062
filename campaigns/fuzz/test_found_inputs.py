"""What the campaigns, or somebody's suspicion, found: each the smallest payload that showed it."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from benchmarks.dynamodb_units import item_size
from campaigns.fuzz.harness import NOW, House
from campaigns.fuzz.invariants import MAX_ITEM_BYTES, original
from ses_feedback.aws.quarantine import MAX_MESSAGE_BYTES
from ses_feedback.processing.results import Disposition
from tests.support.builders import (
    OTHER_RECIPIENT,
    RECIPIENT,
    a_bounce,
    a_bounced_recipient,
    a_complaint,
    a_delivery,
    a_mail,
    an_sqs_event,
    an_sqs_record,
    on_day,
)

Json = Any

WRONG = {"a number": 5, "a list": [], "an object": {"a": 1}, "nothing": None}


@pytest.fixture
def house() -> House:
    """A house in which nothing happened."""
    house = House()
    house.clear()
    return house


def contacts(house: House) -> Sequence[str]:
    """Return the addresses of the contacts there are."""
    return sorted(address for address, record in house.table.items if record == "contact")


def test_an_address_of_wide_characters_makes_no_large_item(house: House) -> None:
    """RFC 5321 counts octets: 320 characters of four each, kept in sixteen variants, are 21 KB."""
    for mask in range(16):
        letters = "".join(letter.upper() if mask >> bit & 1 else letter for bit, letter in enumerate("abcd"))
        house.feedback(an_sqs_event(a_bounce(recipients=[f"{letters}{chr(0x1F600) * 300}@example.com"])))
    assert max(map(item_size, house.table.items.values()), default=0) <= MAX_ITEM_BYTES


@pytest.mark.parametrize("size", [MAX_MESSAGE_BYTES - 1_024, MAX_MESSAGE_BYTES - 1_023, MAX_MESSAGE_BYTES])
def test_poison_as_long_as_a_message_may_be_is_quarantined(house: House, size: int) -> None:
    """What a queue carried, another can: text that does not shrink must not come again for ever."""
    chance = Random(1)  # noqa: S311 (repeatable chance, not secrecy)
    body = "".join(chr(chance.randrange(33, 127)) for _ in range(size))
    [outcome] = house.feedback(an_sqs_event(body)).results
    assert (outcome.disposition, outcome.reason) == (Disposition.QUARANTINED, "not-json")
    assert [original(*kept) == body for kept in house.sqs.kept] == [True]


def _with(recipients: list[Json], kind: str) -> Json:
    if kind == "delivery":
        return a_delivery(recipients=recipients)
    document = a_bounce() if kind == "bounce" else a_complaint()
    document[kind]["bouncedRecipients" if kind == "bounce" else "complainedRecipients"] = recipients
    return document


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("kind", ["bounce", "complaint", "delivery"])
def test_a_recipient_of_a_wrong_type_keeps_no_other_off(house: House, kind: str, wrong: Json) -> None:
    """Decision 7: the usable ones are applied, and the message is quarantined for the sake of the other."""
    recipients = [RECIPIENT, wrong] if kind == "delivery" else [{"emailAddress": RECIPIENT}, wrong]
    [outcome] = house.feedback(an_sqs_event(_with(recipients, kind))).results
    assert (outcome.disposition, outcome.reason) == (Disposition.QUARANTINED, "unusable-recipient")
    assert contacts(house) == [RECIPIENT]


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_an_address_of_a_wrong_type_keeps_no_other_off(house: House, wrong: Json) -> None:
    """As above, for a recipient whose address is of a wrong type."""
    recipients = [{"emailAddress": wrong}, a_bounced_recipient(), {"emailAddress": OTHER_RECIPIENT}]
    [outcome] = house.feedback(an_sqs_event(_with(recipients, "bounce"))).results
    assert (outcome.disposition, outcome.reason) == (Disposition.QUARANTINED, "unusable-recipient")
    assert contacts(house) == [OTHER_RECIPIENT, RECIPIENT]


def _handed_over(house: House, document: Json, *days: float) -> Json:
    """Hand a message over, taken by its queue on each of these days; return what is stored."""
    for day in days:
        sent = {"SentTimestamp": str(round(on_day(day).timestamp() * 1_000))}
        house.feedback({"Records": [an_sqs_record(document, attributes=sent)]})
    return {
        key: {name: value for name, value in item.items() if name not in {"rev", "pending_since", "pending_at"}}
        for key, item in house.table.items.items()
    }


def test_a_time_ahead_counts_once_however_often_the_message_comes(house: House) -> None:
    """One soft bounce dated ahead is one soft_bounce, and one record, although a redrive makes its message a new one."""
    bounce = a_bounce("Transient", "MailboxFull", at=on_day(30))
    stored = _handed_over(house, bounce, 0)
    assert _handed_over(house, bounce, 1, 2, 3, 4) == stored


def test_no_time_at_all_counts_once_however_often_the_message_comes(house: House) -> None:
    """As above, for a message that does not say when."""
    bounce = a_bounce("Transient", "MailboxFull", timestamp=None, mail=a_mail(timestamp=None))
    stored = _handed_over(house, bounce, 0)
    assert _handed_over(house, bounce, 1, 2, 3, 4) == stored


def test_history_of_a_time_far_ahead_ends(house: House) -> None:
    """Where nobody says when a message was sent, its own time may be any; its record is removed all the same."""
    house.feedback(a_bounce(at=datetime(8999, 1, 1, tzinfo=UTC), mail=a_mail(timestamp=None)))
    [expires] = [int(item["expires_at"]["N"]) for item in house.table.items.values() if "expires_at" in item]
    assert expires <= (NOW.timestamp() + 366 * 86_400)


def test_a_field_said_twice_is_the_one_said_last(house: House) -> None:
    """JSON leaves it open; whoever reads the message again, from quarantine or anywhere, reads the same."""
    text = json.dumps(a_bounce()).replace('"bounceType"', '"bounceType": "Transient", "bounceType"')
    [outcome] = house.feedback(an_sqs_event(text)).results
    assert outcome.disposition is Disposition.APPLIED
    assert [item["status"]["S"] for item in house.table.items.values() if "status" in item and "rev" in item] == [
        "bounced"
    ]

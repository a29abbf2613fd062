"""Inputs that once broke a promise, each the simplest that did."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from benchmarks.dynamodb_units import item_size
from campaigns.fuzz.canaries import find_leaks, undocumented
from campaigns.fuzz.harness import NOW, Harness, Invocation
from campaigns.fuzz.invariants import MAX_ITEM_BYTES, original_text
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

WRONG_TYPES = {"a number": 5, "a list": [], "an object": {"a": 1}, "null": None}


@pytest.fixture
def harness() -> Harness:
    """A harness without contacts."""
    harness = Harness()
    harness.clear()
    return harness


def addresses(harness: Harness) -> Sequence[str]:
    """Return the addresses of the stored contacts."""
    return sorted(address for address, record in harness.table.items if record == "contact")


def outcome(invocation: Invocation) -> tuple[Disposition, str]:
    """Return the disposition and the reason of the only record."""
    [result] = invocation.results
    return result.disposition, result.reason


def test_address_of_wide_characters_makes_no_large_item(harness: Harness) -> None:
    """RFC 5321 counts octets: 320 characters of four octets each, in sixteen stored variants, would be 21 KB."""
    for mask in range(16):
        letters = "".join(letter.upper() if mask >> bit & 1 else letter for bit, letter in enumerate("abcd"))
        harness.feedback(an_sqs_event(a_bounce(recipients=[f"{letters}{chr(0x1F600) * 300}@example.com"])))
    assert max(map(item_size, harness.table.items.values()), default=0) <= MAX_ITEM_BYTES


@pytest.mark.parametrize("size", [MAX_MESSAGE_BYTES - 1_024, MAX_MESSAGE_BYTES - 1_023, MAX_MESSAGE_BYTES])
def test_incompressible_message_of_maximum_size_is_quarantined(harness: Harness, size: int) -> None:
    rng = Random(1)  # noqa: S311 (repeatable, not secret)
    body = "".join(chr(rng.randrange(33, 127)) for _ in range(size))
    assert outcome(harness.feedback(an_sqs_event(body))) == (Disposition.QUARANTINED, "not-json")
    assert [original_text(*kept) == body for kept in harness.sqs.kept] == [True]


def _with_recipients(recipients: list[Json], kind: str) -> Json:
    if kind == "delivery":
        return a_delivery(recipients=recipients)
    document = a_bounce() if kind == "bounce" else a_complaint()
    document[kind]["bouncedRecipients" if kind == "bounce" else "complainedRecipients"] = recipients
    return document


@pytest.mark.parametrize("wrong", WRONG_TYPES.values(), ids=WRONG_TYPES)
@pytest.mark.parametrize("kind", ["bounce", "complaint", "delivery"])
def test_recipient_of_a_wrong_type_does_not_prevent_the_others(harness: Harness, kind: str, wrong: Json) -> None:
    """Decision 7: usable recipients are applied, and the message is quarantined."""
    recipients = [RECIPIENT, wrong] if kind == "delivery" else [{"emailAddress": RECIPIENT}, wrong]
    invocation = harness.feedback(an_sqs_event(_with_recipients(recipients, kind)))
    assert outcome(invocation) == (Disposition.QUARANTINED, "unusable-recipient")
    assert addresses(harness) == [RECIPIENT]


@pytest.mark.parametrize("wrong", WRONG_TYPES.values(), ids=WRONG_TYPES)
def test_address_of_a_wrong_type_does_not_prevent_the_others(harness: Harness, wrong: Json) -> None:
    recipients = [{"emailAddress": wrong}, a_bounced_recipient(), a_bounced_recipient(OTHER_RECIPIENT)]
    invocation = harness.feedback(an_sqs_event(_with_recipients(recipients, "bounce")))
    assert outcome(invocation) == (Disposition.QUARANTINED, "unusable-recipient")
    assert addresses(harness) == [OTHER_RECIPIENT, RECIPIENT]


def test_address_in_the_status_of_a_bounce_is_not_published(harness: Harness) -> None:
    """The status is text of a mail server. Only an enhanced status code leaves the contact store."""
    document = a_bounce()
    document["bounce"]["bouncedRecipients"] = [{**a_bounced_recipient(), "status": OTHER_RECIPIENT}]
    assert outcome(harness.feedback(an_sqs_event(document)))[0] is Disposition.APPLIED
    harness.stream()
    assert [detail["status_code"] for detail in harness.events.published] == [""]
    assert not any(find_leaks(undocumented(detail)) for detail in harness.events.published)


def _stored_after(harness: Harness, document: Json, *days: float) -> Json:
    """Deliver a message that its queue received on each of these days; return the stored items."""
    for day in days:
        sent = {"SentTimestamp": str(round(on_day(day).timestamp() * 1_000))}
        harness.feedback({"Records": [an_sqs_record(document, attributes=sent)]})
    return {
        key: {name: value for name, value in item.items() if name not in {"rev", "pending_since", "pending_at"}}
        for key, item in harness.table.items.items()
    }


def test_event_with_a_future_time_counts_once_for_all_redeliveries(harness: Harness) -> None:
    """One soft bounce remains one soft-bounce day and one history record, although a redrive changes its sent time."""
    bounce = a_bounce("Transient", "MailboxFull", at=on_day(30))
    stored = _stored_after(harness, bounce, 0)
    assert _stored_after(harness, bounce, 1, 2, 3, 4) == stored


def test_event_without_a_time_counts_once_for_all_redeliveries(harness: Harness) -> None:
    bounce = a_bounce("Transient", "MailboxFull", timestamp=None, mail=a_mail(timestamp=None))
    stored = _stored_after(harness, bounce, 0)
    assert _stored_after(harness, bounce, 1, 2, 3, 4) == stored


def test_history_of_an_event_far_in_the_future_expires(harness: Harness) -> None:
    harness.feedback(a_bounce(at=datetime(8999, 1, 1, tzinfo=UTC), mail=a_mail(timestamp=None)))
    [expires] = [int(item["expires_at"]["N"]) for item in harness.table.items.values() if "expires_at" in item]
    assert expires <= (NOW.timestamp() + 366 * 86_400)


def test_last_value_of_a_duplicate_name_is_used(harness: Harness) -> None:
    """RFC 8259, section 4, leaves the behavior open. Later readers of the message, in quarantine or not, agree."""
    text = json.dumps(a_bounce()).replace('"bounceType"', '"bounceType": "Transient", "bounceType"')
    [result] = harness.feedback(an_sqs_event(text)).results
    assert result.disposition is Disposition.APPLIED
    contacts = [item for item in harness.table.items.values() if "status" in item and "rev" in item]
    assert [item["status"]["S"] for item in contacts] == ["bounced"]

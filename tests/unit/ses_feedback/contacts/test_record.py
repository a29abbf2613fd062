"""A contact as the table holds it, and what it still owes to the suppression list and to the outside world."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ses_feedback.contacts.contact import Contact, Evidence, merge
from ses_feedback.contacts.history import HISTORY_A_DAY, history_item
from ses_feedback.contacts.record import (
    SHARDS,
    UNREADABLE,
    ContactRecord,
    ContactRecordError,
    become,
    decode,
    encode,
    key,
    learn,
    marked,
    refreshed,
    shard,
    without_lease,
    written,
)
from ses_feedback.contacts.status import UNLISTED, Limits, Status
from ses_feedback.immutable import replace
from ses_feedback.judging.facts import EventDetails, Fact, ListReason, Verdict
from ses_feedback.message_order import number_message
from tests.support.builders import (
    AT,
    CONFIGURATION_SET,
    FEEDBACK_ID,
    MESSAGE_ID,
    RECIPIENT,
    START,
    a_contact,
    a_fact,
    an_echo,
    on_day,
    soft_bounce_days,
)

LIMITS = Limits()
NOW = on_day(1)
LATER = on_day(2)
UNKNOWN = ContactRecord(Contact(RECIPIENT))


def learnt(*facts: Fact, stored: ContactRecord = UNKNOWN) -> ContactRecord:
    """Return what `stored` becomes when it learns `facts`, which change it."""
    after = learn(stored, facts, LIMITS, NOW)
    assert after
    return after


def report(stored: ContactRecord, synced: str = UNLISTED) -> ContactRecord:
    """Return `stored` after the list and the outside world have report it."""
    return replace(
        stored,
        published=stored.status,
        synced=synced,
        list_pending=False,
        publish_pending=False,
        pending_since=None,
    )


BOUNCED = learnt(a_fact())


# --- Learning -------------------------------------------------------------------------------------------------------


def test_a_bounce_is_due_for_the_list_and_for_the_outside_world() -> None:
    """From the moment it is learnt."""
    expected = ContactRecord(
        a_contact(a_fact()), rev=1, status=Status.BOUNCED, list_pending=True, publish_pending=True, pending_since=NOW
    )
    assert expected == BOUNCED


def test_a_first_delivery_is_due_for_nobody() -> None:
    """The outside world takes a contact for active, and the list does not hold it."""
    assert ContactRecord(a_contact(a_fact(Verdict.DELIVERED)), rev=1) == learnt(a_fact(Verdict.DELIVERED))


def test_a_first_soft_bounce_is_due_for_the_outside_world_only() -> None:
    """The list does not hold those who bounce now and then."""
    after = learnt(*soft_bounce_days(0))
    assert (after.status, after.list_pending, after.pending_since) == (Status.BOUNCING, False, NOW)


def test_an_echo_is_due_for_the_outside_world_only() -> None:
    """The list holds it already."""
    after = learnt(an_echo())
    assert (after.status, after.list_pending, after.pending_since) == (Status.BOUNCED, False, NOW)


def test_what_is_known_already_changes_nothing() -> None:
    """So nothing is written."""
    assert learn(BOUNCED, [a_fact(), a_fact(at=START)], LIMITS, LATER) is None


def test_what_was_due_stays_due_since_then() -> None:
    """And stays due for what it was due for."""
    after = learnt(a_fact(Verdict.DELIVERED), stored=BOUNCED)
    assert (after.rev, after.list_pending, after.pending_since) == (2, True, NOW)


def test_a_write_that_is_due_stays_due_whatever_comes_next() -> None:
    """A bounce says that the list lost the entry, and a delivery does not say that it has it back."""
    lost = learnt(a_fact(at=on_day(3)), stored=report(BOUNCED, "BOUNCE"))
    assert [lost.list_pending, learnt(a_fact(Verdict.DELIVERED), stored=lost).list_pending] == [True, True]


def test_what_was_put_off_is_due_at_once_when_more_is_learnt() -> None:
    """SES may take now what it refused before."""
    postponed = replace(BOUNCED, pending_since=NOW, retry_at=NOW + timedelta(hours=6))
    after = learnt(a_fact(Verdict.COMPLAIN), stored=postponed)
    assert (after.pending_since, after.retry_at, after.is_pending(NOW)) == (NOW, None, True)


def test_what_was_put_off_is_not_due_before_its_time() -> None:
    """Its own postponement, which the stream brings like any change, must not have it tried again at once."""
    postponed = replace(BOUNCED, pending_since=NOW, retry_at=NOW + timedelta(hours=6))
    assert [postponed.is_pending(NOW + timedelta(hours=hours)) for hours in (0, 5, 6)] == [False, False, True]
    item = encode(postponed, LIMITS)
    assert (item["pending_since"]["S"], item["pending_at"]["S"]) == (
        "2026-03-02T12:00:00.000Z",
        "2026-03-02T18:00:00.000Z",
    )
    assert (item["retry_at"]["S"], decode(item).retry_at) == ("2026-03-02T18:00:00.000Z", postponed.retry_at)


def test_a_contact_that_is_followed_owes_nothing_for_a_delivery() -> None:
    """Its status stays, and so does the list."""
    stored = report(BOUNCED, "BOUNCE")
    assert replace(stored, contact=a_contact(a_fact(), a_fact(Verdict.DELIVERED)), rev=2) == learnt(
        a_fact(Verdict.DELIVERED), stored=stored
    )


def test_a_change_that_is_taken_back_is_announced_all_the_same() -> None:
    """A suspension may have been published although it was not noted, so its end must be."""
    suspended = replace(learnt(*soft_bounce_days(0, 1, 2, 3, 4)), published=Status.ACTIVE, publish_pending=True)
    after = learnt(a_fact(Verdict.DELIVERED, on_day(5)), stored=suspended)
    assert (after.status, after.publish_pending, after.list_pending) == (Status.ACTIVE, True, False)


def test_a_reinstatement_goes_the_way_of_feedback() -> None:
    """Whoever changes a contact, the list and the outside world sync."""
    stored = report(BOUNCED, "BOUNCE")
    reinstated = merge(stored.contact, Contact(RECIPIENT, opted_in=Evidence(NOW, "operator")))
    after = become(stored, reinstated, LIMITS, LATER)
    expected = replace(
        stored,
        contact=reinstated,
        rev=2,
        status=Status.ACTIVE,
        list_pending=True,
        publish_pending=True,
        pending_since=LATER,
    )
    assert expected == after


def test_other_limits_change_a_status() -> None:
    """The next time anything is learnt, even if it is nothing."""
    stored = learnt(*soft_bounce_days(0, 1))
    after = learn(stored, [], replace(LIMITS, soft_bounces=2), LATER)
    assert after
    assert (after.status, after.list_pending, after.publish_pending) == (Status.SUSPENDED, False, True)


def test_learning_leaves_alone_what_is_not_learnt() -> None:
    """What the list_sync did and is doing, and what somebody else added, stays; the item read stays for comparison."""
    before = replace(FULL, item={"rev": {"N": "7"}})
    after = learn(before, soft_bounce_days(5), LIMITS, LATER)
    assert after
    assert replace(FULL, contact=merge(FULL.contact, a_contact(*soft_bounce_days(5))), rev=8) == after
    assert (before.item, before.item) == (after.item, refreshed(before, LIMITS, LATER).item)


def test_of_a_contact_never_written_nothing_is_due() -> None:
    """It is active, as far as anybody was told."""
    expected: tuple[object, ...] = (0, Status.ACTIVE, Status.ACTIVE, None, False, False, None, None, "", None, None)
    assert UNKNOWN.others == {}
    names = [name for name in ContactRecord.__struct_fields__ if name != "contact"]
    assert expected == tuple(getattr(UNKNOWN, name) for name in names)


def test_a_contact_is_seen_as_the_limits_of_today_have_it() -> None:
    """Nobody has written it since they changed, so its `rev` is still that of the table."""
    stored = learnt(*soft_bounce_days(0, 1))
    seen = refreshed(stored, replace(LIMITS, soft_bounces=2), LATER)
    assert replace(stored, status=Status.SUSPENDED, publish_pending=True) == seen
    assert stored == refreshed(stored, LIMITS, LATER)


def test_what_other_limits_change_is_due_from_when_it_is_seen() -> None:
    """Nobody knows when they changed."""
    seen = refreshed(report(learnt(*soft_bounce_days(0, 1))), replace(LIMITS, soft_bounces=2), LATER)
    assert (seen.list_pending, seen.publish_pending, seen.pending_since) == (False, True, LATER)


def test_the_item_that_was_read_is_no_part_of_what_is_known() -> None:
    """Contacts are compared, and shown, by what the item was read as."""
    read = decode(encode(BOUNCED, LIMITS))
    assert read.item
    assert (read, repr(read)) == (BOUNCED, repr(BOUNCED))


# --- The end of a lease ---------------------------------------------------------------------------------------------


def test_who_is_let_go_of_is_due_at_once() -> None:
    """One write later, and otherwise as before the lease."""
    lease = replace(BOUNCED, lease="a-worker", leased_until=LATER, retry_at=LATER)
    assert replace(BOUNCED, rev=2) == without_lease(lease)


def test_who_is_followed_owes_the_list_nothing() -> None:
    """What the outside world has to hear of is due since then."""
    lease = replace(BOUNCED, lease="a-worker", leased_until=LATER, retry_at=LATER)
    expected = replace(BOUNCED, rev=2, synced="BOUNCE", list_pending=False)
    assert expected == marked(lease, "BOUNCE")
    assert replace(expected, publish_pending=False, pending_since=None) == marked(
        replace(lease, publish_pending=False), "BOUNCE"
    )


# --- Items ----------------------------------------------------------------------------------------------------------

FULL = ContactRecord(
    a_contact(
        *(a_fact(verdict) for verdict in (Verdict.COMPLAIN, Verdict.SUPPRESS, Verdict.UNSUBSCRIBE)),
        *(an_echo(reason, on_day(1)) for reason in ListReason),
        *soft_bounce_days(0, 1),
        a_fact(Verdict.DELIVERED, address="Recipient@Example.com"),
        opted_in=START,
    ),
    rev=7,
    status=Status.COMPLAINED,
    published=Status.BOUNCED,
    synced="BOUNCE",
    list_pending=True,
    publish_pending=True,
    pending_since=NOW,
    lease="a-worker",
    leased_until=LATER,
    item={"operators_note": {"S": "asked by telephone"}},
)


def test_an_item_is_what_an_application_reads() -> None:
    """Whether it may send, and why not."""
    item = encode(BOUNCED, LIMITS)
    expected = {
        "address": {"S": "recipient@example.com"},
        "record": {"S": "contact"},
        "rev": {"N": "1"},
        "status": {"S": "bounced"},
        "may_send": {"BOOL": False},
        "reason": {"S": "Permanent/General"},
        "status_at": {"S": "2026-03-01T12:00:05.000Z"},
        "unsendable": {"S": f"bounced#{shard(RECIPIENT)}"},
        "variants": {"L": [{"S": "recipient@example.com"}]},
        "bounced_at": {"S": "2026-03-01T12:00:05.000Z"},
        "bounced_reason": {"S": "Permanent/General"},
        "bounced_configuration_set": {"S": "receipts"},
        "bounced_message_id": {"S": MESSAGE_ID},
        "may_send_transactional": {"BOOL": False},
        "published_status": {"S": "active"},
        "list_pending": {"BOOL": True},
        "publish_pending": {"BOOL": True},
        "pending_shard": {"S": shard(RECIPIENT)},
        "pending_at": {"S": "2026-03-02T12:00:00.000Z"},
        "pending_since": {"S": "2026-03-02T12:00:00.000Z"},
    }
    assert expected == item


def test_a_contact_that_may_be_mailed_is_in_no_index() -> None:
    """Sparse indexes hold what somebody looks for."""
    stored = report(learnt(*soft_bounce_days(0)))
    item = encode(stored, LIMITS)
    assert (True, {"reason", "status_at"}) == (
        item["may_send"]["BOOL"],
        item.keys() & {"unsendable", "pending_shard", "pending_at", "reason", "status_at"},
    )


def test_an_active_contact_has_no_reason() -> None:
    """Nobody keeps it from being mailed."""
    stored = learnt(a_fact(Verdict.DELIVERED))
    item = encode(stored, LIMITS)
    expected = {
        "address": {"S": "recipient@example.com"},
        "record": {"S": "contact"},
        "rev": {"N": "1"},
        "status": {"S": "active"},
        "may_send": {"BOOL": True},
        "variants": {"L": [{"S": "recipient@example.com"}]},
        "may_send_transactional": {"BOOL": True},
        "delivered": {"L": [{"N": str(number_message(AT, Verdict.DELIVERED.value))}]},
        # Sixty days after 2026-03-01, at the end of the UTC day.
        "expires_at": {"N": str(int(datetime(2026, 5, 1, tzinfo=UTC).timestamp()))},
        "published_status": {"S": "active"},
    }
    assert expected == item


@pytest.mark.parametrize("stored", [UNKNOWN, BOUNCED, FULL, report(FULL)])
def test_what_is_read_is_what_was_written(stored: ContactRecord) -> None:
    """To the last register, and with attributes that somebody else added."""
    read = decode(encode(stored, LIMITS))
    assert (stored, stored.others) == (read, read.others)


def test_what_is_read_keeps_the_item_it_was_read_from() -> None:
    """What a write changes is told from it."""
    item = encode(FULL, LIMITS)
    assert decode(item).item is item


def test_an_attribute_of_somebody_elses_never_hides_our_own() -> None:
    """The registers are the truth."""
    stored = replace(BOUNCED, item={"status": {"S": "active"}, "variants": {"L": []}, "note": {"S": "kept"}})
    read = decode(encode(stored, LIMITS))
    assert (read, read.others) == (BOUNCED, {"note": {"S": "kept"}})


@pytest.mark.parametrize(
    "wrong",
    [
        {"rev": {"N": "many"}},
        {"rev": {"S": "1"}},
        {"rev": {"N": "9" * 5_000}},
        {"status": {"S": "thrilled"}},
        {"published_status": {"N": "1"}},
        {"variants": {"S": RECIPIENT}},
        {"variants": {"L": [RECIPIENT]}},
        {"variants": None},
        {"soft_bounces": {"L": [{"S": "yesterday"}]}},
        {"delivered": {"L": [{"N": "yesterday"}]}},
        {"delivered": {"S": "yesterday"}},
        {"late": {"S": "1"}},
        {"unsubscribed_from": {"L": []}},
        {"bounced_tags": {"S": "campaign"}},
        {"bounced_at": {"S": "yesterday"}},
        {"bounced_at": "2026-03-01T12:00:05.000Z"},
        {"pending_since": {"S": ""}},
        {"retry_at": {"S": ""}},
        {"leased_until": {"S": "\ud800"}},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_an_item_that_somebody_broke_is_refused(wrong: dict[str, Any]) -> None:
    """It is left as it is, and the error says where to look but not what is in it."""
    item = encode(FULL, LIMITS) | wrong
    with pytest.raises(ContactRecordError, match="see the runbook") as error:
        decode(item)
    assert RECIPIENT not in f"{error.value!r}{error.value.__cause__!r}"


@pytest.mark.parametrize("missing", ["rev", "status", "published_status", "variants"])
def test_an_item_that_lacks_what_every_contact_has_is_refused(missing: str) -> None:
    """It is somebody else's."""
    item = encode(FULL, LIMITS)
    del item[missing]
    with pytest.raises(ContactRecordError):
        decode(item)


def test_a_contacts_key_is_its_address() -> None:
    """Its history lies beside it."""
    assert key(RECIPIENT) == {"address": {"S": RECIPIENT}, "record": {"S": "contact"}}


def test_keys_stay_as_they_are() -> None:
    """What one release wrote, the next must find: redelivered feedback under its key, a contact in its shard."""
    assert (SHARDS, shard(RECIPIENT)) == (16, "14")
    assert history_item(a_fact(), 1, NOW)["record"] == {"S": "feedback#2026-03-01#bounce-permanent#2d"}


def test_the_runbook_knows_what_to_do_about_an_unreadable_contact() -> None:
    """Under the word that quarantined messages bear."""
    assert f"`{UNREADABLE}`" in (Path(__file__).parents[4] / "docs/operate/runbook.md").read_text()


def test_shards_share_the_load() -> None:
    """Of a storm of bounces no shard gets much more than its part."""
    shards = [shard(f"recipient-{number}@example.com") for number in range(1_600)]
    assert {f"{number:02d}" for number in range(SHARDS)} == set(shards)
    assert max(map(shards.count, set(shards))) < 150


# --- History --------------------------------------------------------------------------------------------------------


def test_a_history_record_says_what_ses_said_and_what_came_of_it() -> None:
    """For as long as the stack keeps it."""
    item = history_item(a_fact(address="Recipient@example.com"), 365, NOW)
    record = item.pop("record")["S"]
    expected = {
        "address": {"S": "recipient@example.com"},
        "at": {"S": "2026-03-01T12:00:05.000Z"},
        "verdict": {"S": "SUPPRESS"},
        "rule": {"S": "bounce-permanent"},
        "reason": {"S": "Permanent/General"},
        "configuration_set": {"S": CONFIGURATION_SET},
        "kind": {"S": "Bounce"},
        "type": {"S": "Permanent"},
        "sub_type": {"S": "General"},
        "message_id": {"S": MESSAGE_ID},
        "feedback_id": {"S": FEEDBACK_ID},
        "expires_at": {"N": str(int((AT + timedelta(days=365)).timestamp()))},
    }
    assert expected == item
    assert record.startswith("feedback#2026-03-01#bounce-permanent#")


def test_the_same_feedback_is_one_record() -> None:
    """However often, in whichever vocabulary and whichever variant it comes."""
    ways = [a_fact(), a_fact(), a_fact(configuration_set=""), a_fact(address="RECIPIENT@example.com")]
    assert len({history_item(fact, 1, NOW)["record"]["S"] for fact in ways}) == 1


@pytest.mark.parametrize(
    "other",
    [
        a_fact(at=on_day(1)),
        replace(a_fact(), rule="bounce-transient"),
        replace(a_fact(), details=EventDetails("Complaint", message_id=MESSAGE_ID, feedback_id=FEEDBACK_ID)),
        replace(a_fact(), details=EventDetails("Bounce", message_id="another", feedback_id=FEEDBACK_ID)),
        replace(a_fact(), details=EventDetails("Bounce", message_id=MESSAGE_ID, feedback_id="another")),
    ],
)
def test_other_feedback_is_another_record(other: Fact) -> None:
    """Another time, message, feedback id, kind or rule."""
    assert history_item(other, 1, NOW)["record"] != history_item(a_fact(), 1, NOW)["record"]


def test_history_is_bounded() -> None:
    """However many bounces answer one mail: a day of one rule has so many records, and they are all used."""
    said = [replace(a_fact().details, feedback_id=f"feedback-{number}") for number in range(5_000)]
    records = {history_item(replace(a_fact(), details=one), 1, NOW)["record"]["S"] for one in said}
    assert len(records) == HISTORY_A_DAY


@pytest.mark.parametrize(
    ("at", "expires"),
    [(NOW, NOW + timedelta(days=365)), (NOW - timedelta(days=4_000), NOW)],
    ids=["now", "long ago"],
)
def test_every_record_is_removed_in_time(at: datetime, expires: datetime) -> None:
    """DynamoDB never removes what expired more than five years ago."""
    assert history_item(a_fact(at=at), 365, NOW)["expires_at"] == {"N": str(int(expires.timestamp()))}


def test_what_was_written_is_what_the_next_write_goes_by() -> None:
    """The item is what the table holds by then, with how the contact stands under these limits."""
    limits = replace(LIMITS, soft_bounces=2)
    stored = replace(learnt(*soft_bounce_days(0, 1)), item={"theirs": {"S": "kept"}})
    after = written(stored, limits)
    assert (after, after.item) == (stored, encode(stored, limits))
    assert after.item != encode(stored, LIMITS)
    assert (after.item or {})["theirs"] == {"S": "kept"}


# --- Retention ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fact",
    [a_fact(), *soft_bounce_days(0), a_fact(Verdict.UNSUBSCRIBE), a_fact(Verdict.SUBSCRIBE), an_echo()],
    ids=lambda fact: fact.verdict.value,
)
def test_a_contact_with_more_than_deliveries_never_expires(fact: Fact) -> None:
    stored = learnt(a_fact(Verdict.DELIVERED), fact)
    assert "expires_at" not in encode(stored, LIMITS)


def test_a_contact_with_attributes_of_others_never_expires() -> None:
    stored = learnt(a_fact(Verdict.DELIVERED))
    assert "expires_at" in encode(stored, LIMITS)
    assert "expires_at" not in encode(replace(stored, item={"note": {"S": "kept"}}), LIMITS)


def test_a_write_removes_the_expiry_of_a_contact_with_deliveries_only() -> None:
    expiring = decode(encode(learnt(a_fact(Verdict.DELIVERED)), LIMITS))
    after = learnt(a_fact(Verdict.COMPLAIN), stored=expiring)
    assert "expires_at" not in encode(after, LIMITS)


# --- The end of a suspension ----------------------------------------------------------------------------------------


def test_a_suspended_contact_is_in_the_index_of_suspensions_until_its_end() -> None:
    suspended = learnt(*soft_bounce_days(0, 1, 2, 3, 4))
    item = encode(suspended, Limits())
    assert (item["release_shard"]["S"], item["release_at"]["S"]) == (shard(RECIPIENT), "2026-04-04T00:00:00.000Z")
    assert "release_at" not in encode(suspended, Limits(suspension_days=0))
    assert "release_at" not in encode(learnt(*soft_bounce_days(0)), Limits())


# --- The mailbox simulator ------------------------------------------------------------------------------------------


def test_a_contact_of_the_mailbox_simulator_is_never_pending() -> None:
    address = "bounce@simulator.amazonses.com"
    stored = learn(ContactRecord(Contact(address)), [a_fact(address=address)], LIMITS, NOW)
    assert stored
    assert (stored.status, stored.pending_since) == (Status.BOUNCED, None)

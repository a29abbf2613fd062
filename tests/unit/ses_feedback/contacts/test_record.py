"""The stored contact: its item, its pending list call and event, and its history records."""

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
from ses_feedback.contacts.status import UNLISTED, Limits, Status, opted_out
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
    an_opt_in,
    an_opt_out,
    on_day,
    soft_bounce_days,
)

LIMITS = Limits()
NOW = on_day(1)
LATER = on_day(2)
UNKNOWN = ContactRecord(Contact(RECIPIENT))


def learnt(*facts: Fact, stored: ContactRecord = UNKNOWN) -> ContactRecord:
    """Return `stored` after it learnt `facts`; they must change it."""
    after = learn(stored, facts, LIMITS, NOW)
    assert after
    return after


def synced_record(stored: ContactRecord, synced: str = UNLISTED) -> ContactRecord:
    """Return `stored` with its events published and its list entry written."""
    return replace(
        stored,
        published=stored.status,
        published_opted_out=opted_out(stored.contact),
        synced=synced,
        list_pending=False,
        publish_pending=False,
        preferences_pending=False,
        pending_since=None,
    )


BOUNCED = learnt(a_fact())


# --- Learning -------------------------------------------------------------------------------------------------------


def test_a_bounce_makes_a_contact_pending_for_the_list_and_an_event() -> None:
    expected = ContactRecord(
        a_contact(a_fact()), rev=1, status=Status.BOUNCED, list_pending=True, publish_pending=True, pending_since=NOW
    )
    assert expected == BOUNCED


def test_a_first_delivery_makes_a_contact_pending_for_nothing() -> None:
    """An unknown contact counts as active and is not on the list."""
    assert ContactRecord(a_contact(a_fact(Verdict.DELIVERED)), rev=1) == learnt(a_fact(Verdict.DELIVERED))


def test_a_first_soft_bounce_makes_a_contact_pending_for_an_event_only() -> None:
    after = learnt(*soft_bounce_days(0))
    assert (after.status, after.list_pending, after.pending_since) == (Status.BOUNCING, False, NOW)


def test_an_echo_makes_a_contact_pending_for_an_event_only() -> None:
    """The list already has the entry."""
    after = learnt(an_echo())
    assert (after.status, after.list_pending, after.pending_since) == (Status.BOUNCED, False, NOW)


def test_a_known_fact_changes_nothing() -> None:
    assert learn(BOUNCED, [a_fact(), a_fact(at=START)], LIMITS, LATER) is None


def test_a_pending_contact_stays_pending_since_its_first_change() -> None:
    after = learnt(a_fact(Verdict.DELIVERED), stored=BOUNCED)
    assert (after.rev, after.list_pending, after.pending_since) == (2, True, NOW)


def test_a_pending_list_call_stays_pending_after_a_delivery() -> None:
    """A bounce shows that the list lost the entry; a delivery does not show that it is back."""
    lost = learnt(a_fact(at=on_day(3)), stored=synced_record(BOUNCED, "BOUNCE"))
    assert [lost.list_pending, learnt(a_fact(Verdict.DELIVERED), stored=lost).list_pending] == [True, True]


def test_a_postponed_contact_is_pending_at_once_after_a_new_fact() -> None:
    """SES may accept the new entry."""
    postponed = replace(BOUNCED, pending_since=NOW, retry_at=NOW + timedelta(hours=6))
    after = learnt(a_fact(Verdict.COMPLAIN), stored=postponed)
    assert (after.pending_since, after.retry_at, after.is_pending(NOW)) == (NOW, None, True)


def test_a_postponed_contact_is_not_pending_before_its_retry_time() -> None:
    """The stream delivers the postponement itself, which must not trigger a retry."""
    postponed = replace(BOUNCED, pending_since=NOW, retry_at=NOW + timedelta(hours=6))
    assert [postponed.is_pending(NOW + timedelta(hours=hours)) for hours in (0, 5, 6)] == [False, False, True]
    item = encode(postponed, LIMITS)
    assert (item["pending_since"]["S"], item["pending_at"]["S"]) == (
        "2026-03-02T12:00:00.000Z",
        "2026-03-02T18:00:00.000Z",
    )
    assert (item["retry_at"]["S"], decode(item).retry_at) == ("2026-03-02T18:00:00.000Z", postponed.retry_at)


def test_a_delivery_of_a_synced_contact_makes_nothing_pending() -> None:
    stored = synced_record(BOUNCED, "BOUNCE")
    assert replace(stored, contact=a_contact(a_fact(), a_fact(Verdict.DELIVERED)), rev=2) == learnt(
        a_fact(Verdict.DELIVERED), stored=stored
    )


def test_a_status_change_that_is_reversed_before_its_mark_is_published() -> None:
    """The first change may have been published although the contact is not marked."""
    suspended = replace(learnt(*soft_bounce_days(0, 1, 2, 3, 4)), published=Status.ACTIVE, publish_pending=True)
    after = learnt(a_fact(Verdict.DELIVERED, on_day(5)), stored=suspended)
    assert (after.status, after.publish_pending, after.list_pending) == (Status.ACTIVE, True, False)


def test_an_opt_out_of_a_stream_makes_a_contact_pending_for_its_preferences_only() -> None:
    after = learnt(an_opt_out("newsletter"))
    pending = after.list_pending, after.publish_pending, after.preferences_pending, after.event_pending
    assert (after.status, pending, after.pending_since) == (Status.ACTIVE, (False, False, True, True), NOW)


def test_an_opt_out_of_all_email_makes_a_contact_pending_for_both_events() -> None:
    after = learnt(a_fact(Verdict.UNSUBSCRIBE))
    assert (after.publish_pending, after.preferences_pending) == (True, True)


def test_a_published_opt_out_that_is_repeated_makes_nothing_pending() -> None:
    stored = synced_record(learnt(an_opt_out("newsletter")))
    after = learnt(an_opt_out("newsletter", on_day(1)), stored=stored)
    assert (after.event_pending, after.pending_since) == (False, None)


def test_preferences_that_change_back_before_their_mark_are_published() -> None:
    """The first change may have been published although the contact is not marked."""
    after = learnt(an_opt_in("newsletter", on_day(1)), stored=learnt(an_opt_out("newsletter")))
    assert (opted_out(after.contact), after.preferences_pending) == ((), True)


def test_preferences_of_the_mailbox_simulator_are_not_published() -> None:
    simulated = "success@simulator.amazonses.com"
    after = learnt(an_opt_out("newsletter", address=simulated), stored=ContactRecord(Contact(simulated)))
    assert (after.event_pending, after.pending_since) == (False, None)


def test_a_synced_contact_with_unpublished_preferences_stays_pending() -> None:
    lease = replace(BOUNCED, publish_pending=False, preferences_pending=True, lease="a-worker", leased_until=LATER)
    assert marked(lease, "BOUNCE").pending_since == NOW


def test_the_item_of_an_opt_out_has_the_published_list_and_the_mark() -> None:
    stored = replace(learnt(an_opt_out("newsletter")), published_opted_out=("offers",))
    item = encode(stored, LIMITS)
    names = "no_streams", "published_opted_out", "preferences_pending", "pending_shard"
    assert [item[name] for name in names] == [
        {"L": [{"S": "newsletter"}]},
        {"L": [{"S": "offers"}]},
        {"BOOL": True},
        {"S": shard(RECIPIENT)},
    ]


def test_a_reinstatement_makes_a_contact_pending_for_the_list_and_an_event() -> None:
    stored = synced_record(BOUNCED, "BOUNCE")
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


def test_changed_limits_change_the_status_at_the_next_write() -> None:
    stored = learnt(*soft_bounce_days(0, 1))
    after = learn(stored, [], replace(LIMITS, soft_bounces=2), LATER)
    assert after
    assert (after.status, after.list_pending, after.publish_pending) == (Status.SUSPENDED, False, True)


def test_learning_keeps_leases_marks_and_unknown_attributes() -> None:
    """The item that was read stays for the comparison of the next write."""
    before = replace(FULL, item={"rev": {"N": "7"}})
    after = learn(before, soft_bounce_days(5), LIMITS, LATER)
    assert after
    assert replace(FULL, contact=merge(FULL.contact, a_contact(*soft_bounce_days(5))), rev=8) == after
    assert (before.item, before.item) == (after.item, refreshed(before, LIMITS, LATER).item)


def test_a_contact_that_was_never_written_is_active_and_not_pending() -> None:
    bookkeeping: tuple[object, ...] = (None, False, False, False, None, None, "", None, None)
    expected: tuple[object, ...] = (0, Status.ACTIVE, Status.ACTIVE, (), *bookkeeping)
    assert UNKNOWN.others == {}
    names = [name for name in ContactRecord.__struct_fields__ if name != "contact"]
    assert expected == tuple(getattr(UNKNOWN, name) for name in names)


def test_a_refreshed_contact_has_the_status_of_the_current_limits_and_the_stored_rev() -> None:
    stored = learnt(*soft_bounce_days(0, 1))
    seen = refreshed(stored, replace(LIMITS, soft_bounces=2), LATER)
    assert replace(stored, status=Status.SUSPENDED, publish_pending=True) == seen
    assert stored == refreshed(stored, LIMITS, LATER)


def test_a_status_changed_by_limits_is_pending_since_the_refresh() -> None:
    """The time at which the limits changed is unknown."""
    seen = refreshed(synced_record(learnt(*soft_bounce_days(0, 1))), replace(LIMITS, soft_bounces=2), LATER)
    assert (seen.list_pending, seen.publish_pending, seen.pending_since) == (False, True, LATER)


def test_equality_and_repr_of_a_contact_ignore_the_item_it_was_read_from() -> None:
    read = decode(encode(BOUNCED, LIMITS))
    assert read.item
    assert (read, repr(read)) == (BOUNCED, repr(BOUNCED))


# --- The end of a lease ---------------------------------------------------------------------------------------------


def test_a_contact_whose_lease_is_released_is_pending_at_once() -> None:
    lease = replace(BOUNCED, lease="a-worker", leased_until=LATER, retry_at=LATER)
    assert replace(BOUNCED, rev=2) == without_lease(lease)


def test_a_contact_marked_as_synced_is_not_pending_for_the_list() -> None:
    """A pending event keeps the time since which the contact is pending."""
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
    published_opted_out=("newsletter", "offers"),
    synced="BOUNCE",
    list_pending=True,
    publish_pending=True,
    preferences_pending=True,
    pending_since=NOW,
    lease="a-worker",
    leased_until=LATER,
    item={"operators_note": {"S": "asked by telephone"}},
)


def test_the_item_of_a_bounced_contact_has_every_documented_attribute() -> None:
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


def test_a_contact_that_may_be_mailed_is_in_no_sparse_index() -> None:
    stored = synced_record(learnt(*soft_bounce_days(0)))
    item = encode(stored, LIMITS)
    assert (True, {"reason", "status_at"}) == (
        item["may_send"]["BOOL"],
        item.keys() & {"unsendable", "pending_shard", "pending_at", "reason", "status_at"},
    )


def test_the_item_of_an_active_contact_has_no_reason() -> None:
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


@pytest.mark.parametrize("stored", [UNKNOWN, BOUNCED, FULL, synced_record(FULL)])
def test_decoding_an_encoded_contact_gives_the_same_contact_and_unknown_attributes(stored: ContactRecord) -> None:
    read = decode(encode(stored, LIMITS))
    assert (stored, stored.others) == (read, read.others)


def test_a_decoded_contact_keeps_the_item_it_was_read_from() -> None:
    """The next write compares against it."""
    item = encode(FULL, LIMITS)
    assert decode(item).item is item


def test_registers_override_derived_attributes_of_the_item() -> None:
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
def test_a_malformed_item_raises_an_error_without_its_content(wrong: dict[str, Any]) -> None:
    item = encode(FULL, LIMITS) | wrong
    with pytest.raises(ContactRecordError, match="see the runbook") as error:
        decode(item)
    assert RECIPIENT not in f"{error.value!r}{error.value.__cause__!r}"


@pytest.mark.parametrize("missing", ["rev", "status", "published_status", "variants"])
def test_an_item_without_a_required_attribute_is_malformed(missing: str) -> None:
    item = encode(FULL, LIMITS)
    del item[missing]
    with pytest.raises(ContactRecordError):
        decode(item)


def test_the_key_of_a_contact_is_its_address_and_the_record_contact() -> None:
    assert key(RECIPIENT) == {"address": {"S": RECIPIENT}, "record": {"S": "contact"}}


def test_keys_and_shards_are_the_same_in_every_release() -> None:
    """A redelivery must find its history record, and the sweep the contact's shard."""
    assert (SHARDS, shard(RECIPIENT)) == (16, "14")
    assert history_item(a_fact(), 1, NOW)["record"] == {"S": "feedback#2026-03-01#bounce-permanent#2d"}


def test_the_runbook_explains_the_problem_of_unreadable_contacts() -> None:
    assert f"`{UNREADABLE}`" in (Path(__file__).parents[4] / "docs/operate/runbook.md").read_text()


def test_contacts_are_spread_evenly_over_all_shards() -> None:
    shards = [shard(f"recipient-{number}@example.com") for number in range(1_600)]
    assert {f"{number:02d}" for number in range(SHARDS)} == set(shards)
    assert max(map(shards.count, set(shards))) < 150


# --- History --------------------------------------------------------------------------------------------------------


def test_a_history_record_has_the_details_of_the_event_and_its_verdict() -> None:
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


def test_the_same_feedback_in_any_vocabulary_and_variant_is_one_history_record() -> None:
    same = [a_fact(), a_fact(), a_fact(configuration_set=""), a_fact(address="RECIPIENT@example.com")]
    assert len({history_item(fact, 1, NOW)["record"]["S"] for fact in same}) == 1


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
def test_feedback_with_another_time_message_id_feedback_id_kind_or_rule_is_another_history_record(other: Fact) -> None:
    assert history_item(other, 1, NOW)["record"] != history_item(a_fact(), 1, NOW)["record"]


def test_the_history_records_of_a_day_and_a_rule_are_bounded() -> None:
    details = [replace(a_fact().details, feedback_id=f"feedback-{number}") for number in range(5_000)]
    records = {history_item(replace(a_fact(), details=one), 1, NOW)["record"]["S"] for one in details}
    assert len(records) == HISTORY_A_DAY


@pytest.mark.parametrize(
    ("at", "expires"),
    [(NOW, NOW + timedelta(days=365)), (NOW - timedelta(days=4_000), NOW)],
    ids=["now", "long ago"],
)
def test_a_history_record_never_expires_more_than_five_years_ago(at: datetime, expires: datetime) -> None:
    """DynamoDB does not delete such items: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html."""
    assert history_item(a_fact(at=at), 365, NOW)["expires_at"] == {"N": str(int(expires.timestamp()))}


def test_a_written_contact_has_the_item_that_was_written() -> None:
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

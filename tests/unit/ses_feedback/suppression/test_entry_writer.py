"""EntryWriter: list entries, refusals of SES, deadlines and faults of DynamoDB."""

from datetime import timedelta
from itertools import pairwise

import pytest

from ses_feedback.aws.refusals import Refusal, RefusalKind
from ses_feedback.contacts.status import Limits, Status
from ses_feedback.judging.facts import Fact, Verdict
from ses_feedback.suppression.entry_writer import ATTEMPTS, FAILED_RETRY_AFTER, REJECTED_RETRY_AFTER
from ses_feedback.suppression.lease import LEASE_DURATION
from ses_feedback.suppression.sync import SWEEP_AFTER
from tests.support.builders import RECIPIENT, a_fact, an_echo, on_day, soft_bounce_days
from tests.support.fakes import ListCall
from tests.support.sync_fixture import BOUNCE, COMPLAINT, REJECTED, THROTTLED, UNAVAILABLE, SyncFixture

# --- Entries ---------------------------------------------------------------------------------------------------------

REQUIRED = [
    ([a_fact(Verdict.COMPLAIN)], "COMPLAINT"),
    ([a_fact(Verdict.SUPPRESS)], "BOUNCE"),
    (soft_bounce_days(1, 2, 3, 4, 5), "BOUNCE"),
    ([an_echo(), a_fact(Verdict.COMPLAIN)], "COMPLAINT"),
]


@pytest.mark.parametrize(
    ("facts", "reason"), REQUIRED, ids=["complained", "bounced", "suspended", "complaint after echo"]
)
def test_a_contact_that_requires_an_entry_is_listed_and_no_longer_pending(facts: list[Fact], reason: str) -> None:
    fixture = SyncFixture(limits=Limits(list_suspended=True))
    fixture.learn(*facts)
    report = fixture.sync()
    assert (fixture.entries(), report.put, report.pending, fixture.pending()) == ({RECIPIENT: reason}, 1, {}, [])
    assert (fixture.contact().synced, fixture.contact().lease) == (reason, "")


@pytest.mark.parametrize(
    "facts", [soft_bounce_days(1), [a_fact(Verdict.DELIVERED)], [a_fact(Verdict.UNSUBSCRIBE)], [an_echo()]]
)
def test_a_contact_without_a_required_or_missing_entry_costs_no_ses_call(
    fixture: SyncFixture, facts: list[Fact]
) -> None:
    fixture.learn(*facts)
    fixture.sync()
    assert (fixture.list.calls, fixture.pending(), fixture.rate_limiter.acquired) == ([], [], [])


def test_an_unsubscribed_contact_is_listed_if_the_limits_require_it() -> None:
    fixture = SyncFixture(limits=Limits(list_unsubscribed=True))
    fixture.learn(a_fact(Verdict.UNSUBSCRIBE))
    fixture.sync()
    assert fixture.entries() == {RECIPIENT: "COMPLAINT"}


def test_the_reason_is_that_of_the_stored_contact(fixture: SyncFixture) -> None:
    """It is not that of the latest event."""
    fixture.learn(a_fact(Verdict.COMPLAIN))
    fixture.learn(a_fact(Verdict.SUPPRESS, on_day(2)))
    fixture.sync()
    fixture.sync()
    assert fixture.list.calls == [ListCall(RECIPIENT, COMPLAINT)]


def test_a_stronger_reason_replaces_a_weaker_one(fixture: SyncFixture) -> None:
    fixture.learn(a_fact(Verdict.SUPPRESS))
    fixture.sync()
    fixture.learn(a_fact(Verdict.COMPLAIN))
    fixture.sync()
    assert fixture.entries() == {RECIPIENT: "COMPLAINT"}


def test_every_known_variant_of_a_reinstated_contact_is_deleted(fixture: SyncFixture) -> None:
    """It does not matter whether this stack or SES put the entries on the list."""
    fixture.learn(a_fact(address="Recipient@example.com"))
    fixture.list.entries = {RECIPIENT: BOUNCE, "Recipient@example.com": COMPLAINT}
    fixture.clock.sleep(60)
    fixture.reinstate()
    report = fixture.sync()
    assert (fixture.entries(), report.deleted, report.put) == ({}, 1, 0)
    assert (fixture.contact().synced, fixture.pending()) == ("NONE", [])


def test_a_delivery_after_a_suspension_deletes_the_entry(fixture: SyncFixture) -> None:
    fixture.learn(*soft_bounce_days(1, 2, 3, 4, 5))
    fixture.sync()
    fixture.learn(a_fact(Verdict.DELIVERED, on_day(6)))
    fixture.sync()
    assert [fixture.entries(), fixture.contact().status] == [{}, Status.ACTIVE]


def test_every_variant_has_an_entry_also_one_that_appears_later(fixture: SyncFixture) -> None:
    """SES stores variants that differ in case as separate entries."""
    fixture.learn(a_fact(address="Recipient@example.com"), a_fact(address="RECIPIENT@example.com"))
    fixture.sync()
    fixture.learn(a_fact(address=RECIPIENT))
    fixture.sync()
    assert fixture.entries() == dict.fromkeys(["RECIPIENT@example.com", "Recipient@example.com", RECIPIENT], "BOUNCE")


def test_every_call_acquires_the_rate_limiter(fixture: SyncFixture) -> None:
    """This includes calls for further variants, and retries."""
    fixture.learn(
        *(a_fact(address=f"{local_part}@example.com") for local_part in ("recipient", "RECIPIENT", "Recipient"))
    )
    fixture.list.refusals = [None, THROTTLED, UNAVAILABLE, None]
    fixture.sync()
    gaps = [(later - sooner).total_seconds() for sooner, later in pairwise(fixture.rate_limiter.acquired)]
    assert (len(fixture.list.calls), len(fixture.rate_limiter.acquired), min(gaps)) == (5, 5, 1.0)


# --- Refusals --------------------------------------------------------------------------------------------------------


def test_a_throttled_or_failed_call_is_repeated(fixture: SyncFixture) -> None:
    fixture.learn(a_fact())
    fixture.list.refusals = [THROTTLED, UNAVAILABLE]
    report = fixture.sync()
    assert (fixture.entries(), report.pending, len(fixture.list.calls)) == ({RECIPIENT: "BOUNCE"}, {}, 3)


@pytest.mark.parametrize("refusal", [THROTTLED, UNAVAILABLE], ids=["throttled", "broken"])
def test_after_all_attempts_the_contact_is_released_and_the_sweep_repeats_it(
    fixture: SyncFixture, refusal: Refusal
) -> None:
    fixture.learn(a_fact(), a_fact(address="next@example.com"))
    fixture.list.refusals = [refusal] * ATTEMPTS
    report = fixture.sync(RECIPIENT, "next@example.com")
    assert (report.pending, report.put, fixture.pending()) == ({RECIPIENT: refusal.code}, 1, [RECIPIENT])
    assert (fixture.contact().lease, fixture.contact().leased_until) == ("", None)
    assert (fixture.sync().pending, len(fixture.list.calls)) == ({}, ATTEMPTS + 1)
    fixture.sweep(after=FAILED_RETRY_AFTER + SWEEP_AFTER)
    assert (fixture.entries(), fixture.pending()) == ({RECIPIENT: "BOUNCE", "next@example.com": "BOUNCE"}, [])


def test_a_rejected_deletion_is_tried_again_hours_later(fixture: SyncFixture) -> None:
    """SES deletes no address with a slash. The contact stays pending, and the stream does not wait for it."""
    fixture.learn(a_fact(address="either/or@example.com"))
    fixture.sync("either/or@example.com")
    fixture.clock.sleep(60)
    fixture.reinstate("either/or@example.com")
    report = fixture.sync("either/or@example.com")
    assert (report.pending, report.rejected) == ({}, {"BadRequestException": 1})
    stored = fixture.contact("either/or@example.com")
    assert (stored.retry_at, stored.list_pending, stored.lease) == (
        fixture.clock.now() + REJECTED_RETRY_AFTER,
        True,
        "",
    )


def test_a_rejected_entry_is_not_tried_before_its_retry_time(fixture: SyncFixture) -> None:
    """Neither the stream, which delivers the write of `retry_at`, nor the sweep calls SES earlier."""
    fixture.list.sandbox = True
    fixture.learn(a_fact())
    assert fixture.sync().rejected == {"BadRequestException": 1}
    assert fixture.sync().rejected == {}
    assert fixture.sweep(after=REJECTED_RETRY_AFTER - timedelta(seconds=1)).rejected == {}
    assert fixture.sweep(after=SWEEP_AFTER + timedelta(seconds=2)).rejected == {"BadRequestException": 1}
    assert len(fixture.list.calls) == 2


def test_a_rejected_variant_does_not_prevent_the_entries_of_the_others(fixture: SyncFixture) -> None:
    fixture.learn(a_fact(), a_fact(address="RECIPIENT@example.com"), a_fact(address="Recipient@example.com"))
    fixture.list.refusals = [None, REJECTED, None]
    report = fixture.sync()
    assert (report.rejected, report.pending, report.put) == ({REJECTED.code: 1}, {}, 0)
    assert set(fixture.entries()) == {"RECIPIENT@example.com", RECIPIENT}
    assert fixture.contact().retry_at == fixture.clock.now() + REJECTED_RETRY_AFTER


def test_new_feedback_ends_the_wait_of_a_rejected_entry(fixture: SyncFixture) -> None:
    fixture.list.sandbox = True
    fixture.learn(a_fact())
    fixture.sync()
    fixture.list.sandbox = False
    fixture.learn(a_fact(Verdict.COMPLAIN))
    assert fixture.contact().retry_at is None
    fixture.sweep()
    assert (fixture.entries(), fixture.pending()) == ({RECIPIENT: "COMPLAINT"}, [])


def test_rejected_entries_are_counted_by_code_and_stay_pending(fixture: SyncFixture) -> None:
    fixture.list.sandbox = True
    names = [f"{number}@example.com" for number in range(5)]
    fixture.learn(*(a_fact(address=name) for name in names))
    report = fixture.sync(*names)
    assert (report.rejected, report.pending, sorted(fixture.pending())) == ({"BadRequestException": 5}, {}, names)


def test_the_status_of_a_rejected_contact_is_published(fixture: SyncFixture) -> None:
    fixture.list.sandbox, fixture.publisher.down = True, True
    fixture.learn(a_fact())
    assert fixture.sync().pending == {RECIPIENT: "not-published"}
    fixture.publisher.down = False
    assert fixture.sync().pending == {}
    assert [change.new_status for change in fixture.publisher.published] == [Status.BOUNCED]
    assert len(fixture.list.calls) == 1


# --- Time ------------------------------------------------------------------------------------------------------------


def test_a_contact_with_only_some_of_its_entries_written_stays_pending(fixture: SyncFixture) -> None:
    fixture.learn(a_fact(), a_fact(address="RECIPIENT@example.com"))
    report = fixture.sync(within=timedelta(seconds=0.5))
    assert (report.pending, report.put, len(fixture.entries())) == ({RECIPIENT: "out-of-time"}, 0, 1)
    fixture.sync()
    assert (len(fixture.entries()), fixture.pending()) == (2, [])


def test_a_fault_of_the_rate_limiter_leaves_the_contact_pending(fixture: SyncFixture) -> None:
    fixture.learn(a_fact())
    fixture.rate_limiter.refusal = Refusal(RefusalKind.UNAVAILABLE, "InternalServerError")
    assert fixture.sync().pending == {RECIPIENT: "InternalServerError"}
    assert (fixture.contact().lease, fixture.pending(), fixture.list.calls) == ("", [RECIPIENT], [])


# --- Faults of DynamoDB ----------------------------------------------------------------------------------------------


def test_a_contact_that_cannot_be_leased_stays_pending_without_a_call(fixture: SyncFixture) -> None:
    fixture.learn(an_echo())
    fixture.sync()
    fixture.learn(a_fact(at=on_day(1)))
    fixture.contacts.write_errors[RECIPIENT] = "InternalServerError"
    assert (fixture.sync().pending, fixture.list.calls) == ({RECIPIENT: "InternalServerError"}, [])


def test_a_contact_that_cannot_be_marked_as_synced_is_written_again_after_its_lease(fixture: SyncFixture) -> None:
    fixture.learn(a_fact())
    fixture.list.interrupt = lambda: fixture.contacts.write_errors.update({RECIPIENT: "ReadTimeoutError"})
    assert fixture.sync().pending == {RECIPIENT: "ReadTimeoutError"}
    fixture.contacts.write_errors.clear()
    assert (fixture.sweep(after=LEASE_DURATION).pending, fixture.pending(), len(fixture.list.calls)) == ({}, [], 2)


def test_a_contact_that_cannot_be_read_again_after_a_lost_race_stays_pending(fixture: SyncFixture) -> None:
    fixture.learn(a_fact())

    def interfere() -> None:
        fixture.learn(a_fact(Verdict.COMPLAIN))
        fixture.contacts.read_errors[RECIPIENT] = "InternalServerError"

    fixture.list.interrupt = interfere
    assert fixture.sync().pending == {RECIPIENT: "InternalServerError"}
    fixture.contacts.read_errors.clear()
    fixture.sweep(after=LEASE_DURATION)
    assert (fixture.entries(), fixture.pending()) == ({RECIPIENT: "COMPLAINT"}, [])

"""EntryWriter: the list is correct in the end, although workers race, stall or die."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from ses_feedback.aws.errors import CONDITION_FAILED
from ses_feedback.contacts.status import Status
from ses_feedback.judging.facts import Verdict
from ses_feedback.suppression.entry_writer import ATTEMPTS
from ses_feedback.suppression.lease import LEASE_DURATION
from tests.support.builders import RECIPIENT, a_fact, an_echo, on_day
from tests.support.deployed_functions import TIMEOUT
from tests.support.fakes import ListCall
from tests.support.sync_fixture import BOUNCE, COMPLAINT, UNANSWERED, UNAVAILABLE, SyncFixture, dies


def test_a_change_between_call_and_mark_repeats_the_call(fixture: SyncFixture) -> None:
    fixture.learn(a_fact())
    fixture.list.interrupt = lambda: fixture.learn(a_fact(Verdict.COMPLAIN))
    report = fixture.sync()
    assert fixture.list.calls == [ListCall(RECIPIENT, BOUNCE), ListCall(RECIPIENT, COMPLAINT)]
    assert (report.put, report.pending, fixture.contact().synced) == (1, {}, "COMPLAINT")


def test_a_reinstatement_between_call_and_mark_deletes_the_entry_in_the_same_run(fixture: SyncFixture) -> None:
    fixture.learn(a_fact())
    fixture.list.interrupt = fixture.reinstate
    report = fixture.sync()
    assert fixture.list.calls == [ListCall(RECIPIENT, BOUNCE), ListCall(RECIPIENT, None)]
    assert (fixture.entries(), report.deleted, report.put) == ({}, 1, 0)


def test_any_change_between_call_and_mark_repeats_the_call(fixture: SyncFixture) -> None:
    """`rev` changed, so the entry may be outdated."""
    fixture.learn(a_fact())
    fixture.list.interrupt = lambda: fixture.learn(a_fact(Verdict.DELIVERED))
    fixture.sync()
    assert (len(fixture.list.calls), fixture.pending()) == (2, [])


def test_a_worker_that_loses_the_race_for_the_lease_reads_again_and_calls_once(fixture: SyncFixture) -> None:
    fixture.learn(an_echo())
    fixture.sync()
    fixture.learn(a_fact(at=on_day(1)))
    fixture.contacts.interrupt = lambda: fixture.learn(a_fact(Verdict.COMPLAIN))
    report = fixture.sync()
    assert (fixture.list.calls, report.pending) == ([ListCall(RECIPIENT, COMPLAINT)], {})


def test_a_change_before_the_published_mark_is_published_in_the_next_run(fixture: SyncFixture) -> None:
    fixture.learn(a_fact())
    fixture.contacts.interrupt = lambda: fixture.learn(a_fact(Verdict.COMPLAIN))
    assert fixture.sync().pending == {RECIPIENT: CONDITION_FAILED}
    fixture.sync()
    published = [(change.old_status, change.new_status) for change in fixture.publisher.published]
    assert published == [(Status.ACTIVE, Status.BOUNCED), (Status.ACTIVE, Status.COMPLAINED)]


def stall_while(fixture: SyncFixture, interference: Callable[[], object]) -> None:
    """Make the next worker stall before its SES call until its lease has expired, and then run `interference`."""

    def stall() -> None:
        fixture.clock.sleep((LEASE_DURATION + timedelta(seconds=1)).total_seconds())
        interference()

    fixture.list.interrupt = stall


def test_a_contact_leased_by_another_worker_is_skipped(fixture: SyncFixture) -> None:
    """The stream does not wait for it."""
    fixture.learn(a_fact())
    reports: list[dict[str, str]] = []
    fixture.list.interrupt = lambda: reports.append(fixture.sync(worker="another").pending)
    fixture.sync()
    assert (reports, len(fixture.list.calls)) == ([{}], 1)
    assert (fixture.entries(), fixture.pending()) == ({RECIPIENT: "BOUNCE"}, [])


def test_a_contact_leased_by_another_worker_is_skipped_after_a_lost_race(fixture: SyncFixture) -> None:
    fixture.learn(an_echo())
    fixture.sync()
    fixture.learn(a_fact(at=on_day(1)))

    def another_leases_and_dies() -> None:
        fixture.list.interrupt = dies
        with pytest.raises(KeyboardInterrupt):
            fixture.sync(worker="another")

    fixture.contacts.interrupt = another_leases_and_dies
    report = fixture.sync()
    assert (report.pending, len(fixture.list.calls), fixture.contact().lease.split("-")[0]) == ({}, 1, "another")


def test_the_sweep_syncs_the_contact_of_a_dead_worker_after_its_lease_and_not_before(fixture: SyncFixture) -> None:
    fixture.learn(a_fact())
    fixture.list.interrupt = dies
    with pytest.raises(KeyboardInterrupt):
        fixture.sync()
    assert fixture.contact().leased_until == fixture.clock.now() + LEASE_DURATION
    assert fixture.sweep(after=LEASE_DURATION - timedelta(seconds=1)).put == 0
    assert fixture.sweep(after=timedelta(seconds=1)).put == 1
    assert (fixture.entries(), fixture.pending(), fixture.contact().lease) == ({RECIPIENT: "BOUNCE"}, [], "")


def test_a_lease_that_cannot_be_released_expires(fixture: SyncFixture) -> None:
    """The same worker does not continue it: a lease is for the calls of one run."""
    fixture.learn(a_fact())
    fixture.list.refusals = [UNAVAILABLE] * ATTEMPTS

    def change() -> None:
        fixture.learn(a_fact(Verdict.COMPLAIN))

    fixture.list.interrupt, list_sync = change, fixture.worker()
    pending = [list_sync.sync([RECIPIENT], fixture.clock.now() + TIMEOUT).pending for _ in range(2)]
    assert (pending, len(fixture.list.calls)) == ([{RECIPIENT: UNAVAILABLE.code}, {}], ATTEMPTS)
    fixture.sweep(after=LEASE_DURATION)
    assert (fixture.entries(), fixture.pending(), fixture.contact().lease) == ({RECIPIENT: "COMPLAINT"}, [], "")


def test_a_call_without_a_response_keeps_its_lease(fixture: SyncFixture) -> None:
    """SES may still carry it out. Until the lease expires, no worker writes an entry that the call could overwrite."""
    fixture.learn(a_fact())
    fixture.list.refusals, list_sync = [UNANSWERED], fixture.worker()
    report = list_sync.sync([RECIPIENT], fixture.clock.now() + TIMEOUT)
    assert (report.pending, len(fixture.list.calls)) == ({RECIPIENT: UNANSWERED.code}, 1)
    fixture.reinstate()
    pending = [
        list_sync.sync([RECIPIENT], fixture.clock.now() + TIMEOUT).pending
        for list_sync in (list_sync, fixture.worker())
    ]
    assert (pending, len(fixture.list.calls)) == ([{}, {}], 1)
    fixture.list.entries = {RECIPIENT: BOUNCE}
    assert fixture.sweep(after=LEASE_DURATION).deleted == 1
    assert (fixture.entries(), fixture.pending()) == ({}, [])


def test_a_worker_that_stalled_beyond_its_lease_corrects_its_outdated_entry(fixture: SyncFixture) -> None:
    """The contact was reinstated and synced before the stalled call."""
    fixture.learn(a_fact())

    def interfere() -> None:
        fixture.reinstate()
        assert fixture.sync(worker="another").deleted == 1

    stall_while(fixture, interfere)
    fixture.sync(within=timedelta(hours=1))
    assert [call.reason for call in fixture.list.calls] == [BOUNCE, None, None]
    assert (fixture.entries(), fixture.pending()) == ({}, [])


def test_a_worker_that_stalled_beyond_its_lease_writes_the_current_entry(fixture: SyncFixture) -> None:
    """The contact was synced and changed again before the stalled call."""
    fixture.learn(a_fact())

    def interfere() -> None:
        fixture.sync(worker="another")
        fixture.learn(a_fact(Verdict.COMPLAIN))
        fixture.sync(worker="another")

    stall_while(fixture, interfere)
    fixture.sync(within=timedelta(hours=1))
    assert (fixture.entries(), fixture.pending()) == ({RECIPIENT: "COMPLAINT"}, [])


def test_a_worker_that_stalled_beyond_its_deadline_leaves_the_contact_pending(fixture: SyncFixture) -> None:
    fixture.learn(a_fact())

    def interfere() -> None:
        fixture.reinstate()
        fixture.sync(worker="another")

    stall_while(fixture, interfere)
    assert fixture.sync().pending == {RECIPIENT: "out-of-time"}
    fixture.sweep(after=LEASE_DURATION)
    assert (fixture.entries(), fixture.pending()) == ({}, [])


def test_a_worker_that_stalled_and_died_leaves_the_contact_pending(fixture: SyncFixture) -> None:
    """It died before it could correct its outdated entry."""
    fixture.learn(a_fact())

    def interfere() -> None:
        fixture.reinstate()
        fixture.sync(worker="another")
        fixture.list.interrupt = dies

    stall_while(fixture, interfere)
    with pytest.raises(KeyboardInterrupt):
        fixture.sync(within=timedelta(hours=1))
    assert (fixture.entries(), fixture.pending()) == ({RECIPIENT: "BOUNCE"}, [RECIPIENT])
    fixture.sweep(after=LEASE_DURATION)
    assert (fixture.entries(), fixture.pending()) == ({}, [])


def test_a_lease_lasts_longer_than_the_timeout_of_the_function() -> None:
    """A worker that can still write has not lost its lease."""
    assert LEASE_DURATION > TIMEOUT

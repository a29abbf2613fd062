"""ListSync ends with the list in step, whoever else works on a contact, stalls or dies."""

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
from tests.support.sync_fixture import BOUNCE, BROKEN, COMPLAINT, UNANSWERED, SyncFixture, dies


@pytest.fixture
def fixture() -> SyncFixture:
    """An fixture."""
    return SyncFixture()


def test_a_change_between_call_and_mark_repeats_the_call(fixture: SyncFixture) -> None:
    """A contact that moved while SES was called is not done: it is read again, and called for again."""
    fixture.learn(a_fact())
    fixture.list.interrupt = lambda: fixture.learn(a_fact(Verdict.COMPLAIN))
    done = fixture.sync()
    assert fixture.list.calls == [ListCall(RECIPIENT, BOUNCE), ListCall(RECIPIENT, COMPLAINT)]
    assert (done.put, done.pending, fixture.contact().synced) == (1, {}, "COMPLAINT")


def test_a_reinstatement_between_call_and_mark(fixture: SyncFixture) -> None:
    """An entry that is not wanted any more when it is written is deleted in the same run."""
    fixture.learn(a_fact())
    fixture.list.interrupt = fixture.reinstate
    done = fixture.sync()
    assert fixture.list.calls == [ListCall(RECIPIENT, BOUNCE), ListCall(RECIPIENT, None)]
    assert (fixture.entries(), done.deleted, done.put) == ({}, 1, 0)


def test_a_change_that_needs_no_entry_repeats_the_call_too(fixture: SyncFixture) -> None:
    """`rev` moved, so what was written may be stale: any change repeats."""
    fixture.learn(a_fact())
    fixture.list.interrupt = lambda: fixture.learn(a_fact(Verdict.DELIVERED))
    fixture.sync()
    assert (len(fixture.list.calls), fixture.due()) == (2, [])


def test_a_change_before_the_claim(fixture: SyncFixture) -> None:
    """Who loses the race for the lease reads again, and calls SES once."""
    fixture.learn(an_echo())
    fixture.sync()
    fixture.learn(a_fact(at=on_day(1)))
    fixture.contacts.interrupt = lambda: fixture.learn(a_fact(Verdict.COMPLAIN))
    done = fixture.sync()
    assert (fixture.list.calls, done.pending) == ([ListCall(RECIPIENT, COMPLAINT)], {})


def test_a_change_before_the_announcement_is_marked(fixture: SyncFixture) -> None:
    """What was published is not what the contact is any more, so it is handed back, and published next time."""
    fixture.learn(a_fact())
    fixture.contacts.interrupt = lambda: fixture.learn(a_fact(Verdict.COMPLAIN))
    assert fixture.sync().pending == {RECIPIENT: CONDITION_FAILED}
    fixture.sync()
    told = [(change.old_status, change.new_status) for change in fixture.publisher.published]
    assert told == [(Status.ACTIVE, Status.BOUNCED), (Status.ACTIVE, Status.COMPLAINED)]


def stall_while(fixture: SyncFixture, happening: Callable[[], object]) -> None:
    """Let the next caller of SES stall before its call, until after its lease has run out, while something happens."""

    def stall() -> None:
        fixture.clock.sleep((LEASE_DURATION + timedelta(seconds=1)).total_seconds())
        happening()

    fixture.list.interrupt = stall


def test_another_workers_claim_is_respected(fixture: SyncFixture) -> None:
    """Who meets another's lease leaves the contact to it, and does not hold up the stream for it."""
    fixture.learn(a_fact())
    met: list[dict[str, str]] = []
    fixture.list.interrupt = lambda: met.append(fixture.sync(worker="another").pending)
    fixture.sync()
    assert (met, len(fixture.list.calls)) == ([{}], 1)
    assert (fixture.entries(), fixture.due()) == ({RECIPIENT: "BOUNCE"}, [])


def test_another_workers_claim_is_respected_after_a_lost_race(fixture: SyncFixture) -> None:
    """Who loses the race for the lease to another worker leaves the contact to it."""
    fixture.learn(an_echo())
    fixture.sync()
    fixture.learn(a_fact(at=on_day(1)))

    def another_claims_and_dies() -> None:
        fixture.list.interrupt = dies
        with pytest.raises(KeyboardInterrupt):
            fixture.sync(worker="another")

    fixture.contacts.interrupt = another_claims_and_dies
    done = fixture.sync()
    assert (done.pending, len(fixture.list.calls), fixture.contact().lease.split("-")[0]) == ({}, 1, "another")


def test_a_dead_workers_claim_runs_out(fixture: SyncFixture) -> None:
    """The sweep takes over what a worker that died had leased, once the lease has run out, and no sooner."""
    fixture.learn(a_fact())
    fixture.list.interrupt = dies
    with pytest.raises(KeyboardInterrupt):
        fixture.sync()
    assert fixture.contact().leased_until == fixture.clock.now() + LEASE_DURATION
    assert fixture.sweep(after=LEASE_DURATION - timedelta(seconds=1)).put == 0
    assert fixture.sweep(after=timedelta(seconds=1)).put == 1
    assert (fixture.entries(), fixture.due(), fixture.contact().lease) == ({RECIPIENT: "BOUNCE"}, [], "")


def test_a_claim_that_can_not_be_given_back_runs_out(fixture: SyncFixture) -> None:
    """Not even the same worker goes on with it: a lease stands for one run's calls."""
    fixture.learn(a_fact())
    fixture.list.refusals = [BROKEN] * ATTEMPTS

    def change() -> None:
        fixture.learn(a_fact(Verdict.COMPLAIN))

    fixture.list.interrupt, list_sync = change, fixture.worker()
    left = [list_sync.sync([RECIPIENT], fixture.clock.now() + TIMEOUT).pending for _ in range(2)]
    assert (left, len(fixture.list.calls)) == ([{RECIPIENT: BROKEN.code}, {}], ATTEMPTS)
    fixture.sweep(after=LEASE_DURATION)
    assert (fixture.entries(), fixture.due(), fixture.contact().lease) == ({RECIPIENT: "COMPLAINT"}, [], "")


def test_a_call_without_an_answer_keeps_its_claim(fixture: SyncFixture) -> None:
    """It may yet be carried out: until it can't be any more, nobody writes what it might undo."""
    fixture.learn(a_fact())
    fixture.list.refusals, list_sync = [UNANSWERED], fixture.worker()
    done = list_sync.sync([RECIPIENT], fixture.clock.now() + TIMEOUT)
    assert (done.pending, len(fixture.list.calls)) == ({RECIPIENT: UNANSWERED.code}, 1)
    fixture.reinstate()
    left = [
        list_sync.sync([RECIPIENT], fixture.clock.now() + TIMEOUT).pending
        for list_sync in (list_sync, fixture.worker())
    ]
    assert (left, len(fixture.list.calls)) == ([{}, {}], 1)
    fixture.list.entries = {RECIPIENT: BOUNCE}
    assert fixture.sweep(after=LEASE_DURATION).deleted == 1
    assert (fixture.entries(), fixture.due()) == ({}, [])


def test_a_stale_writer(fixture: SyncFixture) -> None:
    """A worker stalls before its call for longer than its lease; meanwhile the contact is reinstated and synced.

    Its call, when it comes, is wrong: it must notice, and put it right.
    """
    fixture.learn(a_fact())

    def meanwhile() -> None:
        fixture.reinstate()
        assert fixture.sync(worker="another").deleted == 1

    stall_while(fixture, meanwhile)
    fixture.sync(within=timedelta(hours=1))
    assert [call.reason for call in fixture.list.calls] == [BOUNCE, None, None]
    assert (fixture.entries(), fixture.due()) == ({}, [])


def test_a_stale_writer_and_a_second_change(fixture: SyncFixture) -> None:
    """The stalled worker ends with what the contact is when it looks, not with what it was when it stalled."""
    fixture.learn(a_fact())

    def meanwhile() -> None:
        fixture.sync(worker="another")
        fixture.learn(a_fact(Verdict.COMPLAIN))
        fixture.sync(worker="another")

    stall_while(fixture, meanwhile)
    fixture.sync(within=timedelta(hours=1))
    assert (fixture.entries(), fixture.due()) == ({RECIPIENT: "COMPLAINT"}, [])


def test_a_stale_writer_out_of_time(fixture: SyncFixture) -> None:
    """It has no time to put it right, and so leaves the contact due, for the sweep."""
    fixture.learn(a_fact())

    def meanwhile() -> None:
        fixture.reinstate()
        fixture.sync(worker="another")

    stall_while(fixture, meanwhile)
    assert fixture.sync().pending == {RECIPIENT: "out-of-time"}
    fixture.sweep(after=LEASE_DURATION)
    assert (fixture.entries(), fixture.due()) == ({}, [])


def test_a_stale_writer_that_dies(fixture: SyncFixture) -> None:
    """The stalled worker notices, and dies before it has put it right: the contact is due again, for the sweep."""
    fixture.learn(a_fact())

    def meanwhile() -> None:
        fixture.reinstate()
        fixture.sync(worker="another")
        fixture.list.interrupt = dies

    stall_while(fixture, meanwhile)
    with pytest.raises(KeyboardInterrupt):
        fixture.sync(within=timedelta(hours=1))
    assert (fixture.entries(), fixture.due()) == ({RECIPIENT: "BOUNCE"}, [RECIPIENT])
    fixture.sweep(after=LEASE_DURATION)
    assert (fixture.entries(), fixture.due()) == ({}, [])


def test_a_claim_outlives_the_function() -> None:
    """No worker that may still write has lost its lease: a function lives shorter than a lease holds."""
    assert LEASE_DURATION > TIMEOUT

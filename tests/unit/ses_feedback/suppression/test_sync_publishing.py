"""Mirror tells the outside world of every change, at least once."""

from collections.abc import Sequence

import pytest

from ses_feedback.contacts.status import Limits, Status
from ses_feedback.contacts.status_change import StatusChange
from ses_feedback.judging.facts import Fact, Verdict
from ses_feedback.suppression.sync import TRIES
from tests.support.builders import AT, RECIPIENT, a_fact, on_day, strikes
from tests.support.deployed_functions import TIMEOUT
from tests.support.fakes import FakeAnnouncer, FakeContacts, ManualClock
from tests.support.sync_fixture import BROKEN, Office


@pytest.fixture
def office() -> Office:
    """An office."""
    return Office()


def test_a_change_is_announced_with_its_evidence(office: Office) -> None:
    """What gives the status is told with it; what it was is what was announced last."""
    office.learn(a_fact(Verdict.COMPLAIN, reason="Complaint/abuse"))
    done = office.follow()
    [change] = office.announcer.announced
    told = change.address, change.old_status, change.new_status, change.reason, change.time, change.configuration_set
    assert told == (RECIPIENT, Status.ACTIVE, Status.COMPLAINED, "Complaint/abuse", AT, "receipts")
    assert (done.announced, done.tally.counts) == (1, {("receipts", "ContactSuppressed"): 1})


def test_an_announcement_is_not_repeated(office: Office) -> None:
    """Once marked, a status is not announced again, however often the list has to be tried."""
    office.learn(a_fact())
    office.list.refusals = [BROKEN] * TRIES
    for _ in range(3):
        office.follow()
    assert len(office.announcer.announced) == 1


def test_a_release_is_announced(office: Office) -> None:
    """A contact that may be mailed again is told of, and counted."""
    office.learn(a_fact())
    office.follow()
    office.clock.sleep(60)
    office.reinstate()
    done = office.follow()
    change = office.announcer.announced[-1]
    assert (change.old_status, change.new_status, change.reason, change.time) == (
        Status.BOUNCED,
        Status.ACTIVE,
        "",
        None,
    )
    assert done.tally.counts == {("", "ContactReleased"): 1}


@pytest.mark.parametrize("facts", [strikes(1), [a_fact(Verdict.SUPPRESS), a_fact(Verdict.COMPLAIN)]])
def test_only_a_change_of_may_send_is_counted(office: Office, facts: list[Fact]) -> None:
    """Every status is announced, but a contact is suppressed, or released, only once."""
    office.learn(facts[0])
    office.follow()
    office.learn(*facts[1:])
    office.follow()
    suppressed = sum(
        not change.new_status.may_send and change.old_status.may_send for change in office.announcer.announced
    )
    assert len(office.announcer.announced) == len(facts)
    assert suppressed == (len(facts) == 2)


def test_announcing_does_not_hold_up_the_list(office: Office) -> None:
    """When EventBridge takes nothing, the list is written, and the contact handed back until it is announced."""
    office.learn(a_fact())
    office.announcer.down = True
    done = office.follow()
    assert (office.entries(), done.put, done.left) == ({RECIPIENT: "BOUNCE"}, 1, {RECIPIENT: "not-announced"})
    assert (office.due(), office.contact().list_due) == ([RECIPIENT], False)
    office.announcer.down = False
    assert (office.follow().left, office.due(), len(office.list.calls)) == ({}, [], 1)
    assert len(office.announcer.announced) == 1


def test_a_bus_that_hangs_does_not_starve_the_list(office: Office) -> None:
    """Two thousand contacts that it leaves due stand before those that only wait for the list, sweep after sweep."""
    office.announcer.hangs, office.announcer.clock = True, office.clock
    office.learn(*[a_fact(address=f"n{number}@example.com") for number in range(2_000)])
    swept = [office.sweep() for _ in range(9)]
    assert (len(office.entries()), office.announcer.calls) == (2_000, 9)
    assert set(swept[-1].left.values()) == {"not-announced"}
    office.announcer.hangs = False
    assert (office.sweep().announced, office.due()) == (2_000, [])


def test_a_bus_that_hung_is_called_again_by_the_next_run(office: Office) -> None:
    """What one run of the stream could not announce, the next one does."""
    office.learn(a_fact())
    office.announcer.hangs = True
    worker = office.worker()
    assert worker.follow([RECIPIENT], office.clock.now() + TIMEOUT).left == {RECIPIENT: "not-announced"}
    office.announcer.hangs = False
    assert worker.follow([RECIPIENT], office.clock.now() + TIMEOUT).announced == 1


def test_one_that_is_not_announced_is_nobody_elses(office: Office) -> None:
    """EventBridge may take some of a batch: the others are handed back by themselves."""
    office.learn(a_fact(), a_fact(address="other@example.com"))
    office.announcer.refusing.add(RECIPIENT)
    done = office.follow(RECIPIENT, "other@example.com")
    assert (done.left, done.announced, done.put) == ({RECIPIENT: "not-announced"}, 1, 2)


def test_a_status_that_came_back(office: Office) -> None:
    """It is announced as it is: the announcement of what it was in between may be on its way out."""
    office.learn(*strikes(1))
    office.learn(a_fact(Verdict.DELIVERED, on_day(2)))
    done = office.follow()
    assert [change.new_status for change in office.announcer.announced] == [Status.ACTIVE]
    assert (done.tally.counts, office.due()) == ({}, [])


def test_what_was_announced_late_is_told_from_what_is_later(office: Office) -> None:
    """A worker stalls with an announcement until it is not true any more: `rev` tells which one is."""
    office.learn(*strikes(1))

    class Stalling(FakeAnnouncer):
        """An announcer whose first announcement comes out after what happens meanwhile."""

        def announce(self, changes: Sequence[StatusChange]) -> list[StatusChange]:
            """Announce, late."""
            office.announcer, meanwhile = FakeAnnouncer(), office.announcer
            office.learn(a_fact(Verdict.DELIVERED, on_day(2)))
            office.follow(worker="another")
            told = [*office.announcer.announced, *changes]
            office.announcer = meanwhile
            self.announced += told
            return list(changes)

    stalling = Stalling()
    office.announcer = stalling
    left = office.follow().left
    office.announcer = FakeAnnouncer()
    office.follow(*left)
    told = [*stalling.announced, *office.announcer.announced]
    assert {change.new_status for change in told} == {Status.BOUNCING, Status.ACTIVE}
    assert max(told, key=lambda change: change.rev).new_status is Status.ACTIVE


def test_a_limit_lowered_meanwhile() -> None:
    """A contact that new limits suspend, though those it was stored under did not, is told of and listed."""
    office = Office(limits=Limits(soft_bounces=5))
    office.learn(*strikes(1, 2, 3))
    office.limits = Limits(soft_bounces=3)
    office.contacts = _moved(office.contacts, office.limits, office.clock)
    for _ in range(3):
        office.follow()
    stored = office.contact()
    assert (stored.status, stored.announced, office.due()) == (Status.SUSPENDED, Status.SUSPENDED, [])
    assert office.entries() == {RECIPIENT: "BOUNCE"}


def _moved(contacts: FakeContacts, limits: Limits, clock: ManualClock) -> FakeContacts:
    moved = FakeContacts(limits, now=clock.now)
    moved.items = contacts.items
    return moved

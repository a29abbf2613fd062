"""ListSync tells the outside world of every change, at least once."""

from collections.abc import Sequence

import pytest

from ses_feedback.contacts.status import Limits, Status
from ses_feedback.contacts.status_change import StatusChange
from ses_feedback.judging.facts import Fact, Verdict
from ses_feedback.suppression.entry_writer import ATTEMPTS
from tests.support.builders import AT, RECIPIENT, a_fact, on_day, soft_bounce_days
from tests.support.deployed_functions import TIMEOUT
from tests.support.fakes import FakeContacts, FakeEventPublisher, ManualClock
from tests.support.sync_fixture import BROKEN, SyncFixture


@pytest.fixture
def fixture() -> SyncFixture:
    """An fixture."""
    return SyncFixture()


def test_a_change_is_announced_with_its_evidence(fixture: SyncFixture) -> None:
    """What gives the status is told with it; what it was is what was published last."""
    fixture.learn(a_fact(Verdict.COMPLAIN, reason="Complaint/abuse"))
    done = fixture.sync()
    [change] = fixture.publisher.published
    told = change.address, change.old_status, change.new_status, change.reason, change.time, change.configuration_set
    assert told == (RECIPIENT, Status.ACTIVE, Status.COMPLAINED, "Complaint/abuse", AT, "receipts")
    assert (done.published, done.metric_counts.counts) == (1, {("receipts", "ContactSuppressed"): 1})


def test_an_announcement_is_not_repeated(fixture: SyncFixture) -> None:
    """Once marked, a status is not published again, however often the list has to be tried."""
    fixture.learn(a_fact())
    fixture.list.refusals = [BROKEN] * ATTEMPTS
    for _ in range(3):
        fixture.sync()
    assert len(fixture.publisher.published) == 1


def test_a_release_is_announced(fixture: SyncFixture) -> None:
    """A contact that may be mailed again is told of, and counted."""
    fixture.learn(a_fact())
    fixture.sync()
    fixture.clock.sleep(60)
    fixture.reinstate()
    done = fixture.sync()
    change = fixture.publisher.published[-1]
    assert (change.old_status, change.new_status, change.reason, change.time) == (
        Status.BOUNCED,
        Status.ACTIVE,
        "",
        None,
    )
    assert done.metric_counts.counts == {("", "ContactReleased"): 1}


@pytest.mark.parametrize("facts", [soft_bounce_days(1), [a_fact(Verdict.SUPPRESS), a_fact(Verdict.COMPLAIN)]])
def test_only_a_change_of_may_send_is_counted(fixture: SyncFixture, facts: list[Fact]) -> None:
    """Every status is published, but a contact is suppressed, or released, only once."""
    fixture.learn(facts[0])
    fixture.sync()
    fixture.learn(*facts[1:])
    fixture.sync()
    suppressed = sum(
        not change.new_status.may_send and change.old_status.may_send for change in fixture.publisher.published
    )
    assert len(fixture.publisher.published) == len(facts)
    assert suppressed == (len(facts) == 2)


def test_announcing_does_not_hold_up_the_list(fixture: SyncFixture) -> None:
    """When EventBridge takes nothing, the list is written, and the contact handed back until it is published."""
    fixture.learn(a_fact())
    fixture.publisher.down = True
    done = fixture.sync()
    assert (fixture.entries(), done.put, done.pending) == ({RECIPIENT: "BOUNCE"}, 1, {RECIPIENT: "not-published"})
    assert (fixture.due(), fixture.contact().list_pending) == ([RECIPIENT], False)
    fixture.publisher.down = False
    assert (fixture.sync().pending, fixture.due(), len(fixture.list.calls)) == ({}, [], 1)
    assert len(fixture.publisher.published) == 1


def test_a_bus_that_hangs_does_not_starve_the_list(fixture: SyncFixture) -> None:
    """Two thousand contacts that it leaves due stand before those that only wait for the list, sweep after sweep."""
    fixture.publisher.unresponsive, fixture.publisher.clock = True, fixture.clock
    fixture.learn(*[a_fact(address=f"n{number}@example.com") for number in range(2_000)])
    swept = [fixture.sweep() for _ in range(9)]
    assert (len(fixture.entries()), fixture.publisher.calls) == (2_000, 9)
    assert set(swept[-1].pending.values()) == {"not-published"}
    fixture.publisher.unresponsive = False
    assert (fixture.sweep().published, fixture.due()) == (2_000, [])


def test_a_bus_that_hung_is_called_again_by_the_next_run(fixture: SyncFixture) -> None:
    """What one run of the stream could not publish, the next one does."""
    fixture.learn(a_fact())
    fixture.publisher.unresponsive = True
    worker = fixture.worker()
    assert worker.sync([RECIPIENT], fixture.clock.now() + TIMEOUT).pending == {RECIPIENT: "not-published"}
    fixture.publisher.unresponsive = False
    assert worker.sync([RECIPIENT], fixture.clock.now() + TIMEOUT).published == 1


def test_one_that_is_not_announced_is_nobody_elses(fixture: SyncFixture) -> None:
    """EventBridge may take some of a batch: the others are handed back by themselves."""
    fixture.learn(a_fact(), a_fact(address="other@example.com"))
    fixture.publisher.refusing.add(RECIPIENT)
    done = fixture.sync(RECIPIENT, "other@example.com")
    assert (done.pending, done.published, done.put) == ({RECIPIENT: "not-published"}, 1, 2)


def test_a_status_that_came_back(fixture: SyncFixture) -> None:
    """It is published as it is: the event of what it was in between may be on its way out."""
    fixture.learn(*soft_bounce_days(1))
    fixture.learn(a_fact(Verdict.DELIVERED, on_day(2)))
    done = fixture.sync()
    assert [change.new_status for change in fixture.publisher.published] == [Status.ACTIVE]
    assert (done.metric_counts.counts, fixture.due()) == ({}, [])


def test_what_was_announced_late_is_told_from_what_is_later(fixture: SyncFixture) -> None:
    """A worker stalls with an event until it is not true any more: `rev` tells which one is."""
    fixture.learn(*soft_bounce_days(1))

    class Stalling(FakeEventPublisher):
        """An publisher whose first event comes out after what happens meanwhile."""

        def publish(self, changes: Sequence[StatusChange]) -> list[StatusChange]:
            """Announce, late."""
            fixture.publisher, meanwhile = FakeEventPublisher(), fixture.publisher
            fixture.learn(a_fact(Verdict.DELIVERED, on_day(2)))
            fixture.sync(worker="another")
            told = [*fixture.publisher.published, *changes]
            fixture.publisher = meanwhile
            self.published += told
            return list(changes)

    stalling = Stalling()
    fixture.publisher = stalling
    left = fixture.sync().pending
    fixture.publisher = FakeEventPublisher()
    fixture.sync(*left)
    told = [*stalling.published, *fixture.publisher.published]
    assert {change.new_status for change in told} == {Status.BOUNCING, Status.ACTIVE}
    assert max(told, key=lambda change: change.rev).new_status is Status.ACTIVE


def test_a_limit_lowered_meanwhile() -> None:
    """A contact that new limits suspend, though those it was stored under did not, is told of and listed."""
    fixture = SyncFixture(limits=Limits(soft_bounces=5, list_suspended=True))
    fixture.learn(*soft_bounce_days(1, 2, 3))
    fixture.limits = Limits(soft_bounces=3, list_suspended=True)
    fixture.contacts = _moved(fixture.contacts, fixture.limits, fixture.clock)
    for _ in range(3):
        fixture.sync()
    stored = fixture.contact()
    assert (stored.status, stored.published, fixture.due()) == (Status.SUSPENDED, Status.SUSPENDED, [])
    assert fixture.entries() == {RECIPIENT: "BOUNCE"}


def _moved(contacts: FakeContacts, limits: Limits, clock: ManualClock) -> FakeContacts:
    moved = FakeContacts(limits, now=clock.now)
    moved.items = contacts.items
    return moved

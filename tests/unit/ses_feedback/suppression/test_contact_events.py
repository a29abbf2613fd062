"""ContactEvents: every change of a status or of preferences is published at least once."""

from collections.abc import Sequence

import pytest

from ses_feedback.contacts import preferences_change, status_change
from ses_feedback.contacts.preferences_change import PreferencesChange
from ses_feedback.contacts.status import Limits, Status
from ses_feedback.contacts.status_change import StatusChange
from ses_feedback.judging.facts import Fact, Verdict
from ses_feedback.suppression.entry_writer import ATTEMPTS
from ses_feedback.suppression.interfaces import ContactEvent
from tests.support.builders import (
    AT,
    MESSAGE_ID,
    RECIPIENT,
    a_fact,
    an_opt_in,
    an_opt_out,
    on_day,
    soft_bounce_days,
)
from tests.support.deployed_functions import TIMEOUT
from tests.support.fakes import FakeContacts, FakeEventPublisher, ManualClock
from tests.support.sync_fixture import UNAVAILABLE, SyncFixture


def test_a_change_is_published_with_its_evidence(fixture: SyncFixture) -> None:
    """The old status is the one that was published last."""
    fixture.learn(a_fact(Verdict.COMPLAIN, reason="Complaint/abuse"))
    report = fixture.sync()
    [change] = fixture.publisher.published
    fields = change.address, change.old_status, change.new_status, change.reason, change.time, change.configuration_set
    assert fields == (RECIPIENT, Status.ACTIVE, Status.COMPLAINED, "Complaint/abuse", AT, "receipts")
    assert (report.published, report.metric_counts.counts) == (1, {("receipts", "ContactSuppressed"): 1})


def test_a_published_status_is_not_published_again_while_its_entry_is_retried(fixture: SyncFixture) -> None:
    fixture.learn(a_fact())
    fixture.list.refusals = [UNAVAILABLE] * ATTEMPTS
    for _ in range(3):
        fixture.sync()
    assert len(fixture.publisher.published) == 1


def test_a_reinstatement_is_published_and_counted(fixture: SyncFixture) -> None:
    fixture.learn(a_fact())
    fixture.sync()
    fixture.clock.sleep(60)
    fixture.reinstate()
    report = fixture.sync()
    change = fixture.publisher.published[-1]
    assert (change.old_status, change.new_status, change.reason, change.time) == (
        Status.BOUNCED,
        Status.ACTIVE,
        "",
        None,
    )
    assert report.metric_counts.counts == {("", "ContactReleased"): 1}


@pytest.mark.parametrize("facts", [soft_bounce_days(1), [a_fact(Verdict.SUPPRESS), a_fact(Verdict.COMPLAIN)]])
def test_only_a_change_of_may_send_is_counted(fixture: SyncFixture, facts: list[Fact]) -> None:
    """Every status is published, but only the first of two statuses that stop bulk email is counted."""
    fixture.learn(facts[0])
    fixture.sync()
    fixture.learn(*facts[1:])
    fixture.sync()
    suppressed = sum(
        not change.new_status.may_send and change.old_status.may_send for change in fixture.publisher.published
    )
    assert len(fixture.publisher.published) == len(facts)
    assert suppressed == (len(facts) == 2)


def test_the_entry_is_written_if_the_event_cannot_be_published(fixture: SyncFixture) -> None:
    """The contact stays pending until its event is published."""
    fixture.learn(a_fact())
    fixture.publisher.down = True
    report = fixture.sync()
    assert (fixture.entries(), report.put, report.pending) == ({RECIPIENT: "BOUNCE"}, 1, {RECIPIENT: "not-published"})
    assert (fixture.pending(), fixture.contact().list_pending) == ([RECIPIENT], False)
    fixture.publisher.down = False
    assert (fixture.sync().pending, fixture.pending(), len(fixture.list.calls)) == ({}, [], 1)
    assert len(fixture.publisher.published) == 1


def test_an_unresponsive_bus_does_not_delay_the_entries(fixture: SyncFixture) -> None:
    """It is called once in each sweep, although two thousand contacts wait for it."""
    fixture.publisher.unresponsive, fixture.publisher.clock = True, fixture.clock
    fixture.learn(*[a_fact(address=f"n{number}@example.com") for number in range(2_000)])
    swept = [fixture.sweep() for _ in range(9)]
    assert (len(fixture.entries()), fixture.publisher.calls) == (2_000, 9)
    assert set(swept[-1].pending.values()) == {"not-published"}
    fixture.publisher.unresponsive = False
    assert (fixture.sweep().published, fixture.pending()) == (2_000, [])


def test_an_unresponsive_bus_is_called_again_in_the_next_run(fixture: SyncFixture) -> None:
    fixture.learn(a_fact())
    fixture.publisher.unresponsive = True
    worker = fixture.worker()
    assert worker.sync([RECIPIENT], fixture.clock.now() + TIMEOUT).pending == {RECIPIENT: "not-published"}
    fixture.publisher.unresponsive = False
    assert worker.sync([RECIPIENT], fixture.clock.now() + TIMEOUT).published == 1


def test_a_contact_that_cannot_be_marked_as_published_is_published_again(fixture: SyncFixture) -> None:
    fixture.learn(a_fact())
    fixture.contacts.write_errors[RECIPIENT] = "InternalServerError"
    assert fixture.sync().pending == {RECIPIENT: "InternalServerError"}
    fixture.contacts.write_errors.clear()
    assert fixture.sync().pending == {}
    assert [change.new_status for change in fixture.publisher.published] == [Status.BOUNCED] * 2


def test_only_the_contact_whose_event_was_refused_stays_pending(fixture: SyncFixture) -> None:
    """EventBridge may accept some entries of a call."""
    fixture.learn(a_fact(), a_fact(address="other@example.com"))
    fixture.publisher.rejecting.add(RECIPIENT)
    report = fixture.sync(RECIPIENT, "other@example.com")
    assert (report.pending, report.published, report.put) == ({RECIPIENT: "not-published"}, 1, 2)


def test_a_status_that_changed_and_returned_is_published(fixture: SyncFixture) -> None:
    """Another worker may be publishing the status in between."""
    fixture.learn(*soft_bounce_days(1))
    fixture.learn(a_fact(Verdict.DELIVERED, on_day(2)))
    report = fixture.sync()
    assert [change.new_status for change in fixture.publisher.published] == [Status.ACTIVE]
    assert (report.metric_counts.counts, fixture.pending()) == ({}, [])


def test_the_event_with_the_greatest_rev_has_the_current_status(fixture: SyncFixture) -> None:
    """A stalled worker may publish an outdated event after the current one."""
    fixture.learn(*soft_bounce_days(1))

    class Stalling(FakeEventPublisher):
        """A publisher whose first event appears after the events of another worker."""

        def publish(self, events: Sequence[ContactEvent]) -> list[ContactEvent]:
            """Publish `events` after another worker has published a later change."""
            fixture.publisher, stalled = FakeEventPublisher(), fixture.publisher
            fixture.learn(a_fact(Verdict.DELIVERED, on_day(2)))
            fixture.sync(worker="another")
            self.published += fixture.publisher.published
            self.published += [event for event in events if isinstance(event, StatusChange)]
            fixture.publisher = stalled
            return list(events)

    stalling = Stalling()
    fixture.publisher = stalling
    pending = fixture.sync().pending
    fixture.publisher = FakeEventPublisher()
    fixture.sync(*pending)
    published = [*stalling.published, *fixture.publisher.published]
    assert {change.new_status for change in published} == {Status.BOUNCING, Status.ACTIVE}
    assert max(published, key=lambda change: change.rev).new_status is Status.ACTIVE


def test_a_contact_that_lower_limits_suspend_is_published_and_listed() -> None:
    """It was stored as bouncing under the old limits."""
    fixture = SyncFixture(limits=Limits(soft_bounces=5, list_suspended=True))
    fixture.learn(*soft_bounce_days(1, 2, 3))
    fixture.limits = Limits(soft_bounces=3, list_suspended=True)
    fixture.contacts = _moved(fixture.contacts, fixture.limits, fixture.clock)
    for _ in range(3):
        fixture.sync()
    stored = fixture.contact()
    assert (stored.status, stored.published, fixture.pending()) == (Status.SUSPENDED, Status.SUSPENDED, [])
    assert fixture.entries() == {RECIPIENT: "BOUNCE"}


def test_an_opt_out_of_a_stream_is_published_with_its_evidence(fixture: SyncFixture) -> None:
    """The status does not change, so no other event is published and nothing is counted."""
    fixture.learn(an_opt_out("newsletter"))
    report = fixture.sync()
    expected = PreferencesChange(
        RECIPIENT, ("newsletter",), ("newsletter",), 1, "Permanent/General", AT, "receipts", MESSAGE_ID
    )
    assert (fixture.publisher.preferences, fixture.publisher.published) == ([expected], [])
    assert (report.published, report.metric_counts.counts, fixture.pending()) == (1, {}, [])


def test_a_later_change_has_the_complete_list_and_the_changed_names(fixture: SyncFixture) -> None:
    for fact in (an_opt_out("newsletter"), an_opt_out("offers"), an_opt_in("newsletter", on_day(1))):
        fixture.learn(fact)
        fixture.sync()
    changes = [(change.opted_out, change.changed) for change in fixture.publisher.preferences]
    assert changes == [
        (("newsletter",), ("newsletter",)),
        (("newsletter", "offers"), ("offers",)),
        (("offers",), ("newsletter",)),
    ]
    revs = [change.rev for change in fixture.publisher.preferences]
    assert revs == sorted(set(revs))


def test_an_opt_out_of_all_email_is_published_as_a_status_and_as_a_preference(fixture: SyncFixture) -> None:
    fixture.learn(a_fact(Verdict.UNSUBSCRIBE))
    report = fixture.sync()
    assert [change.new_status for change in fixture.publisher.published] == [Status.UNSUBSCRIBED]
    assert [change.opted_out for change in fixture.publisher.preferences] == [("*",)]
    assert (report.published, fixture.publisher.calls, fixture.pending()) == (2, 1, [])


@pytest.mark.parametrize("rejected", [status_change.DETAIL_TYPE, preferences_change.DETAIL_TYPE])
def test_only_the_event_that_was_refused_is_published_again(fixture: SyncFixture, rejected: str) -> None:
    fixture.learn(a_fact(Verdict.UNSUBSCRIBE))
    fixture.publisher.rejecting.add(rejected)
    report = fixture.sync()
    assert (report.pending, report.published, fixture.pending()) == ({RECIPIENT: "not-published"}, 1, [RECIPIENT])
    fixture.publisher.rejecting.clear()
    assert (fixture.sync().pending, fixture.pending()) == ({}, [])
    assert (len(fixture.publisher.published), len(fixture.publisher.preferences)) == (1, 1)


def test_preferences_that_cannot_be_marked_as_published_are_published_again(fixture: SyncFixture) -> None:
    fixture.learn(an_opt_out("newsletter"))
    fixture.contacts.write_errors[RECIPIENT] = "InternalServerError"
    assert fixture.sync().pending == {RECIPIENT: "InternalServerError"}
    fixture.contacts.write_errors.clear()
    assert fixture.sync().pending == {}
    assert [change.opted_out for change in fixture.publisher.preferences] == [("newsletter",)] * 2


def test_preferences_that_changed_and_returned_are_published_without_a_changed_name(fixture: SyncFixture) -> None:
    """Another worker may be publishing the opt-out in between."""
    fixture.learn(an_opt_out("newsletter"))
    fixture.learn(an_opt_in("newsletter", on_day(1)))
    fixture.sync()
    [change] = fixture.publisher.preferences
    assert (change.opted_out, change.changed, change.reason, change.time) == ((), (), "", None)


def _moved(contacts: FakeContacts, limits: Limits, clock: ManualClock) -> FakeContacts:
    moved = FakeContacts(limits, now=clock.now)
    moved.items = contacts.items
    return moved

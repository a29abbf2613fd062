"""ListSync: the contacts that a sync and a sweep read, their order, and the report."""

from datetime import timedelta

from ses_feedback.judging.facts import Verdict
from ses_feedback.suppression.entry_writer import ATTEMPTS
from ses_feedback.suppression.interfaces import READ_AT_ONCE
from ses_feedback.suppression.report import SyncReport
from ses_feedback.suppression.sync import SWEEP_AFTER
from tests.support.builders import CONFIGURATION_SET, RECIPIENT, a_fact, soft_bounce_days
from tests.support.sync_fixture import REJECTED, UNAVAILABLE, SyncFixture


def test_a_contact_that_is_not_pending_costs_only_a_read(fixture: SyncFixture) -> None:
    fixture.learn(a_fact())
    fixture.sync()
    written = len(fixture.contacts.written)
    report = fixture.sync(RECIPIENT, "unknown@example.com")
    assert (report, len(fixture.contacts.written), len(fixture.list.calls)) == (SyncReport(), written, 1)


def test_an_address_given_several_times_is_synced_once(fixture: SyncFixture) -> None:
    """A batch of the stream may contain many changes of one contact."""
    fixture.learn(a_fact())
    report = fixture.sync(RECIPIENT, RECIPIENT, RECIPIENT)
    assert (report.put, report.published, len(fixture.list.calls)) == (1, 1, 1)


def test_contacts_are_read_consistently(fixture: SyncFixture) -> None:
    """A stale read could lead to an outdated entry."""
    fixture.learn(a_fact())
    fixture.contacts.reads.clear()
    fixture.list.interrupt = lambda: fixture.learn(a_fact(Verdict.DELIVERED))
    fixture.sync()
    fixture.learn(a_fact(Verdict.COMPLAIN))
    fixture.sweep()
    assert set(fixture.contacts.reads) == {True}


def test_complaints_come_first_then_the_longest_pending(fixture: SyncFixture) -> None:
    for number, verdict in enumerate([Verdict.SUPPRESS, Verdict.SUPPRESS, Verdict.COMPLAIN, Verdict.COMPLAIN]):
        fixture.learn(a_fact(verdict, address=f"{number}@example.com"))
        fixture.clock.sleep(1)
    report = fixture.sync(*(f"{number}@example.com" for number in (1, 3, 0, 2)), within=timedelta(seconds=2))
    assert [call.address for call in fixture.list.calls] == [f"{number}@example.com" for number in (2, 3, 0)]
    assert report.pending == {"1@example.com": "out-of-time"}


def test_contacts_after_the_deadline_are_returned_as_pending_without_a_lease(fixture: SyncFixture) -> None:
    names = [f"{number}@example.com" for number in range(5)]
    fixture.learn(*(a_fact(address=name) for name in names))
    report = fixture.sync(*names, within=timedelta(seconds=1.5))
    assert (report.put, report.pending) == (2, dict.fromkeys(names[2:], "out-of-time"))
    assert {fixture.contact(name).lease for name in names} == {""}
    assert fixture.sync(*report.pending).pending == {}
    assert fixture.entries() == dict.fromkeys(names, "BOUNCE")


def test_contacts_after_the_deadline_are_not_written(fixture: SyncFixture) -> None:
    """To lease and release them would be two useless writes."""
    names = [f"{number}@example.com" for number in range(5)]
    fixture.learn(*(a_fact(address=name) for name in names))
    fixture.sync(*names, within=timedelta(seconds=1.5))
    revisions = [fixture.contact(name).rev for name in names]
    assert revisions[3:] == [2, 2]  # learned and published


def test_a_contact_that_cannot_be_read_stays_pending_and_the_others_are_synced(fixture: SyncFixture) -> None:
    fixture.learn(a_fact(), a_fact(address="other@example.com"))
    fixture.contacts.read_errors[RECIPIENT] = "ProvisionedThroughputExceededException"
    report = fixture.sync(RECIPIENT, "other@example.com")
    assert report.pending == {RECIPIENT: "ProvisionedThroughputExceededException"}
    assert fixture.entries() == {"other@example.com": "BOUNCE"}


# --- Sweep -----------------------------------------------------------------------------------------------------------


def test_the_sweep_starts_with_the_oldest_and_omits_recent_changes(fixture: SyncFixture) -> None:
    """The stream usually delivers recent changes."""
    names = [f"{number}@example.com" for number in range(4)]
    for name in names:
        fixture.learn(a_fact(address=name))
        fixture.clock.sleep(SWEEP_AFTER.total_seconds() / 2)
    report = fixture.sweep(after=timedelta(0))
    assert [call.address for call in fixture.list.calls] == names[:3]
    assert (report.put, fixture.pending()) == (3, names[3:])


def test_a_change_whose_stream_record_was_lost_is_published_and_listed(fixture: SyncFixture) -> None:
    fixture.learn(a_fact(), *soft_bounce_days(1, address="other@example.com"))
    report = fixture.sweep()
    assert (report.put, report.published, fixture.pending()) == (1, 2, [])


def test_a_sweep_without_pending_contacts_has_an_empty_report(fixture: SyncFixture) -> None:
    assert fixture.sweep() == SyncReport()


def test_the_sweep_records_the_oldest_lag_even_if_no_entry_is_written(fixture: SyncFixture) -> None:
    fixture.learn(a_fact())
    fixture.list.refusals = [UNAVAILABLE] * ATTEMPTS
    report = fixture.sweep(after=timedelta(minutes=30))
    # Half an hour, and two seconds between the three attempts.
    assert report.metric_counts.longest == {("", "SuppressionLag"): (30 * 60 + 2) * 1000}


def test_the_report_of_a_sweep_covers_all_its_batches() -> None:
    fixture = SyncFixture(rate=1000)
    number = READ_AT_ONCE + 5
    fixture.learn(*(a_fact(address=f"{index}@example.com") for index in range(number)))
    fixture.list.refusals = [None] * READ_AT_ONCE + [UNAVAILABLE] * ATTEMPTS + [REJECTED]
    report = fixture.sweep()
    assert (report.put, report.published, len(report.pending), report.rejected) == (
        number - 2,
        number,
        1,
        {REJECTED.code: 1},
    )
    assert report.metric_counts.counts == {(CONFIGURATION_SET, "ContactSuppressed"): number}


def test_the_sweep_reads_no_further_batch_after_its_deadline() -> None:
    fixture = SyncFixture(rate=0.5)
    number = 3 * READ_AT_ONCE
    fixture.learn(*(a_fact(address=f"{index}@example.com") for index in range(number)))
    report = fixture.sweep()
    # One call every two seconds of 300: the second batch is not completed, and the third is not read.
    assert (report.put, len(report.pending), report.published) == (151, 49, 200)


def test_the_lag_from_a_change_to_its_entry_is_recorded_by_configuration_set(fixture: SyncFixture) -> None:
    fixture.learn(a_fact())
    fixture.clock.sleep(12.5)
    report = fixture.sync()
    assert report.metric_counts.longest == {("receipts", "SuppressionLag"): 12_500}

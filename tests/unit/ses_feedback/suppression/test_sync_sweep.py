"""ListSync.sweep: contacts that the stream did not sync, and how long they have been pending."""

from datetime import timedelta

import pytest

from ses_feedback.suppression.entry_writer import ATTEMPTS
from ses_feedback.suppression.interfaces import READ_AT_ONCE
from ses_feedback.suppression.report import SyncReport
from ses_feedback.suppression.sync import SWEEP_AFTER
from tests.support.builders import a_fact, soft_bounce_days
from tests.support.sync_fixture import REJECTED, UNAVAILABLE, SyncFixture


@pytest.fixture
def fixture() -> SyncFixture:
    """Return a fixture without contacts."""
    return SyncFixture()


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
    assert report.metric_counts.total("ContactSuppressed") == number


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

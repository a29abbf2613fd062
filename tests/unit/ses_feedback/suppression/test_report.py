"""SyncReport: its initial values, and the lags that it records."""

from collections import Counter
from datetime import timedelta

import pytest

from ses_feedback.contacts.contact import Contact
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.contacts.status import Limits
from ses_feedback.immutable import replace
from ses_feedback.judging.facts import Verdict
from ses_feedback.suppression.report import SyncReport, configuration_set_of
from tests.support.builders import CONFIGURATION_SET, RECIPIENT, a_contact, a_fact, on_day, soft_bounce_days

LIMITS = Limits()
NOW = on_day(1)
BOUNCED = ContactRecord(a_contact(a_fact()), pending_since=NOW)


def lags_of(report: SyncReport) -> list[tuple[str, str, int]]:
    """Return the configuration set, metric name and milliseconds of each lag."""
    return list(report.metric_counts)


def test_a_new_report_is_empty_and_independent_of_others() -> None:
    another = SyncReport()
    another.rejected["BadRequestException"] += 1
    another.pending[RECIPIENT] = "out-of-time"
    report = SyncReport()
    assert (report.pending, report.rejected, list(report.metric_counts), report.imports) == (
        {},
        Counter(),
        [],
        Counter(),
    )
    assert (report.published, report.put, report.deleted, report.imported) == (0, 0, 0, 0)
    assert not report.bus_unresponsive


def test_the_lag_of_a_synced_contact_is_recorded_by_its_configuration_set() -> None:
    """In whole milliseconds, from the change to the write of the entry."""
    report = SyncReport()
    report.record_sync_lag(BOUNCED, LIMITS, NOW + timedelta(seconds=2, microseconds=3_600))
    assert lags_of(report) == [(CONFIGURATION_SET, "SuppressionLag", 2_004)]


def test_a_contact_that_was_not_pending_has_a_lag_of_zero() -> None:
    report = SyncReport()
    report.record_sync_lag(replace(BOUNCED, pending_since=None), LIMITS, NOW)
    assert lags_of(report) == [(CONFIGURATION_SET, "SuppressionLag", 0)]


@pytest.mark.parametrize(("waited", "lag"), [(timedelta(minutes=5), 300_000), (None, 0)])
def test_the_lag_of_a_pending_contact_has_no_configuration_set(waited: timedelta | None, lag: int) -> None:
    """The contact has not been read yet."""
    report = SyncReport()
    report.record_pending_lag(NOW - waited if waited else None, NOW)
    assert lags_of(report) == [("", "SuppressionLag", lag)]


def test_the_configuration_set_is_that_of_the_evidence_for_the_status() -> None:
    """An active contact has none."""
    marketing = a_fact(Verdict.COMPLAIN, configuration_set="marketing")
    contact = a_contact(marketing, a_fact(at=on_day(2)))
    assert [configuration_set_of(ContactRecord(known), LIMITS) for known in (contact, Contact(RECIPIENT))] == [
        "marketing",
        "",
    ]


def test_soft_bounces_have_a_configuration_set_whether_or_not_they_suspend() -> None:
    contact = ContactRecord(a_contact(*soft_bounce_days(0, 1)), pending_since=NOW)
    for limits in (Limits(soft_bounces=2), Limits(soft_bounces=3)):
        report = SyncReport()
        report.record_sync_lag(contact, limits, NOW)
        assert lags_of(report) == [(CONFIGURATION_SET, "SuppressionLag", 0)]

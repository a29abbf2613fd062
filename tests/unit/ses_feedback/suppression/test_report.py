"""What runs of the list_sync did, put together, and what of it is told to metrics."""

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


def lags(report: SyncReport) -> list[tuple[str, str, int]]:
    """Return the configuration set, name and milliseconds of everything timed."""
    return list(report.metric_counts)


def test_a_run_that_did_nothing() -> None:
    """It shares nothing with another."""
    another = SyncReport()
    another.rejected["BadRequestException"] += 1
    another.pending[RECIPIENT] = "out-of-time"
    nothing = SyncReport()
    assert (nothing.pending, nothing.rejected, list(nothing.metric_counts), nothing.imports) == (
        {},
        Counter(),
        [],
        Counter(),
    )
    assert (nothing.published, nothing.put, nothing.deleted, nothing.imported) == (0, 0, 0, 0)
    assert not nothing.bus_unresponsive


def test_the_lag_of_a_contact_is_told_under_its_stream() -> None:
    """From when the list had something to sync until it did, in whole milliseconds."""
    done = SyncReport()
    done.record_sync_lag(BOUNCED, LIMITS, NOW + timedelta(seconds=2, microseconds=3_600))
    assert lags(done) == [(CONFIGURATION_SET, "SuppressionLag", 2_004)]


def test_what_was_not_due_has_no_lag() -> None:
    """An entry that another worker wrote meanwhile does not count as a wait."""
    done = SyncReport()
    done.record_sync_lag(replace(BOUNCED, pending_since=None), LIMITS, NOW)
    assert lags(done) == [(CONFIGURATION_SET, "SuppressionLag", 0)]


@pytest.mark.parametrize(("waited", "lag"), [(timedelta(minutes=5), 300_000), (None, 0)])
def test_what_waits_still_is_told_of_no_stream(waited: timedelta | None, lag: int) -> None:
    """No worker has read the contact yet."""
    done = SyncReport()
    done.record_pending_lag(NOW - waited if waited else None, NOW)
    assert lags(done) == [("", "SuppressionLag", lag)]


def test_the_stream_is_that_of_the_evidence() -> None:
    """Of all that was said of a contact, what gives it its status; an active one is of no stream."""
    marketing = a_fact(Verdict.COMPLAIN, configuration_set="marketing")
    contact = a_contact(marketing, a_fact(at=on_day(2)))
    assert [configuration_set_of(ContactRecord(one), LIMITS) for one in (contact, Contact(RECIPIENT))] == [
        "marketing",
        "",
    ]


def test_strikes_are_of_a_stream_whether_or_not_they_suspend() -> None:
    """The limits decide whether they do."""
    contact = ContactRecord(a_contact(*soft_bounce_days(0, 1)), pending_since=NOW)
    for limits in (Limits(soft_bounces=2), Limits(soft_bounces=3)):
        done = SyncReport()
        done.record_sync_lag(contact, limits, NOW)
        assert lags(done) == [(CONFIGURATION_SET, "SuppressionLag", 0)]

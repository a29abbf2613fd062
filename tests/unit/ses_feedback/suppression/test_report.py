"""What runs of the mirror did, put together, and what of it is told to metrics."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from ses_feedback.contacts.contact import Contact
from ses_feedback.contacts.record import Stored
from ses_feedback.contacts.status import Limits
from ses_feedback.judging.facts import Verdict
from ses_feedback.suppression.report import Followed, stream_of
from tests.support.builders import CONFIGURATION_SET, RECIPIENT, a_contact, a_fact, on_day, strikes

LIMITS = Limits()
NOW = on_day(1)
BOUNCED = Stored(a_contact(a_fact()), due_since=NOW)


def lags(followed: Followed) -> list[tuple[str, str, int]]:
    """Return the configuration set, name and milliseconds of everything timed."""
    return list(followed.tally)


def test_a_run_that_did_nothing() -> None:
    """It shares nothing with another."""
    another = Followed()
    another.refused["BadRequestException"] += 1
    another.left[RECIPIENT] = "out-of-time"
    nothing = Followed()
    assert (nothing.left, nothing.refused, list(nothing.tally), nothing.imports) == ({}, Counter(), [], Counter())
    assert (nothing.announced, nothing.put, nothing.deleted, nothing.imported) == (0, 0, 0, 0)
    assert not nothing.bus_hangs


def test_the_lag_of_a_contact_is_told_under_its_stream() -> None:
    """From when the list had something to follow until it did, in whole milliseconds."""
    done = Followed()
    done.followed(BOUNCED, LIMITS, NOW + timedelta(seconds=2, microseconds=3_600))
    assert lags(done) == [(CONFIGURATION_SET, "SuppressionLag", 2_004)]


def test_what_was_not_due_has_no_lag() -> None:
    """An entry somebody wrote in between was not waited for."""
    done = Followed()
    done.followed(replace(BOUNCED, due_since=None), LIMITS, NOW)
    assert lags(done) == [(CONFIGURATION_SET, "SuppressionLag", 0)]


@pytest.mark.parametrize(("waited", "lag"), [(timedelta(minutes=5), 300_000), (None, 0)])
def test_what_waits_still_is_told_of_no_stream(waited: timedelta | None, lag: int) -> None:
    """Nobody looked at the contact yet."""
    done = Followed()
    done.waiting(NOW - waited if waited else None, NOW)
    assert lags(done) == [("", "SuppressionLag", lag)]


def test_the_stream_is_that_of_the_evidence() -> None:
    """Of all that was said of a contact, what gives it its status; an active one is of no stream."""
    marketing = a_fact(Verdict.COMPLAIN, configuration_set="marketing")
    contact = a_contact(marketing, a_fact(at=on_day(2)))
    assert [stream_of(Stored(one), LIMITS) for one in (contact, Contact(RECIPIENT))] == ["marketing", ""]


def test_strikes_are_of_a_stream_whether_or_not_they_suspend() -> None:
    """The limits decide whether they do."""
    contact = Stored(a_contact(*strikes(0, 1)), due_since=NOW)
    for limits in (Limits(soft_bounces=2), Limits(soft_bounces=3)):
        done = Followed()
        done.followed(contact, limits, NOW)
        assert lags(done) == [(CONFIGURATION_SET, "SuppressionLag", 0)]

"""Leases of contacts."""

from datetime import timedelta
from itertools import islice

import pytest

from ses_feedback.contacts.record import ContactRecord, without_lease
from ses_feedback.immutable import replace
from ses_feedback.suppression.lease import LEASE_DURATION, can_lease, lease_names, with_lease
from tests.support.builders import START, a_contact, a_fact, on_day

NOW = on_day(1)
PENDING = ContactRecord(a_contact(a_fact()), rev=3, list_pending=True, pending_since=START, retry_at=NOW)
LEASED = with_lease(PENDING, "worker-1#0", NOW)


def test_the_names_of_a_workers_leases_are_unique() -> None:
    assert list(islice(lease_names("worker-1"), 3)) == ["worker-1#0", "worker-1#1", "worker-1#2"]


def test_a_leased_contact_has_the_name_the_expiry_and_the_next_rev() -> None:
    expires_at = NOW + LEASE_DURATION
    assert replace(PENDING, rev=4, lease="worker-1#0", leased_until=expires_at, retry_at=None) == LEASED


def test_a_lease_makes_a_contact_pending_that_was_not() -> None:
    """If its worker dies, the sweep finds the contact."""
    leased = with_lease(replace(PENDING, list_pending=False, pending_since=None), "worker-1#0", NOW)
    assert (leased.list_pending, leased.pending_since) == (True, NOW)


@pytest.mark.parametrize(
    ("stored", "later", "own", "expected"),
    [
        (PENDING, timedelta(0), "", True),
        (without_lease(LEASED), timedelta(0), "", True),
        (LEASED, timedelta(0), "worker-1#0", True),
        (LEASED, timedelta(0), "worker-1#1", False),
        (LEASED, LEASE_DURATION - timedelta(seconds=1), "", False),
        (LEASED, LEASE_DURATION, "", True),
        (replace(LEASED, leased_until=None), timedelta(0), "", True),
    ],
    ids=["no lease", "released", "own lease", "earlier own lease", "active lease", "expired lease", "no expiry"],
)
def test_a_contact_can_be_leased_without_another_active_lease(
    stored: ContactRecord,
    later: timedelta,
    own: str,
    expected: bool,  # noqa: FBT001 (expected)
) -> None:
    assert can_lease(stored, NOW + later, own) is expected

"""Leases: while a worker writes the suppression-list entries of a contact, no other worker does.

SES has no conditional writes. If two workers wrote the list for the same contact, the slower one could overwrite the
newer entry of the other, and its write would stay. A worker therefore writes a lease on the contact first.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count

from ses_feedback.contacts.record import ContactRecord
from ses_feedback.immutable import replace

LEASE_DURATION = timedelta(seconds=330)
"""How long a lease lasts: longer than SuppressionFunction may run (its `Timeout`, 300 seconds).

When a lease expires, its worker has ended. https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html
"""


def lease_names(worker: str) -> Iterator[str]:
    """Yield names for the leases of `worker`, each used once.

    An earlier lease of the same worker may belong to a call that SES has not finished, so it is not continued.
    """
    return (f"{worker}#{number}" for number in count())


def can_lease(stored: ContactRecord, now: datetime, own: str = "") -> bool:
    """Return True if the contact has no lease, an expired one, or the lease named `own`.

    The holder of another lease notices when the contact changes and writes the list again. If the holder has died,
    the sweep does so after the lease has expired.
    """
    if not stored.lease or stored.lease == own:
        return True
    return stored.leased_until is None or stored.leased_until <= now


def with_lease(stored: ContactRecord, name: str, now: datetime) -> ContactRecord:
    """Return the contact under the lease `name`, not yet written.

    The contact is pending while the lease lasts, even if its list entry was not pending before: if the worker dies
    while it repeats a call, the sweep finds the contact.
    """
    return replace(
        stored,
        rev=stored.rev + 1,
        list_pending=True,
        pending_since=stored.pending_since or now,
        retry_at=None,
        lease=name,
        leased_until=now + LEASE_DURATION,
    )

"""End suspensions: contacts whose suspension is over may be tried again."""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import Protocol

from ses_feedback.aws.batches import batched
from ses_feedback.contacts.contact import merge
from ses_feedback.contacts.record import ContactRecord, become
from ses_feedback.contacts.status import Limits, Status, release_time, released, standing
from ses_feedback.immutable import replace
from ses_feedback.suppression.interfaces import READ_AT_ONCE, StoredContacts

MAX_RELEASES_A_RUN = 1_000
"""Suspensions that one sweep ends: a sweep has other work, and the next one follows in minutes."""


class SuspendedContacts(StoredContacts, Protocol):
    """The contact repository, as far as suspensions need it."""

    def find_ended_suspensions(self, before: datetime) -> Iterator[tuple[datetime, str]]:
        """Yield the end of suspension and the address of contacts, the oldest first."""


class SuspensionReleases:
    """Ends suspensions, the oldest first."""

    def __init__(
        self,
        contacts: SuspendedContacts,
        limits: Limits,
        now: Callable[[], datetime],
        max_releases: int = MAX_RELEASES_A_RUN,
    ) -> None:
        """Release contacts of the repository `contacts` under `limits`, at most `max_releases` in a run."""
        self._contacts = contacts
        self._limits = limits
        self._now = now
        self._max_releases = max_releases

    def release_ended(self, deadline: datetime) -> int:
        """End at most `max_releases` suspensions, until `deadline`; return their number.

        A contact that cannot be read or written now stays in the index for the next run.

        Raises:
            AWS_ERRORS: the index cannot be read.

        """
        if not self._limits.suspension_days:
            return 0  # no suspension ends by itself
        number = 0
        ended = islice(self._contacts.find_ended_suspensions(self._now()), self._max_releases)
        for batch in batched((address for _, address in ended), READ_AT_ONCE):
            read = self._contacts.read(batch, {}, consistent=True)
            # The read returns contacts in any order, and the deadline may end the run.
            for stored in (read[address] for address in batch if address in read):
                if self._now() >= deadline:
                    return number
                number += self._release(stored)
        return number

    def _release(self, stored: ContactRecord) -> bool:
        """End the suspension of a contact if it is over under the current limits; return True if it was ended."""
        if standing(stored.contact, self._limits).status is not Status.SUSPENDED:
            return False
        now = self._now()
        ends_at = release_time(stored.contact, self._limits)
        if ends_at is None or ends_at > now:
            # The limits changed since the item was written: write the item anew, with the new end in the index.
            self._contacts.write(replace(stored, rev=stored.rev + 1))
            return False
        contact = merge(stored.contact, released(stored.contact, self._limits))
        after = become(stored, contact, self._limits, now)
        return after is not None and self._contacts.write(after) is None

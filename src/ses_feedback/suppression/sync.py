"""Sync of contacts with the suppression list, and publication of their changes.

A contact is pending while its attribute `pending_since` is set, so a lost stream record loses no change. Entries and
events are computed from the contact as stored, never from the event that led to it.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from ses_feedback.aws.batches import batched
from ses_feedback.aws.refusals import OUT_OF_TIME
from ses_feedback.contacts.record import ContactRecord, refreshed
from ses_feedback.contacts.status import Limits, Status
from ses_feedback.suppression.contact_events import ContactEvents
from ses_feedback.suppression.entry_writer import EntryWriter
from ses_feedback.suppression.interfaces import (
    READ_AT_ONCE,
    BacklogImporter,
    CallLimiter,
    ContactEventPublisher,
    ListEntries,
    PendingContacts,
    SuspensionEnder,
)
from ses_feedback.suppression.report import SyncReport

SWEEP_AFTER = timedelta(seconds=60)
"""How long a change is pending before the sweep handles it: usually the stream does so within seconds."""


class ListSync:
    """Keeps the suppression list in sync with the contacts, and publishes their changes."""

    def __init__(
        self,
        contacts: PendingContacts,
        entries: ListEntries,
        publisher: ContactEventPublisher,
        rate_limiter: CallLimiter,
        limits: Limits,
        *,
        now: Callable[[], datetime],
        worker: str,
        importer: BacklogImporter | None = None,
        releases: SuspensionEnder | None = None,
    ) -> None:
        """Work in the name of `worker`, which no other worker uses; without `importer`, start no import jobs."""
        self._contacts = contacts
        self._limits = limits
        self._now = now
        self._importer = importer
        self._releases = releases
        self._events = ContactEvents(contacts, publisher, limits)
        self._writer = EntryWriter(contacts, entries, rate_limiter, limits, now=now, worker=worker)

    def sync(self, addresses: Iterable[str], deadline: datetime) -> SyncReport:
        """Write the entries and publish the events of the contacts of `addresses`, until `deadline`.

        A contact that is not pending costs one read.
        """
        report = SyncReport()
        self._sync_batches(addresses, deadline, report)
        return report

    def sweep(self, deadline: datetime) -> SyncReport:
        """Sync every contact that the stream left pending, the oldest first, until `deadline`.

        Raises:
            AWS_ERRORS: the index of pending contacts, or the ledger of import jobs, cannot be read.

        """
        report = SyncReport()
        if self._releases:
            report.released = self._releases.release_ended(deadline)
        if self._importer:
            self._importer.settle_finished(deadline, report)
        pending = self._contacts.find_pending(self._now() - SWEEP_AFTER)
        if self._importer:
            pending = self._importer.start_import(
                pending, lambda addresses: self._read_pending(addresses, report), deadline, report
            )
        for batch in batched(pending, READ_AT_ONCE):
            report.record_pending_lag(batch[0][0], self._now())
            self._sync_batches((address for _, address in batch), deadline, report)
            if self._now() >= deadline:
                break
        return report

    def _sync_batches(self, addresses: Iterable[str], deadline: datetime, report: SyncReport) -> None:
        out_of_time = False
        for batch in batched(dict.fromkeys(addresses), READ_AT_ONCE):
            for stored in self._read_pending(batch, report):
                address = stored.contact.address
                if out_of_time:
                    # To lease the contact and to release it at once would be two useless writes.
                    report.pending[address] = OUT_OF_TIME.code
                    continue
                self._writer.sync(stored, deadline, report)
                out_of_time = report.pending.get(address) == OUT_OF_TIME.code

    def _read_pending(self, addresses: Iterable[str], report: SyncReport) -> list[ContactRecord]:
        """Read contacts and publish their pending events; return those whose entries are pending now.

        Complaints come first, because a complaint rate puts the account at risk sooner than a bounce rate does:
        https://docs.aws.amazon.com/ses/latest/dg/faqs-enforcement.html
        """
        read = self._contacts.read(addresses, report.pending, consistent=True).values()
        current = [refreshed(stored, self._limits, self._now()) for stored in read]
        pending = self._events.publish_pending([stored for stored in current if stored.pending_since], report)
        # A rejected entry waits for its `retry_at`. Otherwise the write that set it, a change, would end the wait.
        now = self._now()
        entries = [stored for stored in pending if stored.list_pending and stored.is_pending(now)]
        return sorted(entries, key=lambda stored: (stored.status is not Status.COMPLAINED, stored.pending_since))

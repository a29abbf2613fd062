"""Write the suppression-list entries of one contact, under a lease."""

from collections.abc import Callable
from datetime import datetime, timedelta

from ses_feedback.aws.refusals import OUT_OF_TIME, Refusal, RefusalKind
from ses_feedback.contacts.record import ContactRecord, marked, refreshed, without_lease, written
from ses_feedback.contacts.status import UNLISTED, Limits, required_list_reason
from ses_feedback.immutable import replace
from ses_feedback.judging.facts import ListReason
from ses_feedback.suppression.entries import entries_of
from ses_feedback.suppression.interfaces import LOST_RACE, CallLimiter, ListEntries, PendingContacts
from ses_feedback.suppression.lease import can_lease, lease_names, with_lease
from ses_feedback.suppression.report import SyncReport

REJECTED_RETRY_AFTER = timedelta(hours=6)
"""How long after SES rejected an entry the call is tried again."""
FAILED_RETRY_AFTER = timedelta(seconds=60)
"""How long after the last of `ATTEMPTS` failed calls the entry is tried again."""
ATTEMPTS = 3
"""Calls for one entry in one run, if SES throttles or fails."""


class EntryWriter:
    """Writes the entries of one contact after the other, as one worker."""

    def __init__(
        self,
        contacts: PendingContacts,
        entries: ListEntries,
        rate_limiter: CallLimiter,
        limits: Limits,
        *,
        now: Callable[[], datetime],
        worker: str,
    ) -> None:
        """Lease contacts in the name of `worker`, which no other worker uses."""
        self._contacts = contacts
        self._entries = entries
        self._rate_limiter = rate_limiter
        self._limits = limits
        self._now = now
        self._lease_names = lease_names(worker)

    def sync(self, stored: ContactRecord, deadline: datetime, report: SyncReport) -> None:
        """Write the entries that the contact requires; repeat if the contact changes in the meantime."""
        address = stored.contact.address
        lease = next(self._lease_names)
        leased_once = False
        while can_lease(stored, self._now(), lease) and (stored.list_pending or leased_once):
            if not leased_once and self._now() >= deadline:
                report.pending[address] = OUT_OF_TIME.code
                return
            leased = with_lease(stored, lease, self._now())
            failure = self._contacts.write(leased)
            if not failure:
                leased_once = True
                failure = self._write_leased(written(leased, self._limits), deadline, report)
            if not failure:
                return
            if failure != LOST_RACE:
                report.pending[address] = failure
                return
            read = self._contacts.read([address], report.pending, consistent=True)
            if address not in read:
                return
            stored = refreshed(read[address], self._limits, self._now())

    def _write_leased(self, leased: ContactRecord, deadline: datetime, report: SyncReport) -> str | None:
        """Write the entries of a leased contact and mark it; return None, or why the contact is still pending."""
        required = required_list_reason(leased.contact, self._limits)
        refusal = self._write_entries(leased, required, deadline)
        if refusal and refusal.kind is RefusalKind.REJECTED:
            report.rejected[refusal.code] += 1
            return self._contacts.write(replace(without_lease(leased), retry_at=self._now() + REJECTED_RETRY_AFTER))
        if refusal:
            self._postpone(leased, refusal, report)
            return refusal.code
        failure = self._contacts.write(marked(leased, required.value if required else UNLISTED))
        if not failure:
            report.put += required is not None
            report.deleted += required is None
            report.record_sync_lag(leased, self._limits, self._now())
        return failure

    def _postpone(self, leased: ContactRecord, refusal: Refusal, report: SyncReport) -> None:
        """Release the lease of a contact whose entries could not be written now, and record how long it is pending."""
        report.record_pending_lag(leased.pending_since, self._now())
        if refusal.kind is RefusalKind.UNANSWERED:
            # SES may still carry out the call, after any write that another worker made by then. The lease therefore
            # stays. After it has expired, the sweep writes the list again.
            return
        # The released lease is a change, so the stream delivers the contact again. It is processed at once only if the
        # time ran out. If this write fails, the lease expires and the contact stays pending.
        retry_at = None if refusal is OUT_OF_TIME else self._now() + FAILED_RETRY_AFTER
        self._contacts.write(replace(without_lease(leased), retry_at=retry_at))

    def _write_entries(self, leased: ContactRecord, required: ListReason | None, deadline: datetime) -> Refusal | None:
        """Put, or delete, the entry of every variant under which SES may list the address."""
        rejected: Refusal | None = None
        for entry in entries_of(leased.contact, required):
            refusal = self._write_entry(entry, required, deadline)
            if refusal and refusal.kind is not RefusalKind.REJECTED:
                return refusal
            rejected = refusal or rejected  # the other variants are written even if SES rejects this one
        return rejected

    def _write_entry(self, entry: str, required: ListReason | None, deadline: datetime) -> Refusal | None:
        refusal: Refusal | None = None
        for _ in range(ATTEMPTS):
            # Acquired right before the call. Otherwise calls that waited for something else would come in a burst.
            refusal = self._rate_limiter.acquire(deadline)
            if refusal:
                return refusal
            refusal = self._entries.put(entry, required) if required else self._entries.delete(entry)
            if refusal is None or refusal.kind in {RefusalKind.REJECTED, RefusalKind.UNANSWERED}:
                break
        return refusal

"""Settle import jobs that are over: mark their contacts, or release them to be written call by call.

SES runs a job at a time of its choice, entry by entry. After it completed, a contact that has not changed since it was
leased is marked as synced. A contact that changed is released, to be written by itself. The same applies to a contact
that another worker wrote before the job was over, because the job may have overwritten its entry. A job stays in the
ledger until it is certainly over.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from ses_feedback.aws.batches import batched
from ses_feedback.contacts.record import UNREADABLE, ContactRecord, marked, without_lease
from ses_feedback.contacts.status import Limits
from ses_feedback.immutable import replace
from ses_feedback.suppression.entries import synced_values
from ses_feedback.suppression.import_jobs.interfaces import JobClient, LedgerStore, ObjectStore
from ses_feedback.suppression.import_jobs.model import (
    ImportJob,
    JobOutcome,
    Ledger,
    Stage,
    lease_name,
    paused,
)
from ses_feedback.suppression.interfaces import READ_AT_ONCE, CallLimiter, PendingContacts
from ses_feedback.suppression.lease import LEASE_DURATION
from ses_feedback.suppression.report import SyncReport, configuration_set_of

JOB_LIFETIME = timedelta(days=3)
"""How long a job with an unknown end may still write entries. The bucket in the template keeps its object longer."""

_Settled = Callable[[ImportJob, ContactRecord, str], ContactRecord | None]
"""Returns the contact to be written, or None if it stays as it is. The text is the contact's value of `synced`."""


class ImportSettlement:
    """Settles jobs, once in each sweep."""

    def __init__(
        self,
        contacts: PendingContacts,
        ledger: LedgerStore,
        objects: ObjectStore,
        jobs: JobClient,
        *,
        rate_limiter: CallLimiter,
        limits: Limits,
        now: Callable[[], datetime],
    ) -> None:
        """Settle the jobs in `ledger`."""
        self._contacts = contacts
        self._ledger = ledger
        self._objects = objects
        self._jobs = jobs
        self._rate_limiter = rate_limiter
        self._limits = limits
        self._now = now

    def settle_finished(self, deadline: datetime, report: SyncReport) -> None:
        """Ask SES for the outcome of each job, and settle those that are over, until `deadline`.

        Raises:
            AWS_ERRORS: DynamoDB does not return the ledger.

        """
        ledger = self._ledger.read()
        if ledger is None:
            report.imports["unreadable-ledger"] += 1
            return
        for job in ledger.jobs:
            if job.stage is not Stage.LOST:
                report.record_pending_lag(job.pending_since, self._now())
            if self._now() < deadline:
                self._advance(job, deadline, report)

    def _advance(self, job: ImportJob, deadline: datetime, report: SyncReport) -> None:
        """Do the next step of a job. A worker that leases its contacts, or asks SES, is not disturbed while it runs."""
        worker_ended = self._now() >= job.started_at + LEASE_DURATION
        match job.stage:
            case Stage.RUNNING:
                self._poll(job, deadline, report)
            case Stage.ABANDONED:
                self._release(job, None, deadline, report)
            case Stage.LEASING if worker_ended:
                self._release(job, None, deadline, report)
            case Stage.CREATING if worker_ended:
                self._release(job, Stage.LOST, deadline, report)
            case Stage.LOST if self._now() >= job.started_at + JOB_LIFETIME:
                self._settle(job, JobOutcome.FAILED, deadline, report)
            case _:
                pass

    def _poll(self, job: ImportJob, deadline: datetime, report: SyncReport) -> None:
        if self._rate_limiter.acquire(deadline):
            return
        outcome = self._jobs.outcome(job.job_id, job.entries)
        if outcome is JobOutcome.COMPLETED:
            self._settle(job, outcome, deadline, report)
        elif outcome is JobOutcome.FAILED or self._now() >= job.started_at + JOB_LIFETIME:
            self._settle(job, JobOutcome.FAILED, deadline, report)
        elif outcome is JobOutcome.UNKNOWN:
            self._release(job, Stage.LOST, deadline, report)

    def _release(self, job: ImportJob, stage: Stage | None, deadline: datetime, report: SyncReport) -> None:
        """Release the contacts of a job that SES never started, or of a job that becomes LOST (`stage`)."""
        report.imports["lost" if stage else "abandoned"] += 1
        if not self._write_contacts(job, self._without_job_lease, deadline, report):
            return
        if stage:
            self._ledger.change(lambda ledger: paused(ledger.with_job(replace(job, stage=stage)), self._now()))
        else:
            self._remove(job, pause=True)

    def _settle(self, job: ImportJob, outcome: JobOutcome, deadline: datetime, report: SyncReport) -> None:
        """Mark the contacts of a completed job as synced, or release those of a failed one."""
        completed = outcome is JobOutcome.COMPLETED
        report.imports["completed" if completed else "failed"] += 1
        settled = self._synced if completed else self._pending_again
        if self._write_contacts(job, settled, deadline, report):
            self._remove(job, pause=not completed)

    def _write_contacts(self, job: ImportJob, settled: _Settled, deadline: datetime, report: SyncReport) -> bool:
        """Write the result of `settled` for each contact of a job; return True if all are written.

        Progress is not stored, because `settled` is idempotent: a contact that was written already stays as it is.
        """
        text = self._objects.get(job.name)
        if text is None:
            # After this long, S3 is not unavailable: the object is gone.
            return self._now() >= job.started_at + 2 * JOB_LIFETIME
        synced = synced_values(text)
        complete = True
        for addresses in batched(synced, READ_AT_ONCE):
            if self._now() >= deadline:
                return False
            failed: dict[str, str] = {}
            for stored in self._contacts.read(addresses, failed, consistent=True).values():
                after = settled(job, stored, synced[stored.contact.address])
                complete = (after is None or self._write(stored, after, report)) and complete
            # An unreadable contact needs an operator: this system cannot write over it. The job does not wait for it.
            complete = complete and not set(failed.values()) - {UNREADABLE}
        return complete

    def _write(self, stored: ContactRecord, after: ContactRecord, report: SyncReport) -> bool:
        if self._contacts.write(after):
            return False  # the contact changed again, or DynamoDB failed: the next sweep repeats all contacts
        if not after.list_pending:
            report.imported += 1
            report.metric_counts.count(configuration_set_of(stored, self._limits), "SuppressionImported")
            report.record_sync_lag(stored, self._limits, self._now())
        return True

    def _synced(self, job: ImportJob, stored: ContactRecord, synced: str) -> ContactRecord | None:
        """Return a contact of a completed job, marked as synced if it has not changed since it was leased."""
        if stored.lease != lease_name(job, stored.rev):
            return self._pending_again(job, stored, synced)
        return marked(stored, synced)

    def _pending_again(self, job: ImportJob, stored: ContactRecord, synced: str) -> ContactRecord | None:
        """Return a contact whose entry the job may have overwritten as pending, or None if it needs no write."""
        released = self._without_job_lease(job, stored, synced)
        unaffected = not stored.lease if stored.list_pending else stored.synced == synced
        if released or unaffected:
            return released
        # The holder of another lease notices this change and writes the list again.
        pending_since = stored.pending_since or self._now()
        return replace(stored, rev=stored.rev + 1, list_pending=True, pending_since=pending_since, retry_at=None)

    def _without_job_lease(self, job: ImportJob, stored: ContactRecord, _synced: str) -> ContactRecord | None:
        """Return a contact without its lease of the job, or None if it has no such lease."""
        return without_lease(stored) if stored.lease.startswith(lease_name(job)) else None

    def _remove(self, job: ImportJob, *, pause: bool) -> None:
        """Remove a settled job from the ledger, and delete its object."""

        def removed(ledger: Ledger) -> Ledger:
            after = ledger.without(job.name)
            return paused(after, self._now()) if pause else after

        if self._ledger.change(removed):
            self._objects.delete(job.name)

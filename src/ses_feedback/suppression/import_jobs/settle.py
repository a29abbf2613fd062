"""See what became of the imports under way, and settle those that are over.

SES carries a job out when it pleases, entry by entry. Once it has, a contact that is as it was leased is done. One
that moved meanwhile goes back to be written by itself; so does one that somebody wrote before the job was over, for
the job may have overwritten it. Until it is certain that a job is over, its import stays on the ledger.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from ses_feedback.aws.batches import batched
from ses_feedback.aws.refusals import Refusal
from ses_feedback.contacts.record import UNREADABLE, ContactRecord, marked, without_lease
from ses_feedback.contacts.status import Limits
from ses_feedback.immutable import replace
from ses_feedback.suppression.import_jobs.model import (
    Action,
    Import,
    Ledger,
    Outcome,
    Stage,
    claim_of,
    contacts_in,
    resting,
)
from ses_feedback.suppression.report import SyncReport, stream_of
from ses_feedback.suppression.sync import LEASE, READ_AT_ONCE, PendingContacts, RateLimit

LIFE = timedelta(days=3)
"""How long a job whose end nobody sees may yet write entries. Its object is kept longer (the template says)."""


class Books(Protocol):
    """Where the ledger of imports is kept."""

    def read(self) -> Ledger | None:
        """Return the ledger, None when somebody else has written it and it can't be read."""

    def change(self, change: Callable[[Ledger], Ledger | None]) -> bool:
        """Make the ledger what `change` makes of it; say whether it is."""


class Objects(Protocol):
    """Where SES imports from."""

    def url(self, name: str) -> str:
        """Return what SES calls an import's object."""

    def put(self, name: str, text: str) -> bool:
        """Write an import's object; say whether it is written."""

    def get(self, name: str) -> str | None:
        """Return an import's object, None when it can't be read."""

    def delete(self, name: str) -> None:
        """Delete an import's object."""


class Jobs(Protocol):
    """SES's import jobs."""

    def create(self, url: str, action: Action) -> str | Refusal:
        """Have SES import an object; return the job's id."""

    def outcome(self, job_id: str, entries: int) -> Outcome | Refusal:
        """Return what became of a job."""


class Settlement:
    """Settles imports, a sweep at a time."""

    def __init__(
        self,
        contacts: PendingContacts,
        books: Books,
        objects: Objects,
        jobs: Jobs,
        *,
        rate_limiter: RateLimit,
        limits: Limits,
        now: Callable[[], datetime],
    ) -> None:
        """Settle what is on the `books`."""
        self._contacts = contacts
        self._books = books
        self._objects = objects
        self._jobs = jobs
        self._turns = rate_limiter
        self._limits = limits
        self._now = now

    def settle_finished(self, until: datetime, done: SyncReport) -> None:
        """See what became of the imports under way, and settle those that are over, as far as `until` allows.

        Raises:
            AWS_ERRORS: DynamoDB did not give the ledger.

        """
        ledger = self._books.read()
        if ledger is None:
            done.imports["unreadable-ledger"] += 1
            return
        for one in ledger.imports:
            if one.stage is not Stage.LOST:
                done.waiting(one.since, self._now())
            if self._now() < until:
                self._look_after(one, until, done)

    def _look_after(self, one: Import, until: datetime, done: SyncReport) -> None:
        """Take an import a stage further; whoever leases for it, or asks SES, is left alone while he may live."""
        left_alone = self._now() < one.begun + LEASE
        match one.stage:
            case Stage.RUNNING:
                self._poll(one, until, done)
            case Stage.ABANDONED:
                self._give_back(one, None, until, done)
            case Stage.CLAIMING if not left_alone:
                self._give_back(one, None, until, done)
            case Stage.CREATING if not left_alone:
                self._give_back(one, Stage.LOST, until, done)
            case Stage.LOST if self._now() >= one.begun + LIFE:
                self._settle(one, Outcome.FAILED, until, done)
            case _:
                pass

    def _poll(self, one: Import, until: datetime, done: SyncReport) -> None:
        if self._turns.acquire(until):
            return
        outcome = self._jobs.outcome(one.job_id, one.entries)
        if outcome is Outcome.CARRIED_OUT:
            self._settle(one, outcome, until, done)
        elif outcome is Outcome.FAILED or self._now() >= one.begun + LIFE:
            self._settle(one, Outcome.FAILED, until, done)
        elif outcome is Outcome.UNKNOWN:
            self._give_back(one, Stage.LOST, until, done)

    def _give_back(self, one: Import, then: Stage | None, until: datetime, done: SyncReport) -> None:
        """Let go of the contacts of an import that SES never began, or (`then` it is lost) may yet carry out."""
        done.imports["lost" if then else "abandoned"] += 1
        if not self._go_through(one, self._released, until, done):
            return
        if then:
            self._books.change(lambda ledger: resting(ledger.with_import(replace(one, stage=then)), self._now()))
        else:
            self._forget(one, rest=True)

    def _settle(self, one: Import, outcome: Outcome, until: datetime, done: SyncReport) -> None:
        """Mark the contacts of an import that is over as report, or have them written one by one."""
        carried_out = outcome is Outcome.CARRIED_OUT
        done.imports["carried-out" if carried_out else "failed"] += 1
        if self._go_through(one, self._marked if carried_out else self._repaired, until, done):
            self._forget(one, rest=not carried_out)

    def _go_through(
        self,
        one: Import,
        become: Callable[[Import, ContactRecord, str], ContactRecord | None],
        until: datetime,
        done: SyncReport,
    ) -> bool:
        """Write what each contact of an import becomes; say whether all are written.

        Nothing is noted of how far this came: a contact that was gone through already stays as it is.
        """
        text = self._objects.get(one.name)
        if text is None:
            return self._now() >= one.begun + 2 * LIFE  # by now it is not S3 that is away, but the object
        held = contacts_in(text)
        whole = True
        for batch in batched(held, READ_AT_ONCE):
            if self._now() >= until:
                return False
            failed: dict[str, str] = {}
            for stored in self._contacts.read(batch, failed, consistent=True).values():
                after = become(one, stored, held[stored.contact.address])
                whole = (after is None or self._write(stored, after, done)) and whole
            # Nobody but an operator mends an unreadable contact, and nothing of ours can be written over it.
            whole = whole and not set(failed.values()) - {UNREADABLE}
        return whole

    def _write(self, stored: ContactRecord, after: ContactRecord, done: SyncReport) -> bool:
        if self._contacts.write(after):
            return False  # it moved again, or DynamoDB failed: the next sweep goes through all of them again
        if not after.list_pending:
            done.imported += 1
            done.metric_counts.count(stream_of(stored, self._limits), "SuppressionImported")
            done.record_lag(stored, self._limits, self._now())
        return True

    def _marked(self, one: Import, stored: ContactRecord, held: str) -> ContactRecord | None:
        """Return a contact as it is once its import was carried out, None when it is to stay as it is."""
        if stored.lease != claim_of(one, stored.rev):
            return self._repaired(one, stored, held)
        return marked(stored, held)

    def _repaired(self, one: Import, stored: ContactRecord, held: str) -> ContactRecord | None:
        """Return a contact whose entry the job may have overwritten as due, None when that would change nothing."""
        released = self._released(one, stored, held)
        as_it_should = not stored.lease if stored.list_pending else stored.synced == held
        if released or as_it_should:
            return released
        # Whoever has leased it meanwhile sees it change, and writes the list once more.
        pending_since = stored.pending_since or self._now()
        return replace(stored, rev=stored.rev + 1, list_pending=True, pending_since=pending_since, retry_at=None)

    def _released(self, one: Import, stored: ContactRecord, _held: str) -> ContactRecord | None:
        """Return a contact without the import's lease, to be written by itself, None when it has no such lease."""
        return without_lease(stored) if stored.lease.startswith(claim_of(one)) else None

    def _forget(self, one: Import, *, rest: bool) -> None:
        """Strike a settled import off the ledger."""

        def soft_bounced(ledger: Ledger) -> Ledger:
            after = ledger.without(one.name)
            return resting(after, self._now()) if rest else after

        if self._books.change(soft_bounced):
            self._objects.delete(one.name)

"""Start an import job if more contacts are pending than single calls could write in time.

A job leases its contacts as a worker of the sync does, but each lease contains the `rev` with which it was written. At
most one job runs at a time. Only sweeps start and settle jobs.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain, count, islice

from ses_feedback.aws.batches import batched
from ses_feedback.aws.refusals import Refusal, RefusalKind
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.contacts.status import Limits, required_list_reason
from ses_feedback.immutable import replace
from ses_feedback.judging.facts import ListReason
from ses_feedback.suppression.entries import entries_of, is_importable, object_lines
from ses_feedback.suppression.import_jobs.interfaces import JobClient, LedgerStore, ObjectStore
from ses_feedback.suppression.import_jobs.model import (
    MAX_ENTRIES,
    Action,
    ImportJob,
    Ledger,
    Stage,
    leased_for_import,
)
from ses_feedback.suppression.import_jobs.settle import ImportSettlement
from ses_feedback.suppression.interfaces import (
    LOST_RACE,
    READ_AT_ONCE,
    CallLimiter,
    PendingAddress,
    PendingContacts,
    ReadPending,
)
from ses_feedback.suppression.lease import can_lease
from ses_feedback.suppression.report import SyncReport

RESERVE = timedelta(seconds=60)
"""Time before the deadline that is kept for writing the object and for asking SES to create the job."""
ATTEMPTS = 3
"""Calls for one job if SES throttles."""


class ImportStarter:
    """Starts import jobs, and settles them."""

    def __init__(
        self,
        contacts: PendingContacts,
        ledger: LedgerStore,
        objects: ObjectStore,
        jobs: JobClient,
        *,
        rate_limiter: CallLimiter,
        limits: Limits,
        max_pending: int | None,
        now: Callable[[], datetime],
        worker: str,
    ) -> None:
        """Start a job if more than `max_pending` contacts are pending (None: never); its name begins with `worker`."""
        self._contacts = contacts
        self._ledger = ledger
        self._objects = objects
        self._jobs = jobs
        self._rate_limiter = rate_limiter
        self._limits = limits
        self._max_pending = max_pending
        self._now = now
        self._names = (f"import-{worker}-{number}" for number in count())
        self._settlement = ImportSettlement(
            contacts, ledger, objects, jobs, rate_limiter=rate_limiter, limits=limits, now=now
        )

    def settle_finished(self, deadline: datetime, report: SyncReport) -> None:
        """Settle the jobs that are over; raise as `ImportSettlement.settle_finished` does."""
        self._settlement.settle_finished(deadline, report)

    def start_import(
        self, pending: Iterator[PendingAddress], read_pending: ReadPending, deadline: datetime, report: SyncReport
    ) -> Iterator[PendingAddress]:
        """Start a job if too many contacts are pending; return the pending contacts that it does not include.

        Raises:
            AWS_ERRORS: DynamoDB does not return the pending contacts or the ledger.

        """
        if self._max_pending is None:
            return pending
        first = list(islice(pending, self._max_pending + 1))
        if len(first) <= self._max_pending:
            return iter(first)
        candidates = [*first, *islice(pending, max(0, MAX_ENTRIES[Action.PUT] - len(first)))]
        report.record_pending_lag(candidates[0][0], self._now())
        leased = self._start(candidates, read_pending, deadline, report)
        return chain((candidate for candidate in candidates if candidate[1] not in leased), pending)

    def _start(
        self, candidates: Sequence[PendingAddress], read_pending: ReadPending, deadline: datetime, report: SyncReport
    ) -> set[str]:
        """Start a job unless one is running or jobs are paused; return the addresses that it has leased."""
        now = self._now()
        if now + RESERVE >= deadline or _must_wait(self._ledger.read(), now):
            return set()
        batches = map(read_pending, batched((address for _, address in candidates), READ_AT_ONCE))
        first = next(batches)
        job = ImportJob(next(self._names), self._choose_action(first), now, candidates[0][0])
        # The object with all candidates is written first: a later worker that finds the job in the ledger finds the
        # addresses it may have leased.
        if not self._objects.put(job.name, object_lines((address for _, address in candidates), None)):
            return set()
        if not self._ledger.change(lambda ledger: None if _must_wait(ledger, now) else ledger.with_job(job)):
            return set()
        lines = self._lease_contacts(job, chain([first], batches), deadline - RESERVE)
        self._create(replace(job, entries=sum(text.count("\n") for text in lines.values())), lines, deadline, report)
        return set(lines)

    def _choose_action(self, pending: Sequence[ContactRecord]) -> Action:
        """Return the action that most contacts need."""
        put = sum(required_list_reason(stored.contact, self._limits) is not None for stored in pending)
        return Action.PUT if 2 * put >= len(pending) else Action.DELETE

    def _lease_contacts(
        self, job: ImportJob, batches: Iterable[Sequence[ContactRecord]], deadline: datetime
    ) -> dict[str, str]:
        """Lease contacts until `deadline`, or until the object is full; return the object lines of each."""
        lines: dict[str, str] = {}
        room = MAX_ENTRIES[job.action]
        for stored in chain.from_iterable(batches):
            required = required_list_reason(stored.contact, self._limits)
            entries = entries_of(stored.contact, required)
            if len(entries) > room or self._now() >= deadline:
                break
            if (required is None) is (job.action is Action.PUT) or not is_importable(entries):
                continue
            # A lease counts even if it is unknown whether it was written. If it was not, the job writes an entry that
            # another worker writes too.
            if can_lease(stored, self._now()) and self._contacts.write(leased_for_import(job, stored)) != LOST_RACE:
                lines[stored.contact.address] = object_lines(entries, required)
                room -= len(entries)
        return lines

    def _create(self, job: ImportJob, lines: dict[str, str], deadline: datetime, report: SyncReport) -> None:
        """Write the final object and have SES create the job. Each stage is recorded in the ledger."""
        complaints_first = sorted(lines.values(), key=lambda text: f'"{ListReason.COMPLAINT}"' not in text)
        ready = lines and self._objects.put(job.name, "".join(complaints_first))
        if not ready or not self._record(job, Stage.CREATING):
            self._record(job, Stage.ABANDONED)
            return
        answer = self._request_job(job, deadline)
        if isinstance(answer, str):
            report.imports["started"] += 1
            self._record(replace(job, job_id=answer), Stage.RUNNING)
            return
        report.imports[f"rejected: {answer.code}"] += 1
        if answer.kind is not RefusalKind.UNANSWERED:
            self._record(job, Stage.ABANDONED)

    def _request_job(self, job: ImportJob, deadline: datetime) -> str | Refusal:
        """Return the id of the job that SES created, or why it created none; a throttled call certainly did not."""
        answer: str | Refusal = Refusal(RefusalKind.THROTTLED, "never-asked")
        for _ in range(ATTEMPTS):
            refusal = self._rate_limiter.acquire(deadline)
            if refusal:
                return Refusal(RefusalKind.THROTTLED, refusal.code)
            answer = self._jobs.create(self._objects.url(job.name), job.action)
            if isinstance(answer, str) or answer.kind is not RefusalKind.THROTTLED:
                break
        return answer

    def _record(self, job: ImportJob, stage: Stage) -> bool:
        return self._ledger.change(lambda ledger: ledger.with_job(replace(job, stage=stage)))


def _must_wait(ledger: Ledger | None, now: datetime) -> bool:
    """Return True if no job may be started: one is running, jobs are paused, or the ledger is malformed."""
    if ledger is None:
        return True
    unsettled = any(job.stage is not Stage.LOST for job in ledger.jobs)
    return unsettled or (ledger.paused_until is not None and now < ledger.paused_until)

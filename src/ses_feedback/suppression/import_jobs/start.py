"""Serve a backlog of the list_sync's by import jobs, where one call a second would take too long.

An import leases its contacts as a worker of the list_sync does; each lease names the `rev` it was made with. One import
is under way at a time, and only sweeps look after it (`settlement`).
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
from ses_feedback.suppression.import_jobs.model import (
    MOST_ENTRIES,
    Action,
    Import,
    Ledger,
    Stage,
    entries_of,
    importable,
    leased,
    lines,
)
from ses_feedback.suppression.import_jobs.settle import Books, Jobs, Objects, Settlement
from ses_feedback.suppression.report import SyncReport
from ses_feedback.suppression.sync import LOST_RACE, READ_AT_ONCE, PendingContacts, RateLimit, Waiting, can_lease

FINISHING = timedelta(seconds=60)
"""Time kept back from claiming contacts, to write the object and have SES begin."""
TRIES = 3
"""Calls for one job before a busy SES is left alone."""

Due = Callable[[Sequence[str]], Sequence[ContactRecord]]
"""Reads contacts, does all for them that takes no call of SES, and returns those whose entry is due now."""


class ImportStarter:
    """Imports what waits when it is too much for one call a second."""

    def __init__(
        self,
        contacts: PendingContacts,
        books: Books,
        objects: Objects,
        jobs: Jobs,
        *,
        rate_limiter: RateLimit,
        limits: Limits,
        most: int | None,
        now: Callable[[], datetime],
        worker: str,
    ) -> None:
        """Begin an import when more than `most` contacts wait (None: never), under the name `worker` and a number."""
        self._contacts = contacts
        self._books = books
        self._objects = objects
        self._jobs = jobs
        self._turns = rate_limiter
        self._limits = limits
        self._most = most
        self._now = now
        self._worker = worker
        self._begun = count()
        self._settlement = Settlement(contacts, books, objects, jobs, rate_limiter=rate_limiter, limits=limits, now=now)

    def settle_finished(self, until: datetime, done: SyncReport) -> None:
        """Settle the imports that are over; raises as `Settlement.settle_finished`."""
        self._settlement.settle_finished(until, done)

    def start_imports(
        self, waiting: Iterator[Waiting], due: Due, until: datetime, done: SyncReport
    ) -> Iterator[Waiting]:
        """Have SES import what waits, if that is too much, as far as `until` allows; return what is left.

        Raises:
            AWS_ERRORS: DynamoDB did not tell what waits, or did not give the ledger.

        """
        if self._most is None:
            return waiting
        first = list(islice(waiting, self._most + 1))
        if len(first) <= self._most:
            return iter(first)
        every = [*first, *islice(waiting, max(0, MOST_ENTRIES[Action.PUT] - len(first)))]
        done.waiting(every[0][0], self._now())
        taken = self._begin(every, due, until, done)
        return chain((one for one in every if one[1] not in taken), waiting)

    def _begin(self, waiting: Sequence[Waiting], due: Due, until: datetime, done: SyncReport) -> set[str]:
        """Begin an import unless one is under way; return the addresses it has leased."""
        now = self._now()
        if now + FINISHING >= until or _busy(self._books.read(), now):
            return set()
        batches = map(due, batched((address for _, address in waiting), READ_AT_ONCE))
        first = next(batches)
        one = Import(f"import-{self._worker}-{next(self._begun)}", self._action(first), now, waiting[0][0])
        # First the object, with everybody who may be leased: whoever finds this import can tell who was.
        if not self._objects.put(one.name, lines((address for _, address in waiting), None)):
            return set()
        if not self._books.change(lambda ledger: None if _busy(ledger, now) else ledger.with_import(one)):
            return set()
        text = self._claim_all(one, chain([first], batches), until - FINISHING)
        self._create(replace(one, entries=sum(part.count("\n") for part in text.values())), text, until, done)
        return set(text)

    def _action(self, stored: Sequence[ContactRecord]) -> Action:
        """Return what most contacts wait for."""
        put = sum(required_list_reason(one.contact, self._limits) is not None for one in stored)
        return Action.PUT if 2 * put >= len(stored) else Action.DELETE

    def _claim_all(self, one: Import, batches: Iterable[Sequence[ContactRecord]], until: datetime) -> dict[str, str]:
        """Claim contacts until `until`, or until SES would take no more; return the lines of each."""
        text: dict[str, str] = {}
        room = MOST_ENTRIES[one.action]
        for stored in chain.from_iterable(batches):
            wanted = required_list_reason(stored.contact, self._limits)
            entries = entries_of(stored.contact, wanted)
            if len(entries) > room or self._now() >= until:
                break
            if (wanted is None) is (one.action is Action.PUT) or not importable(entries):
                continue
            # A lease of which nobody knows whether it was written counts: if it was not, the job writes an entry that
            # somebody else writes too.
            if can_lease(stored, self._now()) and self._contacts.write(leased(one, stored)) != LOST_RACE:
                text[stored.contact.address] = lines(entries, wanted)
                room -= len(entries)
        return text

    def _create(self, one: Import, text: dict[str, str], until: datetime, done: SyncReport) -> None:
        """Have SES begin the job of an import."""
        complaints_first = sorted(text.values(), key=lambda part: f'"{ListReason.COMPLAINT}"' not in part)
        ready = text and self._objects.put(one.name, "".join(complaints_first))
        if not ready or not self._note(one, Stage.CREATING):
            self._note(one, Stage.ABANDONED)
            return
        answer = self._ask(one, until)
        if isinstance(answer, str):
            done.imports["begun"] += 1
            self._note(replace(one, job_id=answer), Stage.RUNNING)
            return
        done.imports[f"refused: {answer.code}"] += 1
        if answer.kind is not RefusalKind.UNANSWERED:
            self._note(one, Stage.ABANDONED)

    def _ask(self, one: Import, until: datetime) -> str | Refusal:
        """Return the id of the job that SES began, or why it began none; a busy SES certainly began none."""
        answer: str | Refusal = Refusal(RefusalKind.THROTTLED, "never-asked")
        for _ in range(TRIES):
            refusal = self._turns.acquire(until)
            if refusal:
                return Refusal(RefusalKind.THROTTLED, refusal.code)
            answer = self._jobs.create(self._objects.url(one.name), one.action)
            if isinstance(answer, str) or answer.kind is not RefusalKind.THROTTLED:
                break
        return answer

    def _note(self, one: Import, stage: Stage) -> bool:
        return self._books.change(lambda ledger: ledger.with_import(replace(one, stage=stage)))


def _busy(ledger: Ledger | None, now: datetime) -> bool:
    """Say whether no import may be begun: one at a time, and none while the last one's failure is fresh."""
    if ledger is None:
        return True
    under_way = any(one.stage is not Stage.LOST for one in ledger.imports)
    return under_way or (ledger.rest_until is not None and now < ledger.rest_until)

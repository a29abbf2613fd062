"""The one way out: make the suppression list, and whoever listens on the event bus, sync the contacts.

What is due stands on the contact itself (`pending_since`), so nothing is lost when a stream record is, and what is written
comes from the contact as it is, never from the event that brought it here. A worker leases a contact before it writes
the list, for a time longer than a function can live: SES has no conditional writes, and a write that a slow worker
makes after another has already finished would stand for good.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Protocol

from ses_feedback.aws.batches import batched
from ses_feedback.aws.refusals import OUT_OF_TIME, Refusal, RefusalKind
from ses_feedback.contacts.record import ContactRecord, marked, refreshed, without_lease, written
from ses_feedback.contacts.status import UNLISTED, Limits, Status, required_list_reason, standing
from ses_feedback.contacts.status_change import StatusChange
from ses_feedback.immutable import replace
from ses_feedback.judging.facts import ListReason
from ses_feedback.suppression.import_jobs.model import entries_of
from ses_feedback.suppression.report import SyncReport, stream_of

READ_AT_ONCE = 100
LOST_RACE = "ConditionalCheckFailedException"
"""What `Contacts.write` answers when somebody else wrote the contact since it was read."""
LEASE = timedelta(seconds=330)
"""How long a lease holds: longer than SuppressionFunction may run (its Timeout, 300 seconds)."""
POSTPONEMENT = timedelta(hours=6)
"""How long an entry SES won't have waits before it is tried again."""
PATIENCE = timedelta(seconds=60)
"""How long an entry waits that SES could not take now, three times over."""
SETTLED = timedelta(seconds=60)
"""How long a change is left to the stream before the sweep takes it."""
TRIES = 3
"""Calls for one entry before a faulty SES is left alone until the next retry of the stream, or the next sweep."""

Waiting = tuple[datetime, str]
"""Since when a contact waits, and its address."""


class PendingContacts(Protocol):
    """Where contacts are kept."""

    def read(self, addresses: Iterable[str], failed: dict[str, str], *, consistent: bool) -> dict[str, ContactRecord]:
        """Return contacts; put those that can't be read in `failed`."""

    def write(self, stored: ContactRecord) -> str | None:
        """Write a contact if nobody wrote it since it was read, or `written`; return None or why it was not written."""

    def due(self, before: datetime) -> Iterator[Waiting]:
        """Yield since when, and the address, of contacts due since `before`, the oldest first."""


class SuppressionList(Protocol):
    """The suppression list."""

    def put(self, address: str, reason: ListReason) -> Refusal | None:
        """Make the list hold an entry."""

    def delete(self, address: str) -> Refusal | None:
        """Make the list not hold an entry."""


class RateLimit(Protocol):
    """Whose turn it is to call SES."""

    def acquire(self, until: datetime) -> Refusal | None:
        """Wait for a turn; return why there is none before `until`, if there is none."""


class EventPublisher(Protocol):
    """Who tells the outside world. It `hangs` when nobody answered the latest call."""

    hangs: bool

    def publish(self, changes: Sequence[StatusChange]) -> Sequence[StatusChange]:
        """Announce changes; return those that were."""


class ImportStarter(Protocol):
    """Who has SES import what is too much for one call a second."""

    def settle_finished(self, until: datetime, done: SyncReport) -> None:
        """Settle the imports that are over."""

    def start_imports(
        self,
        waiting: Iterator[Waiting],
        due: Callable[[Sequence[str]], Sequence[ContactRecord]],
        until: datetime,
        done: SyncReport,
    ) -> Iterator[Waiting]:
        """Have SES import what waits, if that is too much; return what is left."""


class Releases(Protocol):
    """Ends suspensions."""

    def release_ended(self, until: datetime) -> int:
        """End suspensions that are over; return their number."""


class ListSync:
    """Keeps the suppression list in step with the contacts, and publishes what changed."""

    def __init__(
        self,
        contacts: PendingContacts,
        suppression_list: SuppressionList,
        publisher: EventPublisher,
        rate_limiter: RateLimit,
        limits: Limits,
        *,
        now: Callable[[], datetime],
        worker: str,
        backlog: ImportStarter | None = None,
        releases: Releases | None = None,
    ) -> None:
        """Work under the name `worker`, which no other worker bears; without a `backlog`, call by call only."""
        self._contacts = contacts
        self._list = suppression_list
        self._announcer = publisher
        self._turns = rate_limiter
        self._limits = limits
        self._now = now
        self._worker = worker
        self._backlog = backlog
        self._releases = releases
        self._claims = count()

    def sync(self, addresses: Iterable[str], until: datetime) -> SyncReport:
        """Bring the list and the outside world up to date with the contacts of `addresses`, as far as `until` allows.

        A contact that is not due costs one read.
        """
        done = SyncReport()
        self._follow(addresses, until, done)
        return done

    def _follow(self, addresses: Iterable[str], until: datetime, done: SyncReport) -> None:
        exhausted = False
        for batch in batched(dict.fromkeys(addresses), READ_AT_ONCE):
            for stored in self._due(batch, done):
                address = stored.contact.address
                if exhausted:
                    # To lease it and to give the lease back, for want of time, would be two writes for nothing.
                    done.left[address] = OUT_OF_TIME.code
                    continue
                self._follow_one(stored, until, done)
                exhausted = done.left.get(address) == OUT_OF_TIME.code

    def sweep(self, until: datetime) -> SyncReport:
        """Follow every contact that the stream left due, the oldest first, until `until`.

        Raises:
            AWS_ERRORS: the index of due contacts, or the ledger of imports, can't be read.

        """
        swept = SyncReport()
        if self._releases:
            swept.released = self._releases.release_ended(until)
        if self._backlog:
            self._backlog.settle_finished(until, swept)
        waiting = self._contacts.due(self._now() - SETTLED)
        if self._backlog:
            waiting = self._backlog.start_imports(waiting, lambda addresses: self._due(addresses, swept), until, swept)
        for batch in batched(waiting, READ_AT_ONCE):
            swept.waiting(batch[0][0], self._now())
            self._follow((address for _, address in batch), until, swept)
            if self._now() >= until:
                break
        return swept

    def _due(self, addresses: Iterable[str], done: SyncReport) -> list[ContactRecord]:
        """Announce what is due of these contacts; return those whose list entry is due now."""
        due = self._publish_due([stored for stored in self._read(addresses, done) if stored.pending_since], done)
        # Complaints first: they are what an account is closed for.
        due.sort(key=lambda stored: (stored.status is not Status.COMPLAINED, stored.pending_since))
        return due

    def _read(self, addresses: Iterable[str], done: SyncReport) -> list[ContactRecord]:
        read = self._contacts.read(addresses, done.left, consistent=True)
        return [refreshed(stored, self._limits, self._now()) for stored in read.values()]

    def _publish_due(self, due: list[ContactRecord], done: SyncReport) -> list[ContactRecord]:
        """Announce every status that is due; return the contacts whose list entry is due now, as they then are."""
        changed = {stored.contact.address: stored for stored in due if stored.publish_pending}
        remaining = [stored for stored in due if stored.contact.address not in changed]
        taken = self._tell(changed.values(), done)
        for address, stored in changed.items():
            if address not in taken:
                done.left[address] = "not-published"
                remaining.append(stored)  # the list need not wait for EventBridge
                continue
            after = replace(
                stored,
                rev=stored.rev + 1,
                published=stored.status,
                publish_pending=False,
                pending_since=stored.pending_since if stored.list_pending else None,
            )
            refused = self._contacts.write(after)
            if refused:
                # Somebody wrote the contact since, or DynamoDB failed: published again rather than not at all.
                done.left[address] = refused
                continue
            self._count(stored, done)
            remaining.append(written(after, self._limits))
        # An entry SES refused waits for its time: else its own postponement, a change, would bring it here at once.
        now = self._now()
        return [stored for stored in remaining if stored.list_pending and stored.is_pending(now)]

    def _tell(self, changed: Iterable[ContactRecord], done: SyncReport) -> set[str]:
        """Announce changed contacts; return the addresses of those that were."""
        if done.bus_hangs:
            # Who hung once is not waited for again in this run, batch after batch: it would leave no time for the list.
            return set()
        taken = self._announcer.publish([self._change(one) for one in changed])
        done.bus_hangs = self._announcer.hangs
        return {change.address for change in taken}

    def _change(self, stored: ContactRecord) -> StatusChange:
        evidence = standing(stored.contact, self._limits).evidence
        change = StatusChange(stored.contact.address, stored.published, stored.status, stored.rev)
        if evidence is None:
            return change
        return replace(
            change,
            reason=evidence.reason,
            time=evidence.at,
            configuration_set=evidence.configuration_set,
            message_id=evidence.message_id,
            status_code=evidence.status_code,
            tags=evidence.tags,
        )

    def _count(self, stored: ContactRecord, done: SyncReport) -> None:
        done.published += 1
        if stored.published.may_send is not stored.status.may_send:
            name = "ContactReleased" if stored.status.may_send else "ContactSuppressed"
            done.metric_counts.count(stream_of(stored, self._limits), name)

    def _follow_one(self, stored: ContactRecord, until: datetime, done: SyncReport) -> None:
        """Make the list hold what it should of one contact, again when the contact changes meanwhile."""
        address = stored.contact.address
        # A name of its own each time: an earlier lease of this very worker may stand for a call still under way.
        lease = f"{self._worker}#{next(self._claims)}"
        claimed_once = False
        while self._can_lease(stored, lease) and (stored.list_pending or claimed_once):
            if not claimed_once and self._now() >= until:
                done.left[address] = OUT_OF_TIME.code
                return
            now = self._now()
            # Due with the lease, so that the sweep takes over from a worker that dies while it writes a second time.
            leased = replace(
                stored,
                rev=stored.rev + 1,
                list_pending=True,
                pending_since=stored.pending_since or now,
                retry_at=None,
                lease=lease,
                leased_until=now + LEASE,
            )
            lost = self._contacts.write(leased)
            if not lost:
                claimed_once = True
                lost = self._write_list(written(leased, self._limits), until, done)
            if not lost:
                return
            if lost != LOST_RACE:
                done.left[address] = lost
                return
            read = self._read([address], done)
            if not read:
                return
            (stored,) = read

    def _write_list(self, leased: ContactRecord, until: datetime, done: SyncReport) -> str | None:
        """Write the list as the leased contact wants it, and say so on the contact; return why it does not stand."""
        wanted = required_list_reason(leased.contact, self._limits)
        refusal = self._call(leased, wanted, until)
        if refusal and refusal.kind is RefusalKind.REJECTED:
            done.refused[refusal.code] += 1
            return self._contacts.write(replace(without_lease(leased), retry_at=self._now() + POSTPONEMENT))
        if refusal:
            self._leave(leased, refusal, done)
            return refusal.code
        lost = self._contacts.write(marked(leased, wanted.value if wanted else UNLISTED))
        if not lost:
            done.put += wanted is not None
            done.deleted += wanted is None
            done.record_lag(leased, self._limits, self._now())
        return lost

    def _leave(self, leased: ContactRecord, refusal: Refusal, done: SyncReport) -> None:
        """Leave a contact due whose entry could not be written now, and tell how long it has been."""
        done.waiting(leased.pending_since, self._now())
        if refusal.kind is RefusalKind.UNANSWERED:
            # The lease stays: SES may yet carry the call out, and what is written before it does would not stand. The
            # sweep writes the list again when the lease has run out.
            return
        # Giving the lease back is a change that the stream brings here again: at once it may only come when time was
        # all that was missing. Whether or not the write succeeds: the lease runs out, and the contact is still due.
        retry_at = None if refusal is OUT_OF_TIME else self._now() + PATIENCE
        self._contacts.write(replace(without_lease(leased), retry_at=retry_at))

    def _call(self, leased: ContactRecord, wanted: ListReason | None, until: datetime) -> Refusal | None:
        """Put, or delete, every variant SES may hold the address under."""
        refused: Refusal | None = None
        for entry in entries_of(leased.contact, wanted):
            refusal = self._call_one(entry, wanted, until)
            if refusal and refusal.kind is not RefusalKind.REJECTED:
                return refusal
            refused = refusal or refused  # one variant SES won't have must not keep the others off
        return refused

    def _call_one(self, entry: str, wanted: ListReason | None, until: datetime) -> Refusal | None:
        refusal: Refusal | None = None
        for _ in range(TRIES):
            # The turn is taken right before the call, or calls would bunch up behind whatever came between.
            refusal = self._turns.acquire(until)
            if refusal:
                return refusal
            refusal = self._list.put(entry, wanted) if wanted else self._list.delete(entry)
            if refusal is None or refusal.kind in {RefusalKind.REJECTED, RefusalKind.UNANSWERED}:
                break
        return refusal

    def _can_lease(self, stored: ContactRecord, lease: str) -> bool:
        # Under another lease somebody sees the contact change and goes on; if nobody does, the sweep comes after.
        return stored.lease == lease or can_lease(stored, self._now())


def can_lease(stored: ContactRecord, now: datetime) -> bool:
    """Say whether nobody has leased the contact, or whoever did is over his time."""
    return not stored.lease or stored.leased_until is None or stored.leased_until <= now

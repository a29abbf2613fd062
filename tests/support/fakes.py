"""In-memory stand-ins for what reaches AWS, and ways to make AWS itself fail.

The fakes pass the same contract as the adapters they stand in for (`test_contracts.py`). `FaultyClient` is no fake:
it hands every call to a real client of the embedded AWS, except for the calls a test wants to go wrong.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, ParamSpec, TypeVar

from ses_feedback.aws.errors import CONDITION_FAILED
from ses_feedback.aws.refusals import OUT_OF_TIME, Refusal, RefusalKind
from ses_feedback.contacts.contact import Contact, changes_contact
from ses_feedback.contacts.history import history_item
from ses_feedback.contacts.record import ContactRecord, ContactRecordError, Item, decode, encode, learn
from ses_feedback.contacts.status import Limits
from ses_feedback.contacts.status_change import StatusChange
from ses_feedback.judging.facts import Fact, ListReason, Verdict
from ses_feedback.timestamps import parse_timestamp

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""A day after the builders' message was sent."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class ManualClock:
    """A clock that only sleeping moves on, at once; `naps` are the sleeps, in seconds."""

    def __init__(self, start: datetime = NOON) -> None:
        """Start at `start`."""
        self._now = start
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        """Return the time."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.sleeps.append(seconds)
        self._now += timedelta(seconds=seconds)


class InlineExecutor(Executor):
    """Runs what is submitted at once, one after the other, so that the calls of a test have an order."""

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> "Future[_T]":
        """Run `fn` now."""
        future: Future[_T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 (the future hands it to whoever asks for the result)
            future.set_exception(error)
        return future


class FakeContacts:
    """ContactRepository without DynamoDB.

    `reads` says of each read whether it had to be consistent; what is in memory is never stale. `faults` are the
    addresses that can't be written, and why, `unreadable` those that can't be read. `interrupt` is called once, before
    the next write is looked at: what it does happens between a reader's read and its write.
    """

    def __init__(self, limits: Limits | None = None, *, now: Callable[[], datetime], history_days: int = 365) -> None:
        """Keep contacts under `limits`."""
        self._limits = limits or Limits()
        self._now = now
        self._history_days = history_days
        self._history: dict[tuple[str, str], Item] = {}
        self.items: dict[str, Item] = {}
        self.reads: list[bool] = []
        self.written: list[ContactRecord] = []
        self.faults: dict[str, str] = {}
        self.unreadable: dict[str, str] = {}
        self.interrupt: Callable[[], object] | None = None

    def learn(self, facts: Iterable[Fact], until: datetime | None = None) -> Mapping[str, str]:
        """Store facts; return the addresses whose facts could not be stored, with the reason."""
        by_address: dict[str, list[Fact]] = {}
        for fact in facts:
            by_address.setdefault(fact.address.key, []).append(fact)
        if until and self._now() >= until:
            return dict.fromkeys(by_address, "out-of-time")
        failed: dict[str, str] = {}
        for address, known in by_address.items():
            changing = [fact for fact in known if changes_contact(fact)]
            lost = self._learn(address, changing, failed) if changing else None
            if lost:
                failed[address] = lost
            self._keep_history(address, known)
        return failed

    def _learn(self, address: str, facts: Sequence[Fact], failed: dict[str, str]) -> str | None:
        stored = self.read([address], failed, consistent=True).get(address)
        learnt = learn(stored, facts, self._limits, self._now()) if stored else None
        return self.write(learnt) if learnt else None

    def _keep_history(self, address: str, facts: Iterable[Fact]) -> None:
        for fact in facts:
            if fact.verdict is not Verdict.DELIVERED:
                item = history_item(fact, self._history_days, self._now())
                self._history.setdefault((address, item["record"]["S"]), item)

    def read(self, addresses: Iterable[str], failed: dict[str, str], *, consistent: bool) -> dict[str, ContactRecord]:
        """Return contacts; put those that can't be read in `failed`."""
        self.reads.append(consistent)
        wanted, found = list(addresses), dict[str, ContactRecord]()
        if len(set(wanted)) < len(wanted):
            failed |= dict.fromkeys(wanted, "ValidationException")
            return found
        for address in wanted:
            if address in self.unreadable:
                failed[address] = self.unreadable[address]
                continue
            try:
                item = self.items.get(address)
                found[address] = decode(item) if item else ContactRecord(Contact(address))
            except ContactRecordError:
                failed[address] = "unreadable-contact"
        return found

    def write(self, stored: ContactRecord) -> str | None:
        """Write a contact if nobody wrote it since it was read; return None or the reason it was not written."""
        interrupt, self.interrupt = self.interrupt, None
        if interrupt:
            interrupt()
        address = stored.contact.address
        if address in self.faults:
            return self.faults[address]
        held = self.items.get(address)
        if (held and held["rev"]) != (stored.item and stored.item["rev"]):
            return CONDITION_FAILED
        others = {name: kept for name, kept in (held or {}).items() if name not in (stored.item or {})}
        self.items[address] = others | encode(stored, self._limits)
        self.written.append(stored)
        return None

    def find_pending(self, before: datetime) -> Iterator[tuple[datetime, str]]:
        """Yield since when, and the address, of contacts due since `before`, the oldest first."""
        waiting = [
            (parse_timestamp(item["pending_at"]["S"]), address)
            for address, item in self.items.items()
            if "pending_at" in item
        ]
        return iter(sorted((since, address) for since, address in waiting if since and since <= before))

    def history(self, address: str) -> list[Item]:
        """Return an address's history, the oldest first."""
        return [item for (owner, _), item in sorted(self._history.items()) if owner == address]


class ListCall(NamedTuple):
    """A call of the suppression list; a deletion has no reason."""

    address: str
    reason: ListReason | None


class FakeSuppressionList:
    """The suppression list without SES: it refuses what SES refuses, but for the rate.

    `refusals` are the answers of the next calls, None for a call that is answered as usual. `interrupt` is called
    once, before the next call is answered.
    """

    def __init__(self, *, sandbox: bool = False) -> None:
        """Start with an empty list."""
        self.entries: dict[str, ListReason] = {}
        self.calls: list[ListCall] = []
        self.sandbox = sandbox
        self.refusals: list[Refusal | None] = []
        self.interrupt: Callable[[], object] | None = None

    def put(self, address: str, reason: ListReason) -> Refusal | None:
        """Make the list hold an entry."""
        refusal = self._refusal(ListCall(address, reason))
        if refusal is None and (self.sandbox or address.endswith("@simulator.amazonses.com")):
            refusal = Refusal(RefusalKind.REJECTED, "BadRequestException")
        if refusal is None:
            self.entries[address] = reason
        return refusal

    def delete(self, address: str) -> Refusal | None:
        """Make the list not hold an entry."""
        refusal = self._refusal(ListCall(address, None))
        if refusal is None and "/" in address:
            refusal = Refusal(RefusalKind.REJECTED, "BadRequestException")
        if refusal is None:
            self.entries.pop(address, None)
        return refusal

    def _refusal(self, call: ListCall) -> Refusal | None:
        self.calls.append(call)
        interrupt, self.interrupt = self.interrupt, None
        if interrupt:
            interrupt()
        return self.refusals.pop(0) if self.refusals else None


class FakeEventPublisher:
    """An event bus in memory. It does not take changes of the addresses in `refusing`; `down` takes none.

    If it is `unresponsive`, it takes none either, and takes of `clock` as long as the real one: `calls` says how often it did.
    """

    def __init__(self) -> None:
        """Start with nothing published."""
        self.published: list[StatusChange] = []
        self.rejecting: set[str] = set()
        self.down = False
        self.unresponsive = False
        self.clock: ManualClock | None = None
        self.calls = 0

    def publish(self, changes: Sequence[StatusChange]) -> list[StatusChange]:
        """Announce changes; return those that were."""
        self.calls += 1
        if self.unresponsive and self.clock:
            self.clock.sleep(24)
        taken = (
            []
            if self.down or self.unresponsive
            else [change for change in changes if change.address not in self.rejecting]
        )
        self.published += taken
        return taken


class FakeRateLimiter:
    """RateLimit to call SES, shared by everybody who has this object. `taken` are their moments.

    `refusal` is why there are none at all, None while there are.
    """

    def __init__(self, clock: ManualClock, rate: float = 1.0) -> None:
        """Give `rate` rate_limiter a second."""
        self._clock = clock
        self._interval = timedelta(seconds=1 / rate)
        self.taken: list[datetime] = []
        self.refusal: Refusal | None = None

    def acquire(self, deadline: datetime) -> Refusal | None:
        """Wait for a turn; return why there is none before `deadline`, if there is none."""
        if self.refusal:
            return self.refusal
        moment = self._clock.now()
        if self.taken:
            moment = max(moment, self.taken[-1] + self._interval)
        if moment > deadline:
            return OUT_OF_TIME
        self.taken.append(moment)
        self._clock.sleep((moment - self._clock.now()).total_seconds())
        return None


class QuarantinedMessage(NamedTuple):
    """A message in quarantine."""

    original: str
    reason: str
    source: str


class FakeQuarantine:
    """The quarantine queue in memory; `refusal` is why it takes nothing, empty while it does."""

    def __init__(self) -> None:
        """Start empty."""
        self.kept: list[QuarantinedMessage] = []
        self.refusal = ""

    def store(self, original: str, reason: str, source: str, sent_at: datetime | None = None) -> str:  # noqa: ARG002 (the real one keeps it)
        """Keep a message; return why it could not be kept, empty when it is."""
        if not self.refusal:
            self.kept.append(QuarantinedMessage(original, reason, source or "unknown"))
        return self.refusal

"""In-memory fakes of the adapters for AWS, and a clock.

tests/contracts/test_fakes.py checks that fakes and adapters behave alike.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, ParamSpec, TypeVar

from ses_feedback.aws.errors import CONDITION_FAILED
from ses_feedback.aws.refusals import OUT_OF_TIME, Refusal, RefusalKind
from ses_feedback.contacts.contact import Contact, changes_contact
from ses_feedback.contacts.history import history_item
from ses_feedback.contacts.preferences_change import PreferencesChange
from ses_feedback.contacts.record import ContactRecord, ContactRecordError, Item, decode, encode, learn
from ses_feedback.contacts.status import Limits
from ses_feedback.contacts.status_change import StatusChange
from ses_feedback.judging.facts import Fact, ListReason, Verdict
from ses_feedback.suppression.interfaces import ContactEvent
from ses_feedback.timestamps import parse_timestamp

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""One day after the email of the builders was sent."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class ManualClock:
    """A clock that advances only by `sleep`, without waiting. `sleeps` are the seconds of each call."""

    def __init__(self, start: datetime = NOON) -> None:
        """Start at `start`."""
        self._now = start
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        """Return the time."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Advance the clock by `seconds`."""
        self.sleeps.append(seconds)
        self._now += timedelta(seconds=seconds)


class InlineExecutor(Executor):
    """Runs each submitted function immediately, so that the order of calls is the same in every run."""

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> "Future[_T]":
        """Run `fn`, and return its result as a completed future."""
        future: Future[_T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 (the future raises it when its result is read)
            future.set_exception(error)
        return future


class FakeContacts:
    """ContactRepository without DynamoDB.

    `reads` records for each read whether it was consistent. `write_errors` and `read_errors` map addresses whose writes
    or reads fail to the reason. `interrupt` is called once, before the next write: it simulates a concurrent change
    between a worker's read and write.
    """

    def __init__(self, limits: Limits | None = None, *, now: Callable[[], datetime], history_days: int = 365) -> None:
        """Create an empty repository whose contacts follow `limits`."""
        self._limits = limits or Limits()
        self._now = now
        self._history_days = history_days
        self._history: dict[tuple[str, str], Item] = {}
        self.items: dict[str, Item] = {}
        self.reads: list[bool] = []
        self.written: list[ContactRecord] = []
        self.write_errors: dict[str, str] = {}
        self.read_errors: dict[str, str] = {}
        self.interrupt: Callable[[], object] | None = None

    def learn(self, facts: Iterable[Fact], until: datetime | None = None) -> Mapping[str, str]:
        """Store facts. Return the addresses whose facts could not be stored, with the reason of each."""
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
        """Return contacts. Add the addresses that cannot be read to `failed`, with the reason of each."""
        self.reads.append(consistent)
        wanted, found = list(addresses), dict[str, ContactRecord]()
        if len(set(wanted)) < len(wanted):
            failed |= dict.fromkeys(wanted, "ValidationException")
            return found
        for address in wanted:
            if address in self.read_errors:
                failed[address] = self.read_errors[address]
                continue
            try:
                item = self.items.get(address)
                found[address] = decode(item) if item else ContactRecord(Contact(address))
            except ContactRecordError:
                failed[address] = "unreadable-contact"
        return found

    def write(self, stored: ContactRecord) -> str | None:
        """Write a contact unless it changed since it was read. Return None, or the reason if it was not written."""
        interrupt, self.interrupt = self.interrupt, None
        if interrupt:
            interrupt()
        address = stored.contact.address
        if address in self.write_errors:
            return self.write_errors[address]
        held = self.items.get(address)
        if (held and held["rev"]) != (stored.item and stored.item["rev"]):
            return CONDITION_FAILED
        others = {name: kept for name, kept in (held or {}).items() if name not in (stored.item or {})}
        self.items[address] = others | encode(stored, self._limits)
        self.written.append(stored)
        return None

    def find_pending(self, before: datetime) -> Iterator[tuple[datetime, str]]:
        """Yield pending time and address of contacts pending since `before` or earlier, the oldest first."""
        waiting = [
            (parse_timestamp(item["pending_at"]["S"]), address)
            for address, item in self.items.items()
            if "pending_at" in item
        ]
        return iter(sorted((since, address) for since, address in waiting if since and since <= before))

    def history(self, address: str) -> list[Item]:
        """Return the history of an address in chronological order."""
        return [item for (owner, _), item in sorted(self._history.items()) if owner == address]


class ListCall(NamedTuple):
    """A call for the suppression list. A deletion has no reason."""

    address: str
    reason: ListReason | None


class FakeSuppressionList:
    """SuppressionListClient without SES. It rejects the same calls as SES, but does not limit their rate.

    `refusals` are the results of the next calls; None stands for the normal result. `interrupt` is called once, during
    the next call.
    """

    def __init__(self, *, sandbox: bool = False) -> None:
        """Create an empty list."""
        self.entries: dict[str, ListReason] = {}
        self.calls: list[ListCall] = []
        self.sandbox = sandbox
        self.refusals: list[Refusal | None] = []
        self.interrupt: Callable[[], object] | None = None

    def put(self, address: str, reason: ListReason) -> Refusal | None:
        """Add or replace an entry. Return None, or the refusal."""
        refusal = self._refusal(ListCall(address, reason))
        if refusal is None and (self.sandbox or address.endswith("@simulator.amazonses.com")):
            refusal = Refusal(RefusalKind.REJECTED, "BadRequestException")
        if refusal is None:
            self.entries[address] = reason
        return refusal

    def delete(self, address: str) -> Refusal | None:
        """Delete an entry. Return None, or the refusal."""
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
    """EventPublisher without EventBridge. It rejects events of the addresses in `rejecting`, and all while `down`.

    `published` has the changes of status, `preferences` those of preferences. A detail-type in `rejecting` rejects all
    events of this type. While it is `unresponsive`, it rejects all events, and each call takes as long as a hanging
    call of EventBridge on `clock`. `calls` counts the calls.
    """

    def __init__(self) -> None:
        """Create a publisher without events."""
        self.published: list[StatusChange] = []
        self.preferences: list[PreferencesChange] = []
        self.rejecting: set[str] = set()
        self.down = False
        self.unresponsive = False
        self.clock: ManualClock | None = None
        self.calls = 0

    def publish(self, events: Sequence[ContactEvent]) -> list[ContactEvent]:
        """Publish events, and return those that were published."""
        self.calls += 1
        if self.unresponsive and self.clock:
            self.clock.sleep(24)
        if self.down or self.unresponsive:
            return []
        accepted = [event for event in events if not {event.address, event.detail_type} & self.rejecting]
        self.published += [event for event in accepted if isinstance(event, StatusChange)]
        self.preferences += [event for event in accepted if isinstance(event, PreferencesChange)]
        return accepted


class FakeRateLimiter:
    """RateLimiter without DynamoDB, for all workers that share the object. `acquired` are the times of permitted calls.

    If `refusal` is not None, no call is permitted.
    """

    def __init__(self, clock: ManualClock, rate: float = 1.0) -> None:
        """Permit `rate` calls per second."""
        self._clock = clock
        self._interval = timedelta(seconds=1 / rate)
        self.acquired: list[datetime] = []
        self.refusal: Refusal | None = None

    def acquire(self, deadline: datetime) -> Refusal | None:
        """Wait until a call is permitted. Return None, or the refusal if none is permitted before `deadline`."""
        if self.refusal:
            return self.refusal
        moment = self._clock.now()
        if self.acquired:
            moment = max(moment, self.acquired[-1] + self._interval)
        if moment > deadline:
            return OUT_OF_TIME
        self.acquired.append(moment)
        self._clock.sleep((moment - self._clock.now()).total_seconds())
        return None


class QuarantinedMessage(NamedTuple):
    """A message in quarantine."""

    original: str
    reason: str
    source: str


class FakeQuarantine:
    """Quarantine without SQS. If `refusal` is not empty, it is the reason why no message can be stored."""

    def __init__(self) -> None:
        """Create an empty quarantine."""
        self.messages: list[QuarantinedMessage] = []
        self.refusal = ""

    def store(self, original: str, reason: str, source: str, sent_at: datetime | None = None) -> str:  # noqa: ARG002 (Quarantine stores it in an attribute)
        """Store a message. Return an empty string, or the reason if it could not be stored."""
        if not self.refusal:
            self.messages.append(QuarantinedMessage(original, reason, source or "unknown"))
        return self.refusal

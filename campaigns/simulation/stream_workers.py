"""SuppressionFunction as Lambda runs it, behind a shard of the stream and on a schedule; and operator commands."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from campaigns.simulation.case import Reinstatement
from campaigns.simulation.fault_injector import FaultInjector
from campaigns.simulation.lanes import FunctionChecker, Handler, LambdaContext
from campaigns.simulation.messages import START
from campaigns.simulation.scheduler import SECOND
from campaigns.simulation.table import Change, Table
from ses_feedback.contacts.contact import Contact, Evidence, merge
from ses_feedback.contacts.record import become
from ses_feedback.contacts.repository import ContactRepository
from ses_feedback.contacts.status import Limits

TIMEOUT = 300 * SECOND
"""Timeout of SuppressionFunction."""
TOO_OLD = 3600 * SECOND
"""Age from which Lambda skips a stream record (`MaximumRecordAgeInSeconds`)."""
EVERY = 300 * SECOND
"""Interval of sweeps."""
BATCH_SIZE = 100
"""Records of one invocation. https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html"""
RELEASES_A_RUN = 2
"""Suspensions that one sweep of a simulated stack ends; a real one ends more."""
MIN_PENDING = 60 * SECOND
"""Age from which a sweep takes a pending contact."""
_MAX_PAUSE = 36 * EVERY
"""Longest time without sweeps while import jobs run and nothing changes."""
_COMMAND_RETRY = 30 * SECOND
SWEEP = {"source": "ses-feedback", "detail-type": "Sweep"}
"""The event of the schedule."""


class SuppressionWorker:
    """A SuppressionFunction that is composed on its first use, and again after a crash."""

    def __init__(self, injector: FaultInjector, compose: Callable[[], Handler], checker: FunctionChecker) -> None:
        """Compose the function by `compose`, and pass its results to `checker`."""
        self.injector = injector
        self._compose = compose
        self.checker = checker
        self._handler: Handler | None = None

    def begin(self) -> None:
        """Set the deadline of the running actor to the timeout of the function."""
        scheduler = self.injector.scheduler
        scheduler.running_actor().deadline = scheduler.clock + TIMEOUT

    def invoke(self, event: object) -> dict[str, Any] | None:
        """Return the function's answer, or None if it failed."""
        handler, self._handler = self._handler or self._compose(), None
        try:
            answer = handler(event, LambdaContext(self.injector))
        except Exception as error:  # noqa: BLE001 (like Lambda)
            self.checker.check_failure(error)
            self._handler = handler
            return None
        self._handler = handler
        self.checker.check_text("a function's answer", repr(answer))
        return answer


class StreamPoller:
    """Lambda's poller of one shard: in order, one batch at a time, and again from the first record that failed.

    https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
    """

    def __init__(self, worker: SuppressionWorker, changes: list[Change]) -> None:
        """Read the shard `changes`."""
        self._worker = worker
        self._changes = changes
        self._position = 0
        self._retry_at = 0
        self._tries = 0

    def due(self) -> int | None:
        """Return when the next record can be processed, or None if there is none."""
        while self._position < len(self._changes) and not self._changes[self._position].wanted:
            self._position += 1
        if self._position == len(self._changes):
            return None
        injector = self._worker.injector
        at = max(self._retry_at, self._changes[self._position].at)
        return injector.end_of_outage(injector.end_of_outage(at, "stream"), "SuppressionFunction")

    def state(self) -> object:
        """Return the remaining records, the number of failures, and the time until the next try."""
        clock = self._worker.injector.scheduler.clock
        remaining = self._changes[self._position :]
        pending = tuple((one.at, one.record["dynamodb"]["Keys"]["address"]["S"]) for one in remaining if one.wanted)
        return pending, self._tries, max(0, self._retry_at - clock) if pending else 0

    def perform(self) -> None:
        """Invoke the function with a batch, which is smaller after a failure."""
        scheduler = self._worker.injector.scheduler
        self._worker.begin()
        end = len(self._changes)
        pending = [(at, self._changes[at]) for at in range(self._position, end) if self._changes[at].wanted]
        size = BATCH_SIZE >> self._tries or 1
        batch = [(at, change) for at, change in pending if scheduler.clock - change.at < TOO_OLD][:size]
        if not batch:
            self._position = end
            return
        self._tries += 1
        steps = scheduler.steps
        # If the function crashes, the next try is after its timeout.
        self._retry_at = scheduler.clock + TIMEOUT
        try:
            answer = self._worker.invoke({"Records": [change.record for _, change in batch]})
        finally:
            self._retry_at = scheduler.clock + SECOND * min(60, 2**self._tries)
        if all(change.is_expiry for _, change in batch):
            self._worker.checker.check_calls_for_expiries(scheduler.steps - steps)
        if answer is not None:
            self._checkpoint(batch, answer)

    def _checkpoint(self, batch: list[tuple[int, Change]], answer: dict[str, Any]) -> None:
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        first = next((at for at, change in batch if change.record["dynamodb"]["SequenceNumber"] in failed), None)
        injector = self._worker.injector
        injector.scheduler.running_actor().deadline += TIMEOUT  # the poller's own calls have no deadline
        injector.call("checkpoint", str(len(failed)), lambda: self._move(first, batch[-1][0] + 1))

    def _move(self, first_failed: int | None, end: int) -> dict[str, Any]:
        if self._worker.injector.fault:
            return {}  # the checkpoint is not stored: the same records come again
        self._position = end if first_failed is None else first_failed
        if first_failed is None:
            self._tries = self._retry_at = 0
        return {}


class Sweeper:
    """The schedule of sweeps. Those without a pending contact, an ended suspension or a running import are skipped."""

    def __init__(self, worker: SuppressionWorker, table: Table, begin: Callable[[], None]) -> None:
        """Sweep `table`; `begin` is called before each sweep."""
        self._worker = worker
        self._table = table
        self._begin = begin
        self._next = 0
        self._pause = 0

    def due(self) -> int | None:
        """Return the time of the next sweep that can change something, or None if there is none."""
        oldest = self._table.earliest("PendingSync")
        times = [microseconds_of(oldest) + MIN_PENDING] if oldest else []
        ended = self._table.earliest("SuspensionEnd")
        if ended:
            times.append(microseconds_of(ended))
        if self._table.importing():
            times.append(self._next + self._pause)
        if not times:
            return None
        at = max(self._next, -(-min(times) // EVERY) * EVERY)
        return self._worker.injector.end_of_outage(at, "SuppressionFunction")

    def state(self) -> object:
        """Return the earliest time of the next sweep, and the pause."""
        return self._next, self._pause

    def perform(self) -> None:
        """Invoke the function for a sweep."""
        self._worker.begin()
        self._begin()
        self._next = (self._worker.injector.scheduler.clock // EVERY + 1) * EVERY
        writes = self._table.writes
        before = writes.number - writes.of_rate_limiter
        self._worker.invoke(dict(SWEEP))
        changed = writes.number - writes.of_rate_limiter != before
        self._pause = 0 if changed else min(_MAX_PAUSE, 2 * self._pause + EVERY)


class Operator:
    """Runs one command, and repeats it while it fails."""

    def __init__(
        self, command: Reinstatement, contacts: ContactRepository, limits: Limits, injector: FaultInjector
    ) -> None:
        """Write to `contacts`."""
        self.evidence: Evidence | None = None
        self.kind = command.kind
        self._command = command
        self._contacts = contacts
        self._limits = limits
        self._injector = injector
        self._next: int | None = command.at * 1000

    def due(self) -> int | None:
        """Return when the command is run (again), or None if it succeeded."""
        return self._next

    def state(self) -> object:
        """Return the reinstatement, and when it is tried (again)."""
        return self.evidence, self._next

    def perform(self) -> None:
        """Read the contact, merge the reinstatement, and write; the next try follows after a failure or a lost race."""
        scheduler = self._injector.scheduler
        scheduler.running_actor().deadline = scheduler.clock + TIMEOUT
        self._next = scheduler.clock + _COMMAND_RETRY
        now = self._injector.now()
        self.evidence = self.evidence or Evidence(now.replace(microsecond=now.microsecond // 1000 * 1000), "operator")
        address = self._command.address
        failed: dict[str, str] = {}
        stored = self._contacts.read([address], failed, consistent=True).get(address)
        if stored is None:
            return
        registers: dict[str, Any] = {self.kind: self.evidence}
        contact = merge(stored.contact, Contact(address, (address,), **registers))
        changed = become(stored, contact, self._limits, now)
        if changed is None or self._contacts.write(changed) is None:
            self._next = None


def microseconds_of(timestamp: str) -> int:
    """Return the virtual time of a timestamp."""
    return round((datetime.fromisoformat(timestamp) - START).total_seconds() * SECOND)

"""SuppressionFunction as Lambda runs it: behind a shard of the stream, and swept by a schedule; and the operators."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from campaigns.simulation.call_faults import Wires, actor_of
from campaigns.simulation.case import Reinstatement
from campaigns.simulation.lanes import Context, Handler, Judge
from campaigns.simulation.messages import START
from campaigns.simulation.scheduler import SECOND
from campaigns.simulation.table import Change, Table
from ses_feedback.contacts.contact import Contact, Evidence, merge
from ses_feedback.contacts.record import become
from ses_feedback.contacts.repository import ContactRepository
from ses_feedback.contacts.status import Limits

TIMEOUT = 300 * SECOND
TOO_OLD = 3600 * SECOND
_AT_ONCE = 100
EVERY = 300 * SECOND
_IDLEST = 36 * EVERY
"""How long sweeps are left out at most while imports are under way and nothing changes."""
_SETTLED = 60
"""Seconds a change waits before a sweep takes it."""


class _Function:
    """A function that is composed on first use, and again after a crash or a failure."""

    def __init__(self, wires: Wires, compose: Callable[[], Handler], judge: Judge) -> None:
        self.wires = wires
        self._compose = compose
        self._judge = judge
        self._handler: Handler | None = None

    def invoke(self, event: object) -> dict[str, Any] | None:
        """Return the function's answer, None when it failed."""
        handler, self._handler = self._handler or self._compose(), None
        try:
            answer = handler(event, Context(self.wires))
        except Exception as error:  # noqa: BLE001 (as Lambda does)
            self._judge.failed(error)
            self._handler = handler
            return None
        self._handler = handler
        self._judge.shown("a function's answer", repr(answer))
        return answer


class StreamFollower:
    """Lambda's poller of one shard: in order, one batch at a time, and again from the first record that failed."""

    def __init__(self, function: _Function, changes: list[Change]) -> None:
        """Follow the shard `changes`."""
        self._function = function
        self._changes = changes
        self._position = 0
        self._retry_at = 0
        self._tries = 0

    def due(self) -> int | None:
        """Return when there is a record to hand over."""
        while self._position < len(self._changes) and not self._changes[self._position].wanted:
            self._position += 1
        if self._position == len(self._changes):
            return None
        at = max(self._retry_at, self._changes[self._position].at)
        return self._function.wires.postponed(self._function.wires.postponed(at, "stream"), "SuppressionFunction")

    def state(self) -> object:
        """Return what is still to be handed over, and how often and until when that failed."""
        clock = self._function.wires.stage.clock
        left = self._changes[self._position :]
        pending = tuple((one.at, one.record["dynamodb"]["Keys"]["address"]["S"]) for one in left if one.wanted)
        return pending, self._tries, max(0, self._retry_at - clock) if pending else 0

    def perform(self) -> None:
        """Hand over what there is, less after a failure."""
        stage = self._function.wires.stage
        actor_of(stage).deadline = stage.clock + TIMEOUT
        end = len(self._changes)
        pending = [(i, self._changes[i]) for i in range(self._position, end) if self._changes[i].wanted]
        batch = [(i, one) for i, one in pending if stage.clock - one.at < TOO_OLD][: _AT_ONCE >> self._tries or 1]
        if not batch:
            self._position = end
            return
        self._tries += 1
        # Should the function die: again, a little later.
        self._retry_at = stage.clock + TIMEOUT
        try:
            answer = self._function.invoke({"Records": [one.record for _, one in batch]})
        finally:
            self._retry_at = stage.clock + SECOND * min(60, 2**self._tries)
        if answer is not None:
            self._checkpoint(batch, answer)

    def _checkpoint(self, batch: list[tuple[int, Change]], answer: dict[str, Any]) -> None:
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        first = next((i for i, one in batch if one.record["dynamodb"]["SequenceNumber"] in failed), None)
        actor_of(self._function.wires.stage).deadline += TIMEOUT  # the poller's own time is not the function's
        self._function.wires.call("checkpoint", str(len(failed)), lambda: self._move(first, batch[-1][0] + 1))

    def _move(self, first_failed: int | None, end: int) -> dict[str, Any]:
        if self._function.wires.fault:
            return {}  # the records come again, although they were report
        self._position = end if first_failed is None else first_failed
        if first_failed is None:
            self._tries = self._retry_at = 0
        return {}


class Sweeper:
    """The schedule: every five minutes. Sweeps that would find nothing due are left out, for they change nothing."""

    def __init__(self, function: _Function, table: Table) -> None:
        """Sweep `table`."""
        self._function = function
        self._table = table
        self._next = 0
        self._idle = 0

    def due(self) -> int | None:
        """Return when the next sweep finds something."""
        oldest = self._table.earliest("PendingSync")
        found = [_microseconds(oldest) + _SETTLED * SECOND] if oldest else []
        if self._table.importing():
            found.append(self._next + self._idle)
        if not found:
            return None
        at = max(self._next, -(-min(found) // EVERY) * EVERY)
        return self._function.wires.postponed(at, "SuppressionFunction")

    def state(self) -> object:
        """Return when the next sweep may be."""
        return self._next, self._idle

    def perform(self) -> None:
        """Sweep."""
        stage = self._function.wires.stage
        actor_of(stage).deadline = stage.clock + TIMEOUT
        self._next = (stage.clock // EVERY + 1) * EVERY
        writes = self._table.writes
        before = writes.number - writes.of_rate_limiter
        self._function.invoke({"source": "ses-feedback", "detail-type": "Sweep"})
        changed = writes.number - writes.of_rate_limiter != before
        self._idle = 0 if changed else min(_IDLEST, 2 * self._idle + EVERY)


class Operator:
    """Gives one command, and gives it again when told that it failed."""

    def __init__(self, command: Reinstatement, store: ContactRepository, limits: Limits, wires: Wires) -> None:
        """Write through `store`."""
        self.opted_in: Evidence | None = None
        self._command = command
        self._store = store
        self._limits = limits
        self._wires = wires
        self._again: int | None = command.at * 1000

    def due(self) -> int | None:
        """Return when the command is given."""
        return self._again

    def state(self) -> object:
        """Return whether the command has been given, and when it is given (again)."""
        return self.opted_in, self._again

    def perform(self) -> None:
        """Read the contact, merge the reinstatement, and write; again when somebody else wrote meanwhile."""
        stage = self._wires.stage
        actor_of(stage).deadline = stage.clock + TIMEOUT
        self._again = stage.clock + 30 * SECOND
        now = self._wires.now()
        self.opted_in = self.opted_in or Evidence(now.replace(microsecond=now.microsecond // 1000 * 1000), "operator")
        failed: dict[str, str] = {}
        read = self._store.read([self._command.address], failed, consistent=True)
        stored = read.get(self._command.address)
        if stored is None:
            return
        contact = merge(
            stored.contact, Contact(self._command.address, (self._command.address,), opted_in=self.opted_in)
        )
        after = become(stored, contact, self._limits, now)
        if after is None or self._store.write(after) is None:
            self._again = None


Function = _Function


def _microseconds(text: str) -> int:
    at = datetime.fromisoformat(text)
    return round((at - START).total_seconds() * SECOND)

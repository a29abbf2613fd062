"""What Lambda does before SuppressionFunction: follows the stream's shards, and keeps the schedule."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from campaigns.simulation.messages import START
from campaigns.simulation.scheduler import SECOND, Scheduler
from campaigns.simulation.table import Change, Table

TOO_OLD = 3600 * SECOND
_AT_ONCE = 100
_EVERY = 300 * SECOND
_SETTLED = 60 * SECOND
SWEEP = {"source": "ses-feedback", "detail-type": "Sweep"}


@dataclass
class Follower:
    """A shard's poller: in order, one batch at a time, and again from the first record that failed, or in halves."""

    scheduler: Scheduler
    changes: list[Change]
    _position: int = 0
    _retry_at: int = 0
    _tries: int = 0
    _batch: list[tuple[int, Change]] = field(default_factory=list)

    def due(self) -> int | None:
        """Return when there is a record to hand over."""
        while self._position < len(self.changes) and not self._fresh(self.changes[self._position]):
            self._position += 1
        if self._position == len(self.changes):
            return None
        return max(self._retry_at, self.changes[self._position].at)

    def event(self) -> dict[str, Any]:
        """Return what is handed over now."""
        pending = [(nth, one) for nth, one in enumerate(self.changes[self._position :], self._position + 1)]
        self._batch = [(nth, one) for nth, one in pending if self._fresh(one)][: _AT_ONCE >> self._tries or 1]
        return {"Records": [one.record for _, one in self._batch]}

    def settle(self, answer: dict[str, Any] | None, *, lost: bool) -> None:
        """Go on where the function's answer says; None: it failed; `lost`: its answer was."""
        self._tries += 1
        self._retry_at = self.scheduler.clock + SECOND * min(60, 2**self._tries)
        if answer is None or lost:
            return
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        first = next((nth for nth, one in self._batch if one.record["dynamodb"]["SequenceNumber"] in failed), None)
        if first is not None:
            self._position = first - 1
            return
        self._position = self._batch[-1][0]
        self._tries = self._retry_at = 0

    def _fresh(self, change: Change) -> bool:
        return change.wanted and self.scheduler.clock - change.at < TOO_OLD


@dataclass
class Schedule:
    """The schedule: every five minutes. Sweeps that would find nothing due are left out, for they change nothing."""

    scheduler: Scheduler
    table: Table
    _next: int = 0

    def due(self) -> int | None:
        """Return when the next sweep finds something."""
        oldest = self.table.earliest("PendingSync")
        if oldest is None:
            return None
        since = round((datetime.fromisoformat(oldest) - START).total_seconds() * SECOND)
        return max(self._next, -(-(since + _SETTLED) // _EVERY) * _EVERY)

    def event(self) -> dict[str, Any]:
        """Return what the schedule says."""
        self._next = (self.scheduler.clock // _EVERY + 1) * _EVERY
        return dict(SWEEP)

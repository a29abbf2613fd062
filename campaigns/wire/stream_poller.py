"""Lambda in front of SuppressionFunction: the pollers of the stream's shards, and the schedule of sweeps."""

from dataclasses import dataclass, field
from typing import Any

from campaigns.simulation.scheduler import SECOND, Scheduler
from campaigns.simulation.stream_workers import BATCH_SIZE, EVERY, MIN_PENDING, SWEEP, TOO_OLD, microseconds_of
from campaigns.simulation.table import Change, Table


@dataclass
class StreamPoller:
    """The poller of a shard: in order, one batch at a time, and again from the first record that failed, or in halves.

    https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
    """

    scheduler: Scheduler
    changes: list[Change]
    _position: int = 0
    _retry_at: int = 0
    _tries: int = 0
    _batch: list[tuple[int, Change]] = field(default_factory=list)

    def due(self) -> int | None:
        """Return when the next record can be delivered, or None if there is none."""
        while self._position < len(self.changes) and not self._is_deliverable(self.changes[self._position]):
            self._position += 1
        if self._position == len(self.changes):
            return None
        return max(self._retry_at, self.changes[self._position].at)

    def event(self) -> dict[str, Any]:
        """Return the event of the next batch, which is smaller after a failure."""
        pending = [(end, one) for end, one in enumerate(self.changes[self._position :], self._position + 1)]
        size = BATCH_SIZE >> self._tries or 1
        self._batch = [(end, one) for end, one in pending if self._is_deliverable(one)][:size]
        return {"Records": [one.record for _, one in self._batch]}

    def settle(self, answer: dict[str, Any] | None, *, lost: bool) -> None:
        """Continue after the function's answer: None if it failed. If the answer is `lost`, the batch comes again."""
        self._tries += 1
        self._retry_at = self.scheduler.clock + SECOND * min(60, 2**self._tries)
        if answer is None or lost:
            return
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        first = next((end for end, one in self._batch if one.record["dynamodb"]["SequenceNumber"] in failed), None)
        if first is not None:
            self._position = first - 1
            return
        self._position = self._batch[-1][0]
        self._tries = self._retry_at = 0

    def _is_deliverable(self, change: Change) -> bool:
        return change.wanted and self.scheduler.clock - change.at < TOO_OLD


@dataclass
class Schedule:
    """The schedule: every five minutes. Sweeps without a pending contact are skipped, because they change nothing."""

    scheduler: Scheduler
    table: Table
    _next: int = 0

    def due(self) -> int | None:
        """Return the time of the next sweep with a pending contact, or None if there is no such contact."""
        oldest = self.table.earliest("PendingSync")
        if oldest is None:
            return None
        return max(self._next, -(-(microseconds_of(oldest) + MIN_PENDING) // EVERY) * EVERY)

    def event(self) -> dict[str, Any]:
        """Return the event of a sweep."""
        self._next = (self.scheduler.clock // EVERY + 1) * EVERY
        return dict(SWEEP)

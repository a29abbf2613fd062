"""One case performed: the real code put together over an AWS in memory, the actors, and everything watched."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, cast

from campaigns.simulation.aws_services import Events, SesList, Sqs
from campaigns.simulation.call_faults import Wires
from campaigns.simulation.case import Case
from campaigns.simulation.dynamodb_client import DynamoDb
from campaigns.simulation.import_jobs import Bucket, ImportingSesV2, Jobs
from campaigns.simulation.invariants import Watch
from campaigns.simulation.lanes import FeedbackWorker, Handler, Lanes
from campaigns.simulation.oracle import Settings
from campaigns.simulation.scheduler import LONGEST, Stage
from campaigns.simulation.stream_workers import Function, Operator, StreamFollower, Sweeper
from campaigns.simulation.table import Table
from ses_feedback.aws.events import EventPublisher
from ses_feedback.aws.quarantine import Quarantine
from ses_feedback.contacts.repository import ContactRepository
from ses_feedback.contacts.status import Limits
from ses_feedback.handlers.feedback import FeedbackHandler
from ses_feedback.handlers.suppression import SuppressionHandler
from ses_feedback.processing.pipeline import Pipeline
from ses_feedback.suppression.import_jobs.ledger import ImportJobs, ImportLedger, ImportObjects
from ses_feedback.suppression.import_jobs.start import ImportStarter
from ses_feedback.suppression.list_client import SuppressionList
from ses_feedback.suppression.rate_limiter import RateLimiter
from ses_feedback.suppression.sync import ListSync

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from ses_feedback.aws.metrics import Metrics


_LONG = 12 * 3_600
_PATIENCE = 1_000_000
"""Steps a case with long outages (in seconds) may take: whatever waits is tried every few minutes, for days."""


class InTurn(Executor):
    """Does at once what is asked; to everybody else, writes side by side look like writes in some order."""

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], **_: Any) -> Iterator[Any]:  # noqa: ANN401 (as Executor)
        """Return the results, in order."""
        return iter([fn(*arguments) for arguments in zip(*iterables, strict=True)])


class Silence:
    """Stands where logs and metrics go, and sees to it that no address gets there."""

    def __init__(self, watch: Watch) -> None:
        """Tell `watch` of addresses."""
        self._watch = watch

    def info(self, message: str, extra: object) -> None:
        """Take a log line."""
        self._watch.shown("the log", f"{message} {extra}")

    warning = info

    def emit(self, metric_counts: object) -> None:
        """Take metrics."""
        self._watch.shown("metrics", repr(metric_counts))


class World:
    """A case, and what became of it."""

    def __init__(self, case: Case, wires: Callable[[Case, Stage], Wires] = Wires) -> None:
        """Set everything up for `case`, whose calls go over what `wires` makes."""
        self.case = case
        self.stage = Stage(case.choices, _PATIENCE if any(one.ends > _LONG for one in case.outages) else LONGEST)
        self.wires = wires(case, self.stage)
        self.limits = Limits(case.soft_bounces, 90, case.list_unsubscribed)
        self.held = SesList(case.entries())
        self.objects: dict[str, bytes] = {}
        self.jobs = Jobs(self.held, self.objects, case.jobs, self.wires)
        self.watch = Watch(case, self.stage, self.held, Settings(case.soft_bounces, case.list_unsubscribed))
        self.table = Table(case.shards, lambda: self.stage.clock, self.watch.written)
        self.watch.table = self.table
        self.quiet = Silence(self.watch)
        self._workers = 0
        self._cast()

    def run(self) -> Watch:
        """Perform the case, and check what came of it."""
        self.stage.run()
        self.watch.finished()
        return self.watch

    def state(self) -> object:
        """Return all that actors share, as far as anything depends on it."""
        items = sorted((key, sorted(item.items())) for key, item in self.table.items.items())
        return items, sorted(self.held.entries.items()), self.watch.lanes.state(), self.watch.state()

    def forget(self) -> None:
        """Let go of everything, which is full of cycles: collecting them as garbage takes a sixth of all the time."""
        for one in (self.watch, self.stage, self):
            vars(one).clear()

    def _cast(self) -> None:
        lanes = Lanes(self.case.messages, lambda: self.stage.clock)
        self.watch.lanes = lanes
        for number in range(self.case.feedback_workers):
            worker = FeedbackWorker(lanes, self.wires, self.feedback, self.watch, self.case.batch)
            self.stage.cast(f"feedback {number + 1}", worker)
        for number, shard in enumerate(self.table.stream):
            self.stage.cast(f"stream {number + 1}", StreamFollower(self._function(), shard))
        for number in range(self.case.sweeps):
            self.stage.cast(f"sweep {number + 1}", Sweeper(self._function(), self.table))
        self.stage.cast("network", self.wires)
        for number, command in enumerate(self.case.reinstatements):
            operator = Operator(command, self.store(), self.limits, self.wires)
            self.watch.operators.append((command.address, operator))
            self.stage.cast(f"operator {number + 1}", operator)

    def _function(self) -> Function:
        return Function(self.wires, self.suppression, self.watch)

    def _dynamodb(self) -> Any:  # noqa: ANN401 (its methods name their parameters, botocore's do not)
        return DynamoDb(self.table, self.wires)

    def store(self) -> ContactRepository:
        """Return a contact store, with a client of its own."""
        return ContactRepository(
            self._dynamodb(),
            "Contacts",
            self.limits,
            history_days=365,
            now=self.wires.now,
            sleep=self.wires.sleep,
            executor=InTurn(),
        )

    def feedback(self) -> Handler:
        """Compose a feedback function, as its handler's module does."""
        sqs: Any = Sqs(self.watch.quarantined, self.wires, self.watch.shown)
        quarantine = Quarantine(lambda: sqs, "quarantine")
        pipeline = Pipeline(self.store(), quarantine, now=self.wires.now)
        return FeedbackHandler(pipeline, cast("Metrics", self.quiet), cast("Logger", self.quiet), self.wires.now)

    def suppression(self) -> Handler:
        """Compose SuppressionFunction, as its handler's module does."""
        self._workers += 1
        sesv2: Any = ImportingSesV2(self.held, self.wires, self.watch.called, self.jobs)
        events: Any = Events(self.watch.published, self.wires, self.watch.shown)
        rate_limiter = RateLimiter(self._dynamodb(), "Contacts", 1.0, now=self.wires.now, sleep=self.wires.sleep)
        list_sync = ListSync(
            self.store(),
            SuppressionList(sesv2),
            EventPublisher(events, "default"),
            rate_limiter,
            self.limits,
            now=self.wires.now,
            worker=f"worker-{self._workers}",
            backlog=None if self.case.backlog is None else self._backlog(self.case.backlog, sesv2, rate_limiter),
        )
        return SuppressionHandler(list_sync, cast("Metrics", self.quiet), cast("Logger", self.quiet), self.wires.now)

    def _backlog(self, most: int, sesv2: Any, rate_limiter: RateLimiter) -> ImportStarter:  # noqa: ANN401 (as above)
        bucket: Any = Bucket(self.objects, self.wires)
        return ImportStarter(
            self.store(),
            ImportLedger(self._dynamodb(), "Contacts"),
            ImportObjects(lambda: bucket, "bucket"),
            ImportJobs(sesv2),
            rate_limiter=rate_limiter,
            limits=self.limits,
            most=most,
            now=self.wires.now,
            worker=f"worker-{self._workers}",
        )

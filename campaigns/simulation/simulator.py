"""Simulation of one case: the real functions with simulated AWS services, actors, faults and checks."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, cast

from campaigns.simulation.aws_services import EventBridgeClient, SqsClient, SuppressionEntries
from campaigns.simulation.case import Case
from campaigns.simulation.dynamodb_client import DynamoDb
from campaigns.simulation.expiry import Application, TimeToLive
from campaigns.simulation.fault_injector import FaultInjector
from campaigns.simulation.import_service import ImportingSesV2Client, ImportService, S3Client
from campaigns.simulation.invariants import InvariantChecker
from campaigns.simulation.lanes import FeedbackWorker, Handler, Lanes
from campaigns.simulation.oracle import Settings
from campaigns.simulation.scheduler import MAX_STEPS, Scheduler
from campaigns.simulation.stack_settings import stack_settings
from campaigns.simulation.stream_workers import RELEASES_A_RUN, Operator, StreamPoller, SuppressionWorker, Sweeper
from campaigns.simulation.table import Table
from ses_feedback.aws.events import EventPublisher
from ses_feedback.aws.quarantine import Quarantine
from ses_feedback.contacts.repository import ContactRepository
from ses_feedback.handlers.feedback import FeedbackHandler
from ses_feedback.handlers.suppression import SuppressionHandler
from ses_feedback.processing.pipeline import Pipeline
from ses_feedback.suppression.import_jobs.job_client import ImportJobClient
from ses_feedback.suppression.import_jobs.ledger import ImportLedger
from ses_feedback.suppression.import_jobs.objects import ImportObjects
from ses_feedback.suppression.import_jobs.start import ImportStarter
from ses_feedback.suppression.list_client import SuppressionListClient
from ses_feedback.suppression.rate_limiter import RateLimiter
from ses_feedback.suppression.releases import SuspensionReleases
from ses_feedback.suppression.sync import ListSync

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from ses_feedback.aws.metrics import Metrics


_LONG_OUTAGE = 12 * 3_600
"""End of an outage (seconds) from which a case may take `_MAX_STEPS_LONG`: retries follow every few minutes."""
_MAX_STEPS_LONG = 1_000_000


class SequentialExecutor(Executor):
    """Runs each task at once: for other actors, parallel writes look like writes in some order."""

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], **_: Any) -> Iterator[Any]:  # noqa: ANN401 (as Executor)
        """Return the results, in order."""
        return iter([fn(*arguments) for arguments in zip(*iterables, strict=True)])


class CheckedOutput:
    """A logger and a metrics emitter that only check each text for personal data."""

    def __init__(self, checker: InvariantChecker) -> None:
        """Pass each text to `checker`."""
        self._checker = checker

    def info(self, message: str, extra: object) -> None:
        """Check a log line."""
        self._checker.check_text("the log", f"{message} {extra}")

    warning = info

    def emit(self, metric_counts: object) -> None:
        """Check metrics."""
        self._checker.check_text("metrics", repr(metric_counts))


class Simulation:
    """A case, everything that takes part in it, and its result."""

    def __init__(self, case: Case, make_injector: Callable[[Case, Scheduler], FaultInjector] = FaultInjector) -> None:
        """Compose the simulation of `case`; all AWS calls pass through the result of `make_injector`."""
        self.case = case
        is_long = any(outage.ends > _LONG_OUTAGE for outage in case.outages)
        self.scheduler = Scheduler(case.choices, _MAX_STEPS_LONG if is_long else MAX_STEPS)
        self.injector = make_injector(case, self.scheduler)
        self.settings = stack_settings(case)
        self.limits = self.settings.limits
        self.suppressed = SuppressionEntries(case.entries())
        self.objects: dict[str, bytes] = {}
        self.imports = ImportService(self.suppressed, self.objects, case.jobs, self.injector)
        self.checker = InvariantChecker(case, self.scheduler, self.suppressed, Settings.of(case))
        self.table = Table(
            case.shards, lambda: self.scheduler.clock, self.checker.check_write, self.checker.check_expiry
        )
        self.checker.table = self.table
        self.output = CheckedOutput(self.checker)
        self._workers = 0
        self._add_actors()

    def run(self) -> InvariantChecker:
        """Run the case, and check the result."""
        self.scheduler.run()
        self.checker.check_result()
        return self.checker

    def state(self) -> object:
        """Return the state that all actors share."""
        items = sorted((key, sorted(item.items())) for key, item in self.table.items.items())
        return items, sorted(self.suppressed.entries.items()), self.checker.lanes.state(), self.checker.state()

    def release(self) -> None:
        """Break the reference cycles: to collect them as garbage takes a sixth of the time of a campaign."""
        for part in (self.checker, self.scheduler, self):
            vars(part).clear()

    def _add_actors(self) -> None:
        add = self.scheduler.add_actor
        lanes = Lanes(self.case.messages, lambda: self.scheduler.clock)
        self.checker.lanes = lanes
        for number in range(self.case.feedback_workers):
            worker = FeedbackWorker(lanes, self.injector, self.feedback_function, self.checker, self.case.batch)
            add(f"feedback {number + 1}", worker)
        for number, shard in enumerate(self.table.stream):
            add(f"stream {number + 1}", StreamPoller(self._suppression_worker(), shard))
        for number in range(self.case.sweeps):
            add(
                f"sweep {number + 1}",
                Sweeper(self._suppression_worker(), self.table, self.checker.releases.begin_sweep),
            )
        add("network", self.injector)
        add("expiry", TimeToLive(self.table, self.case.expiry))
        for number, write in enumerate(self.case.foreign_writes):
            application = Application(write, self.table, self.injector, self.checker.foreign.add)
            add(f"application {number + 1}", application)
        for number, command in enumerate(self.case.reinstatements):
            operator = Operator(command, self.contacts(), self.limits, self.injector)
            self.checker.operators.append((command.address, operator))
            add(f"operator {number + 1}", operator)

    def _suppression_worker(self) -> SuppressionWorker:
        return SuppressionWorker(self.injector, self.suppression_function, self.checker)

    def _dynamodb(self) -> Any:  # noqa: ANN401 (its methods name their parameters, those of botocore do not)
        return DynamoDb(self.table, self.injector)

    def contacts(self) -> ContactRepository:
        """Return a contact repository with a client of its own."""
        return ContactRepository(
            self._dynamodb(),
            "Contacts",
            self.limits,
            history_days=365,
            now=self.injector.now,
            sleep=self.injector.sleep,
            executor=SequentialExecutor(),
        )

    def feedback_function(self) -> Handler:
        """Compose a feedback function, as its handler module does."""
        sqs: Any = SqsClient(self.checker.quarantined, self.injector, self.checker.check_text)
        quarantine = Quarantine(lambda: sqs, "quarantine")
        options = self.settings.policy_options
        pipeline = Pipeline(self.contacts(), quarantine, now=self.injector.now, options=options)
        return FeedbackHandler(pipeline, cast("Metrics", self.output), cast("Logger", self.output), self.injector.now)

    def suppression_function(self) -> Handler:
        """Compose a SuppressionFunction, as its handler module does."""
        self._workers += 1
        checker, now = self.checker, self.injector.now
        sesv2: Any = ImportingSesV2Client(self.suppressed, self.injector, checker.check_list_call, self.imports)
        events: Any = EventBridgeClient(checker.published, self.injector, checker.check_text)
        rate_limiter = RateLimiter(self._dynamodb(), "Contacts", 1.0, now=now, sleep=self.injector.sleep)
        backlog = self.case.backlog
        contacts = self.contacts()
        list_sync = ListSync(
            contacts,
            SuppressionListClient(sesv2),
            EventPublisher(events, "default"),
            rate_limiter,
            self.limits,
            now=now,
            worker=f"worker-{self._workers}",
            releases=SuspensionReleases(contacts, self.limits, now, RELEASES_A_RUN),
            importer=None if backlog is None else self._import_starter(backlog, sesv2, rate_limiter),
        )
        return SuppressionHandler(list_sync, cast("Metrics", self.output), cast("Logger", self.output), now)

    def _import_starter(self, most: int, sesv2: Any, rate_limiter: RateLimiter) -> ImportStarter:  # noqa: ANN401 (as above)
        s3: Any = S3Client(self.objects, self.injector)
        return ImportStarter(
            self.contacts(),
            ImportLedger(self._dynamodb(), "Contacts"),
            ImportObjects(lambda: s3, "bucket"),
            ImportJobClient(sesv2),
            rate_limiter=rate_limiter,
            limits=self.limits,
            max_pending=most,
            now=self.injector.now,
            worker=f"worker-{self._workers}",
        )

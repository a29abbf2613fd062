"""Simulation of one case: queues, stream and schedule invoke functions, round by round, until nothing is left to do."""

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from campaigns.simulation.invariants import InvariantChecker
from campaigns.simulation.lanes import TIMEOUT, Lanes, sqs_record
from campaigns.simulation.messages import Message
from campaigns.simulation.oracle import Settings
from campaigns.simulation.scheduler import Scheduler
from campaigns.simulation.stream_workers import TIMEOUT as SUPPRESSION_TIMEOUT
from campaigns.simulation.table import Table
from campaigns.wire.case import Case
from campaigns.wire.clients import Clock
from campaigns.wire.fake_aws import Entries, FakeAws
from campaigns.wire.faults import FaultPlan
from campaigns.wire.http_server import Server
from campaigns.wire.stream_poller import Schedule, StreamPoller
from localaws.suppression_list.account_list import AccountSuppressionList

ROUNDS_WITH_FAULTS = 80
"""Rounds after which no call fails any more. Everything must then be done."""
_MAX_ROUNDS = 100
"""Rounds, plus two for each message, after which a case counts as one that never ends."""
_POLLER_FAULTS = 0.05
"""Probability that a poller loses an answer, or delivers a message twice."""
_EXPECTED_ERRORS = (
    "botocore.",
    "ses_feedback.aws.errors.",
    "builtins.Connection",
    "builtins.TimeoutError",
    "http.client.Remote",
)
"""Classes of errors that a function may raise: those in `AWS_ERRORS`."""
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Invocation:
    """An invocation of a function by a worker. `deadline` is in virtual microseconds; `settle` receives the answer."""

    worker: str
    event: Answer
    deadline: int
    settle: Callable[["Answer | None"], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The function's answer, or None if it raised `error` or was killed."""

    answer: Answer | None = None
    error: str = ""


class FunctionRunner(Protocol):
    """Runs functions, in threads or in processes."""

    def invoke(self, invocation: Invocation) -> Outcome:
        """Run a function, in parallel with others."""


@dataclass
class Counts:
    """Numbers of invocations and rounds."""

    invocations: int = 0
    failed: int = 0
    rounds: int = 0


class WireSimulation:
    """A case, everything that takes part in it, and its result."""

    def __init__(self, case: Case, server: Server, plan: FaultPlan | None = None) -> None:
        """Compose the simulation of `case`. `plan` replaces the faults of the case."""
        stack = case.stack
        self.case = case
        self.scheduler = Scheduler(())
        self.clock = Clock(self.scheduler)
        self.counts = Counts()
        account_list = AccountSuppressionList(self.clock.now, calls_per_second=None)
        self.entries = Entries(account_list, stack.entries())
        self.checker = InvariantChecker(stack, self.scheduler, self.entries, Settings.of(stack))
        self.table = Table(
            stack.shards, lambda: self.scheduler.clock, self.checker.check_write, self.checker.check_expiry
        )
        self.checker.table = self.table
        plan = plan or FaultPlan(case.seed, case.intensity, case.focus)
        self.aws = FakeAws(self.scheduler, self.table, self.checker, self.entries, plan)
        self.lanes = self.checker.lanes = Lanes(stack.messages, lambda: self.scheduler.clock)
        self._pollers = [StreamPoller(self.scheduler, shard) for shard in self.table.stream]
        self._schedule = Schedule(self.scheduler, self.table)
        self._rng = random.Random(case.seed)  # noqa: S311 (repeatable, not secret)
        self._server = server
        self.url = server.url

    def run(self, functions: FunctionRunner, pool: ThreadPoolExecutor) -> InvariantChecker:
        """Run the case, and check the result."""
        max_rounds = _MAX_ROUNDS + 2 * len(self.case.stack.messages)
        while not self.scheduler.stopped and self.counts.rounds < max_rounds and self._advance():
            self._run_round(functions, pool)
        self.scheduler.settled = self.counts.rounds < max_rounds
        self.checker.check_result()
        return self.checker

    def _advance(self) -> bool:
        """Advance the clock until something is due; return False if nothing is left to do."""
        pollers = (poller.due() for poller in self._pollers)
        times = (self.lanes.due(), self._schedule.due(), self.aws.due(), *pollers)
        earliest = min((time for time in times if time is not None), default=None)
        if earliest is not None:
            self.scheduler.clock = max(self.scheduler.clock, earliest)
        return earliest is not None

    def _run_round(self, functions: FunctionRunner, pool: ThreadPoolExecutor) -> None:
        """Run every invocation that is due, all at the same time."""
        self.counts.rounds += 1
        self.aws.plan.active = self.counts.rounds <= ROUNDS_WITH_FAULTS
        with self.aws.lock:
            self.aws.apply_late_calls()
        invocations = [*self._feedback(), *self._stream(), *self._sweeps()]
        outcomes = list(pool.map(functions.invoke, invocations))
        self._server.wait_until_idle()
        if self._server.error:
            raise self._server.error
        for invocation, outcome in zip(invocations, outcomes, strict=True):
            self._settle(invocation, outcome)

    def _settle(self, invocation: Invocation, outcome: Outcome) -> None:
        self.counts.invocations += 1
        answer = outcome.answer
        self.checker.check_text("an exception", outcome.error)
        self.checker.check_text("a function's answer", repr(outcome.answer))
        if outcome.error and not outcome.error.startswith(_EXPECTED_ERRORS):
            self.checker.add_violation("P5", f"a function raised {outcome.error}")
        if answer is not None and self.scheduler.clock > invocation.deadline:
            answer = None
        self.counts.failed += answer is None
        invocation.settle(answer)

    def _feedback(self) -> Iterator[Invocation]:
        for number in range(self.case.stack.feedback_workers):
            batch = self.lanes.receive(self.case.stack.batch) if self._is_due(self.lanes.due()) else []
            if batch:
                self.lanes.hide(batch, visible=self._poller_fails())  # a visible message is received twice
                event = {"Records": [sqs_record(message) for message in batch]}
                settle = partial(self._acknowledge, batch)
                yield Invocation(f"feedback {number + 1}", event, self.scheduler.clock + TIMEOUT, settle)

    def _stream(self) -> Iterator[Invocation]:
        for number, poller in enumerate(self._pollers):
            if self._is_due(poller.due()):
                settle = partial(poller.settle, lost=self._poller_fails())
                deadline = self.scheduler.clock + SUPPRESSION_TIMEOUT
                yield Invocation(f"stream {number + 1}", poller.event(), deadline, settle)

    def _sweeps(self) -> Iterator[Invocation]:
        if self._is_due(self._schedule.due()):
            event = self._schedule.event()
            for number in range(self.case.stack.sweeps):
                deadline = self.scheduler.clock + SUPPRESSION_TIMEOUT
                yield Invocation(f"sweep {number + 1}", event, deadline, lambda _: None)

    def _is_due(self, time: int | None) -> bool:
        return time is not None and time <= self.scheduler.clock

    def _acknowledge(self, batch: Sequence[Message], answer: Answer | None) -> None:
        if answer is None:
            return
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        # On a busy machine a call without a fault may time out, so failures are always allowed.
        self.checker.check_answer(batch, failed, broken=True)
        done = [message for message in batch if str(message.number) not in failed]
        if self._poller_fails():
            done = done[: self._rng.randrange(len(done) + 1)]  # DeleteMessageBatch fails for the others
        for message in done:
            if self.lanes.waiting.pop(message.number, None):
                self.checker.check_acknowledgement(message)

    def _poller_fails(self) -> bool:
        return self._rng.random() < _POLLER_FAULTS and self.aws.plan.active

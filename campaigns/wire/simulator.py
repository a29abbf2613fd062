"""One case performed: queues, stream and schedule hand events to functions, round by round, until nothing is left."""

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from campaigns.simulation.invariants import InvariantChecker
from campaigns.simulation.lanes import TIMEOUT, Lanes
from campaigns.simulation.messages import START, Message
from campaigns.simulation.oracle import Settings
from campaigns.simulation.scheduler import SECOND, Scheduler
from campaigns.simulation.table import Table
from campaigns.wire.case import Case
from campaigns.wire.clients import Clock
from campaigns.wire.fake_aws import Aws, Entries
from campaigns.wire.faults import Plan
from campaigns.wire.http_server import Server
from campaigns.wire.stream_poller import Follower, Schedule
from localaws.suppression_list.account_list import AccountSuppressionList

STORM = 80
"""Rounds after which nothing breaks any more, and everything must drain."""
_LONGEST = 100
"""Rounds, and two for each message, after which a case is given up as one that never settles."""
_FOLLOWING = 300 * SECOND
_FAULTS = (
    "botocore.",
    "ses_feedback.aws.errors.",
    "builtins.Connection",
    "builtins.TimeoutError",
    "http.client.Remote",
)
"""What a function may fail with, of `AWS_ERRORS`."""
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Invocation:
    """A function to be invoked: whose process, with which event, and until when (virtual microseconds)."""

    worker: str
    event: Answer
    deadline: int
    settle: Callable[["Answer | None"], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an invocation came to: the function's answer, None when it failed (with `error`), or died."""

    answer: Answer | None = None
    error: str = ""


class Functions(Protocol):
    """Where functions run."""

    def invoke(self, invocation: Invocation) -> Outcome:
        """Run one, in parallel with others."""


@dataclass
class Counted:
    """What there was of it."""

    invocations: int = 0
    failed: int = 0
    timed_out: int = 0
    rounds: int = 0


class World:
    """A case, and what became of it."""

    def __init__(self, case: Case, server: Server, plan: Plan | None = None) -> None:
        """Set everything up for `case`, with other faults than the case's own when there is a `plan`."""
        told = case.told
        self.case = case
        self.scheduler = Scheduler(())
        self.clock = Clock(self.scheduler)
        self.counted = Counted()
        entries = self.entries = Entries(AccountSuppressionList(self.clock.now, calls_per_second=None), told.entries())
        self.checker = InvariantChecker(
            told, self.scheduler, entries, Settings(told.soft_bounces, told.list_unsubscribed)
        )
        self.table = self.checker.table = Table(told.shards, lambda: self.scheduler.clock, self.checker.check_write)
        self.aws = Aws(
            self.scheduler, self.table, self.checker, entries, plan or Plan(case.seed, case.intensity, case.focus)
        )
        self.lanes = self.checker.lanes = Lanes(told.messages, lambda: self.scheduler.clock)
        self._followers = [Follower(self.scheduler, shard) for shard in self.table.stream]
        self._schedule = Schedule(self.scheduler, self.table)
        self._chance = random.Random(case.seed)  # noqa: S311 (repeatable chance, not secrecy)
        self._server = server
        self.url = server.url

    def run(self, functions: Functions, pool: ThreadPoolExecutor) -> InvariantChecker:
        """Perform the case, and check what came of it."""
        longest = _LONGEST + 2 * len(self.case.told.messages)
        while not self.scheduler.stopped and self.counted.rounds < longest and self._advance():
            self._round(functions, pool)
        self.scheduler.settled = self.counted.rounds < longest
        self.checker.check_result()
        return self.checker

    def _advance(self) -> bool:
        """Move the clock on to when there is something to do; say whether there ever is."""
        followers = (follower.due() for follower in self._followers)
        moments = (self.lanes.due(), self._schedule.due(), self.aws.due(), *followers)
        moment = min((moment for moment in moments if moment is not None), default=None)
        if moment is not None:
            self.scheduler.clock = max(self.scheduler.clock, moment)
        return moment is not None

    def _round(self, functions: Functions, pool: ThreadPoolExecutor) -> None:
        """Let every poller that has something to hand over do so, all at the same time."""
        self.counted.rounds += 1
        self.aws.plan.active = self.counted.rounds <= STORM
        with self.aws.lock:
            self.aws.perform_late()
        invocations = [*self._feedback(), *self._stream(), *self._sweeps()]
        outcomes = list(pool.map(functions.invoke, invocations))
        self._server.settle()
        if self._server.problem:
            raise self._server.problem
        for invocation, outcome in zip(invocations, outcomes, strict=True):
            self._settle(invocation, outcome)

    def _settle(self, invocation: Invocation, outcome: Outcome) -> None:
        self.counted.invocations += 1
        answer = outcome.answer
        self.checker.check_text("an exception", outcome.error)
        self.checker.check_text("a function's answer", repr(outcome.answer))
        if outcome.error and not outcome.error.startswith(_FAULTS):
            self.checker.add_violation("P5", f"a function failed with {outcome.error}")
        if answer is not None and self.scheduler.clock > invocation.deadline:
            self.counted.timed_out += 1
            answer = None
        self.counted.failed += answer is None
        invocation.settle(answer)

    def _feedback(self) -> Iterator[Invocation]:
        for number in range(self.case.told.feedback_workers):
            batch = self.lanes.receive(self.case.told.batch) if self._ready() else []
            if batch:
                self.lanes.hide(batch, visible=self._goes_wrong(0.05))  # so another worker receives it, too
                event = {"Records": [_record(message) for message in batch]}
                settle = partial(self._acknowledge, batch)
                yield Invocation(f"feedback {number + 1}", event, self.scheduler.clock + TIMEOUT, settle)

    def _ready(self) -> bool:
        due = self.lanes.due()
        return due is not None and due <= self.scheduler.clock

    def _stream(self) -> Iterator[Invocation]:
        for number, follower in enumerate(self._followers):
            due = follower.due()
            if due is not None and due <= self.scheduler.clock:
                settle = partial(follower.settle, lost=self._goes_wrong(0.05))
                yield Invocation(f"stream {number + 1}", follower.event(), self.scheduler.clock + _FOLLOWING, settle)

    def _sweeps(self) -> Iterator[Invocation]:
        due = self._schedule.due()
        if due is not None and due <= self.scheduler.clock:
            event = self._schedule.event()
            for number in range(self.case.told.sweeps):
                yield Invocation(f"sweep {number + 1}", event, self.scheduler.clock + _FOLLOWING, lambda _: None)

    def _acknowledge(self, batch: Sequence[Message], answer: Answer | None) -> None:
        if answer is None:
            return
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        # On a busy machine calls time out that nothing was done to: whether something was broken is not known here.
        self.checker.check_answer(batch, failed, broken=True)
        done = [message for message in batch if str(message.number) not in failed]
        if self._goes_wrong(0.05):
            done = done[: self._chance.randrange(len(done) + 1)]  # the queue did not take all of it
        for message in done:
            if self.lanes.waiting.pop(message.number, None):
                self.checker.check_acknowledgement(message)

    def _goes_wrong(self, how_often: float) -> bool:
        return self._chance.random() < how_often and self.aws.plan.active


def _record(message: Message) -> Answer:
    sent = round(START.timestamp() * 1000) + message.arrives
    return {
        "messageId": str(message.number),
        "body": message.body,
        "attributes": {"SentTimestamp": str(sent)},
        "eventSource": "aws:sqs",
    }

"""Functions in this process: each worker has a handler of its own, with clients of its own."""

import io
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from campaigns.simulation.aws_services import CheckText
from campaigns.simulation.lanes import Handler
from campaigns.simulation.scheduler import Scheduler
from campaigns.wire.case import Case
from campaigns.wire.clients import Clock, local_clients
from campaigns.wire.simulator import Invocation, Outcome, World
from ses_feedback.handlers import feedback, suppression
from ses_feedback.settings import Settings

_LOGGERS = "FeedbackFunction", "SuppressionFunction"
# Powertools makes a logger after looking for one: of two functions composed at once each would make half of it.
_COMPOSING = threading.Lock()


def settings(case: Case, url: str) -> Settings:
    """Return what the stack tells the functions."""
    return Settings(
        "Contacts",
        f"{url}/123456789012/quarantine",
        soft_bounce_limit=case.told.soft_bounces,
        suppress_unsubscribed=case.told.list_unsubscribed,
        suppression_rate=100.0,
    )


def compose(worker: str, told: Settings, clients: Any, clock: Clock) -> Handler:  # noqa: ANN401 (or a subclass of ours)
    """Compose the function that `worker` is a process of."""
    made = feedback.compose if worker.startswith("feedback") else suppression.compose
    return made(told, clients, now=clock.now, sleep=clock.sleep)


class Context:
    """Lambda's context."""

    def __init__(self, scheduler: Scheduler, deadline: int) -> None:
        """Tell the time left until `deadline`."""
        self._scheduler = scheduler
        self._deadline = deadline

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the function is killed."""
        return (self._deadline - self._scheduler.clock) // 1000


class Threads:
    """Functions that run in threads of this process."""

    def __init__(self, world: World) -> None:
        """Compose each on first use."""
        self._world = world
        self._handlers: dict[str, Handler] = {}

    def invoke(self, invocation: Invocation) -> Outcome:
        """Run a function."""
        handler = self._handlers.get(invocation.worker) or self._compose(invocation.worker)
        try:
            return Outcome(handler(invocation.event, Context(self._world.scheduler, invocation.deadline)))
        except Exception as error:  # noqa: BLE001 (as Lambda does)
            return Outcome(error=described(error))

    def _compose(self, worker: str) -> Handler:
        world = self._world
        clients = local_clients(world.url, lambda: worker, botocore=world.case.botocore)
        with _COMPOSING:
            self._handlers[worker] = compose(worker, settings(world.case, world.url), clients, world.clock)
        return self._handlers[worker]


def described(error: Exception) -> str:
    """Return what is told of an exception that a function failed with."""
    return f"{type(error).__module__}.{type(error).__name__}: {error}"


class Output(io.TextIOBase):
    """What the functions print goes here, and nowhere else."""

    def __init__(self, shown: CheckText = lambda _where, _text: None) -> None:
        """Tell `shown` of all of it."""
        self._shown = shown

    def write(self, text: str) -> int:
        """Show it."""
        self._shown("the log", text)
        return len(text)


@contextmanager
def printing_to(output: Output) -> Iterator[None]:
    """Let the functions composed meanwhile print to `output`, and leave their loggers as they were."""
    loggers: list[Any] = [logging.getLogger(name) for name in _LOGGERS]
    before = [dict(vars(logger)) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.init, logger.powertools_handler = [], False, None
    try:
        with redirect_stdout(output):
            yield
    finally:
        for logger, was in zip(loggers, before, strict=True):
            vars(logger).clear()
            vars(logger).update(was)

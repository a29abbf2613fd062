"""Functions in threads of this process: each worker has its own handler with its own clients."""

import io
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from typing import Any

from campaigns.simulation.lanes import Handler
from campaigns.simulation.scheduler import Scheduler
from campaigns.simulation.stack_settings import stack_settings
from campaigns.wire.case import Case
from campaigns.wire.clients import Clock, local_clients
from campaigns.wire.simulator import Invocation, Outcome, WireSimulation
from ses_feedback.handlers import feedback, suppression
from ses_feedback.settings import Settings

CheckText = Callable[[str, str], None]
"""Checks a text of a named place for personal data."""

_LOGGERS = "FeedbackFunction", "SuppressionFunction"
_composing = threading.Lock()
"""Powertools looks for a logger and then creates it, so two threads must not compose at the same time."""


def settings_of(case: Case, url: str) -> Settings:
    """Return the settings of the functions."""
    settings = stack_settings(case.stack)
    return replace(settings, quarantine_queue_url=f"{url}/123456789012/quarantine", suppression_rate=100.0)


def compose(worker: str, settings: Settings, clients: Any, clock: Clock) -> Handler:  # noqa: ANN401 (a subclass of Clients)
    """Compose the function of `worker`, whose name begins with that of the function."""
    composing = feedback.compose if worker.startswith("feedback") else suppression.compose
    return composing(settings, clients, now=clock.now, sleep=clock.sleep)


class LambdaContext:
    """Lambda's context of an invocation."""

    def __init__(self, scheduler: Scheduler, deadline: int) -> None:
        """Count the time until `deadline`."""
        self._scheduler = scheduler
        self._deadline = deadline

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the function."""
        return (self._deadline - self._scheduler.clock) // 1000


class ThreadedFunctions:
    """Runs functions in the calling thread."""

    def __init__(self, simulation: WireSimulation) -> None:
        """Compose each function on its first use."""
        self._simulation = simulation
        self._handlers: dict[str, Handler] = {}

    def invoke(self, invocation: Invocation) -> Outcome:
        """Run a function."""
        handler = self._handlers.get(invocation.worker) or self._compose(invocation.worker)
        context = LambdaContext(self._simulation.scheduler, invocation.deadline)
        try:
            return Outcome(handler(invocation.event, context))
        except Exception as error:  # noqa: BLE001 (like Lambda)
            return Outcome(error=describe_error(error))

    def _compose(self, worker: str) -> Handler:
        simulation = self._simulation
        clients = local_clients(simulation.url, lambda: worker, botocore=simulation.case.botocore)
        settings = settings_of(simulation.case, simulation.url)
        with _composing:
            self._handlers[worker] = compose(worker, settings, clients, simulation.clock)
        return self._handlers[worker]


def describe_error(error: Exception) -> str:
    """Return the class and the message of an error."""
    return f"{type(error).__module__}.{type(error).__name__}: {error}"


class CheckedOutput(io.TextIOBase):
    """An output that only checks the texts written to it."""

    def __init__(self, check_text: CheckText = lambda _place, _text: None) -> None:
        """Check each text by `check_text`."""
        self._check_text = check_text

    def write(self, text: str) -> int:
        """Check a text."""
        self._check_text("the log", text)
        return len(text)


@contextmanager
def redirected_output(output: CheckedOutput) -> Iterator[None]:
    """Redirect the output of the functions composed in this context, and restore their loggers afterwards."""
    loggers: list[Any] = [logging.getLogger(name) for name in _LOGGERS]
    before = [dict(vars(logger)) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.init, logger.powertools_handler = [], False, None
    try:
        with redirect_stdout(output):
            yield
    finally:
        for logger, attributes in zip(loggers, before, strict=True):
            vars(logger).clear()
            vars(logger).update(attributes)

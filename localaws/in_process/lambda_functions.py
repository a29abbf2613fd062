"""The deployed functions in this process: each receives events as from Lambda, and its output is captured."""

import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from datetime import timedelta
from io import StringIO
from typing import Any

from localaws.embedded_metrics import MetricValue, parse_metrics
from localaws.in_process.embedded_aws import EmbeddedAws
from localaws.in_process.virtual_clock import Clock
from ses_feedback.aws.clients import Clients
from ses_feedback.handlers import feedback, suppression
from ses_feedback.settings import LANES, Settings

FEEDBACK_TIMEOUT = timedelta(seconds=60)
"""The timeout of the feedback functions in template.yaml."""
SUPPRESSION_TIMEOUT = timedelta(seconds=300)
"""The timeout of SuppressionFunction in template.yaml."""

_QUEUE = re.compile(rf"({'|'.join(LANES)})Queue")
_LOGGERS = (*(f"{lane or 'Feedback'}Function" for lane in ("", *LANES)), "SuppressionFunction")


@dataclass(frozen=True, slots=True)
class Invocation:
    """The result of one invocation: the response or the raised error, and the output."""

    response: Mapping[str, Any]
    error: Exception | None
    metrics: tuple[MetricValue, ...]
    log: tuple[str, ...]

    @property
    def failures(self) -> frozenset[str]:
        """The ids of the records that the function did not process.

        https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
        """
        return frozenset(failure["itemIdentifier"] for failure in self.response.get("batchItemFailures", ()))

    @property
    def counts(self) -> Mapping[str, float]:
        """The sum of each metric with the unit Count: over configuration sets or, if it has none, over providers."""
        by_set: Counter[str] = Counter()
        by_provider: Counter[str] = Counter()
        for metric in self.metrics:
            if metric.unit == "Count":
                sums = by_provider if "Provider" in metric.dimensions else by_set
                sums[metric.name] += int(metric.value)
        # A metric that has both dimensions is published twice.
        return by_set + Counter({name: count for name, count in by_provider.items() if name not in by_set})


class Functions:
    """BounceFunction, ComplaintFunction, DeliveryFunction and SuppressionFunction on an embedded AWS."""

    def __init__(self, aws: EmbeddedAws, settings: Settings) -> None:
        """Create each function on first use, with `settings` and its lane."""
        self._aws = aws
        self._settings = settings
        self._clients = Clients(aws.session)
        self._feedback: dict[str, feedback.FeedbackHandler] = {}
        self._suppression: suppression.SuppressionHandler | None = None

    def feedback(self, event: Mapping[str, Any]) -> Invocation:
        """Invoke the function of the lane whose queue sent the event, or one without a lane."""
        lane = _find_lane(event)
        clock = self._aws.clock
        with _captured_output() as output:
            if lane not in self._feedback:
                settings = replace(self._settings, lane=lane)
                self._feedback[lane] = feedback.compose(settings, self._clients, now=clock.now, sleep=clock.sleep)
            return _invoke(self._feedback[lane], event, _Context(clock, FEEDBACK_TIMEOUT), output)

    def suppression(self, event: Mapping[str, Any]) -> Invocation:
        """Invoke SuppressionFunction."""
        clock = self._aws.clock
        with _captured_output() as output:
            if self._suppression is None:
                self._suppression = suppression.compose(self._settings, self._clients, now=clock.now, sleep=clock.sleep)
            return _invoke(self._suppression, event, _Context(clock, SUPPRESSION_TIMEOUT), output)


class _Context:
    """The context object of an invocation, by the clock of the embedded AWS.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    def __init__(self, clock: Clock, timeout: timedelta) -> None:
        self._clock = clock
        self._deadline = clock.now() + timeout

    def get_remaining_time_in_millis(self) -> int:
        return max(0, round((self._deadline - self._clock.now()).total_seconds() * 1000))


def _find_lane(event: Mapping[str, Any]) -> str:
    """Return the lane whose queue is the source of the event, or an empty string if it is none."""
    records = event.get("Records") or [None]
    arn = records[0].get("eventSourceARN") if isinstance(records[0], Mapping) else None
    match = _QUEUE.search(arn) if isinstance(arn, str) else None
    return match[1] if match else ""


def _invoke(
    handler: feedback.FeedbackHandler | suppression.SuppressionHandler,
    event: Mapping[str, Any],
    context: _Context,
    output: StringIO,
) -> Invocation:
    response, error = {}, None
    try:
        response = handler(event, context)
    except Exception as raised:  # noqa: BLE001 (Lambda redelivers an event after any exception)
        error = raised
    log, metrics = [], []
    for line in output.getvalue().splitlines():
        found = list(parse_metrics(line))
        metrics += found
        if not found:
            log.append(line)
    return Invocation(response, error, tuple(metrics), tuple(log))


@contextmanager
def _captured_output() -> Iterator[StringIO]:
    """Capture standard output, and the output of loggers that were created with another standard output."""
    output = StringIO()
    with redirect_stdout(output):
        originals: dict[logging.StreamHandler[Any], Any] = {}
        try:
            # The logger of a function that is created in this context uses the new standard output.
            for name in _LOGGERS:
                for handler in logging.getLogger(name).handlers:
                    if isinstance(handler, logging.StreamHandler):
                        originals[handler], handler.stream = handler.stream, output
            yield output
        finally:
            for handler, stream in originals.items():
                handler.stream = stream

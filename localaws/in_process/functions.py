"""The deployed functions in this process: they are handed events as Lambda hands them, and what they print is kept."""

import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from datetime import timedelta
from io import StringIO
from typing import Any

from localaws.in_process.embedded_aws import Clock, EmbeddedAws
from localaws.served.embedded_metrics import Datum, metrics_in
from ses_feedback.aws.clients import Clients
from ses_feedback.handlers import feedback, suppression
from ses_feedback.settings import LANES, Settings

FEEDBACK_TIMEOUT = timedelta(seconds=60)
SUPPRESSION_TIMEOUT = timedelta(seconds=300)
"""As in template.yaml."""

_QUEUE = re.compile(rf"({'|'.join(LANES)})Queue")
_LOGGERS = (*(f"{lane or 'Feedback'}Function" for lane in ("", *LANES)), "SuppressionFunction")


@dataclass(frozen=True, slots=True)
class Invocation:
    """What came of handing a function an event: its answer, or the error it raised, and what it printed."""

    answer: Mapping[str, Any]
    error: Exception | None
    metrics: tuple[Datum, ...]
    log: tuple[str, ...]

    @property
    def failures(self) -> frozenset[str]:
        """The ids of the records that are to come again."""
        return frozenset(failure["itemIdentifier"] for failure in self.answer.get("batchItemFailures", ()))

    @property
    def counts(self) -> Mapping[str, float]:
        """The metrics that count, summed over configuration sets, or over providers if they have no configuration set."""
        totals: Counter[str] = Counter()
        by_provider: Counter[str] = Counter()
        for datum in self.metrics:
            if datum.unit == "Count":
                counted = by_provider if "Provider" in datum.dimensions else totals
                counted[datum.name] += int(datum.value)
        # A metric that has both dimensions is published twice.
        return totals + Counter({name: number for name, number in by_provider.items() if name not in totals})


class Functions:
    """BounceFunction, ComplaintFunction, DeliveryFunction and SuppressionFunction on an embedded AWS."""

    def __init__(self, aws: EmbeddedAws, settings: Settings) -> None:
        """Make them on first use, with `settings` save for the lane."""
        self._aws = aws
        self._settings = settings
        self._clients = Clients(aws.session)
        self._feedback: dict[str, feedback.FeedbackHandler] = {}
        self._suppression: suppression.SuppressionHandler | None = None

    def feedback(self, event: Mapping[str, Any]) -> Invocation:
        """Invoke the function of the lane whose queue the event came from; one without a lane for any other."""
        lane = _lane(event)
        clock = self._aws.clock
        with _captured() as printed:
            if lane not in self._feedback:
                settings = replace(self._settings, lane=lane)
                self._feedback[lane] = feedback.compose(settings, self._clients, now=clock.now, sleep=clock.sleep)
            return _invoke(self._feedback[lane], event, _Context(clock, FEEDBACK_TIMEOUT), printed)

    def suppression(self, event: Mapping[str, Any]) -> Invocation:
        """Invoke SuppressionFunction."""
        clock = self._aws.clock
        with _captured() as printed:
            if self._suppression is None:
                self._suppression = suppression.compose(self._settings, self._clients, now=clock.now, sleep=clock.sleep)
            return _invoke(self._suppression, event, _Context(clock, SUPPRESSION_TIMEOUT), printed)


class _Context:
    """What Lambda tells a function about its invocation, by the clock of the embedded AWS."""

    def __init__(self, clock: Clock, timeout: timedelta) -> None:
        self._clock = clock
        self._end = clock.now() + timeout

    def get_remaining_time_in_millis(self) -> int:
        return max(0, round((self._end - self._clock.now()).total_seconds() * 1000))


def _lane(event: Mapping[str, Any]) -> str:
    records = event.get("Records") or [None]
    arn = records[0].get("eventSourceARN") if isinstance(records[0], Mapping) else None
    match = _QUEUE.search(arn) if isinstance(arn, str) else None
    return match[1] if match else ""


def _invoke(
    handler: feedback.FeedbackHandler | suppression.SuppressionHandler,
    event: Mapping[str, Any],
    context: _Context,
    printed: StringIO,
) -> Invocation:
    answer, error = {}, None
    try:
        answer = handler(event, context)
    except Exception as raised:  # noqa: BLE001 (as Lambda: whatever a function raises, its event comes again)
        error = raised
    log, metrics = [], []
    for line in printed.getvalue().splitlines():
        data = list(metrics_in(line))
        metrics += data
        if not data:
            log.append(line)
    return Invocation(answer, error, tuple(metrics), tuple(log))


@contextmanager
def _captured() -> Iterator[StringIO]:
    """Keep what is printed, and what the functions' loggers write to whatever standard output was when they began."""
    printed = StringIO()
    with redirect_stdout(printed):
        before: dict[logging.StreamHandler[Any], Any] = {}
        try:
            # A logger of a function that is made in here finds this standard output by itself.
            for name in _LOGGERS:
                for handler in logging.getLogger(name).handlers:
                    if isinstance(handler, logging.StreamHandler):
                        before[handler], handler.stream = handler.stream, printed
            yield printed
        finally:
            for handler, stream in before.items():
                handler.stream = stream

"""The states of alarms, by CloudWatch's rules. ministack ignores dimensions, missing data and DatapointsToAlarm."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any

from localaws.cloudwatch.alarms import EXTRA_PERIODS, MetricKey, WatchedMetric, evaluate_alarm, watched_metrics
from localaws.cloudwatch.metric_math import MetricMathError
from localaws.server.monkey_patch import Patch

_log = logging.getLogger("localaws.server")


def alarm_patches() -> Iterator[Patch]:
    """Yield the patch of the evaluation."""
    cloudwatch = import_module("ministack.services.cloudwatch")
    yield Patch(cloudwatch, "_evaluate_alarm", lambda _: _with_cloudwatch_rules(cloudwatch))


def _with_cloudwatch_rules(cloudwatch: Any) -> Callable[[dict[str, Any]], None]:  # noqa: ANN401 (a module without types)
    """Return an evaluation that sets the state of an alarm and runs the actions of a change."""

    def replacement(alarm: dict[str, Any]) -> None:
        old = alarm["StateValue"]
        try:
            new = evaluate_alarm(_properties(alarm), _read_data(cloudwatch, alarm, time.time()), old)
        except (KeyError, MetricMathError):
            _log.warning("alarm %s uses a rule that is not emulated; it keeps its state", alarm["AlarmName"])
            return
        if new == old:
            return
        reason = "evaluated by CloudWatch's rules"
        alarm.update(StateValue=new, StateReason=reason, StateUpdatedTimestamp=int(time.time()))
        cloudwatch._record_history(alarm["AlarmName"], old, new, reason)  # noqa: SLF001
        cloudwatch._dispatch_alarm_actions(alarm, old, new, reason)  # noqa: SLF001
        cloudwatch._evaluate_parent_alarms(alarm)  # noqa: SLF001

    return replacement


def _properties(alarm: Mapping[str, Any]) -> dict[str, Any]:
    """Return ministack's record of an alarm with the properties of the template that the rules read."""
    properties = {name: value for name, value in alarm.items() if value not in (None, [], "")}
    properties["Statistic"] = properties.get("ExtendedStatistic") or properties.get("Statistic")
    return properties


def _read_data(cloudwatch: Any, alarm: Mapping[str, Any], now: float) -> dict[MetricKey, list[float | None]]:  # noqa: ANN401
    """Return the statistic of each metric of an alarm in its latest periods, the newest last."""
    periods = int(alarm["EvaluationPeriods"]) + EXTRA_PERIODS
    metrics = watched_metrics(_properties(alarm))
    return {metric.key: _read_statistic(cloudwatch, metric, periods, now) for metric in metrics}


def _read_statistic(cloudwatch: Any, metric: WatchedMetric, periods: int, now: float) -> list[float | None]:  # noqa: ANN401
    dimensions = cloudwatch._dims_key(dict(metric.key.dimensions))  # noqa: SLF001
    points = cloudwatch._metrics.get((metric.key.namespace, metric.key.name, dimensions), ())  # noqa: SLF001
    return [
        _statistic(cloudwatch, found, metric.statistic) for found in split_periods(points, metric.period, periods, now)
    ]


def _statistic(cloudwatch: Any, points: list[Mapping[str, Any]], name: str) -> float | None:  # noqa: ANN401
    if not points:
        return None
    value = cloudwatch._stat_value(cloudwatch._calc_stats(points), name, points)  # noqa: SLF001
    return None if value is None else float(value)


def split_periods(
    points: Iterable[Mapping[str, Any]], period: int, periods: int, now: float
) -> list[list[Mapping[str, Any]]]:
    """Return the points of the latest periods of so many seconds that end now, the newest period last."""
    split: list[list[Mapping[str, Any]]] = [[] for _ in range(periods)]
    for point in points:
        age = int((now - point["Timestamp"]) // period)
        if 0 <= age < periods:
            split[periods - 1 - age].append(point)
    return split

"""CloudWatch's evaluation of a metric alarm with a sliding window.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from localaws.cloudwatch.metric_math import Series, evaluate

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
MAX_METRICS = 10
"""Metrics in an alarm on metric math."""
EXTRA_PERIODS = 2
"""CloudWatch reads more periods than it evaluates. AWS's examples read two more; the number is not published."""

_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


class MetricKey(NamedTuple):
    """A metric: namespace, name, and dimensions as sorted pairs of name and value."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()


class WatchedMetric(NamedTuple):
    """A metric that an alarm watches, with its id in expressions."""

    id: str
    key: MetricKey
    statistic: str
    period: int


def watched_metrics(alarm: Mapping[str, Any]) -> list[WatchedMetric]:
    """Return the metrics that an alarm watches, from its properties in a template."""
    if "Metrics" not in alarm:
        return [WatchedMetric("", _key(alarm), alarm["Statistic"], int(alarm["Period"]))]
    stats = [(query["Id"], query["MetricStat"]) for query in alarm["Metrics"] if "MetricStat" in query]
    return [WatchedMetric(name, _key(stat["Metric"]), stat["Stat"], int(stat["Period"])) for name, stat in stats]


def evaluate_alarm(alarm: Mapping[str, Any], data: Mapping[MetricKey, Sequence[float | None]], state: str = OK) -> str:
    """Return the state of an alarm that was in `state`.

    `data` has the statistic of each metric for the latest periods, the newest last. Older periods and other metrics
    have no data.
    """
    periods = int(alarm["EvaluationPeriods"])
    compare = _COMPARISONS[alarm["ComparisonOperator"]]
    values = alarm_values(alarm, data, periods + EXTRA_PERIODS)
    breaching = [None if value is None else compare(value, float(alarm["Threshold"])) for value in values]
    return next_state(
        breaching,
        evaluation_periods=periods,
        datapoints_to_alarm=int(alarm.get("DatapointsToAlarm", periods)),
        missing=alarm.get("TreatMissingData", "missing"),
        state=state,
    )


def alarm_values(alarm: Mapping[str, Any], data: Mapping[MetricKey, Sequence[float | None]], periods: int) -> Series:
    """Return the values that an alarm compares with its threshold."""
    series = {metric.id: _latest(data.get(metric.key, ()), periods) for metric in watched_metrics(alarm)}
    if "Metrics" not in alarm:
        return series[""]
    expressions = {query["Id"]: query["Expression"] for query in alarm["Metrics"] if "Expression" in query}
    (returned,) = (query["Id"] for query in alarm["Metrics"] if query.get("ReturnData", True))
    for name in _in_order(expressions, returned):
        series[name] = evaluate(expressions[name], series, periods)
    return series[returned]


def next_state(
    breaching: Sequence[bool | None], *, evaluation_periods: int, datapoints_to_alarm: int, missing: str, state: str
) -> str:
    """Return the state of an alarm after an evaluation.

    `breaching` has an element for each period of the evaluation range, the oldest first; None is a missing value.
    """
    real = [point for point in breaching if point is not None]
    filled = max(0, evaluation_periods - len(real))
    count = sum(real[-evaluation_periods:] if not filled else real)
    if filled and missing == "breaching":
        count += filled
    if count >= datapoints_to_alarm:
        return ALARM
    if not filled or missing in {"breaching", "notBreaching"} or not all(real):
        return OK
    # Here there are too few values, and all of them are breaching.
    if missing == "ignore":
        return state
    if not real:
        return INSUFFICIENT_DATA
    age_of_oldest = len(breaching) - list(breaching).index(True)
    return ALARM if age_of_oldest >= datapoints_to_alarm else state


def _key(metric: Mapping[str, Any]) -> MetricKey:
    dimensions = sorted((each["Name"], each["Value"]) for each in metric.get("Dimensions", []))
    return MetricKey(metric["Namespace"], metric["MetricName"], tuple(dimensions))


def _latest(values: Sequence[float | None], periods: int) -> Series:
    return (*[None] * max(0, periods - len(values)), *values[-periods:])


def _in_order(expressions: Mapping[str, str], name: str) -> Iterator[str]:
    """Yield the ids of the expressions that `name` needs, and `name` last."""
    for other in expressions:
        if other != name and other in expressions[name].replace("(", " ").replace(")", " ").replace(",", " ").split():
            yield from _in_order(expressions, other)
    yield name

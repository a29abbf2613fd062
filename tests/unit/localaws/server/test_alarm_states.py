"""The data of an alarm's periods, and ministack's records of alarms."""

from types import SimpleNamespace
from typing import Any

import pytest

from localaws.cloudwatch.alarms import ALARM, INSUFFICIENT_DATA, OK
from localaws.server.alarm_states import _with_cloudwatch_rules, split_periods

NOW = 10_000.0


class CloudWatch(SimpleNamespace):
    """The parts of ministack's module that the evaluation uses. Points are (age in seconds, value)."""

    def __init__(self, **points: list[tuple[int, float]]) -> None:
        metrics = {
            ("AWS/SQS", "Age", f"QueueName={queue}"): [{"Timestamp": NOW - age, "Value": value} for age, value in found]
            for queue, found in points.items()
        }
        self.changes: list[tuple[str, str]] = []
        super().__init__(
            _metrics=metrics,
            _dims_key=lambda dimensions: "|".join(f"{name}={value}" for name, value in sorted(dimensions.items())),
            _calc_stats=lambda found: [point["Value"] for point in found],
            _stat_value=lambda values, name, _: max(values) if name == "Maximum" else sum(values),
            _record_history=lambda *_: None,
            _dispatch_alarm_actions=lambda _, old, new, __: self.changes.append((old, new)),
            _evaluate_parent_alarms=lambda _: None,
        )


def alarm(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 (a record of ministack)
    """Return an alarm as ministack stores it."""
    return {
        "AlarmName": "waits",
        "Namespace": "AWS/SQS",
        "MetricName": "Age",
        "Dimensions": [{"Name": "QueueName", "Value": "bounces"}],
        "Statistic": "Maximum",
        "ExtendedStatistic": None,
        "Period": 300,
        "EvaluationPeriods": 1,
        "DatapointsToAlarm": None,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 900.0,
        "TreatMissingData": "notBreaching",
        "StateValue": INSUFFICIENT_DATA,
        **changed,
    }


@pytest.fixture(autouse=True)
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localaws.server.alarm_states.time.time", lambda: NOW)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ({"bounces": [(10, 901)]}, ALARM),
        ({"bounces": [(10, 900)]}, OK),
        ({"bounces": [(310, 901), (10, 0)]}, OK),
        ({"another": [(10, 901)]}, OK),
        ({}, OK),
    ],
)
def test_an_alarm_watches_its_dimensions_in_its_latest_period(
    points: dict[str, list[tuple[int, float]]], expected: str
) -> None:
    cloudwatch, record = CloudWatch(**points), alarm()
    _with_cloudwatch_rules(cloudwatch)(record)
    assert record["StateValue"] == expected
    assert cloudwatch.changes == [(INSUFFICIENT_DATA, expected)]


def test_an_alarm_on_metric_math_is_evaluated() -> None:
    metric = {"Namespace": "AWS/SQS", "MetricName": "Age", "Dimensions": [{"Name": "QueueName", "Value": "bounces"}]}
    metrics = [
        {"Id": "double", "Expression": "age * 2"},
        {"Id": "age", "ReturnData": False, "MetricStat": {"Metric": metric, "Stat": "Sum", "Period": 300}},
    ]
    record = alarm(MetricName="", Namespace="", Metrics=metrics)
    _with_cloudwatch_rules(CloudWatch(bounces=[(10, 451)]))(record)
    assert record["StateValue"] == ALARM


def test_an_unchanged_state_runs_no_action() -> None:
    cloudwatch, record = CloudWatch(), alarm(StateValue=OK)
    _with_cloudwatch_rules(cloudwatch)(record)
    assert cloudwatch.changes == []


def test_an_alarm_with_a_rule_that_is_not_emulated_keeps_its_state() -> None:
    record = alarm(ComparisonOperator="GreaterThanUpperThreshold")
    _with_cloudwatch_rules(CloudWatch(bounces=[(10, 901)]))(record)
    assert record["StateValue"] == INSUFFICIENT_DATA


def test_points_are_divided_into_periods_that_end_now() -> None:
    points = [{"Timestamp": NOW - age} for age in (0, 299, 300, 899, 900)]
    ages = [[NOW - point["Timestamp"] for point in period] for period in split_periods(points, 300, 3, NOW)]
    assert ages == [[899], [300], [0, 299]]

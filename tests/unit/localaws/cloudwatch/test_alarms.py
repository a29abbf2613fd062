"""The evaluation of an alarm: the tables of AWS's page about missing data."""

from typing import Any

import pytest

from localaws.cloudwatch.alarms import ALARM, INSUFFICIENT_DATA, OK, MetricKey, alarm_values, evaluate_alarm, next_state

CURRENT = "current state"
POINTS = {"0": False, "X": True, "-": None}
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


def states(points: str, datapoints_to_alarm: int) -> tuple[str, ...]:
    """Return the state of an alarm with three evaluation periods for each treatment of missing data."""
    return tuple(
        next_state(
            [POINTS[point] for point in points.split()],
            evaluation_periods=3,
            datapoints_to_alarm=datapoints_to_alarm,
            missing=treatment,
            state=CURRENT,
        )
        for treatment in TREATMENTS
    )


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ("0 - X - X", (OK, OK, OK, OK)),
        ("0 - - - -", (OK, OK, OK, OK)),
        ("- - - - -", (INSUFFICIENT_DATA, CURRENT, ALARM, OK)),
        ("0 X X - X", (ALARM, ALARM, ALARM, ALARM)),
        ("- - X - -", (ALARM, CURRENT, ALARM, OK)),
        # Avoiding premature transitions to the alarm state. One breaching value and two missing ones are three.
        ("- - - - X", (CURRENT, CURRENT, ALARM, OK)),
        ("- - - X -", (CURRENT, CURRENT, ALARM, OK)),
    ],
)
def test_three_of_three_periods_as_documented(points: str, expected: tuple[str, ...]) -> None:
    assert states(points, 3) == expected


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ("0 - X - X", (ALARM, ALARM, ALARM, ALARM)),
        ("0 0 X 0 X", (ALARM, ALARM, ALARM, ALARM)),
        ("0 - X - -", (OK, OK, ALARM, OK)),
        ("- - - - 0", (OK, OK, ALARM, OK)),
        ("- - - X -", (ALARM, CURRENT, ALARM, OK)),
    ],
)
def test_two_of_three_periods_as_documented(points: str, expected: tuple[str, ...]) -> None:
    assert states(points, 2) == expected


def an_alarm(**properties: str) -> dict[str, Any]:
    """Return the properties of an alarm on a metric."""
    return {
        "Namespace": "Own",
        "MetricName": "Count",
        "Dimensions": [{"Name": "Stack", "Value": "s"}],
        "Statistic": "Sum",
        "Period": 300,
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 3,
        **properties,
    }


KEY = MetricKey("Own", "Count", (("Stack", "s"),))


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        ("GreaterThanThreshold", [OK, OK, ALARM]),
        ("GreaterThanOrEqualToThreshold", [OK, ALARM, ALARM]),
        ("LessThanThreshold", [ALARM, OK, OK]),
    ],
)
def test_the_newest_value_is_compared_with_the_threshold(comparison: str, expected: list[str]) -> None:
    alarm = an_alarm(ComparisonOperator=comparison)
    assert [evaluate_alarm(alarm, {KEY: [9.0, value]}) for value in (2.0, 3.0, 4.0)] == expected


def test_other_dimensions_are_another_metric() -> None:
    other = MetricKey("Own", "Count", (("Stack", "other"),))
    assert evaluate_alarm(an_alarm(), {other: [9.0]}) == INSUFFICIENT_DATA


def test_expressions_are_evaluated_in_the_order_of_their_references() -> None:
    metric = {"Namespace": "Own", "MetricName": "Count", "Dimensions": [{"Name": "Stack", "Value": "s"}]}
    alarm = {
        "Metrics": [
            {"Id": "result", "Expression": "twice + 1"},
            {"Id": "twice", "Expression": "2 * count", "ReturnData": False},
            {"Id": "count", "MetricStat": {"Metric": metric, "Stat": "Sum", "Period": 60}, "ReturnData": False},
        ]
    }
    assert alarm_values(alarm, {KEY: [4.0]}, 2) == (None, 9.0)

"""Metrics in log lines."""

import pytest

from localaws.served.embedded_metrics import Datum, metrics_in
from ses_feedback.aws.metric_counts import MetricCounts
from ses_feedback.aws.metrics import Metrics


def test_what_the_functions_print_becomes_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    """Every name, value, unit and dimension arrives."""
    metric_counts = MetricCounts()
    metric_counts.count("Ours", "Delivery", 3)
    metric_counts.delay("Ours", "FeedbackLag", 250)
    Metrics(["Ours"]).emit(metric_counts)
    found = [datum for line in capsys.readouterr().out.splitlines() for datum in metrics_in(line)]
    dimensions = {"ConfigurationSet": "Ours"}
    assert found == [
        Datum("SesFeedback", "Delivery", 3.0, "Count", dimensions),
        Datum("SesFeedback", "FeedbackLag", 250.0, "Milliseconds", dimensions),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "START",
        '{"message": "CloudWatchMetrics"}',
        '{"_aws": {"CloudWatchMetrics": 1}}',
        '"CloudWatchMetrics"',
        '{"_aws": {"CloudWatchMetrics": [{"Namespace": "N", "Dimensions": [["D"]], "Metrics": [{"Name": "M"}]}]}}',
        '{"CloudWatchMetrics',
    ],
)
def test_other_lines_are_left_alone(line: str) -> None:
    """Nothing is made of what is not the format, and nothing breaks."""
    assert list(metrics_in(line)) == []


def test_a_metric_may_have_no_dimension_and_no_unit() -> None:
    """A single value does as well as a list."""
    line = '{"_aws": {"CloudWatchMetrics": [{"Namespace": "N", "Dimensions": [], "Metrics": [{"Name": "M"}]}]}, "M": 1}'
    assert list(metrics_in(line)) == [Datum("N", "M", 1.0, "None", {})]

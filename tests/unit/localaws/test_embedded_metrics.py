"""Metrics in log lines."""

import pytest

from localaws.embedded_metrics import MetricValue, parse_metrics
from ses_feedback.aws.metric_counts import MetricCounts
from ses_feedback.aws.metrics import Metrics


def test_printed_metrics_are_parsed_completely(capsys: pytest.CaptureFixture[str]) -> None:
    metric_counts = MetricCounts()
    metric_counts.count("Ours", "Delivery", 3)
    metric_counts.delay("Ours", "FeedbackLag", 250)
    Metrics(["Ours"]).emit(metric_counts)
    found = [metric for line in capsys.readouterr().out.splitlines() for metric in parse_metrics(line)]
    dimensions = {"ConfigurationSet": "Ours"}
    assert found == [
        MetricValue("SesFeedback", "Delivery", 3.0, "Count", dimensions),
        MetricValue("SesFeedback", "FeedbackLag", 250.0, "Milliseconds", dimensions),
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
def test_line_in_another_format_has_no_metrics(line: str) -> None:
    assert list(parse_metrics(line)) == []


def test_metric_without_dimensions_unit_and_list_is_parsed() -> None:
    line = '{"_aws": {"CloudWatchMetrics": [{"Namespace": "N", "Dimensions": [], "Metrics": [{"Name": "M"}]}]}, "M": 1}'
    assert list(parse_metrics(line)) == [MetricValue("N", "M", 1.0, "None", {})]

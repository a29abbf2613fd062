"""Metrics: EMF lines with few dimension values, and a documented meaning for every metric."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ses_feedback
from localaws.embedded_metrics import parse_metrics
from ses_feedback.aws.metric_counts import MetricCounts
from ses_feedback.aws.metrics import (
    DIMENSION,
    MAX_CONFIGURATION_SETS,
    METRICS,
    NAMESPACE,
    PROVIDER_DIMENSION,
    PROVIDER_METRICS,
    STACK_DIMENSION,
    Metrics,
)
from ses_feedback.judging.policy import POLICY
from ses_feedback.judging.recipients import SIMULATOR
from tools.cloudwatch.published import STACK_ONLY, our_dimensions

EMF_MAX_METRICS = 100
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html"""


def emitted_lines(
    capsys: pytest.CaptureFixture[str], metric_counts: MetricCounts, own_sets: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """Return the EMF lines of `metric_counts`."""
    Metrics(own_sets).emit(metric_counts)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_is_emf_with_the_configuration_set_as_its_only_dimension(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "ignored")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "ignored")
    metric_counts = MetricCounts()
    metric_counts.count("receipts", "Delivery", 3)
    metric_counts.delay("receipts", "FeedbackLag", 1_250)
    [line] = emitted_lines(capsys, metric_counts, ("receipts",))
    timestamp = line["_aws"].pop("Timestamp")
    assert isinstance(timestamp, int)
    assert line == {
        "_aws": {
            "CloudWatchMetrics": [
                {
                    "Namespace": "SesFeedback",
                    "Dimensions": [["ConfigurationSet"]],
                    "Metrics": [
                        {"Name": "Delivery", "Unit": "Count"},
                        {"Name": "FeedbackLag", "Unit": "Milliseconds"},
                    ],
                }
            ]
        },
        "ConfigurationSet": "receipts",
        "Delivery": [3.0],
        "FeedbackLag": [1250.0],
    }


def test_counts_by_provider_have_lines_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    metric_counts = MetricCounts()
    metric_counts.count("", "DeliveryDelay", 2)
    metric_counts.by_provider["gmail", "DeliveryDelay"] += 2
    metric_counts.by_provider["gmail", "ProviderRejection"] += 1
    by_set, by_provider = emitted_lines(capsys, metric_counts)
    assert (by_set[DIMENSION], by_set["DeliveryDelay"], PROVIDER_DIMENSION in by_set) == ("none", [2.0], False)
    assert (by_provider[PROVIDER_DIMENSION], DIMENSION in by_provider) == ("gmail", False)
    assert (by_provider["DeliveryDelay"], by_provider["ProviderRejection"]) == ([2.0], [1.0])


def test_the_names_that_alarms_and_dashboards_use_do_not_change() -> None:
    assert (NAMESPACE, DIMENSION, PROVIDER_DIMENSION) == ("SesFeedback", "ConfigurationSet", "Provider")


def test_configuration_sets_that_the_stack_does_not_name_share_a_dimension_value(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Senders choose the names, and CloudWatch bills each dimension value."""
    metric_counts = MetricCounts()
    for number in range(300):
        metric_counts.count(f"attacker-{number}", "Send")
        metric_counts.delay(f"attacker-{number}", "FeedbackLag", number)
    metric_counts.count("receipts", "Send")
    metric_counts.count("", "Send")
    lines = emitted_lines(capsys, metric_counts, ("receipts",))
    assert [(line[DIMENSION], line["Send"]) for line in lines] == [
        ("other", [300.0]),
        ("receipts", [1.0]),
        ("none", [1.0]),
    ]
    assert lines[0]["FeedbackLag"] == [299.0]


def test_configuration_sets_named_none_or_other_count_as_other(capsys: pytest.CaptureFixture[str]) -> None:
    metric_counts = MetricCounts()
    metric_counts.count("none", "Send")
    metric_counts.count("other", "Send")
    assert [line[DIMENSION] for line in emitted_lines(capsys, metric_counts)] == ["other"]


def test_an_empty_batch_prints_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert emitted_lines(capsys, MetricCounts()) == []


def test_a_line_has_room_for_every_metric(capsys: pytest.CaptureFixture[str]) -> None:
    metric_counts = MetricCounts()
    for name in METRICS:
        metric_counts.count("", name)
    [line] = emitted_lines(capsys, metric_counts)
    metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    assert [metric["Name"] for metric in metrics] == list(METRICS)
    assert {metric["Unit"] for metric in metrics if metric["Name"].endswith("Lag")} == {"Milliseconds"}
    assert len(METRICS) <= EMF_MAX_METRICS


def test_more_configuration_sets_than_the_maximum_are_rejected() -> None:
    names = [f"set-{number}" for number in range(MAX_CONFIGURATION_SETS)]
    assert Metrics(names).dimension("set-39") == "set-39"
    with pytest.raises(ValueError, match="at most 40"):
        Metrics([*names, "one-more"])


# --- Every emitted metric is documented ------------------------------------------------------------------------------

SOURCES = [
    ast.parse(path.read_text())
    for path in sorted(Path(ses_feedback.__path__[0]).rglob("*.py"))
    if path.name != "metrics.py"
]
COUNTING_METHODS = {"count", "delay", "count_provider"}


def strings_in(node: ast.AST) -> Iterator[str]:
    """Yield the string constants in `node`."""
    for child in ast.walk(node):
        if isinstance(child, ast.Constant) and isinstance(child.value, str):
            yield child.value


def counted_names(tree: ast.AST) -> Iterator[str]:
    """Yield the metric names in `tree`: arguments of MetricCounts, keys of `counts`, and `metric` of a Rule.

    A variable stands for every string that is assigned to it in the same function.
    """
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        assigned = {
            target.id: list(strings_in(node.value))
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(function):
            match node:
                case ast.Call(func=ast.Attribute(attr=method), args=[_, ast.Name(id=name), *_]) if (
                    method in COUNTING_METHODS
                ):
                    yield from assigned.get(name, [])
                case ast.Call(func=ast.Attribute(attr=method), args=[_, name, *_]) if method in COUNTING_METHODS:
                    yield from strings_in(name)
                case ast.Subscript(value=ast.Attribute(attr="counts" | "stack_counts" | "stack_longest"), slice=key):
                    yield from strings_in(key)
                case _:
                    pass
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "metric":
            yield from strings_in(node.value)


def test_the_emitted_metrics_are_the_documented_metrics() -> None:
    names = {name for tree in SOURCES for name in counted_names(tree)} - {""}
    assert sorted(names) == sorted(METRICS)


def test_every_metric_of_a_policy_rule_is_documented() -> None:
    assert {rule.metric for rule in POLICY} - {""} <= set(METRICS)


def test_every_metric_has_a_sentence_of_its_own() -> None:
    assert [name for name, text in METRICS.items() if not text.endswith(".")] == []
    assert len(set(METRICS.values())) == len(METRICS)


# --- Totals of the stack -------------------------------------------------------------------------------------------


def stack_lines(
    capsys: pytest.CaptureFixture[str], metric_counts: MetricCounts, lane: str = ""
) -> list[dict[str, Any]]:
    """Return the EMF lines with the dimension `Stack`."""
    Metrics((), "ours", lane).emit(metric_counts)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if STACK_DIMENSION in line]


def test_a_total_of_the_stack_sums_configuration_sets_and_providers_without_the_simulator(
    capsys: pytest.CaptureFixture[str],
) -> None:
    metric_counts = MetricCounts()
    for name in ("receipts", "offers", SIMULATOR):
        metric_counts.count(name, "ContactSuppressed", 2)
        metric_counts.count(name, "Delivery", 2)
    metric_counts.by_provider["gmail", "ProviderRejection"] += 3
    metric_counts.by_provider["yahoo", "ProviderRejection"] += 4
    metric_counts.by_provider["yahoo", "DeliveryDelay"] += 4
    [line] = stack_lines(capsys, metric_counts, "Bounce")
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Stack"]]
    assert (line["Stack"], line["ContactSuppressed"], line["ProviderRejection"]) == ("ours", [4.0], [7.0])
    assert {"Delivery", "DeliveryDelay"} & set(line) == set()


def test_retries_are_published_for_the_stack_and_its_lane(capsys: pytest.CaptureFixture[str]) -> None:
    metric_counts = MetricCounts()
    for age in (10, 30, 20):
        metric_counts.count_retry(age)
    of_stack, of_lane = stack_lines(capsys, metric_counts, "Bounce")
    assert (of_stack["Retried"], of_stack["OldestRetryAge"]) == ([3.0], [30.0])
    assert (of_lane["Stack"], of_lane["Lane"], of_lane["OldestRetryAge"]) == ("ours", "Bounce", [30.0])
    assert of_lane["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Stack", "Lane"]]


def test_a_healthy_account_is_a_value_of_zero(capsys: pytest.CaptureFixture[str]) -> None:
    metric_counts = MetricCounts()
    metric_counts.stack_counts["AccountRestricted"] += 0
    [line] = stack_lines(capsys, metric_counts)
    assert line["AccountRestricted"] == [0.0]


def test_without_the_name_of_the_stack_there_are_no_totals(capsys: pytest.CaptureFixture[str]) -> None:
    metric_counts = MetricCounts()
    metric_counts.count_retry(1)
    assert emitted_lines(capsys, metric_counts) == []


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_has_exactly_the_documented_dimensions(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    metric_counts = MetricCounts()
    if name in STACK_ONLY:
        metric_counts.stack_counts[name] += 1
    if name not in STACK_ONLY and name != "ProviderRejection":
        metric_counts.count("", name)
    if name in PROVIDER_METRICS:
        metric_counts.by_provider["gmail", name] += 1
    Metrics((), "ours", "Bounce").emit(metric_counts)
    printed = "".join(capsys.readouterr().out).splitlines()
    found = {frozenset(metric.dimensions) for line in printed for metric in parse_metrics(line)}
    assert found == our_dimensions(name)

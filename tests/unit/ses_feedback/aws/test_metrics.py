"""Metrics prints EMF that CloudWatch bills little for, and nothing the README does not document."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ses_feedback
from ses_feedback.aws.metric_counts import MetricCounts
from ses_feedback.aws.metrics import DIMENSION, MAX_CONFIGURATION_SETS, METRICS, NAMESPACE, Metrics
from ses_feedback.judging.policy import POLICY


def emitted(
    capsys: pytest.CaptureFixture[str], metric_counts: MetricCounts, own: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """Return the EMF lines of `metric_counts`."""
    Metrics(own).emit(metric_counts)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A line is what CloudWatch's embedded metric format wants, and names no dimension but the configuration set."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "somebody-set-this")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "and-this")
    metric_counts = MetricCounts()
    metric_counts.count("receipts", "Delivery", 3)
    metric_counts.delay("receipts", "FeedbackLag", 1_250)
    [line] = emitted(capsys, metric_counts, ("receipts",))
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


def test_names() -> None:
    """What alarms and dashboards rest on keeps its name."""
    assert (NAMESPACE, DIMENSION) == ("SesFeedback", "ConfigurationSet")


def test_configuration_sets_without_a_dimension_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever senders call their configuration sets, there are no more dimension values than the stack names."""
    metric_counts = MetricCounts()
    for number in range(300):
        metric_counts.count(f"attacker-{number}", "Send")
        metric_counts.delay(f"attacker-{number}", "FeedbackLag", number)
    metric_counts.count("receipts", "Send")
    metric_counts.count("", "Send")
    lines = emitted(capsys, metric_counts, ("receipts",))
    assert [(line[DIMENSION], line["Send"]) for line in lines] == [
        ("other", [300.0]),
        ("receipts", [1.0]),
        ("none", [1.0]),
    ]
    assert lines[0]["FeedbackLag"] == [299.0]


def test_configuration_sets_named_like_ours(capsys: pytest.CaptureFixture[str]) -> None:
    """A set called `none` or `other` counts as any other does."""
    metric_counts = MetricCounts()
    metric_counts.count("none", "Send")
    metric_counts.count("other", "Send")
    assert [line[DIMENSION] for line in emitted(capsys, metric_counts)] == ["other"]


def test_nothing_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """A batch that counted nothing prints nothing."""
    assert emitted(capsys, MetricCounts()) == []


def test_every_metric_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A line holds all metrics there are: EMF takes a hundred."""
    metric_counts = MetricCounts()
    for name in METRICS:
        metric_counts.count("", name)
    [line] = emitted(capsys, metric_counts)
    metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    assert [metric["Name"] for metric in metrics] == list(METRICS)
    assert {metric["Unit"] for metric in metrics if metric["Name"].endswith("Lag")} == {"Milliseconds"}
    assert len(METRICS) <= 100


def test_too_many_configuration_sets() -> None:
    """A stack can't name more than it should pay for."""
    names = [f"set-{number}" for number in range(MAX_CONFIGURATION_SETS)]
    assert Metrics(names).dimension("set-39") == "set-39"
    with pytest.raises(ValueError, match="at most 40"):
        Metrics([*names, "one-more"])


# --- What is documented is what is emitted --------------------------------------------------------------------------

SOURCES = [
    ast.parse(path.read_text())
    for path in sorted(Path(ses_feedback.__path__[0]).rglob("*.py"))
    if path.name != "metrics.py"
]
COUNTING = {"count", "count_provider", "delay"}


def texts(node: ast.AST) -> Iterator[str]:
    """Yield the strings in `node`."""
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value


def counted(tree: ast.AST) -> Iterator[str]:
    """Yield what `tree` counts: the names given to a MetricCounts, to a Rule's `metric`, and to lists called `counts`.

    A name that is a variable stands for every string it is assigned in the same function.
    """
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        assigned = {
            target.id: list(texts(node.value))
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(function):
            match node:
                case ast.Call(func=ast.Attribute(attr=attribute), args=[_, ast.Name(id=name), *_]) if (
                    attribute in COUNTING
                ):
                    yield from assigned.get(name, [])
                case ast.Call(func=ast.Attribute(attr=attribute), args=[_, name, *_]) if attribute in COUNTING:
                    yield from texts(name)
                case ast.Subscript(value=ast.Attribute(attr="counts"), slice=ast.Constant(value=str(name))):
                    yield name
                case _:
                    pass
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "metric":
            yield from texts(node.value)


def test_every_metric_emitted_is_documented_and_the_reverse() -> None:
    """Nothing is counted that METRICS does not explain, and METRICS explains nothing that is never counted."""
    names = {name for tree in SOURCES for name in counted(tree)} - {""}
    assert sorted(names) == sorted(METRICS)


def test_every_rules_metric_is_documented() -> None:
    """The policy table counts nothing else either."""
    assert {rule.metric for rule in POLICY} - {""} <= set(METRICS)


def test_every_metric_says_what_it_is() -> None:
    """Every metric has a sentence of its own."""
    assert [name for name, text in METRICS.items() if not text.endswith(".")] == []
    assert len(set(METRICS.values())) == len(METRICS)

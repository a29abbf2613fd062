"""The dashboard of template.yaml: generated, accepted by CloudWatch, and about metrics that exist."""

import copy
import json
import re
from typing import Any

import pytest

from localaws.cloudwatch.alarms import watched_metrics
from localaws.cloudwatch.metric_math import evaluate
from tests.support.deployed_functions import FakeContext, embedded_stack
from tests.support.sam_template import stack
from tools import dashboard
from tools.cloudwatch.dashboards import FREE_METRICS, expressions_of, metrics_of, problems
from tools.cloudwatch.published import is_published

SEARCHED = re.compile(r"SEARCH\('\{SesFeedback,(\w+)\} MetricName=\(([^)]*)\)', '(\w+)', (\d+)\)")
SEARCHED_METRICS = 6
"""Metrics that the search usually finds: two of each of the sets `other`, `none` and the stack's own."""


def deployed() -> dict[str, Any]:
    """Return the body as deployed."""
    body: dict[str, Any] = json.loads(stack().properties("Dashboard")["DashboardBody"])
    return body


def metric_widgets() -> list[dict[str, Any]]:
    """Return the widgets that show metrics."""
    return [widget for widget in deployed()["widgets"] if widget["type"] == "metric"]


class TestBody:
    """The body."""

    def test_the_template_has_the_generated_body(self) -> None:
        """Otherwise run `python -m tools.dashboard`."""
        template = dashboard.TEMPLATE.read_text()
        assert dashboard.insert(template) == template

    def test_cloudwatch_accepts_it(self) -> None:
        assert problems(deployed()) == []

    def test_every_placeholder_is_a_resource_or_a_pseudo_parameter(self) -> None:
        names = set(re.findall(r"\$\{([\w:]+)[.}]", json.dumps(deployed())))
        assert names - set(stack().resources) == {"AWS::Region", "AWS::StackName"}

    def test_every_alarm_of_a_stack_is_in_the_verdict(self) -> None:
        assert set(dashboard.ALARMS) == set(stack().of_type("AWS::CloudWatch::Alarm"))

    @pytest.mark.parametrize("widget", metric_widgets(), ids=lambda widget: widget["properties"]["title"])
    def test_every_metric_is_published_with_its_dimensions(self, widget: dict[str, Any]) -> None:
        metrics = metrics_of(widget)
        unknown = [each for each in metrics if not is_published(each[0], each[1], frozenset(dict(each.dimensions)))]
        assert unknown == []
        assert metrics or expressions_of(widget)

    def test_a_search_names_published_metrics(self) -> None:
        searches = [each["expression"] for widget in metric_widgets() for each in expressions_of(widget)]
        found = [SEARCHED.fullmatch(expression) for expression in searches if "SEARCH" in expression]
        assert len(found) == 1
        for match in found:
            assert match
            names = [name.strip('" ') for name in match[2].split("OR")]
            assert all(is_published("SesFeedback", name, frozenset({match[1]})) for name in names)

    def test_it_has_no_more_metrics_than_a_free_dashboard(self) -> None:
        metrics = {each[:3] for widget in metric_widgets() for each in metrics_of(widget)}
        assert len(metrics) + SEARCHED_METRICS <= FREE_METRICS

    def test_every_expression_can_be_evaluated(self) -> None:
        for widget in metric_widgets():
            variables = {each.rendering["id"]: (1.0, None) for each in metrics_of(widget) if "id" in each.rendering}
            for each in expressions_of(widget):
                if "SEARCH" not in each["expression"]:
                    assert len(evaluate(each["expression"], variables, 2)) == 2

    @pytest.mark.parametrize(
        ("title", "alarms"),
        [
            ("Bounce rate of the account, by SES", ["BounceRate"]),
            ("Complaint rate of the account, by SES", ["ComplaintRate"]),
            ("Our bounce rate of the set (not SES's)", ["BounceRateOfDay", "BounceRateOfHour"]),
            ("Our complaint rate of the set (not SES's)", ["ComplaintRateOfDay", "ComplaintRateOfHour"]),
            ("Oldest message of a lane (s)", ["BounceLaneWaits"]),
            ("List: oldest pending change (ms)", ["SuppressionLags"]),
        ],
    )
    def test_the_threshold_of_an_alarm_is_drawn_where_its_metric_is(self, title: str, alarms: list[str]) -> None:
        (widget,) = [each for each in metric_widgets() if each["properties"]["title"] == title]
        lines = widget["properties"]["annotations"]["horizontal"]
        drawn = [line["value"] for line in lines if line["label"].startswith("alarm")]
        assert drawn == [stack().properties(name)["Threshold"] for name in alarms]
        graphed = {each[:3] for each in metrics_of(widget)}
        assert all(
            {metric.key[:3] for metric in watched_metrics(stack().properties(name))} <= graphed for name in alarms
        )


BROKEN = [
    (lambda widgets: widgets[0].update(x=22), "outside the grid"),
    (lambda widgets: widgets[1].update(x=0), "overlaps another widget"),
    (lambda widgets: widgets[0].update(color="red"), r"keys \['color'\]"),
    (lambda widgets: widgets[0]["properties"].pop("region"), "region is missing"),
    (lambda widgets: widgets[0]["properties"].update(stats="Sum"), "unknown property stats"),
    (lambda widgets: widgets[0]["properties"].update(view="graph"), "unknown view graph"),
    (lambda widgets: widgets[0]["properties"].update(period=90), "period 90"),
    (lambda widgets: widgets[0]["properties"].update(stat="Total"), "statistic Total"),
    (lambda widgets: widgets[1]["properties"].update(alarms=[]), "number of alarms"),
    (lambda widgets: widgets[2]["properties"]["metrics"][0][-1].update(colour="#fff"), "unknown rendering"),
    (lambda widgets: widgets[2]["properties"]["annotations"]["horizontal"][0].pop("value"), "without a value"),
    (lambda widgets: widgets[4]["properties"]["metrics"][0][-1].update(id="Sends"), "id Sends"),
    (lambda widgets: widgets[4]["properties"]["metrics"][0][-1].update(id="dSends"), "an id is used twice"),
    (lambda widgets: widgets[4]["properties"]["metrics"][0][-1].pop("id"), "unknown id hSends"),
]


@pytest.mark.parametrize(("damage", "problem"), BROKEN, ids=[problem for _, problem in BROKEN])
def test_a_body_that_breaks_a_rule_has_a_problem(damage: Any, problem: str) -> None:  # noqa: ANN401 (a lambda)
    body = copy.deepcopy(deployed())
    damage(body["widgets"])
    assert any(re.search(problem, found) for found in problems(body))


def test_the_query_of_a_log_widget_uses_fields_of_a_sweeps_log_line(capsys: pytest.CaptureFixture[str]) -> None:
    with embedded_stack() as embedded:
        embedded.suppression()({}, FakeContext())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (sweep,) = [line for line in lines if line.get("message") == "sweep"]
    (query,) = [each["properties"]["query"] for each in deployed()["widgets"] if each["type"] == "log"]
    used = set(re.findall(r"(?:sum|max)\((\w+)\)", query))
    assert query.startswith("SOURCE '${SuppressionLog}' |")
    assert (used - set(sweep), len(used)) == (set(), 3)

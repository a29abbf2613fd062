"""CloudWatch's rules for the body of a dashboard.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Dashboard-Body-Structure.html
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

MAX_WIDGETS = 500
MAX_ALARMS = 100
"""Alarms of an alarm widget."""
COLUMNS = 24
MAX_HEIGHT = 1_000
FREE_METRICS = 50
"""Metrics of a dashboard that is free: https://aws.amazon.com/cloudwatch/pricing/"""
_WIDGET_KEYS = {"type", "x", "y", "width", "height", "properties"}
_PROPERTIES: Mapping[str, tuple[set[str], set[str]]] = {
    # Type of a widget: required properties, and further ones.
    "metric": (
        {"metrics", "region"},
        {"title", "view", "stacked", "period", "stat", "sparkline", "yAxis", "annotations"},
    ),
    "text": ({"markdown"}, {"background"}),
    "log": ({"query", "region"}, {"title", "view"}),
    "alarm": ({"alarms"}, {"title", "sortBy"}),
}
_VIEWS = {
    "metric": {"timeSeries", "singleValue", "gauge", "bar", "pie", "table"},
    "log": {"table", "timeSeries", "bar", "pie"},
}
_RENDERING = {"color", "label", "period", "stat", "visible", "yAxis", "id", "expression", "region"}
_STATISTIC = re.compile(r"SampleCount|Average|Sum|Minimum|Maximum|p\d{1,2}(\.\d+)?")
_ID = re.compile(r"[a-z][A-Za-z0-9_]*")


class GraphedMetric(NamedTuple):
    """A metric of a widget: namespace, name, pairs of dimension and value, and rendering properties."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    rendering: Mapping[str, Any]


def metrics_of(widget: Mapping[str, Any]) -> list[GraphedMetric]:
    """Return the metrics of a widget, without its expressions. `.` repeats the value of the metric before."""
    found: list[GraphedMetric] = []
    before: list[str] = []
    for entry in widget["properties"].get("metrics", []):
        names = [name for name in entry if isinstance(name, str)]
        if names:
            names = [before[place] if name == "." else name for place, name in enumerate(names)]
            rendering = entry[-1] if isinstance(entry[-1], Mapping) else {}
            pairs = zip(names[2::2], names[3::2], strict=True)
            found.append(GraphedMetric(names[0], names[1], tuple(pairs), rendering))
            before = names
    return found


def expressions_of(widget: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the expressions of a widget."""
    return [entry[0] for entry in widget["properties"].get("metrics", []) if isinstance(entry[0], Mapping)]


def problems(body: Mapping[str, Any]) -> list[str]:
    """Return what CloudWatch would refuse or draw wrongly in the body of a dashboard."""
    found = [f"unknown key {key}" for key in set(body) - {"widgets", "start", "periodOverride"}]
    if len(body["widgets"]) > MAX_WIDGETS:
        found.append("too many widgets")
    taken: set[tuple[int, int]] = set()
    for number, widget in enumerate(body["widgets"]):
        title = widget["properties"].get("title") or f"widget {number}"
        cells = {(x, y) for x in _span(widget, "x", "width") for y in _span(widget, "y", "height")}
        if cells & taken:
            found.append(f"{title}: overlaps another widget")
        taken |= cells
        found += [f"{title}: {problem}" for problem in _problems_of_widget(widget)]
    return found


def _span(widget: Mapping[str, Any], start: str, length: str) -> range:
    return range(widget[start], widget[start] + widget[length])


def _problems_of_widget(widget: Mapping[str, Any]) -> Iterator[str]:
    if set(widget) != _WIDGET_KEYS:
        yield f"keys {sorted(set(widget) ^ _WIDGET_KEYS)}"
    if not (widget["x"] >= 0 and widget["x"] + widget["width"] <= COLUMNS and 1 <= widget["height"] <= MAX_HEIGHT):
        yield "outside the grid"
    required, optional = _PROPERTIES[widget["type"]]
    properties = widget["properties"]
    for name in required - set(properties):
        yield f"{name} is missing"
    for name in set(properties) - required - optional:
        yield f"unknown property {name}"
    if properties.get("view", "timeSeries") not in _VIEWS.get(widget["type"], {"timeSeries"}):
        yield f"unknown view {properties['view']}"
    if widget["type"] == "alarm" and not 1 <= len(properties["alarms"]) <= MAX_ALARMS:
        yield "number of alarms"
    if widget["type"] == "metric":
        yield from _problems_of_metrics(widget)


def _problems_of_metrics(widget: Mapping[str, Any]) -> Iterator[str]:
    properties = widget["properties"]
    renderings = [*(metric.rendering for metric in metrics_of(widget)), *expressions_of(widget)]
    for settings in (properties, *renderings):
        period, statistic = settings.get("period", 300), settings.get("stat", "Average")
        if not isinstance(period, int) or period < 60 or period % 60:  # noqa: PLR2004 (seconds of a minute)
            yield f"period {period}"
        if not _STATISTIC.fullmatch(statistic):
            yield f"statistic {statistic}"
    for rendering in renderings:
        if set(rendering) - _RENDERING:
            yield f"unknown rendering {sorted(set(rendering) - _RENDERING)}"
    yield from _problems_of_ids(renderings)
    for annotation in properties.get("annotations", {}).get("horizontal", []):
        if not isinstance(annotation.get("value"), int | float):
            yield "an annotation without a value"


def _problems_of_ids(entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    ids = [entry["id"] for entry in entries if "id" in entry]
    if len(ids) != len(set(ids)):
        yield "an id is used twice"
    yield from (f"id {name}" for name in ids if not _ID.fullmatch(name))
    for entry in entries:
        if "expression" in entry and "SEARCH" not in entry["expression"]:
            used = set(re.findall(r"\b[a-z][A-Za-z0-9_]*\b", entry["expression"]))
            yield from (f"unknown id {name} in an expression" for name in used - set(ids))

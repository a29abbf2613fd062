"""A picture of the dashboard, drawn from its body with the data of a replay.

    python -m tools.dashboard_picture [FILE]

CloudWatch draws it differently. The picture shows which widgets exist and what they contain.
"""

import html
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from localaws.cloudwatch.alarms import MetricKey
from localaws.cloudwatch.metric_math import Series, evaluate
from tools import dashboard
from tools.cloudwatch.dashboards import expressions_of, metrics_of
from tools.dashboard_data import SET, STACK, STEPS, Day, replay

PICTURE = Path(__file__).parent.parent / "docs/dashboard.svg"
CAPTION = (
    "Drawn by tools/dashboard_picture.py from the dashboard's body, with the data of a replayed day. "
    "CloudWatch draws it differently."
)
COLUMN, UNIT, MARGIN, TOP = 50, 32, 4, 34
COLORS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f")
NO_DATA = "no data in a replay"
LEGEND_ROW, LABEL_HEIGHT, LABEL_WIDTH = 12, 9, 74
Line = tuple[str, Series, str]
"""A label, values over the day, and the side of its axis."""


def draw(day: Day) -> str:
    """Return the picture as SVG."""
    widgets = dashboard.body()["widgets"]
    height = TOP + UNIT * max(widget["y"] + widget["height"] for widget in widgets)
    width = 24 * COLUMN
    font = 'font-family="Helvetica, Arial, sans-serif" font-size="11"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {font}>',
        f'<rect width="{width}" height="{height}" fill="#f2f3f3"/>',
        _text(8, 21, CAPTION, size=14),
    ]
    for widget in widgets:
        parts += _draw_widget(widget, day)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _draw_widget(widget: dict[str, Any], day: Day) -> Iterator[str]:
    left, top = widget["x"] * COLUMN + MARGIN, TOP + widget["y"] * UNIT
    width, height = widget["width"] * COLUMN - 2 * MARGIN, widget["height"] * UNIT - 2 * MARGIN
    yield f'<g transform="translate({left} {top})">'
    yield f'<rect width="{width}" height="{height}" fill="#fff" stroke="#d5dbdb"/>'
    yield _text(8, 16, widget["properties"]["title"], size=12, weight="bold")
    if widget["type"] == "alarm":
        yield from _draw_alarms(widget["properties"]["alarms"], width)
    elif widget["properties"]["view"] == "singleValue":
        ((_, values, _),) = _lines(widget, day)
        known = [value for value in values if value is not None]
        yield _text(width / 2, height / 2 + 16, f"{known[-1]:g}" if known else NO_DATA, size=40, anchor="middle")
    else:
        yield from _draw_graph(_lines(widget, day), widget["properties"], width, height)
    yield "</g>"


def _draw_alarms(arns: Sequence[str], width: float) -> Iterator[str]:
    rows = 14
    for number, arn in enumerate(arns):
        column, row = divmod(number, rows)
        x, y = 8 + column * width / 2, 26 + row * 11.2
        yield f'<rect x="{x:.0f}" y="{y:.1f}" width="8" height="8" fill="#aab7b8"/>'
        yield _text(x + 13, y + 7.5, arn.removeprefix("${").removesuffix(".Arn}"), size=9)


def _lines(widget: dict[str, Any], day: Day) -> list[Line]:
    """Return what a widget shows: metrics and expressions that are visible, or the result of its query."""
    properties = widget["properties"]
    if widget["type"] == "log":
        return _query(day)
    lines, variables = [], {}
    for metric in metrics_of(widget):
        settings = {**properties, **metric.rendering}
        values = day.series(_key(metric[:3]), settings.get("stat", "Average"), settings["period"])
        if "id" in settings:
            variables[settings["id"]] = values
        if settings.get("visible", True):
            lines.append((settings["label"], values, settings.get("yAxis", "left")))
    for each in expressions_of(widget):
        if "SEARCH" in each["expression"]:
            lines += _search(day, each["period"])
        else:
            (used,) = {len(values) for name, values in variables.items() if name in each["expression"]}
            lines.append((each["label"], evaluate(each["expression"], variables, used), "left"))
    return lines


def _search(day: Day, period: int) -> list[Line]:
    keys = [
        key for key in day.values if key.name in {"PermanentBounce", "Complaint"} and key.namespace == "SesFeedback"
    ]
    return [(f"{key.dimensions[0][1]} {key.name}", day.series(key, "Sum", period), "left") for key in keys]


def _query(day: Day) -> list[Line]:
    """Return the result of the log query: calls and pending changes by hour."""
    calls, pending = [0.0] * (STEPS // 4), [0.0] * (STEPS // 4)
    for step, line in day.sweeps:
        calls[step // 4] += line["put"] + line["deleted"]
        pending[step // 4] = max(pending[step // 4], line["still_pending"])
    return [("calls", tuple(calls), "left"), ("pending", tuple(pending), "left")]


def _key(metric: tuple[str, str, tuple[tuple[str, str], ...]]) -> MetricKey:
    names = {dashboard.OWN: SET, dashboard.STACK: STACK}
    return MetricKey(metric[0], metric[1], tuple(sorted((name, names.get(value, value)) for name, value in metric[2])))


def _draw_graph(lines: list[Line], properties: dict[str, Any], width: float, height: float) -> Iterator[str]:
    legend, rows = _legend(lines, width, height)
    left, right, top, bottom = 44.0, width - 44, 28.0, height - 12 - LEGEND_ROW * rows
    annotations = properties.get("annotations", {}).get("horizontal", [])
    tops = {side: _top(lines, side, annotations if side == "left" else []) for side in ("left", "right")}
    yield f'<path d="M{left} {bottom}H{right}M{left} {top}V{bottom}" stroke="#aab7b8" fill="none"/>'
    yield _text(left - 4, top + 8, format_number(tops["left"]), size=9, anchor="end")
    yield _text(left - 4, bottom, "0", size=9, anchor="end")
    if any(side == "right" for *_, side in lines):
        yield _text(right + 4, top + 8, format_number(tops["right"]), size=9)
    yield from _annotations(annotations, Area(left, right, bottom, (bottom - top) / tops["left"]))
    if not any(value is not None for _, values, _ in lines for value in values):
        yield _text((left + right) / 2, bottom - 8, NO_DATA, size=11, anchor="middle", color="#879596")
    for number, (_, values, side) in enumerate(lines):
        color = COLORS[number % len(COLORS)]
        yield _polyline(values, color, Area(left, right, bottom, (bottom - top) / tops[side]))
    yield from legend


def _annotations(annotations: Sequence[dict[str, Any]], area: "Area") -> Iterator[str]:
    """Draw thresholds. The label of a line that is close to the line below stands further left."""
    indent, previous = 0, float("inf")
    for line in sorted(annotations, key=lambda each: float(each["value"])):
        y = area.bottom - line["value"] * area.scale
        indent = indent + 1 if previous - y < LABEL_HEIGHT else 0
        previous = y
        label = f"{line['label']} {format_number(line['value'])}"
        yield f'<path d="M{area.left} {y:.1f}H{area.right}" stroke="{line["color"]}" stroke-dasharray="4 3"/>'
        yield _text(area.right - 2 - LABEL_WIDTH * indent, y - 2, label, size=8, anchor="end")


def _legend(lines: list[Line], width: float, height: float) -> tuple[list[str], int]:
    """Return the legend, which begins a row when it is wider than the widget, and its number of rows."""
    x, rows = 8.0, 1
    places: list[tuple[float, int, str]] = []
    for label, *_ in lines:
        needed = 20 + 5.2 * len(label)
        if x + needed > width and places:
            x, rows = 8.0, rows + 1
        places.append((x, rows, label))
        x += needed
    parts = []
    for number, (x, row, label) in enumerate(places):
        y = height - 6.5 - LEGEND_ROW * (rows - row)
        parts.append(
            f'<rect x="{x:.0f}" y="{y - 7.5:.1f}" width="8" height="8" fill="{COLORS[number % len(COLORS)]}"/>'
        )
        parts.append(_text(x + 11, y, label, size=9))
    return parts, rows


def format_number(value: float) -> str:
    """Return a number with at most three digits, as at the axes of CloudWatch: `3.78M`, `0.138`."""
    for limit, unit in ((1e6, "M"), (1e4, "k")):
        if value >= limit:
            return f"{value / limit * (10 if unit == 'k' else 1):.3g}{unit}"
    return f"{value:.3g}"


def _top(lines: list[Line], side: str, annotations: Sequence[dict[str, Any]]) -> float:
    """Return the greatest value of an axis. A graph is scaled so that every annotation appears."""
    values = [value for _, series, at in lines if at == side for value in series if value is not None]
    return max([*values, *(line["value"] for line in annotations)], default=0) * 1.05 or 1.0


class Area(NamedTuple):
    """The area of a graph: its left, right and lower edge, and the height of a value of one."""

    left: float
    right: float
    bottom: float
    scale: float


def _polyline(values: Series, color: str, area: Area) -> str:
    """Return a line through neighboring values, and a dot for a value without neighbors."""
    path, dots = "", ""
    known = [None, *values, None]
    for number, value in enumerate(values):
        if value is None:
            continue
        x = area.left + (number + 0.5) / len(values) * (area.right - area.left)
        y = area.bottom - value * area.scale
        before, after = known[number], known[number + 2]
        if before is None and after is None:
            dots += f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{color}"/>'
        else:
            path += f"{'M' if before is None else 'L'}{x:.1f} {y:.1f}"
    line = f'<path d="{path}" stroke="{color}" stroke-width="1.5" fill="none"/>' if path else ""
    return line + dots


def _text(
    x: float, y: float, text: str, *, size: float, anchor: str = "start", weight: str = "normal", color: str = "#16191f"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}" font-weight="{weight}" '
        f'fill="{color}">{html.escape(text)}</text>'
    )


def main() -> None:
    """Draw the picture into a file."""
    (Path(sys.argv[1]) if sys.argv[1:] else PICTURE).write_text(draw(replay()))


if __name__ == "__main__":
    main()

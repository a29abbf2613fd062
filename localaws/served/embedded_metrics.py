"""CloudWatch's embedded metric format: the metrics in a log line."""

import json
from collections.abc import Iterator
from typing import NamedTuple


class Datum(NamedTuple):
    """One value of a metric."""

    namespace: str
    name: str
    value: float
    unit: str
    dimensions: dict[str, str]


def metrics_in(line: str) -> Iterator[Datum]:
    """Yield what CloudWatch would make of a log line: nothing, unless it is a JSON object that says so in `_aws`."""
    if '"CloudWatchMetrics"' not in line:
        return
    try:
        document = json.loads(line)
        for directive in document["_aws"]["CloudWatchMetrics"]:
            for names in directive["Dimensions"] or [[]]:
                dimensions = {name: str(document[name]) for name in names}
                for metric in directive["Metrics"]:
                    values = document[metric["Name"]]
                    for value in values if isinstance(values, list) else [values]:
                        unit = metric.get("Unit", "None")
                        yield Datum(directive["Namespace"], metric["Name"], float(value), unit, dimensions)
    except (KeyError, TypeError, ValueError):
        return  # CloudWatch, too, leaves alone what is not quite the format

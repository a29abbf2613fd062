"""CloudWatch's embedded metric format: metrics in log lines.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections.abc import Iterator
from typing import NamedTuple


class MetricValue(NamedTuple):
    """One value of a metric."""

    namespace: str
    name: str
    value: float
    unit: str
    dimensions: dict[str, str]


def parse_metrics(line: str) -> Iterator[MetricValue]:
    """Yield the metrics that CloudWatch finds in a log line. A line in another format has none."""
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
                        yield MetricValue(directive["Namespace"], metric["Name"], float(value), unit, dimensions)
    except (KeyError, TypeError, ValueError):
        return  # CloudWatch ignores lines that are not valid in this format.

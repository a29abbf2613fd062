"""Readings from the deployed stack: history, metrics and published events."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

from localaws.deployment.deployed_stack import DeployedStack


def read_reports(stack: DeployedStack, address: str) -> list[str]:
    """Return the reasons of the bounces and complaints in the history of an address, in order of time."""
    items = stack.history_items(address)
    return [item["reason"]["S"] for item in items if item["kind"]["S"] in {"Bounce", "Complaint"}]


def read_metrics(stack: DeployedStack, since: datetime) -> dict[str, str]:
    """Return the metrics of the stack's configuration set since a time: sums, and the maximum of each lag."""
    cloudwatch = stack.client("cloudwatch")
    dimensions = [{"Name": "ConfigurationSet", "Value": stack.outputs["ConfigurationSetName"]}]
    metrics = cloudwatch.list_metrics(Namespace="SesFeedback", Dimensions=dimensions)["Metrics"]
    readings = {}
    for name in sorted({metric["MetricName"] for metric in metrics}):
        points = cloudwatch.get_metric_statistics(
            Namespace="SesFeedback",
            MetricName=name,
            Dimensions=dimensions,
            StartTime=since - timedelta(seconds=1),
            EndTime=datetime.now(UTC) + timedelta(minutes=1),
            Period=60,
            Statistics=["Sum", "Maximum"],
        )["Datapoints"]
        if points and name.endswith("Lag"):
            readings[name] = f"{max(point['Maximum'] for point in points) / 1000:.1f} s"
        elif points:
            readings[name] = f"{sum(point['Sum'] for point in points):.0f}"
    return readings


class PublishedEvents:
    """A queue that receives the stack's events from EventBridge."""

    def __init__(self, stack: DeployedStack, name: str) -> None:
        """Create the queue and its rule, both with this name."""
        self._stack = stack
        self._name = name
        self._queue = stack.subscribe_to_events(name, {"source": ["ses-feedback"]})

    def count_and_remove(self) -> Counter[str]:
        """Return the number of events received by detail-type, and delete the queue and the rule."""
        count = Counter(json.loads(body)["detail-type"] for body in self._stack.take_messages(self._queue))
        events = self._stack.client("events")
        events.remove_targets(Rule=self._name, Ids=[self._name])
        events.delete_rule(Name=self._name)
        self._stack.client("sqs").delete_queue(QueueUrl=self._queue)
        return count

"""Readings from the deployed stack: history, metrics and published events."""

import json
from datetime import UTC, datetime, timedelta

from localaws.deployment.deployed_stack import DeployedStack


def read_reports(stack: DeployedStack, address: str) -> list[str]:
    """Return the reasons of the bounces and complaints in the history of an address, in order of time."""
    items = stack.client("dynamodb").query(
        TableName=stack.outputs["ContactsTableName"],
        KeyConditionExpression="address = :address AND begins_with(#record, :feedback)",
        ExpressionAttributeNames={"#record": "record"},
        ExpressionAttributeValues={":address": {"S": address}, ":feedback": {"S": "feedback#"}},
        ConsistentRead=True,
    )["Items"]
    reports = [item for item in items if item["kind"]["S"] in {"Bounce", "Complaint"}]
    return [item["reason"]["S"] for item in sorted(reports, key=lambda item: str(item["at"]["S"]))]


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


class StatusEvents:
    """A queue that receives the stack's events `Contact Status Changed` from EventBridge."""

    def __init__(self, stack: DeployedStack, name: str) -> None:
        """Create the queue and its rule, both with this name."""
        self._sqs, self._events = stack.client("sqs"), stack.client("events")
        self._name = name
        self._queue: str = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])["Attributes"]
        arn = attributes["QueueArn"]
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
        allow = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [{**allow, "Resource": arn}]})
        self._sqs.set_queue_attributes(QueueUrl=self._queue, Attributes={"Policy": policy})
        self._events.put_rule(Name=name, EventPattern=json.dumps({"detail-type": ["Contact Status Changed"]}))
        self._events.put_targets(Rule=name, Targets=[{"Id": "demo", "Arn": arn}])

    def count_and_remove(self) -> int:
        """Return the number of events received, and delete the queue and the rule."""
        count = 0
        while messages := self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                count += 1
                self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        self._events.remove_targets(Rule=self._name, Ids=["demo"])
        self._events.delete_rule(Name=self._name)
        self._sqs.delete_queue(QueueUrl=self._queue)
        return count

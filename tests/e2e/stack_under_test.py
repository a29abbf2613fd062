"""The deployed stack, with the readings and actions that the tests need."""

import json
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from localaws.deployment.deployed_stack import DEFAULT_STACK, DeployedStack
from localaws.deployment.running_server import RunningServer
from localaws.deployment.server_process import LocalAws
from ses_feedback.timestamps import format_timestamp

_T = TypeVar("_T")

LANES = ("Bounce", "Complaint", "Delivery")
LANE_QUEUES = tuple(f"{lane}QueueUrl" for lane in LANES)
"""The outputs with the lanes' queues."""


class StackUnderTest(DeployedStack):
    """The deployed stack, with the readings and actions that the tests need."""

    def __init__(self, local_aws: LocalAws, server: RunningServer, name: str = DEFAULT_STACK) -> None:
        super().__init__(server, name)
        self.local_aws = local_aws
        self._addresses = 0

    def create_address(self, outcome: str, domain: str = "example.com") -> str:
        """Return a new address with an outcome: `success`, `bounce`, `complaint` or another (docs/operate/local.md)."""
        self._addresses += 1
        return f"{outcome}+{self._addresses}.{time.monotonic_ns() % 1_000_000}@{domain}"

    def contact(self, address: str) -> dict[str, Any]:
        """Return a contact's attributes without their types, or an empty dict if there is no contact."""
        key = {"address": {"S": address}, "record": {"S": "contact"}}
        table = self.outputs["ContactsTableName"]
        item = self.client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})
        return {name: next(iter(value.values())) for name, value in item.items()}

    def history(self, address: str) -> list[str]:
        """Return the reasons in the history of an address, in order of time."""
        return [item["reason"]["S"] for item in self.history_items(address) if "reason" in item]

    def listed(self) -> dict[str, dict[str, Any]]:
        """Return the suppression list by address, without the quota of one call a second."""
        return {entry["address"]: entry for entry in self.server.call("suppression-list")}

    def queue_length(self, queue: str) -> int:
        """Return the number of messages in a queue, in flight or not. `queue` is the name of an output."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        response = self.client("sqs").get_queue_attributes(QueueUrl=self.outputs[queue], AttributeNames=names)
        return sum(int(value) for value in response["Attributes"].values())

    def drain_lanes(self) -> dict[str, int]:
        """Wait until the lanes are empty. Return the queues that are not empty, with their lengths."""
        wait_for(lambda: sum(map(self.queue_length, LANE_QUEUES)), lambda length: length == 0)
        queues = (*LANE_QUEUES, "QuarantineQueueUrl", "DeadLetterQueueUrl", "UndeliveredQueueUrl")
        return {queue: length for queue in queues if (length := self.queue_length(queue))}

    def kill_function(self, function: str) -> int:
        """Kill the processes of a function, and return their number."""
        running = self.server.call("state")["functions"].items()
        pids = [pid for name, pids in running for pid in pids if f"{function}Function" in name]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return len(pids)

    def faults_met(self) -> int:
        """Return the number of calls that met an injected fault so far."""
        return int(self.server.call("state")["faults_met"])

    def age_by_an_hour(self, address: str) -> None:
        """Move the lease and the pending times of a contact an hour into the past, and remove its retry time."""
        past = format_timestamp(datetime.now(UTC) - timedelta(hours=1))
        self.client("dynamodb").update_item(
            TableName=self.outputs["ContactsTableName"],
            Key={"address": {"S": address}, "record": {"S": "contact"}},
            UpdateExpression="SET leased_until = :past, pending_since = :past, pending_at = :past REMOVE retry_at",
            ExpressionAttributeValues={":past": {"S": past}},
        )

    def inject_faults(self, *faults: dict[str, Any]) -> None:
        """Replace the active faults."""
        self.server.call("faults", list(faults), method="PUT")

    def set_publishing(self, **options: Any) -> None:  # noqa: ANN401 (JSON)
        """Set how SES publishes: `held`, `copies`, `order`."""
        self.server.call("publishing", options, method="PUT")

    def run_sweep(self) -> None:
        """Run every schedule now."""
        self.server.call("schedules", method="POST")

    def list_objects(self, bucket: str) -> list[str]:
        """Return the keys of the objects in a bucket."""
        response = self.client("s3").list_objects_v2(Bucket=bucket)
        return [found["Key"] for found in response.get("Contents", [])]

    def take_events(self, url: str) -> list[dict[str, Any]]:
        """Return the events in a queue, and delete them."""
        return [json.loads(body) for body in self.take_messages(url)]

    def take_quarantined(self) -> dict[str, str]:
        """Return up to ten quarantined messages with their reasons, and delete them."""
        sqs, url = self.client("sqs"), self.outputs["QuarantineQueueUrl"]
        response = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], MaxNumberOfMessages=10)
        messages = response.get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return {message["Body"]: message["MessageAttributes"]["reason"]["StringValue"] for message in messages}

    def metric(
        self, namespace: str, name: str, statistic: str, since: int, *, until: int | None = None, **dimensions: str
    ) -> float | None:
        """Return a statistic of a metric between times in milliseconds, or None if it has no data.

        Without `until`, all later data counts. A `configuration_set` is the dimension `ses:configuration-set`.
        """
        names = {"configuration_set": "ses:configuration-set"}
        end = datetime.now(UTC) + timedelta(minutes=1) if until is None else datetime.fromtimestamp(until / 1000, UTC)
        response = self.client("cloudwatch").get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[{"Name": names.get(key, key), "Value": value} for key, value in dimensions.items()],
            StartTime=datetime.fromtimestamp(since / 1000, UTC),
            EndTime=end,
            Period=86_400,
            Statistics=[statistic],
        )
        values = [float(point[statistic]) for point in response["Datapoints"]]
        return sum(values) if values else None

    def log_lines(self, function: str, since: int) -> list[str]:
        """Return the lines of a function's log since a time in milliseconds."""
        group = f"/aws/lambda/{self.name}/{function}Function"
        events = self.client("logs").filter_log_events(logGroupName=group, startTime=since)["events"]
        return [event["message"].strip() for event in events]


def wait_for(read: Callable[[], _T], accept: Callable[[_T], bool] = bool, seconds: float = 60) -> _T:
    """Read until the reading is accepted or so many seconds have passed. Return the last reading."""
    deadline = time.monotonic() + seconds
    while True:
        reading = read()
        if accept(reading) or time.monotonic() > deadline:
            return reading
        time.sleep(0.2)

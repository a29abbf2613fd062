"""The deployed stack, with what tests ask of it."""

import json
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from localaws.served import stack as stacks
from localaws.served.process import Local, Running

_T = TypeVar("_T")

LANES = ("BounceQueueUrl", "ComplaintQueueUrl", "DeliveryQueueUrl")
"""The outputs that name the lanes' queues."""


class World(stacks.Stack):
    """The deployed stack, with what tests ask of it."""

    def __init__(self, local: Local, running: Running, name: str = stacks.STACK) -> None:
        super().__init__(running, name)
        self.local = local
        self._made = 0

    def address(self, kind: str, domain: str = "example.com") -> str:
        """Return an address nobody used yet, that meets a fate: `success`, `bounce`, `complaint` or another."""
        self._made += 1
        return f"{kind}+{self._made}.{time.monotonic_ns() % 1_000_000}@{domain}"

    def contact(self, address: str) -> dict[str, Any]:
        """Return a contact's attributes without their types; empty when nothing is known of it."""
        key = {"address": {"S": address}, "record": {"S": "contact"}}
        table = self.outputs["ContactsTableName"]
        item = self.client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})
        return {name: next(iter(value.values())) for name, value in item.items()}

    def history(self, address: str) -> list[str]:
        """Return the reasons of everything SES said about an address, by time."""
        found = self.client("dynamodb").query(
            TableName=self.outputs["ContactsTableName"],
            KeyConditionExpression="address = :address AND begins_with(#record, :feedback)",
            ExpressionAttributeNames={"#record": "record"},
            ExpressionAttributeValues={":address": {"S": address}, ":feedback": {"S": "feedback#"}},
            ConsistentRead=True,
        )["Items"]
        in_time = sorted(found, key=lambda item: str(item["at"]["S"]))
        return [item["reason"]["S"] for item in in_time if "reason" in item]

    def listed(self) -> dict[str, dict[str, Any]]:
        """Return the suppression list by address, without waiting for SES's one call a second."""
        return {entry["address"]: entry for entry in self.running.ask("suppression-list")}

    def waiting(self, queue: str) -> int:
        """Return how many messages a queue holds, in flight or not; `queue` is an output's name."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client("sqs").get_queue_attributes(QueueUrl=self.outputs[queue], AttributeNames=names)
        return sum(int(value) for value in found["Attributes"].values())

    def nothing_waits(self) -> dict[str, int]:
        """Return how much is left on each queue once the lanes are empty."""
        eventually(lambda: sum(map(self.waiting, LANES)), lambda left: left == 0)
        queues = (*LANES, "QuarantineQueueUrl", "DeadLetterQueueUrl", "UndeliveredQueueUrl")
        return {queue: count for queue in queues if (count := self.waiting(queue))}

    def killed(self, *functions: str) -> int:
        """Kill the processes of these functions, and return how many there were."""
        running = self.running.ask("state")["functions"].items()
        found = [pid for name, pids in running for pid in pids if any(f"{one}Function" in name for one in functions)]
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        return len(found)

    def an_hour_passes(self, address: str) -> None:
        """Make everything that waits for a time on a contact have waited for it."""
        past = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        self.client("dynamodb").update_item(
            TableName=self.outputs["ContactsTableName"],
            Key={"address": {"S": address}, "record": {"S": "contact"}},
            UpdateExpression="SET leased_until = :past, pending_since = :past, pending_at = :past REMOVE retry_at",
            ExpressionAttributeValues={":past": {"S": past}},
        )

    def fail(self, *faults: dict[str, Any]) -> None:
        """Put faults in force, in place of those there are."""
        self.running.ask("faults", list(faults), method="PUT")

    def publish(self, **how: Any) -> None:  # noqa: ANN401 (JSON)
        """Say how SES publishes from now on: held, copies, order."""
        self.running.ask("publishing", how, method="PUT")

    def listen(self, name: str, pattern: dict[str, Any]) -> str:
        """Return the URL of a queue that EventBridge sends events of a pattern to."""
        sqs, events = self.client("sqs"), self.client("events")
        url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        allow = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [{**allow, "Resource": arn}]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        events.put_rule(Name=name, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=name, Targets=[{"Id": name, "Arn": arn}])
        return url

    def take(self, url: str) -> list[dict[str, Any]]:
        """Take what is on a queue, as JSON."""
        sqs, taken = self.client("sqs"), []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                taken.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return taken


def eventually(look: Callable[[], _T], accept: Callable[[_T], bool] = bool, seconds: float = 60) -> _T:
    """Look again and again until what is seen is accepted, or time is up; return what was seen last."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if accept(seen) or time.monotonic() > deadline:
            return seen
        time.sleep(0.2)

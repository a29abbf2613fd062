"""`feedbackctl demo`: mail sent through the deployed stack, and what became of it, on one screen.

Everything shown was read back from the local AWS: contacts from DynamoDB, the suppression list from SES, metrics from
CloudWatch, announcements from EventBridge by way of a queue, and what SES said from the contacts' history.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from feedbackctl.local import stack as stacks
from feedbackctl.local.mail import SIMULATOR
from feedbackctl.local.process import Local, LocalError

_PATIENCE = 120.0
_FATES = ("success", "bounce", "ooto", "complaint", "suppressionlist")
_NAMES = "ann bea cid dan eli fay gus hal ida jon kim leo may ned ola pam"
_STATUSES = {
    "success": "active",
    "bounce": "bounced",
    "ooto": "active",
    "complaint": "complained",
    "suppressionlist": "bounced",
    "mailboxfull": "bouncing",
}


class Demo:
    """One run; its addresses carry the run's name, so that it can be told from those before."""

    def __init__(self, stack: stacks.Stack, console: Console) -> None:
        """Send through `stack`."""
        self._stack = stack
        self._console = console
        self.began = datetime.now(UTC)
        self._run = run = f"{int(self.began.timestamp()) % 1_000_000:06d}"
        self.simulated = [f"{fate}+{run}@{SIMULATOR}" for fate in _FATES]
        crowd = [f"{name}.{run}@example.com" for name in _NAMES.split()]
        self.blocked = [f"bounce+bob.{run}@example.com", f"complaint+zoe.{run}@example.com"]
        self.everyone = [*self.simulated, *crowd, f"mailboxfull+sue.{run}@example.com", *self.blocked]
        self._queue = self._listen(run)

    def run(self) -> None:
        """Send, wait, and show."""
        counted = TextColumn("{task.completed:>3.0f} of {task.total:.0f}")
        bar = Progress(
            TextColumn("  {task.description:28}"), BarColumn(30), counted, TimeElapsedColumn(), console=self._console
        )
        with bar:
            sending = bar.add_task("mails sent through SES", total=len(self.everyone))
            for address in self.everyone:
                self._stack.send(address, subject="Our news")
                bar.advance(sending)
            self._follow(bar, "contacts that know of it", self.everyone, self._as_expected)
            self._follow(bar, "contacts the list has followed", self.blocked, _mirrored)
            before = self._stack.contacts()
            again = bar.add_task("second mails", total=3)
            for address in (*self.blocked, self.simulated[1]):
                self._stack.send(address, subject="Our news again")
                bar.advance(again)
            self._follow(bar, "second answers", [*self.blocked, self.simulated[1]], self._heard_twice)
        self._show(before)

    def _follow(self, bar: Progress, what: str, addresses: list[str], done: Callable[[dict[str, Any]], bool]) -> None:
        task = bar.add_task(what, total=len(addresses))
        deadline = time.monotonic() + _PATIENCE
        while True:
            contacts = self._stack.contacts()
            ready = sum(address in contacts and done(contacts[address]) for address in addresses)
            bar.update(task, completed=ready)
            if ready == len(addresses):
                return
            if time.monotonic() > deadline:
                raise LocalError(f"{what}: only {ready} of {len(addresses)} in {_PATIENCE:.0f} s; see .local/aws.log")
            time.sleep(0.3)

    @staticmethod
    def _as_expected(contact: dict[str, Any]) -> bool:
        fate = contact["address"]["S"].partition("+")[0]
        return bool(contact["status"]["S"] == _STATUSES.get(fate, "active"))

    def _heard_twice(self, contact: dict[str, Any]) -> bool:
        return len(self._history(contact["address"]["S"])) > 1

    def _history(self, address: str) -> list[dict[str, Any]]:
        """Return what SES said about an address that was worth noting (deliveries are not), by message in time."""
        found = self._stack.client("dynamodb").query(
            TableName=self._stack.outputs["ContactsTableName"],
            KeyConditionExpression="address = :address AND begins_with(#record, :feedback)",
            ExpressionAttributeNames={"#record": "record"},
            ExpressionAttributeValues={":address": {"S": address}, ":feedback": {"S": "feedback#"}},
            ConsistentRead=True,
        )["Items"]
        return [item for item in found if item["kind"]["S"] in {"Bounce", "Complaint"}]

    def _show(self, contacts: dict[str, dict[str, Any]]) -> None:
        shown = [*self.simulated, *self.everyone[-3:]]
        others = Counter(contacts[one]["status"]["S"] for one in self.everyone if one not in shown)
        rest = ", ".join(f"{count} {status}" for status, count in others.items())
        first = self._table_of(contacts[one] for one in shown)
        panels = (
            (first, "Contacts after the first mail, from DynamoDB", f"and {rest}"),
            (self._lists(), "The account's suppression list, from SES", f"simulator is {SIMULATOR}: never listed"),
            (self._second(), "What SES said, from the contacts' history", None),
            (self._metrics(), "Metrics, from CloudWatch", self._announced()),
        )
        for content, title, subtitle in panels:
            self._console.print(Panel(content, title=title, subtitle=subtitle, padding=0))

    def _table_of(self, contacts: Iterable[dict[str, Any]]) -> Table:
        table = _table("address", "status", "send", "because", "listed")
        for contact in contacts:
            may_send = "yes" if contact["may_send"]["BOOL"] else "no"
            told = [contact.get(name, {}).get("S", "") for name in ("reason", "mirrored")]
            table.add_row(self._short(contact["address"]["S"]), contact["status"]["S"], may_send, *told)
        return table

    def _short(self, address: str) -> str:
        """Return an address without the run's name and the simulator's domain."""
        return address.replace(f"+{self._run}", "").replace(f".{self._run}", "").replace(SIMULATOR, "simulator")

    def _lists(self) -> Table:
        table = _table("address", "reason", "since")
        ours = set(self.everyone)
        for entry in self._stack.suppressed():
            address, since = entry["EmailAddress"], f"{entry['LastUpdateTime']:%H:%M:%S}"
            if address in ours:
                table.add_row(self._short(address), entry["Reason"], since)
        return table

    def _second(self) -> Table:
        table = _table("address", "first mail", "second mail")
        for address in (*self.blocked, self.simulated[1]):
            table.add_row(self._short(address), *(item["reason"]["S"] for item in self._history(address)[:2]))
        return table

    def _metrics(self) -> Group:
        """Sum every metric of the stack's configuration set since the run began."""
        cloudwatch = self._stack.client("cloudwatch")
        dimensions = [{"Name": "ConfigurationSet", "Value": self._stack.outputs["ConfigurationSetName"]}]
        named = cloudwatch.list_metrics(Namespace="SesFeedback", Dimensions=dimensions)["Metrics"]
        found = {}
        for name in sorted({one["MetricName"] for one in named}):
            points = cloudwatch.get_metric_statistics(
                Namespace="SesFeedback",
                MetricName=name,
                Dimensions=dimensions,
                StartTime=self.began - timedelta(seconds=1),
                EndTime=datetime.now(UTC) + timedelta(minutes=1),
                Period=60,
                Statistics=["Sum", "Maximum"],
            )["Datapoints"]
            if points:
                lag = name.endswith("Lag")
                total = max(one["Maximum"] for one in points) if lag else sum(one["Sum"] for one in points)
                found[name] = f"{total / 1000:.1f} s" if lag else f"{total:.0f}"
        table = Table.grid(padding=(0, 3))
        cells = [f"{name} [bold]{value}[/bold]" for name, value in found.items()]
        for number in range(0, len(cells), 3):
            table.add_row(*cells[number : number + 3])
        return Group(table)

    def _listen(self, run: str) -> str:
        """Make a queue that EventBridge sends the stack's announcements to."""
        sqs, events = self._stack.client("sqs"), self._stack.client("events")
        url = sqs.create_queue(QueueName=f"demo-{run}")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        events.put_rule(Name=f"demo-{run}", EventPattern=json.dumps({"detail-type": ["Contact Status Changed"]}))
        events.put_targets(Rule=f"demo-{run}", Targets=[{"Id": "demo", "Arn": arn}])
        return str(url)

    def _announced(self) -> str:
        """Take every announcement off the queue and count them."""
        sqs, counted = self._stack.client("sqs"), Counter[str]()
        while messages := sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                counted[json.loads(message["Body"])["detail-type"]] += 1
                sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        return ", ".join(f'"{kind}" announced {count} times by EventBridge' for kind, count in counted.items())


def prepare(local: Local, console: Console) -> stacks.Stack:
    """Start the local AWS if need be, build and deploy the template, and verify the sender.

    Raises:
        LocalError: one of these failed.

    """
    with console.status("starting the local AWS"):
        running = local.up()
    console.print(f"  ✓ an AWS on this machine, at {running.url}, policies enforced")
    with console.status("sam build"):
        stacks.build(local)
    console.print("  ✓ sam build")
    with console.status("sam deploy --config-env local"):
        deployed = stacks.deploy(local, running)
    console.print(f"  ✓ sam deploy of template.yaml: {len(deployed.resources())} resources")
    deployed.verify_sender()
    return deployed


def _mirrored(contact: dict[str, Any]) -> bool:
    return "mirrored" in contact


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table

"""`feedbackctl demo`: mail sent through the deployed stack, and what becomes of it."""

import json
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from localaws.demo import screen
from localaws.served import stack as stacks
from localaws.served.mailboxes import SIMULATOR
from localaws.served.process import Local, LocalError

_PATIENCE, _LOGS = 120.0, 10.0
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

Contact = dict[str, Any]


class Cast(NamedTuple):
    """Who is sent mail. Addresses carry the run's name, so that it can be told from those before."""

    run: str
    simulated: tuple[str, ...]
    crowd: tuple[str, ...]
    full: str
    blocked: tuple[str, ...]

    @property
    def everyone(self) -> tuple[str, ...]:
        """All of them, in the order of sending."""
        return (*self.simulated, *self.crowd, self.full, *self.blocked)


def cast(run: str) -> Cast:
    """Return who takes part in a run: the simulator's five, a small crowd, and three whom mail does not reach."""
    return Cast(
        run,
        tuple(f"{fate}+{run}@{SIMULATOR}" for fate in _FATES),
        tuple(f"{name}.{run}@example.com" for name in _NAMES.split()),
        f"mailboxfull+sue.{run}@example.com",
        (f"bounce+bob.{run}@example.com", f"complaint+zoe.{run}@example.com"),
    )


class Demo:
    """One run. Whatever it shows was read back from the local AWS."""

    def __init__(self, stack: stacks.Stack, console: Console) -> None:
        """Send through `stack`."""
        self._stack = stack
        self._console = console
        self._began = datetime.now(UTC)
        self._cast = cast(f"{int(self._began.timestamp()) % 1_000_000:06d}")
        self._queue = self._listen(f"demo-{self._cast.run}")

    def run(self) -> None:
        """Send, wait, and show."""
        counted = TextColumn("{task.completed:>3.0f} of {task.total:.0f}")
        columns = (TextColumn("  {task.description:36}"), BarColumn(22), counted, TimeElapsedColumn())
        with Progress(*columns, console=self._console) as bar:
            self._send(bar, "mails sent through SES", self._cast.everyone, "Our news")
            self._follow(bar, "contacts that heard from SES", self._cast.everyone, _as_expected)
            self._follow(bar, "contacts that SES's list follows", self._cast.blocked, _mirrored)
            contacts = self._stack.contacts()
            self._send(bar, "second mails", self._cast.blocked, "Our news again")
            self._follow(bar, "second answers", self._cast.blocked, self._heard_twice)
        self._wait_for_logs(contacts)
        self._show(contacts)

    def _send(self, bar: Progress, what: str, addresses: tuple[str, ...], subject: str) -> None:
        for address in bar.track(addresses, description=what):
            self._stack.send(address, subject=subject)

    def _follow(self, bar: Progress, what: str, addresses: tuple[str, ...], done: Callable[[Contact], bool]) -> None:
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

    def _wait_for_logs(self, contacts: dict[str, Contact]) -> None:
        """Wait for the metrics of what has been seen: they come from logs, which functions leave when they end."""
        stopped = sum(not contacts[address]["may_send"]["BOOL"] for address in self._cast.everyone)
        expected = {"ContactSuppressed": f"{stopped}", "SuppressionEcho": f"{len(self._cast.blocked)}"}
        deadline = time.monotonic() + _LOGS
        while time.monotonic() < deadline:
            if expected.items() <= screen.metrics(self._stack, self._began).items():
                return
            time.sleep(0.3)

    def _heard_twice(self, contact: Contact) -> bool:
        return len(self._history(contact["address"]["S"])) > 1

    def _history(self, address: str) -> list[str]:
        """Return what bounces and complaints SES reported of an address, in the order of the mails."""
        found = self._stack.client("dynamodb").query(
            TableName=self._stack.outputs["ContactsTableName"],
            KeyConditionExpression="address = :address AND begins_with(#record, :feedback)",
            ExpressionAttributeNames={"#record": "record"},
            ExpressionAttributeValues={":address": {"S": address}, ":feedback": {"S": "feedback#"}},
            ConsistentRead=True,
        )["Items"]
        said = [item for item in found if item["kind"]["S"] in {"Bounce", "Complaint"}]
        return [item["reason"]["S"] for item in sorted(said, key=lambda item: str(item["at"]["S"]))]

    def _show(self, contacts: dict[str, Contact]) -> None:
        """Print the screen; everything on it but the titles was read back."""
        some = [contacts[one] for one in (*self._cast.simulated, self._cast.full, *self._cast.blocked)]
        rest = Counter(contacts[one]["status"]["S"] for one in self._cast.crowd)
        everyone = self._cast.everyone
        listed = [entry for entry in self._stack.suppressed() if entry["EmailAddress"] in everyone]
        said = {address: self._history(address) for address in self._cast.blocked}
        counted = screen.metrics(self._stack, self._began)
        self._console.print()
        shown = screen.Screen(self._console, self._cast.run)
        shown.contacts(some, rest)
        shown.suppression_list(listed)
        shown.second_mails(said)
        shown.metrics(counted, self._announced())

    def _listen(self, name: str) -> str:
        """Make a queue that EventBridge sends the stack's events to."""
        sqs, events = self._stack.client("sqs"), self._stack.client("events")
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        allow = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [{**allow, "Resource": arn}]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        events.put_rule(Name=name, EventPattern=json.dumps({"detail-type": ["Contact Status Changed"]}))
        events.put_targets(Rule=name, Targets=[{"Id": "demo", "Arn": arn}])
        return str(url)

    def _announced(self) -> int:
        """Take every event off the queue, remove the queue and its rule, and return how many there were."""
        sqs, events, heard = self._stack.client("sqs"), self._stack.client("events"), 0
        while messages := sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                heard += 1
                sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        name = self._queue.rpartition("/")[2]
        events.remove_targets(Rule=name, Ids=["demo"])
        events.delete_rule(Name=name)
        sqs.delete_queue(QueueUrl=self._queue)
        return heard


def prepare(local: Local, console: Console) -> stacks.Stack:
    """Start the local AWS if need be, build and deploy the template, and verify the sender.

    Raises:
        LocalError: one of these failed.

    """
    began = time.monotonic()

    def told(what: str) -> None:
        nonlocal began
        console.print(f"  [green]✓[/green] {what:60} {time.monotonic() - began:5.1f} s", highlight=False)
        began = time.monotonic()

    with console.status("starting an AWS on this machine"):
        running = local.up()
    told(f"an AWS on this machine, at {running.url}")
    with console.status("sam build (about a minute the first time)"):
        stacks.build(local)
    told("sam build")
    with console.status("sam deploy --config-env local"):
        deployed = stacks.deploy(local, running)
    told(f"sam deploy of template.yaml: {len(deployed.resources())} resources, policies enforced")
    deployed.verify_sender()
    return deployed


def _as_expected(contact: Contact) -> bool:
    fate = contact["address"]["S"].partition("+")[0]
    return bool(contact["status"]["S"] == _STATUSES.get(fate, "active"))


def _mirrored(contact: Contact) -> bool:
    return "synced" in contact

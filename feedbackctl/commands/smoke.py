"""`feedbackctl smoke --stack NAME`: is a deployed stack alive? Sends to the mailbox simulator and follows what happens.

It works the same in AWS and on the local AWS, in the SES sandbox and out of it, and costs five mails, which SES does
not count into the account's rates. What it makes are the contacts of the simulator's addresses, labelled with the
run's name. It changes nothing else.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import botocore.session
import click
from botocore.exceptions import BotoCoreError, ClientError

from ses_feedback.aws.errors import error_code

_SIMULATOR = "simulator.amazonses.com"
_EXPECTED = {
    "success": "active",
    "bounce": "bounced",
    "ooto": "active",
    "complaint": "complained",
    "suppressionlist": "bounced",
}
_LISTED = ("bounced", "complained")
_DELIVERED = ("success", "ooto")
"""What nothing but a delivery makes a contact of."""
_GATHERED = 900.0
"""Seconds for which Firehose gathers deliveries (the template's `BufferingHints`) before the lane hears of them."""
_NO_STACK = "ValidationError"
"""CloudFormation's answer where there is no stack of the name. Any other says that it did not look."""
_QUEUES = ("QuarantineQueueUrl", "DeadLetterQueueUrl", "UndeliveredQueueUrl")


class SmokeError(Exception):
    """The smoke test cannot begin. The message says why, and what to do."""


class Stage(NamedTuple):
    """One thing that was checked, how long after its mail it was seen, and what was seen instead of it."""

    name: str
    passed: bool
    seconds: float
    detail: str = ""


@dataclass(slots=True)
class Smoke:
    """A run on the stack `name`; mails are `interval` seconds apart and each stage may take `patience` seconds.

    What comes in files by Firehose may take as long as it is gathered in addition, and is looked for last.
    """

    name: str
    patience: float = 180.0
    interval: float = 1.1
    session: botocore.session.Session = field(default_factory=botocore.session.get_session)
    _sent: dict[str, tuple[str, float]] = field(default_factory=dict)
    _clients: dict[str, Any] = field(default_factory=dict)

    def run(self, sender: str | None) -> Iterator[Stage]:
        """Send, and yield each stage once it is decided.

        Raises:
            SmokeError: there is no such stack or no verified sender.

        """
        outputs = self._outputs()
        sender = sender or self._sender()
        began, label = datetime.now(UTC), secrets.token_hex(4)
        before = self._waiting(outputs)
        table, configuration_set = outputs["ContactsTableName"], outputs["ConfigurationSetName"]
        gathered = _DELIVERED if "DeliveryBucketName" in outputs else ()
        for fate in _EXPECTED:
            self._send(sender, configuration_set, fate, f"{fate}+{label}@{_SIMULATOR}")
            if fate not in gathered:
                yield from self._follow(table, fate, self.patience)
        yield self._stage("bounce", "metrics count the bounce", self._counted(configuration_set, began), self.patience)
        for fate in gathered:
            yield from self._follow(table, fate, self.patience + _GATHERED)
        more = {queue: count for queue, count in self._waiting(outputs).items() if count > before[queue]}
        yield Stage("no message was left behind", not more, 0, ", ".join(more))

    def _follow(self, table: str, fate: str, patience: float) -> Iterator[Stage]:
        """Yield the stages of one mail's contact."""
        status = _EXPECTED[fate]
        yield self._stage(fate, f"{fate}@ is {status}", self._is(table, fate, "status", status), patience)
        if status in _LISTED:
            published = self._is(table, fate, "published_status", status)
            yield self._stage(fate, "  and published", published, patience)
            offered = self._offered(table, fate)
            yield self._stage(fate, "  and offered to SES, which lists no simulator", offered, patience)

    def _send(self, sender: str, configuration_set: str, fate: str, address: str) -> None:
        last = max((at for _, at in self._sent.values()), default=0.0)
        # In the sandbox SES takes one mail a second.
        time.sleep(max(0.0, last + self.interval - time.monotonic()))
        self._client("sesv2").send_email(
            FromEmailAddress=sender,
            Destination={"ToAddresses": [address]},
            ConfigurationSetName=configuration_set,
            Content={"Simple": {"Subject": {"Data": "feedbackctl smoke"}, "Body": {"Text": {"Data": "."}}}},
        )
        self._sent[fate] = (address, time.monotonic())

    def _stage(self, fate: str, name: str, look: Callable[[], str], patience: float) -> Stage:
        """Look until nothing is wrong or time is up; `look` says what is wrong."""
        sent = self._sent[fate][1]
        while wrong := look():
            if time.monotonic() > sent + patience:
                return Stage(name, passed=False, seconds=time.monotonic() - sent, detail=wrong)
            time.sleep(0.5)
        return Stage(name, passed=True, seconds=time.monotonic() - sent)

    def _is(self, table: str, fate: str, attribute: str, expected: str) -> Callable[[], str]:
        def look() -> str:
            found = self._contact(table, fate).get(attribute, {}).get("S", "unknown")
            return "" if found == expected else f"{attribute} is {found}"

        return look

    def _offered(self, table: str, fate: str) -> Callable[[], str]:
        """Look for the sign of SES's refusal, which it gives the simulator's addresses: tried again hours later."""

        def look() -> str:
            due = self._contact(table, fate).get("pending_at", {}).get("S", "")
            soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
            return "" if due > soon else f"due at {due or 'no time'}"

        return look

    def _counted(self, configuration_set: str, began: datetime) -> Callable[[], str]:
        def look() -> str:
            points = self._client("cloudwatch").get_metric_statistics(
                Namespace="SesFeedback",
                MetricName="PermanentBounce",
                Dimensions=[{"Name": "ConfigurationSet", "Value": configuration_set}],
                StartTime=began - timedelta(minutes=1),
                EndTime=datetime.now(UTC) + timedelta(minutes=1),
                Period=60,
                Statistics=["Sum"],
            )["Datapoints"]
            return "" if points else "no data yet"

        return look

    def _contact(self, table: str, fate: str) -> dict[str, Any]:
        key = {"address": {"S": self._sent[fate][0]}, "record": {"S": "contact"}}
        found = self._client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True)
        return dict(found.get("Item", {}))

    def _waiting(self, outputs: dict[str, str]) -> dict[str, int]:
        names = ["ApproximateNumberOfMessages"]
        return {
            queue: int(
                self._client("sqs").get_queue_attributes(QueueUrl=outputs[queue], AttributeNames=names)["Attributes"][
                    "ApproximateNumberOfMessages"
                ]
            )
            for queue in _QUEUES
        }

    def _outputs(self) -> dict[str, str]:
        try:
            found = self._client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as error:
            if error_code(error) != _NO_STACK:
                raise
            raise SmokeError(f"There is no stack {self.name} in this account and Region.") from error
        outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
        missing = ", ".join(
            one for one in ("ContactsTableName", "ConfigurationSetName", *_QUEUES) if one not in outputs
        )
        if missing:
            raise SmokeError(f"The stack {self.name} lacks outputs: {missing}. Is it ses-feedback's, and all there?")
        return outputs

    def _sender(self) -> str:
        """Return an address SES lets this account send as."""
        for one in self._identities():
            if one.get("SendingEnabled", True) and one.get("VerificationStatus", "SUCCESS") == "SUCCESS":
                name: str = one["IdentityName"]
                return name if "@" in name else f"feedbackctl@{name}"
        raise SmokeError("SES has no verified identity here to send as. Verify one, or name it with --sender.")

    def _identities(self) -> Iterator[dict[str, Any]]:
        """Yield the account's identities, page by page."""
        following: dict[str, str] = {}
        while True:
            page = self._client("sesv2").list_email_identities(**following)
            yield from page["EmailIdentities"]
            if not page.get("NextToken"):
                return
            following = {"NextToken": page["NextToken"]}

    def _client(self, service: str) -> Any:  # noqa: ANN401 (botocore makes the class at run time)
        if service not in self._clients:
            self._clients[service] = self.session.create_client(service)
        return self._clients[service]


@click.command(short_help="Check a deployed stack with test mail.")
@click.option("--stack", required=True, help="The stack's name.")
@click.option("--sender", help="The address to send as. [default: any that SES has verified]")
@click.option("--patience", default=180.0, show_default=True, help="Seconds each stage may take.")
def smoke(stack: str, sender: str | None, patience: float) -> None:
    """Send to SES's mailbox simulator through a deployed stack, and say stage by stage what came of it.

    With DeliveriesBy=Firehose it takes a quarter of an hour: that long, deliveries are gathered.
    """
    failed = 0
    try:
        for stage in Smoke(stack, patience).run(sender):
            failed += not stage.passed
            told = f": {stage.detail}" if stage.detail else ""
            click.echo(f"  {'✓' if stage.passed else '✗'} {stage.name:<62}{stage.seconds:6.1f} s{told}")
    except (SmokeError, BotoCoreError, ClientError) as error:
        raise click.ClickException(str(error)) from error
    if failed:
        raise click.ClickException(f"{failed} stages failed. The runbook says where to look: docs/operate/runbook.md")

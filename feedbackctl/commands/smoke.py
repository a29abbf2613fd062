"""`feedbackctl smoke`: check a deployed stack with email to the SES mailbox simulator.

It works in AWS and on the local AWS, in the SES sandbox and outside of it. A run sends five emails, which do not count
toward the account's bounce and complaint rates:
https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html#send-email-simulator
A run creates contacts for the simulator's addresses, with the label of the run. It changes nothing else: the stack
neither publishes these contacts nor adds them to the suppression list. It counts them under the configuration set
`simulator`.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import botocore.session
import click
from botocore.exceptions import BotoCoreError, ClientError

from feedbackctl.errors import OperatorError
from feedbackctl.stack import read_outputs

_SIMULATOR = "simulator.amazonses.com"
_EXPECTED = {
    "success": "active",
    "bounce": "bounced",
    "ooto": "active",
    "complaint": "complained",
    "suppressionlist": "bounced",
}
"""The simulator's mailboxes, and the status of a contact after an email to them."""
_DELIVERED = ("success", "ooto")
"""Mailboxes whose contact is created by a delivery only."""
_FIREHOSE_BUFFER = 900.0
"""Seconds for which Firehose buffers deliveries: `BufferingHints` in template.yaml."""
_CONFIGURATION_SET = "simulator"
"""The value of the dimension ConfigurationSet in the metrics of email to the simulator."""
_QUEUES = ("QuarantineQueueUrl", "DeadLetterQueueUrl", "UndeliveredQueueUrl")


@click.command
@click.option("--stack", required=True, metavar="NAME", help="The stack's name.")
@click.option(
    "--sender", metavar="ADDRESS", help="The sender's address. [default: an identity that is verified in SES]"
)
@click.option("--patience", metavar="SECONDS", default=180.0, show_default=True, help="Time limit of each check.")
def smoke(stack: str, sender: str | None, patience: float) -> None:
    """Check a deployed stack with email to the SES mailbox simulator, and print the result of each check.

    If the stack's parameter DeliveriesBy is Firehose, a run takes a quarter of an hour, because Firehose buffers
    deliveries.
    """
    failed = 0
    try:
        for check in SmokeTest(stack, patience).run(sender):
            failed += not check.passed
            detail = f": {check.detail}" if check.detail else ""
            click.echo(f"  {'✓' if check.passed else '✗'} {check.name:<62}{check.seconds:6.1f} s{detail}")
    except (BotoCoreError, ClientError) as error:
        raise OperatorError(str(error)) from error
    if failed:
        raise OperatorError(
            f"{failed} checks failed. The runbook describes how to find the cause: docs/operate/runbook.md"
        )


class Check(NamedTuple):
    """The result of a check. `seconds` is the time since the email; `detail` describes the failure."""

    name: str
    passed: bool
    seconds: float
    detail: str = ""


@dataclass(slots=True)
class SmokeTest:
    """A run on the stack `name`. Emails are `interval` seconds apart, and each check may take `patience` seconds.

    If deliveries come through Firehose, their checks come last and may take longer by its buffer time.
    """

    name: str
    patience: float = 180.0
    interval: float = 1.1
    session: botocore.session.Session = field(default_factory=botocore.session.get_session)
    _sent: dict[str, tuple[str, float]] = field(default_factory=dict)
    _clients: dict[str, Any] = field(default_factory=dict)

    def run(self, sender: str | None) -> Iterator[Check]:
        """Send the emails, and yield each check as soon as it has passed or failed.

        Raises:
            OperatorError: there is no such stack or no verified sender.

        """
        required = ("ContactsTableName", "ConfigurationSetName", *_QUEUES)
        outputs = read_outputs(self._client("cloudformation"), self.name, required)
        sender = sender or self._find_sender()
        began, label = datetime.now(UTC), secrets.token_hex(4)
        before = self._queue_lengths(outputs)
        table, configuration_set = outputs["ContactsTableName"], outputs["ConfigurationSetName"]
        buffered = _DELIVERED if "DeliveryBucketName" in outputs else ()
        for mailbox in _EXPECTED:
            self._send(sender, configuration_set, mailbox, f"{mailbox}+{label}@{_SIMULATOR}")
            if mailbox not in buffered:
                yield self._check_contact(table, mailbox, self.patience)
        counted = self._find_metric(began)
        yield self._await("bounce", "metrics count the bounce", counted, self.patience)
        for mailbox in buffered:
            yield self._check_contact(table, mailbox, self.patience + _FIREHOSE_BUFFER)
        grown = [queue for queue, length in self._queue_lengths(outputs).items() if length > before[queue]]
        yield Check("no message was left behind", not grown, 0, ", ".join(grown))

    def _check_contact(self, table: str, mailbox: str, patience: float) -> Check:
        """Return the check of one email's contact."""
        status = _EXPECTED[mailbox]

        def find_problem() -> str:
            stored = self._contact(table, mailbox).get("status", {}).get("S", "unknown")
            return "" if stored == status else f"status is {stored}"

        return self._await(mailbox, f"{mailbox}@ is {status}", find_problem, patience)

    def _send(self, sender: str, configuration_set: str, mailbox: str, address: str) -> None:
        last = max((at for _, at in self._sent.values()), default=0.0)
        # The sandbox allows one email a second: https://docs.aws.amazon.com/ses/latest/dg/request-production-access.html
        time.sleep(max(0.0, last + self.interval - time.monotonic()))
        self._client("sesv2").send_email(
            FromEmailAddress=sender,
            Destination={"ToAddresses": [address]},
            ConfigurationSetName=configuration_set,
            Content={"Simple": {"Subject": {"Data": "feedbackctl smoke"}, "Body": {"Text": {"Data": "."}}}},
        )
        self._sent[mailbox] = (address, time.monotonic())

    def _await(self, mailbox: str, name: str, find_problem: Callable[[], str], patience: float) -> Check:
        """Repeat a check until it finds no problem or `patience` seconds have passed since the email."""
        sent = self._sent[mailbox][1]
        while problem := find_problem():
            if time.monotonic() > sent + patience:
                return Check(name, passed=False, seconds=time.monotonic() - sent, detail=problem)
            time.sleep(0.5)
        return Check(name, passed=True, seconds=time.monotonic() - sent)

    def _find_metric(self, began: datetime) -> Callable[[], str]:
        def find_problem() -> str:
            points = self._client("cloudwatch").get_metric_statistics(
                Namespace="SesFeedback",
                MetricName="PermanentBounce",
                Dimensions=[{"Name": "ConfigurationSet", "Value": _CONFIGURATION_SET}],
                StartTime=began - timedelta(minutes=1),
                EndTime=datetime.now(UTC) + timedelta(minutes=1),
                Period=60,
                Statistics=["Sum"],
            )["Datapoints"]
            return "" if points else "no data yet"

        return find_problem

    def _contact(self, table: str, mailbox: str) -> dict[str, Any]:
        key = {"address": {"S": self._sent[mailbox][0]}, "record": {"S": "contact"}}
        response = self._client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True)
        return dict(response.get("Item", {}))

    def _queue_lengths(self, outputs: Mapping[str, str]) -> dict[str, int]:
        return {queue: self._queue_length(outputs[queue]) for queue in _QUEUES}

    def _queue_length(self, url: str) -> int:
        name = "ApproximateNumberOfMessages"
        response = self._client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])
        return int(response["Attributes"][name])

    def _find_sender(self) -> str:
        """Return an address that SES allows this account to send from."""
        for identity in self._identities():
            if identity.get("SendingEnabled", True) and identity.get("VerificationStatus", "SUCCESS") == "SUCCESS":
                name: str = identity["IdentityName"]
                return name if "@" in name else f"feedbackctl@{name}"
        raise OperatorError("SES has no verified identity in this Region. Verify one, or name a sender with --sender.")

    def _identities(self) -> Iterator[dict[str, Any]]:
        """Yield the account's identities, page by page."""
        token: dict[str, str] = {}
        while True:
            page = self._client("sesv2").list_email_identities(**token)
            yield from page["EmailIdentities"]
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}

    def _client(self, service: str) -> Any:  # noqa: ANN401 (botocore creates the class at run time)
        if service not in self._clients:
            self._clients[service] = self.session.create_client(service)
        return self._clients[service]

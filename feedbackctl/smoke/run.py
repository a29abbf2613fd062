"""Email to the SES mailbox simulator through a deployed stack, and what it leaves behind.

It works in AWS and on the local AWS, in the SES sandbox and outside of it. A run sends five emails, which do not count
toward the account's bounce and complaint rates:
https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html#send-email-simulator
The stack neither publishes the simulator's contacts nor adds them to the suppression list. It counts them under the
configuration set `simulator`, whatever sets have metrics of their own.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from feedbackctl.errors import OperatorError
from feedbackctl.queues import STORED
from ses_feedback.judging.recipients import SIMULATOR, SIMULATOR_DOMAIN

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
REQUIRED_OUTPUTS = ("ContactsTableName", "ConfigurationSetName", *STORED.values())


class Check(NamedTuple):
    """The result of a check. `seconds` is the time since the email; `detail` describes the failure."""

    name: str
    passed: bool
    seconds: float
    detail: str = ""


class LeftBehind(NamedTuple):
    """Something that a run leaves in the account: its kind, its name, and its place."""

    kind: str
    name: str
    place: str


@dataclass(slots=True)
class SmokeTest:
    """A run on the stack with these outputs. `client` returns botocore's client of a service.

    Emails are `interval` seconds apart, and each check may take `patience` seconds. If deliveries come through
    Firehose, their checks come last and may take longer by its buffer time.
    """

    outputs: Mapping[str, str]
    client: Callable[[str], Any]
    patience: float = 180.0
    interval: float = 1.1
    _sent: dict[str, tuple[str, float]] = field(default_factory=dict)

    def run(self, sender: str | None) -> Iterator[Check]:
        """Send the emails, and yield each check as soon as it has passed or failed.

        Raises:
            OperatorError: there is no verified sender.
            AWS_ERRORS: a call failed.

        """
        outputs = self.outputs
        sender = sender or self._find_sender()
        began, label = datetime.now(UTC), secrets.token_hex(4)
        before = self._queue_lengths(outputs)
        table, configuration_set = outputs["ContactsTableName"], outputs["ConfigurationSetName"]
        buffered = _DELIVERED if "DeliveryBucketName" in outputs else ()
        for mailbox in _EXPECTED:
            self._send(sender, configuration_set, mailbox, f"{mailbox}+{label}@{SIMULATOR_DOMAIN}")
            if mailbox not in buffered:
                yield self._check_contact(table, mailbox, self.patience)
        counted = self._find_metric(began)
        yield self._await("bounce", "metrics count the bounce", counted, self.patience)
        for mailbox in buffered:
            yield self._check_contact(table, mailbox, self.patience + _FIREHOSE_BUFFER)
        grown = [queue for queue, length in self._queue_lengths(outputs).items() if length > before[queue]]
        yield Check("no message was left behind", not grown, 0, ", ".join(grown))

    def list_left_behind(self) -> list[LeftBehind]:
        """Return what this run has left in the account, whether its checks passed or failed."""
        if not self._sent:
            return []
        addresses = [address for address, _ in self._sent.values()]
        return [
            *(LeftBehind("contact", address, f"in {self.outputs['ContactsTableName']}") for address in addresses),
            LeftBehind("metrics", f"ConfigurationSet={SIMULATOR}", "in the namespace SesFeedback"),
        ]

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
        self.client("sesv2").send_email(
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
            points = self.client("cloudwatch").get_metric_statistics(
                Namespace="SesFeedback",
                MetricName="PermanentBounce",
                Dimensions=[{"Name": "ConfigurationSet", "Value": SIMULATOR}],
                StartTime=began - timedelta(minutes=1),
                EndTime=datetime.now(UTC) + timedelta(minutes=1),
                Period=60,
                Statistics=["Sum"],
            )["Datapoints"]
            return "" if points else "no data yet"

        return find_problem

    def _contact(self, table: str, mailbox: str) -> dict[str, Any]:
        key = {"address": {"S": self._sent[mailbox][0]}, "record": {"S": "contact"}}
        response = self.client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True)
        return dict(response.get("Item", {}))

    def _queue_lengths(self, outputs: Mapping[str, str]) -> dict[str, int]:
        return {queue: self._queue_length(outputs[queue]) for queue in STORED.values()}

    def _queue_length(self, url: str) -> int:
        name = "ApproximateNumberOfMessages"
        response = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])
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
            page = self.client("sesv2").list_email_identities(**token)
            yield from page["EmailIdentities"]
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}

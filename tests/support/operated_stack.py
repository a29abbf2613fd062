"""A small stack for tests of operator commands: the embedded AWS, and a stack that names its resources."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs

from botocore import handlers
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.loaders import create_loader
from click.testing import CliRunner, Result

from feedbackctl.__main__ import main
from localaws.in_process.embedded_aws import EmbeddedAws
from ses_feedback.aws.clients import Clients
from ses_feedback.handlers import feedback, suppression
from ses_feedback.settings import LANES, Settings
from tests.support.deployed_functions import FakeContext

_LOADER = create_loader()
STACK, BUCKET = "ses-feedback", "imports"
CALLER = "arn:aws:sts::123456789012:user/moto"
"""The identity that moto's STS returns."""
PARAMETERS = {
    "SoftBounceLimit": "5",
    "SuspensionDays": "30",
    "DeliveriesBy": "Topic",
    "Streams": "newsletter,offers",
    "SuppressionRate": "100",
}


class OperatedStack:
    """A stack with its functions, run by hand, and the command line."""

    def __init__(
        self, aws: EmbeddedAws, cloudformation: "FakeCloudFormation", parameters: Mapping[str, str] = PARAMETERS
    ) -> None:
        self.aws = aws
        self.cloudformation = cloudformation
        # The commands wait on the real clock for the calls that the functions reserved on that of the account.
        self.settings = Settings(
            aws.table_name,
            aws.quarantine_url,
            streams=tuple(parameters.get("Streams", "").split(",")),
            suppression_rate=float(parameters.get("SuppressionRate", 1)),
        )
        self._clients = Clients(aws.session)
        self.queues = {
            "QuarantineQueueUrl": aws.quarantine_url,
            **{
                name: aws.client("sqs").create_queue(QueueName=name.removesuffix("Url"))["QueueUrl"]
                for name in ("BounceQueueUrl", "ComplaintQueueUrl", "DeliveryQueueUrl", "DeadLetterQueueUrl")
            },
            "UndeliveredQueueUrl": aws.client("sqs").create_queue(QueueName="Undelivered")["QueueUrl"],
        }
        aws.client("s3").create_bucket(Bucket=BUCKET)
        cloudformation.create_stack(STACK, self.outputs, parameters)

    @property
    def outputs(self) -> dict[str, str]:
        """Outputs of the stack, as template.yaml names them."""
        arn = f"arn:aws:dynamodb:us-east-1:123456789012:table/{self.aws.table_name}"
        bucket = {"ImportBucketName": BUCKET}
        topics = {f"{lane}TopicArn": f"arn:aws:sns:us-east-1:123456789012:{lane}" for lane in LANES}
        functions = {f"{name}FunctionName": f"{name}Function" for name in (*LANES, "Suppression")}
        table = {"ContactsTableName": self.aws.table_name, "ContactsTableArn": arn}
        return {**table, **bucket, **topics, **functions, **self.queues}

    def receive(self, *events: Mapping[str, Any]) -> None:
        """Process SES events, each by itself, and sync the list."""
        handler = feedback.compose(self.settings, self._clients, now=self.aws.clock.now, sleep=self.aws.clock.sleep)
        for event in events:
            handler(dict(event), FakeContext())
        self.sync()

    def sync(self) -> None:
        """Pass the table's stream to SuppressionFunction until it is empty."""
        handler = suppression.compose(self.settings, self._clients, now=self.aws.clock.now, sleep=self.aws.clock.sleep)
        while records := self.aws.stream_records():
            handler({"Records": records}, FakeContext())

    def run(self, *arguments: str, stdin: str | None = None) -> Result:
        """Run `feedbackctl` with the arguments."""
        return CliRunner().invoke(main, list(arguments), input=stdin, prog_name="feedbackctl")

    def json(self, *arguments: str) -> dict[str, Any]:
        """Run `feedbackctl` with the arguments and `--json`, and return the object that it prints."""
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        document: dict[str, Any] = json.loads(result.stdout)
        return document

    def status(self, address: str) -> str:
        """Return the status of a contact."""
        return str(self.item(address)["status"]["S"])

    def records(self, address: str) -> list[str]:
        """Return the sort keys of the items under an address."""
        found = self.aws.client("dynamodb").query(
            TableName=self.aws.table_name,
            KeyConditionExpression="address = :address",
            ExpressionAttributeValues={":address": {"S": address}},
        )
        return [item["record"]["S"] for item in found["Items"]]

    def listed(self) -> set[str]:
        """Return the addresses on the suppression list."""
        return {entry.email_address for entry in self.aws.suppression_list.entries()}

    def item(self, address: str, record: str = "contact") -> dict[str, Any]:
        """Return an item of the table, or an empty one."""
        key = {"address": {"S": address}, "record": {"S": record}}
        found = self.aws.client("dynamodb").get_item(TableName=self.aws.table_name, Key=key, ConsistentRead=True)
        item: dict[str, Any] = found.get("Item", {})
        return item


class FakeCloudFormation:
    """The stacks of the account, as DescribeStacks returns them.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
    """

    def __init__(self) -> None:
        self.stacks: dict[str, str] = {}

    def create_stack(self, name: str, outputs: Mapping[str, str], parameters: Mapping[str, str]) -> None:
        """Add a stack with these outputs and parameters."""
        self.stacks[name] = (
            f"<member><StackName>{name}</StackName><StackStatus>CREATE_COMPLETE</StackStatus>"
            f"<StackId>arn:aws:cloudformation:us-east-1:123456789012:stack/{name}/0</StackId>"
            f"<CreationTime>2026-03-01T12:00:00Z</CreationTime>"
            f"<Outputs>{_members('Output', outputs)}</Outputs>"
            f"<Parameters>{_members('Parameter', parameters)}</Parameters></member>"
        )

    def respond(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        """Return the response to DescribeStacks."""
        query = parse_qs(request.body.decode() if isinstance(request.body, bytes) else str(request.body))
        assert query["Action"] == ["DescribeStacks"]
        [name] = query.get("StackName", [""])
        if name and name not in self.stacks:
            error = "<Error><Code>ValidationError</Code><Message>Stack does not exist</Message></Error>"
            return _response(request, 400, f"<ErrorResponse>{error}</ErrorResponse>")
        found = [self.stacks[name]] if name else self.stacks.values()
        result = f"<DescribeStacksResult><Stacks>{''.join(found)}</Stacks></DescribeStacksResult>"
        return _response(request, 200, f"<DescribeStacksResponse>{result}</DescribeStacksResponse>")


def _members(kind: str, values: Mapping[str, str]) -> str:
    return "".join(
        f"<member><{kind}Key>{name}</{kind}Key><{kind}Value>{value}</{kind}Value></member>"
        for name, value in values.items()
    )


def _response(request: AWSPreparedRequest, status: int, body: str) -> AWSResponse:
    class Raw(BytesIO):
        def stream(self) -> Iterator[bytes]:
            yield self.read()

    return AWSResponse(request.url, status, HTTPHeaders(), Raw(body.encode()))


@contextmanager
def operated_stack(**options: Any) -> Iterator[OperatedStack]:  # noqa: ANN401 (those of EmbeddedAws)
    """Run an embedded AWS with one stack."""
    cloudformation = FakeCloudFormation()
    hook = ("before-send.cloudformation", cloudformation.respond, handlers.REGISTER_FIRST)
    handlers.BUILTIN_HANDLERS.append(hook)
    try:
        # Each run of a command has a session of its own. They share what they read of botocore's data.
        loader = patch("botocore.session.create_loader", lambda *_: _LOADER)
        # SQS has many servers, and moto one: a queue without messages is known to be empty at once.
        with loader, patch("feedbackctl.queues.WAIT_SECONDS", 0), EmbeddedAws(**options) as aws:
            yield OperatedStack(aws, cloudformation)
    finally:
        handlers.BUILTIN_HANDLERS.remove(hook)

"""A stack that is deployed to the local AWS."""

import json
from collections.abc import Mapping
from typing import Any

import botocore.session
from botocore.config import Config

from localaws.deployment.running_server import LocalAwsError, RunningServer

DEFAULT_STACK = "ses-feedback"
SENDER = "news@example.com"


class DeployedStack:
    """A deployed stack. `outputs` are its outputs by name."""

    def __init__(self, server: RunningServer, name: str = DEFAULT_STACK) -> None:
        """Find the stack.

        Raises:
            LocalAwsError: there is no such stack.

        """
        self.server = server
        self.name = name
        self._clients: dict[str, Any] = {}
        self._session = botocore.session.Session()
        try:
            stack = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        except self.client("cloudformation").exceptions.ClientError as error:
            raise LocalAwsError(f"There is no stack {name} here. Deploy it with: feedbackctl local deploy") from error
        self.outputs: dict[str, str] = {
            output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])
        }

    def client(self, service: str) -> Any:  # noqa: ANN401 (botocore creates the class at run time)
        """Return a client of the local AWS with the credentials of the root user. It retries throttled calls."""
        if service not in self._clients:
            self._clients[service] = create_client(self.server, service, self._session)
        return self._clients[service]

    def contacts(self) -> dict[str, dict[str, Any]]:
        """Return the contact items by address, in DynamoDB's typed JSON."""
        pages = (
            self.client("dynamodb")
            .get_paginator("scan")
            .paginate(
                TableName=self.outputs["ContactsTableName"],
                FilterExpression="#record = :contact",
                ExpressionAttributeNames={"#record": "record"},
                ExpressionAttributeValues={":contact": {"S": "contact"}},
                ConsistentRead=True,
            )
        )
        return {item["address"]["S"]: item for page in pages for item in page["Items"]}

    def history_items(self, address: str) -> list[dict[str, Any]]:
        """Return the items of an address's history, in order of time."""
        items = self.client("dynamodb").query(
            TableName=self.outputs["ContactsTableName"],
            KeyConditionExpression="address = :address AND begins_with(#record, :feedback)",
            ExpressionAttributeNames={"#record": "record"},
            ExpressionAttributeValues={":address": {"S": address}, ":feedback": {"S": "feedback#"}},
            ConsistentRead=True,
        )["Items"]
        return sorted(items, key=lambda item: str(item["at"]["S"]))

    def suppression_list(self) -> list[dict[str, Any]]:
        """Return the account's suppression list. SES accepts one call a second; the client retries until then."""
        ses, entries = self.client("sesv2"), []
        token: dict[str, str] = {}
        while True:
            page = ses.list_suppressed_destinations(**token)
            entries += page["SuppressedDestinationSummaries"]
            if "NextToken" not in page:
                return entries
            token = {"NextToken": page["NextToken"]}

    def subscribe_to_events(self, name: str, pattern: dict[str, Any]) -> str:
        """Return the URL of a new queue that receives the events with a pattern from EventBridge."""
        sqs, events = self.client("sqs"), self.client("events")
        url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
        allow = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [{**allow, "Resource": arn}]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        events.put_rule(Name=name, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=name, Targets=[{"Id": name, "Arn": arn}])
        return url

    def take_messages(self, url: str) -> list[str]:
        """Return the bodies of the messages in a queue, and delete them."""
        sqs, bodies = self.client("sqs"), []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                bodies.append(message["Body"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bodies

    def resources(self) -> dict[str, str]:
        """Return the physical ids of the stack's resources by logical id."""
        resources = self.client("cloudformation").describe_stack_resources(StackName=self.name)["StackResources"]
        return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}

    def verify_sender(self) -> None:
        """Verify the domain example.com, so that SES accepts email from it."""
        ses = self.client("sesv2")
        try:
            ses.create_email_identity(EmailIdentity="example.com")
        except ses.exceptions.AlreadyExistsException:
            return

    def send_email(self, *recipients: str, subject: str = "Hello", configuration_set: str | None = None) -> str:
        """Send one email to all recipients and return its message id. An empty `configuration_set` means none."""
        chosen = self.outputs["ConfigurationSetName"] if configuration_set is None else configuration_set
        response = self.client("sesv2").send_email(
            FromEmailAddress=SENDER,
            Destination={"ToAddresses": list(recipients)},
            Content={"Simple": {"Subject": {"Data": subject}, "Body": {"Text": {"Data": "Hello"}}}},
            **({"ConfigurationSetName": chosen} if chosen else {}),
        )
        return str(response["MessageId"])


def create_client(
    server: RunningServer,
    service: str,
    session: botocore.session.Session | None = None,
    credentials: Mapping[str, str] | None = None,
) -> Any:  # noqa: ANN401
    """Return a client of the local AWS, with the credentials of the root user or with those that STS returned."""
    environment = server.environment
    keys = credentials or {
        "AccessKeyId": environment["AWS_ACCESS_KEY_ID"],
        "SecretAccessKey": environment["AWS_SECRET_ACCESS_KEY"],
    }
    return (session or botocore.session.Session()).create_client(
        service,
        region_name=environment["AWS_REGION"],
        endpoint_url=server.url,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys.get("SessionToken"),
        config=Config(retries={"mode": "standard", "total_max_attempts": 8}, read_timeout=120),
    )

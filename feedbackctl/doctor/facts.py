"""What the checks know: the stack, the options of the command, and readings that several hops share."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from feedbackctl.doctor.aws_reader import AwsReader, NotFoundError, ReadError
from feedbackctl.doctor.policy_check import ServiceRequest
from feedbackctl.doctor.remedies import aws_command
from ses_feedback.settings import LANES

SES = "ses.amazonaws.com"
SNS = "sns.amazonaws.com"
_DAY = timedelta(days=1)
_SETTLING = timedelta(hours=1)


@dataclass(frozen=True)
class Stack:
    """A deployed stack: parameters, outputs, and the physical ids and types of its resources by logical id."""

    name: str
    stack_id: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]
    resources: Mapping[str, str]
    types: Mapping[str, str]

    @cached_property
    def region(self) -> str:
        """The Region of the stack."""
        return self.stack_id.split(":")[3]

    @cached_property
    def account(self) -> str:
        """The id of the account."""
        return self.stack_id.split(":")[4]

    @cached_property
    def partition(self) -> str:
        """The partition of the Region, such as `aws` or `aws-cn`."""
        return self.stack_id.split(":")[1]

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource in the account and Region of the stack."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


def read_stack(reader: AwsReader, name: str) -> Stack:
    """Return the stack.

    Raises:
        ReadError: CloudFormation cannot be read, or there is no such stack.

    """
    described = reader.read("cloudformation", "describe_stacks", StackName=name)["Stacks"][0]
    resources = reader.read_pages("cloudformation", "list_stack_resources", "StackResourceSummaries", StackName=name)
    return Stack(
        name,
        described["StackId"],
        {each["ParameterKey"]: each.get("ParameterValue", "") for each in described.get("Parameters", [])},
        {each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", [])},
        {each["LogicalResourceId"]: each.get("PhysicalResourceId", "") for each in resources},
        {each["LogicalResourceId"]: each["ResourceType"] for each in resources},
    )


@dataclass(frozen=True)
class Facts:
    """What the checks know. `identities` are those that the operator named; none means all.

    `profile` is the AWS profile that the commands use.
    """

    reader: AwsReader
    stack: Stack
    now: datetime
    identities: tuple[str, ...] = ()
    profile: str | None = None

    def command(self, service: str, operation: str, /, *arguments: str, **options: Any) -> str:  # noqa: ANN401 (JSON)
        """Return a command of the AWS CLI for the Region of the stack."""
        return aws_command(service, operation, self.stack.region, *arguments, **options, profile=self.profile)

    @property
    def configuration_set(self) -> str:
        """The configuration set of the stack."""
        return self.stack.outputs["ConfigurationSetName"]

    @property
    def deliveries_by(self) -> str:
        """The path of deliveries: `Topic`, `Firehose` or `None`."""
        return self.stack.parameters.get("DeliveriesBy", "Topic")

    @property
    def streams(self) -> tuple[str, ...]:
        """The declared streams."""
        return tuple(filter(None, (name.strip() for name in self.stack.parameters.get("Streams", "").split(","))))

    @property
    def key(self) -> str:
        """The ARN of the stack's key, or an empty string."""
        return self.stack.outputs.get("KeyArn", "")

    @property
    def topics(self) -> dict[str, str]:
        """The ARNs of the topics by lane."""
        return {lane: self.stack.outputs[f"{lane}TopicArn"] for lane in LANES}

    @property
    def alarm_topics(self) -> list[str]:
        """The ARNs of the topics that receive the alarms: the stack's own, and that of the operator."""
        topics = [self.stack.resources.get("AlarmTopic", ""), self.stack.parameters.get("AlarmTopicArn", "")]
        return [topic for topic in topics if topic]

    def queue_url(self, name: str) -> str:
        """Return the URL of a queue: of a lane, `Undelivered`, `DeadLetter` or `Quarantine`."""
        return self.stack.outputs[f"{name}QueueUrl"]

    def queue_arn(self, name: str) -> str:
        """Return the ARN of a queue."""
        return self.stack.arn("sqs", self.queue_url(name).rpartition("/")[2])

    def function_name(self, name: str) -> str:
        """Return the name of a function: of a lane, or `Suppression`."""
        return self.stack.outputs[f"{name}FunctionName"]

    def queue(self, name: str) -> Mapping[str, str]:
        """Return the attributes of a queue.

        Raises:
            ReadError: the queue cannot be read.

        """
        url = self.queue_url(name)
        response = self.reader.read("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["All"])
        attributes: Mapping[str, str] = response["Attributes"]
        return attributes

    def topic(self, arn: str) -> Mapping[str, str]:
        """Return the attributes of a topic.

        Raises:
            ReadError: the topic cannot be read.

        """
        attributes: Mapping[str, str] = self.reader.read("sns", "get_topic_attributes", TopicArn=arn)["Attributes"]
        return attributes

    def ses_request(self, action: str, resource: str, source: str) -> ServiceRequest:
        """Return the request that SES makes for `source`, the resource part of an ARN."""
        return self.service_request(SES, action, resource, self.stack.arn("ses", source))

    def sns_request(self, action: str, resource: str, topic: str) -> ServiceRequest:
        """Return the request that SNS makes for a topic."""
        return self.service_request(SNS, action, resource, topic)

    def service_request(self, service: str, action: str, resource: str, source_arn: str) -> ServiceRequest:
        """Return the request that a service makes for `source_arn`."""
        context = {
            "aws:sourceaccount": self.stack.account,
            "aws:sourcearn": source_arn,
            "aws:securetransport": "true",
            "aws:principalisawsservice": "true",
            "aws:principalservicename": service,
            "aws:viaawsservice": "false",
        }
        return ServiceRequest(service, action, resource, context)

    def sum_of_day(self, namespace: str, metric: str, **dimensions: str) -> float:
        """Return the sum of a metric in the last 24 hours.

        Raises:
            ReadError: CloudWatch cannot be read.

        """
        return sum(value for _, value in self.hourly(namespace, metric, _DAY, **dimensions))

    def hourly(self, namespace: str, metric: str, past: timedelta, **dimensions: str) -> list[tuple[datetime, float]]:
        """Return the sums of a metric by hour, newest first, and the start of each hour.

        Raises:
            ReadError: CloudWatch cannot be read.

        """
        end = self.now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        query = {
            "Namespace": namespace,
            "MetricName": metric,
            "Dimensions": [{"Name": name, "Value": value} for name, value in sorted(dimensions.items())],
            "StartTime": end - past,
            "EndTime": end,
            "Period": 3600,
            "Statistics": ["Sum"],
        }
        points = self.reader.read("cloudwatch", "get_metric_statistics", **query)["Datapoints"]
        found = [(each["Timestamp"].astimezone(UTC), float(each["Sum"])) for each in points]
        return sorted(found, reverse=True)

    def sent_in_a_day(self) -> float:
        """Return the number of emails that the account sent in 24 hours, or 0 if it cannot be read."""
        try:
            return self.sum_of_day("AWS/SES", "Send")
        except ReadError:
            return 0.0

    def invocations_in_a_day(self, lane: str) -> float:
        """Return the number of batches that a lane processed in 24 hours, or 0 if it cannot be read."""
        try:
            return self.sum_of_day("AWS/Lambda", "Invocations", FunctionName=self.function_name(lane))
        except ReadError:
            return 0.0

    def settled(self, metric: str) -> float:
        """Return a sum of SES in the last 24 hours without the last hour, whose feedback may still be on its way.

        It is 0 if the metric cannot be read.
        """
        try:
            hours = self.hourly("AWS/SES", metric, _DAY)
        except ReadError:
            return 0.0
        return sum(value for at, value in hours if at <= self.now - _SETTLING)

    @property
    def is_silent(self) -> bool:
        """True if email was sent in the last 24 hours, and no lane received feedback."""
        return self.settled("Send") > 0 and not any(map(self.invocations_in_a_day, LANES))

    def configuration_set_facts(self, name: str) -> Mapping[str, Any] | None:
        """Return a configuration set, or None if it does not exist.

        Raises:
            ReadError: SES cannot be read.

        """
        try:
            return self.reader.read("sesv2", "get_configuration_set", ConfigurationSetName=name)
        except NotFoundError:
            return None

    def destinations(self, configuration_set: str) -> list[Mapping[str, Any]]:
        """Return the event destinations of a configuration set. A set that does not exist has none.

        Raises:
            ReadError: SES cannot be read.

        """
        try:
            response = self.reader.read(
                "sesv2", "get_configuration_set_event_destinations", ConfigurationSetName=configuration_set
            )
        except NotFoundError:
            return []
        return list(response.get("EventDestinations", []))

"""An AWS account in memory, as `feedbackctl doctor` reads it. It is healthy until a test changes it.

Requests and responses are checked with botocore's models, so neither can have a field that AWS does not know.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from feedbackctl.doctor.aws_reader import AwsReader
from feedbackctl.doctor.expected import (
    QUEUE_ATTRIBUTES,
    import_read_statement,
    key_statements,
    redrive_policy,
    ses_publish_statement,
    topic_send_statement,
)
from feedbackctl.doctor.facts import Facts, read_stack
from ses_feedback.settings import LANES

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
REGION, ACCOUNT, STACK = "eu-west-1", "123456789012", "mail"
ALARM_TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:oncall"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
STREAM = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/mail-Contacts/stream/2026-01-01T00:00:00.000"
Answer = Mapping[str, Any] | Callable[[Mapping[str, Any]], Mapping[str, Any]]
_SESSION = botocore.session.get_session()


def refuse(code: str) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """Return an answer that is an error of AWS."""

    def answer(_request: Mapping[str, Any]) -> Mapping[str, Any]:
        raise ClientError({"Error": {"Code": code, "Message": "someone@example.com may not"}}, "Operation")

    return answer


class DoctorAws:
    """The account. `answers` has the response of each operation, or a function of the request."""

    def __init__(self) -> None:
        self.parameters = {"DeliveriesBy": "Topic", "EventBusName": "default", "AlarmTopicArn": ALARM_TOPIC}
        self.outputs = _outputs()
        self.identities: dict[str, dict[str, Any]] = {"example.com": {}}
        self.sent, self.runs, self.errors = 1200.0, 30.0, 0.0
        self.requests: list[str] = []
        self.answers: dict[tuple[str, str], Answer] = {}
        self.facts = self._create_facts()
        self.answers |= _healthy_answers(self, self.facts)

    def client(self, service: str) -> Any:  # noqa: ANN401 (as botocore's)
        """Return a client of a service."""
        return FakeClient(service, self)

    def read_again(self, *identities: str) -> Facts:
        """Return facts without memory of earlier readings."""
        return self._create_facts(identities)

    def _create_facts(self, identities: tuple[str, ...] = ()) -> Facts:
        self.answers["cloudformation", "describe_stacks"] = {"Stacks": [_describe_stack(self)]}
        self.answers["cloudformation", "list_stack_resources"] = {"StackResourceSummaries": _resources()}
        reader = AwsReader(self.client, sleep=lambda _: None)
        return Facts(reader, read_stack(reader, STACK), NOW, identities)


class FakeClient:
    """A client of one service, with botocore's names."""

    def __init__(self, service: str, aws: DoctorAws) -> None:
        self._service, self._aws = service, aws
        self._model = _SESSION.get_service_model(service)
        mapping = {xform_name(name): name for name in self._model.operation_names}
        self.meta = SimpleNamespace(method_to_api_mapping=mapping)

    def __getattr__(self, operation: str) -> Callable[..., Mapping[str, Any]]:
        """Return the method of an operation."""

        def call(**request: Any) -> Mapping[str, Any]:  # noqa: ANN401
            model = self._model.operation_model(self.meta.method_to_api_mapping[operation])
            if model.input_shape:
                _validate(request, model.input_shape)
            self._aws.requests.append(f"{self._service}.{operation}")
            answer = self._aws.answers[self._service, operation]
            response = answer(request) if callable(answer) else answer
            _validate(response, model.output_shape)
            return response

        return call


def _validate(document: Mapping[str, Any], shape: Any) -> None:  # noqa: ANN401 (botocore's shape)
    unknown = set(document) - set(shape.members)
    assert not unknown, unknown
    report = ParamValidator().validate(document, shape)
    assert not report.has_errors(), report.generate_report()


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def _outputs() -> dict[str, str]:
    outputs = {"ConfigurationSetName": "mail-set", "ContactsTableName": "mail-Contacts", "KeyArn": KEY}
    outputs["ContactsTableArn"] = _arn("dynamodb", "table/mail-Contacts")
    for lane in LANES:
        outputs[f"{lane}TopicArn"] = _arn("sns", f"mail-{lane}Topic")
    for name in (*LANES, "Quarantine", "DeadLetter", "Undelivered"):
        outputs[f"{name}QueueUrl"] = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/mail-{name}Queue"
    for name in (*LANES, "Suppression"):
        outputs[f"{name}FunctionName"] = f"mail-{name}Function"
    return outputs


def _describe_stack(aws: DoctorAws) -> dict[str, Any]:
    return {
        "StackName": STACK,
        "StackId": _arn("cloudformation", f"stack/{STACK}/00000000-0000-0000-0000-000000000000"),
        "CreationTime": NOW - timedelta(days=90),
        "StackStatus": "CREATE_COMPLETE",
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in aws.parameters.items()],
        "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in aws.outputs.items()],
    }


def _resources() -> list[dict[str, Any]]:
    found = {
        "ImportBucket": ("mail-importbucket-1", "AWS::S3::Bucket"),
        "SuppressionFunctionSweep": ("mail-Sweep", "AWS::Scheduler::Schedule"),
        "BounceLaneWaits": ("mail-BounceLaneWaits", "AWS::CloudWatch::Alarm"),
        "BounceRate": ("mail-BounceRate", "AWS::CloudWatch::Alarm"),
        "BounceQueue": (_outputs()["BounceQueueUrl"], "AWS::SQS::Queue"),
    }
    return [
        {
            "LogicalResourceId": logical,
            "PhysicalResourceId": physical,
            "ResourceType": kind,
            "LastUpdatedTimestamp": NOW,
            "ResourceStatus": "CREATE_COMPLETE",
        }
        for logical, (physical, kind) in found.items()
    ]


def policy(*statements: Mapping[str, Any]) -> str:
    """Return a policy with these statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _healthy_answers(aws: DoctorAws, facts: Facts) -> dict[tuple[str, str], Answer]:
    return {**_ses_answers(aws, facts), **_message_answers(facts), **_compute_answers(aws, facts)}


def _ses_answers(aws: DoctorAws, facts: Facts) -> dict[tuple[str, str], Answer]:
    destinations = [
        {"Name": lane, "Enabled": True, "MatchingEventTypes": types, "SnsDestination": {"TopicArn": facts.topics[lane]}}
        for lane, types in (
            ("Bounce", ["BOUNCE"]),
            ("Complaint", ["COMPLAINT"]),
            ("Delivery", ["DELIVERY", "REJECT", "RENDERING_FAILURE", "DELIVERY_DELAY", "SUBSCRIPTION"]),
        )
    ]

    def attributes(field: str, describe: Callable[[dict[str, Any]], dict[str, Any]]) -> Answer:
        return lambda request: {field: {name: describe(aws.identities[name]) for name in request["Identities"]}}

    return {
        ("sesv2", "get_account"): {
            "EnforcementStatus": "HEALTHY",
            "SendingEnabled": True,
            "ProductionAccessEnabled": True,
            "SendQuota": {"Max24HourSend": 50_000.0, "MaxSendRate": 14.0, "SentLast24Hours": 1200.0},
            "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
        },
        ("sesv2", "list_email_identities"): lambda _: {
            "EmailIdentities": [
                {"IdentityName": name, "VerificationStatus": each.get("verification", "SUCCESS")}
                for name, each in aws.identities.items()
            ]
        },
        ("sesv2", "get_email_identity"): lambda request: {
            "ConfigurationSetName": aws.identities[request["EmailIdentity"]].get("set", "mail-set")
        },
        ("ses", "get_identity_notification_attributes"): attributes(
            "NotificationAttributes",
            lambda each: {
                "BounceTopic": "",
                "ComplaintTopic": "",
                "DeliveryTopic": "",
                "ForwardingEnabled": True,
                **each.get("notifications", {}),
            },
        ),
        ("ses", "get_identity_dkim_attributes"): attributes(
            "DkimAttributes",
            lambda each: {"DkimEnabled": True, "DkimVerificationStatus": "Success", **each.get("dkim", {})},
        ),
        ("ses", "get_identity_mail_from_domain_attributes"): attributes(
            "MailFromDomainAttributes",
            lambda each: {
                "MailFromDomain": "",
                "MailFromDomainStatus": "Success",
                "BehaviorOnMXFailure": "UseDefaultValue",
                **each.get("mail_from", {}),
            },
        ),
        ("sesv2", "list_configuration_sets"): {"ConfigurationSets": ["mail-set"]},
        ("sesv2", "get_configuration_set"): {
            "ConfigurationSetName": "mail-set",
            "SendingOptions": {"SendingEnabled": True},
            "SuppressionOptions": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
        },
        ("sesv2", "get_configuration_set_event_destinations"): {"EventDestinations": destinations},
        ("sesv2", "list_resource_tenants"): {"ResourceTenants": []},
        ("sesv2", "list_contact_lists"): {"ContactLists": []},
        ("sesv2", "list_import_jobs"): {"ImportJobs": []},
    }


def _message_answers(facts: Facts) -> dict[tuple[str, str], Answer]:
    def topic(request: Mapping[str, Any]) -> Mapping[str, Any]:
        own = {"Policy": policy(ses_publish_statement(facts)), "KmsMasterKeyId": KEY}
        alarms = {
            "Policy": policy(
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "cloudwatch.amazonaws.com"},
                    "Action": "sns:Publish",
                    "Resource": ALARM_TOPIC,
                }
            )
        }
        return {"Attributes": alarms if request["TopicArn"] == ALARM_TOPIC else own}

    def subscriptions(request: Mapping[str, Any]) -> Mapping[str, Any]:
        lane = next(lane for lane, arn in facts.topics.items() if arn == request["TopicArn"])
        arn, queue = f"{request['TopicArn']}:1", facts.queue_arn(lane)
        return {"Subscriptions": [{"SubscriptionArn": arn, "Protocol": "sqs", "Endpoint": queue}]}

    def queue(request: Mapping[str, Any]) -> Mapping[str, Any]:
        name = next(
            name
            for name in (*LANES, "Quarantine", "DeadLetter", "Undelivered")
            if facts.queue_url(name) == request["QueueUrl"]
        )
        attributes = {"ApproximateNumberOfMessages": "0"}
        if name in LANES:
            attributes |= {
                **QUEUE_ATTRIBUTES,
                "Policy": policy(topic_send_statement(facts, name)),
                "RedrivePolicy": json.dumps(redrive_policy(facts)),
            }
        elif name == "Undelivered":
            attributes["Policy"] = policy(topic_send_statement(facts, name))
        return {"Attributes": attributes}

    return {
        ("sns", "get_topic_attributes"): topic,
        ("sns", "list_subscriptions_by_topic"): subscriptions,
        ("sns", "get_subscription_attributes"): {
            "Attributes": {"RawMessageDelivery": "true", "RedrivePolicy": '{"deadLetterTargetArn":"x"}'}
        },
        ("sqs", "get_queue_attributes"): queue,
        ("kms", "describe_key"): {"KeyMetadata": {"KeyId": KEY, "Arn": KEY, "KeyState": "Enabled"}},
        ("kms", "get_key_policy"): {"Policy": policy(*key_statements(facts).values())},
    }


def _compute_answers(aws: DoctorAws, facts: Facts) -> dict[tuple[str, str], Answer]:
    def mappings(request: Mapping[str, Any]) -> Mapping[str, Any]:
        name = request["FunctionName"].removeprefix("mail-").removesuffix("Function")
        source = STREAM if name == "Suppression" else facts.queue_arn(name)
        types = ["ReportBatchItemFailures"]
        return {
            "EventSourceMappings": [
                {"UUID": f"{name:_<36}", "State": "Enabled", "EventSourceArn": source, "FunctionResponseTypes": types}
            ]
        }

    def metric(request: Mapping[str, Any]) -> Mapping[str, Any]:
        names = {"Send": aws.sent, "Delivery": aws.sent, "Invocations": aws.runs, "Errors": aws.errors}
        value = names.get(request["MetricName"], 0.0)
        return {"Datapoints": [{"Timestamp": NOW - timedelta(hours=1), "Sum": value}] if value else []}

    alarm = {"StateValue": "OK", "ActionsEnabled": True, "AlarmActions": [ALARM_TOPIC], "StateUpdatedTimestamp": NOW}
    bucket = policy(import_read_statement(facts, "mail-importbucket-1"))
    variables = {"TABLE_NAME": "mail-Contacts", "QUARANTINE_QUEUE_URL": facts.queue_url("Quarantine")}
    return {
        ("lambda", "list_event_source_mappings"): mappings,
        ("lambda", "get_function_configuration"): lambda request: {
            "FunctionName": request["FunctionName"],
            "State": "Active",
            "Environment": {"Variables": variables},
        },
        ("lambda", "get_function_concurrency"): {},
        ("cloudwatch", "get_metric_statistics"): metric,
        ("cloudwatch", "describe_alarms"): {
            "MetricAlarms": [
                {
                    **alarm,
                    "AlarmName": "mail-BounceLaneWaits",
                    "Namespace": "AWS/SQS",
                    "MetricName": "ApproximateAgeOfOldestMessage",
                    "Dimensions": [{"Name": "QueueName", "Value": "mail-BounceQueue"}],
                },
                {
                    **alarm,
                    "AlarmName": "mail-BounceRate",
                    "Namespace": "AWS/SES",
                    "MetricName": "Reputation.BounceRate",
                },
            ]
        },
        ("dynamodb", "describe_table"): {
            "Table": {
                "TableName": "mail-Contacts",
                "TableStatus": "ACTIVE",
                "LatestStreamArn": STREAM,
                "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
                "GlobalSecondaryIndexes": [
                    {"IndexName": name, "IndexStatus": "ACTIVE"}
                    for name in ("Unsendable", "PendingSync", "SuspensionEnd")
                ],
            }
        },
        ("dynamodb", "describe_time_to_live"): {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED"}},
        ("dynamodb", "describe_continuous_backups"): {
            "ContinuousBackupsDescription": {
                "ContinuousBackupsStatus": "ENABLED",
                "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED"},
            }
        },
        ("dynamodb", "query"): {"Items": []},
        ("scheduler", "get_schedule"): {
            "Name": "mail-Sweep",
            "State": "ENABLED",
            "ScheduleExpression": "rate(5 minutes)",
        },
        ("events", "describe_event_bus"): {"Name": "default"},
        ("s3", "get_bucket_policy"): {"Policy": bucket},
    }

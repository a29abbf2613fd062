"""`feedbackctl doctor`: each hop is broken in turn. Doctor names that hop only, and its command fixes the hop."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

import botocore.session
import pytest
from botocore.config import Config
from click.testing import CliRunner

from feedbackctl.__main__ import main
from feedbackctl.doctor.aws_reader import AwsReader
from feedbackctl.doctor.facts import Facts, read_stack
from feedbackctl.doctor.model import Diagnosis, State
from feedbackctl.doctor.path import diagnose
from tests.e2e.stack_under_test import StackUnderTest
from tests.support.aws_cli import run_command

IDENTITY = "example.com"


class Broken(NamedTuple):
    """A broken hop, by its name. `undo` restores what no command can."""

    hop: str
    do: Callable[[StackUnderTest], object]
    state: State = State.FAIL
    undo: Callable[[StackUnderTest], object] | None = None


def ask_doctor(stack: StackUnderTest) -> Diagnosis:
    """Return a new diagnosis of the stack."""
    reader = AwsReader(stack.client)
    return diagnose(Facts(reader, read_stack(reader, stack.name), datetime.now(UTC)))


def change_settings(stack: StackUnderTest, **changes: Any) -> None:  # noqa: ANN401 (JSON)
    stack.server.call("ses-settings", changes, method="PUT")


def change_identity(stack: StackUnderTest, **fields: Any) -> None:  # noqa: ANN401 (JSON)
    change_settings(stack, identities={IDENTITY: fields})


def set_topics(stack: StackUnderTest, *kinds: str, forwarding: bool = False) -> None:
    """Make the identity publish these kinds of feedback to the topics of the stack, and no others."""
    ses = stack.client("ses")
    for kind in ("Bounce", "Complaint", "Delivery"):
        topic = {"SnsTopic": stack.outputs[f"{kind}TopicArn"]} if kind in kinds else {}
        ses.set_identity_notification_topic(Identity=IDENTITY, NotificationType=kind, **topic)
    ses.set_identity_feedback_forwarding_enabled(Identity=IDENTITY, ForwardingEnabled=forwarding)


def change_destination(stack: StackUnderTest, event_type: str, **changes: Any) -> None:  # noqa: ANN401 (JSON)
    """Change the destination of an event type, or delete it without `changes`."""
    ses, name = stack.client("sesv2"), stack.outputs["ConfigurationSetName"]
    found = ses.get_configuration_set_event_destinations(ConfigurationSetName=name)["EventDestinations"]
    destination = next(each for each in found if event_type in each["MatchingEventTypes"])
    request = {"ConfigurationSetName": name, "EventDestinationName": destination.pop("Name")}
    if not changes:
        ses.delete_configuration_set_event_destination(**request)
        return
    ses.update_configuration_set_event_destination(**request, EventDestination={**destination, **changes})


def add_tenant(stack: StackUnderTest) -> None:
    """Give the configuration set to a tenant that may not send."""
    ses, name = stack.client("sesv2"), stack.outputs["ConfigurationSetName"]
    ses.create_tenant(TenantName="shop")
    account = stack.outputs["ContactsTableArn"].split(":")[4]
    arn = f"arn:aws:ses:us-east-1:{account}:configuration-set/{name}"
    ses.create_tenant_resource_association(TenantName="shop", ResourceArn=arn)
    change_settings(stack, tenant_status={"shop": "DISABLED"})


def set_silent_default_set(stack: StackUnderTest) -> None:
    """Give the identity a default configuration set that publishes nowhere."""
    ses = stack.client("sesv2")
    ses.create_configuration_set(ConfigurationSetName="silent")
    ses.put_email_identity_configuration_set_attributes(EmailIdentity=IDENTITY, ConfigurationSetName="silent")


def set_topic(stack: StackUnderTest, name: str, value: str) -> None:
    """Set an attribute of BounceTopic."""
    arn = stack.outputs["BounceTopicArn"]
    stack.client("sns").set_topic_attributes(TopicArn=arn, AttributeName=name, AttributeValue=value)


def deny(service: str, action: str, resource: str) -> str:
    """Return a policy that allows everything and denies one action of one service."""
    allow = {"Sid": "All", "Effect": "Allow", "Principal": "*", "Action": action, "Resource": resource}
    no = {"Effect": "Deny", "Principal": {"Service": service}, "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [allow, no]})


def remove_key_statement(stack: StackUnderTest, sid: str) -> None:
    kms, key = stack.client("kms"), stack.outputs["KeyArn"]
    policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    policy["Statement"] = [each for each in policy["Statement"] if each["Sid"] != sid]
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))


def subscription(stack: StackUnderTest, lane: str = "Bounce") -> str:
    found = stack.client("sns").list_subscriptions_by_topic(TopicArn=stack.outputs[f"{lane}TopicArn"])
    return str(found["Subscriptions"][0]["SubscriptionArn"])


def set_subscription(stack: StackUnderTest, name: str, value: str) -> None:
    stack.client("sns").set_subscription_attributes(
        SubscriptionArn=subscription(stack), AttributeName=name, AttributeValue=value
    )


def set_queue(stack: StackUnderTest, queue: str, **attributes: str) -> None:
    stack.client("sqs").set_queue_attributes(QueueUrl=stack.outputs[f"{queue}QueueUrl"], Attributes=attributes)


def mapping(stack: StackUnderTest, function: str) -> str:
    """Return the id of a function's event source mapping: the newest, because a table with a new stream has two."""
    found = stack.client("lambda").list_event_source_mappings(FunctionName=stack.outputs[f"{function}FunctionName"])
    return str(max(found["EventSourceMappings"], key=lambda each: each["LastModified"])["UUID"])


def set_mapping(stack: StackUnderTest, function: str, **options: Any) -> None:  # noqa: ANN401 (JSON)
    stack.client("lambda").update_event_source_mapping(UUID=mapping(stack, function), **options)


def set_variable(stack: StackUnderTest, **variables: str) -> None:
    functions, name = stack.client("lambda"), stack.outputs["BounceFunctionName"]
    current = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": {**current, **variables}})


def disable_sweep(stack: StackUnderTest) -> None:
    scheduler, name = stack.client("scheduler"), stack.resources()["SuppressionFunctionSweep"]
    schedule = scheduler.get_schedule(Name=name)
    kept = {field: schedule[field] for field in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
    scheduler.update_schedule(**kept, State="DISABLED")


PENDING = {"address": {"S": "pending@example.com"}, "record": {"S": "contact"}}


def leave_pending(stack: StackUnderTest) -> None:
    """Store an item that has been pending for two hours, and that no sweep recognizes as a contact."""
    past = (datetime.now(UTC) - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    item = {**PENDING, "pending_at": {"S": past}, "pending_shard": {"S": "00"}}
    stack.client("dynamodb").put_item(TableName=stack.outputs["ContactsTableName"], Item=item)


def delete_bucket_statement(stack: StackUnderTest) -> None:
    s3, bucket = stack.client("s3"), stack.resources()["ImportBucket"]
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    policy["Statement"] = [each for each in policy["Statement"] if each["Effect"] == "Deny"]
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


def alarm(stack: StackUnderTest, name: str = "BounceLaneWaits") -> dict[str, Any]:
    names = [stack.resources()[name]]
    found: dict[str, Any] = stack.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"][0]
    return found


SETS = "configuration-sets"
BROKEN = {
    "the account may not send": Broken(
        "account", lambda s: s.client("sesv2").put_account_sending_attributes(SendingEnabled=False)
    ),
    "SES paused the account": Broken(
        "account",
        lambda s: change_settings(s, enforcement="SHUTDOWN"),
        undo=lambda s: change_settings(s, enforcement="HEALTHY"),
    ),
    "SES reviews the account": Broken(
        "account",
        lambda s: change_settings(s, enforcement="PROBATION"),
        State.WARN,
        lambda s: change_settings(s, enforcement="HEALTHY"),
    ),
    "SES reports a new status of the account": Broken(
        "account",
        lambda s: change_settings(s, enforcement="PAUSED"),
        State.UNKNOWN,
        lambda s: change_settings(s, enforcement="HEALTHY"),
    ),
    "the daily quota is used up": Broken(
        "account", lambda s: change_settings(s, sent=50_000.0), undo=lambda s: change_settings(s, sent=0.0)
    ),
    "no list entry blocks email": Broken(
        "account",
        lambda s: s.client("sesv2").put_account_suppression_attributes(SuppressedReasons=["BOUNCE"]),
        State.WARN,
    ),
    "the identity is not verified": Broken(
        "identities",
        lambda s: change_identity(s, verification="FAILED"),
        undo=lambda s: change_identity(s, verification="SUCCESS"),
    ),
    "the identity does not sign": Broken(
        "identities",
        lambda s: s.client("sesv2").put_email_identity_dkim_attributes(EmailIdentity=IDENTITY, SigningEnabled=False),
        State.WARN,
    ),
    "the MAIL FROM domain is refused": Broken(
        "identities",
        lambda s: change_identity(
            s, mail_from="mail.example.com", mail_from_status="FAILED", on_mx_failure="REJECT_MESSAGE"
        ),
        undo=lambda s: change_identity(s, mail_from="", mail_from_status="SUCCESS"),
    ),
    "the identity has no topic for deliveries": Broken(
        "identities", lambda s: set_topics(s, "Bounce", "Complaint"), undo=set_topics
    ),
    "SES removed the topic for bounces": Broken(
        "identities", lambda s: set_topics(s, "Complaint", "Delivery"), undo=set_topics
    ),
    "SES also forwards feedback": Broken(
        "identities",
        lambda s: set_topics(s, "Bounce", "Complaint", "Delivery", forwarding=True),
        State.WARN,
        set_topics,
    ),
    "the default set of the identity publishes nowhere": Broken(
        SETS, set_silent_default_set, undo=lambda s: change_identity(s, configuration_set="")
    ),
    "the configuration set is paused": Broken(
        SETS,
        lambda s: s.client("sesv2").put_configuration_set_sending_options(
            ConfigurationSetName=s.outputs["ConfigurationSetName"], SendingEnabled=False
        ),
    ),
    "the destination of bounces is disabled": Broken(SETS, lambda s: change_destination(s, "BOUNCE", Enabled=False)),
    "the destination of complaints is deleted": Broken(SETS, lambda s: change_destination(s, "COMPLAINT")),
    "deliveries are not published": Broken(
        SETS, lambda s: change_destination(s, "DELIVERY", MatchingEventTypes=["REJECT", "SUBSCRIPTION"])
    ),
    "no list entry blocks email with the set": Broken(
        SETS,
        lambda s: s.client("sesv2").put_configuration_set_suppression_options(
            ConfigurationSetName=s.outputs["ConfigurationSetName"], SuppressedReasons=[]
        ),
    ),
    "the configuration set is deleted": Broken(
        SETS,
        lambda s: s.client("sesv2").delete_configuration_set(ConfigurationSetName=s.outputs["ConfigurationSetName"]),
    ),
    "the tenant may not send": Broken(
        SETS,
        add_tenant,
        undo=lambda s: s.client("sesv2").delete_tenant(TenantName="shop"),
    ),
    "an SES contact list has a topic that is no stream": Broken(
        SETS,
        lambda s: s.client("sesv2").create_contact_list(
            ContactListName="readers",
            Topics=[{"TopicName": "offers", "DisplayName": "Offers", "DefaultSubscriptionStatus": "OPT_IN"}],
        ),
        State.WARN,
        lambda s: change_settings(s, contact_lists={}),
    ),
    "the topic policy allows nothing": Broken(
        "topics",
        lambda s: set_topic(
            s,
            "Policy",
            '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"sns:Publish",'
            '"Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}',
        ),
    ),
    "the topic policy denies SES": Broken(
        "topics",
        lambda s: set_topic(s, "Policy", deny("ses.amazonaws.com", "sns:Publish", s.outputs["BounceTopicArn"])),
    ),
    "the topic has a key that SES cannot use": Broken(
        "topics", lambda s: set_topic(s, "KmsMasterKeyId", "alias/aws/sns")
    ),
    "the key is disabled": Broken("key", lambda s: s.client("kms").disable_key(KeyId=s.outputs["KeyArn"])),
    "the key is about to be deleted": Broken(
        "key", lambda s: s.client("kms").schedule_key_deletion(KeyId=s.outputs["KeyArn"], PendingWindowInDays=7)
    ),
    "SES may not use the key": Broken("key", lambda s: remove_key_statement(s, "SesPublishToTopics")),
    "SES may not read import objects with the key": Broken(
        "key", lambda s: remove_key_statement(s, "SesReadImportObjects")
    ),
    "SNS may not use the key": Broken("key", lambda s: remove_key_statement(s, "SnsDeliverToQueues")),
    "no role may use the key": Broken("key", lambda s: remove_key_statement(s, "AccountAccessThroughIam")),
    "the queue is not subscribed": Broken(
        "subscriptions", lambda s: s.client("sns").unsubscribe(SubscriptionArn=subscription(s))
    ),
    "the subscription filters": Broken(
        "subscriptions", lambda s: set_subscription(s, "FilterPolicy", '{"kind":["bounce"]}')
    ),
    "the subscription is not raw": Broken(
        "subscriptions", lambda s: set_subscription(s, "RawMessageDelivery", "false"), State.WARN
    ),
    "the queue policy allows nothing": Broken(
        "queues", lambda s: set_queue(s, "Complaint", Policy='{"Version":"2012-10-17","Statement":[]}')
    ),
    "the queue policy denies the topic": Broken(
        "queues",
        lambda s: set_queue(
            s,
            "Bounce",
            Policy=deny(
                "sns.amazonaws.com",
                "sqs:SendMessage",
                s.client("sqs").get_queue_attributes(QueueUrl=s.outputs["BounceQueueUrl"], AttributeNames=["QueueArn"])[
                    "Attributes"
                ]["QueueArn"],
            ),
        ),
    ),
    "the queue of undelivered messages accepts nothing": Broken(
        "queues", lambda s: set_queue(s, "Undelivered", Policy='{"Version":"2012-10-17","Statement":[]}')
    ),
    "the queue has no dead-letter queue": Broken(
        "queues", lambda s: set_queue(s, "Delivery", RedrivePolicy=""), State.WARN
    ),
    "the visibility timeout is too short": Broken(
        "queues", lambda s: set_queue(s, "Bounce", VisibilityTimeout="30"), State.WARN
    ),
    "the queue is deleted": Broken(
        "queues", lambda s: s.client("sqs").delete_queue(QueueUrl=s.outputs["ComplaintQueueUrl"])
    ),
    "the event source is disabled": Broken("event-sources", lambda s: set_mapping(s, "Bounce", Enabled=False)),
    "the event source is deleted": Broken(
        "event-sources", lambda s: s.client("lambda").delete_event_source_mapping(UUID=mapping(s, "Complaint"))
    ),
    "the event source filters": Broken(
        "event-sources",
        lambda s: set_mapping(s, "Delivery", FilterCriteria={"Filters": [{"Pattern": '{"body":{"x":[1]}}'}]}),
    ),
    "the event source ignores partial failures": Broken(
        "event-sources", lambda s: set_mapping(s, "Bounce", FunctionResponseTypes=[])
    ),
    "the function may not run": Broken(
        "functions",
        lambda s: s.client("lambda").put_function_concurrency(
            FunctionName=s.outputs["ComplaintFunctionName"], ReservedConcurrentExecutions=0
        ),
    ),
    "the function writes to another table": Broken("functions", lambda s: set_variable(s, TABLE_NAME="another")),
    "the stream of the table is disabled": Broken(
        "table",
        lambda s: s.client("dynamodb").update_table(
            TableName=s.outputs["ContactsTableName"], StreamSpecification={"StreamEnabled": False}
        ),
    ),
    "an index of the table is deleted": Broken(
        "table",
        lambda s: s.client("dynamodb").update_table(
            TableName=s.outputs["ContactsTableName"],
            GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "SuspensionEnd"}}],
        ),
    ),
    "history does not expire": Broken(
        "table",
        lambda s: s.client("dynamodb").update_time_to_live(
            TableName=s.outputs["ContactsTableName"],
            TimeToLiveSpecification={"Enabled": False, "AttributeName": "expires_at"},
        ),
        State.WARN,
    ),
    "the table cannot be restored": Broken(
        "table",
        lambda s: s.client("dynamodb").update_continuous_backups(
            TableName=s.outputs["ContactsTableName"],
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False},
        ),
        State.WARN,
    ),
    "the stream is not read": Broken("list", lambda s: set_mapping(s, "Suppression", Enabled=False)),
    "the event source of the stream is deleted": Broken(
        "list", lambda s: s.client("lambda").delete_event_source_mapping(UUID=mapping(s, "Suppression"))
    ),
    "the sweep is disabled": Broken("list", disable_sweep),
    "a change is pending for hours": Broken(
        "list",
        leave_pending,
        undo=lambda s: s.client("dynamodb").delete_item(TableName=s.outputs["ContactsTableName"], Key=PENDING),
    ),
    "SES may not read import objects": Broken("imports", delete_bucket_statement),
    "the actions of an alarm are disabled": Broken(
        "alarms",
        lambda s: s.client("cloudwatch").disable_alarm_actions(AlarmNames=[alarm(s)["AlarmName"]]),
    ),
    "an alarm watches the queue of another stack": Broken(
        "alarms",
        lambda s: s.client("cloudwatch").put_metric_alarm(
            **{**alarm_fields(s), "Dimensions": [{"Name": "QueueName", "Value": "another"}]}
        ),
        undo=lambda s: s.client("cloudwatch").put_metric_alarm(
            **{
                **alarm_fields(s),
                "Dimensions": [
                    {"Name": "QueueName", "Value": s.outputs["BounceQueueUrl"].rpartition("/")[2]},
                ],
            }
        ),
    ),
}
"""Ways to break a hop."""


def alarm_fields(stack: StackUnderTest) -> dict[str, Any]:
    """Return the fields of an alarm that PutMetricAlarm takes."""
    names = (
        "AlarmName", "Namespace", "MetricName", "Statistic", "Period", "EvaluationPeriods", "ComparisonOperator",
        "Threshold", "TreatMissingData",
    )  # fmt: skip
    return {name: alarm(stack)[name] for name in names}


@pytest.fixture(scope="module")
def healthy(deployed: StackUnderTest) -> dict[str, State]:
    """Return the states of a stack without problems."""
    states = states_of(ask_doctor(deployed))
    assert State.FAIL not in states.values(), states
    return states


def states_of(diagnosis: Diagnosis) -> dict[str, State]:
    return {hop.name: hop.state for hop in diagnosis.hops}


@pytest.mark.parametrize("problem", BROKEN)
def test_doctor_names_the_broken_hop_and_its_commands_fix_it(
    stack: StackUnderTest, healthy: dict[str, State], problem: str
) -> None:
    broken = BROKEN[problem]
    broken.do(stack)
    diagnosis = ask_doctor(stack)
    repair(stack, diagnosis, broken)
    changed = {
        name: state for name, state in states_of(diagnosis).items() if state not in {healthy[name], State.NOT_REACHED}
    }
    assert changed == {broken.hop: broken.state}, problems_of(diagnosis)
    assert commands_of(diagnosis, broken) or broken.undo, "neither a command nor an undo"
    later = diagnosis.hops[list(healthy).index(broken.hop) + 1 :]
    assert broken.state is not State.FAIL or {hop.state for hop in later} <= {State.NOT_REACHED}
    repaired = ask_doctor(stack)
    if problem == "the stream of the table is disabled":
        # A new stream has another ARN, so its event source is the next broken hop.
        assert repaired.broken is not None
        assert repaired.broken.name == "list"
        repair(stack, repaired, Broken("list", broken.do))
        repaired = ask_doctor(stack)
    assert states_of(repaired) == healthy, problems_of(repaired)


def repair(stack: StackUnderTest, diagnosis: Diagnosis, broken: Broken) -> None:
    """Execute the commands that doctor prints for a broken hop, and undo what no command can."""
    for command in commands_of(diagnosis, broken):
        run_command(command, stack.client, "us-east-1")
    if broken.undo is not None:
        broken.undo(stack)


def problems_of(diagnosis: Diagnosis) -> list[str]:
    good = {State.OK, State.SKIPPED}
    return [
        f"{each.subject}: {each.message}" for hop in diagnosis.hops for each in hop.findings if each.state not in good
    ]


def commands_of(diagnosis: Diagnosis, broken: Broken) -> list[str]:
    """Return the commands that doctor prints for the broken hop, each once."""
    hop = next(hop for hop in diagnosis.hops if hop.name == broken.hop)
    bad = [finding for finding in hop.findings if finding.state in {State.FAIL, State.WARN}]
    return list(dict.fromkeys(command for finding in bad for command in finding.commands))


def test_policy_that_iam_read_prints_allows_every_call_of_doctor(
    stack: StackUnderTest, runner: CliRunner, healthy: dict[str, State]
) -> None:
    policy = runner.invoke(main, ["iam", "read", "--stack", stack.name]).stdout
    iam = stack.client("iam")
    iam.create_user(UserName="operator")
    iam.put_user_policy(UserName="operator", PolicyName="read", PolicyDocument=policy)
    key = iam.create_access_key(UserName="operator")["AccessKey"]
    session = botocore.session.Session()
    session.set_credentials(key["AccessKeyId"], key["SecretAccessKey"])
    config = Config(retries={"mode": "standard", "total_max_attempts": 8})

    def create_client(service: str) -> Any:  # noqa: ANN401 (botocore creates the class at run time)
        return session.create_client(service, region_name="us-east-1", endpoint_url=stack.server.url, config=config)

    reader = AwsReader(cache(create_client))
    diagnosis = diagnose(Facts(reader, read_stack(reader, stack.name), datetime.now(UTC)))
    assert states_of(diagnosis) == healthy, problems_of(diagnosis)

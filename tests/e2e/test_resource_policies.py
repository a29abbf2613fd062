"""The policies of topics, queues and key allow what is needed, over TLS, and nothing else."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.deployment.deployed_stack import create_client
from tests.e2e.stack_under_test import LANES, StackUnderTest, wait_for

ACCOUNT, OTHER_ACCOUNT = "123456789012", "999999999999"


def remove_allow_statements(policy: str) -> str:
    """Return a policy without its Allow statements."""
    document = json.loads(policy)
    others = [statement for statement in document["Statement"] if statement["Effect"] != "Allow"]
    return json.dumps({**document, "Statement": others})


def test_ses_cannot_publish_without_the_statement_in_the_topic_policy(stack: StackUnderTest) -> None:
    sns, topic = stack.client("sns"), stack.outputs["BounceTopicArn"]
    policy = sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    reduced = remove_allow_statements(policy)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=reduced)
    refused, allowed = stack.create_address("bounce"), stack.create_address("bounce")
    stack.send_email(refused)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    stack.send_email(allowed)
    assert wait_for(partial(stack.contact, allowed)).get("status") == "bounced"
    assert stack.contact(refused).get("status") != "bounced"


def test_topic_cannot_deliver_without_the_statement_in_the_queue_policy(stack: StackUnderTest) -> None:
    sqs, queue = stack.client("sqs"), stack.outputs["BounceQueueUrl"]
    policy = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])["Attributes"]["Policy"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": remove_allow_statements(policy)})
    refused, allowed = stack.create_address("bounce"), stack.create_address("bounce")
    stack.send_email(refused)
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    stack.send_email(allowed)
    assert wait_for(partial(stack.contact, allowed)).get("status") == "bounced"
    assert stack.contact(refused).get("status") != "bounced"
    (undelivered,) = stack.take_messages(stack.outputs["UndeliveredQueueUrl"])
    assert refused in undelivered


@contextmanager
def key_policy_without(stack: StackUnderTest, sid: str) -> Iterator[None]:
    """Remove a statement from the key policy for the duration of the context."""
    kms, key = stack.client("kms"), stack.outputs["KeyArn"]
    policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    others = [statement for statement in policy["Statement"] if statement["Sid"] != sid]
    assert len(others) == len(policy["Statement"]) - 1
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps({**policy, "Statement": others}))
    yield
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))


@pytest.mark.parametrize("sid", ["SesPublishToTopics", "SnsDeliverToQueues"])
def test_service_cannot_use_the_key_without_its_statement_in_the_key_policy(stack: StackUnderTest, sid: str) -> None:
    refused, allowed = stack.create_address("bounce"), stack.create_address("bounce")
    with key_policy_without(stack, sid):
        stack.send_email(refused)
    stack.send_email(allowed)
    assert wait_for(partial(stack.contact, allowed)).get("status") == "bounced"
    assert stack.contact(refused) == {}


def test_roles_cannot_use_the_key_without_the_statement_that_delegates_to_iam(
    short_visibility_stack: StackUnderTest,
) -> None:
    """Feedback stays in its lane until the statement is back."""
    stack = short_visibility_stack
    address = stack.create_address("bounce")
    with key_policy_without(stack, "AccountAccessThroughIam"):
        stack.send_email(address)
        assert wait_for(partial(stack.contact, address), seconds=8) == {}
        assert stack.queue_length("BounceQueueUrl") == 1
    assert wait_for(partial(stack.contact, address)).get("status") == "bounced"


def test_cloudwatch_logs_stores_nothing_without_its_statement_in_the_key_policy(stack: StackUnderTest) -> None:
    started_at = int(time.time() * 1000)
    with key_policy_without(stack, "CloudWatchLogsEncrypt"):
        unlogged = stack.create_address("bounce")
        stack.send_email(unlogged)
        assert wait_for(partial(stack.contact, unlogged)).get("status") == "bounced"
        assert stack.drain_lanes() == {}
        assert wait_for(partial(stack.log_lines, "Bounce", started_at), seconds=3) == []
    stack.send_email(stack.create_address("bounce"))
    assert wait_for(partial(stack.log_lines, "Bounce", started_at)) != []


@pytest.mark.parametrize("queue", [*LANES, "Quarantine", "DeadLetter", "Undelivered"])
def test_queue_refuses_the_root_user_without_tls(stack: StackUnderTest, queue: str) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        create_plain_http_client(stack, "sqs").send_message(
            QueueUrl=stack.outputs[f"{queue}QueueUrl"], MessageBody="{}"
        )


@pytest.mark.parametrize("topic", LANES)
def test_topic_refuses_the_root_user_without_tls(stack: StackUnderTest, topic: str) -> None:
    with pytest.raises(ClientError, match="AuthorizationError"):
        create_plain_http_client(stack, "sns").publish(TopicArn=stack.outputs[f"{topic}TopicArn"], Message="{}")


def create_plain_http_client(stack: StackUnderTest, service: str) -> Any:  # noqa: ANN401
    """Return a client whose requests count as requests without TLS."""
    client = create_client(stack.server, service)

    def mark_as_http(request: Any, **_: object) -> None:  # noqa: ANN401
        request.headers["X-Forwarded-Proto"] = "http"

    client.meta.events.register(f"before-sign.{service}", mark_as_http)
    return client


def import_address(stack: StackUnderTest) -> str:
    """Let SES import an object of the stack's bucket. Return the status of the finished job."""
    bucket, key = stack.resources()["ImportBucket"], f"imports/{time.monotonic_ns()}.json"
    record = {"emailAddress": stack.create_address("imported"), "reason": "BOUNCE"}
    stack.client("s3").put_object(Bucket=bucket, Key=key, Body=json.dumps(record).encode())
    ses = stack.client("sesv2")
    job = ses.create_import_job(
        ImportDestination={"SuppressionListDestination": {"SuppressionListImportAction": "PUT"}},
        ImportDataSource={"S3Url": f"s3://{bucket}/{key}", "DataFormat": "JSON"},
    )["JobId"]
    ends = {"COMPLETED", "FAILED"}
    status = wait_for(lambda: str(ses.get_import_job(JobId=job)["JobStatus"]), lambda found: found in ends)
    stack.client("s3").delete_object(Bucket=bucket, Key=key)
    return status


def test_ses_imports_objects_only_for_the_account_and_only_through_s3(stack: StackUnderTest) -> None:
    """With another account in the bucket policy, or another service in the key policy, SES cannot read the object."""
    s3, bucket = stack.client("s3"), stack.resources()["ImportBucket"]
    kms, key = stack.client("kms"), stack.outputs["KeyArn"]
    bucket_policy = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    key_policy = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    assert import_address(stack) == "COMPLETED"
    for condition in ("aws:SourceAccount", "aws:Referer"):
        document = json.loads(bucket_policy)
        for statement in document["Statement"]:
            expected = statement["Condition"].get("StringEquals", {})
            if expected and condition not in expected:
                statement["Condition"]["StringEquals"] = dict.fromkeys(expected, OTHER_ACCOUNT)
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))
        assert import_address(stack) == "COMPLETED"
    s3.put_bucket_policy(Bucket=bucket, Policy=bucket_policy.replace(f'"{ACCOUNT}"', f'"{OTHER_ACCOUNT}"'))
    assert import_address(stack) == "FAILED"
    s3.put_bucket_policy(Bucket=bucket, Policy=bucket_policy)
    # Either condition of the key admits SES: the account, or the use through S3.
    other_account = key_policy.replace(f'"{ACCOUNT}"', f'"{OTHER_ACCOUNT}"')
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=other_account)
    assert import_address(stack) == "COMPLETED"
    other_service = other_account.replace('"s3.us-east-1.amazonaws.com"', '"sqs.us-east-1.amazonaws.com"')
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=other_service)
    assert import_address(stack) == "FAILED"
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=key_policy)
    assert import_address(stack) == "COMPLETED"


@pytest.fixture
def role_client(stack: StackUnderTest) -> Iterator[Callable[[str], Any]]:
    """Return a function that creates clients with the role of SuppressionFunction."""
    iam, role = stack.client("iam"), stack.resources()["SuppressionRole"]
    described = iam.get_role(RoleName=role)["Role"]
    principal = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    trust = {"Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]}
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust))
    session = stack.client("sts").assume_role(RoleArn=described["Arn"], RoleSessionName="test")["Credentials"]
    yield lambda service: create_client(stack.server, service, credentials=session)
    original = json.dumps(described["AssumeRolePolicyDocument"])
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=original)


@pytest.mark.parametrize(
    ("source", "detail_type", "allowed"),
    [
        ("ses-feedback", "Contact Status Changed", True),
        ("ses-feedback", "Contact Preferences Changed", True),
        ("ses-feedback", "Order Placed", False),
        ("shop", "Contact Status Changed", False),
    ],
)
def test_role_publishes_only_the_events_of_this_project(
    role_client: Callable[[str], Any], source: str, detail_type: str, *, allowed: bool
) -> None:
    entry = {"Source": source, "DetailType": detail_type, "Detail": "{}", "EventBusName": "default"}
    if allowed:
        assert role_client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0
    else:
        with pytest.raises(ClientError, match="AccessDenied"):
            role_client("events").put_events(Entries=[entry])


def test_role_cannot_use_the_key_directly(stack: StackUnderTest, role_client: Callable[[str], Any]) -> None:
    """It can use it through S3: an object of the import bucket is encrypted with it."""
    bucket = stack.resources()["ImportBucket"]
    role_client("s3").put_object(Bucket=bucket, Key="imports/role", Body=b"{}")
    role_client("s3").delete_object(Bucket=bucket, Key="imports/role")
    with pytest.raises(ClientError, match="AccessDenied"):
        role_client("kms").generate_data_key(KeyId=stack.outputs["KeyArn"], KeySpec="AES_256")


def test_role_cannot_write_to_a_bucket_of_another_account(
    stack: StackUnderTest, role_client: Callable[[str], Any]
) -> None:
    """The emulator has one account, so the policy names another one."""
    iam, role, bucket = stack.client("iam"), stack.resources()["SuppressionRole"], stack.resources()["ImportBucket"]
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    changed = json.loads(json.dumps(document))
    for statement in changed["Statement"]:
        if statement["Sid"] == "ManageImportObjects":
            statement["Condition"] = {"StringEquals": {"aws:ResourceAccount": OTHER_ACCOUNT}}
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(changed))
    with pytest.raises(ClientError, match="AccessDenied"):
        role_client("s3").put_object(Bucket=bucket, Key="imports/role", Body=b"{}")
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


def test_dead_letter_queues_name_the_queues_that_may_use_them(stack: StackUnderTest) -> None:
    sqs = stack.client("sqs")
    found = {}
    for queue in ("DeadLetter", "Quarantine", "Undelivered"):
        response = sqs.get_queue_attributes(QueueUrl=stack.outputs[f"{queue}QueueUrl"], AttributeNames=["All"])
        found[queue] = json.loads(response["Attributes"]["RedriveAllowPolicy"])
    lanes = []
    for lane in LANES:
        response = sqs.get_queue_attributes(QueueUrl=stack.outputs[f"{lane}QueueUrl"], AttributeNames=["QueueArn"])
        lanes.append(response["Attributes"]["QueueArn"])
    nothing = {"redrivePermission": "denyAll"}
    assert found == {
        "DeadLetter": {"redrivePermission": "byQueue", "sourceQueueArns": lanes},
        "Quarantine": nothing,
        "Undelivered": nothing,
    }

"""The policies of topics, queues and key allow what is needed, over TLS, and nothing else."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.deployment.deployed_stack import create_client
from tests.e2e.stack_under_test import LANES, StackUnderTest, wait_for


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

"""Topics and queues take messages from whom they should, over TLS, and from nobody else; so does the key."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.served.stack import client
from tests.e2e.deployed_stack import World, eventually
from tests.e2e.drills import lines_of

ALLOWED = "Allow"


def without_allow(policy: str) -> str:
    """Return a policy without the statements that allow something."""
    document = json.loads(policy)
    rest = [statement for statement in document["Statement"] if statement["Effect"] != ALLOWED]
    return json.dumps({**document, "Statement": rest})


def test_ses_publishes_because_the_topic_lets_it(world: World) -> None:
    """Without the statement that admits SES nothing is heard of a bounce."""
    sns, topic = world.client("sns"), world.outputs["BounceTopicArn"]
    policy = sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=without_allow(policy))
    refused, heard = world.address("bounce"), world.address("bounce")
    world.send(refused)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    world.send(heard)
    assert eventually(partial(world.contact, heard)).get("status") == "bounced"
    assert world.contact(refused).get("status") != "bounced"


def test_a_topic_delivers_because_its_queue_lets_it(world: World) -> None:
    """Without the statement that admits the topic the lane stays empty."""
    sqs, queue = world.client("sqs"), world.outputs["BounceQueueUrl"]
    policy = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])["Attributes"]["Policy"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": without_allow(policy)})
    refused, heard = world.address("bounce"), world.address("bounce")
    world.send(refused)
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    world.send(heard)
    assert eventually(partial(world.contact, heard)).get("status") == "bounced"
    assert world.contact(refused).get("status") != "bounced"


@contextmanager
def key_without(world: World, sid: str) -> Iterator[None]:
    """Take a statement out of the key's policy for as long as the context lasts."""
    kms, key = world.client("kms"), world.outputs["KeyArn"]
    policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    rest = [statement for statement in policy["Statement"] if statement["Sid"] != sid]
    assert len(rest) == len(policy["Statement"]) - 1
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps({**policy, "Statement": rest}))
    yield
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))


@pytest.mark.parametrize("sid", ["SesPublishToTopics", "SnsDeliverToQueues"])
def test_a_service_uses_the_key_because_its_policy_lets_it(world: World, sid: str) -> None:
    """Without the statement that admits the service nothing is heard of a bounce."""
    refused, heard = world.address("bounce"), world.address("bounce")
    with key_without(world, sid):
        world.send(refused)
    world.send(heard)
    assert eventually(partial(world.contact, heard)).get("status") == "bounced"
    assert world.contact(refused) == {}


def test_roles_use_the_key_because_its_policy_leaves_it_to_iam(impatient: World) -> None:
    """Without the statement that leaves it to IAM feedback waits in its lane."""
    address = impatient.address("bounce")
    with key_without(impatient, "AccountAccessThroughIam"):
        impatient.send(address)
        assert eventually(partial(impatient.contact, address), seconds=8) == {}
        assert impatient.waiting("BounceQueueUrl") == 1
    assert eventually(partial(impatient.contact, address)).get("status") == "bounced"


def test_logs_are_stored_because_the_keys_policy_lets_them(world: World) -> None:
    """Without the statement that admits CloudWatch Logs a function works, and nothing is heard of it."""
    began = int(time.time() * 1000)
    with key_without(world, "CloudWatchLogsEncrypt"):
        unlogged = world.address("bounce")
        world.send(unlogged)
        assert eventually(partial(world.contact, unlogged)).get("status") == "bounced"
        assert world.nothing_waits() == {}
        assert eventually(partial(lines_of, world, "Bounce", began), seconds=3) == []
    world.send(world.address("bounce"))
    assert eventually(partial(lines_of, world, "Bounce", began)) != []


@pytest.mark.parametrize("queue", ["Bounce", "Complaint", "Delivery", "Quarantine", "DeadLetter", "Undelivered"])
def test_queues_refuse_what_comes_without_tls(world: World, queue: str) -> None:
    """Even from the account's root."""
    with pytest.raises(ClientError, match="AccessDenied"):
        in_the_clear(world, "sqs").send_message(QueueUrl=world.outputs[f"{queue}QueueUrl"], MessageBody="{}")


@pytest.mark.parametrize("topic", ["Bounce", "Complaint", "Delivery"])
def test_topics_refuse_what_comes_without_tls(world: World, topic: str) -> None:
    """Even from the account's root."""
    with pytest.raises(ClientError, match="AuthorizationError"):
        in_the_clear(world, "sns").publish(TopicArn=world.outputs[f"{topic}TopicArn"], Message="{}")


def in_the_clear(world: World, service: str) -> Any:  # noqa: ANN401 (botocore makes the class at run time)
    """Return a client whose requests count as coming without TLS."""
    made = client(world.running, service)

    def mark(request: Any, **_: object) -> None:  # noqa: ANN401
        request.headers["X-Forwarded-Proto"] = "http"

    made.meta.events.register(f"before-sign.{service}", mark)
    return made

"""A stack with `DeliveriesBy=Firehose`: its deliveries, its invalid objects, and the change back to the topic."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from localaws.deployment import sam_cli
from tests.e2e.stack_under_test import StackUnderTest, wait_for

NAME = "files"
BY_FIREHOSE, BY_TOPIC = "DeliveriesBy=Firehose", "DeliveriesBy=Topic"


@pytest.fixture(scope="module")
def firehose_stack(deployed: StackUnderTest) -> Iterator[StackUnderTest]:
    """Return a stack with deliveries by Firehose, beside the first stack."""
    local_aws, server = deployed.local_aws, deployed.server
    sam_cli.deploy(local_aws, server, name=NAME, parameters=[BY_FIREHOSE])
    yield StackUnderTest(local_aws, server, NAME)
    sam_cli.delete(local_aws, server, name=NAME)


def put_object(stack: StackUnderTest, key: str, content: str) -> None:
    """Write an object into the delivery bucket, as Firehose does."""
    bucket = stack.outputs["DeliveryBucketName"]
    stack.client("s3").put_object(Bucket=bucket, Key=key, Body=content.encode())


def create_delivery_line(address: str) -> str:
    """Return a delivery as SES publishes it to a stream."""
    delivery = {"timestamp": "2026-03-01T12:00:05.000Z", "recipients": [address]}
    mail = {"timestamp": "2026-03-01T12:00:00.000Z", "messageId": "0", "destination": [address]}
    return json.dumps({"eventType": "Delivery", "mail": mail, "delivery": delivery}) + "\n"


def test_deliveries_arrive_through_firehose_and_bounces_through_the_topic(firehose_stack: StackUnderTest) -> None:
    """The path of a delivery is SES, a role, the stream, the bucket, the queue and the function."""
    stack = firehose_stack
    delivered, bounced = stack.create_address("success"), stack.create_address("bounce")
    stack.send_email(delivered)
    stack.send_email(bounced)
    assert wait_for(partial(stack.contact, delivered)).get("status") == "active"
    assert wait_for(partial(stack.contact, bounced)).get("status") == "bounced"
    keys = stack.list_objects(stack.outputs["DeliveryBucketName"])
    assert [key for key in keys if not key.startswith("deliveries/")] == []
    assert keys != []


def test_malformed_line_is_quarantined_and_the_other_lines_are_processed(firehose_stack: StackUnderTest) -> None:
    """Objects outside `deliveries/` are not read."""
    stack = firehose_stack
    addresses = [stack.create_address("success") for _ in range(20)]
    lines = [create_delivery_line(address) for address in addresses]
    put_object(stack, "failed/1", create_delivery_line(stack.create_address("success")))
    put_object(stack, "deliveries/1", "malformed\n".join(lines[:10]) + "".join(lines[10:]))
    for address in addresses:
        assert wait_for(partial(stack.contact, address)).get("status") == "active"
    assert stack.take_quarantined() == {"malformed": "not-json"}
    assert stack.drain_lanes() == {}


def test_notification_about_a_missing_object_is_quarantined_at_once(firehose_stack: StackUnderTest) -> None:
    stack = firehose_stack
    bucket = stack.outputs["DeliveryBucketName"]
    record = {"eventSource": "aws:s3", "s3": {"bucket": {"name": bucket}, "object": {"key": "deliveries/gone"}}}
    notification = json.dumps({"Records": [record]})
    stack.client("sqs").send_message(QueueUrl=stack.outputs["DeliveryQueueUrl"], MessageBody=notification)
    quarantined: dict[str, str] = wait_for(stack.take_quarantined)
    assert quarantined == {notification: "no-such-object"}


def read_bucket_setting(stack: StackUnderTest) -> Any:  # noqa: ANN401 (a string, or None)
    """Return the bucket that DeliveryFunction reads, or None."""
    name = stack.outputs["DeliveryFunctionName"]
    configuration = stack.client("lambda").get_function_configuration(FunctionName=name)
    return configuration["Environment"]["Variables"].get("DELIVERY_BUCKET")


def test_change_back_to_the_topic_keeps_contacts_and_bucket(firehose_stack: StackUnderTest) -> None:
    local_aws, server = firehose_stack.local_aws, firehose_stack.server
    bucket = firehose_stack.outputs["DeliveryBucketName"]
    assert read_bucket_setting(firehose_stack) == bucket
    sam_cli.deploy(local_aws, server, name=NAME, parameters=[BY_TOPIC])
    stack = StackUnderTest(local_aws, server, NAME)
    delivered = stack.create_address("success")
    before = len(stack.list_objects(bucket))
    stack.send_email(delivered)
    assert wait_for(partial(stack.contact, delivered)).get("status") == "active"
    assert len(stack.list_objects(bucket)) == before
    assert (read_bucket_setting(stack), stack.outputs.get("DeliveryBucketName")) == (None, None)

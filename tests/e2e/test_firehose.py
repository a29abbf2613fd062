"""A stack whose deliveries come by Firehose: there and back again, and what it does with what comes."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from localaws.served import stack as stacks
from tests.e2e.deployed_stack import World, eventually

NAME = "files"
BY_FIREHOSE, BY_TOPIC = "DeliveriesBy=Firehose", "DeliveriesBy=Topic"


@pytest.fixture(scope="module")
def files(deployed: World) -> Iterator[World]:
    """A stack beside the first."""
    local, running = deployed.local, deployed.running
    stacks.deploy(local, running, name=NAME, parameters=[BY_FIREHOSE])
    yield World(local, running, NAME)
    stacks.delete(local, running, name=NAME)


def objects(world: World) -> list[str]:
    """Return the keys of the objects in the bucket of deliveries."""
    listed = world.client("s3").list_objects_v2(Bucket=world.outputs["DeliveryBucketName"])
    return [one["Key"] for one in listed.get("Contents", [])]


def quarantined(world: World) -> dict[str, str]:
    """Return what is in quarantine, and why; and take it off."""
    sqs, url = world.client("sqs"), world.outputs["QuarantineQueueUrl"]
    found = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], MaxNumberOfMessages=10).get("Messages", [])
    for one in found:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
    return {one["Body"]: one["MessageAttributes"]["reason"]["StringValue"] for one in found}


def put(world: World, key: str, content: str) -> None:
    """Write an object, as Firehose does."""
    world.client("s3").put_object(Bucket=world.outputs["DeliveryBucketName"], Key=key, Body=content.encode())


def an_event(address: str) -> str:
    """Return a delivery as SES publishes it to a stream."""
    delivery = {"timestamp": "2026-03-01T12:00:05.000Z", "recipients": [address]}
    mail = {"timestamp": "2026-03-01T12:00:00.000Z", "messageId": "0", "destination": [address]}
    return json.dumps({"eventType": "Delivery", "mail": mail, "delivery": delivery}) + "\n"


def test_deliveries_come_by_firehose_and_bounces_by_the_topic(files: World) -> None:
    """From SES to the contact: through a role, a stream, a bucket, a queue and a function, each of which may."""
    delivered, bounced = files.address("success"), files.address("bounce")
    files.send(delivered)
    files.send(bounced)
    assert eventually(partial(files.contact, delivered)).get("status") == "active"
    assert eventually(partial(files.contact, bounced)).get("status") == "bounced"
    assert [key for key in objects(files) if not key.startswith("deliveries/")] == []
    assert objects(files) != []


def test_every_line_is_a_message(files: World) -> None:
    """What can't be understood is set aside by itself; what is not of this bucket's deliveries is not read at all."""
    addresses = [files.address("success") for _ in range(20)]
    put(files, "failed/1", an_event(files.address("success")))
    put(files, "deliveries/1", "poison\n".join(map(an_event, addresses[:10])) + "".join(map(an_event, addresses[10:])))
    for address in addresses:
        assert eventually(partial(files.contact, address)).get("status") == "active"
    assert quarantined(files) == {"poison": "not-json"}
    assert files.nothing_waits() == {}


def test_what_is_gone_is_set_aside(files: World) -> None:
    """With the reason, and not tried for days."""
    bucket = files.outputs["DeliveryBucketName"]
    told = {"eventSource": "aws:s3", "s3": {"bucket": {"name": bucket}, "object": {"key": "deliveries/gone"}}}
    notification = json.dumps({"Records": [told]})
    files.client("sqs").send_message(QueueUrl=files.outputs["DeliveryQueueUrl"], MessageBody=notification)
    found: dict[str, str] = eventually(partial(quarantined, files))
    assert found == {notification: "no-such-object"}


def setting(world: World) -> Any:  # noqa: ANN401 (a variable, or none)
    """Return where the delivery lane's function reads objects."""
    function = world.client("lambda").get_function_configuration(FunctionName=world.outputs["DeliveryFunctionName"])
    return function["Environment"]["Variables"].get("DELIVERY_BUCKET")


def test_there_and_back(files: World) -> None:
    """A stack goes back to the topic with its contacts, and deliveries come that way; the bucket stays behind."""
    local, running, bucket = files.local, files.running, files.outputs["DeliveryBucketName"]
    assert setting(files) == bucket
    stacks.deploy(local, running, name=NAME, parameters=[BY_TOPIC])
    back = World(local, running, NAME)
    delivered = back.address("success")
    before = len(back.client("s3").list_objects_v2(Bucket=bucket).get("Contents", []))
    back.send(delivered)
    assert eventually(partial(back.contact, delivered)).get("status") == "active"
    assert len(back.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])) == before
    assert (setting(back), back.outputs.get("DeliveryBucketName")) == (None, None)

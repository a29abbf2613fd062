"""What goes wrong on a bad day delays feedback, and loses none."""

import json
import os
import signal
from functools import partial

from tests.e2e.world import LANES, World, eventually

DYNAMODB_IS_DOWN = {"service": "dynamodb", "status": 500, "code": "InternalServerError"}


def nothing_waits(world: World) -> dict[str, int]:
    """Return how much is left on each queue once the lanes are empty."""
    eventually(lambda: sum(world.waiting(lane) for lane in LANES), lambda left: left == 0)
    queues = (*LANES, "QuarantineQueueUrl", "DeadLetterQueueUrl", "UndeliveredQueueUrl")
    return {queue: count for queue in queues if (count := world.waiting(queue))}


def test_duplicates_in_any_order_come_to_the_same(world: World) -> None:
    """Everything SES says of eight mails, three times over and backwards, ends as if said once and in order."""
    fates = ("success", "bounce", "complaint", "ooto")
    simple = {fate: world.address(fate) for fate in fates}
    for address in simple.values():
        world.send(address)
    expected = {}
    for fate, address in simple.items():
        seen = eventually(partial(world.contact, address))
        expected[fate] = (seen["status"], eventually(partial(world.history, address), partial(_complete, fate)))

    muddled = {fate: world.address(fate) for fate in fates}
    world.publish(held=True, copies=3)
    for address in muddled.values():
        world.send(address)
    world.publish(held=False, order="reversed")
    assert nothing_waits(world) == {}
    found = {fate: (world.contact(address)["status"], world.history(address)) for fate, address in muddled.items()}
    assert found == expected


def _complete(fate: str, history: list[str]) -> bool:
    return bool(history) or fate == "success"


def test_poison_is_kept_and_can_be_mended(world: World) -> None:
    """A broken message goes to quarantine with its bytes and the reason, and back through its lane when mended."""
    address = world.address("bounce")
    whole = json.dumps(
        {
            "eventType": "Bounce",
            "mail": {"timestamp": "2026-03-01T12:00:00.000Z", "messageId": "m-1", "destination": [address]},
            "bounce": {
                "bounceType": "Permanent",
                "bounceSubType": "General",
                "bouncedRecipients": [{"emailAddress": address}],
                "timestamp": "2026-03-01T12:00:01.000Z",
                "feedbackId": "f-1",
            },
        }
    )
    broken = whole[:-3]
    world.client("sns").publish(TopicArn=world.outputs["BounceTopicArn"], Message=broken)
    sqs, quarantine = world.client("sqs"), world.outputs["QuarantineQueueUrl"]
    kept = eventually(
        lambda: sqs.receive_message(QueueUrl=quarantine, MessageAttributeNames=["All"]).get("Messages", [])
    )
    assert [message["Body"] for message in kept] == [broken]
    assert kept[0]["MessageAttributes"]["reason"]["StringValue"]
    assert world.contact(address) == {}

    sqs.send_message(QueueUrl=world.outputs["BounceQueueUrl"], MessageBody=f"{broken}{whole[-3:]}")
    sqs.delete_message(QueueUrl=quarantine, ReceiptHandle=kept[0]["ReceiptHandle"])
    assert eventually(partial(world.contact, address)).get("status") == "bounced"
    assert nothing_waits(world) == {}


def test_an_outage_of_dynamodb_loses_nothing(impatient: World) -> None:
    """While DynamoDB is away for several visibility timeouts feedback waits in its lane, and then is there."""
    world = impatient
    met = world.running.ask("state")["faults_met"]
    world.fail({**DYNAMODB_IS_DOWN, "seconds": 10})
    addresses = {fate: world.address(fate) for fate in ("success", "bounce", "complaint")}
    for address in addresses.values():
        world.send(address)
    eventually(lambda: world.running.ask("state")["faults_met"], lambda count: count > met + 10)
    assert [world.contact(address) for address in addresses.values()] == [{}, {}, {}]
    found = {fate: eventually(partial(world.contact, address)).get("status") for fate, address in addresses.items()}
    assert found == {"success": "active", "bounce": "bounced", "complaint": "complained"}
    assert nothing_waits(world) == {}


def test_throttling_delays_the_list_and_loses_nothing(world: World) -> None:
    """SES answers 429 for a while; the list follows nevertheless."""
    world.fail({"service": "ses", "status": 429, "code": "TooManyRequestsException", "seconds": 8})
    addresses = [world.address("bounce"), world.address("complaint")]
    for address in addresses:
        world.send(address)
    contacts = [
        eventually(partial(world.contact, address), lambda seen: "mirrored" in seen, 90) for address in addresses
    ]
    assert [contact.get("mirrored") for contact in contacts] == ["BOUNCE", "COMPLAINT"]
    assert [world.listed()[address]["by_ses"] for address in addresses] == [False, False]


def test_killing_a_lane_in_the_middle_of_a_batch_loses_nothing(impatient: World) -> None:
    """The function dies while it waits for DynamoDB, and its messages come again."""
    world = impatient
    met = world.running.ask("state")["faults_met"]
    world.fail({"service": "dynamodb", "status": 0, "delay": 4, "calls": 1})
    address = world.address("bounce")
    world.publish(held=True)
    world.send(address)
    world.publish(held=False)
    eventually(lambda: world.running.ask("state")["faults_met"], lambda count: count > met)
    killed = [
        pid
        for name, pids in world.running.ask("state")["functions"].items()
        if "BounceFunction" in name or "DeliveryFunction" in name
        for pid in pids
    ]
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    assert killed
    assert world.contact(address) == {}
    found = eventually(partial(world.contact, address), lambda seen: seen.get("status") == "bounced")
    assert found.get("status") == "bounced"
    assert nothing_waits(world) == {}

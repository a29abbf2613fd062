"""Once through the deployed stack, in a minute: what `make test` runs of these tests."""

import json
from collections.abc import Iterable
from functools import partial
from typing import Any

from click.testing import CliRunner

from campaigns.simulation.differential import compare
from feedbackctl.__main__ import main
from localaws.in_process.embedded_aws import TABLE
from tests.e2e.deployed_stack import World, eventually

TRACES = 100
"""Made of the emulator's DynamoDB and the simulation's."""


def bounce_of(address: str) -> str:
    """Return a hard bounce of an address."""
    return json.dumps(
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


def test_mail_comes_back_as_contacts_and_the_list_follows(world: World) -> None:
    """Through SES, SNS, SQS, Lambda and the table; of a bounce and a complaint, through its stream to the list."""
    expected = {
        world.address("bounce"): ("bounced", False, "BOUNCE"),
        world.address("complaint"): ("complained", False, "COMPLAINT"),
        world.address("success"): ("active", True, None),
    }
    for address in expected:
        world.send(address)
    assert eventually(partial(_contacts, world, expected), lambda found: found == expected, 120) == expected
    # The entry is ours: SES's own, made when it bounced, has been overwritten.
    listed = {address: (entry["reason"], entry["by_ses"]) for address, entry in world.listed().items()}
    assert {address: listed[address] for address, (_, _, reason) in expected.items() if reason} == {
        address: (reason, False) for address, (_, _, reason) in expected.items() if reason
    }


def _contacts(world: World, addresses: Iterable[str]) -> dict[str, tuple[Any, ...]]:
    """Return status, whether to send, and what the list was made to hold, of each."""
    found = {address: world.contact(address) for address in addresses}
    return {address: tuple(map(one.get, ("status", "may_send", "synced"))) for address, one in found.items()}


def test_poison_is_kept_and_can_be_mended(world: World) -> None:
    """A broken message goes to quarantine with its bytes and the reason, and back through its lane when mended."""
    address = world.address("bounce")
    whole = bounce_of(address)
    broken = whole[:-3]
    world.client("sns").publish(TopicArn=world.outputs["BounceTopicArn"], Message=broken)
    kept = eventually(partial(_quarantined, world))
    assert [message["Body"] for message in kept] == [broken]
    assert kept[0]["MessageAttributes"]["reason"]["StringValue"] == "not-json"
    assert world.contact(address) == {}

    # As the runbook has it.
    sqs = world.client("sqs")
    sqs.send_message(QueueUrl=world.outputs["BounceQueueUrl"], MessageBody=whole)
    sqs.delete_message(QueueUrl=world.outputs["QuarantineQueueUrl"], ReceiptHandle=kept[0]["ReceiptHandle"])
    assert eventually(partial(world.contact, address)).get("status") == "bounced"
    assert world.nothing_waits() == {}


def test_quarantine_is_redriven(world: World, runner: CliRunner) -> None:
    """What a release after this one can read goes back through a lane with `feedbackctl redrive`."""
    address = world.address("bounce")
    quarantine, lane = world.outputs["QuarantineQueueUrl"], world.outputs["DeliveryQueueUrl"]
    world.client("sqs").send_message(QueueUrl=quarantine, MessageBody=bounce_of(address))
    outcome = runner.invoke(main, ["redrive", "--from", quarantine, "--to", lane])
    assert (outcome.exit_code, outcome.output) == (0, "Moved 1, left 0 that SQS cannot carry in their original form.\n")
    assert eventually(partial(world.contact, address)).get("status") == "bounced"
    assert world.nothing_waits() == {}


def _quarantined(world: World) -> list[dict[str, Any]]:
    found = world.client("sqs").receive_message(
        QueueUrl=world.outputs["QuarantineQueueUrl"], MessageAttributeNames=["All"]
    )
    return list(found.get("Messages", []))


def test_its_dynamodb_answers_as_the_simulation_does(world: World) -> None:
    """Requests as the code makes them, by chance: each is answered alike. `make traces` tries five thousand."""
    table = "Traces"
    world.client("dynamodb").create_table(**{**TABLE, "TableName": table})
    held = [compare(world.client("dynamodb"), table, seed) for seed in range(TRACES)]
    assert sum(len(one.items) for one in held) > TRACES

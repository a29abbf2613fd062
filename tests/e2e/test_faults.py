"""What goes wrong on a bad day delays feedback, and loses none."""

import time
from functools import partial

from tests.e2e.deployed_stack import World, eventually
from tests.e2e.drills import MANY, backlog_left

DYNAMODB_IS_DOWN = {"service": "dynamodb", "status": 500, "code": "InternalServerError"}
SEVERAL_TIMEOUTS = 10.0
"""Seconds; the lanes of an `impatient` stack wait two for a message to come again."""


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
    assert world.nothing_waits() == {}
    found = {fate: (world.contact(address)["status"], world.history(address)) for fate, address in muddled.items()}
    assert found == expected


def _complete(fate: str, history: list[str]) -> bool:
    return bool(history) or fate == "success"


def test_an_outage_of_dynamodb_loses_nothing(impatient: World) -> None:
    """While DynamoDB is away for several visibility timeouts feedback waits in its lane, and then is there."""
    world = impatient
    met, began = world.running.ask("state")["faults_met"], time.monotonic()
    world.fail(DYNAMODB_IS_DOWN)
    addresses = {fate: world.address(fate) for fate in ("success", "bounce", "complaint")}
    for address in addresses.values():
        world.send(address)
    eventually(lambda: time.monotonic() - began, lambda seconds: seconds > SEVERAL_TIMEOUTS)
    assert eventually(lambda: world.running.ask("state")["faults_met"] - met, lambda count: count > len(addresses)) > 3
    assert [world.contact(address) for address in addresses.values()] == [{}, {}, {}]
    world.fail()
    found = {fate: _settled(world, address) for fate, address in addresses.items()}
    assert found == {"success": "active", "bounce": "bounced", "complaint": "complained"}
    assert world.nothing_waits() == {}


def _settled(world: World, address: str) -> object:
    """Return a contact's status once nothing about it waits in a lane."""
    eventually(partial(world.contact, address))
    world.nothing_waits()
    return world.contact(address).get("status")


def test_throttling_delays_the_list_and_loses_nothing(world: World) -> None:
    """SES answers 429 until the list_sync leaves it; later the list follows nevertheless."""
    world.fail({"service": "ses", "status": 429, "code": "TooManyRequestsException"})
    addresses = [world.address("bounce"), world.address("complaint")]
    for address in addresses:
        world.send(address)
    left = [eventually(partial(world.contact, address), lambda seen: "retry_at" in seen) for address in addresses]
    assert [(contact.get("list_pending"), contact.get("synced")) for contact in left] == [(True, None)] * 2
    world.fail()
    for address in addresses:
        world.an_hour_passes(address)
    contacts = [eventually(partial(world.contact, address), lambda seen: "synced" in seen) for address in addresses]
    assert [contact.get("synced") for contact in contacts] == ["BOUNCE", "COMPLAINT"]
    assert [world.listed()[address]["by_ses"] for address in addresses] == [False, False]


def test_killing_a_lane_in_the_middle_of_a_batch_loses_nothing(impatient: World) -> None:
    """The function dies while it waits for DynamoDB, and its messages come again."""
    world = impatient
    met = world.running.ask("state")["faults_met"]
    world.fail({"service": "dynamodb", "status": 0, "delay": 4, "calls": 1, "callers": "BounceFunction"})
    address = world.address("bounce")
    world.send(address)
    eventually(lambda: world.running.ask("state")["faults_met"], lambda count: count > met)
    assert world.killed("Bounce")
    assert world.contact(address) == {}
    found = eventually(partial(world.contact, address), lambda seen: seen.get("status") == "bounced")
    assert found.get("status") == "bounced"
    assert world.nothing_waits() == {}


def test_killing_the_mirror_before_it_writes_loses_nothing(world: World) -> None:
    """The function dies while it publishes a change; the stream hands the change out again."""
    heard = world.listen("killed", {"source": ["ses-feedback"]})
    address = _bounced_until(
        world, {"service": "events", "status": 0, "delay": 4, "calls": 1, "callers": "SuppressionFunction"}
    )
    assert world.killed("Suppression")
    assert world.contact(address)["status"] == "bounced"
    contact = eventually(partial(world.contact, address), lambda seen: "synced" in seen)
    assert (contact.get("synced"), world.listed()[address]["reason"]) == ("BOUNCE", "BOUNCE")
    assert address in {event["detail"]["address"] for event in world.take(heard)}


def test_killing_the_mirror_while_it_writes_loses_nothing(world: World) -> None:
    """The function dies while it waits for SES: the contact stays due, and is taken up when the lease has run out."""
    address = _bounced_until(
        world, {"service": "ses", "status": 0, "delay": 4, "calls": 1, "callers": "SuppressionFunction"}
    )
    assert world.killed("Suppression")
    contact = world.contact(address)
    assert "synced" not in contact
    assert {"pending_shard", "lease"} <= contact.keys()
    world.an_hour_passes(address)
    contact = eventually(partial(world.contact, address), lambda seen: "synced" in seen)
    assert (contact.get("synced"), contact.get("lease")) == ("BOUNCE", None)
    assert (world.listed()[address]["reason"], world.listed()[address]["by_ses"]) == ("BOUNCE", False)


def test_a_backlog_is_imported_and_loses_nothing(hasty: World) -> None:
    """More than the list_sync would write one by one is handed to SES in an object, which is gone once SES has read it."""
    before = hasty.listed().keys()
    assert backlog_left(hasty, 60) == []
    assert len(hasty.listed().keys() - before) == MANY


def _bounced_until(world: World, fault: dict[str, object]) -> str:
    """Have an address bounce, and return it once a function has met the fault on account of it."""
    assert world.nothing_waits() == {}
    eventually(lambda: not any(map(_under_way, world.contacts().values())))
    met = world.running.ask("state")["faults_met"]
    address = world.address("bounce")
    world.fail(fault)
    world.send(address)
    assert eventually(lambda: world.running.ask("state")["faults_met"], lambda count: count > met) == met + 1
    return address


def _under_way(contact: dict[str, object]) -> bool:
    """Say whether the list_sync is at it, or soon will be."""
    return "lease" in contact or ("pending_shard" in contact and "retry_at" not in contact)

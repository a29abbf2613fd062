"""Mail goes out through SES, and what SES says about it comes back to the contact, the list and the bus."""

from functools import partial

import pytest

from tests.e2e.deployed_stack import World, eventually

SIMULATOR = "simulator.amazonses.com"


@pytest.mark.parametrize(
    ("fate", "status", "reason"),
    [
        ("success", "active", None),
        ("bounce", "bounced", "Permanent/General"),
        ("ooto", "active", None),
        ("complaint", "complained", "Complaint/abuse"),
        ("suppressionlist", "bounced", "Permanent/General"),
    ],
)
def test_the_simulator_makes_a_contact_what_it_says(world: World, fate: str, status: str, reason: str | None) -> None:
    """Each of the mailbox simulator's addresses ends as its contact should."""
    address = world.address(fate, SIMULATOR)
    world.send(address)
    contact = eventually(lambda: world.contact(address), lambda seen: seen.get("status") == status)
    assert (contact.get("status"), contact.get("reason")) == (status, reason)


def test_an_out_of_office_reply_is_only_noted(world: World) -> None:
    """It is in the history, and no soft_bounce."""
    address = world.address("ooto", SIMULATOR)
    world.send(address)
    assert eventually(lambda: world.history(address)) == ["Transient/General"]
    assert "soft_bounce_days" not in eventually(lambda: world.contact(address))


@pytest.mark.parametrize(
    ("fate", "listed", "echo"),
    [
        ("bounce", "BOUNCE", "Permanent/OnAccountSuppressionList"),
        ("complaint", "COMPLAINT", "Complaint/OnAccountSuppressionList"),
    ],
)
def test_the_list_follows_and_ses_holds_the_next_mail_back(world: World, fate: str, listed: str, echo: str) -> None:
    """The list_sync puts the address on the list, and SES answers the next mail to it with an echo."""
    address = world.address(fate)
    world.send(address)
    contact = eventually(lambda: world.contact(address), lambda seen: "synced" in seen)
    entry = world.listed()[address]
    assert (contact["synced"], entry["reason"], entry["by_ses"]) == (listed, listed, False)
    world.send(address)
    assert eventually(lambda: world.history(address), lambda seen: len(seen) > 1)[-1] == echo


def test_an_identitys_notifications_do_the_same(world: World) -> None:
    """Without a configuration set, in the other vocabulary."""
    ses = world.client("ses")
    ses.verify_domain_identity(Domain="example.com")
    for kind in ("Bounce", "Complaint", "Delivery"):
        topic = world.outputs[f"{kind}TopicArn"]
        ses.set_identity_notification_topic(Identity="example.com", NotificationType=kind, SnsTopic=topic)
    addresses = {fate: world.address(fate, SIMULATOR) for fate in ("success", "bounce", "complaint")}
    for address in addresses.values():
        world.send(address, configuration_set="")
    for kind in ("Bounce", "Complaint", "Delivery"):
        ses.set_identity_notification_topic(Identity="example.com", NotificationType=kind)
    seen = {}
    for fate, address in addresses.items():
        seen[fate] = eventually(partial(world.contact, address)).get("status")
    assert seen == {"success": "active", "bounce": "bounced", "complaint": "complained"}


def test_a_changed_status_is_announced(world: World) -> None:
    """EventBridge tells a rule of its own about a complaint."""
    queue = world.listen("published", {"source": ["ses-feedback"], "detail-type": ["Contact Status Changed"]})
    address = world.address("complaint")
    world.send(address)
    heard: list[dict[str, str]] = []
    eventually(
        lambda: heard.extend(event["detail"] for event in world.take(queue)),
        lambda _: any(detail["address"] == address for detail in heard),
    )
    details = [detail for detail in heard if detail["address"] == address]
    assert [(one["old_status"], one["new_status"]) for one in details] == [("active", "complained")]

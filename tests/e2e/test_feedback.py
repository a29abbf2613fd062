"""Emails sent through SES, and the resulting contacts, list entries and events."""

from functools import partial

import pytest

from localaws.suppression_list.entries import SIMULATOR_DOMAIN
from tests.e2e.stack_under_test import LANES, StackUnderTest, wait_for


@pytest.mark.parametrize(
    ("outcome", "status", "reason"),
    [
        ("success", "active", None),
        ("bounce", "bounced", "Permanent/General"),
        ("ooto", "active", None),
        ("complaint", "complained", "Complaint/abuse"),
        ("suppressionlist", "bounced", "Permanent/General"),
    ],
)
def test_simulator_address_becomes_a_contact_with_its_status(
    stack: StackUnderTest, outcome: str, status: str, reason: str | None
) -> None:
    address = stack.create_address(outcome, SIMULATOR_DOMAIN)
    stack.send_email(address)
    contact = wait_for(lambda: stack.contact(address), lambda found: found.get("status") == status)
    assert (contact.get("status"), contact.get("reason")) == (status, reason)


def test_automatic_reply_is_in_the_history_but_is_no_soft_bounce(stack: StackUnderTest) -> None:
    address = stack.create_address("ooto", SIMULATOR_DOMAIN)
    stack.send_email(address)
    assert wait_for(lambda: stack.history(address)) == ["Transient/General"]
    assert "soft_bounces" not in wait_for(lambda: stack.contact(address))


@pytest.mark.parametrize(
    ("outcome", "listed", "echo"),
    [
        ("bounce", "BOUNCE", "Permanent/OnAccountSuppressionList"),
        ("complaint", "COMPLAINT", "Complaint/OnAccountSuppressionList"),
    ],
)
def test_second_email_to_a_listed_address_becomes_an_echo(
    stack: StackUnderTest, outcome: str, listed: str, echo: str
) -> None:
    address = stack.create_address(outcome)
    stack.send_email(address)
    contact = wait_for(lambda: stack.contact(address), lambda found: "synced" in found)
    entry = stack.listed()[address]
    assert (contact["synced"], entry["reason"], entry["by_ses"]) == (listed, listed, False)
    stack.send_email(address)
    assert wait_for(lambda: stack.history(address), lambda reasons: len(reasons) > 1)[-1] == echo


def test_notifications_of_an_identity_set_the_same_statuses(stack: StackUnderTest) -> None:
    """The emails have no configuration set, so SES sends notifications instead of events."""
    ses = stack.client("ses")
    ses.verify_domain_identity(Domain="example.com")
    for kind in LANES:
        topic = stack.outputs[f"{kind}TopicArn"]
        ses.set_identity_notification_topic(Identity="example.com", NotificationType=kind, SnsTopic=topic)
    addresses = {
        outcome: stack.create_address(outcome, SIMULATOR_DOMAIN) for outcome in ("success", "bounce", "complaint")
    }
    for address in addresses.values():
        stack.send_email(address, configuration_set="")
    for kind in LANES:
        ses.set_identity_notification_topic(Identity="example.com", NotificationType=kind)
    statuses = {}
    for outcome, address in addresses.items():
        statuses[outcome] = wait_for(partial(stack.contact, address)).get("status")
    assert statuses == {"success": "active", "bounce": "bounced", "complaint": "complained"}


def test_status_change_is_published_on_eventbridge(stack: StackUnderTest) -> None:
    pattern = {"source": ["ses-feedback"], "detail-type": ["Contact Status Changed"]}
    queue = stack.subscribe_to_events("published", pattern)
    address = stack.create_address("complaint")
    stack.send_email(address)
    received: list[dict[str, str]] = []
    wait_for(
        lambda: received.extend(event["detail"] for event in stack.take_events(queue)),
        lambda _: any(detail["address"] == address for detail in received),
    )
    details = [detail for detail in received if detail["address"] == address]
    assert [(detail["old_status"], detail["new_status"]) for detail in details] == [("active", "complained")]

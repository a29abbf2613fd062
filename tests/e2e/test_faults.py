"""Faults delay feedback and lose none of it."""

import time
from functools import partial

from tests.e2e.stack_under_test import StackUnderTest, wait_for
from tests.e2e.workload import BACKLOG_CONTACTS, import_backlog

DYNAMODB_OUTAGE = {"service": "dynamodb", "status": 500, "code": "InternalServerError"}
OUTAGE_SECONDS = 10.0
"""Several visibility timeouts of the `short_visibility_stack`."""


def test_duplicates_in_reverse_order_have_the_same_result(stack: StackUnderTest) -> None:
    outcomes = ("success", "bounce", "complaint", "ooto")
    in_order = {outcome: stack.create_address(outcome) for outcome in outcomes}
    for address in in_order.values():
        stack.send_email(address)
    expected = {}
    for outcome, address in in_order.items():
        contact = wait_for(partial(stack.contact, address))
        history = wait_for(partial(stack.history, address), partial(_is_complete, outcome))
        expected[outcome] = (contact["status"], history)

    reversed_order = {outcome: stack.create_address(outcome) for outcome in outcomes}
    stack.set_publishing(held=True, copies=3)
    for address in reversed_order.values():
        stack.send_email(address)
    stack.set_publishing(held=False, order="reversed")
    assert stack.drain_lanes() == {}
    found = {
        outcome: (stack.contact(address)["status"], stack.history(address))
        for outcome, address in reversed_order.items()
    }
    assert found == expected


def _is_complete(outcome: str, history: list[str]) -> bool:
    return bool(history) or outcome == "success"


def test_outage_of_dynamodb_loses_nothing(short_visibility_stack: StackUnderTest) -> None:
    stack = short_visibility_stack
    _wait_until_idle(stack)
    met_before, started_at = stack.faults_met(), time.monotonic()
    stack.inject_faults(DYNAMODB_OUTAGE)
    addresses = {outcome: stack.create_address(outcome) for outcome in ("success", "bounce", "complaint")}
    for address in addresses.values():
        stack.send_email(address)
    wait_for(lambda: time.monotonic() - started_at, lambda seconds: seconds > OUTAGE_SECONDS)
    assert wait_for(lambda: stack.faults_met() - met_before, lambda met: met > len(addresses)) > 3
    assert [stack.contact(address) for address in addresses.values()] == [{}, {}, {}]
    stack.inject_faults()
    found = {outcome: _read_final_status(stack, address) for outcome, address in addresses.items()}
    assert found == {"success": "active", "bounce": "bounced", "complaint": "complained"}
    assert stack.drain_lanes() == {}


def _read_final_status(stack: StackUnderTest, address: str) -> object:
    """Return the status of a contact once the lanes are empty."""
    wait_for(partial(stack.contact, address))
    stack.drain_lanes()
    return stack.contact(address).get("status")


def test_throttling_by_ses_delays_list_entries_and_loses_none(stack: StackUnderTest) -> None:
    stack.inject_faults({"service": "ses", "status": 429, "code": "TooManyRequestsException"})
    addresses = [stack.create_address("bounce"), stack.create_address("complaint")]
    for address in addresses:
        stack.send_email(address)
    deferred = [wait_for(partial(stack.contact, address), lambda found: "retry_at" in found) for address in addresses]
    assert [(contact.get("list_pending"), contact.get("synced")) for contact in deferred] == [(True, None)] * 2
    stack.inject_faults()
    for address in addresses:
        stack.age_by_an_hour(address)
    contacts = [wait_for(partial(stack.contact, address), lambda found: "synced" in found) for address in addresses]
    assert [contact.get("synced") for contact in contacts] == ["BOUNCE", "COMPLAINT"]
    assert [stack.listed()[address]["by_ses"] for address in addresses] == [False, False]


def test_killed_lane_function_loses_nothing(short_visibility_stack: StackUnderTest) -> None:
    """BounceFunction is killed while it waits for DynamoDB, and SQS delivers its messages again."""
    stack = short_visibility_stack
    met_before = stack.faults_met()
    stack.inject_faults({"service": "dynamodb", "status": 0, "delay": 4, "calls": 1, "callers": "BounceFunction"})
    address = stack.create_address("bounce")
    stack.send_email(address)
    wait_for(stack.faults_met, lambda met: met > met_before)
    assert stack.kill_function("Bounce")
    assert stack.contact(address) == {}
    contact = wait_for(partial(stack.contact, address), lambda found: found.get("status") == "bounced")
    assert contact.get("status") == "bounced"
    assert stack.drain_lanes() == {}


def test_suppression_function_killed_before_its_list_call_loses_nothing(stack: StackUnderTest) -> None:
    """SuppressionFunction is killed while it publishes an event, and the stream delivers the change again."""
    queue = stack.subscribe_to_events("killed", {"source": ["ses-feedback"]})
    address = _bounce_until_fault(
        stack, {"service": "events", "status": 0, "delay": 4, "calls": 1, "callers": "SuppressionFunction"}
    )
    assert stack.kill_function("Suppression")
    assert stack.contact(address)["status"] == "bounced"
    contact = wait_for(partial(stack.contact, address), lambda found: "synced" in found)
    assert (contact.get("synced"), stack.listed()[address]["reason"]) == ("BOUNCE", "BOUNCE")
    assert address in {event["detail"]["address"] for event in stack.take_events(queue)}


def test_suppression_function_killed_during_its_list_call_loses_nothing(stack: StackUnderTest) -> None:
    """SuppressionFunction is killed while it waits for SES. The contact stays pending until the lease has expired."""
    address = _bounce_until_fault(
        stack, {"service": "ses", "status": 0, "delay": 4, "calls": 1, "callers": "SuppressionFunction"}
    )
    assert stack.kill_function("Suppression")
    contact = stack.contact(address)
    assert "synced" not in contact
    assert {"pending_shard", "lease"} <= contact.keys()
    stack.age_by_an_hour(address)
    contact = wait_for(partial(stack.contact, address), lambda found: "synced" in found)
    assert (contact.get("synced"), contact.get("lease")) == ("BOUNCE", None)
    assert (stack.listed()[address]["reason"], stack.listed()[address]["by_ses"]) == ("BOUNCE", False)


def test_backlog_is_imported_completely_and_its_object_deleted(early_import_stack: StackUnderTest) -> None:
    before = early_import_stack.listed().keys()
    assert import_backlog(early_import_stack, 60) == []
    assert len(early_import_stack.listed().keys() - before) == BACKLOG_CONTACTS


def _bounce_until_fault(stack: StackUnderTest, fault: dict[str, object]) -> str:
    """Return an address that has bounced, once SuppressionFunction has met the fault because of it."""
    _wait_until_idle(stack)
    met_before = stack.faults_met()
    address = stack.create_address("bounce")
    stack.inject_faults(fault)
    stack.send_email(address)
    assert wait_for(stack.faults_met, lambda met: met > met_before) == met_before + 1
    return address


def _wait_until_idle(stack: StackUnderTest) -> None:
    """Wait until no message is in a lane, and SuppressionFunction has no contact to process."""
    assert stack.drain_lanes() == {}
    assert wait_for(partial(_list_in_progress, stack), lambda contacts: not contacts) == []


def _list_in_progress(stack: StackUnderTest) -> list[dict[str, object]]:
    """Return the contacts that SuppressionFunction processes now or soon."""
    return [
        contact
        for contact in stack.contacts().values()
        if "lease" in contact or ("pending_shard" in contact and "retry_at" not in contact)
    ]

"""After any failed AWS call or dead process, unfinished work is retried and ends in the same state.

Each call in turn gets each kind of fault. The adapters are those that run in Lambda.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from localaws.suppression_list.entries import SuppressionReason
from ses_feedback.contacts.record import decode
from ses_feedback.contacts.status import required_list_reason
from ses_feedback.judging.facts import ListReason, Verdict
from ses_feedback.suppression.lease import LEASE_DURATION
from tests.support.builders import (
    RECIPIENT,
    a_bounce,
    a_complaint,
    a_delivery,
    a_fact,
    an_open,
    an_sqs_event,
    on_day,
    soft_bounce_days,
)
from tests.support.deployed_functions import TIMEOUT, EmbeddedStack, FakeContext, embedded_stack
from tests.support.faulty_client import (
    Call,
    Fault,
    Killed,
    fails_with,
    key_of,
    loses_response,
    process_ends_after,
    process_ends_before,
    returns_garbage,
    runs_first,
    times_out,
)

FAULTS: dict[str, Fault] = {
    "refused": fails_with("InternalServerError"),
    "timeout": times_out,
    "lost answer": loses_response,
    "garbled": returns_garbage,
}


@pytest.fixture
def stack() -> Iterator[EmbeddedStack]:
    """The deployed functions and their AWS services, in memory."""
    with embedded_stack() as stack:
        yield stack


def each(faults: dict[str, Fault]) -> pytest.MarkDecorator:
    """Parametrize a test with each of `faults`."""
    return pytest.mark.parametrize("fault", faults.values(), ids=faults)


# --- Feedback -------------------------------------------------------------------------------------------------------

ADDRESS_OF_MESSAGE = {
    1: RECIPIENT,
    2: "complainer@example.com",
    3: "happy@example.com",
    4: RECIPIENT,
    5: "noted@example.com",
    6: "poison",
    7: "",
}
"""The contact of each message; an empty string if it has none."""
BATCH = an_sqs_event(
    a_bounce(),
    a_complaint(recipients=[ADDRESS_OF_MESSAGE[2]]),
    a_delivery(recipients=[ADDRESS_OF_MESSAGE[3]]),
    a_bounce("Transient", recipients=[RECIPIENT.upper()]),
    a_complaint("not-spam", recipients=[ADDRESS_OF_MESSAGE[5]]),
    "poison",
    an_open(),
)
FEEDBACK_CALLS = ["batch_get_item", "batch_execute_statement", "send_message"]


def retried_after(stack: EmbeddedStack, event: dict[str, Any]) -> dict[str, Any]:
    """Process an SQS event; return an event with the records to retry."""
    answer = stack.feedback()(event, FakeContext())
    again = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
    return {"Records": [record for record in event["Records"] if record["messageId"] in again]}


def feedback_state(stack: EmbeddedStack) -> tuple[object, ...]:
    """Return all stored items, without their write times, and the quarantined messages."""
    items = [{name: value for name, value in item.items() if name != "pending_at"} for item in stack.items()]
    return items, set(map(str, stack.aws.quarantined()))


def addresses_in(call: Call) -> set[str]:
    """Return the addresses in the request of a call, or "poison" for the quarantine."""
    if call.operation == "send_message":
        return {"poison"}
    if call.operation == "batch_execute_statement":
        return {key_of(statement)[0] for statement in call.request["Statements"]}
    return {key["address"]["S"] for key in call.request["RequestItems"]["Contacts"]["Keys"]}


@pytest.fixture(scope="module")
def expected_state() -> tuple[object, ...]:
    """The state after the batch without a fault."""
    with embedded_stack() as stack:
        calls = stack.inject_fault(-1, times_out)
        assert retried_after(stack, BATCH) == {"Records": []}
        assert [call.operation for call in calls] == FEEDBACK_CALLS
        return feedback_state(stack)


@each(FAULTS)
@pytest.mark.parametrize("number", range(len(FEEDBACK_CALLS)))
def test_exactly_the_messages_of_a_failing_call_are_retried_and_the_retry_completes_them(
    stack: EmbeddedStack, expected_state: tuple[object, ...], number: int, fault: Fault
) -> None:
    calls = stack.inject_fault(number, fault)
    again = retried_after(stack, BATCH)
    addresses = addresses_in(calls[number])
    expected = [f"sqs-message-{message}" for message, name in ADDRESS_OF_MESSAGE.items() if name in addresses]
    assert [record["messageId"] for record in again["Records"]] == expected
    assert retried_after(stack, again) == {"Records": []}
    assert feedback_state(stack) == expected_state


@pytest.mark.parametrize("number", range(len(FEEDBACK_CALLS)))
def test_a_batch_whose_process_dies_is_completed_by_its_redelivery(
    stack: EmbeddedStack, expected_state: tuple[object, ...], number: int
) -> None:
    stack.inject_fault(number, process_ends_after)
    with pytest.raises(Killed):
        retried_after(stack, BATCH)
    assert retried_after(stack, BATCH) == {"Records": []}
    assert feedback_state(stack) == expected_state


@each(FAULTS)
def test_when_every_call_fails_each_message_that_needs_a_call_is_retried(
    stack: EmbeddedStack, expected_state: tuple[object, ...], fault: Fault
) -> None:
    """The open event needs no call and is done."""
    for client in (stack.dynamodb, stack.sqs):
        client.default_fault = fault
    again = retried_after(stack, BATCH)
    assert [record["messageId"] for record in again["Records"]] == [f"sqs-message-{number}" for number in range(1, 7)]
    for client in (stack.dynamodb, stack.sqs):
        client.default_fault = None
    assert retried_after(stack, again) == {"Records": []}
    assert feedback_state(stack) == expected_state


# --- The list sync --------------------------------------------------------------------------------------------------

COMPLAINER, RETURNER = "complainer@example.com", "returner@example.com"


def prepare(stack: EmbeddedStack) -> list[dict[str, Any]]:
    """Store changes that require a put, a delete and events; return their stream records."""
    stack.learn(a_fact(Verdict.SUPPRESS, address=RETURNER), a_fact(Verdict.COMPLAIN, address=COMPLAINER))
    stack.reinstate(RETURNER)
    bounce = SuppressionReason.BOUNCE
    stack.aws.suppression_list.add_from_feedback(RETURNER, bounce, message_id="1", feedback_id="1")
    stack.clock.sleep(120)
    return stack.stream()


def redeliver_and_sweep(stack: EmbeddedStack, records: list[dict[str, Any]]) -> None:
    """Redeliver the stream's records, then sweep after every lease has expired."""
    if records:
        stack.suppression()({"Records": records}, FakeContext())
    stack.drain()
    if any("pending_shard" in item for item in stack.aws.contacts()):  # otherwise there is nothing to sweep
        stack.sweep(after=LEASE_DURATION + timedelta(minutes=1))


def assert_in_sync(stack: EmbeddedStack) -> None:
    """Assert that the list, the latest events and the contacts agree, and that no contact is pending."""
    limits = stack.settings.limits
    contacts = [decode(item) for item in stack.aws.contacts()]
    required = {
        variant: reason.value
        for stored in contacts
        if (reason := required_list_reason(stored.contact, limits))
        for variant in stored.contact.variants
    }
    assert stack.listed() == required
    assert [
        stored.contact.address for stored in contacts if stored.pending_since or stored.list_pending or stored.lease
    ] == []
    details = sorted((event["detail"] for event in stack.aws.events()), key=lambda detail: detail["rev"])
    latest = {detail["address"]: detail["new_status"] for detail in details}
    assert latest == {stored.contact.address: stored.status.value for stored in contacts}


LIST_SYNC_CALLS = [
    "batch_get_item",
    "put_events",
    *["batch_execute_statement"] * 2,
    *["batch_execute_statement", "get_item", "update_item", "put_suppressed_destination", "batch_execute_statement"],
    *["batch_execute_statement", "get_item", "update_item", "delete_suppressed_destination", "batch_execute_statement"],
]
"""Calls for the changes of `prepare`: read, publish, mark; then lease, reserve a call, call SES, mark."""


def test_the_list_sync_makes_exactly_these_calls_without_a_fault(stack: EmbeddedStack) -> None:
    """The tests below inject a fault into each of them."""
    records = prepare(stack)
    calls = stack.inject_fault(-1, times_out)
    stack.suppression()({"Records": records}, FakeContext())
    assert [call.operation for call in calls] == LIST_SYNC_CALLS
    redeliver_and_sweep(stack, [])
    assert_in_sync(stack)


@each(FAULTS)
@pytest.mark.parametrize("number", range(len(LIST_SYNC_CALLS)))
def test_the_list_and_the_events_are_in_sync_after_a_call_of_the_list_sync_fails(
    stack: EmbeddedStack, number: int, fault: Fault
) -> None:
    """Unfinished contacts are retried by the stream or by the sweep."""
    records = prepare(stack)
    stack.inject_fault(number, fault)
    answer = stack.suppression()({"Records": records}, FakeContext())
    failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
    redeliver_and_sweep(stack, [record for record in records if record["dynamodb"]["SequenceNumber"] in failed])
    assert_in_sync(stack)


@pytest.mark.parametrize("number", range(len(LIST_SYNC_CALLS)))
def test_the_list_and_the_events_are_in_sync_after_the_list_sync_dies(stack: EmbeddedStack, number: int) -> None:
    """The stream redelivers the batch, and the sweep takes over the expired lease."""
    records = prepare(stack)
    stack.inject_fault(number, process_ends_after)
    with pytest.raises(Killed):
        stack.suppression()({"Records": records}, FakeContext())
    redeliver_and_sweep(stack, records)
    assert_in_sync(stack)


def test_a_change_under_the_lease_of_a_dead_worker_is_left_to_the_sweep(stack: EmbeddedStack) -> None:
    records = prepare(stack)
    stack.inject_fault(7, process_ends_before)
    with pytest.raises(Killed):
        stack.suppression()({"Records": records}, FakeContext())
    stack.inject_fault(-1, times_out)
    stack.reinstate(COMPLAINER)
    stack.drain()
    assert "pending_shard" in str(stack.aws.contacts())
    redeliver_and_sweep(stack, [])
    assert_in_sync(stack)


def test_the_sweep_alone_processes_changes_that_the_stream_lost(stack: EmbeddedStack) -> None:
    prepare(stack)
    redeliver_and_sweep(stack, [])
    assert_in_sync(stack)


# --- Concurrent changes ---------------------------------------------------------------------------------------------


def sync_concurrently(stack: EmbeddedStack, records: list[dict[str, Any]]) -> None:
    """Let another process sync the same changes and all later ones."""
    stack.suppression()({"Records": [*records, *stack.stream()]}, FakeContext())


def concurrent_changes(stack: EmbeddedStack, records: list[dict[str, Any]]) -> dict[str, Callable[[], None]]:
    """Return the concurrent changes that are tried between two calls of the list sync."""

    def reinstated_and_synced() -> None:
        stack.reinstate(RECIPIENT)
        sync_concurrently(stack, records)

    def stalled() -> None:
        stack.clock.sleep((LEASE_DURATION + timedelta(seconds=1)).total_seconds())
        reinstated_and_synced()

    return {
        "complaint": lambda: stack.learn(a_fact(Verdict.COMPLAIN, on_day(0.5))),
        "reinstated and synced": reinstated_and_synced,
        "stalled, reinstated and synced": stalled,
    }


KINDS = ("complaint", "reinstated and synced", "stalled, reinstated and synced")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", range(11))
def test_the_list_and_the_events_are_in_sync_after_a_concurrent_change_between_two_calls(
    stack: EmbeddedStack, number: int, kind: str
) -> None:
    stack.learn(a_fact(), a_fact(address="RECIPIENT@example.com"))
    stack.clock.sleep(120)
    records = stack.stream()
    stack.inject_fault(number, _run_without_faults(stack, concurrent_changes(stack, records)[kind]))
    answer = stack.suppression()({"Records": records}, FakeContext(4 * TIMEOUT))
    redeliver_and_sweep(stack, records if answer["batchItemFailures"] else [])
    assert_in_sync(stack)


def _run_without_faults(stack: EmbeddedStack, change: Callable[[], None]) -> Fault:
    def run() -> None:
        clients = stack.dynamodb, stack.sqs, stack.events, stack.sesv2
        calls = stack.dynamodb.calls
        for client in clients:
            client.calls, client.faults = [], {}
        change()
        for client in clients:
            client.calls = calls

    return runs_first(run)


def test_a_soft_bounce_and_a_delivery_written_concurrently_are_both_kept(stack: EmbeddedStack) -> None:
    other = stack.repository(stack.aws.client("dynamodb"))
    for day in range(6):
        stack.dynamodb.calls.clear()
        delivery = a_fact(Verdict.DELIVERED, on_day(day + 0.1))
        stack.dynamodb.faults = {1: runs_first(partial(other.learn, [delivery]))}
        stack.learn(*soft_bounce_days(day))
    stored = stack.contact(RECIPIENT)
    assert (len(stored.contact.soft_bounces), len(stored.contact.delivered), stored.status) == (6, 6, "active")


def test_a_contact_that_changes_faster_than_ses_can_be_called_ends_with_its_last_status(stack: EmbeddedStack) -> None:
    for number in range(4):
        stack.learn(a_fact(Verdict.SUPPRESS, stack.clock.now()))
        with suppress(Killed):
            stack.inject_fault(number + 4, process_ends_after)
            stack.suppression()({"Records": stack.stream()}, FakeContext())
        stack.inject_fault(-1, times_out)
        stack.clock.sleep(60)
        stack.reinstate(RECIPIENT)
        stack.clock.sleep(7200)
    stack.learn(a_fact(Verdict.COMPLAIN, stack.clock.now()))
    redeliver_and_sweep(stack, stack.stream())
    assert stack.listed() == {RECIPIENT: ListReason.COMPLAINT.value}

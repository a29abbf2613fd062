"""Wherever AWS fails, or the process dies, what is not done comes again, and the end is the same.

One call after another is made to go wrong, in every way a call can, with the adapters that run in Lambda.
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
    """A world."""
    with embedded_stack() as stack:
        yield stack


def each(faults: dict[str, Fault]) -> pytest.MarkDecorator:
    """Try each of `faults`."""
    return pytest.mark.parametrize("fault", faults.values(), ids=faults)


# --- Feedback -------------------------------------------------------------------------------------------------------

NAMED = {
    1: RECIPIENT,
    2: "complainer@example.com",
    3: "happy@example.com",
    4: RECIPIENT,
    5: "noted@example.com",
    6: "poison",
    7: "nobody",
}
"""Whom each message is about."""
BATCH = an_sqs_event(
    a_bounce(),
    a_complaint(recipients=[NAMED[2]]),
    a_delivery(recipients=[NAMED[3]]),
    a_bounce("Transient", recipients=[RECIPIENT.upper()]),
    a_complaint("not-spam", recipients=[NAMED[5]]),
    "poison",
    an_open(),
)
FEEDBACK_CALLS = ["batch_get_item", "batch_execute_statement", "send_message"]


def handled(stack: EmbeddedStack, event: dict[str, Any]) -> dict[str, Any]:
    """Return what the feedback function leaves of an SQS event: an event of the records that come again."""
    answer = stack.feedback()(event, FakeContext())
    again = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
    return {"Records": [record for record in event["Records"] if record["messageId"] in again]}


def feedback_state(stack: EmbeddedStack) -> tuple[object, ...]:
    """Return all that feedback leaves behind, but for when it was written."""
    items = [{name: value for name, value in item.items() if name != "pending_at"} for item in stack.items()]
    return items, set(map(str, stack.aws.quarantined()))


def concerned(call: Call) -> set[str]:
    """Return whom a call is about."""
    if call.operation == "send_message":
        return {"poison"}
    if call.operation == "batch_execute_statement":
        return {key_of(statement)[0] for statement in call.request["Statements"]}
    return {key["address"]["S"] for key in call.request["RequestItems"]["Contacts"]["Keys"]}


@pytest.fixture(scope="module")
def undisturbed() -> tuple[object, ...]:
    """What the batch leaves behind when nothing goes wrong."""
    with embedded_stack() as stack:
        calls = stack.inject_fault(-1, times_out)
        assert handled(stack, BATCH) == {"Records": []}
        assert [call.operation for call in calls] == FEEDBACK_CALLS
        return feedback_state(stack)


@each(FAULTS)
@pytest.mark.parametrize("number", range(len(FEEDBACK_CALLS)))
def test_feedback_when_a_call_fails(
    stack: EmbeddedStack, undisturbed: tuple[object, ...], number: int, fault: Fault
) -> None:
    """Exactly the messages that the call was about come again, and then the end is as if nothing had happened."""
    calls = stack.inject_fault(number, fault)
    again = handled(stack, BATCH)
    whom = concerned(calls[number])
    expected = [f"sqs-message-{message}" for message, name in NAMED.items() if name in whom]
    assert [record["messageId"] for record in again["Records"]] == expected
    assert handled(stack, again) == {"Records": []}
    assert feedback_state(stack) == undisturbed


@pytest.mark.parametrize("number", range(len(FEEDBACK_CALLS)))
def test_feedback_when_the_process_dies(stack: EmbeddedStack, undisturbed: tuple[object, ...], number: int) -> None:
    """The whole batch comes again, and the end is as if nothing had happened."""
    stack.inject_fault(number, process_ends_after)
    with pytest.raises(Killed):
        handled(stack, BATCH)
    assert handled(stack, BATCH) == {"Records": []}
    assert feedback_state(stack) == undisturbed


@each(FAULTS)
def test_feedback_when_every_call_fails(stack: EmbeddedStack, undisturbed: tuple[object, ...], fault: Fault) -> None:
    """While nothing works nothing is lost, and what needs nobody is done."""
    for client in (stack.dynamodb, stack.sqs):
        client.default_fault = fault
    again = handled(stack, BATCH)
    assert [record["messageId"] for record in again["Records"]] == [f"sqs-message-{number}" for number in range(1, 7)]
    for client in (stack.dynamodb, stack.sqs):
        client.default_fault = None
    assert handled(stack, again) == {"Records": []}
    assert feedback_state(stack) == undisturbed


# --- The list_sync -----------------------------------------------------------------------------------------------------

COMPLAINER, RETURNER = "complainer@example.com", "returner@example.com"


def prepare(stack: EmbeddedStack) -> list[dict[str, Any]]:
    """Bring about something to put, to delete and to publish; return the stream's records of it."""
    stack.learn(a_fact(Verdict.SUPPRESS, address=RETURNER), a_fact(Verdict.COMPLAIN, address=COMPLAINER))
    stack.reinstate(RETURNER)
    bounce = SuppressionReason.BOUNCE
    stack.aws.suppression_list.add_from_feedback(RETURNER, bounce, message_id="1", feedback_id="1")
    stack.clock.sleep(120)
    return stack.stream()


def let_be(stack: EmbeddedStack, records: list[dict[str, Any]]) -> None:
    """Hand the stream's records out again, and sweep when every lease has run out."""
    if records:
        stack.suppression()({"Records": records}, FakeContext())
    stack.drain()
    if any("pending_shard" in item for item in stack.aws.contacts()):  # else the sweep would find nothing
        stack.sweep(after=LEASE_DURATION + timedelta(minutes=1))


def assert_in_step(stack: EmbeddedStack) -> None:
    """The list is what the contacts want, nothing is due, and the latest event of each is what it is."""
    limits = stack.settings.limits
    contacts = [decode(item) for item in stack.aws.contacts()]
    wanted = {
        variant: reason.value
        for stored in contacts
        if (reason := required_list_reason(stored.contact, limits))
        for variant in stored.contact.variants
    }
    assert stack.listed() == wanted
    assert [
        stored.contact.address for stored in contacts if stored.pending_since or stored.list_pending or stored.lease
    ] == []
    told = sorted((event["detail"] for event in stack.aws.events()), key=lambda detail: detail["rev"])
    latest = {detail["address"]: detail["new_status"] for detail in told}
    assert latest == {stored.contact.address: stored.status.value for stored in contacts}


MIRROR_CALLS = [
    "batch_get_item",
    "put_events",
    *["batch_execute_statement"] * 2,
    *["batch_execute_statement", "get_item", "update_item", "put_suppressed_destination", "batch_execute_statement"],
    *["batch_execute_statement", "get_item", "update_item", "delete_suppressed_destination", "batch_execute_statement"],
]
"""What following what `prepare` brings about takes: read, publish, mark; then lease, take a turn, call, mark."""


def test_the_mirrors_calls(stack: EmbeddedStack) -> None:
    """When nothing goes wrong these are all the calls there are: none is left out below."""
    records = prepare(stack)
    calls = stack.inject_fault(-1, times_out)
    stack.suppression()({"Records": records}, FakeContext())
    assert [call.operation for call in calls] == MIRROR_CALLS
    let_be(stack, [])
    assert_in_step(stack)


@each(FAULTS)
@pytest.mark.parametrize("number", range(len(MIRROR_CALLS)))
def test_the_mirror_when_a_call_fails(stack: EmbeddedStack, number: int, fault: Fault) -> None:
    """What is not done is handed back or swept, and the list and the outside world end in step."""
    records = prepare(stack)
    stack.inject_fault(number, fault)
    answer = stack.suppression()({"Records": records}, FakeContext())
    left = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
    let_be(stack, [record for record in records if record["dynamodb"]["SequenceNumber"] in left])
    assert_in_step(stack)


@pytest.mark.parametrize("number", range(len(MIRROR_CALLS)))
def test_the_mirror_when_the_process_dies(stack: EmbeddedStack, number: int) -> None:
    """The stream hands out the batch again, the sweep takes over the dead one's lease, and all ends in step."""
    records = prepare(stack)
    stack.inject_fault(number, process_ends_after)
    with pytest.raises(Killed):
        stack.suppression()({"Records": records}, FakeContext())
    let_be(stack, records)
    assert_in_step(stack)


def test_what_is_written_while_a_dead_ones_claim_stands(stack: EmbeddedStack) -> None:
    """A change of what a dead worker leased is left alone by those who are told of it, and is the sweep's."""
    records = prepare(stack)
    stack.inject_fault(7, process_ends_before)
    with pytest.raises(Killed):
        stack.suppression()({"Records": records}, FakeContext())
    stack.inject_fault(-1, times_out)
    stack.reinstate(COMPLAINER)
    stack.drain()
    assert "pending_shard" in str(stack.aws.contacts())
    let_be(stack, [])
    assert_in_step(stack)


def test_the_sweep_alone_does_what_the_stream_never_brought(stack: EmbeddedStack) -> None:
    """A stream that expired is no loss."""
    prepare(stack)
    let_be(stack, [])
    assert_in_step(stack)


# --- Others at work at the same time --------------------------------------------------------------------------------


def another_follows(stack: EmbeddedStack, records: list[dict[str, Any]]) -> None:
    """Another process follows the same changes, and what has changed since."""
    stack.suppression()({"Records": [*records, *stack.stream()]}, FakeContext())


def happenings(stack: EmbeddedStack, records: list[dict[str, Any]]) -> dict[str, Callable[[], None]]:
    """Return what may happen between two calls of a list_sync."""

    def reinstated_and_followed() -> None:
        stack.reinstate(RECIPIENT)
        another_follows(stack, records)

    def stalled() -> None:
        stack.clock.sleep((LEASE_DURATION + timedelta(seconds=1)).total_seconds())
        reinstated_and_followed()

    return {
        "complaint": lambda: stack.learn(a_fact(Verdict.COMPLAIN, on_day(0.5))),
        "reinstated and report": reinstated_and_followed,
        "stalled, reinstated and report": stalled,
    }


KINDS = ("complaint", "reinstated and report", "stalled, reinstated and report")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", range(11))
def test_the_mirror_when_others_are_at_work(stack: EmbeddedStack, number: int, kind: str) -> None:
    """Between any two of its calls others may change the contact and sync it; in the end the list is in step."""
    stack.learn(a_fact(), a_fact(address="RECIPIENT@example.com"))
    stack.clock.sleep(120)
    records = stack.stream()
    stack.inject_fault(number, _once(stack, happenings(stack, records)[kind]))
    answer = stack.suppression()({"Records": records}, FakeContext(4 * TIMEOUT))
    let_be(stack, records if answer["batchItemFailures"] else [])
    assert_in_step(stack)


def _once(stack: EmbeddedStack, happening: Callable[[], None]) -> Fault:
    def undisturbed() -> None:
        clients = stack.dynamodb, stack.sqs, stack.events, stack.sesv2
        calls = stack.dynamodb.calls
        for client in clients:
            client.calls, client.faults = [], {}
        happening()
        for client in clients:
            client.calls = calls

    return runs_first(undisturbed)


def test_a_strike_and_a_delivery_race(stack: EmbeddedStack) -> None:
    """Two lanes that write one contact at once lose nothing of either."""
    other = stack.repository(stack.aws.client("dynamodb"))
    for day in range(6):
        stack.dynamodb.calls.clear()
        delivery = a_fact(Verdict.DELIVERED, on_day(day + 0.1))
        stack.dynamodb.faults = {1: runs_first(partial(other.learn, [delivery]))}
        stack.learn(*soft_bounce_days(day))
    stored = stack.contact(RECIPIENT)
    assert (len(stored.contact.soft_bounces), len(stored.contact.delivered), stored.status) == (6, 6, "active")


def test_no_entry_is_ever_wrong_for_long(stack: EmbeddedStack) -> None:
    """A contact that changes its mind faster than SES can be called ends as it is last."""
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
    let_be(stack, stack.stream())
    assert stack.listed() == {RECIPIENT: ListReason.COMPLAINT.value}

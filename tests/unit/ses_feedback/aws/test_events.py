"""EventPublisher publishes what the README documents, and says which of it EventBridge took."""

from collections.abc import Iterator
from typing import Any

import pytest

from localaws.in_process.embedded_aws import EmbeddedAws
from ses_feedback.aws.events import EventPublisher
from ses_feedback.contacts.status import Status
from ses_feedback.contacts.status_change import StatusChange
from tests.support.builders import AT, RECIPIENT
from tests.support.fakes import ManualClock
from tests.support.faulty_client import Fault, FaultyClient, garbles, refuses, times_out


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    """An embedded AWS."""
    with EmbeddedAws(ManualClock()) as aws:
        yield aws


def changes(number: int) -> list[StatusChange]:
    """Return changes of so many contacts."""
    return [StatusChange(f"{one}@example.com", Status.ACTIVE, Status.COMPLAINED, 1) for one in range(number)]


def test_an_event(aws: EmbeddedAws) -> None:
    """An event names the contact, what it was and is, why, since when, and in which stream of mail."""
    change = StatusChange(RECIPIENT, Status.BOUNCED, Status.COMPLAINED, 7, "Complaint/abuse", AT, "receipts")
    EventPublisher(aws.client("events"), aws.event_bus_name).publish([change])
    [event] = aws.events()
    assert (event["source"], event["detail-type"]) == ("ses-feedback", "Contact Status Changed")
    assert event["detail"] == {
        "address": RECIPIENT,
        "old_status": "bounced",
        "new_status": "complained",
        "may_send": False,
        "rev": 7,
        "reason": "Complaint/abuse",
        "time": "2026-03-01T12:00:05.000Z",
        "configuration_set": "receipts",
    }


def test_a_release(aws: EmbeddedAws) -> None:
    """Nothing gives the status `active`: the event's reason and time are empty, not absent."""
    EventPublisher(aws.client("events"), aws.event_bus_name).publish(
        [StatusChange(RECIPIENT, Status.BOUNCED, Status.ACTIVE, 2)]
    )
    [event] = aws.events()
    assert {name: event["detail"][name] for name in ("may_send", "reason", "time", "configuration_set")} == {
        "may_send": True,
        "reason": "",
        "time": "",
        "configuration_set": "",
    }


def test_ten_at_once(aws: EmbeddedAws) -> None:
    """EventBridge takes ten events in one call, on the bus that was named."""
    client = FaultyClient(aws.client("events"))
    EventPublisher(client, "default").publish(changes(23))
    assert [len(call.request["Entries"]) for call in client.calls] == [10, 10, 3]
    assert {entry["EventBusName"] for call in client.calls for entry in call.request["Entries"]} == {"default"}


def answers_with(*entries: Any) -> Fault:  # noqa: ANN401 (JSON)
    """EventBridge answers with results of its own."""
    return lambda *_: {"FailedEntryCount": len(entries), "Entries": list(entries)}


def test_refused_entries_are_not_announced(aws: EmbeddedAws) -> None:
    """EventBridge answers for each entry by itself."""
    throttled = {"ErrorCode": "ThrottlingException", "ErrorMessage": "canary@example.com"}
    taken = {"EventId": "1"}
    client = FaultyClient(aws.client("events"), otherwise=answers_with(taken, throttled, taken))
    first, _, last = changes(3)
    assert EventPublisher(client, "default").publish(changes(3)) == [first, last]


@pytest.mark.parametrize("fault", [refuses("InternalException"), garbles])
def test_a_fault_is_its_own_calls_only(aws: EmbeddedAws, fault: Fault) -> None:
    """Of three calls, the one that fails published nothing, and the others what they hold."""
    client = FaultyClient(aws.client("events"), {1: fault})
    publisher = EventPublisher(client, "default")
    assert publisher.publish(changes(23)) == changes(23)[:10] + changes(23)[20:]
    assert not publisher.unresponsive
    assert len(aws.events()) == 13


def test_a_bus_that_does_not_answer_is_waited_for_once(aws: EmbeddedAws) -> None:
    """Ten calls that each hang until they time out would take the time in which the list is to be written."""
    client = FaultyClient(aws.client("events"), {1: times_out})
    publisher = EventPublisher(client, "default")
    assert (publisher.publish(changes(100)), publisher.unresponsive) == (changes(100)[:10], True)
    assert len(client.calls) == 2
    assert (publisher.publish(changes(1)), publisher.unresponsive) == (changes(1), False)


@pytest.mark.parametrize("entries", [[], [{"EventId": "1"}], [{"EventId": "1"}] * 3], ids=["none", "fewer", "more"])
def test_an_answer_for_other_entries(aws: EmbeddedAws, entries: list[Any]) -> None:
    """An answer that does not say what became of each entry says nothing of any; nothing is raised."""
    client = FaultyClient(aws.client("events"), otherwise=answers_with(*entries))
    assert EventPublisher(client, "default").publish(changes(2)) == []


def test_an_entry_without_an_id(aws: EmbeddedAws) -> None:
    """EventBridge gives every event it takes an id: an answer without one proves nothing."""
    client = FaultyClient(aws.client("events"), otherwise=answers_with({}, {"EventId": "1"}))
    assert EventPublisher(client, "default").publish(changes(2)) == changes(2)[1:]

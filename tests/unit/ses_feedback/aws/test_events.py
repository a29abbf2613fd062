"""EventPublisher: the published events, and the events that EventBridge accepted."""

from collections.abc import Iterator
from typing import Any

import pytest

from localaws.in_process.embedded_aws import EmbeddedAws
from ses_feedback.aws.events import EventPublisher
from ses_feedback.contacts.status import Status
from ses_feedback.contacts.status_change import StatusChange
from tests.support.builders import AT, RECIPIENT
from tests.support.fakes import ManualClock
from tests.support.faulty_client import Fault, FaultyClient, fails_with, returns_garbage, times_out


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    """Return an emulated AWS."""
    with EmbeddedAws(ManualClock()) as aws:
        yield aws


def changes(count: int) -> list[StatusChange]:
    """Return the status changes of `count` contacts."""
    return [StatusChange(f"{number}@example.com", Status.ACTIVE, Status.COMPLAINED, 1) for number in range(count)]


def test_an_event_has_the_documented_detail(aws: EmbeddedAws) -> None:
    """docs/operate/events.md documents it."""
    change = StatusChange(
        RECIPIENT,
        Status.BOUNCED,
        Status.COMPLAINED,
        7,
        "Complaint/abuse",
        AT,
        "receipts",
        "message-1",
        "5.7.1",
        (("campaign", "spring"),),
    )
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
        "message_id": "message-1",
        "status_code": "5.7.1",
        "tags": {"campaign": "spring"},
    }


def test_an_event_without_evidence_has_empty_fields(aws: EmbeddedAws) -> None:
    """The status `active` has no evidence. Consumers find the same fields in every event."""
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


def test_one_call_publishes_at_most_ten_events_on_the_named_bus(aws: EmbeddedAws) -> None:
    client = FaultyClient(aws.client("events"))
    EventPublisher(client, "default").publish(changes(23))
    assert [len(call.request["Entries"]) for call in client.calls] == [10, 10, 3]
    assert {entry["EventBusName"] for call in client.calls for entry in call.request["Entries"]} == {"default"}


def responds_with(*entries: Any) -> Fault:  # noqa: ANN401 (JSON)
    """EventBridge responds with these result entries."""
    return lambda *_: {"FailedEntryCount": len(entries), "Entries": list(entries)}


def test_refused_entries_are_not_returned_as_published(aws: EmbeddedAws) -> None:
    """EventBridge may accept some entries of a call and refuse others."""
    throttled = {"ErrorCode": "ThrottlingException", "ErrorMessage": "canary@example.com"}
    accepted = {"EventId": "1"}
    client = FaultyClient(aws.client("events"), default_fault=responds_with(accepted, throttled, accepted))
    first, _, last = changes(3)
    assert EventPublisher(client, "default").publish(changes(3)) == [first, last]


@pytest.mark.parametrize("fault", [fails_with("InternalException"), returns_garbage])
def test_a_failed_call_does_not_stop_the_other_calls(aws: EmbeddedAws, fault: Fault) -> None:
    client = FaultyClient(aws.client("events"), {1: fault})
    publisher = EventPublisher(client, "default")
    assert publisher.publish(changes(23)) == changes(23)[:10] + changes(23)[20:]
    assert not publisher.unresponsive
    assert len(aws.events()) == 13


def test_after_a_timeout_no_further_call_is_made(aws: EmbeddedAws) -> None:
    """Ten timeouts would leave no time for the suppression list. The next run tries again."""
    client = FaultyClient(aws.client("events"), {1: times_out})
    publisher = EventPublisher(client, "default")
    assert (publisher.publish(changes(100)), publisher.unresponsive) == (changes(100)[:10], True)
    assert len(client.calls) == 2
    assert (publisher.publish(changes(1)), publisher.unresponsive) == (changes(1), False)


@pytest.mark.parametrize("entries", [[], [{"EventId": "1"}], [{"EventId": "1"}] * 3], ids=["none", "fewer", "more"])
def test_a_response_with_another_number_of_entries_publishes_nothing(aws: EmbeddedAws, entries: list[Any]) -> None:
    """Nothing is raised: the events are published again later."""
    client = FaultyClient(aws.client("events"), default_fault=responds_with(*entries))
    assert EventPublisher(client, "default").publish(changes(2)) == []


def test_an_entry_without_an_id(aws: EmbeddedAws) -> None:
    """EventBridge gives every event it takes an id: an answer without one proves nothing."""
    client = FaultyClient(aws.client("events"), default_fault=responds_with({}, {"EventId": "1"}))
    assert EventPublisher(client, "default").publish(changes(2)) == changes(2)[1:]

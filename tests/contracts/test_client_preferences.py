"""Every message that `Preferences` sends follows the published schema, and the pipeline applies it."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ses_feedback.address import parse_address
from ses_feedback.client import Contacts, Preferences, UnusableAddressError
from ses_feedback.judging.policy import PolicyOptions
from ses_feedback.processing.pipeline import Pipeline
from ses_feedback.reading.preference_messages import PreferenceMessage, parse_preference
from tests.support.builders import AT, RECIPIENT, an_sqs_event, on_day
from tests.support.dynamodb_table import Operations, Table
from tests.support.fakes import FakeContacts, FakeQuarantine, ManualClock
from tests.support.preference_schema import SCHEMA, VALIDATOR
from tests.support.strategies import variants

if TYPE_CHECKING:
    from tests.support.builders import Json

NAMES = st.text("abcXYZ019_-", min_size=1, max_size=64)
REASONS = st.text(max_size=200).filter(str.isprintable)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(8999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 (naive limits)


class Stack:
    """The complaint lane of a stack, and the client of an application that sends to it and reads its contacts."""

    def __init__(self) -> None:
        """Create the stack without contacts, with two streams."""
        self.messages: list[Json] = []
        self.preferences = Preferences("https://sqs.us-east-1.amazonaws.com/123456789012/ComplaintQueue", client=self)
        clock = ManualClock(on_day(90))
        self._stored = FakeContacts(now=clock.now)
        options = PolicyOptions(streams=frozenset({"newsletter", "offers"}))
        self._pipeline = Pipeline(self._stored, FakeQuarantine(), now=clock.now, options=options, lane="Complaint")

    def send_message(self, **request: Any) -> None:  # noqa: ANN401 (botocore's parameters)
        """Process a message, as the queue delivers it."""
        self.messages.append(json.loads(request["MessageBody"]))
        [result] = self._pipeline.process(an_sqs_event(self.messages[-1])).results
        assert (result.disposition.value, result.reason) == ("applied", "")

    def answers(self) -> tuple[bool, bool, bool, bool]:
        """Return whether the recipient may get email, the newsletter, the offers, and receipts."""
        table = Table()
        for item in self._stored.items.values():
            table.put(item)
        contacts = Contacts("Contacts", client=Operations(table))
        streams = (None, "newsletter", "offers")
        return (*(contacts.may_send(RECIPIENT, one) for one in streams), contacts.may_send_transactional(RECIPIENT))  # type: ignore[return-value]


OPTIONS = st.fixed_dictionaries({}, optional={"stream": NAMES, "reason": REASONS, "time": TIMES, "id": NAMES})


@given(st.sampled_from(["unsubscribe", "subscribe"]), variants(), OPTIONS)
def test_every_message_follows_the_schema_and_has_the_values_of_the_call(
    preference: str, address: str, options: "Json"
) -> None:
    sent: list[Json] = []

    class Queue:
        def send_message(self, **request: Any) -> None:  # noqa: ANN401 (botocore's parameters)
            sent.append(json.loads(request["MessageBody"]))

    send = getattr(Preferences("https://sqs.example.com/queue", client=Queue()), preference)
    try:
        receipt = send(address, **options)
    except UnusableAddressError:
        return
    assert list(VALIDATOR.iter_errors(sent[0])) == []
    texts = options.get("stream", ""), options.get("reason", "")
    expected = PreferenceMessage(preference, parse_address(address), receipt.time, receipt.id, *texts)
    assert parse_preference(sent[0]) == expected


def test_an_address_that_is_too_long_for_the_schema_raises() -> None:
    """The A-labels of a domain have more characters than the domain."""
    address = f"{'x' * 300}@b\u00fccher.example"
    assert len(parse_address(address).variant) > SCHEMA["properties"]["address"]["maxLength"]
    with pytest.raises(UnusableAddressError):
        Stack().preferences.unsubscribe(address)


def test_the_pipeline_applies_each_kind_of_message() -> None:
    stack = Stack()
    everything, nothing = (True, True, True, True), (False, False, False, True)
    assert stack.answers() == everything
    stack.preferences.unsubscribe(f"A person <{RECIPIENT.upper()}>", "newsletter", time=on_day(-7))
    assert stack.answers() == (True, False, True, True)
    stack.preferences.subscribe(RECIPIENT, "newsletter", time=on_day(-6))
    assert stack.answers() == everything
    stack.preferences.unsubscribe(RECIPIENT, reason="by phone", time=on_day(-5))
    assert stack.answers() == nothing
    stack.preferences.subscribe(RECIPIENT, time=on_day(-4))
    assert stack.answers() == everything


def test_the_later_choice_counts_whichever_message_arrives_first() -> None:
    stack = Stack()
    stack.preferences.unsubscribe(RECIPIENT, "newsletter", time=on_day(-6))
    stack.preferences.subscribe(RECIPIENT, "newsletter", time=on_day(-7))
    assert stack.answers() == (True, False, True, True)


def test_a_repeated_call_changes_nothing() -> None:
    stack = Stack()
    receipt = stack.preferences.unsubscribe(RECIPIENT, "newsletter", time=AT)
    stored = dict(stack._stored.items)  # noqa: SLF001 (the items are the result)
    stack.preferences.unsubscribe(RECIPIENT, "newsletter", id=receipt.id, time=receipt.time)
    assert stack.messages[0] == stack.messages[1]
    assert stack._stored.items == stored  # noqa: SLF001

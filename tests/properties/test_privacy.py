"""Personal data (addresses, subjects, headers) appears neither in logs nor in metrics, errors or queue attributes."""

import copy
import json
import logging
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from ses_feedback.reading.envelope import Document, EnvelopeError, open_record, read_records
from ses_feedback.reading.preference_messages import PreferenceError, is_preference, parse_preference
from ses_feedback.reading.ses_events import FeedbackError, parse_feedback
from tests.support.builders import (
    RECIPIENT,
    a_bounce,
    a_bus_event,
    a_click,
    a_complaint,
    a_delivery,
    a_delivery_delay,
    a_fact,
    a_preference,
    a_rendering_failure,
    a_send,
    a_subscription,
    an_open,
    an_sns_envelope,
    an_sqs_event,
    an_sqs_record,
)
from tests.support.deployed_functions import EmbeddedStack, FakeContext, embedded_stack
from tests.support.faulty_client import Fault, fails_with, returns_garbage, times_out

CANARY = "canary@example.com"
"""Planted in every text that SES or a sender controls, and in the messages of the faults."""

DOCUMENTS = [
    a_bounce(),
    a_bounce("Transient", "MailboxFull"),
    a_complaint(),
    a_delivery(),
    a_subscription(),
    a_send(),
    an_open(),
    a_click(link_tags={"a": ["b"]}),
    a_rendering_failure(),
    a_delivery_delay(),
    a_preference(),
    a_preference("subscribe", "undeclared"),
    an_sns_envelope(a_bounce()),
    a_bus_event(a_bounce()),
]


@pytest.fixture
def stack() -> Iterator[EmbeddedStack]:
    """The embedded stack."""
    with embedded_stack() as stack:
        yield stack


def leaf_paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 (JSON)
    """Yield the path of each leaf of a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, element in inner:
        yield from leaf_paths(element, (*path, key))
    if not isinstance(value, dict | list):
        yield path


def with_canary_at(document: Any, path: tuple[Any, ...]) -> Any:  # noqa: ANN401 (JSON)
    """Return `document` with the canary as the value at `path`."""
    document = copy.deepcopy(document)
    container = document
    for key in path[:-1]:
        container = container[key]
    container[path[-1]] = CANARY
    return document


def with_canary_everywhere(document: Any) -> Any:  # noqa: ANN401 (JSON)
    """Return `document` with the canary in each text that does not identify the event, and as a key of each object."""
    if isinstance(document, list):
        return [with_canary_everywhere(element) for element in document]
    if isinstance(document, dict):
        unchanged = {"eventType", "notificationType", "bounceType", "timestamp", "emailAddress"}
        return {
            key: value if key in unchanged else with_canary_everywhere(value) for key, value in document.items()
        } | {CANARY: CANARY}
    return CANARY


def bodies() -> list[str]:
    """Return each document with the canary at each place separately, and at nearly all places together."""
    single = [with_canary_at(document, path) for document in DOCUMENTS for path in leaf_paths(document)]
    return [json.dumps(document) for document in [*single, *map(with_canary_everywhere, DOCUMENTS)]]


POISON = [
    CANARY,
    f'{{"{CANARY}',
    f'{{"eventType": "{CANARY}"}}',
    f'["{CANARY}"]',
    f'{{"{CANARY}": 1}}',
    f"\ud800{CANARY}",
]


def output(stack: EmbeddedStack, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> str:
    """Return everything that was printed or logged, and the attributes of quarantined messages."""
    out, err = capsys.readouterr()
    attributes = [message.attributes for message in stack.aws.quarantined()]
    return "\n".join([out, err, caplog.text, *(str(vars(record)) for record in caplog.records), str(attributes)])


FAULTS: dict[str, Fault | None] = {
    "no fault": None,
    "refused": fails_with("ValidationException"),
    "timeout": times_out,
    "garbled": returns_garbage,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_feedback_functions_publish_no_personal_data_whatever_fails(
    stack: EmbeddedStack, fault: Fault | None, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stack.dynamodb.default_fault = stack.sqs.default_fault = fault
    stack.feedback(lane="Bounce")(an_sqs_event(*bodies(), *POISON), FakeContext())
    text = output(stack, capsys, caplog)
    assert '"message":"batch"' in text
    assert (CANARY in text, "canary" in text, RECIPIENT in text) == (False, False, False)


def test_a_record_id_that_may_be_personal_data_is_not_logged(
    stack: EmbeddedStack, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A direct invocation may pass any id."""
    answer = stack.feedback()({"Records": [an_sqs_record("poison", messageId=CANARY)]}, FakeContext())
    assert answer == {"batchItemFailures": []}
    assert CANARY not in output(stack, capsys, caplog)


@pytest.mark.parametrize("event", [a_bounce(recipients=[CANARY]), {CANARY: CANARY}, CANARY, {"Records": [CANARY]}])
def test_the_error_of_a_direct_invocation_and_its_causes_contain_no_personal_data(
    stack: EmbeddedStack, event: object, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Lambda logs errors with their causes."""
    stack.dynamodb.default_fault = stack.sqs.default_fault = fails_with("InternalServerError")
    with pytest.raises(Exception, match="could not be stored") as raised:
        stack.feedback()(event, FakeContext())
    text = "".join(traceback.format_exception(raised.value)) + output(stack, capsys, caplog)
    assert CANARY not in text


@pytest.mark.parametrize("document", [*DOCUMENTS, *POISON], ids=range(len(DOCUMENTS) + len(POISON)))
def test_errors_of_opening_and_parsing_contain_no_values_of_the_event(document: Any) -> None:  # noqa: ANN401 (JSON)
    texts = (
        [json.dumps(with_canary_at(document, path)) for path in leaf_paths(document)]
        if isinstance(document, dict)
        else [document]
    )
    errors = [error for error in map(error_for, texts) if error]
    assert [error for error in errors if CANARY in "".join(traceback.format_exception(error))] == []
    assert isinstance(document, dict) or errors


def error_for(text: str) -> Exception | None:
    """Return the error that opening or parsing `text` raises, or None."""
    [record] = read_records(text)
    try:
        opened = open_record(record)
        if isinstance(opened, Document):
            (parse_preference if is_preference(opened.fields) else parse_feedback)(opened.fields)
    except (EnvelopeError, FeedbackError, PreferenceError) as error:
        return error
    return None


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("service", ["dynamodb", "events", "sesv2"])
def test_the_suppression_function_publishes_no_personal_data_whatever_fails(
    stack: EmbeddedStack,
    service: str,
    fault: Fault | None,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    stack.learn(a_fact(address=CANARY, reason="Permanent/General"))
    getattr(stack, service).default_fault = fault
    stack.suppression()({"Records": stack.stream()}, FakeContext())
    text = output(stack, capsys, caplog)
    assert '"message":"stream"' in text
    assert "canary" not in text


def test_the_canary_reaches_the_functions_and_their_stores(
    stack: EmbeddedStack, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise, the other tests of this module would prove nothing."""
    stack.feedback()(an_sqs_event(a_bounce(recipients=[CANARY]), POISON[0]), FakeContext())
    assert CANARY in str(stack.aws.contacts())
    assert CANARY in str(stack.aws.quarantined())
    assert caplog.records != []

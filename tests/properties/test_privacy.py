"""No address, subject or header of anybody's gets out of the contact store: not by logs, metrics, errors or queues."""

import copy
import json
import logging
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from ses_feedback.reading.envelope import Document, EnvelopeError, open_record, read_records
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
    an_sns_envelope(a_bounce()),
    a_bus_event(a_bounce()),
]


@pytest.fixture
def stack() -> Iterator[EmbeddedStack]:
    """A world."""
    with embedded_stack() as stack:
        yield stack


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 (JSON)
    """Yield the path of every leaf of a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from leaves(one, (*path, key))
    if not isinstance(value, dict | list):
        yield path


def planted(document: Any, path: tuple[Any, ...]) -> Any:  # noqa: ANN401 (JSON)
    """Return `document` with the canary in place of what is at `path`."""
    document = copy.deepcopy(document)
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = CANARY
    return document


def everywhere(document: Any) -> Any:  # noqa: ANN401 (JSON)
    """Return `document` with the canary in every text but those that say what it is, and in every key of a map."""
    if isinstance(document, list):
        return [everywhere(one) for one in document]
    if isinstance(document, dict):
        kept = {"eventType", "notificationType", "bounceType", "timestamp", "emailAddress"}
        return {key: one if key in kept else everywhere(one) for key, one in document.items()} | {CANARY: CANARY}
    return CANARY


def bodies() -> list[str]:
    """Return every document with the canary in each place by itself, and in nearly all at once."""
    single = [planted(document, path) for document in DOCUMENTS for path in leaves(document)]
    return [json.dumps(one) for one in [*single, *map(everywhere, DOCUMENTS)]]


POISON = [
    CANARY,
    f'{{"{CANARY}',
    f'{{"eventType": "{CANARY}"}}',
    f'["{CANARY}"]',
    f'{{"{CANARY}": 1}}',
    f"\ud800{CANARY}",
]


def told(stack: EmbeddedStack, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> str:
    """Return all that was printed or logged, and everything about messages in quarantine but the messages."""
    out, err = capsys.readouterr()
    attributes = [message.attributes for message in stack.aws.quarantined()]
    return "\n".join([out, err, caplog.text, *(str(vars(one)) for one in caplog.records), str(attributes)])


FAULTS: dict[str, Fault | None] = {
    "no fault": None,
    "refused": fails_with("ValidationException"),
    "timeout": times_out,
    "garbled": returns_garbage,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_feedback(
    stack: EmbeddedStack, fault: Fault | None, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """No output contains a canary, wherever it is planted and whichever fault occurs."""
    caplog.set_level(logging.INFO)
    stack.dynamodb.default_fault = stack.sqs.default_fault = fault
    stack.feedback(lane="Bounce")(an_sqs_event(*bodies(), *POISON), FakeContext())
    said = told(stack, capsys, caplog)
    assert '"message":"batch"' in said
    assert (CANARY in said, "canary" in said, RECIPIENT in said) == (False, False, False)


def test_a_record_with_an_odd_id(
    stack: EmbeddedStack, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A direct invocation may choose any record ids; they are returned, not logged."""
    answer = stack.feedback()({"Records": [an_sqs_record("poison", messageId=CANARY)]}, FakeContext())
    assert answer == {"batchItemFailures": []}
    assert CANARY not in told(stack, capsys, caplog)


@pytest.mark.parametrize("event", [a_bounce(recipients=[CANARY]), {CANARY: CANARY}, CANARY, {"Records": [CANARY]}])
def test_errors(
    stack: EmbeddedStack, event: object, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """What a direct invocation raises, which Lambda logs with its causes, tells nothing."""
    stack.dynamodb.default_fault = stack.sqs.default_fault = fails_with("InternalServerError")
    with pytest.raises(Exception, match="could not be stored") as raised:
        stack.feedback()(event, FakeContext())
    said = "".join(traceback.format_exception(raised.value)) + told(stack, capsys, caplog)
    assert CANARY not in said


@pytest.mark.parametrize("document", [*DOCUMENTS, *POISON], ids=range(len(DOCUMENTS) + len(POISON)))
def test_what_the_rooms_raise(document: Any) -> None:  # noqa: ANN401 (JSON)
    """Errors of opening and parsing name fields and reasons, never what was in them, and no cause that does."""
    texts = (
        [json.dumps(planted(document, path)) for path in leaves(document)] if isinstance(document, dict) else [document]
    )
    errors = [error for error in map(error_of, texts) if error]
    assert [error for error in errors if CANARY in "".join(traceback.format_exception(error))] == []
    assert isinstance(document, dict) or errors


def error_of(text: str) -> Exception | None:
    """Return what opening and parsing `text` raises."""
    [record] = read_records(text)
    try:
        opened = open_record(record)
        if isinstance(opened, Document):
            parse_feedback(opened.fields)
    except (EnvelopeError, FeedbackError) as error:
        return error
    return None


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("service", ["dynamodb", "events", "sesv2"])
def test_suppression(
    stack: EmbeddedStack,
    service: str,
    fault: Fault | None,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No output of the list sync contains an address, whichever call fails."""
    caplog.set_level(logging.INFO)
    stack.learn(a_fact(address=CANARY, reason="Permanent/General"))
    getattr(stack, service).default_fault = fault
    stack.suppression()({"Records": stack.stream()}, FakeContext())
    said = told(stack, capsys, caplog)
    assert '"message":"stream"' in said
    assert "canary" not in said


def test_the_canary_would_be_heard(stack: EmbeddedStack, caplog: pytest.LogCaptureFixture) -> None:
    """It is in what the functions are given and in what they keep."""
    stack.feedback()(an_sqs_event(a_bounce(recipients=[CANARY]), POISON[0]), FakeContext())
    assert CANARY in str(stack.aws.contacts())
    assert CANARY in str(stack.aws.quarantined())
    assert caplog.records != []

"""The dead-letter queues of subscriptions."""

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from localaws.server.ministack_internals import Scope
from localaws.server.topic_redrive import _with_redrive

if TYPE_CHECKING:
    from localaws.server.ministack_internals import Emulator

QUEUE, DEAD_LETTERS, TOPIC = "arn:aws:sqs:r:1:lane", "arn:aws:sqs:r:1:undelivered", "arn:aws:sns:r:1:topic"


@pytest.mark.parametrize(
    ("exists", "allowed", "policy", "expected"),
    [
        (True, True, {"deadLetterTargetArn": DEAD_LETTERS}, QUEUE),
        (True, False, {"deadLetterTargetArn": DEAD_LETTERS}, DEAD_LETTERS),
        (False, True, {"deadLetterTargetArn": DEAD_LETTERS}, DEAD_LETTERS),
        (True, False, None, QUEUE),
    ],
)
@pytest.mark.parametrize("encode", [json.dumps, dict])
def test_a_message_that_a_queue_refuses_goes_to_the_dead_letter_queue_of_its_subscription(
    encode: Any,  # noqa: ANN401
    policy: dict[str, str] | None,
    expected: str,
    *,
    exists: bool,
    allowed: bool,
) -> None:
    attributes = {"RedrivePolicy": encode(policy)} if policy else {}
    topic = {"subscriptions": [{"endpoint": QUEUE, "attributes": attributes}]}
    sns = SimpleNamespace(_topic_by_arn_any_scope=lambda _: topic)
    sqs = SimpleNamespace(_queue_by_arn=lambda _: {} if exists else None, queue_policy_allows=lambda *_: allowed)
    emulator = cast("Emulator", SimpleNamespace(scope=lambda: Scope("1", "r")))
    delivered: list[tuple[str, str]] = []

    def deliver(endpoint: str, message: str, *, topic_arn: str) -> None:
        assert topic_arn == TOPIC
        delivered.append((endpoint, message))

    _with_redrive(emulator, sns, sqs, deliver)(QUEUE, "message", topic_arn=TOPIC)
    assert delivered == [(expected, "message")]

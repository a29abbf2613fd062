"""The dead-letter queues of subscriptions, which ministack lacks.

https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from localaws.server.ministack_internals import Emulator
from localaws.server.monkey_patch import Patch

_SNS = "sns.amazonaws.com"


def redrive_patches(emulator: Emulator) -> Iterator[Patch]:
    """Yield the patch."""
    sns, sqs = emulator.service("sns"), emulator.service("sqs")
    yield Patch(sns, "_deliver_to_sqs", lambda deliver: _with_redrive(emulator, sns, sqs, deliver))


def _with_redrive(
    emulator: Emulator,
    sns: Any,  # noqa: ANN401 (a module without types)
    sqs: Any,  # noqa: ANN401
    deliver: Callable[..., None],
) -> Callable[..., None]:
    """Put a message that the queue's policy refuses into the subscription's dead-letter queue, without retries.

    The policy of that queue must allow it too.
    """

    def replacement(endpoint: str, *message: Any, topic_arn: str = "", **options: Any) -> None:  # noqa: ANN401
        account = emulator.scope().account
        exists = sqs._queue_by_arn(endpoint) is not None  # noqa: SLF001
        target = endpoint
        if not (exists and sqs.queue_policy_allows(endpoint, _SNS, topic_arn, account)):
            target = find_dead_letter_queue(sns._topic_by_arn_any_scope(topic_arn) or {}, endpoint) or endpoint  # noqa: SLF001
        deliver(target, *message, topic_arn=topic_arn, **options)

    return replacement


def find_dead_letter_queue(topic: dict[str, Any], endpoint: str) -> str:
    """Return the ARN of the dead-letter queue of the subscription of an endpoint, or an empty string."""
    for subscription in topic.get("subscriptions", ()):
        policy = subscription.get("attributes", {}).get("RedrivePolicy")
        if subscription.get("endpoint") == endpoint and policy:
            parsed = json.loads(policy) if isinstance(policy, str) else policy
            return str(parsed.get("deadLetterTargetArn", ""))
    return ""

"""Metrics that AWS publishes about queues, topics and functions, as far as the stack's alarms watch them."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from localaws.server.ministack_internals import Emulator, Scope
from localaws.server.monkey_patch import Patch

SECONDS = 2
"""Time between two samples. AWS takes one a minute."""
_MAX_RECEIVES = 3


def metric_patches(emulator: Emulator) -> Iterator[Patch]:
    """Yield the patch that counts the messages published to topics."""
    yield Patch(emulator.service("sns"), "_fanout", lambda fan_out: _with_count(emulator, fan_out))


def _with_count(emulator: Emulator, fan_out: Callable[..., None]) -> Callable[..., None]:
    """Count a message in AWS/SNS NumberOfMessagesPublished.

    https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html
    """

    def replacement(topic: str, *message: Any, **options: Any) -> None:  # noqa: ANN401
        emulator.record_service_metric("AWS/SNS", "NumberOfMessagesPublished", 1, TopicName=topic.rpartition(":")[2])
        fan_out(topic, *message, **options)

    return replacement


async def sample_forever(emulator: Emulator) -> None:
    """Sample the queues and evaluate the alarms every few seconds."""
    sampler = QueueSampler(emulator)
    while True:
        for scope in emulator.enter_scopes():
            sampler.sample(scope, time.time())
            emulator.evaluate_alarms()
        await asyncio.sleep(SECONDS)


class QueueSampler:
    """Records the number of visible messages and the age of the oldest message of each queue that is in use."""

    def __init__(self, emulator: Emulator) -> None:
        """Record the metrics in `emulator`."""
        self._emulator = emulator
        self._in_use: dict[Scope, set[str]] = {}

    def sample(self, scope: Scope, now: float) -> None:
        """Record a sample of each queue that has messages, or had some in the previous sample."""
        queues = self._emulator.queues()
        filled = {url for url, messages in queues.items() if messages}
        for url in sorted((filled | self._in_use.get(scope, set())) & set(queues)):
            self._record(url.rpartition("/")[2], queues[url], now)
        self._in_use[scope] = filled

    def _record(self, name: str, messages: list[Mapping[str, Any]], now: float) -> None:
        visible = sum(message["visible_at"] <= now for message in messages)
        age = age_of_oldest_message(messages, now)
        record = self._emulator.record_service_metric
        record("AWS/SQS", "ApproximateNumberOfMessagesVisible", visible, QueueName=name)
        record("AWS/SQS", "ApproximateAgeOfOldestMessage", age, QueueName=name)


def age_of_oldest_message(messages: Iterable[Mapping[str, Any]], now: float) -> int:
    """Return the age in seconds of the oldest message that was received fewer than three times, or 0.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    """
    ages = [now - message["sent_at"] for message in messages if message["receive_count"] < _MAX_RECEIVES]
    return int(max(ages, default=0))

"""The metrics of queues."""

from typing import TYPE_CHECKING, Any, cast

from localaws.server.ministack_internals import Scope
from localaws.server.service_metrics import QueueSampler, age_of_oldest_message

if TYPE_CHECKING:
    from localaws.server.ministack_internals import Emulator

NOW = 1_000.0
SCOPE = Scope("123456789012", "us-east-1")


def message(age: int, *, receives: int = 0, hidden: bool = False) -> dict[str, Any]:
    """Return a message as ministack stores it."""
    return {"sent_at": NOW - age, "visible_at": NOW + hidden, "receive_count": receives}


class Recorder:
    """An emulator with queues, which records metrics."""

    def __init__(self, **queues: list[dict[str, Any]]) -> None:
        self.messages = queues
        self.recorded: list[tuple[str, str, float]] = []

    def queues(self) -> dict[str, list[dict[str, Any]]]:
        return {f"http://localhost/1/{name}": messages for name, messages in self.messages.items()}

    def record_service_metric(self, namespace: str, name: str, value: float, **dimensions: str) -> None:
        assert namespace == "AWS/SQS"
        self.recorded.append((dimensions["QueueName"], name, value))

    def take(self) -> list[tuple[str, str, float]]:
        recorded, self.recorded = self.recorded, []
        return recorded


def test_a_message_received_three_times_is_not_the_oldest() -> None:
    assert age_of_oldest_message([message(9, receives=3), message(5, receives=2), message(1)], NOW) == 5
    assert age_of_oldest_message([message(9, receives=3)], NOW) == 0
    assert age_of_oldest_message([], NOW) == 0


def test_a_queue_is_sampled_while_it_has_messages_and_once_after() -> None:
    emulator = Recorder(bounces=[message(9), message(3, hidden=True)], idle=[])
    sampler = QueueSampler(cast("Emulator", emulator))
    visible, age = "ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"
    sampler.sample(SCOPE, NOW)
    assert emulator.take() == [("bounces", visible, 1), ("bounces", age, 9)]
    emulator.messages["bounces"] = []
    sampler.sample(SCOPE, NOW)
    assert emulator.take() == [("bounces", visible, 0), ("bounces", age, 0)]
    sampler.sample(SCOPE, NOW)
    assert emulator.take() == []

"""The queues before the feedback functions, and the functions themselves, as Lambda runs them."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tests.simulation.breakage import Wires, actor_of
from tests.simulation.mail import START, Message
from tests.simulation.stage import SECOND

VISIBILITY = 420 * SECOND
TIMEOUT = 60 * SECOND
_EPOCH_MS = round(START.timestamp() * 1000)


class Handler(Protocol):
    """A function's handler."""

    def __call__(self, event: object, context: Any, /) -> dict[str, Any]:  # noqa: ANN401 (Lambda's context)
        """Handle an event."""


class Judge(Protocol):
    """Who watches what becomes of messages."""

    def acknowledged(self, message: Message) -> None:
        """Check that nothing is lost with `message`, which is being taken off its queue."""

    def answered(self, messages: Sequence[Message], failed: set[str], *, broken: bool) -> None:
        """Check what a function answered about `messages`; `broken` tells whether anything was."""

    def failed(self, error: Exception) -> None:
        """Note that a function failed as a whole."""


class Context:
    """Lambda's context."""

    def __init__(self, wires: Wires) -> None:
        """Tell the time left of the acting function's."""
        self._wires = wires

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the function is killed."""
        return (actor_of(self._wires.stage).deadline - self._wires.stage.clock) // 1000


class Lanes:
    """The messages still on a queue, and since when each can be received (again)."""

    def __init__(self, messages: Sequence[Message], clock: Callable[[], int]) -> None:
        """Put `messages` on their queues."""
        self.clock = clock
        self.waiting = {message.number: (message.arrives * 1000, message) for message in messages}

    def due(self) -> int | None:
        """Return when the next message can be received."""
        return min((at for at, _ in self.waiting.values()), default=None)

    def receive(self, most: int) -> list[Message]:
        """Return messages of one lane that can be received."""
        now = self.clock()
        ready = [message for at, message in self.waiting.values() if at <= now]
        return [message for message in ready if message.lane == ready[0].lane][:most]

    def hide(self, messages: Sequence[Message]) -> None:
        """Hide messages for as long as the visibility timeout lasts."""
        until = self.clock() + VISIBILITY
        self.waiting.update({message.number: (until, message) for message in messages})


class FeedbackWorker:
    """One of Lambda's pollers with the function it invokes. A crash makes it begin anew, with a new process."""

    def __init__(self, lanes: Lanes, wires: Wires, compose: Callable[[], Handler], judge: Judge, batch: int) -> None:
        """Compose the function on first use."""
        self._lanes = lanes
        self._wires = wires
        self._compose = compose
        self._judge = judge
        self._batch = batch
        self._handler: Handler | None = None

    def due(self) -> int | None:
        """Return when there is a message to receive."""
        return self._lanes.due()

    def perform(self) -> None:
        """Receive a batch, invoke the function and acknowledge what it says it is done with."""
        stage = self._wires.stage
        actor_of(stage).deadline = stage.clock + TIMEOUT
        broken = self._wires.broken
        batch: list[Message] = []
        self._wires.call("receive", "", lambda: self._receive(batch))
        if not batch:
            return
        handler, self._handler = self._handler or self._compose(), None
        try:
            answer = handler({"Records": [_record(message) for message in batch]}, Context(self._wires))
        except Exception as error:  # noqa: BLE001 (as Lambda does)
            self._judge.failed(error)
            return
        self._handler = handler
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        self._judge.answered(batch, failed, broken=self._wires.broken != broken)
        # Lambda's pollers are no processes of ours: what follows has no deadline.
        actor_of(stage).deadline = stage.clock + VISIBILITY
        done = [message for message in batch if str(message.number) not in failed]
        self._wires.call("acknowledge", ", ".join(str(message.number) for message in done), lambda: self._remove(done))

    def _receive(self, batch: list[Message]) -> dict[str, Any]:
        found = self._lanes.receive(self._batch)
        if self._wires.fault != "duplicated":
            self._lanes.hide(found)
        batch += found
        return {}

    def _remove(self, done: list[Message]) -> dict[str, Any]:
        parts = {"not taken": 0, "taken in part": len(done) // 2}
        for message in done[: parts.get(self._wires.fault, len(done))]:
            if self._lanes.waiting.pop(message.number, None):
                self._judge.acknowledged(message)
        return {}


def _record(message: Message) -> dict[str, Any]:
    return {
        "messageId": str(message.number),
        "body": message.body,
        "attributes": {"SentTimestamp": str(_EPOCH_MS + message.arrives)},
        "eventSource": "aws:sqs",
    }

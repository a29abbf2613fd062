"""The queues before the feedback functions, and the functions themselves, as Lambda runs them."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from campaigns.simulation.call_faults import Wires, actor_of
from campaigns.simulation.messages import START, Message
from campaigns.simulation.scheduler import SECOND

VISIBILITY = 420 * SECOND
RECEIVES = 1_000
"""How often a lane hands a message out before the dead-letter queue takes it."""
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

    def shown(self, where: str, text: str) -> None:
        """Check what others can see."""


class Context:
    """Lambda's context."""

    def __init__(self, wires: Wires) -> None:
        """Tell the time left of the acting function's."""
        self._wires = wires

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the function is killed."""
        return (actor_of(self._wires.stage).deadline - self._wires.stage.clock) // 1000


class Lanes:
    """The messages still on a queue, and since when each can be received (again).

    `received` is how often each was, by number; `dead` are those on the dead-letter queue.
    """

    def __init__(self, messages: Sequence[Message], clock: Callable[[], int]) -> None:
        """Put `messages` on their queues."""
        self.clock = clock
        self.waiting = {message.number: (message.arrives * 1000, message) for message in messages}
        self.received: Counter[int] = Counter()
        self.dead: list[Message] = []

    def due(self) -> int | None:
        """Return when the next message can be received."""
        return min((at for at, _ in self.waiting.values()), default=None)

    def state(self) -> object:
        """Return which messages are there, and since when each can be received."""
        return sorted((number, max(0, at - self.clock())) for number, (at, _) in self.waiting.items())

    def receive(self, most: int) -> list[Message]:
        """Return messages of one lane that can be received."""
        now = self.clock()
        ready = [message for at, message in self.waiting.values() if at <= now]
        for message in [message for message in ready if self.received[message.number] >= RECEIVES]:
            ready.remove(message)
            self.dead.append(self.waiting.pop(message.number)[1])
        return [message for message in ready if message.lane == ready[0].lane][:most]

    def redeliveries(self) -> int:
        """Return how often a message was received that had been received before."""
        return self.received.total() - len(self.received)

    def redrive(self, messages: Sequence[Message]) -> None:
        """Put messages on their queues, as new."""
        for message in messages:
            self.waiting[message.number] = self.clock(), message
            self.received.pop(message.number, None)

    def take_dead(self) -> list[Message]:
        """Take everything off the dead-letter queue."""
        dead, self.dead = self.dead, []
        return dead

    def hide(self, messages: Sequence[Message], *, visible: bool = False) -> None:
        """Hide messages that are received for as long as the visibility timeout lasts, unless they stay `visible`."""
        until = self.clock() + (0 if visible else VISIBILITY)
        self.received.update(message.number for message in messages)
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

    def state(self) -> object:
        """Return nothing: all workers share the lanes, and keep nothing from one act to the next."""
        return None

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
        self._judge.shown("a function's answer", repr(answer))
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        self._judge.answered(batch, failed, broken=self._wires.broken != broken)
        # Lambda's pollers are no processes of ours: what follows has no deadline.
        actor_of(stage).deadline = stage.clock + VISIBILITY
        done = [message for message in batch if str(message.number) not in failed]
        self._wires.call("acknowledge", ", ".join(str(message.number) for message in done), lambda: self._remove(done))

    def _receive(self, batch: list[Message]) -> dict[str, Any]:
        found = self._lanes.receive(self._batch)
        self._lanes.hide(found, visible=self._wires.fault == "duplicated")
        batch += found
        return {"Messages": [message.number for message in found]}

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

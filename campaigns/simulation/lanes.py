"""Lanes (SQS queues), and the workers that invoke a feedback function with their messages, as Lambda does."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from campaigns.simulation.fault_injector import FaultInjector
from campaigns.simulation.messages import START, Message, format_milliseconds
from campaigns.simulation.scheduler import SECOND

VISIBILITY = 420 * SECOND
"""Visibility timeout of a lane.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
"""
MAX_RECEIVES = 1_000
"""Receives after which a message moves to the dead-letter queue (`maxReceiveCount`).

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
"""
TIMEOUT = 60 * SECOND
"""Timeout of a feedback function."""
_EPOCH_MS = round(START.timestamp() * 1000)


class Handler(Protocol):
    """The handler of a Lambda function."""

    def __call__(self, event: object, context: Any, /) -> dict[str, Any]:  # noqa: ANN401 (Lambda's context)
        """Handle an event."""


class FunctionChecker(Protocol):
    """Checks the results of functions."""

    def check_acknowledgement(self, message: Message) -> None:
        """Check that an acknowledged message is in quarantine, or that all its facts are stored."""

    def check_answer(self, messages: Sequence[Message], failed: set[str], *, broken: bool) -> None:
        """Check the numbers in `failed`, which a function returned. `broken` is True if a call had a fault."""

    def check_failure(self, error: Exception) -> None:
        """Check that a function may fail with `error`."""

    def check_calls_for_expiries(self, calls: int) -> None:
        """Check that a function made no AWS calls for expired contacts. `calls` is the number of its calls."""

    def check_text(self, place: str, text: str) -> None:
        """Check that `text` contains no personal data. `place` is the origin of the text."""


class LambdaContext:
    """The context object of the running function.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    def __init__(self, injector: FaultInjector) -> None:
        """Create a context for the functions whose calls pass through `injector`."""
        self._scheduler = injector.scheduler

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the function times out."""
        return (self._scheduler.running_actor().deadline - self._scheduler.clock) // 1000


class Lanes:
    """The messages on both lanes and on their dead-letter queue.

    `waiting` has the messages on the lanes by number, each with the time from which it is visible. `received` has the
    number of receives of each message. `dead` has the messages on the dead-letter queue.
    """

    def __init__(self, messages: Sequence[Message], clock: Callable[[], int]) -> None:
        """Add `messages` to their lanes. Each becomes visible at its time of arrival."""
        self.clock = clock
        self.waiting = {message.number: (message.arrives * 1000, message) for message in messages}
        self.received: Counter[int] = Counter()
        self.dead: list[Message] = []
        self._redriven: dict[int, int] = {}

    def due(self) -> int | None:
        """Return the time at which the next message becomes visible, or None if the lanes are empty."""
        return min((at for at, _ in self.waiting.values()), default=None)

    def state(self) -> object:
        """Return the number of each message, and the time until it becomes visible."""
        return sorted((number, max(0, at - self.clock())) for number, (at, _) in self.waiting.items())

    def receive(self, limit: int) -> list[Message]:
        """Return up to `limit` visible messages of one lane."""
        now = self.clock()
        visible = [message for at, message in self.waiting.values() if at <= now]
        for message in [message for message in visible if self.received[message.number] >= MAX_RECEIVES]:
            visible.remove(message)
            self.dead.append(self.waiting.pop(message.number)[1])
        return [message for message in visible if message.lane == visible[0].lane][:limit]

    def redeliveries(self) -> int:
        """Return the number of receives, without the first receive of each message."""
        return self.received.total() - len(self.received)

    def redrive(self, messages: Sequence[Message]) -> None:
        """Send `messages` to their lanes again as `feedbackctl` does, with a receive count of 0."""
        for message in messages:
            self.waiting[message.number] = self.clock(), message
            self.received.pop(message.number, None)
            self._redriven[message.number] = self.clock() // 1000

    def sqs_record(self, message: Message) -> dict[str, Any]:
        """Return the record of a message in a Lambda event."""
        return sqs_record(message, self._redriven.get(message.number))

    def take_dead(self) -> list[Message]:
        """Remove and return all messages of the dead-letter queue."""
        dead, self.dead = self.dead, []
        return dead

    def hide(self, messages: Sequence[Message], *, visible: bool = False) -> None:
        """Count a receive of `messages`, and hide them for the visibility timeout unless `visible` is True."""
        until = self.clock() + (0 if visible else VISIBILITY)
        self.received.update(message.number for message in messages)
        self.waiting.update({message.number: (until, message) for message in messages})


class FeedbackWorker:
    """A poller of Lambda with the function that it invokes.

    After a crash or a failure of the function, the next invocation uses a new function.
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
    """

    def __init__(
        self,
        lanes: Lanes,
        injector: FaultInjector,
        compose: Callable[[], Handler],
        checker: FunctionChecker,
        batch: int,
    ) -> None:
        """Invoke a function with up to `batch` messages. `compose` returns a new function."""
        self._lanes = lanes
        self._injector = injector
        self._compose = compose
        self._checker = checker
        self._batch = batch
        self._handler: Handler | None = None

    def due(self) -> int | None:
        """Return the time at which the next message becomes visible, or None if the lanes are empty."""
        return self._lanes.due()

    def state(self) -> object:
        """Return None, because no state of a worker influences its next invocation."""
        return None

    def perform(self) -> None:
        """Receive a batch, invoke the function, and acknowledge the messages that did not fail."""
        scheduler = self._injector.scheduler
        scheduler.running_actor().deadline = scheduler.clock + TIMEOUT
        faults_before = self._injector.fault_count
        batch: list[Message] = []
        self._injector.call("receive", "", lambda: self._receive(batch))
        if not batch:
            return
        # The function is kept only if it returns. A crash or an exception therefore discards it.
        handler, self._handler = self._handler or self._compose(), None
        try:
            result = handler(
                {"Records": [self._lanes.sqs_record(message) for message in batch]}, LambdaContext(self._injector)
            )
        except Exception as error:  # noqa: BLE001 (Lambda also handles any exception)
            self._checker.check_failure(error)
            return
        self._handler = handler
        self._checker.check_text("the result of a function", repr(result))
        failed = {failure["itemIdentifier"] for failure in result["batchItemFailures"]}
        self._checker.check_answer(batch, failed, broken=self._injector.fault_count != faults_before)
        # The poller acknowledges the messages. It is not part of the function, so the timeout does not apply to it.
        scheduler.running_actor().deadline = scheduler.clock + VISIBILITY
        done = [message for message in batch if str(message.number) not in failed]
        numbers = ", ".join(str(message.number) for message in done)
        self._injector.call("acknowledge", numbers, lambda: self._remove(done))

    def _receive(self, batch: list[Message]) -> dict[str, Any]:
        received = self._lanes.receive(self._batch)
        self._lanes.hide(received, visible=self._injector.fault == "received twice")
        batch += received
        return {"Messages": [message.number for message in received]}

    def _remove(self, done: list[Message]) -> dict[str, Any]:
        accepted = {"not accepted": 0, "accepted in part": len(done) // 2}.get(self._injector.fault, len(done))
        for message in done[:accepted]:
            if self._lanes.waiting.pop(message.number, None):
                self._checker.check_acknowledgement(message)
        return {}


def sqs_record(message: Message, redriven: int | None = None) -> dict[str, Any]:
    """Return the record of a message in a Lambda event. `redriven` is the time of its redrive in milliseconds.

    SQS assigns a new `SentTimestamp` to a redriven message. `feedbackctl` adds the first one as an attribute.
    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    """
    record: dict[str, Any] = {
        "messageId": str(message.number),
        "body": message.body,
        "attributes": {"SentTimestamp": str(_EPOCH_MS + (message.arrives if redriven is None else redriven))},
        "eventSource": "aws:sqs",
    }
    if redriven is not None:
        first = {"dataType": "String", "stringValue": format_milliseconds(message.arrives)}
        record["messageAttributes"] = {"sent-at": first}
    return record

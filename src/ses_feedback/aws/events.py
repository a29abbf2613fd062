"""Publish events about contacts to an EventBridge bus."""

import json
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from ses_feedback.aws.batches import batched
from ses_feedback.aws.errors import AWS_ERRORS, ERRORS_WITH_RESPONSE, require

SOURCE = "ses-feedback"
_ENTRIES_AT_ONCE = 10


class EventBridge(Protocol):
    """The calls of botocore's EventBridge client that are made here."""

    def put_events(self, **request: Any) -> Any: ...  # noqa: ANN401, D102


class ContactEvent(Protocol):
    """An event about a contact."""

    @property
    def detail_type(self) -> str:
        """The event's `detail-type`."""

    def detail(self) -> dict[str, Any]:
        """Return the event's `detail`."""


_Event = TypeVar("_Event", bound=ContactEvent)


class EventPublisher:
    """Publishes `Contact Status Changed` events on an event bus, at least once each."""

    def __init__(self, client: EventBridge, bus: str) -> None:
        """Publish on the event bus `bus` through `client`."""
        self._client = client
        self._bus = bus
        self.unresponsive = False
        """Whether nobody answered the latest call: whoever has other things to do should not call again now."""

    def publish(self, changes: Sequence[_Event]) -> list[_Event]:
        """Publish `changes`; return those EventBridge took. Never raises for a fault of EventBridge's."""
        self.unresponsive = False
        taken: list[_Event] = []
        for part in batched(changes, _ENTRIES_AT_ONCE):
            entries = [
                {
                    "Source": SOURCE,
                    "DetailType": change.detail_type,
                    "Detail": json.dumps(change.detail()),
                    "EventBusName": self._bus,
                }
                for change in part
            ]
            try:
                results = require(self._client.put_events(Entries=entries), "Entries")
            except ERRORS_WITH_RESPONSE:
                continue  # not taken: the caller tries again, and logs what is left
            except AWS_ERRORS:
                self.unresponsive = True  # the suppression list must not wait for a bus that hangs, call after call
                break
            if len(results) == len(part):  # else the answer does not say what became of which
                taken += [change for change, result in zip(part, results, strict=True) if "EventId" in result]
        return taken

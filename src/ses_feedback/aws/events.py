"""Publish events about contacts to an EventBridge bus."""

import json
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from ses_feedback.aws.batches import batched
from ses_feedback.aws.errors import AWS_ERRORS, ERRORS_WITH_RESPONSE, require

SOURCE = "ses-feedback"
_MAX_ENTRIES = 10
"""Entries in one PutEvents call: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html"""


class EventBusClient(Protocol):
    """The method of botocore's EventBridge client that is called here."""

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
    """Publishes events on an event bus, each at least once."""

    def __init__(self, client: EventBusClient, bus: str) -> None:
        """Publish on the event bus `bus` through `client`."""
        self._client = client
        self._bus = bus
        self.unresponsive = False
        """True if the latest call was not answered. A caller with other work should not call again in this run."""

    def publish(self, events: Sequence[_Event]) -> list[_Event]:
        """Publish `events`; return those that EventBridge accepted. Faults of EventBridge raise nothing."""
        self.unresponsive = False
        accepted: list[_Event] = []
        for batch in batched(events, _MAX_ENTRIES):
            try:
                results = require(self._client.put_events(Entries=[self._entry(event) for event in batch]), "Entries")
            except ERRORS_WITH_RESPONSE:
                continue  # not accepted: the caller publishes these events again, and logs those that remain
            except AWS_ERRORS:
                self.unresponsive = True  # further calls could hang as well, and would leave no time for the list
                break
            # EventBridge may accept some entries and refuse others. Results have the order of the entries:
            # https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
            if len(results) == len(batch):
                accepted += [event for event, result in zip(batch, results, strict=True) if "EventId" in result]
        return accepted

    def _entry(self, event: ContactEvent) -> dict[str, str]:
        return {
            "Source": SOURCE,
            "DetailType": event.detail_type,
            "Detail": json.dumps(event.detail()),
            "EventBusName": self._bus,
        }

"""Simulated AWS services beside DynamoDB: the suppression list, the quarantine queue and the event bus."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from campaigns.fuzz.canaries import undocumented
from campaigns.simulation.fault_injector import Answer, FaultInjector
from tests.support.dynamodb_table import refused

_SUCCESS: Answer = {"ResponseMetadata": {"RequestId": "made-up"}}
"""SES's answer to a successful call: it is empty, and its request id proves that it comes from SES."""
CheckText = Callable[[str, str], None]
"""Checks that a text which others can see contains no personal data; the first argument names its place."""


class SuppressionEntries:
    """The account suppression list: `entries` has the reason of each variant.

    The calls of the list distinguish the case of local parts; `written` has the keys that were ever written.
    https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html
    """

    def __init__(self, entries: Mapping[str, str]) -> None:
        """Start with `entries`, which SES added itself."""
        self.entries = dict(entries)
        self.written: set[str] = set()

    def put(self, variant: str, reason: str) -> None:
        """Add an entry, or replace it."""
        self.entries[variant] = reason
        self.written.add(variant.lower())

    def delete(self, variant: str) -> bool:
        """Remove an entry; False if there is none."""
        self.written.add(variant.lower())
        return self.entries.pop(variant, None) is not None


class SesV2Client:
    """A client of the suppression list."""

    def __init__(self, suppressed: SuppressionEntries, injector: FaultInjector, check_call: Callable[[], None]) -> None:
        """Run `check_call` before every call."""
        self._suppressed = suppressed
        self._injector = injector
        self._check_call = check_call

    def put_suppressed_destination(self, *, EmailAddress: str, Reason: str) -> Answer:  # noqa: N803 (names of botocore)
        """Add or replace an entry.

        https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_PutSuppressedDestination.html
        """

        def effect() -> Answer:
            self._suppressed.put(EmailAddress, Reason)
            return _SUCCESS

        self._check_call()
        return self._injector.call("put_suppressed_destination", f"{EmailAddress} {Reason}", effect)

    def delete_suppressed_destination(self, *, EmailAddress: str) -> Answer:  # noqa: N803
        """Remove an entry; the call fails if there is none.

        https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_DeleteSuppressedDestination.html
        """

        def effect() -> Answer:
            if not self._suppressed.delete(EmailAddress):
                raise refused("DeleteSuppressedDestination", "NotFoundException")
            return _SUCCESS

        self._check_call()
        return self._injector.call("delete_suppressed_destination", EmailAddress, effect)


class SqsClient:
    """A client of the quarantine queue; `bodies` are the messages that it received."""

    def __init__(self, bodies: list[str], injector: FaultInjector, check_text: CheckText) -> None:
        """Pass the attributes of every message to `check_text`."""
        self._bodies = bodies
        self._injector = injector
        self._check_text = check_text

    def send_message(self, *, QueueUrl: str, MessageBody: str, MessageAttributes: Mapping[str, Any]) -> Answer:  # noqa: N803, ARG002
        """Send a message."""
        self._check_text("a queue's attribute", repr(MessageAttributes))

        def effect() -> Answer:
            self._bodies.append(MessageBody)
            return {"MessageId": "kept"}

        return self._injector.call("send_message", "quarantine", effect)


class EventBridgeClient:
    """A client of the event bus; `published` has the detail of each event that it accepted, with its detail-type."""

    def __init__(self, published: list[dict[str, Any]], injector: FaultInjector, check_text: CheckText) -> None:
        """Pass the undocumented fields of every event to `check_text`."""
        self._published = published
        self._injector = injector
        self._check_text = check_text

    def put_events(self, *, Entries: Sequence[Mapping[str, Any]]) -> Answer:  # noqa: N803
        """Publish events; each entry succeeds or fails by itself.

        https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
        """
        for entry in Entries:
            self._check_text("an event", undocumented(json.loads(entry["Detail"])))

        def effect() -> Answer:
            rejects = self._injector.fault == "not accepted"
            accepted = self._injector.argument % len(Entries) if rejects else len(Entries)
            rejected = len(Entries) - accepted
            self._published.extend(
                {"detail-type": entry["DetailType"], **json.loads(entry["Detail"])} for entry in Entries[:accepted]
            )
            results = [{"EventId": "1"}] * accepted + [{"ErrorCode": "InternalFailure"}] * rejected
            return {"FailedEntryCount": rejected, "Entries": results}

        return self._injector.call("put_events", str(len(Entries)), effect)

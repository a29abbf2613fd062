"""The suppression list, the quarantine queue and the event bus, as far as the code calls them."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from campaigns.fuzz.canaries import undocumented
from campaigns.simulation.call_faults import Answer, Wires
from campaigns.simulation.fault_kinds import refused

_DONE: Answer = {"ResponseMetadata": {"RequestId": "made-up"}}
"""What SES answers that did as asked: nothing, and beside it what says that it is SES's."""
Shown = Callable[[str, str], None]
"""Is told where, and what, others can see."""


class SesList:
    """The account-level suppression list. Its calls tell the case of local parts apart, as SES's own do."""

    def __init__(self, entries: Mapping[str, str]) -> None:
        """Begin with `entries`: the reason by variant."""
        self.entries = dict(entries)
        self.written: set[str] = set()


class SesV2:
    """A client of the suppression list."""

    def __init__(self, held: SesList, wires: Wires, called: Callable[[], None]) -> None:
        """Call over `wires`, telling `called` of every call before it is made."""
        self._list = held
        self._wires = wires
        self._called = called

    def put_suppressed_destination(self, *, EmailAddress: str, Reason: str) -> Answer:  # noqa: N803 (botocore's own names)
        """Put an entry, whatever there was."""

        def effect() -> Answer:
            self._list.entries[EmailAddress] = Reason
            self._list.written.add(EmailAddress.lower())
            return _DONE

        self._called()
        return self._wires.call("put_suppressed_destination", f"{EmailAddress} {Reason}", effect)

    def delete_suppressed_destination(self, *, EmailAddress: str) -> Answer:  # noqa: N803
        """Take an entry off."""

        def effect() -> Answer:
            self._list.written.add(EmailAddress.lower())
            if self._list.entries.pop(EmailAddress, None) is None:
                raise refused("DeleteSuppressedDestination", "NotFoundException")
            return _DONE

        self._called()
        return self._wires.call("delete_suppressed_destination", EmailAddress, effect)


class Sqs:
    """A client of the quarantine queue, which keeps everything."""

    def __init__(self, kept: list[str], wires: Wires, shown: Shown) -> None:
        """Call over `wires`, telling `shown` what a message's attributes show."""
        self._kept = kept
        self._wires = wires
        self._shown = shown

    def send_message(self, *, QueueUrl: str, MessageBody: str, MessageAttributes: Mapping[str, Any]) -> Answer:  # noqa: N803, ARG002
        """Keep a message."""
        self._shown("a queue's attribute", repr(MessageAttributes))

        def effect() -> Answer:
            self._kept.append(MessageBody)
            return {"MessageId": "kept"}

        return self._wires.call("send_message", "quarantine", effect)


class Events:
    """A client of the event bus, which keeps what was published."""

    def __init__(self, published: list[dict[str, Any]], wires: Wires, shown: Shown) -> None:
        """Call over `wires`, telling `shown` what events show that no document says they do."""
        self._published = published
        self._wires = wires
        self._shown = shown

    def put_events(self, *, Entries: Sequence[Mapping[str, Any]]) -> Answer:  # noqa: N803
        """Publish."""
        for entry in Entries:
            self._shown("an event", undocumented(json.loads(entry["Detail"])))

        def effect() -> Answer:
            first = self._wires.argument % len(Entries) if self._wires.fault == "not taken" else len(Entries)
            self._published.extend(json.loads(entry["Detail"]) for entry in Entries[:first])
            left = len(Entries) - first
            results = [*({"EventId": "1"} for _ in Entries[:first]), *({"ErrorCode": "InternalFailure"},) * left]
            return {"FailedEntryCount": left, "Entries": results}

        return self._wires.call("put_events", str(len(Entries)), effect)

"""AWS in memory as far as the functions call it, and as strict as AWS about sizes and characters.

The table counts the writes of each partition. It and the quarantine queue can fail for some addresses and some
messages.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from benchmarks.dynamodb_units import item_size
from localaws.in_process.partiql import Statement
from ses_feedback.aws.quarantine import MAX_MESSAGE_BYTES, SQS_INVALID_CHARACTER
from ses_feedback.contacts.record import RECORD
from tests.support import dynamodb_table
from tests.support.dynamodb_table import INDEXES, Answer, Item, Key, Observer, Operations, refused

MAX_ITEM_BYTES = 400 * 1024
MAX_KEY_BYTES = {"address": 2_048, "record": 1_024}
"""DynamoDB's limits of an item and of its partition and sort key.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
"""
MAX_KEYS = 100
"""Keys in one BatchGetItem.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
"""
MAX_EVENT_BYTES = 256 * 1024
"""The size of an event entry.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html
"""
MAX_ADDRESS_BYTES = 320
"""The longest address that SES accepts: 64 octets, an @ and 255 octets (RFC 5321, 4.5.3.1)."""
_SUCCESS: Answer = {"ResponseMetadata": {"RequestId": "made-up"}}


def refusal(operation: str, code: str, quoted: object) -> ClientError:
    """Return the exception botocore raises if AWS refuses a request. Its message quotes the request, as AWS's may."""
    return refused(operation, code, f"invalid: {quoted!r}")


class SizeLimits(Observer):
    """DynamoDB's limits on items and keys."""

    def __init__(self) -> None:
        """Begin without an item."""
        self.largest = 0
        """The size of the largest item written, in bytes."""

    def check(self, key: Key, item: Item) -> None:
        """Raise ClientError if the item or its key is too large, or the key empty.

        Raises:
            UnicodeEncodeError: a text has a lone surrogate, as botocore would raise.

        """
        size = item_size(item)
        self.largest = max(self.largest, size)
        lengths = zip(key, MAX_KEY_BYTES.values(), strict=True)
        if size > MAX_ITEM_BYTES or any(not 0 < len(part.encode()) <= most for part, most in lengths):
            raise refusal("PutItem", "ValidationException", item)


class PartitionWrites(Observer):
    """The writes of each partition of the table and of its indexes, refused ones included."""

    def __init__(self) -> None:
        """Begin without a write."""
        self.counts: dict[str, Counter[str]] = {name: Counter() for name in ("table", *INDEXES)}

    def written(self, key: Key, before: Item | None, after: Item) -> None:
        """Count a write. An index of keys only is written if its keys change: once for each place."""
        self.counts["table"][key[0]] += 1
        for name, (partition, sort) in INDEXES.items():
            places = [(item.get(partition), item.get(sort)) for item in (before or {}, after)]
            for place in places if places[0] != places[1] else ():
                if place[0]:
                    self.counts[name][place[0]["S"]] += 1

    def refused(self, key: Key, stored: Item | None) -> None:  # noqa: ARG002 (as Observer)
        """Count a write whose condition did not hold: it consumes capacity, too."""
        self.counts["table"][key[0]] += 1


class PendingWrites(Observer):
    """The latest item of each contact that the stream would deliver to SuppressionFunction."""

    def __init__(self) -> None:
        """Begin without a contact."""
        self.items: dict[str, Item] = {}

    def written(self, key: Key, before: Item | None, after: Item) -> None:  # noqa: ARG002 (as Observer)
        """Add a contact that is pending."""
        if key[1] == RECORD and "pending_shard" in after:
            self.items[key[0]] = after


class Table(dynamodb_table.Table):
    """The table with DynamoDB's limits. Writes of an address are throttled if `fails` returns True for it."""

    def __init__(self) -> None:
        """Create an empty table."""
        self.sizes = SizeLimits()
        self.partitions = PartitionWrites()
        self.pending = PendingWrites()
        self.fails: Callable[[str], bool] = lambda _: False
        super().__init__(self.sizes, self.partitions, self.pending)

    def clear(self) -> None:
        """Remove every item."""
        super().clear()
        self.pending.items.clear()


class DynamoDb(Operations):
    """A client of the table."""

    table: Table

    def batch_get_item(self, **request: Any) -> Answer:  # noqa: ANN401 (botocore's parameters)
        """Return items by their keys.

        Raises:
            ClientError: there are too many keys or none, one twice, or one too long.

        """
        [asked] = request["RequestItems"].values()
        keys = {(key["address"]["S"], key["record"]["S"]) for key in asked["Keys"]}
        too_long = any(len(address.encode()) > MAX_KEY_BYTES["address"] for address, _ in keys)
        if not 1 <= len(asked["Keys"]) <= MAX_KEYS or len(keys) < len(asked["Keys"]) or too_long:
            raise refusal("BatchGetItem", "ValidationException", keys)
        return super().batch_get_item(**request)

    def execute(self, statement: Statement) -> Answer:
        """Carry out one statement of a batch, or answer that its address is throttled."""
        address = statement.key["address"]["S"]
        if self.table.fails(address):
            return {"Error": {"Code": "ThrottlingError", "Message": f"not {address}"}}
        return super().execute(statement)


@dataclass
class Sqs:
    """A client of the quarantine queue. It throttles a message if `fails` returns True for its body."""

    kept: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Body and attributes of each message."""
    fails: Callable[[str], bool] = lambda _: False

    def send_message(self, *, MessageBody: str, MessageAttributes: Mapping[str, Any], **_: Any) -> Answer:  # noqa: N803, ANN401
        """Keep a message.

        Raises:
            ClientError: it is throttled, too large, or has an empty text or a character that SQS does not accept.
                https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html

        """
        attributes = {name: typed["StringValue"] for name, typed in MessageAttributes.items()}
        texts = [MessageBody, *attributes.values()]
        size = len(MessageBody.encode()) + sum(
            len(name.encode()) + len(b"String") + len(value.encode()) for name, value in attributes.items()
        )
        if size > MAX_MESSAGE_BYTES or not all(texts) or any(SQS_INVALID_CHARACTER.search(text) for text in texts):
            raise refusal("SendMessage", "InvalidParameterValue", MessageBody)
        if self.fails(MessageBody):
            raise refusal("SendMessage", "RequestThrottled", MessageBody)
        self.kept.append((MessageBody, attributes))
        return {"MessageId": "kept"}


@dataclass
class Events:
    """A client of the event bus."""

    published: list[dict[str, Any]] = field(default_factory=list)
    """The detail of each event."""

    def put_events(self, *, Entries: Sequence[Mapping[str, str]]) -> Answer:  # noqa: N803
        """Publish events.

        Raises:
            ClientError: one of them is too large.

        """
        for entry in Entries:
            if len(entry["Detail"].encode()) > MAX_EVENT_BYTES:
                raise refusal("PutEvents", "ValidationException", entry)
            self.published.append(json.loads(entry["Detail"]))
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"} for _ in Entries]}


@dataclass
class SesV2:
    """A client of the suppression list."""

    now: Callable[[], datetime]
    entries: dict[str, str] = field(default_factory=dict)
    """The reason of each entry, by address."""
    calls: list[datetime] = field(default_factory=list)
    """The time of each call."""

    def put_suppressed_destination(self, *, EmailAddress: str, Reason: str) -> Answer:  # noqa: N803
        """Put an entry.

        Raises:
            ClientError: SES does not accept the address.

        """
        self.calls.append(self.now())
        if len(EmailAddress.encode()) > MAX_ADDRESS_BYTES or not EmailAddress.isascii():
            raise refusal("PutSuppressedDestination", "BadRequestException", EmailAddress)
        self.entries[EmailAddress] = Reason
        return _SUCCESS

    def delete_suppressed_destination(self, *, EmailAddress: str) -> Answer:  # noqa: N803
        """Delete an entry.

        Raises:
            ClientError: there is none.

        """
        self.calls.append(self.now())
        if self.entries.pop(EmailAddress, None) is None:
            raise refusal("DeleteSuppressedDestination", "NotFoundException", EmailAddress)
        return _SUCCESS

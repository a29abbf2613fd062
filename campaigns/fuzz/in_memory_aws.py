"""AWS in memory, as far as the functions call it, and as strict as AWS is about what it is handed.

It counts what would heat a partition, and can be told to fail for some addresses and some messages.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from benchmarks.table import INDEXES
from localaws.in_process.partiql import Statement, StatementError, apply_statement, parse_statements
from ses_feedback.aws.quarantine import MAX_MESSAGE_BYTES, SQS_INVALID_CHARACTER
from ses_feedback.contacts.record import RECORD, Item

Answer = dict[str, Any]
Key = tuple[str, str]

MAX_ITEM_BYTES = 400 * 1024
MAX_KEY_BYTES = {"address": 2_048, "record": 1_024}
MAX_EVENT_BYTES = 256 * 1024
_DONE: Answer = {"ResponseMetadata": {"RequestId": "made-up"}}


def refused(operation: str, code: str, quoted: object = "") -> ClientError:
    """Return what botocore raises when AWS refuses; AWS quotes what it was asked."""
    return ClientError({"Error": {"Code": code, "Message": f"not with {quoted!r}"}}, operation)


def item_bytes(item: Item) -> int:
    """Return the size of an item as DynamoDB counts it, or a little more."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    [(kind, held)] = value.items()
    if kind == "L":
        return 3 + sum(1 + _value_bytes(one) for one in held)
    return len(str(held).encode())  # as botocore does: a lone surrogate raises UnicodeEncodeError


@dataclass
class Table:
    """The table: items, and how many writes each partition of it and of its indexes took since `writes` was cleared.

    `refuses` says which addresses are not written, `changed` are the contacts the stream tells of.
    """

    items: dict[Key, Item] = field(default_factory=dict)
    writes: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in ("table", *INDEXES)})
    refuses: Callable[[str], bool] = lambda _: False
    changed: dict[str, Item] = field(default_factory=dict)
    largest: int = 0

    def clear(self) -> None:
        """Forget every item."""
        self.items.clear()
        self.changed.clear()

    def put(self, key: Key, item: Item) -> None:
        """Write an item that is whole."""
        self._validate(item)
        old = self.items.get(key, {})
        self.items[key] = item
        self.writes["table"][key[0]] += 1
        for name, (partition, sort) in INDEXES.items():
            before, after = ((item.get(partition), item.get(sort)) for item in (old, item))
            # An index that holds keys only is written when these change: taken out of one place, put in another.
            for place in (before, after) if before != after else ():
                if place[0]:
                    self.writes[name][place[0]["S"]] += 1
        if key[1] == RECORD and "pending_shard" in item:
            self.changed[key[0]] = item

    def _validate(self, item: Item) -> None:
        size = item_bytes(item)
        self.largest = max(self.largest, size)
        keys = {name: len(item[name]["S"].encode()) for name in MAX_KEY_BYTES}
        if size > MAX_ITEM_BYTES or any(not 0 < length <= MAX_KEY_BYTES[name] for name, length in keys.items()):
            raise refused("PutItem", "ValidationException", item)


class DynamoDb:
    """A client of the table."""

    def __init__(self, table: Table) -> None:
        """Read and write `table`."""
        self.table = table

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> Answer:  # noqa: N803 (botocore's own names)
        """Read items by their keys."""
        [(name, request)] = RequestItems.items()
        keys = [(key["address"]["S"], key["record"]["S"]) for key in request["Keys"]]
        if not 1 <= len(keys) <= 100 or len(set(keys)) < len(keys):
            raise refused("BatchGetItem", "ValidationException", keys)
        if any(len(address.encode()) > MAX_KEY_BYTES["address"] for address, _ in keys):
            raise refused("BatchGetItem", "ValidationException", keys)
        found = [self.table.items[key] for key in keys if key in self.table.items]
        return {"Responses": {name: found}, "UnprocessedKeys": {}}

    def batch_execute_statement(self, *, Statements: Sequence[Mapping[str, Any]]) -> Answer:  # noqa: N803
        """Insert and update items, each by itself."""
        return {"Responses": [self._executed(statement) for statement in parse_statements(Statements)]}

    def _executed(self, statement: Statement) -> Answer:
        key = statement.key["address"]["S"], statement.key["record"]["S"]
        if self.table.refuses(key[0]):
            return {"Error": {"Code": "ThrottlingError", "Message": f"not {key}"}}
        try:
            item = apply_statement(statement, self.table.items.get(key))
        except StatementError as error:
            self.table.writes["table"][key[0]] += 1  # what is refused heats as what is done
            return {"Error": {"Code": error.code, "Message": error.message}}
        self.table.put(key, item)
        return {"TableName": statement.table}

    def query(self, *, ExpressionAttributeValues: Item, Limit: int, **request: Any) -> Answer:  # noqa: N803, ANN401
        """Read a page of a shard of what is due, the oldest first."""
        shard, before = ExpressionAttributeValues[":shard"]["S"], ExpressionAttributeValues[":before"]["S"]
        held = sorted(
            (item["pending_at"]["S"], key[0], item)
            for key, item in self.table.items.items()
            if item.get("pending_shard") == {"S": shard} and item["pending_at"]["S"] <= before
        )
        start = request.get("ExclusiveStartKey")
        after = (start["pending_at"]["S"], start["address"]["S"]) if start else ("", "")
        page = [item for at, address, item in held if (at, address) > after][:Limit]
        return {"Items": page, **({"LastEvaluatedKey": page[-1]} if len(page) == Limit else {})}

    def get_item(self, *, Key: Item, **_: Any) -> Answer:  # noqa: N803, ANN401
        """Read the rate_limiter."""
        item = self.table.items.get((Key["address"]["S"], Key["record"]["S"]))
        return {"Item": item} if item else {}

    def update_item(self, *, Key: Item, ExpressionAttributeValues: Item, **_: Any) -> Answer:  # noqa: N803, ANN401
        """Move the rate_limiter on. One worker at a time calls here, so its condition always holds."""
        key = Key["address"]["S"], Key["record"]["S"]
        self.table.put(key, {**Key, "taken_at": ExpressionAttributeValues[":moment"]})
        return {"ConsumedCapacity": {"CapacityUnits": 1.0}}


@dataclass
class Sqs:
    """A client of the quarantine queue. `refuses` says which messages it does not take now."""

    kept: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    refuses: Callable[[str], bool] = lambda _: False

    def send_message(self, *, MessageBody: str, MessageAttributes: Mapping[str, Any], **_: Any) -> Answer:  # noqa: N803, ANN401
        """Keep a message and its attributes."""
        attributes = {name: typed["StringValue"] for name, typed in MessageAttributes.items()}
        texts = [MessageBody, *attributes.values()]
        size = len(MessageBody.encode()) + sum(
            len(name.encode()) + len(b"String") + len(value.encode()) for name, value in attributes.items()
        )
        if size > MAX_MESSAGE_BYTES or not all(texts) or any(SQS_INVALID_CHARACTER.search(text) for text in texts):
            raise refused("SendMessage", "InvalidParameterValue", MessageBody)
        if self.refuses(MessageBody):
            raise refused("SendMessage", "RequestThrottled", MessageBody)
        self.kept.append((MessageBody, attributes))
        return {"MessageId": "kept"}


@dataclass
class Events:
    """A client of the event bus."""

    published: list[dict[str, Any]] = field(default_factory=list)

    def put_events(self, *, Entries: Sequence[Mapping[str, str]]) -> Answer:  # noqa: N803
        """Publish events."""
        for entry in Entries:
            if len(entry["Detail"].encode()) > MAX_EVENT_BYTES:
                raise refused("PutEvents", "ValidationException", entry)
            self.published.append(json.loads(entry["Detail"]))
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"} for _ in Entries]}


@dataclass
class SesV2:
    """A client of the suppression list; `calls` are the moments it was called."""

    now: Callable[[], datetime]
    entries: dict[str, str] = field(default_factory=dict)
    calls: list[datetime] = field(default_factory=list)

    def put_suppressed_destination(self, *, EmailAddress: str, Reason: str) -> Answer:  # noqa: N803
        """Put an entry."""
        self.calls.append(self.now())
        if len(EmailAddress.encode()) > 320 or not EmailAddress.isascii():
            raise refused("PutSuppressedDestination", "BadRequestException", EmailAddress)
        self.entries[EmailAddress] = Reason
        return _DONE

    def delete_suppressed_destination(self, *, EmailAddress: str) -> Answer:  # noqa: N803
        """Take an entry off."""
        self.calls.append(self.now())
        if self.entries.pop(EmailAddress, None) is None:
            raise refused("DeleteSuppressedDestination", "NotFoundException", EmailAddress)
        return _DONE

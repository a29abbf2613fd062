"""The Contacts table, as far as the code uses DynamoDB: items, versions, the index of what is due, and the stream."""

from collections.abc import Callable, Sequence
from typing import Any
from zlib import crc32

from tests.simulation.breakage import Answer, Wires, refused

Item = dict[str, dict[str, Any]]
Key = tuple[str, str]
Seen = Callable[[Item | None, Item], None]
_CAPACITY: Answer = {"ConsumedCapacity": {"TableName": "Contacts", "CapacityUnits": 1.0}}


class UnknownRequestError(BaseException):
    """The code asks for something this table cannot do: teach it, or the simulation means nothing.

    No exception that a function may fail with: it ends the simulation.
    """


class Change:
    """A record of the stream: what SuppressionFunction is given of it, and when it was written."""

    __slots__ = ("at", "record", "wanted")

    def __init__(self, item: Item, number: int, at: int) -> None:
        """Record that `item` was written at `at`."""
        keys = {"address": item["address"], "record": item["record"]}
        self.record = {"dynamodb": {"Keys": keys, "NewImage": item, "SequenceNumber": str(number)}}
        self.wanted = "mirror_due" in item and "claim" not in item
        """Whether it passes the template's filter."""
        self.at = at


class Table:
    """The items and everything DynamoDB derives from them."""

    def __init__(self, shards: int, clock: Callable[[], int], seen: Seen) -> None:
        """Begin empty; tell `seen` of every contact written: what it was, and what it becomes."""
        self.items: dict[Key, Item] = {}
        self.versions: dict[Key, list[Item | None]] = {}
        self.stream: list[list[Change]] = [[] for _ in range(shards)]
        self._clock = clock
        self._seen = seen
        self._written = 0

    def put(self, item: Item, *, observed: bool = True) -> None:
        """Write an item, and put it on the stream if that changes anything."""
        key = item["address"]["S"], item["record"]["S"]
        old = self.items.get(key)
        self.items[key] = item
        self._written += 1
        if observed:
            self.versions.setdefault(key, [None]).append(item)
            if item != old:
                shard = self.stream[crc32(key[0].encode()) % len(self.stream)]
                shard.append(Change(item, self._written, self._clock()))
            self._seen(old, item)

    def contact(self, address: str) -> Item | None:
        """Return the item of a contact."""
        return self.items.get((address, "contact"))

    def version(self, key: Key, age: int) -> Item | None:
        """Return what the item was `age` writes ago."""
        versions = self.versions.get(key)
        return versions[max(0, len(versions) - 1 - age)] if versions else None

    def due(self, age: int = 0) -> list[Item]:
        """Return the contacts in the index of what is due, as it was `age` writes ago, the longest waiting first."""
        keys = [key for key in self.versions if key[1] == "contact"]
        held = [item for item in (self.version(key, age) for key in keys) if item and "mirror_due" in item]
        return sorted(held, key=lambda item: str(item["mirror_due_at"]["S"]))


class DynamoDb:
    """A client of the table."""

    def __init__(self, table: Table, wires: Wires) -> None:
        """Call over `wires`."""
        self._table = table
        self._wires = wires

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> Answer:  # noqa: N803 (botocore's own name)
        """Read contacts."""
        ((table, request),) = RequestItems.items()
        keys, consistent = request["Keys"], request["ConsistentRead"]

        def effect() -> Answer:
            left: list[Any] = []
            if self._wires.fault == "unprocessed":
                cut = self._wires.argument % (len(keys) + 1)
                left = keys[cut:]
            age = 0 if consistent else self._wires.staleness()
            asked = [(key["address"]["S"], key["record"]["S"]) for key in keys[: len(keys) - len(left)]]
            found = [item for item in (self._table.version(key, age) for key in asked) if item]
            return {
                "Responses": {table: found},
                "UnprocessedKeys": {table: {"Keys": left, "ConsistentRead": consistent}} if left else {},
            }

        about = ", ".join(key["address"]["S"] for key in keys)
        return self._wires.call("batch_get_item", f"{about}{'' if consistent else ', eventually'}", effect)

    def put_item(
        self,
        *,
        TableName: str,  # noqa: N803, ARG002 (botocore's own name; there is one table)
        Item: Item,  # noqa: N803
        ReturnConsumedCapacity: str = "NONE",  # noqa: N803
        ConditionExpression: str = "",  # noqa: N803
        ExpressionAttributeValues: Item | None = None,  # noqa: N803
    ) -> Answer:
        """Write a contact if the condition holds."""

        def effect() -> Answer:
            held = self._table.contact(Item["address"]["S"])
            if not _holds(ConditionExpression, ExpressionAttributeValues or {}, held):
                raise refused("PutItem", "ConditionalCheckFailedException")
            self._table.put(Item)
            return _CAPACITY if ReturnConsumedCapacity == "TOTAL" else {}

        about = f"{Item['address']['S']} rev {Item['rev']['N']} {Item['status']['S']}"
        return self._wires.call("put_item", about, effect)

    def batch_write_item(self, *, RequestItems: dict[str, Any]) -> Answer:  # noqa: N803
        """Write history."""
        ((table, requests),) = RequestItems.items()

        def effect() -> Answer:
            cut = len(requests)
            if self._wires.fault == "unprocessed":
                cut = self._wires.argument % len(requests)
            for request in requests[:cut]:
                self._table.put(request["PutRequest"]["Item"], observed=False)
            return {"UnprocessedItems": {table: requests[cut:]} if cut < len(requests) else {}}

        return self._wires.call("batch_write_item", str(len(requests)), effect)

    def query(
        self,
        *,
        TableName: str,  # noqa: N803, ARG002
        IndexName: str,  # noqa: N803
        KeyConditionExpression: str,  # noqa: N803
        ExpressionAttributeValues: Item,  # noqa: N803
        Limit: int,  # noqa: N803
        ExclusiveStartKey: Item | None = None,  # noqa: N803
    ) -> Answer:
        """Read one shard of the index of what is due, which is always eventually consistent."""
        if (IndexName, KeyConditionExpression) != ("MirrorDue", "mirror_due = :shard AND mirror_due_at <= :before"):
            raise UnknownRequestError(IndexName, KeyConditionExpression)
        shard, before = (ExpressionAttributeValues[name]["S"] for name in (":shard", ":before"))

        def effect() -> Answer:
            age = self._wires.staleness()
            held = [
                item
                for item in self._table.due(age)
                if item["mirror_due"]["S"] == shard and item["mirror_due_at"]["S"] <= before
            ]
            names = [item["address"]["S"] for item in held]
            start = ExclusiveStartKey["address"]["S"] if ExclusiveStartKey else ""
            held = held[names.index(start) + 1 if start in names else 0 :]
            limit = 1 if self._wires.fault == "short" else Limit
            page = held[:limit]
            answer: Answer = {"Items": [{name: item[name] for name in _INDEXED} for item in page]}
            if len(page) == limit:  # whether or not there is more: DynamoDB does not look
                answer["LastEvaluatedKey"] = answer["Items"][-1]
            return answer

        return self._wires.call("query", f"due in {shard}", effect)

    def get_item(self, *, TableName: str, Key: Item, ConsistentRead: bool) -> Answer:  # noqa: N803, ARG002
        """Read the pace."""
        if not ConsistentRead:
            raise UnknownRequestError("the pace is read consistently")

        def effect() -> Answer:
            item = self._table.items.get((Key["address"]["S"], Key["record"]["S"]))
            return {"Item": item} if item else {}

        return self._wires.call("get_item", "the pace", effect)

    def update_item(
        self,
        *,
        TableName: str,  # noqa: N803, ARG002
        Key: Item,  # noqa: N803
        UpdateExpression: str,  # noqa: N803
        ConditionExpression: str,  # noqa: N803
        ExpressionAttributeValues: Item,  # noqa: N803
        ReturnConsumedCapacity: str = "NONE",  # noqa: N803
    ) -> Answer:
        """Move the pace on if the condition holds."""
        if UpdateExpression != "SET taken_at = :moment":
            raise UnknownRequestError(UpdateExpression)

        def effect() -> Answer:
            key = Key["address"]["S"], Key["record"]["S"]
            held = self._table.items.get(key)
            if not _holds(ConditionExpression, ExpressionAttributeValues, held):
                raise refused("UpdateItem", "ConditionalCheckFailedException")
            self._table.put({**Key, "taken_at": ExpressionAttributeValues[":moment"]}, observed=False)
            return _CAPACITY if ReturnConsumedCapacity == "TOTAL" else {}

        return self._wires.call("update_item", f"the pace to {ExpressionAttributeValues[':moment']['S'][11:]}", effect)


_INDEXED: Sequence[str] = ("address", "record", "mirror_due", "mirror_due_at")


def _holds(condition: str, values: Item, held: Item | None) -> bool:
    match condition:
        case "":
            return True
        case "attribute_not_exists(address)" | "attribute_not_exists(taken_at)":
            return held is None
        case "rev = :rev":
            return held is not None and held.get("rev") == values[":rev"]
        case "taken_at = :last":
            return held is not None and held["taken_at"] == values[":last"]
        case _:
            raise UnknownRequestError(condition)

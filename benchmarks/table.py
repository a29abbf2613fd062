"""The Contacts table in memory: it does what the code asks of it, and counts what DynamoDB would bill for that."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.dynamodb_units import Item, item_size, read_units, write_units
from localaws.in_process import partiql

INDEXES: Mapping[str, tuple[str, str]] = {
    "Unsendable": ("unsendable", "status_at"),
    "PendingSync": ("pending_shard", "pending_at"),
    "SuspensionEnd": ("release_shard", "release_at"),
}
"""The table's indexes as template.yaml has them (a test compares), each of keys only: its partition and sort key."""
KEY = ("address", "record")

Answer = dict[str, Any]
_Key = tuple[str, str]


class ConditionFailedError(Exception):
    """A write's condition does not hold."""


@dataclass(slots=True)
class Bill:
    """Request units by what they were for, and what the table holds."""

    units: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    written: Counter[str] = field(default_factory=Counter)
    """Writes that were carried out, by the kind of item: `contact`, `history`, `rate_limiter`."""


@dataclass(slots=True)
class Table:
    """Items, the stream of their changes, and the bill."""

    items: dict[_Key, Item] = field(default_factory=dict)
    stream: list[Answer] = field(default_factory=list)
    bill: Bill = field(default_factory=Bill)
    due: dict[str, dict[str, Item]] = field(default_factory=lambda: defaultdict(dict))
    """The index PendingSync: partition → address → item."""

    def bytes_held(self) -> Counter[str]:
        """Return the bytes that storage is billed for: items and index entries, a hundred bytes on top of each."""
        held: Counter[str] = Counter()
        for item in self.items.values():
            held["table"] += item_size(item) + 100
            held["indexes"] += sum(item_size(entry) + 100 for name in INDEXES if (entry := _entry(item, name)))
        return held

    def answer(self, operation: str, request: Mapping[str, Any]) -> Answer:
        """Return what DynamoDB answers.

        Raises:
            ConditionFailedError: the condition of the one write asked for does not hold.
            AttributeError: this table does not know the operation.

        """
        known: Answer = getattr(self, f"_{operation}")(request)
        return known

    def write(self, item: Item, *, condition: bool = True, updates: bool = False) -> None:
        """Write a whole item and bill it.

        Raises:
            ConditionFailedError: `condition` is false. That costs as much as a write of what is there.

        """
        key = item["address"]["S"], item["record"]["S"]
        before = self.items.get(key)
        sizes = [item_size(before)] if before else []
        if not condition:
            self.bill.units["table writes"] += write_units(*sizes)
            raise ConditionFailedError
        self.bill.units["table writes"] += write_units(item_size(item), *sizes)
        self.bill.units["index writes"] += sum(_index_writes(name, before, item) for name in INDEXES)
        self.bill.written[_kind(key) + (" updated" if updates else " put")] += 1
        self.items[key] = item
        self._note(key, before, item)

    def _note(self, key: _Key, before: Item | None, item: Item) -> None:
        for partition in {one["pending_shard"]["S"] for one in (before, item) if one and "pending_shard" in one}:
            self.due[partition].pop(key[0], None)
        if "pending_shard" in item:
            self.due[item["pending_shard"]["S"]][key[0]] = item
        if item != before:
            keys = {name: item[name] for name in KEY}
            number = str(self.bill.written.total())
            self.stream.append({"dynamodb": {"Keys": keys, "NewImage": item, "SequenceNumber": number}})

    def take_stream(self) -> list[Answer]:
        """Take the records off the stream that pass the template's filter: those of contacts whose list_sync is due."""
        records, self.stream = self.stream, []
        return [record for record in records if "pending_shard" in record["dynamodb"]["NewImage"]]

    def _read(self, keys: Iterable[Mapping[str, Any]], *, consistent: bool) -> list[Item]:
        found: list[Item] = []
        for key in keys:
            item = self.items.get((key["address"]["S"], key["record"]["S"]))
            self.bill.units["reads"] += read_units(item_size(item) if item else 0, consistent=consistent)
            found += [item] if item else []
        return found

    def _BatchGetItem(self, request: Mapping[str, Any]) -> Answer:  # noqa: N802 (DynamoDB's own name, as below)
        ((table, asked),) = request["RequestItems"].items()
        found = self._read(asked["Keys"], consistent=asked.get("ConsistentRead", False))
        return {"Responses": {table: found}, "UnprocessedKeys": {}}

    def _GetItem(self, request: Mapping[str, Any]) -> Answer:  # noqa: N802
        found = self._read([request["Key"]], consistent=request.get("ConsistentRead", False))
        return {"Item": found[0]} if found else {}

    def _PutItem(self, request: Mapping[str, Any]) -> Answer:  # noqa: N802
        item = request["Item"]
        self.write(item, condition=self._holds(item, request))
        return _capacity(request)

    def _UpdateItem(self, request: Mapping[str, Any]) -> Answer:  # noqa: N802
        # The rate_limiter's is the only one: one attribute is set.
        name, _, value = request["UpdateExpression"].removeprefix("SET ").partition(" = ")
        held = self.items.get((request["Key"]["address"]["S"], request["Key"]["record"]["S"]), request["Key"])
        item = {**held, name: request["ExpressionAttributeValues"][value]}
        self.write(item, condition=self._holds(item, request), updates=True)
        return _capacity(request)

    def _BatchExecuteStatement(self, request: Mapping[str, Any]) -> Answer:  # noqa: N802
        return {"Responses": [self._execute(one) for one in partiql.parse_statements(request["Statements"])]}

    def _execute(self, statement: partiql.Statement) -> Answer:
        held = self.items.get((statement.key["address"]["S"], statement.key["record"]["S"]))
        try:
            after = partiql.apply_statement(
                statement, {name: dict(value) for name, value in held.items()} if held else None
            )
        except partiql.StatementError as error:
            self.bill.units["table writes"] += write_units(item_size(held) if held else 0)
            return {"Error": {"Code": error.code, "Message": error.message}, "TableName": statement.table}
        self.write(after, updates=isinstance(statement, partiql.Update))
        return {"TableName": statement.table}

    def _Query(self, request: Mapping[str, Any]) -> Answer:  # noqa: N802
        # The sweep's is the only one: a partition of PendingSync up to a time, the oldest first.
        values, name = request["ExpressionAttributeValues"], request["IndexName"]
        found = sorted(
            (_entry(item, name) or {} for item in self.due[values[":shard"]["S"]].values()),
            key=lambda entry: (entry["pending_at"]["S"], entry["address"]["S"]),
        )
        start = request.get("ExclusiveStartKey")
        after = (start["pending_at"]["S"], start["address"]["S"]) if start else ("", "")
        page = [
            entry
            for entry in found
            if after < (entry["pending_at"]["S"], entry["address"]["S"]) and not _later(entry, values[":before"])
        ][: request["Limit"]]
        self.bill.units["reads"] += read_units(sum(map(item_size, page)), consistent=False)
        return {"Items": page, **({"LastEvaluatedKey": page[-1]} if len(page) == request["Limit"] else {})}

    def _holds(self, item: Item, request: Mapping[str, Any]) -> bool:
        """Say whether `attribute_not_exists(name)`, `name = :value` or no condition holds."""
        condition = request.get("ConditionExpression", "")
        held = self.items.get((item["address"]["S"], item["record"]["S"]), {})
        if not condition:
            return True
        if condition.startswith("attribute_not_exists("):
            return condition[len("attribute_not_exists(") : -1] not in held
        name, _, value = condition.partition(" = ")
        return bool(held.get(name) == request["ExpressionAttributeValues"][value])


def _later(entry: Item, before: Mapping[str, Any]) -> bool:
    return bool(entry["pending_at"]["S"] > before["S"])


def _capacity(request: Mapping[str, Any]) -> Answer:
    if request.get("ReturnConsumedCapacity", "NONE") == "NONE":
        return {}
    return {"ConsumedCapacity": {"TableName": request["TableName"], "CapacityUnits": 1.0}}


def _kind(key: _Key) -> str:
    return "history" if key[1].startswith("feedback#") else key[1]


def _entry(item: Item | None, index: str) -> Item | None:
    """Return what `index` holds of `item`, None when it is not in it."""
    names = {*INDEXES[index], *KEY}
    return {name: item[name] for name in names} if item and names <= item.keys() else None


def _index_writes(index: str, before: Item | None, after: Item) -> int:
    """Return the write units of keeping `index` in step: a changed key is a deletion and a write."""
    entries = _entry(before, index), _entry(after, index)
    return 0 if entries[0] == entries[1] else sum(write_units(item_size(entry)) for entry in entries if entry)

"""The Contacts table in memory: the DynamoDB operations the code calls, for simulation, fuzzing and benchmarks.

`Table` stores items. Its observers learn of every write: they check sizes, count request units, keep old versions or
feed a stream. `Operations` answers requests in the form of botocore's DynamoDB client. The simulator breaks its calls,
the benchmarks serve them over HTTP. A request the code does not make today raises `UnknownRequestError`.
"""

import re
from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from localaws.in_process.partiql import (
    Statement,
    StatementError,
    UnknownStatementError,
    apply_statement,
    parse_statements,
)

Item = dict[str, dict[str, Any]]
"""An item in DynamoDB's own JSON: attribute name → {type: value}."""
Key = tuple[str, str]
"""The values of `address` and `record`."""
Place = tuple[str, str, str]
"""Where an index lists an item in its partition: the value of the index's sort key, then the item's key."""
Answer = dict[str, Any]

KEY = ("address", "record")
INDEXES: Mapping[str, tuple[str, str]] = {
    "Unsendable": ("unsendable", "status_at"),
    "PendingSync": ("pending_shard", "pending_at"),
    "SuspensionEnd": ("release_shard", "release_at"),
}
"""Partition and sort key of each index in template.yaml. All are sparse and project keys only.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-indexes-general-sparse-indexes.html
"""
_QUERIED = ("PendingSync", "SuspensionEnd")
_ABSENT = re.compile(r"attribute_not_exists\((\w+)\)")
_EQUAL = re.compile(r"(\w+) = (:\w+)")
_UPDATE = re.compile(r"SET (\w+) = (:\w+)")
_AFTER_ANY_ADDRESS = "\U0010ffff"


class UnknownRequestError(BaseException):
    """The code makes a request that `Operations` does not know: extend it, or the campaign tests nothing.

    It is no `Exception`, so that no handler under test can catch it.
    """


class Observer:
    """Learns of the writes to a table."""

    def check(self, key: Key, item: Item) -> None:
        """Raise ClientError if DynamoDB would refuse to store `item`."""

    def written(self, key: Key, before: Item | None, after: Item) -> None:
        """Take note of a write. `before` is the item it replaced, or None."""

    def removed(self, key: Key, before: Item) -> None:
        """Take note of the deletion of an item, `before`."""

    def refused(self, key: Key, stored: Item | None) -> None:
        """Take note of a write whose condition did not hold for the `stored` item, or None."""


class Table:
    """The items of the table and the places of the indexes that are queried."""

    def __init__(self, *observers: Observer) -> None:
        """Create an empty table. `observers` learn of its writes, in this order."""
        self.items: dict[Key, Item] = {}
        self._places: dict[str, dict[str, list[Place]]] = {name: {} for name in _QUERIED}
        self._checks = [one.check for one in observers if type(one).check is not Observer.check]
        self._written = [one.written for one in observers if type(one).written is not Observer.written]
        self._removed = [one.removed for one in observers if type(one).removed is not Observer.removed]
        self._refused = [one.refused for one in observers if type(one).refused is not Observer.refused]

    def put(self, item: Item) -> None:
        """Store a whole item.

        Raises:
            ClientError: an observer's check refuses it.

        """
        key = item["address"]["S"], item["record"]["S"]
        for check in self._checks:
            check(key, item)
        before = self.items.get(key)
        self.items[key] = item
        for index in _QUERIED:
            partition = INDEXES[index][0]
            if partition in item or (before and partition in before):
                self._index(index, key, before, item)
        for written in self._written:
            written(key, before, item)

    def remove(self, key: Key) -> None:
        """Delete an item, as DynamoDB does with expired ones."""
        before = self.items.pop(key)
        for index in _QUERIED:
            if INDEXES[index][0] in before:
                self._index(index, key, before, {})
        for removed in self._removed:
            removed(key, before)

    def refuse(self, key: Key) -> None:
        """Report to the observers a write whose condition did not hold."""
        for refused in self._refused:
            refused(key, self.items.get(key))

    def clear(self) -> None:
        """Remove every item, without telling the observers."""
        self.items.clear()
        for places in self._places.values():
            places.clear()

    def contact(self, address: str) -> Item | None:
        """Return the item of a contact, or None if there is none."""
        return self.items.get((address, "contact"))

    def places(self, index: str, partition: str) -> Sequence[Place]:
        """Return the items in a partition of an index, in the order of its sort key."""
        return self._places[index].get(partition, ())

    def earliest(self, index: str) -> str | None:
        """Return the least sort key in any partition of an index, or None if the index is empty."""
        return min((places[0][0] for places in self._places[index].values() if places), default=None)

    def _index(self, index: str, key: Key, before: Item | None, after: Item) -> None:
        partitions, (partition, sort) = self._places[index], INDEXES[index]
        if before and partition in before:
            old = partitions[before[partition]["S"]]
            del old[bisect_left(old, (before[sort]["S"], *key))]
        if partition in after:
            insort(partitions.setdefault(after[partition]["S"], []), (after[sort]["S"], *key))


def index_entry(item: Item | None, index: str) -> Item | None:
    """Return the attributes that `index` projects of `item`, or None if the item is not in it."""
    names = (*KEY, *INDEXES[index])
    return {name: item[name] for name in names} if item and all(name in item for name in names) else None


class Operations:
    """Answers requests on a table. Methods and parameters are those of botocore's DynamoDB client."""

    def __init__(self, table: Table) -> None:
        """Read and write `table`."""
        self.table = table

    def get_item(self, **request: Any) -> Answer:  # noqa: ANN401 (botocore's parameters, here and below)
        """Return one item."""
        item = self.table.items.get(_key(request["Key"]))
        return {"Item": item} if item else {}

    def batch_get_item(self, **request: Any) -> Answer:  # noqa: ANN401
        """Return items by their keys."""
        ((table, asked),) = request["RequestItems"].items()
        found = (self.table.items.get(_key(one)) for one in asked["Keys"])
        return {"Responses": {table: [item for item in found if item]}, "UnprocessedKeys": {}}

    def put_item(self, **request: Any) -> Answer:  # noqa: ANN401
        """Store a whole item if the condition holds."""
        self._require(_key(request["Item"]), request, "PutItem")
        self.table.put(request["Item"])
        return _capacity(request)

    def update_item(self, **request: Any) -> Answer:  # noqa: ANN401
        """Set one attribute if the condition holds."""
        update = _UPDATE.fullmatch(request["UpdateExpression"])
        if not update:
            raise UnknownRequestError(request["UpdateExpression"])
        key = _key(request["Key"])
        self._require(key, request, "UpdateItem")
        stored = self.table.items.get(key, request["Key"])
        self.table.put({**stored, update[1]: request["ExpressionAttributeValues"][update[2]]})
        return _capacity(request)

    def batch_execute_statement(self, **request: Any) -> Answer:  # noqa: ANN401
        """Carry out statements. Each succeeds or fails on its own."""
        return {"Responses": [self.execute(one) for one in parsed(request["Statements"])]}

    def execute(self, statement: Statement) -> Answer:
        """Carry out one statement of a batch; return its response, which may be an error."""
        key = _key(statement.key)
        try:
            after = apply_statement(statement, self.table.items.get(key))
        except StatementError as error:
            self.table.refuse(key)
            return {"Error": {"Code": error.code, "Message": error.message}, "TableName": statement.table}
        self.table.put(after)
        return {"TableName": statement.table}

    def query(self, **request: Any) -> Answer:  # noqa: ANN401
        """Return a page of one shard of an index."""
        shard = request["ExpressionAttributeValues"][":shard"]["S"]
        return page(self.table.places(request["IndexName"], shard), request)

    def _require(self, key: Key, request: Mapping[str, Any], operation: str) -> None:
        stored = self.table.items.get(key)
        if not _holds(request.get("ConditionExpression", ""), request, stored or {}):
            self.table.refuse(key)
            raise refused(operation, "ConditionalCheckFailedException")


def parsed(statements: Sequence[Mapping[str, Any]]) -> Sequence[Statement]:
    """Return the statements of a BatchExecuteStatement.

    Raises:
        UnknownRequestError: one of them is unknown.

    """
    try:
        return parse_statements(statements)
    except UnknownStatementError as error:
        raise UnknownRequestError(*error.args) from error


def page(places: Sequence[Place], request: Mapping[str, Any]) -> Answer:
    """Answer a Query for the items at `places`, which are those of the shard the request names.

    A page that is full has a LastEvaluatedKey, even if no item follows: DynamoDB stops before it looks.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html
    """
    index = request["IndexName"]
    partition, sort = INDEXES[index]
    if request["KeyConditionExpression"] != f"{partition} = :shard AND {sort} <= :before":
        raise UnknownRequestError(index, request["KeyConditionExpression"])
    values, start = request["ExpressionAttributeValues"], request.get("ExclusiveStartKey")
    first = bisect_right(places, (start[sort]["S"], *_key(start))) if start else 0
    last = bisect_right(places, (values[":before"]["S"], _AFTER_ANY_ADDRESS))
    found = [
        {"address": {"S": address}, "record": {"S": record}, partition: values[":shard"], sort: {"S": at}}
        for at, address, record in places[first : min(last, first + request["Limit"])]
    ]
    return {"Items": found} | ({"LastEvaluatedKey": found[-1]} if len(found) == request["Limit"] else {})


def refused(operation: str, code: str, message: str = "made up") -> ClientError:
    """Return the exception botocore raises if AWS answers with this error code."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def _key(attributes: Mapping[str, Mapping[str, Any]]) -> Key:
    return attributes["address"]["S"], attributes["record"]["S"]


def _holds(condition: str, request: Mapping[str, Any], stored: Item) -> bool:
    if not condition:
        return True
    if equal := _EQUAL.fullmatch(condition):
        return bool(stored.get(equal[1]) == request["ExpressionAttributeValues"][equal[2]])
    if absent := _ABSENT.fullmatch(condition):
        return absent[1] not in stored
    raise UnknownRequestError(condition)


def _capacity(request: Mapping[str, Any]) -> Answer:
    if request.get("ReturnConsumedCapacity", "NONE") == "NONE":
        return {}
    return {"ConsumedCapacity": {"TableName": request["TableName"], "CapacityUnits": 1.0}}

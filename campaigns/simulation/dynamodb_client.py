"""A client of the Contacts table, as far as the code uses DynamoDB. Every call goes over the wires, which break."""

from collections.abc import Mapping, Sequence
from typing import Any

from campaigns.simulation.call_faults import Answer, Wires
from campaigns.simulation.fault_kinds import refused
from campaigns.simulation.table import Item, Table
from localaws.in_process.partiql import (
    Insert,
    Statement,
    StatementError,
    UnknownStatementError,
    apply_statement,
    parse_statements,
)

_CAPACITY: Answer = {"ConsumedCapacity": {"TableName": "Contacts", "CapacityUnits": 1.0}}


class UnknownRequestError(BaseException):
    """The code asks for something this table cannot do: teach it, or the simulation means nothing.

    No exception that a function may fail with: it ends the simulation.
    """


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
        """Write the ledger of imports, if the condition holds."""

        def effect() -> Answer:
            held = self._table.items.get((Item["address"]["S"], Item["record"]["S"]))
            if not _holds(ConditionExpression, ExpressionAttributeValues or {}, held):
                raise refused("PutItem", "ConditionalCheckFailedException")
            self._table.put(Item)
            return _CAPACITY if ReturnConsumedCapacity == "TOTAL" else {}

        status = Item["status"]["S"] if "status" in Item else Item["imports"]["L"]
        about = f"{Item['address']['S']} rev {Item['rev']['N']} {status}"
        return self._wires.call("put_item", about, effect)

    def batch_execute_statement(self, *, Statements: Sequence[Mapping[str, Any]]) -> Answer:  # noqa: N803
        """Write contacts and history: each statement stands or falls by itself, and any of them may go first."""
        try:
            statements = parse_statements(Statements)
        except UnknownStatementError as error:
            raise UnknownRequestError(*error.args) from error

        def effect() -> Answer:
            chosen = self._wires.chosen([one.key["record"]["S"] for one in statements])
            answers = [self._execute(one) if ours else None for one, ours in zip(statements, chosen, strict=True)]
            told = [answer or _refused(one, self._wires.code) for one, answer in zip(statements, answers, strict=True)]
            if any("Error" in one for one in told):
                self._wires.remark(", ".join(one["Error"]["Code"] if "Error" in one else "done" for one in told))
            return {"Responses": told[:-1] if self._wires.fault == "short" else told}

        about = ", ".join(map(_described, statements))
        return self._wires.call("batch_execute_statement", about, effect, len(statements))

    def _execute(self, statement: Statement) -> Answer:
        key = statement.key["address"]["S"], statement.key["record"]["S"]
        try:
            self._table.put(apply_statement(statement, self._table.items.get(key)))
        except StatementError as error:
            return _refused(statement, error.code)
        return {"TableName": statement.table}

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
        if (IndexName, KeyConditionExpression) != ("PendingSync", "pending_shard = :shard AND pending_at <= :before"):
            raise UnknownRequestError(IndexName, KeyConditionExpression)
        shard, before = (ExpressionAttributeValues[name]["S"] for name in (":shard", ":before"))

        def effect() -> Answer:
            age = self._wires.staleness()
            held = [
                item
                for item in self._table.due(age)
                if item["pending_shard"]["S"] == shard and item["pending_at"]["S"] <= before
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
        """Read the rate_limiter, or the ledger of imports."""
        if not ConsistentRead:
            raise UnknownRequestError("the rate_limiter and the ledger are read consistently")

        def effect() -> Answer:
            item = self._table.items.get((Key["address"]["S"], Key["record"]["S"]))
            return {"Item": item} if item else {}

        return self._wires.call("get_item", f"the {Key['record']['S']}", effect)

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
        """Move the rate_limiter on if the condition holds."""
        if UpdateExpression != "SET taken_at = :moment":
            raise UnknownRequestError(UpdateExpression)

        def effect() -> Answer:
            key = Key["address"]["S"], Key["record"]["S"]
            held = self._table.items.get(key)
            if not _holds(ConditionExpression, ExpressionAttributeValues, held):
                raise refused("UpdateItem", "ConditionalCheckFailedException")
            self._table.put({**Key, "taken_at": ExpressionAttributeValues[":moment"]})
            return _CAPACITY if ReturnConsumedCapacity == "TOTAL" else {}

        return self._wires.call(
            "update_item", f"the rate_limiter to {ExpressionAttributeValues[':moment']['S'][11:]}", effect
        )


_INDEXED: Sequence[str] = ("address", "record", "pending_shard", "pending_at")


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


def _refused(statement: Statement, code: str) -> Answer:
    return {"Error": {"Code": code, "Message": "made up"}, "TableName": statement.table}


def _described(statement: Statement) -> str:
    address, record = (statement.key[name]["S"] for name in ("address", "record"))
    if record != "contact":
        return f"{address} {record[:36]}"
    after = statement.item if isinstance(statement, Insert) else statement.sets
    return f"{address} rev {after['rev']['N']}{' ' + after['status']['S'] if 'status' in after else ''}"

"""The simulator's DynamoDB client: every call may fail as the case says, and reads may be stale."""

from typing import Any

from campaigns.simulation.fault_injector import Answer, FaultInjector
from campaigns.simulation.table import Table
from localaws.in_process.partiql import Insert, Statement
from tests.support.dynamodb_table import Operations, UnknownRequestError, page, parsed


class DynamoDb(Operations):
    """A client of the table. Each call passes through the fault injector."""

    table: Table

    def __init__(self, table: Table, injector: FaultInjector) -> None:
        """Call through `injector`."""
        super().__init__(table)
        self._injector = injector

    def batch_get_item(self, **request: Any) -> Answer:  # noqa: ANN401 (botocore's parameters, here and below)
        """Read contacts, eventually consistent ones possibly as they were some writes ago."""
        ((table, asked),) = request["RequestItems"].items()
        keys, consistent = asked["Keys"], asked["ConsistentRead"]

        def effect() -> Answer:
            unprocessed: list[Any] = []
            if self._injector.fault == "unprocessed":
                unprocessed = keys[self._injector.argument % (len(keys) + 1) :]
            age = 0 if consistent else self._injector.next_staleness()
            processed = keys[: len(keys) - len(unprocessed)]
            found = (self.table.version((key["address"]["S"], key["record"]["S"]), age) for key in processed)
            return {
                "Responses": {table: [item for item in found if item]},
                "UnprocessedKeys": {table: {**asked, "Keys": unprocessed}} if unprocessed else {},
            }

        about = ", ".join(key["address"]["S"] for key in keys)
        return self._injector.call("batch_get_item", f"{about}{'' if consistent else ', eventually'}", effect)

    def put_item(self, **request: Any) -> Answer:  # noqa: ANN401
        """Write a contact or the ledger of imports if the condition holds."""
        item = request["Item"]
        content = item["status"]["S"] if "status" in item else item["jobs"]["L"]
        about = f"{item['address']['S']} rev {item['rev']['N']} {content}"
        put = super().put_item
        return self._injector.call("put_item", about, lambda: put(**request))

    def batch_execute_statement(self, **request: Any) -> Answer:  # noqa: ANN401
        """Write contacts and history. Some statements may be refused, and any of them may go first."""
        statements = parsed(request["Statements"])

        def effect() -> Answer:
            chosen = self._injector.applied_parts([one.key["record"]["S"] for one in statements])
            responses = [
                self.execute(one) if performed else _refused(one, self._injector.part_error)
                for one, performed in zip(statements, chosen, strict=True)
            ]
            if any("Error" in one for one in responses):
                self._injector.add_remark(
                    ", ".join(one["Error"]["Code"] if "Error" in one else "done" for one in responses)
                )
            return {"Responses": responses[:-1] if self._injector.fault == "short" else responses}

        about = ", ".join(map(_described, statements))
        return self._injector.call("batch_execute_statement", about, effect, len(statements))

    def query(self, **request: Any) -> Answer:  # noqa: ANN401
        """Read one shard of an index, always eventually consistent."""
        index, shard = request["IndexName"], request["ExpressionAttributeValues"][":shard"]["S"]

        def effect() -> Answer:
            places = self.table.earlier_places(index, shard, self._injector.next_staleness())
            return page(places, request | {"Limit": 1} if self._injector.fault == "short" else request)

        return self._injector.call("query", f"{index} {shard}", effect)

    def get_item(self, **request: Any) -> Answer:  # noqa: ANN401
        """Read the rate limiter, or the ledger of imports."""
        if not request["ConsistentRead"]:
            raise UnknownRequestError("the rate limiter and the ledger are read consistently")
        get = super().get_item
        return self._injector.call("get_item", f"the {request['Key']['record']['S']}", lambda: get(**request))

    def update_item(self, **request: Any) -> Answer:  # noqa: ANN401
        """Advance the rate limiter if the condition holds."""
        moment = request["ExpressionAttributeValues"][":moment"]["S"]
        update = super().update_item
        return self._injector.call("update_item", f"the rate_limiter to {moment[11:]}", lambda: update(**request))


def _refused(statement: Statement, code: str) -> Answer:
    return {"Error": {"Code": code, "Message": "made up"}, "TableName": statement.table}


def _described(statement: Statement) -> str:
    address, record = (statement.key[name]["S"] for name in ("address", "record"))
    if record != "contact":
        return f"{address} {record[:36]}"
    after = statement.item if isinstance(statement, Insert) else statement.sets
    return f"{address} rev {after['rev']['N']}{' ' + after['status']['S'] if 'status' in after else ''}"

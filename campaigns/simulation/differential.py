"""The table in memory held against another DynamoDB: the same requests, made by chance, must get the same answers."""

import random
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from campaigns.simulation.call_faults import Answer, Effect, Wires
from campaigns.simulation.case import Case
from campaigns.simulation.dynamodb_client import DynamoDb
from campaigns.simulation.scheduler import Stage
from campaigns.simulation.table import Table
from localaws.in_process.embedded_aws import EmbeddedAws
from ses_feedback.contacts.statements import insert, update
from tests.support.dynamodb_table import Item

_STATUSES = ("active", "bounced", "complained")
_LONGEST = 12
Request = tuple[str, dict[str, Any]]


class UnbrokenWires(Wires):
    """Wires on which nothing ever breaks, and nobody waits."""

    def __init__(self) -> None:
        """Belong to no case."""
        super().__init__(Case(()), Stage(()))

    def call(self, operation: str, about: str, effect: Effect, parts: int = 1) -> Answer:  # noqa: ARG002 (nothing here breaks them)
        """Make the call."""
        return effect()

    def remark(self, outcome: str) -> None:
        """Keep no trace."""


class DifferenceError(Exception):
    """The other DynamoDB answers otherwise."""


def compare(client: Any, table: str, seed: int) -> Table:  # noqa: ANN401 (botocore makes its clients' classes at run time)
    """Make one trace of requests in memory and of `client`; return the table in memory, which ended the same.

    Raises:
        DifferenceError: a request was answered otherwise, or the items ended otherwise.

    """
    held = Table(1, lambda: 0, lambda _old, _new: None)
    ours: Any = DynamoDb(held, UnbrokenWires())
    chance = random.Random(seed)  # noqa: S311 (repeatable chance, not secrecy)
    trace = [_request(chance, table, f"{seed}") for _ in range(chance.randrange(1, _LONGEST))]
    for number, (operation, request) in enumerate(trace):
        expected, answer = (_answer(one, operation, request) for one in (ours, client))
        if expected != answer:
            raise DifferenceError(
                f"trace {seed}, request {number}: {operation} {request}: {expected} in memory, {answer} there"
            )
    addresses = {address for address, _ in held.items}
    there = {(item["address"]["S"], item["record"]["S"]): item for item in _all(client, table, addresses)}
    if there != held.items:
        raise DifferenceError(f"trace {seed}: {held.items} in memory, {there} there")
    return held


def compare_with_moto(aws: EmbeddedAws, seed: int) -> int:
    """As `compare`, the stream too; return how many records it had.

    Raises:
        DifferenceError: as `compare`, or the stream is another.

    """
    held = compare(aws.client("dynamodb"), aws.table_name, seed)
    ours = [change.record["dynamodb"]["NewImage"] for change in held.stream[0]]
    theirs = [record["dynamodb"]["NewImage"] for record in aws.stream_records()]
    if theirs != [image for image in ours if "pending_shard" in image]:
        raise DifferenceError(f"trace {seed}: the stream holds {ours} in memory, {theirs} there")
    return len(ours)


def _request(chance: random.Random, table: str, trace: str) -> Request:
    """Return a request the code could make, about a few addresses that no other trace uses."""
    make = chance.choice((_put, _put, _statements, _statements, _statements, _get, _query, _pace, _reserve))
    address = f"{chance.choice('ab')}-{trace}@example.com"
    return make(chance, table, address, trace)


def _put(chance: random.Random, table: str, address: str, trace: str) -> Request:
    item = _contact(chance, address, trace)
    request: dict[str, Any] = {"TableName": table, "Item": item, "ReturnConsumedCapacity": "TOTAL"}
    rev = int(item["rev"]["N"])
    if rev == 1:
        return "put_item", request | {"ConditionExpression": "attribute_not_exists(address)"}
    values = {":rev": {"N": str(rev - 1)}}
    return "put_item", request | {"ConditionExpression": "rev = :rev", "ExpressionAttributeValues": values}


def _contact(chance: random.Random, address: str, trace: str) -> Item:
    item: Item = {
        **_key(address, "contact"),
        "rev": {"N": str(chance.randrange(1, 4))},
        "status": {"S": chance.choice(_STATUSES)},
        "may_send": {"BOOL": chance.random() < 0.5},
        "variants": {"L": [{"S": address}]},
    }
    if chance.random() < 0.5:
        at = f"2026-03-01T12:00:0{chance.randrange(5)}.{'1' if address[0] == 'a' else '2'}00Z"
        item |= {"pending_shard": {"S": trace}, "pending_at": {"S": at}}
    return item


def _statements(chance: random.Random, table: str, _address: str, trace: str) -> Request:
    """Write some contacts, each as if it were new or of some revision, and some history."""
    made = []
    for name in chance.sample("ab", chance.randrange(3)):
        item = _contact(chance, f"{name}-{trace}@example.com", trace)
        rev = {"N": str(int(item["rev"]["N"]) - 1)}
        before = {**_contact(chance, item["address"]["S"], trace), "lease": {"S": "gone"}, "rev": rev}
        made.append(chance.choice((insert(table, item), update(table, before, item))))
    history = chance.sample("1234", chance.randrange(3) if made else 1)
    note: Item = {"verdict": {"S": "NOTE"}}
    made += [insert(table, {**_key(f"a-{trace}@example.com", f"feedback#{one}"), **note}) for one in history]
    return "batch_execute_statement", {"Statements": made}


def _get(_chance: random.Random, table: str, _address: str, trace: str) -> Request:
    keys = [_key(f"{name}-{trace}@example.com", "contact") for name in "abc"]
    return "batch_get_item", {"RequestItems": {table: {"Keys": keys, "ConsistentRead": True}}}


def _query(chance: random.Random, table: str, _address: str, trace: str) -> Request:
    return "query", {
        "TableName": table,
        "IndexName": "PendingSync",
        "KeyConditionExpression": "pending_shard = :shard AND pending_at <= :before",
        "ExpressionAttributeValues": {
            ":shard": {"S": trace},
            ":before": {"S": f"2026-03-01T12:00:0{chance.randrange(6)}.000Z"},
        },
        "Limit": chance.choice((1, 2, 100)),
    }


def _pace(_chance: random.Random, table: str, _address: str, trace: str) -> Request:
    return "get_item", {"TableName": table, "Key": _key(trace, "rate_limiter"), "ConsistentRead": True}


def _reserve(chance: random.Random, table: str, _address: str, trace: str) -> Request:
    values: Item = {":moment": {"S": str(chance.randrange(3))}}
    condition = "attribute_not_exists(taken_at)"
    if chance.random() < 0.5:
        condition, values[":last"] = "taken_at = :last", {"S": str(chance.randrange(3))}
    return "update_item", {
        "TableName": table,
        "Key": _key(trace, "rate_limiter"),
        "UpdateExpression": "SET taken_at = :moment",
        "ConditionExpression": condition,
        "ExpressionAttributeValues": values,
        "ReturnConsumedCapacity": "TOTAL",
    }


def _key(address: str, record: str) -> Item:
    return {"address": {"S": address}, "record": {"S": record}}


def _answer(client: Any, operation: str, request: dict[str, Any]) -> object:  # noqa: ANN401 (as above)
    """Return what of an answer the code looks at."""
    try:
        answer = getattr(client, operation)(**request)
    except ClientError as error:
        return error.response["Error"]["Code"]
    match operation:
        case "batch_get_item":
            ((_, found),) = answer["Responses"].items()
            return sorted(found, key=lambda item: str(item["address"]["S"])), answer["UnprocessedKeys"]
        case "batch_execute_statement":
            return [one.get("Error", {}).get("Code", "done") for one in answer["Responses"]]
        case "query":
            return list(_pages(client, request, answer))
        case "get_item":
            return answer.get("Item")
        case _:
            return "ConsumedCapacity" in answer


def _pages(client: Any, request: dict[str, Any], answer: Any) -> Iterator[Item]:  # noqa: ANN401 (as above)
    yield from answer["Items"]
    while "LastEvaluatedKey" in answer:
        answer = client.query(**request, ExclusiveStartKey=answer["LastEvaluatedKey"])
        yield from answer["Items"]


def _all(client: Any, table: str, addresses: set[str]) -> Iterator[Item]:  # noqa: ANN401 (as above)
    for address in addresses:
        found = client.query(
            TableName=table,
            KeyConditionExpression="address = :address",
            ExpressionAttributeValues={":address": {"S": address}},
        )
        yield from found["Items"]

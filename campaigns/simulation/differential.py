"""Differential test of the in-memory table: it must answer random requests exactly as another DynamoDB does."""

import random
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from campaigns.simulation.case import Case
from campaigns.simulation.dynamodb_client import DynamoDb
from campaigns.simulation.fault_injector import Answer, Effect, FaultInjector
from campaigns.simulation.scheduler import Scheduler
from campaigns.simulation.table import Table
from localaws.in_process.embedded_aws import EmbeddedAws
from ses_feedback.contacts.statements import insert, update
from tests.support.dynamodb_table import Item

_STATUSES = ("active", "bounced", "complained")
_MAX_REQUESTS = 12
Request = tuple[str, dict[str, Any]]
"""An operation and its parameters."""


class FaultlessInjector(FaultInjector):
    """Makes calls without faults, actors or a trace."""

    def __init__(self) -> None:
        """Create an injector without a case."""
        super().__init__(Case(()), Scheduler(()))

    def call(self, operation: str, about: str, effect: Effect, parts: int = 1) -> Answer:  # noqa: ARG002 (as FaultInjector)
        """Make the call."""
        return effect()

    def add_remark(self, outcome: str) -> None:
        """Do nothing: there is no trace."""


class DifferenceError(Exception):
    """The other DynamoDB gave another answer, or stores other items."""


def compare(client: Any, table_name: str, seed: int) -> Table:  # noqa: ANN401 (botocore creates its classes at run time)
    """Make the requests of this seed in memory and to `client`. Return the in-memory table.

    Raises:
        DifferenceError: an answer or an item differs.

    """
    table = Table(1, lambda: 0, lambda _old, _new: None, lambda _old: None)
    in_memory: Any = DynamoDb(table, FaultlessInjector())
    rng = random.Random(seed)  # noqa: S311 (a repeatable sequence, not a secret)
    requests = [_request(rng, table_name, f"{seed}") for _ in range(rng.randrange(1, _MAX_REQUESTS))]
    for number, (operation, request) in enumerate(requests):
        expected, answer = (_answer(either, operation, request) for either in (in_memory, client))
        if expected != answer:
            raise DifferenceError(
                f"trace {seed}, request {number}: {operation} {request}: {expected} in memory, {answer} by the client"
            )
    addresses = {address for address, _ in table.items}
    stored = {(item["address"]["S"], item["record"]["S"]): item for item in _all_items(client, table_name, addresses)}
    if stored != table.items:
        raise DifferenceError(f"trace {seed}: {table.items} in memory, {stored} by the client")
    return table


def compare_with_moto(aws: EmbeddedAws, seed: int) -> int:
    """Compare with moto, including the stream. Return the number of stream records.

    Raises:
        DifferenceError: an answer, an item or the stream differs.

    """
    table = compare(aws.client("dynamodb"), aws.table_name, seed)
    images = [change.record["dynamodb"]["NewImage"] for change in table.stream[0]]
    records = [record["dynamodb"]["NewImage"] for record in aws.stream_records()]
    if records != [image for image in images if "pending_shard" in image]:
        raise DifferenceError(f"trace {seed}: the stream has {images} in memory, {records} in moto")
    return len(images)


def _request(rng: random.Random, table: str, trace: str) -> Request:
    """Return a request as the code makes it, about a few addresses that no other trace uses."""
    make = rng.choice((_put, _put, _statements, _statements, _statements, _get, _query, _get_rate_limiter, _reserve))
    address = f"{rng.choice('ab')}-{trace}@example.com"
    return make(rng, table, address, trace)


def _put(rng: random.Random, table: str, address: str, trace: str) -> Request:
    item = _contact(rng, address, trace)
    request: dict[str, Any] = {"TableName": table, "Item": item, "ReturnConsumedCapacity": "TOTAL"}
    rev = int(item["rev"]["N"])
    if rev == 1:
        return "put_item", request | {"ConditionExpression": "attribute_not_exists(address)"}
    values = {":rev": {"N": str(rev - 1)}}
    return "put_item", request | {"ConditionExpression": "rev = :rev", "ExpressionAttributeValues": values}


def _contact(rng: random.Random, address: str, trace: str) -> Item:
    item: Item = {
        **_key(address, "contact"),
        "rev": {"N": str(rng.randrange(1, 4))},
        "status": {"S": rng.choice(_STATUSES)},
        "may_send": {"BOOL": rng.random() < 0.5},
        "variants": {"L": [{"S": address}]},
    }
    if rng.random() < 0.5:
        at = f"2026-03-01T12:00:0{rng.randrange(5)}.{'1' if address[0] == 'a' else '2'}00Z"
        item |= {"pending_shard": {"S": trace}, "pending_at": {"S": at}}
    if rng.random() < 0.3:
        item["expires_at"] = {"N": str(rng.randrange(1, 3))}
    return item


def _statements(rng: random.Random, table: str, _address: str, trace: str) -> Request:
    """Write some contacts, each as new or with a revision that may be wrong, and some records of the history."""
    statements = []
    for name in rng.sample("ab", rng.randrange(3)):
        item = _contact(rng, f"{name}-{trace}@example.com", trace)
        rev = {"N": str(int(item["rev"]["N"]) - 1)}
        before = {**_contact(rng, item["address"]["S"], trace), "lease": {"S": "gone"}, "rev": rev}
        statements.append(rng.choice((insert(table, item), update(table, before, item))))
    history = rng.sample("1234", rng.randrange(3) if statements else 1)
    note: Item = {"verdict": {"S": "NOTE"}}
    statements += [insert(table, {**_key(f"a-{trace}@example.com", f"feedback#{name}"), **note}) for name in history]
    return "batch_execute_statement", {"Statements": statements}


def _get(_rng: random.Random, table: str, _address: str, trace: str) -> Request:
    keys = [_key(f"{name}-{trace}@example.com", "contact") for name in "abc"]
    return "batch_get_item", {"RequestItems": {table: {"Keys": keys, "ConsistentRead": True}}}


def _query(rng: random.Random, table: str, _address: str, trace: str) -> Request:
    return "query", {
        "TableName": table,
        "IndexName": "PendingSync",
        "KeyConditionExpression": "pending_shard = :shard AND pending_at <= :before",
        "ExpressionAttributeValues": {
            ":shard": {"S": trace},
            ":before": {"S": f"2026-03-01T12:00:0{rng.randrange(6)}.000Z"},
        },
        "Limit": rng.choice((1, 2, 100)),
    }


def _get_rate_limiter(_rng: random.Random, table: str, _address: str, trace: str) -> Request:
    return "get_item", {"TableName": table, "Key": _key(trace, "rate_limiter"), "ConsistentRead": True}


def _reserve(rng: random.Random, table: str, _address: str, trace: str) -> Request:
    values: Item = {":moment": {"S": str(rng.randrange(3))}}
    condition = "attribute_not_exists(reserved_at)"
    if rng.random() < 0.5:
        condition, values[":latest"] = "reserved_at = :latest", {"S": str(rng.randrange(3))}
    return "update_item", {
        "TableName": table,
        "Key": _key(trace, "rate_limiter"),
        "UpdateExpression": "SET reserved_at = :moment",
        "ConditionExpression": condition,
        "ExpressionAttributeValues": values,
        "ReturnConsumedCapacity": "TOTAL",
    }


def _key(address: str, record: str) -> Item:
    return {"address": {"S": address}, "record": {"S": record}}


def _answer(client: Any, operation: str, request: dict[str, Any]) -> object:  # noqa: ANN401 (as above)
    """Return the parts of an answer that the code uses, or the error code."""
    try:
        answer = getattr(client, operation)(**request)
    except ClientError as error:
        return error.response["Error"]["Code"]
    match operation:
        case "batch_get_item":
            ((_, items),) = answer["Responses"].items()
            return sorted(items, key=lambda item: str(item["address"]["S"])), answer["UnprocessedKeys"]
        case "batch_execute_statement":
            return [response.get("Error", {}).get("Code", "done") for response in answer["Responses"]]
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


def _all_items(client: Any, table: str, addresses: set[str]) -> Iterator[Item]:  # noqa: ANN401 (as above)
    for address in addresses:
        answer = client.query(
            TableName=table,
            KeyConditionExpression="address = :address",
            ExpressionAttributeValues={":address": {"S": address}},
        )
        yield from answer["Items"]

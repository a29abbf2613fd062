"""PartiQL statements and PutItem requests that write items, with an optimistic lock on their `rev`.

One call of BatchExecuteStatement executes up to 25 statements, and each succeeds or fails independently. If the item
exists, an `INSERT` fails with `DuplicateItem`. If the item does not exist or has another `rev`, an `UPDATE` fails with
`ConditionalCheckFailed`. An `UPDATE` does not change the attributes that it does not name.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
"""

from functools import lru_cache
from typing import Any

from ses_feedback.contacts.record import Item

EXPIRES_AT = "expires_at"
"""The attribute with the time from which DynamoDB may delete an item, in seconds since 1970.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
"""
_LOCK = ("address", "record", "rev")
"""Attributes that must be unchanged since the item was read: its key and its `rev`."""
Statement = dict[str, Any]
"""One of the `Statements` of BatchExecuteStatement: the text `Statement`, and `Parameters`, the values of each `?`.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementRequest.html
"""


def insert(table: str, item: Item) -> Statement:
    """Return the statement that adds `item`."""
    return {"Statement": _insert(table, tuple(item)), "Parameters": list(item.values())}


def update(table: str, before: Item, after: Item) -> Statement:
    """Return the statement that changes `before` to `after` if the item still has the `rev` of `before`.

    Both are complete items with the same key. The statement writes only the attributes that differ, so the attributes
    of other applications are kept.

    If `before` expires, its `expires_at` is part of the lock, for two reasons. DynamoDB may delete the item, and a new
    item may reach the same `rev`. An application that adds an attribute removes `expires_at` and does not change `rev`.
    """
    changed = {name: value for name, value in after.items() if before.get(name) != value}
    removed = tuple(name for name in before if name not in after)
    lock = (*_LOCK, EXPIRES_AT) if EXPIRES_AT in before else _LOCK
    return {
        "Statement": _update(table, tuple(changed), removed, lock),
        "Parameters": [*changed.values(), *(before[name] for name in lock)],
    }


def put(table: str, item: Item) -> dict[str, Any]:
    """Return the PutItem request that replaces the item if the stored `rev` is one less than that of `item`.

    If the `rev` of `item` is 1, no item may exist. The request asks for the consumed capacity, because each response
    of DynamoDB then has a field that `errors.require` can check.
    """
    before = int(item["rev"]["N"]) - 1
    condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(address)"}
    if before:
        values = {":rev": {"N": str(before)}}
        condition = {"ConditionExpression": "rev = :rev", "ExpressionAttributeValues": values}
    return {"TableName": table, "Item": item, "ReturnConsumedCapacity": "TOTAL", **condition}


# The text depends only on the names of the attributes. Contacts have few combinations of names, so texts are cached.
@lru_cache(1024)
def _insert(table: str, names: tuple[str, ...]) -> str:
    values = ", ".join(f"'{name}': ?" for name in names)
    return f'INSERT INTO "{table}" VALUE {{{values}}}'


@lru_cache(1024)
def _update(table: str, changed: tuple[str, ...], removed: tuple[str, ...], lock: tuple[str, ...]) -> str:
    sets = "".join(f' SET "{name}"=?' for name in changed)
    removes = "".join(f' REMOVE "{name}"' for name in removed)
    where = " AND ".join([f'"{name}"=?' for name in lock])
    return f'UPDATE "{table}"{sets}{removes} WHERE {where}'

"""Write items to DynamoDB with an optimistic lock on their `rev`.

PartiQL statements go 25 to a call and stand or fail each by itself. An `INSERT` fails with `DuplicateItem` where there
is an item, an `UPDATE` with `ConditionalCheckFailed` where there is none, or none of the revision it was told of. What
`UPDATE` leaves out stays as it is.
"""

from functools import lru_cache
from typing import Any

from ses_feedback.contacts.record import Item

EXPIRES_AT = "expires_at"
"""The attribute with the time from which DynamoDB may delete an item, in seconds since 1970."""
_LOCK = ("address", "record", "rev")
Statement = dict[str, Any]
"""A statement as BatchExecuteStatement takes it: `Statement`, its text, and `Parameters`, the values of its `?`."""


def insert(table: str, item: Item) -> Statement:
    """Return the statement that adds `item`."""
    return {"Statement": _insert(table, tuple(item)), "Parameters": list(item.values())}


def update(table: str, before: Item, after: Item) -> Statement:
    """Return the statement that makes `before` into `after`, if the item still has the `rev` it has in `before`.

    Both are whole items of one key. Only what differs is written, so what others write on the item meanwhile stays. An
    item that expires must also have the same `expires_at`: after DynamoDB deleted it, another item may have its `rev`,
    and an application that adds an attribute removes the expiry only.
    """
    changed = {name: value for name, value in after.items() if before.get(name) != value}
    gone = tuple(name for name in before if name not in after)
    lock = (*_LOCK, EXPIRES_AT) if EXPIRES_AT in before else _LOCK
    return {
        "Statement": _update(table, tuple(changed), gone, lock),
        "Parameters": [*changed.values(), *(before[name] for name in lock)],
    }


def put(table: str, item: Item) -> dict[str, Any]:
    """Return the PutItem request that writes `item` whole, if the table's has the `rev` before, or (1) there is none.

    It asks for the capacity consumed as proof that it was DynamoDB that answered (`faults.require`).
    """
    before = int(item["rev"]["N"]) - 1
    condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(address)"}
    if before:
        values = {":rev": {"N": str(before)}}
        condition = {"ConditionExpression": "rev = :rev", "ExpressionAttributeValues": values}
    return {"TableName": table, "Item": item, "ReturnConsumedCapacity": "TOTAL", **condition}


# The same few texts serve every contact: they differ only in which attributes there are.
@lru_cache(1024)
def _insert(table: str, names: tuple[str, ...]) -> str:
    values = ", ".join(f"'{name}': ?" for name in names)
    return f'INSERT INTO "{table}" VALUE {{{values}}}'


@lru_cache(1024)
def _update(table: str, changed: tuple[str, ...], gone: tuple[str, ...], lock: tuple[str, ...]) -> str:
    sets = "".join(f' SET "{name}"=?' for name in changed)
    removes = "".join(f' REMOVE "{name}"' for name in gone)
    where = " AND ".join([f'"{name}"=?' for name in lock])
    return f'UPDATE "{table}"{sets}{removes} WHERE {where}'

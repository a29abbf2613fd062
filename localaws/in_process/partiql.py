"""The two PartiQL statements that write contacts and their history, for an AWS that does not know them.

    INSERT INTO "Contacts" VALUE {'address': ?, 'record': ?, 'rev': ?}
    UPDATE "Contacts" SET "status"=? SET "rev"=? REMOVE "lease" WHERE "address"=? AND "record"=? AND "rev"=?

`parse` reads them and refuses everything else, so that nobody mistakes what it does not know for something DynamoDB
would do. `perform` is what DynamoDB does with one, `execute` a whole BatchExecuteStatement through PutItem and
UpdateItem, which every emulator has.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, Protocol

from botocore.exceptions import ClientError

Item = dict[str, dict[str, Any]]
"""An item in DynamoDB's own JSON: attribute name → {type: value}."""
Request = tuple[str, dict[str, Any]]
"""A method of botocore's DynamoDB client, and what to call it with."""

MOST = 25
"""Statements in one BatchExecuteStatement, DynamoDB's own limit."""
LONGEST = 8192
"""Characters of a statement, DynamoDB's own limit."""
DUPLICATE = "DuplicateItem", "Duplicate primary key exists in table"
CHECK_FAILED = "ConditionalCheckFailed", "The conditional request failed"

_INSERT = re.compile(r"""INSERT INTO "([\w.-]+)" VALUE \{('\w+' ?: ?\?(?:, ?'\w+' ?: ?\?)*)\}""", re.ASCII)
_UPDATE = re.compile(
    r"""UPDATE "([\w.-]+)"((?: SET "\w+" ?= ?\?)+)((?: REMOVE "\w+")*)"""
    r""" WHERE "address" ?= ?\? AND "record" ?= ?\? AND "rev" ?= ?\?""",
    re.ASCII,
)
_NAME = re.compile(r"""['"](\w+)['"]""", re.ASCII)
_KEY = "address", "record"
_CODES: Mapping[str, str] = {
    "AccessDeniedException": "AccessDenied",
    "InternalServerError": "InternalServerError",
    "ItemCollectionSizeLimitExceededException": "ItemCollectionSizeLimitExceeded",
    "ProvisionedThroughputExceededException": "ProvisionedThroughputExceeded",
    "RequestLimitExceeded": "RequestLimitExceeded",
    "ResourceNotFoundException": "ResourceNotFound",
    "ThrottlingException": "ThrottlingError",
    "TransactionConflictException": "TransactionConflict",
    "ValidationException": "ValidationError",
}


class UnknownStatementError(ValueError):
    """A statement of another form than these two, or one DynamoDB would refuse."""


class StatementError(Exception):
    """DynamoDB answers a statement with an error, beside the others of the batch."""

    def __init__(self, code: str, message: str) -> None:
        """Answer `code`, as BatchExecuteStatement calls it."""
        super().__init__(code)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Insert:
    """Write an item that is not there yet."""

    table: str
    item: Item

    @property
    def key(self) -> Item:
        """The primary key of the item."""
        return {name: self.item[name] for name in _KEY}


@dataclass(frozen=True, slots=True)
class Update:
    """Change an item whose `rev` is still this one: put `sets` on it, take `removes` off, leave the rest."""

    table: str
    key: Item
    sets: Item
    removes: tuple[str, ...]
    rev: Mapping[str, Any]


Statement = Insert | Update


class DynamoDb(Protocol):
    """The calls of botocore's DynamoDB client that `execute` makes."""

    def put_item(self, **request: Any) -> Any: ...  # noqa: ANN401, D102
    def update_item(self, **request: Any) -> Any: ...  # noqa: ANN401, D102


def parse(statement: str, parameters: Sequence[Mapping[str, Any]]) -> Statement:
    """Read a statement whose every value is a positional parameter.

    Raises:
        UnknownStatementError: it is not one of these, or has too many or too few parameters.

    """
    form = _form(statement)
    values = [dict(value) for value in parameters]
    if len(values) != form.parameters:
        raise UnknownStatementError(f"{len(values)} parameters for {form.parameters} question marks")
    given = dict(zip(form.sets, values, strict=False))
    if form.inserts:
        return Insert(form.table, given)
    address, record, rev = values[-3:]
    return Update(form.table, {"address": address, "record": record}, given, form.removes, rev)


def perform(statement: Statement, held: Item | None) -> Item:
    """Return what becomes of the item `held` under the statement's key (None: there is none).

    Raises:
        StatementError: nothing does, and DynamoDB says why.

    """
    if isinstance(statement, Insert):
        if held is not None:
            raise StatementError(*DUPLICATE)
        return statement.item
    if held is None or held.get("rev") != statement.rev:
        raise StatementError(*CHECK_FAILED)
    return {name: value for name, value in held.items() if name not in statement.removes} | statement.sets


def as_request(statement: Statement) -> Request:
    """Return the call of DynamoDB's older API that does the same as `statement`."""
    if isinstance(statement, Insert):
        condition = "attribute_not_exists(address)"
        return "put_item", {"TableName": statement.table, "Item": statement.item, "ConditionExpression": condition}
    sets = ", ".join(f"#{number} = :{number}" for number in range(len(statement.sets)))
    removes = ", ".join(f"#{number}" for number, _ in enumerate(statement.removes, len(statement.sets)))
    names = enumerate(chain(statement.sets, statement.removes))
    return "update_item", {
        "TableName": statement.table,
        "Key": statement.key,
        "UpdateExpression": f"SET {sets}" + (f" REMOVE {removes}" if removes else ""),
        "ConditionExpression": "#rev = :rev",
        "ExpressionAttributeNames": {"#rev": "rev"} | {f"#{number}": name for number, name in names},
        "ExpressionAttributeValues": {":rev": statement.rev}
        | {f":{number}": value for number, value in enumerate(statement.sets.values())},
    }


def execute(client: DynamoDb, statements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Answer as BatchExecuteStatement does, through `client`'s older calls.

    Raises:
        UnknownStatementError: as `parse`, or there are none, more than `MOST`, or two about one item.

    """
    return {"Responses": [_executed(client, statement) for statement in parse_all(statements)]}


def parse_all(statements: Sequence[Mapping[str, Any]]) -> list[Statement]:
    """Read the statements of one BatchExecuteStatement.

    Raises:
        UnknownStatementError: as `execute`.

    """
    if not 1 <= len(statements) <= MOST:
        raise UnknownStatementError(f"{len(statements)} statements; DynamoDB takes 1 to {MOST}")
    if unknown := {name for one in statements for name in one} - {"Statement", "Parameters"}:
        raise UnknownStatementError(f"statements with {', '.join(sorted(unknown))}")
    read = [parse(one["Statement"], one["Parameters"]) for one in statements]
    if len({str(one.key) for one in read}) < len(read):
        raise UnknownStatementError("two statements about one item: DynamoDB keeps no order between them")
    return read


@dataclass(frozen=True, slots=True)
class _Form:
    """A statement without its values."""

    table: str
    sets: tuple[str, ...]
    removes: tuple[str, ...] = ()
    inserts: bool = False

    @property
    def parameters(self) -> int:
        return len(self.sets) + (0 if self.inserts else len(_KEY) + 1)


@lru_cache(maxsize=1_000)
def _form(statement: str) -> _Form:
    if len(statement) > LONGEST:
        raise UnknownStatementError(f"a statement of {len(statement)} characters; DynamoDB takes {LONGEST}")
    if inserting := _INSERT.fullmatch(statement):
        names = tuple(_NAME.findall(inserting[2]))
        if len(set(names)) < len(names) or not set(_KEY) <= set(names):
            raise UnknownStatementError(f"an attribute twice, or no key, among {', '.join(names)}")
        return _Form(inserting[1], names, inserts=True)
    if updating := _UPDATE.fullmatch(statement):
        sets, removes = (tuple(_NAME.findall(updating[part])) for part in (2, 3))
        if len({*sets, *removes, *_KEY}) < len(sets) + len(removes) + len(_KEY):
            raise UnknownStatementError(f"an attribute twice, or the key, among {', '.join([*sets, *removes])}")
        return _Form(updating[1], sets, removes)
    raise UnknownStatementError(f"neither the INSERT nor the UPDATE known here: {statement}")


def _executed(client: DynamoDb, statement: Statement) -> dict[str, Any]:
    operation, request = as_request(statement)
    try:
        getattr(client, operation)(**request)
    except ClientError as error:
        told = error.response["Error"]
        code, message = _told(statement, told["Code"], told["Message"])
        return {"Error": {"Code": code, "Message": message}, "TableName": statement.table}
    return {"TableName": statement.table}


def _told(statement: Statement, code: str, message: str) -> tuple[str, str]:
    if code == "ConditionalCheckFailedException":
        return DUPLICATE if isinstance(statement, Insert) else CHECK_FAILED
    return _CODES.get(code, "InternalServerError"), message

"""The two PartiQL statements that write contacts and their history, for emulators that do not implement them.

    INSERT INTO "Contacts" VALUE {'address': ?, 'record': ?, 'rev': ?}
    UPDATE "Contacts" SET "status"=? SET "rev"=? REMOVE "lease" WHERE "address"=? AND "record"=? AND "rev"=?

An UPDATE of an item that expires ends with ` AND "expires_at"=?`.
`parse_statement` accepts these and rejects every other statement, so that an unknown statement never looks like
DynamoDB behavior. `apply_statement` returns the item that DynamoDB would store. `execute_statements` runs a whole
BatchExecuteStatement with PutItem and UpdateItem, which every emulator implements.

Syntax: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, Protocol

from botocore.exceptions import ClientError

Item = dict[str, dict[str, Any]]
"""An item in DynamoDB's typed JSON: attribute name → {type: value}."""
Request = tuple[str, dict[str, Any]]
"""A method of botocore's DynamoDB client, and its arguments."""

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html
MAX_STATEMENTS = 25
"""Statements in one BatchExecuteStatement."""
MAX_STATEMENT_LENGTH = 8192
"""Characters of a statement."""

DUPLICATE = "DuplicateItem", "Duplicate primary key exists in table"
CHECK_FAILED = "ConditionalCheckFailed", "The conditional request failed"

_INSERT = re.compile(r"""INSERT INTO "([\w.-]+)" VALUE \{('\w+' ?: ?\?(?:, ?'\w+' ?: ?\?)*)\}""", re.ASCII)
_UPDATE = re.compile(
    r"""UPDATE "([\w.-]+)"((?: SET "\w+" ?= ?\?)+)((?: REMOVE "\w+")*)"""
    r""" WHERE "address" ?= ?\? AND "record" ?= ?\? AND "rev" ?= ?\?( AND "expires_at" ?= ?\?)?""",
    re.ASCII,
)
_NAME = re.compile(r"""['"](\w+)['"]""", re.ASCII)
_KEY = "address", "record"
# Error codes of calls → of statements in a batch:
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementError.html
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
    """The statement has another form than these two, or DynamoDB would reject it."""


class StatementError(Exception):
    """DynamoDB responds to one statement of a batch with an error."""

    def __init__(self, code: str, message: str) -> None:
        """Respond with `code`, a code of BatchExecuteStatement."""
        super().__init__(code)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Insert:
    """Write an item, on condition that it does not exist."""

    table: str
    item: Item

    @property
    def key(self) -> Item:
        """The primary key of the item."""
        return {name: self.item[name] for name in _KEY}


@dataclass(frozen=True, slots=True)
class Update:
    """Set the attributes `sets` and remove the attributes `removes` of an item that has the attributes `condition`."""

    table: str
    key: Item
    sets: Item
    removes: tuple[str, ...]
    condition: Item


Statement = Insert | Update


class DynamoDb(Protocol):
    """The methods of botocore's DynamoDB client that `execute_statements` calls."""

    def put_item(self, **request: Any) -> Any: ...  # noqa: ANN401, D102
    def update_item(self, **request: Any) -> Any: ...  # noqa: ANN401, D102


def parse_statement(statement: str, parameters: Sequence[Mapping[str, Any]]) -> Statement:
    """Parse a statement in which every value is a positional parameter.

    Raises:
        UnknownStatementError: the statement has another form, or the number of parameters is wrong.

    """
    form = _parse_form(statement)
    values = [dict(value) for value in parameters]
    if len(values) != form.parameters:
        raise UnknownStatementError(f"{len(values)} parameters for {form.parameters} question marks")
    attributes = dict(zip(form.sets, values, strict=False))
    if form.inserts:
        return Insert(form.table, attributes)
    where = dict(zip((*_KEY, *form.condition), values[len(form.sets) :], strict=True))
    condition = {name: where.pop(name) for name in form.condition}
    return Update(form.table, where, attributes, form.removes, condition)


def apply_statement(statement: Statement, current: Item | None) -> Item:
    """Return the item after the statement. `current` is the stored item, or None if there is none.

    Raises:
        StatementError: the condition of the statement does not hold.

    """
    if isinstance(statement, Insert):
        if current is not None:
            raise StatementError(*DUPLICATE)
        return statement.item
    if current is None or any(current.get(name) != value for name, value in statement.condition.items()):
        raise StatementError(*CHECK_FAILED)
    return {name: value for name, value in current.items() if name not in statement.removes} | statement.sets


def to_request(statement: Statement) -> Request:
    """Return the PutItem or UpdateItem call that is equivalent to the statement."""
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
        "ConditionExpression": " AND ".join(f"#{name} = :{name}" for name in statement.condition),
        "ExpressionAttributeNames": {f"#{name}": name for name in statement.condition}
        | {f"#{number}": name for number, name in names},
        "ExpressionAttributeValues": {f":{name}": value for name, value in statement.condition.items()}
        | {f":{number}": value for number, value in enumerate(statement.sets.values())},
    }


def execute_statements(client: DynamoDb, statements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the response of BatchExecuteStatement, after executing the statements with `client`.

    Raises:
        UnknownStatementError: `parse_statements` rejects the batch.

    """
    return {"Responses": [_execute(client, statement) for statement in parse_statements(statements)]}


def parse_statements(statements: Sequence[Mapping[str, Any]]) -> list[Statement]:
    """Parse the statements of one BatchExecuteStatement.

    Raises:
        UnknownStatementError: a statement is unknown, the batch is empty, it has more than MAX_STATEMENTS statements,
            or two statements are about the same item.

    """
    if not 1 <= len(statements) <= MAX_STATEMENTS:
        raise UnknownStatementError(f"{len(statements)} statements; DynamoDB takes 1 to {MAX_STATEMENTS}")
    if unknown := {name for statement in statements for name in statement} - {"Statement", "Parameters"}:
        raise UnknownStatementError(f"statements with {', '.join(sorted(unknown))}")
    parsed = [parse_statement(statement["Statement"], statement["Parameters"]) for statement in statements]
    # Statements of a batch are executed in parallel, in no defined order:
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.multiplestatements.batching.html
    if len({str(statement.key) for statement in parsed}) < len(parsed):
        raise UnknownStatementError("two statements about one item: DynamoDB keeps no order between them")
    return parsed


@dataclass(frozen=True, slots=True)
class _Form:
    """A statement without its values."""

    table: str
    sets: tuple[str, ...]
    removes: tuple[str, ...] = ()
    condition: tuple[str, ...] = ()
    inserts: bool = False

    @property
    def parameters(self) -> int:
        return len(self.sets) + (0 if self.inserts else len(_KEY) + len(self.condition))


@lru_cache(maxsize=1_000)
def _parse_form(statement: str) -> _Form:
    if len(statement) > MAX_STATEMENT_LENGTH:
        raise UnknownStatementError(
            f"a statement of {len(statement)} characters; DynamoDB takes {MAX_STATEMENT_LENGTH}"
        )
    if insert := _INSERT.fullmatch(statement):
        names = tuple(_NAME.findall(insert[2]))
        if len(set(names)) < len(names) or not set(_KEY) <= set(names):
            raise UnknownStatementError(f"a repeated attribute or a missing key among {', '.join(names)}")
        return _Form(insert[1], names, inserts=True)
    if update := _UPDATE.fullmatch(statement):
        sets, removes = (tuple(_NAME.findall(update[group])) for group in (2, 3))
        if len({*sets, *removes, *_KEY}) < len(sets) + len(removes) + len(_KEY):
            raise UnknownStatementError(f"a repeated attribute or the key among {', '.join([*sets, *removes])}")
        return _Form(update[1], sets, removes, ("rev", "expires_at") if update[4] else ("rev",))
    raise UnknownStatementError(f"neither the known INSERT nor the known UPDATE: {statement}")


def _execute(client: DynamoDb, statement: Statement) -> dict[str, Any]:
    operation, request = to_request(statement)
    try:
        getattr(client, operation)(**request)
    except ClientError as error:
        refusal = error.response["Error"]
        code, message = _to_statement_error(statement, refusal["Code"], refusal["Message"])
        return {"Error": {"Code": code, "Message": message}, "TableName": statement.table}
    return {"TableName": statement.table}


def _to_statement_error(statement: Statement, code: str, message: str) -> tuple[str, str]:
    if code == "ConditionalCheckFailedException":
        return DUPLICATE if isinstance(statement, Insert) else CHECK_FAILED
    return _CODES.get(code, "InternalServerError"), message

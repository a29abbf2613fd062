"""The two statements that write contacts and history: read strictly, and done as DynamoDB does them."""

from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.in_process.embedded_aws import EmbeddedAws
from localaws.in_process.partiql import (
    Insert,
    StatementError,
    UnknownStatementError,
    Update,
    as_request,
    execute,
    parse,
    parse_all,
    perform,
)

INSERT = """INSERT INTO "Contacts" VALUE {'address': ?, 'record': ?, 'rev': ?}"""
UPDATE = (
    """UPDATE "Contacts" SET "status"=? SET "rev"=? REMOVE "lease" REMOVE "pending_since" """
    """WHERE "address"=? AND "record"=? AND "rev"=?"""
)
ANN, CONTACT = {"S": "ann@example.com"}, {"S": "contact"}
KEY = {"address": ANN, "record": CONTACT}
BOUNCED = {"S": "bounced"}


def _number(number: int) -> dict[str, str]:
    return {"N": str(number)}


def _inserted(rev: int = 1) -> dict[str, Any]:
    return {"Statement": INSERT, "Parameters": [ANN, CONTACT, _number(rev)]}


def _updated(rev: int) -> dict[str, Any]:
    return {"Statement": UPDATE, "Parameters": [BOUNCED, _number(rev + 1), ANN, CONTACT, _number(rev)]}


def test_an_insert_is_read() -> None:
    """The item is the names with the parameters in their order."""
    statement = parse(**_named(_inserted(7)))
    assert statement == Insert("Contacts", {**KEY, "rev": _number(7)})
    assert statement.key == KEY


def test_an_update_is_read() -> None:
    """What is put, what is taken off, the key and the rev, from the parameters in their order."""
    expected = Update("Contacts", KEY, {"status": BOUNCED, "rev": _number(3)}, ("lease", "pending_since"), _number(2))
    assert parse(**_named(_updated(2))) == expected


def test_an_update_may_take_nothing_off() -> None:
    """REMOVE is optional."""
    text = """UPDATE "Contacts" SET "rev" = ? WHERE "address" = ? AND "record" = ? AND "rev" = ?"""
    expected = Update("Contacts", KEY, {"rev": _number(2)}, (), _number(1))
    assert parse(text, [_number(2), ANN, CONTACT, _number(1)]) == expected


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [
        ("""SELECT * FROM "Contacts" WHERE "address"=?""", 1),
        ("""DELETE FROM "Contacts" WHERE "address"=? AND "record"=?""", 2),
        ("""INSERT INTO "Contacts" VALUE {'address': ?, 'record': 'contact'}""", 1),
        ("""INSERT INTO "Contacts" VALUE {'address': ?, 'rev': ?}""", 2),
        ("""INSERT INTO "Contacts" VALUE {'address': ?, 'record': ?, 'rev': ?, 'rev': ?}""", 4),
        ("""INSERT INTO "Contacts" VALUES {'address': ?, 'record': ?}""", 2),
        (INSERT, 2),
        (INSERT, 4),
        ("""UPDATE "Contacts" SET "rev"=? WHERE "address"=? AND "record"=?""", 3),
        ("""UPDATE "Contacts" SET "rev"=? WHERE "address"=? OR "record"=? AND "rev"=?""", 4),
        ("""UPDATE "Contacts" SET "rev"=?, "status"=? WHERE "address"=? AND "record"=? AND "rev"=?""", 5),
        ("""UPDATE "Contacts" SET "rev"="rev"+1 WHERE "address"=? AND "record"=? AND "rev"=?""", 3),
        ("""UPDATE "Contacts" SET "rev"=? REMOVE "rev" WHERE "address"=? AND "record"=? AND "rev"=?""", 4),
        ("""UPDATE "Contacts" SET "record"=? WHERE "address"=? AND "record"=? AND "rev"=?""", 4),
        ("""UPDATE "Contacts" REMOVE "lease" WHERE "address"=? AND "record"=? AND "rev"=?""", 3),
        (UPDATE, 4),
        (UPDATE + " RETURNING ALL OLD *", 5),
        (INSERT.replace("rev", "r" * 8192), 3),
    ],
)
def test_every_other_statement_is_refused(statement: str, parameters: int) -> None:
    """What is not known to be right fails at once instead of doing something DynamoDB would not."""
    with pytest.raises(UnknownStatementError):
        parse(statement, [ANN] * parameters)


@pytest.mark.parametrize(
    "statements",
    [
        [],
        [_inserted()] * 26,
        [_inserted(), _updated(1)],
        [_inserted() | {"ConsistentRead": True}],
    ],
    ids=["none", "26", "two about one item", "an option"],
)
def test_batches_that_dynamodb_has_no_clear_answer_to_are_refused(statements: list[dict[str, Any]]) -> None:
    """One to 25 statements, each about an item of its own."""
    with pytest.raises(UnknownStatementError):
        parse_all(statements)


def test_performing_an_insert_writes_what_is_not_there() -> None:
    """The item becomes the statement's; one that is there is left, and the statement fails."""
    statement = parse(**_named(_inserted()))
    assert perform(statement, None) == {**KEY, "rev": _number(1)}
    with pytest.raises(StatementError) as refused:
        perform(statement, {**KEY})
    assert refused.value.code == "DuplicateItem"


def test_performing_an_update_changes_what_it_names() -> None:
    """Other attributes stay, also those nobody here knows."""
    held = {**KEY, "rev": _number(2), "lease": {"S": "worker"}, "ours": {"S": "kept"}}
    expected = {**KEY, "rev": _number(3), "status": BOUNCED, "ours": {"S": "kept"}}
    assert perform(parse(**_named(_updated(2))), held) == expected


@pytest.mark.parametrize("held", [None, {**KEY}, {**KEY, "rev": _number(3)}], ids=["none", "no rev", "another rev"])
def test_performing_an_update_needs_the_rev(held: dict[str, dict[str, Any]] | None) -> None:
    """Without an item of that rev the statement fails, and nothing is written."""
    with pytest.raises(StatementError) as refused:
        perform(parse(**_named(_updated(2))), held)
    assert refused.value.code == "ConditionalCheckFailed"


def test_execute_answers_statement_by_statement() -> None:
    """Each statement is done or refused by itself, as `perform` says, in calls that every emulator knows."""
    bob = {"address": {"S": "bob@example.org"}, "record": CONTACT, "rev": _number(1)}
    other = {"Statement": INSERT, "Parameters": list(bob.values())}
    with EmbeddedAws() as aws:
        client = aws.client("dynamodb")
        answers = [execute(client, batch) for batch in ([_inserted()], [_updated(1), other], [_updated(1)], [other])]
        held = client.batch_get_item(RequestItems={"Contacts": {"Keys": [KEY]}})["Responses"]["Contacts"]
    assert held == [{**KEY, "rev": _number(2), "status": BOUNCED}]
    done = {"TableName": "Contacts"}
    failed = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
    duplicate = {"Code": "DuplicateItem", "Message": "Duplicate primary key exists in table"}
    assert [answer["Responses"] for answer in answers] == [
        [done],
        [done, done],
        [{"Error": failed, **done}],
        [{"Error": duplicate, **done}],
    ]


def test_a_fault_of_one_statement_is_told_of_that_one() -> None:
    """Codes are those of statements, which differ from those of calls."""
    codes = [_code("ThrottlingException"), _code("ProvisionedThroughputExceededException"), _code("Odd")]
    assert codes == ["ThrottlingError", "ProvisionedThroughputExceeded", "InternalServerError"]


def test_a_request_names_every_attribute_by_a_placeholder() -> None:
    """Some attribute names are words of DynamoDB's expressions, `status` is."""
    operation, request = as_request(parse(**_named(_updated(2))))
    assert operation == "update_item"
    assert request["UpdateExpression"] == "SET #0 = :0, #1 = :1 REMOVE #2, #3"
    assert request["ExpressionAttributeNames"] == {
        "#rev": "rev",
        "#0": "status",
        "#1": "rev",
        "#2": "lease",
        "#3": "pending_since",
    }


class _Failing:
    """A DynamoDB that answers everything with an error."""

    def __init__(self, code: str) -> None:
        self._code = code

    def put_item(self, **_: object) -> None:
        raise ClientError({"Error": {"Code": self._code, "Message": "made up"}}, "PutItem")

    update_item = put_item


def _code(code: str) -> str:
    (answer,) = execute(_Failing(code), [_inserted()])["Responses"]
    return str(answer["Error"]["Code"])


def _named(statement: Mapping[str, Any]) -> dict[str, Any]:
    return {"statement": statement["Statement"], "parameters": statement["Parameters"]}

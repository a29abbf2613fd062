"""The two PartiQL statements are parsed strictly and executed as by DynamoDB."""

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
    apply_statement,
    execute_statements,
    parse_statement,
    parse_statements,
    to_request,
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


def _create_insert(rev: int = 1) -> dict[str, Any]:
    return {"Statement": INSERT, "Parameters": [ANN, CONTACT, _number(rev)]}


def _create_update(rev: int) -> dict[str, Any]:
    return {"Statement": UPDATE, "Parameters": [BOUNCED, _number(rev + 1), ANN, CONTACT, _number(rev)]}


def test_insert_is_parsed_into_an_item_with_its_key() -> None:
    statement = parse_statement(**_to_arguments(_create_insert(7)))
    assert statement == Insert("Contacts", {**KEY, "rev": _number(7)})
    assert statement.key == KEY


def test_update_is_parsed_into_key_changes_and_rev() -> None:
    expected = Update(
        "Contacts", KEY, {"status": BOUNCED, "rev": _number(3)}, ("lease", "pending_since"), {"rev": _number(2)}
    )
    assert parse_statement(**_to_arguments(_create_update(2))) == expected


def test_update_without_remove_is_parsed() -> None:
    text = """UPDATE "Contacts" SET "rev" = ? WHERE "address" = ? AND "record" = ? AND "rev" = ?"""
    expected = Update("Contacts", KEY, {"rev": _number(2)}, (), {"rev": _number(1)})
    assert parse_statement(text, [_number(2), ANN, CONTACT, _number(1)]) == expected


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
def test_statement_of_another_form_is_rejected(statement: str, parameters: int) -> None:
    with pytest.raises(UnknownStatementError):
        parse_statement(statement, [ANN] * parameters)


@pytest.mark.parametrize(
    "statements",
    [
        [],
        [_create_insert()] * 26,
        [_create_insert(), _create_update(1)],
        [_create_insert() | {"ConsistentRead": True}],
    ],
    ids=["none", "26", "two about one item", "an option"],
)
def test_batch_without_a_defined_result_is_rejected(statements: list[dict[str, Any]]) -> None:
    """A batch has 1 to 25 statements, each about another item."""
    with pytest.raises(UnknownStatementError):
        parse_statements(statements)


def test_insert_is_applied_only_if_the_item_does_not_exist() -> None:
    statement = parse_statement(**_to_arguments(_create_insert()))
    assert apply_statement(statement, None) == {**KEY, "rev": _number(1)}
    with pytest.raises(StatementError) as refused:
        apply_statement(statement, {**KEY})
    assert refused.value.code == "DuplicateItem"


def test_update_changes_only_the_attributes_it_names() -> None:
    stored = {**KEY, "rev": _number(2), "lease": {"S": "worker"}, "other": {"S": "kept"}}
    expected = {**KEY, "rev": _number(3), "status": BOUNCED, "other": {"S": "kept"}}
    assert apply_statement(parse_statement(**_to_arguments(_create_update(2))), stored) == expected


@pytest.mark.parametrize("stored", [None, {**KEY}, {**KEY, "rev": _number(3)}], ids=["none", "no rev", "another rev"])
def test_update_fails_without_an_item_of_its_rev(stored: dict[str, dict[str, Any]] | None) -> None:
    with pytest.raises(StatementError) as refused:
        apply_statement(parse_statement(**_to_arguments(_create_update(2))), stored)
    assert refused.value.code == "ConditionalCheckFailed"


def test_each_statement_of_a_batch_succeeds_or_fails_alone() -> None:
    bob = {"address": {"S": "bob@example.org"}, "record": CONTACT, "rev": _number(1)}
    other = {"Statement": INSERT, "Parameters": list(bob.values())}
    with EmbeddedAws() as aws:
        client = aws.client("dynamodb")
        responses = [
            execute_statements(client, batch)
            for batch in ([_create_insert()], [_create_update(1), other], [_create_update(1)], [other])
        ]
        stored = client.batch_get_item(RequestItems={"Contacts": {"Keys": [KEY]}})["Responses"]["Contacts"]
    assert stored == [{**KEY, "rev": _number(2), "status": BOUNCED}]
    success = {"TableName": "Contacts"}
    failed = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
    duplicate = {"Code": "DuplicateItem", "Message": "Duplicate primary key exists in table"}
    assert [response["Responses"] for response in responses] == [
        [success],
        [success, success],
        [{"Error": failed, **success}],
        [{"Error": duplicate, **success}],
    ]


def test_update_of_an_item_that_expires_is_applied_if_the_expiry_is_the_same() -> None:
    parameters = [BOUNCED, _number(3), ANN, CONTACT, _number(2), _number(60)]
    update = parse_statement(UPDATE + """ AND "expires_at"=?""", parameters)
    assert isinstance(update, Update)
    assert update.condition == {"rev": _number(2), "expires_at": _number(60)}
    assert to_request(update)[1]["ConditionExpression"] == "#rev = :rev AND #expires_at = :expires_at"
    item = {**KEY, **update.condition}
    assert apply_statement(update, item)["status"] == BOUNCED
    for other in ({**item, "expires_at": _number(61)}, {**KEY, "rev": _number(2)}):
        with pytest.raises(StatementError, match="ConditionalCheckFailed"):
            apply_statement(update, other)


def test_error_code_of_a_call_becomes_the_error_code_of_a_statement() -> None:
    codes = [
        _execute_with_error("ThrottlingException"),
        _execute_with_error("ProvisionedThroughputExceededException"),
        _execute_with_error("Odd"),
    ]
    assert codes == ["ThrottlingError", "ProvisionedThroughputExceeded", "InternalServerError"]


def test_request_uses_a_placeholder_for_every_attribute_name() -> None:
    """Some names, such as `status`, are reserved words."""
    operation, request = to_request(parse_statement(**_to_arguments(_create_update(2))))
    assert operation == "update_item"
    assert request["UpdateExpression"] == "SET #0 = :0, #1 = :1 REMOVE #2, #3"
    assert request["ExpressionAttributeNames"] == {
        "#rev": "rev",
        "#0": "status",
        "#1": "rev",
        "#2": "lease",
        "#3": "pending_since",
    }


class _FailingClient:
    """A DynamoDB client whose every call fails."""

    def __init__(self, code: str) -> None:
        self._code = code

    def put_item(self, **_: object) -> None:
        raise ClientError({"Error": {"Code": self._code, "Message": "made up"}}, "PutItem")

    update_item = put_item


def _execute_with_error(code: str) -> str:
    (response,) = execute_statements(_FailingClient(code), [_create_insert()])["Responses"]
    return str(response["Error"]["Code"])


def _to_arguments(statement: Mapping[str, Any]) -> dict[str, Any]:
    return {"statement": statement["Statement"], "parameters": statement["Parameters"]}

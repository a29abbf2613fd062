"""The IAM actions that PartiQL statements require, and the attributes that BatchGetItem reads."""

import json

import pytest

from localaws.server.iam_enforcement import with_batch_projections, with_partiql_actions

TABLES = "arn:aws:dynamodb:us-east-1:123456789012:table"


def list_checks(action: str, document: object) -> list[tuple[str, str]]:
    """Return the actions and resources that IAM checks for a request."""
    checks: list[tuple[str, str]] = with_partiql_actions(lambda *_: [("another", "check")])(
        action, json.dumps(document).encode(), "us-east-1", "123456789012"
    )
    return checks


def test_batch_requires_each_action_on_each_table_once() -> None:
    texts = [
        "INSERT INTO \"One\" VALUE {'address': ?}",
        'UPDATE "One" SET "status"=? WHERE "address"=?',
        'update "Other" SET "status"=? WHERE "address"=?',
        'UPDATE "One" REMOVE "lease" WHERE "address"=?',
    ]
    document = {"Statements": [{"Statement": text} for text in texts]}
    assert list_checks("dynamodb:BatchExecuteStatement", document) == [
        ("dynamodb:PartiQLInsert", f"{TABLES}/One"),
        ("dynamodb:PartiQLUpdate", f"{TABLES}/One"),
        ("dynamodb:PartiQLUpdate", f"{TABLES}/Other"),
    ]


@pytest.mark.parametrize(
    ("text", "action", "table"),
    [
        ('DELETE FROM "One" WHERE "address"=?', "dynamodb:PartiQLDelete", "One"),
        ('SELECT * FROM "One" WHERE "address"=?', "dynamodb:PartiQLSelect", "One"),
        ("nonsense", "dynamodb:PartiQLSelect", "*"),
    ],
)
def test_single_statement_requires_its_action_on_its_table(text: str, action: str, table: str) -> None:
    """A statement that cannot be parsed requires a permission on every table."""
    assert list_checks("dynamodb:ExecuteStatement", {"Statement": text}) == [(action, f"{TABLES}/{table}")]


def test_checks_of_other_calls_are_the_emulators() -> None:
    assert list_checks("dynamodb:TransactWriteItems", {}) == [("another", "check")]


def read_context(body: bytes) -> dict[str, object]:
    """Return the condition keys of a request with one projection, as ministack does."""
    projection = json.loads(body).get("ProjectionExpression")
    names = {"dynamodb:Attributes": projection.split(", ")} if projection else {}
    return {**names, "dynamodb:Select": "SPECIFIC_ATTRIBUTES" if names else "ALL_ATTRIBUTES"}


@pytest.mark.parametrize(
    ("document", "attributes"),
    [
        ({"RequestItems": {"One": {"ProjectionExpression": "b, a"}}}, ["a", "b"]),
        ({"RequestItems": {"One": {"ProjectionExpression": "a"}, "Two": {"ProjectionExpression": "b"}}}, ["a", "b"]),
        ({"RequestItems": {"One": {"ProjectionExpression": "a"}, "Two": {}}}, None),
        ({"RequestItems": {"One": [{"PutRequest": {}}]}}, None),
        ({"ProjectionExpression": "a"}, ["a"]),
        ({}, None),
    ],
)
def test_attributes_of_a_batch_are_those_of_all_its_tables(document: object, attributes: list[str] | None) -> None:
    """A batch that reads all attributes of one table counts as one that names none."""
    context = with_batch_projections(read_context)(json.dumps(document).encode())
    selected = "SPECIFIC_ATTRIBUTES" if attributes else "ALL_ATTRIBUTES"
    assert (context.get("dynamodb:Attributes"), context["dynamodb:Select"]) == (attributes, selected)

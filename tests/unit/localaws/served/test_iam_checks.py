"""What is asked of IAM for statements in PartiQL."""

import json

import pytest

from localaws.served.iam_checks import statement_checks

TABLES = "arn:aws:dynamodb:us-east-1:123456789012:table"


def checks(action: str, document: object) -> list[tuple[str, str]]:
    """Return what IAM is asked for a request."""
    found: list[tuple[str, str]] = statement_checks(lambda *_: [("another", "check")])(
        action, json.dumps(document).encode(), "us-east-1", "123456789012"
    )
    return found


def test_a_batch_is_asked_for_by_what_its_statements_do() -> None:
    """Each action on each table once."""
    texts = [
        "INSERT INTO \"One\" VALUE {'address': ?}",
        'UPDATE "One" SET "status"=? WHERE "address"=?',
        'update "Other" SET "status"=? WHERE "address"=?',
        'UPDATE "One" REMOVE "lease" WHERE "address"=?',
    ]
    document = {"Statements": [{"Statement": text} for text in texts]}
    assert checks("dynamodb:BatchExecuteStatement", document) == [
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
def test_a_statement_by_itself(text: str, action: str, table: str) -> None:
    """What cannot be read is nobody's to do."""
    assert checks("dynamodb:ExecuteStatement", {"Statement": text}) == [(action, f"{TABLES}/{table}")]


def test_other_calls_are_the_emulators() -> None:
    """Transactions, say."""
    assert checks("dynamodb:TransactWriteItems", {}) == [("another", "check")]

"""The statements that write items, in the words DynamoDB takes them."""

from typing import Any

import pytest

from ses_feedback.contacts.statements import insert, put, update

ANN, CONTACT = {"S": "ann@example.com"}, {"S": "contact"}
BEFORE = {"address": ANN, "record": CONTACT, "rev": {"N": "1"}, "status": {"S": "active"}, "lease": {"S": "worker"}}
WHERE = 'WHERE "address"=? AND "record"=? AND "rev"=?'
KEY_OF_BEFORE = [ANN, CONTACT, {"N": "1"}]


def test_an_insert_names_every_attribute() -> None:
    """And gives the values in the same order."""
    assert insert("Contacts", {"address": ANN, "record": CONTACT, "rev": {"N": "1"}}) == {
        "Statement": """INSERT INTO "Contacts" VALUE {'address': ?, 'record': ?, 'rev': ?}""",
        "Parameters": [ANN, CONTACT, {"N": "1"}],
    }


@pytest.mark.parametrize(
    ("changed", "gone", "clauses", "values"),
    [
        pytest.param({"rev": {"N": "2"}}, (), 'SET "rev"=?', [{"N": "2"}], id="only the revision"),
        pytest.param({"status": {"S": "active"}}, (), "", [], id="what is the same"),
        pytest.param(
            {"status": {"S": "bounced"}, "rev": {"N": "2"}},
            (),
            'SET "rev"=? SET "status"=?',
            [{"N": "2"}, {"S": "bounced"}],
            id="what differs",
        ),
        pytest.param(
            {"list_pending": {"BOOL": True}},
            (),
            'SET "list_pending"=?',
            [{"BOOL": True}],
            id="what was not there before",
        ),
        pytest.param(
            {"rev": {"N": "2"}}, ("lease",), 'SET "rev"=? REMOVE "lease"', [{"N": "2"}], id="what is there no longer"
        ),
        pytest.param(
            {"rev": {"N": "2"}},
            ("status", "lease"),
            'SET "rev"=? REMOVE "status" REMOVE "lease"',
            [{"N": "2"}],
            id="two that are there no longer",
        ),
    ],
)
def test_an_update_writes_what_differs(
    changed: dict[str, Any], gone: tuple[str, ...], clauses: str, values: list[Any]
) -> None:
    """Nothing else, and only where the item is still of the revision that was read."""
    after = {name: value for name, value in (BEFORE | changed).items() if name not in gone}
    text = " ".join(part for part in ('UPDATE "Contacts"', clauses, WHERE) if part)
    assert update("Contacts", BEFORE, after) == {"Statement": text, "Parameters": [*values, *KEY_OF_BEFORE]}


def test_the_first_of_an_item_is_put_where_there_is_none() -> None:
    """Whole, and DynamoDB says what it took, as proof that it was DynamoDB that answered."""
    assert put("Contacts", BEFORE) == {
        "TableName": "Contacts",
        "Item": BEFORE,
        "ReturnConsumedCapacity": "TOTAL",
        "ConditionExpression": "attribute_not_exists(address)",
    }


@pytest.mark.parametrize(("rev", "before"), [("2", "1"), ("10", "9")])
def test_the_next_is_put_where_the_one_before_is(rev: str, before: str) -> None:
    """Of the revision that was read."""
    item = {**BEFORE, "rev": {"N": rev}}
    assert put("Contacts", item) == {
        "TableName": "Contacts",
        "Item": item,
        "ReturnConsumedCapacity": "TOTAL",
        "ConditionExpression": "rev = :rev",
        "ExpressionAttributeValues": {":rev": {"N": before}},
    }

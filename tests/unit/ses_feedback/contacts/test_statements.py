"""PartiQL statements and put requests that write items."""

from typing import Any

import pytest

from ses_feedback.contacts.statements import insert, put, update

ANN, CONTACT = {"S": "ann@example.com"}, {"S": "contact"}
BEFORE = {"address": ANN, "record": CONTACT, "rev": {"N": "1"}, "status": {"S": "active"}, "lease": {"S": "worker"}}
WHERE = 'WHERE "address"=? AND "record"=? AND "rev"=?'
KEY_OF_BEFORE = [ANN, CONTACT, {"N": "1"}]


def test_an_insert_has_every_attribute_and_its_values_in_the_same_order() -> None:
    assert insert("Contacts", {"address": ANN, "record": CONTACT, "rev": {"N": "1"}}) == {
        "Statement": """INSERT INTO "Contacts" VALUE {'address': ?, 'record': ?, 'rev': ?}""",
        "Parameters": [ANN, CONTACT, {"N": "1"}],
    }


@pytest.mark.parametrize(
    ("changed", "removed", "clauses", "values"),
    [
        pytest.param({"rev": {"N": "2"}}, (), 'SET "rev"=?', [{"N": "2"}], id="only the rev"),
        pytest.param({"status": {"S": "active"}}, (), "", [], id="no change"),
        pytest.param(
            {"status": {"S": "bounced"}, "rev": {"N": "2"}},
            (),
            'SET "rev"=? SET "status"=?',
            [{"N": "2"}, {"S": "bounced"}],
            id="a changed attribute",
        ),
        pytest.param(
            {"list_pending": {"BOOL": True}},
            (),
            'SET "list_pending"=?',
            [{"BOOL": True}],
            id="a new attribute",
        ),
        pytest.param(
            {"rev": {"N": "2"}}, ("lease",), 'SET "rev"=? REMOVE "lease"', [{"N": "2"}], id="a removed attribute"
        ),
        pytest.param(
            {"rev": {"N": "2"}},
            ("status", "lease"),
            'SET "rev"=? REMOVE "status" REMOVE "lease"',
            [{"N": "2"}],
            id="two removed attributes",
        ),
    ],
)
def test_an_update_writes_only_changed_attributes_and_checks_the_rev(
    changed: dict[str, Any], removed: tuple[str, ...], clauses: str, values: list[Any]
) -> None:
    after = {name: value for name, value in (BEFORE | changed).items() if name not in removed}
    text = " ".join(part for part in ('UPDATE "Contacts"', clauses, WHERE) if part)
    assert update("Contacts", BEFORE, after) == {"Statement": text, "Parameters": [*values, *KEY_OF_BEFORE]}


def test_an_update_of_an_item_that_expires_also_checks_its_expiry() -> None:
    """Otherwise a write could change the item that follows a deleted one, if both have the same rev."""
    before = {**BEFORE, "expires_at": {"N": "1"}}
    assert update("Contacts", before, {**before, "rev": {"N": "2"}, "expires_at": {"N": "2"}}) == {
        "Statement": 'UPDATE "Contacts" SET "rev"=? SET "expires_at"=? '
        'WHERE "address"=? AND "record"=? AND "rev"=? AND "expires_at"=?',
        "Parameters": [{"N": "2"}, {"N": "2"}, *KEY_OF_BEFORE, {"N": "1"}],
    }


def test_a_first_put_requires_that_no_item_exists() -> None:
    """The consumed capacity in the response shows that it is from DynamoDB."""
    assert put("Contacts", BEFORE) == {
        "TableName": "Contacts",
        "Item": BEFORE,
        "ReturnConsumedCapacity": "TOTAL",
        "ConditionExpression": "attribute_not_exists(address)",
    }


@pytest.mark.parametrize(("rev", "before"), [("2", "1"), ("10", "9")])
def test_a_later_put_requires_the_previous_rev(rev: str, before: str) -> None:
    item = {**BEFORE, "rev": {"N": rev}}
    assert put("Contacts", item) == {
        "TableName": "Contacts",
        "Item": item,
        "ReturnConsumedCapacity": "TOTAL",
        "ConditionExpression": "rev = :rev",
        "ExpressionAttributeValues": {":rev": {"N": before}},
    }

"""The Python code of docs/operate/recovery.md copies what a table lacks, and nothing else."""

import re
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from localaws.in_process.contacts_table import CREATE_TABLE
from localaws.in_process.embedded_aws import EmbeddedAws
from tests.support.sam_template import template

PAGE = Path(__file__).parents[2] / "docs" / "operate" / "recovery.md"
OLD, NEW = "Restored", "Current"
Item = dict[str, dict[str, str]]


def copy_items(source: str, target: str) -> None:
    """Run the code of the page."""
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    marked = 'RESTORED, TABLE = "…", "…"'
    assert marked in code
    exec(code.replace(marked, f"RESTORED, TABLE = {source!r}, {target!r}"), {})  # noqa: S102 (the page's own code)


def an_item(address: str, record: str = "contact", rev: int = 1) -> Item:
    """Return an item."""
    return {"address": {"S": address}, "record": {"S": record}, "rev": {"N": str(rev)}}


def read_items(dynamodb: Any, table: str) -> list[Item]:  # noqa: ANN401 (botocore's client)
    """Return the items of a table in order."""
    items: list[Item] = dynamodb.scan(TableName=table)["Items"]
    return sorted(items, key=lambda item: (item["address"]["S"], item["record"]["S"]))


def test_code_of_the_page_copies_missing_contacts_with_their_history_and_keeps_newer_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"DEFAULT_REGION": "us-east-1", "ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "key"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    history = an_item("lost@example.com", "feedback#2026-03-01#bounce#01")
    old = [an_item("lost@example.com"), history, an_item("newer@example.com", rev=3)]
    with EmbeddedAws() as aws:
        dynamodb = aws.client("dynamodb")
        for table, items in ((OLD, old), (NEW, [an_item("newer@example.com", rev=7)])):
            dynamodb.create_table(**{**CREATE_TABLE, "TableName": table})
            for item in items:
                dynamodb.put_item(TableName=table, Item=item)
        copy_items(OLD, NEW)
        assert capsys.readouterr().out == "2 items copied, 1 items already there\n"
        assert read_items(dynamodb, NEW) == [an_item("lost@example.com"), history, an_item("newer@example.com", rev=7)]
        copy_items(OLD, NEW)
        assert capsys.readouterr().out == "0 items copied, 3 items already there\n"


def test_template_of_the_page_has_the_properties_of_the_table_in_the_template() -> None:
    """Without the conditions on the key and on deletion protection. Otherwise the deployment would change the table."""
    [text] = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    page = yaml_parse(text)["Resources"]["ContactsTable"]
    table = template()["Resources"]["ContactsTable"]
    conditional = {"DeletionProtectionEnabled", "SSESpecification"}
    assert page["Properties"].keys() == table["Properties"].keys()
    for name in page["Properties"].keys() - conditional:
        assert page["Properties"][name] == table["Properties"][name]
    policies = ("Type", "DeletionPolicy", "UpdateReplacePolicy")
    assert [page[name] for name in policies] == [table[name] for name in policies]

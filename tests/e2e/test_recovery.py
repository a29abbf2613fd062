"""docs/operate/recovery.md: a stack that was deleted by mistake gets its contacts back."""

import re
from functools import partial
from pathlib import Path

import pytest

from localaws.deployment import sam_cli
from tests.e2e.stack_under_test import StackUnderTest, wait_for

PAGE = Path(__file__).parents[2] / "docs" / "operate" / "recovery.md"
NAME = "recovered"


def copy_items(source: str, target: str) -> None:
    """Run the Python code of the page, which copies the items that `target` lacks."""
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    exec(code.replace('RESTORED, TABLE = "…", "…"', f"RESTORED, TABLE = {source!r}, {target!r}"), {})  # noqa: S102 (the page's own code)


def test_deleted_stack_that_is_deployed_again_gets_the_contacts_of_its_old_table(
    stack: StackUnderTest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable, value in stack.server.environment.items():
        monkeypatch.setenv(variable, value)
    local_aws, server = stack.local_aws, stack.server
    sam_cli.deploy(local_aws, server, name=NAME)
    old = StackUnderTest(local_aws, server, NAME)
    bounced, again = old.create_address("bounce"), old.create_address("bounce")
    for address in (bounced, again):
        old.send_email(address)
        assert wait_for(partial(old.contact, address)).get("status") == "bounced"
    wait_for(lambda: old.contact(bounced).get("synced"))
    sam_cli.delete(local_aws, server, name=NAME)

    sam_cli.deploy(local_aws, server, name=NAME)
    new = StackUnderTest(local_aws, server, NAME)
    assert new.outputs["ContactsTableName"] != old.outputs["ContactsTableName"]
    assert new.contact(bounced) == {}
    new.send_email(again)
    newer = wait_for(partial(new.contact, again), lambda contact: "synced" in contact)
    copy_items(old.outputs["ContactsTableName"], new.outputs["ContactsTableName"])
    assert "items already there" in capsys.readouterr().out
    assert new.contact(bounced) == old.contact(bounced)
    assert new.history(bounced) == old.history(bounced)
    assert new.contact(again) == newer
    sam_cli.delete(local_aws, server, name=NAME)

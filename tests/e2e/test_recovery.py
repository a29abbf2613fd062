"""docs/operate/recovery.md: each way back from a lost table, stack or key, with the commands of the page."""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from shlex import quote

import pytest

from localaws.deployment import sam_cli
from tests.e2e.stack_under_test import StackUnderTest, wait_for
from tests.support.aws_cli import run_command

PAGE = (Path(__file__).parents[2] / "docs" / "operate" / "recovery.md").read_text()
NAME, OTHER_NAME = "recovered", "other-recovered"


def commands_of(section: str) -> Iterator[str]:
    """Yield the AWS CLI commands of a section, each on one line."""
    text = PAGE.partition(f"## {section}\n")[2].partition("\n## ")[0]
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        lines = re.sub(r"(\\\n *|\n +(?=[\"'A-Za-z]))", " ", re.sub(r"^ {3}", "", block, flags=re.MULTILINE))
        for line in lines.replace(" && ", "\n").splitlines():
            if line.strip():
                yield line.strip()


def run_commands(stack: StackUnderTest, section: str, names: Mapping[str, str]) -> None:
    """Run the commands of a section, with these words in place of its names."""
    for command in commands_of(section):
        replaced = re.sub(rf"\b({'|'.join(names)})\b", lambda found: names[found[1]], command)
        [template] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
        replaced = replaced.replace("file://table.yaml", quote(template))
        run_command(replaced, stack.client, stack.server.environment["AWS_REGION"])


def copy_items(source: str, target: str) -> None:
    """Run the Python code of the page, which copies the items that `target` lacks."""
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(code.replace('RESTORED, TABLE = "…", "…"', f"RESTORED, TABLE = {source!r}, {target!r}"), {})  # noqa: S102 (the page's own code)


@pytest.fixture
def old(stack: StackUnderTest, monkeypatch: pytest.MonkeyPatch) -> Iterator[StackUnderTest]:
    """Return a second stack, which the test may delete."""
    for variable, value in stack.server.environment.items():
        monkeypatch.setenv(variable, value)
    sam_cli.deploy(stack.local_aws, stack.server, name=NAME)
    yield StackUnderTest(stack.local_aws, stack.server, NAME)
    sam_cli.delete(stack.local_aws, stack.server, name=NAME)


def deploy_again(old: StackUnderTest, name: str) -> StackUnderTest:
    """Deploy the whole template after the deletion of the stack."""
    sam_cli.deploy(old.local_aws, old.server, name=name)
    return StackUnderTest(old.local_aws, old.server, name)


def bounce(stack: StackUnderTest) -> str:
    """Return an address that has bounced and is on the list."""
    address = stack.create_address("bounce")
    stack.send_email(address)
    assert wait_for(partial(stack.contact, address), lambda contact: "synced" in contact)["status"] == "bounced"
    return address


def test_restored_table_becomes_the_table_of_the_stack(old: StackUnderTest) -> None:
    """Restore, enable stream, TTL and recovery, import under the same logical id, deploy.

    The emulator gives the table of a stack always the same name, and would replace an imported one of another name. So
    the original is deleted, and what is imported is a restored table with its name.
    """
    bounced, dynamodb = bounce(old), old.client("dynamodb")
    table, copy = old.outputs["ContactsTableName"], f"{NAME}-restored"
    contact, history = old.contact(bounced), old.history(bounced)
    run_commands(old, "Restore", {"TABLE": table, "RESTORED": copy})
    dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName=table)
    run_commands(old, "Restore", {"TABLE": copy, "RESTORED": table})
    assert "LatestStreamArn" not in dynamodb.describe_table(TableName=table)["Table"]
    run_commands(old, "Use a restored table instead of copying", {"RESTORED": table, "STACK": NAME})
    new = deploy_again(old, NAME)
    assert new.outputs["ContactsTableName"] == table
    assert (new.contact(bounced), new.history(bounced)) == (contact, history)
    ttl = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    recovery = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    assert (ttl["TimeToLiveStatus"], ttl["AttributeName"]) == ("ENABLED", "expires_at")
    assert recovery["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    bounce(new)


def test_new_stack_gets_the_contacts_of_the_table_of_a_deleted_one(
    old: StackUnderTest, capsys: pytest.CaptureFixture[str]
) -> None:
    """The new stack has another name, because the emulator would give its table the old table's name."""
    bounced, again = bounce(old), bounce(old)
    sam_cli.delete(old.local_aws, old.server, name=NAME)
    new = deploy_again(old, OTHER_NAME)
    assert new.contact(bounced) == {}
    new.send_email(again)
    newer = wait_for(partial(new.contact, again), lambda contact: "synced" in contact)
    copy_items(old.outputs["ContactsTableName"], new.outputs["ContactsTableName"])
    assert "items already there" in capsys.readouterr().out
    assert (new.contact(bounced), new.history(bounced)) == (old.contact(bounced), old.history(bounced))
    assert new.contact(again) == newer
    sam_cli.delete(old.local_aws, old.server, name=OTHER_NAME)
    sam_cli.deploy(old.local_aws, old.server, name=NAME)  # the fixture deletes it


def test_key_is_saved_from_its_deletion(stack: StackUnderTest) -> None:
    kms = stack.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    run_commands(stack, "The key was deleted", {"KEY": key})
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"


def test_backup_of_the_table_is_made(stack: StackUnderTest) -> None:
    run_commands(stack, "Back up", {"TABLE": stack.outputs["ContactsTableName"]})
    backups = stack.client("dynamodb").list_backups(TableName=stack.outputs["ContactsTableName"])["BackupSummaries"]
    assert [backup["BackupName"] for backup in backups] == ["before-the-upgrade"]

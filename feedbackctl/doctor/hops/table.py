"""The contacts table: whether it is usable and complete."""

from collections.abc import Iterator, Mapping
from typing import Any

from feedbackctl.doctor.aws_reader import NotFoundError
from feedbackctl.doctor.expected import INDEXES, STREAM_VIEW, TTL_ATTRIBUTE
from feedbackctl.doctor.facts import Facts
from feedbackctl.doctor.model import Finding, fail, ok, warn

_STREAMS = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html"
_INDEXES = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.OnlineOps.html"
_TTL = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html"
_RECOVERY = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Point-in-time-recovery.html"
_ENCRYPTION = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html"


def read_table(facts: Facts) -> Mapping[str, Any]:
    """Return the description of the table.

    Raises:
        ReadError: the table cannot be read.

    """
    table: Mapping[str, Any] = facts.reader.read(
        "dynamodb", "describe_table", TableName=facts.stack.outputs["ContactsTableName"]
    )["Table"]
    return table


def check_table(facts: Facts) -> Iterator[Finding]:
    """Check that the table is active, with its stream and its indexes."""
    try:
        table = read_table(facts)
    except NotFoundError:
        advice = "Restore it as the runbook describes (docs/operate/runbook.md)."
        command = facts.command("dynamodb", "list-backups", table_name=facts.stack.outputs["ContactsTableName"])
        yield fail("ContactsTable", "the table does not exist", command, advice=advice, url=_RECOVERY)
        return
    problems = [*_check_status(table), *_check_stream(facts, table), *_check_indexes(facts, table)]
    yield from problems or [ok("ContactsTable", f"active, with its stream and {len(INDEXES)} indexes")]


def check_expiry(facts: Facts) -> Iterator[Finding]:
    """Check that expired history is deleted."""
    name = facts.stack.outputs["ContactsTableName"]
    found = facts.reader.read("dynamodb", "describe_time_to_live", TableName=name)["TimeToLiveDescription"]
    if found.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}:
        yield ok("time to live", "history expires")
        return
    command = facts.command(
        "dynamodb",
        "update-time-to-live",
        table_name=name,
        time_to_live_specification={"Enabled": True, "AttributeName": TTL_ATTRIBUTE},
    )
    yield warn("time to live", "it is disabled, so history never expires", command, url=_TTL)


def check_recovery(facts: Facts) -> Iterator[Finding]:
    """Check that the table can be restored to an earlier time."""
    name = facts.stack.outputs["ContactsTableName"]
    found = facts.reader.read("dynamodb", "describe_continuous_backups", TableName=name)
    status = found["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    if status.get("PointInTimeRecoveryStatus") == "ENABLED":
        yield ok("point-in-time recovery", "enabled")
        return
    command = facts.command(
        "dynamodb",
        "update-continuous-backups",
        table_name=name,
        point_in_time_recovery_specification={"PointInTimeRecoveryEnabled": True},
    )
    yield warn("point-in-time recovery", "it is disabled", command, url=_RECOVERY)


def _check_status(table: Mapping[str, Any]) -> Iterator[Finding]:
    encryption = table.get("SSEDescription", {})
    if table.get("TableStatus") == "INACCESSIBLE_ENCRYPTION_CREDENTIALS" or (
        "InaccessibleEncryptionDateTime" in encryption
    ):
        advice = "Enable the key within seven days. After that, DynamoDB archives the table."
        yield fail("ContactsTable", "DynamoDB cannot use the key of the table", advice=advice, url=_ENCRYPTION)
    elif table.get("TableStatus") not in {"ACTIVE", "UPDATING"}:
        yield fail("ContactsTable", f"its status is {table.get('TableStatus')}", url=_ENCRYPTION)


def _check_stream(facts: Facts, table: Mapping[str, Any]) -> Iterator[Finding]:
    stream = table.get("StreamSpecification", {})
    if not stream.get("StreamEnabled"):
        command = facts.command(
            "dynamodb",
            "update-table",
            table_name=table["TableName"],
            stream_specification={"StreamEnabled": True, "StreamViewType": STREAM_VIEW},
        )
        advice = "The new stream has another ARN. Then run doctor again."
        message = "its stream is disabled, so changes wait for the sweep"
        yield fail("ContactsTable", message, command, advice=advice, url=_STREAMS)


def _check_indexes(facts: Facts, table: Mapping[str, Any]) -> Iterator[Finding]:
    found = {each["IndexName"]: each.get("IndexStatus") for each in table.get("GlobalSecondaryIndexes", [])}
    for name, keys in INDEXES.items():
        if found.get(name) in {"ACTIVE", "UPDATING"}:
            continue
        if found.get(name) == "CREATING":
            yield warn("ContactsTable", f"its index {name} is being created", url=_INDEXES)
            continue
        update = {
            "Create": {
                "IndexName": name,
                "KeySchema": [
                    {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=True)
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        }
        command = facts.command(
            "dynamodb",
            "update-table",
            table_name=table["TableName"],
            attribute_definitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            global_secondary_index_updates=[update],
        )
        yield fail("ContactsTable", f"its index {name} does not exist", command, url=_INDEXES)


CHECKS = (check_table, check_expiry, check_recovery)

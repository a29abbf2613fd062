"""The history of a contact: feedback as SES reported it, and what operators did."""

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from feedbackctl.contacts.attributes import map_of, text_of
from feedbackctl.contacts.pages import read_pages
from ses_feedback.contacts.record import Item
from ses_feedback.judging.facts import Tags
from ses_feedback.timestamps import format_timestamp

FEEDBACK, OPERATOR = "feedback#", "operator#"
"""Prefixes of the sort keys of history items."""


class HistoryEntry(NamedTuple):
    """One item of the history. The texts are empty if the item has none; `caller` is an operator's ARN.

    Of an import, `source` names the other system, `stated_reason` and `stated_at` are its reason and date.
    """

    record: str
    at: str
    kind: str
    verdict: str
    rule: str
    reason: str
    type: str
    sub_type: str
    action: str
    status: str
    diagnostic_code: str
    message_id: str
    configuration_set: str
    stream: str
    tags: Tags
    caller: str
    operation: str
    source: str
    stated_reason: str
    stated_at: str

    @property
    def is_operator_action(self) -> bool:
        """True if an operator made the change."""
        return self.record.startswith(OPERATOR)


class OperatorAction(NamedTuple):
    """What an operator does to contacts: the action's name, the caller's ARN, the time and the reason.

    `operation` is the id of a bulk operation. `stream` and, for an import, `source`, `stated_reason` and `stated_at`
    are set by the actions that have them.
    """

    name: str
    caller: str
    at: datetime
    reason: str
    operation: str = ""
    stream: str = ""
    source: str = ""
    stated_reason: str = ""
    stated_at: str = ""


def read_history(dynamodb: Any, table: str, address: str) -> list[HistoryEntry]:  # noqa: ANN401 (botocore's client)
    """Return the history of the contact of `address` in order of time.

    Raises:
        AWS_ERRORS: DynamoDB did not answer.

    """
    entries = [
        decode_entry(item)
        for prefix in (FEEDBACK, OPERATOR)
        for item in query_records(dynamodb, table, address, prefix)
    ]
    return sorted(entries, key=lambda entry: (entry.at, entry.record))


def query_records(dynamodb: Any, table: str, address: str, prefix: str) -> Iterator[Item]:  # noqa: ANN401
    """Yield the items under `address` whose sort key begins with `prefix`, page by page, in order of the key.

    Raises:
        AWS_ERRORS: DynamoDB did not answer.

    """
    return read_pages(
        dynamodb.query,
        TableName=table,
        KeyConditionExpression="address = :address AND begins_with(#record, :prefix)",
        ExpressionAttributeNames={"#record": "record"},
        ExpressionAttributeValues={":address": {"S": address}, ":prefix": {"S": prefix}},
        ConsistentRead=True,
    )


def decode_entry(item: Item) -> HistoryEntry:
    """Return the entry in a history item."""
    texts = {name: text_of(item, name) for name in HistoryEntry._fields if name != "tags"}
    return HistoryEntry(**texts, tags=tuple(sorted(map_of(item, "tags").items())))


def operator_item(address: str, action: OperatorAction, keep_days: int) -> Item:
    """Return the history item of an operator's action.

    The key depends on the action alone, so a repeated write of the same action is one item.
    """
    at = format_timestamp(action.at)
    digest = hashlib.sha256(repr(action).encode()).hexdigest()[:12]
    texts = {
        "address": address,
        "record": f"{OPERATOR}{at}#{action.name}#{digest}",
        "at": at,
        "kind": "Operator",
        "action": action.name,
        "caller": action.caller,
        "reason": action.reason,
        "operation": action.operation,
        "stream": action.stream,
        "source": action.source,
        "stated_reason": action.stated_reason,
        "stated_at": action.stated_at,
    }
    item: Item = {name: {"S": text} for name, text in texts.items() if text}
    item["expires_at"] = {"N": str(int((action.at + timedelta(days=keep_days)).timestamp()))}
    return item

"""The part of a contact that an application reads, and its DynamoDB requests."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from ses_feedback.client.errors import ContactsUnavailableError, aws_errors, error_code

RECORD = "contact"
PROJECTION = "address, may_send, may_send_transactional, no_streams"
READ_AT_ONCE = 100
"""Keys in one BatchGetItem: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html"""
_CHECK_ACCESS = "check the table's name, its Region and the permissions dynamodb:GetItem and dynamodb:BatchGetItem"
_CHECK_RESPONSE = "the answer is not DynamoDB's; check the endpoint and the proxy"


class ContactView(NamedTuple):
    """A contact's attributes for applications."""

    may_send: bool
    may_send_transactional: bool
    no_streams: tuple[str, ...] = ()

    def permits(self, stream: str | None) -> bool:
        """True if bulk email of `stream` may be sent; None stands for bulk email without a stream."""
        return self.may_send and (stream is None or stream not in self.no_streams)


UNKNOWN = ContactView(may_send=True, may_send_transactional=True)
"""The view of an address without an item: SES reported nothing about it."""


class ContactTable:
    """Reads views from the table.

    `client` is a boto3 client. If it belongs to a boto3 resource (`is_resource`), boto3 converts the values of requests
    and responses from and to Python's types.
    """

    def __init__(self, name: str, client: Any, *, is_resource: bool) -> None:  # noqa: ANN401 (boto3 has no types)
        self._name = name
        self._client = client
        self._is_resource = is_resource

    def read(self, key: str) -> ContactView:
        """Return the view of one contact, eventually consistent.

        Raises:
            ContactsUnavailableError: DynamoDB did not answer, or the item is unreadable.

        """
        request = {"TableName": self._name, "Key": self._primary_key(key), "ProjectionExpression": PROJECTION}
        try:
            item = self._client.get_item(**request).get("Item")
        except aws_errors() as error:
            raise ContactsUnavailableError(error_code(error), _CHECK_ACCESS) from None
        view = UNKNOWN if item is None else _view(item)
        if view is None:
            raise unreadable()
        return view

    def read_batch(self, keys: Collection[str]) -> dict[str, ContactView | None]:
        """Return the views of up to 100 contacts, without those that DynamoDB left unprocessed.

        The view of an unreadable item is None: it must not prevent the answers for the others.

        Raises:
            ContactsUnavailableError: DynamoDB did not answer.

        """
        asked = {"Keys": [self._primary_key(key) for key in keys], "ProjectionExpression": PROJECTION}
        try:
            answer = self._client.batch_get_item(RequestItems={self._name: asked})
        except aws_errors() as error:
            raise ContactsUnavailableError(error_code(error), _CHECK_ACCESS) from None
        try:
            # Only one table was asked, whatever DynamoDB calls it in the answer.
            items = [item for found in answer["Responses"].values() for item in found]
            left = [one for table in answer["UnprocessedKeys"].values() for one in table["Keys"]]
            found = {_value(item["address"]): item for item in items}
            unprocessed = {_value(one["address"]) for one in left}
        except (AttributeError, KeyError, TypeError) as error:
            raise ContactsUnavailableError(type(error).__name__, _CHECK_RESPONSE) from None
        return {key: _view(found[key]) if key in found else UNKNOWN for key in keys if key not in unprocessed}

    def _primary_key(self, key: str) -> dict[str, Any]:
        if self._is_resource:
            return {"address": key, "record": RECORD}
        return {"address": {"S": key}, "record": {"S": RECORD}}


def unreadable() -> ContactsUnavailableError:
    """Return the error for an item that the stack did not write."""
    return ContactsUnavailableError(
        "UnreadableContact", 'another writer put the item there; see the runbook, "Unreadable contact"'
    )


def _view(item: Mapping[str, Any]) -> ContactView | None:
    """Return the view in an item, or None if the stack did not write the item."""
    try:
        may_send, transactional = _value(item["may_send"]), _value(item["may_send_transactional"])
        streams = tuple(_value(name) for name in _value(item.get("no_streams", [])))
    except (KeyError, TypeError, ValueError):
        return None
    if not (isinstance(may_send, bool) and isinstance(transactional, bool)):
        return None
    return ContactView(may_send, transactional, streams)


def _value(attribute: Any) -> Any:  # noqa: ANN401 (any attribute)
    """Return the value of an attribute in DynamoDB JSON (`{"S": "text"}`) or in Python's types (`"text"`)."""
    if not isinstance(attribute, dict):
        return attribute
    (value,) = attribute.values()
    return value

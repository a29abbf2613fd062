"""One contact by its address."""

from feedbackctl.contacts.denials import READ, describe_code
from feedbackctl.errors import OperatorError, UnknownResultError
from feedbackctl.stack import Stack
from ses_feedback.contacts.record import UNREADABLE, ContactRecord


def read_contact(stack: Stack, address: str) -> ContactRecord:
    """Return the contact with the key `address`; without feedback about it, a record with `rev` 0.

    Raises:
        OperatorError: the item is not a contact, or DynamoDB did not return it.

    """
    unread: dict[str, str] = {}
    records = stack.repository.read([address], unread, consistent=True)
    if address in records:
        return records[address]
    if unread[address] == UNREADABLE:
        raise OperatorError(
            f'The contact cannot be read: {UNREADABLE}. See "Unreadable contact" in docs/operate/runbook.md.'
        )
    raise UnknownResultError(
        f"DynamoDB did not return the contact ({describe_code(unread[address], READ)}). Try again."
    )

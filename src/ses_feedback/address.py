"""Recipient addresses as immutable objects; `ses_feedback.address_syntax` parses them."""

from ses_feedback.address_syntax import AddressError, normalize_address
from ses_feedback.immutable import Struct

__all__ = ["Address", "AddressError", "parse_address"]


class Address(Struct, frozen=True):
    """A recipient's address: the key of its contact, and the variant that SES reported.

    `variant` has the local part as reported and the domain in lower case. Entries of the suppression list have this
    form, and the calls that manage the list are case-sensitive:
    https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html
    """

    key: str
    variant: str


def parse_address(raw: str) -> Address:
    """Return the address in `raw`: bare or in angle brackets, with or without a display name or comment.

    Raises:
        AddressError: `raw` contains no address, several addresses, or one that no mail server can have accepted.

    """
    return Address(*normalize_address(raw))

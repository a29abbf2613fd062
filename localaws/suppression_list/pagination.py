"""The pages of the suppression list.

SES documents no order. These pages are sorted by address, so that paging neither repeats nor skips an entry while
entries are added and removed.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import NamedTuple

from localaws.suppression_list.entries import SuppressedDestination
from localaws.suppression_list.errors import BadRequestError, InvalidNextTokenError

MAX_PAGE_SIZE = 1000
"""The maximum and the default of PageSize:
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_ListSuppressedDestinations.html."""


class Page(NamedTuple):
    """A page of the list. `next_token` requests the next page; None on the last page."""

    entries: list[SuppressedDestination]
    next_token: str | None


def select_page(entries: Sequence[SuppressedDestination], page_size: int, next_token: str | None) -> Page:
    """Return the page that a token requests, or the first page. `entries` are sorted by address.

    Raises:
        BadRequestError: the page size is not between 1 and 1000.
        InvalidNextTokenError: no page returned this token.
    """
    if not 1 <= page_size <= MAX_PAGE_SIZE:
        raise BadRequestError(f"PageSize must be between 1 and {MAX_PAGE_SIZE}.")
    last_address = "" if next_token is None else _decode_token(next_token)
    remaining = [entry for entry in entries if entry.email_address > last_address]
    page = remaining[:page_size]
    return Page(page, _encode_token(page[-1]) if len(remaining) > page_size else None)


def _encode_token(entry: SuppressedDestination) -> str:
    return base64.urlsafe_b64encode(entry.email_address.encode()).decode()


def _decode_token(next_token: str) -> str:
    """Return the last address of the page that returned this token."""
    try:
        return base64.urlsafe_b64decode(next_token).decode()
    except (binascii.Error, UnicodeError) as error:
        raise InvalidNextTokenError("The specified next token is invalid.") from error

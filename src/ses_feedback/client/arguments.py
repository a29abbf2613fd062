"""Checks of the arguments that both halves of the client share."""

import re

from ses_feedback.client.errors import InvalidArgumentError

# SES's character set of topics and configuration sets:
# https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Topic.html
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def require_stream(stream: str | None) -> None:
    """Raise `InvalidArgumentError` if `stream` cannot be the name of a stream. None is all email."""
    if stream is not None and not is_name(stream):
        raise InvalidArgumentError(
            "a stream's name has 1 to 64 characters A-Z, a-z, 0-9, - and _; pass the name of its configuration set"
        )


def require_text(address: object) -> None:
    """Raise `InvalidArgumentError` if `address` is not text."""
    if not isinstance(address, str):
        raise InvalidArgumentError(f"an address is a str, not {type(address).__name__}; pass one address")


def is_name(text: object) -> bool:
    """True if `text` has 1 to 64 letters, digits, hyphens and underscores of ASCII."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None

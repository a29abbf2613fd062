"""Canaries: texts that may be visible in the contact store and in the quarantine only, and a search for leaks of them.

Payloads use canaries for all personal data: addresses, subjects, answers of mail servers, header values, tokens. A
canary contains `MARK`, which nothing else does. `find_leaks` finds canaries in logs, metrics, errors, events, answers.
"""

import base64
import binascii
import math
import re
from collections.abc import Mapping
from itertools import count
from typing import Any

MARK = "kwyjibo"
"""Part of every canary, and of nothing else."""

DOCUMENTED = frozenset({"address", "configuration_set", "message_id", "tags"})
"""Fields of events with data of the sender or recipient (docs/operate/events.md)."""

_IDENTIFIERS = re.compile(r'"(?:message_id|record_id)": ?"[A-Za-z0-9._-]*"')
"""Logged ids of messages and records, if they look like ids and not like an address."""


def canary(field: str, number: object = "") -> str:
    """Return a canary for a field. It cannot be taken for an id, because it contains `~`."""
    return f"{MARK}~{field}~{number}"


def canary_address(number: object, domain: object = "") -> str:
    """Return an address at example.com whose local part and domain are canaries."""
    return f"{MARK}.{number}@{MARK}{domain}.example.com"


def _encoded_marks() -> list[str]:
    """Return MARK in hexadecimal, in percent encoding, and in base64 at each of three offsets."""
    encoded = [binascii.hexlify(MARK.encode()).decode(), "".join(f"%{ord(letter):02x}" for letter in MARK)]
    for offset in range(3):
        whole = base64.b64encode(bytes(offset) + MARK.encode()).decode()
        # Without the characters that also encode bits of the neighbouring bytes.
        encoded.append(whole[math.ceil(offset * 8 / 6) : (offset + len(MARK)) * 8 // 6])
    return encoded


# Context is limited to 40 characters: without a limit, long texts would take quadratic time.
_PLAIN = rf"[\w.~+-]{{0,40}}{MARK}[\w.~+@-]{{0,40}}"
_ADDRESS = r"[\w.!#$%&'*+/=?^`{|}~-]{1,40}(?:@|%40|\\u0040)[\w-]{1,63}\.[\w.-]{1,40}"
_LEAK = re.compile("|".join([_PLAIN, _ADDRESS, *map(re.escape, _encoded_marks())]), re.IGNORECASE)
_SIGNS = (MARK, "@", "%40", "\\u0040", *(mark.lower() for mark in _encoded_marks()))


def find_leaks(text: str) -> list[str]:
    """Return every canary in `text`, encoded ones included, and everything that looks like an address.

    For other campaigns: use `canary()` and `canary_address()` for all personal data in the input, and pass logs,
    metrics, errors, queue attributes and answers to this function. The result must be empty. Events of the event bus
    pass through `undocumented` first. Ids of messages and records that look like ids are no leak.
    """
    return _LEAK.findall(_IDENTIFIERS.sub("", text)) if _is_suspicious(text) else []


def undocumented(detail: Mapping[str, Any]) -> str:
    """Return the fields of an event that may contain no personal data, as a text for `find_leaks`."""
    return repr({name: value for name, value in detail.items() if name not in DOCUMENTED})


def _is_suspicious(text: str) -> bool:
    # Nearly all texts are clean, and this check is a hundred times as fast as the regular expression.
    lowered = text.lower()
    return any(sign in lowered for sign in _SIGNS)


class CanaryFactory:
    """Returns canaries with numbers that are unique within a payload."""

    def __init__(self) -> None:
        """Begin with number 1."""
        self._numbers = count(1)

    def __call__(self, field: str) -> str:
        """Return a canary for a field."""
        return canary(field, next(self._numbers))

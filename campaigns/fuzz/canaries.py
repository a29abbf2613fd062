"""Texts that nobody may ever see outside of the contact store and the quarantine, and how to find them.

Whatever a message says of people (addresses, subjects, what a mail server answered, header values, tokens) is made of
canaries here: texts that hold `MARK`, which nothing of ours does. `leaks` finds them in whatever was logged, measured,
raised, published or answered.
"""

import base64
import binascii
import math
import re
from collections.abc import Mapping
from itertools import count
from typing import Any

MARK = "kwyjibo"
"""In every canary; in nothing else."""

ANNOUNCED = frozenset({"address", "configuration_set"})
"""What README says a `Contact Status Changed` event tells of what a message said. (Its `reason` is a fixed word.)"""

_IDENTIFIERS = re.compile(r'"(?:message_id|record_id)": ?"[A-Za-z0-9._-]*"')
"""Ids are logged on purpose, where they look like ids and not like anything a person could be."""


def canary(where: str, number: object = "") -> str:
    """Return a canary for the field `where`: no id of any message, for it holds `~`."""
    return f"{MARK}~{where}~{number}"


def canary_address(number: object, domain: object = "") -> str:
    """Return an address whose local part and domain are canaries, at example.com."""
    return f"{MARK}.{number}@{MARK}{domain}.example.com"


def _disguises() -> list[str]:
    """Return MARK as it looks in base64 (at each of three offsets), hexadecimal and percent encoding."""
    looks = [binascii.hexlify(MARK.encode()).decode(), "".join(f"%{ord(letter):02x}" for letter in MARK)]
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + MARK.encode()).decode()
        # Without the characters that its neighbours have a part in.
        looks.append(encoded[math.ceil(offset * 8 / 6) : (offset + len(MARK)) * 8 // 6])
    return looks


# No more of what stands around it than a reader needs, or a long text would be gone through again from each character.
_PLAIN = rf"[\w.~+-]{{0,40}}{MARK}[\w.~+@-]{{0,40}}"
_ADDRESS = r"[\w.!#$%&'*+/=?^`{|}~-]{1,40}(?:@|%40|\\u0040)[\w-]{1,63}\.[\w.-]{1,40}"
_LEAK = re.compile("|".join([_PLAIN, _ADDRESS, *map(re.escape, _disguises())]), re.IGNORECASE)


def leaks(text: str) -> list[str]:
    """Return what `text` gives away: every canary in it, also in disguise, and everything that looks like an address.

    The contract, for other campaigns: plant `canary()` and `canary_address()` (or any text that holds `MARK`) wherever
    a message has room for text; hand over what was logged and printed, the text of exceptions, queue attributes and
    what a handler returned; the answer must be empty. Events of the event bus go through `undocumented` first. The
    case of letters does not matter. Message ids and record ids that look like ids are no leak.
    """
    return _LEAK.findall(_IDENTIFIERS.sub("", text)) if _suspicious(text) else []


def undocumented(detail: Mapping[str, Any]) -> str:
    """Return what an event tells beyond what README says, as text for `leaks`."""
    return repr({name: value for name, value in detail.items() if name not in ANNOUNCED})


def _suspicious(text: str) -> bool:
    # Nearly all that is looked at is clean, and is found to be so a hundred times as fast.
    lowered = text.lower()
    return any(sign in lowered for sign in _SIGNS)


_SIGNS = (MARK, "@", "%40", "\\u0040", *(look.lower() for look in _disguises()))


class Planter:
    """Makes canaries, each with a number of its own within a payload."""

    def __init__(self) -> None:
        """Begin with number 1."""
        self._numbers = count(1)

    def __call__(self, where: str) -> str:
        """Return a canary for the field `where`."""
        return canary(where, next(self._numbers))

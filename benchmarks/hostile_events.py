"""Events that an attacker causes in order to raise the cost of a stack, or its calls to the suppression list.

Each function returns the event number `number` of a flood. An attacker is a receiver of an email, who writes DSNs, or
an application of the account that sends to invented addresses.
"""

import json
from collections.abc import Mapping
from typing import Any

from benchmarks import messages
from benchmarks.messages import DAY, Json
from benchmarks.traffic import EventKind

STRANGERS = 900
_DEPTH = 200


def forged_dsn(number: int, strangers: int = STRANGERS) -> Json:
    """Return a bounce whose DSN names addresses that the email was not sent to, and not its recipient."""
    event = messages.bounce(number, sequence=DAY)
    event["bounce"]["bouncedRecipients"] = [
        {"emailAddress": f"victim{number}.{each}@other.example.org", "action": "failed"} for each in range(strangers)
    ]
    return event


def forged_dsn_with_recipient(number: int, strangers: int = STRANGERS) -> Json:
    """Return a bounce whose DSN names its recipient and strangers."""
    event = forged_dsn(number, strangers)
    event["bounce"]["bouncedRecipients"] += messages.bounce(number)["bounce"]["bouncedRecipients"]
    return event


def forged_dsn_of_variants(number: int, strangers: int = STRANGERS) -> Json:
    """Return a bounce whose DSN names the email's recipient many times, with another `+tag` each time."""
    event = messages.bounce(number, sequence=DAY)
    user, _, domain = messages.address(number).partition("@")
    (recipient,) = event["bounce"]["bouncedRecipients"]
    event["bounce"]["bouncedRecipients"] = [
        {**recipient, "emailAddress": f"{user}+{each}@{domain}"} for each in range(strangers)
    ]
    return event


def giant_recipient(number: int) -> Json:
    """Return a bounce of an address of the greatest length, with a diagnostic text of 100 KB."""
    domain = ".".join(["d" * 60] * 3) + ".example.org"
    return _bounce_of(f"{number:064d}@{domain}", number, diagnosticCode="smtp; " + "x" * 100_000)


def oversized_recipient(number: int) -> Json:
    """Return a bounce of an address of 50 KB, which no mail server accepts."""
    return _bounce_of(f"{number}{'x' * 50_000}@example.org", number)


def international_domain(number: int) -> Json:
    """Return a bounce of an address in another domain of Unicode letters each time."""
    letters = "".join(chr(0x4E00 + (number * 7 + each * 331) % 20_000) for each in range(12))
    return _bounce_of(f"someone{number}@{letters}.example.org", number)


def date_of_another_day(number: int) -> Json:
    """Return a soft bounce of one address with another date each time, decades apart."""
    event = messages.bounce(0, sequence=DAY * number, soft=True)
    year = 1990 + number * 13 % 60
    event["bounce"]["timestamp"] = f"{year}-0{1 + number % 9}-1{number % 10}T12:00:00.000Z"
    return event


def variant_of_case(number: int) -> Json:
    """Return a bounce of one address in another combination of upper and lower case each time."""
    text = "recipient-of-the-newsletter@example.org"
    letters = [letter.upper() if number >> place & 1 else letter for place, letter in enumerate(text)]
    return _bounce_of("".join(letters), number)


def container_bomb(number: int) -> Json:
    """Return an SNS envelope around an SNS envelope, many times."""
    text = json.dumps(messages.bounce(number, sequence=DAY))
    for _ in range(10):
        text = json.dumps({"Type": "Notification", "MessageId": str(number), "Message": text})[:200_000]
    return {"Type": "Notification", "MessageId": str(number), "Message": text}


def deep_nesting(number: int) -> Json:
    """Return a bounce with an array nested so deeply that a recursive reader would fail."""
    event = messages.bounce(number, sequence=DAY)
    nested: Any = []
    for _ in range(_DEPTH):
        nested = [nested]
    event["mail"]["tags"] = {"campaign": nested}
    event["mail"]["headers"] = [{"name": "x" * 1000, "value": "y" * 1000}] * 50
    return event


def invented_recipient(number: int) -> Json:
    """Return a hard bounce of another invented address each time: the worst that is not a forgery."""
    return messages.bounce(1_000_000 + number, sequence=DAY)


def _bounce_of(address: str, number: int, **fields: str) -> Json:
    """Return a hard bounce of an email to an address."""
    event = messages.bounce(number, sequence=DAY)
    event["mail"]["destination"] = [address]
    event["bounce"]["bouncedRecipients"][0] |= {"emailAddress": address, **fields}
    return event


HOSTILE_KINDS: Mapping[str, EventKind] = {
    "hard bounce of an invented address (for comparison)": EventKind(1.0, "Bounce", invented_recipient),
    "forged DSN: 900 strangers": EventKind(1.0, "Bounce", forged_dsn),
    "forged DSN: the recipient and 900 strangers": EventKind(1.0, "Bounce", forged_dsn_with_recipient),
    "forged DSN: 900 variants of the recipient": EventKind(1.0, "Bounce", forged_dsn_of_variants),
    "giant recipient and diagnostic text": EventKind(1.0, "Bounce", giant_recipient),
    "address of 50 KB": EventKind(1.0, "Bounce", oversized_recipient),
    "international domains": EventKind(1.0, "Bounce", international_domain),
    "one address, another date each time": EventKind(1.0, "Bounce", date_of_another_day),
    "one address, another case each time": EventKind(1.0, "Bounce", variant_of_case),
    "envelope in envelope, ten times": EventKind(1.0, "Bounce", container_bomb),
    "deep nesting and long headers": EventKind(1.0, "Bounce", deep_nesting),
}
"""The kinds of hostile events."""

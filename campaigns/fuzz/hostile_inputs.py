"""Hostile inputs: kinds of events whose size an attacker can increase, and how an event of a given size is built."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.support.builders import (
    RECIPIENT,
    a_bounce,
    a_bounced_recipient,
    a_complaint,
    a_delivery,
    a_mail,
    a_send,
    an_sns_envelope,
    an_sqs_event,
    on_day,
)

Event = dict[str, Any]
HostileInput = tuple[int, Callable[[int], Event]]


def _of_document(document: Event) -> Event:
    return an_sqs_event(json.dumps(document))


def _with_mail(**fields: Any) -> Event:  # noqa: ANN401 (JSON)
    return _of_document(a_bounce(mail=a_mail(**fields)))


def _with_dsn(text: str) -> Event:
    return _of_document(a_bounce(recipients=[a_bounced_recipient(diagnosticCode=text, status=text, action=text)]))


def _of_address(text: str) -> Event:
    """Return a bounce of fifty recipients with the same address: parsing one address is too fast to be measured."""
    return _of_document(a_bounce(recipients=[text] * 50))


def _with_tags(value: str) -> Event:
    return an_sqs_event(f'{{"eventType":"Bounce","mail":{{"tags":{value}}},"bounce":{{"bouncedRecipients":[]}}}}')


def _with_field(field: str) -> Event:
    """Return a bounce with a field that `json.dumps` would not write."""
    return an_sqs_event(json.dumps(a_bounce())[:-1] + f", {field}}}")


def _recipients(number: int) -> list[str]:
    return [f"recipient{one}@example.com" for one in range(number)]


def _bounces(number: int, sub_type: str = "General") -> Event:
    return an_sqs_event(*[json.dumps(a_bounce("Transient", sub_type, at=on_day(day % 300))) for day in range(number)])


HOSTILE_INPUTS: Mapping[str, HostileInput] = {
    "a header of a megabyte": (1_000_000, lambda n: _with_mail(headers=[{"name": "X", "value": "x" * n}])),
    "a header's name of a megabyte": (1_000_000, lambda n: _with_mail(headers=[{"name": "X" * n, "value": "x"}])),
    "headers": (20_000, lambda n: _with_mail(headers=[{"name": "X", "value": "x"}] * n)),
    "tags": (40_000, lambda n: _with_mail(tags={f"tag{one}": ["value"] for one in range(n)})),
    "values of a tag": (100_000, lambda n: _with_mail(tags={"ses:configuration-set": ["name"] * n})),
    "a configuration set's name": (1_000_000, lambda n: _with_mail(configuration_set="x" * n)),
    "destinations": (20_000, lambda n: _of_document(a_send(destination=_recipients(n)))),
    "unknown fields": (40_000, lambda n: _of_document(a_bounce() | {f"unknown{one}": one for one in range(n)})),
    "the same field again and again": (40_000, lambda n: _with_field(", ".join(['"mail": {}'] * n))),
    "bounced recipients": (1_000, lambda n: _of_document(a_bounce(recipients=_recipients(n)))),
    "complaining recipients": (1_000, lambda n: _of_document(a_complaint(recipients=_recipients(n)))),
    "recipients of a delivery": (1_000, lambda n: _of_document(a_delivery(recipients=_recipients(n)))),
    "the same recipient again and again": (1_000, lambda n: _of_document(a_bounce(recipients=[RECIPIENT] * n))),
    "more recipients than an email has": (20_000, lambda n: _of_document(a_bounce(recipients=_recipients(n)))),
    "recipients of the wrong type": (
        20_000,
        lambda n: _of_document(a_delivery() | {"delivery": {"recipients": [7] * n}}),
    ),
    "records of one contact": (800, _bounces),
    "records of one contact that change nothing": (800, lambda n: _bounces(n, "MessageTooLarge")),
    "records that are no JSON": (800, lambda n: an_sqs_event(*["{"] * n)),
    "lists in lists": (400_000, lambda n: _with_tags("[" * n + "]" * n)),
    "lists in lists, not closed": (400_000, lambda n: _with_tags("[" * n)),
    "objects in objects": (160_000, lambda n: _with_tags('{"a":' * n + "1" + "}" * n)),
    "an envelope's message": (1_000_000, lambda n: _of_document(an_sns_envelope(" " * n + json.dumps(a_bounce())))),
    "blanks": (1_000_000, lambda n: an_sqs_event(" " * n)),
    "digits": (400_000, lambda n: _with_field(f'"number": {"9" * n}')),
    "decimals": (400_000, lambda n: _with_field(f'"number": 0.{"9" * n}')),
    "an exponent": (400_000, lambda n: _with_field(f'"number": 1e{"9" * n}')),
    "escapes": (1_000_000, lambda n: _with_field(f'"text": "{chr(92) * (n // 2 * 2)}"')),
    "surrogates": (600_000, lambda n: _with_field('"text": "' + "\\ud83d\\ude00" * (n // 12) + '"')),
    "a NUL in a megabyte that is no JSON": (1_000_000, lambda n: an_sqs_event("x" * n + "\0")),
    "a diagnostic code of blanks": (300_000, lambda n: _with_dsn(" " * n)),
    "a diagnostic code of line breaks": (300_000, lambda n: _with_dsn("550 5.1.1\r\n " * (n // 12))),
    "a diagnostic code of digits and points": (300_000, lambda n: _with_dsn("5.1." * (n // 4))),
    "a diagnostic code beyond ASCII": (300_000, lambda n: _with_dsn("\u00e9\U0001f600" * (n // 2))),
    "a timestamp of blanks": (1_000_000, lambda n: _of_document(a_bounce(timestamp=" " * n))),
    "a timestamp of colons": (64, lambda n: an_sqs_event(*[json.dumps(a_bounce(timestamp=": " * (n // 2)))] * 100)),
    "a timestamp of signs": (64, lambda n: an_sqs_event(*[json.dumps(a_bounce(timestamp=" +00" * (n // 4)))] * 100)),
    "a message id": (1_000_000, lambda n: _with_mail(messageId="x" * n)),
    "a type": (1_000_000, lambda n: _of_document(a_bounce("P" * n, "G" * n))),
    "an address of quotes": (2_000, lambda n: _of_address('"' * (n - 3) + "<>>")),
    "an address of escapes": (2_000, lambda n: _of_address("\\" * (n - 4) + '"<>>')),
    "an address of escaped quotes": (2_000, lambda n: _of_address('"' + '\\"' * (n // 2 - 9) + "<a@example.com>")),
    "an address of quoted pairs": (2_000, lambda n: _of_address('"\\a"' * (n // 4) + ">")),
    "an address of opening brackets": (2_000, lambda n: _of_address("<" * (n - 1) + ">")),
    "an address of quoted brackets": (2_000, lambda n: _of_address('"<"' * (n // 3 - 1) + ">>")),
    "an address of comments": (2_000, lambda n: _of_address("(a)" * (n // 3 - 1) + "!")),
    "an address of open comments": (2_000, lambda n: _of_address("(a" * (n // 2 - 1) + ")")),
    "an address of at signs": (2_000, lambda n: _of_address("@" * n)),
    "a domain of labels": (1_200, lambda n: _of_address("a@" + "a." * (n // 2 - 2) + "!")),
    "a domain of hyphens": (1_200, lambda n: _of_address("a@a" + "-" * (n - 4) + "!")),
    "a domain beyond ASCII": (1_200, lambda n: _of_address("a@" + "\u00fc." * (n // 2 - 2))),
}
"""By name: the largest size that is measured, and the function that builds an event of a size."""

"""How the work grows with the size of hostile input: handed over at a size, at twice and at four times that.

Counted, because counts are the same every time: Python's calls of functions, and the bytes allocated at most. What a
regular expression does is in neither, so the processor's time is taken too, the least of several: it must not grow
sixteenfold where the input grows fourfold, unless it is too short to hurt anybody. Tests hold the counts only, for a
busy machine blurs the time; `make fuzz` holds both.
"""

import gc
import json
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from campaigns.fuzz.harness import House
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

REPEATS = 5
MOST_TIMES = 4.7
"""Times as many calls, or bytes, as four times the input may cost: four, and some, for containers grow in steps."""
MOST_TIMES_AS_LONG = 9.0
"""Times as long that four times the input may take: linear is 4, quadratic 16."""
SHORT = 0.01
"""Seconds that hurt nobody, whatever they grew from."""

Event = dict[str, Any]
Build = Callable[[int], Event]


@dataclass(frozen=True, slots=True)
class Row:
    """What one kind of input costs at the three sizes."""

    name: str
    sizes: tuple[int, int, int]
    calls: tuple[int, ...]
    peaks: tuple[int, ...]
    seconds: tuple[float, ...]

    @property
    def counts_linear(self) -> bool:
        """Whether no count grows much faster than the input."""
        return self.calls[2] <= MOST_TIMES * self.calls[0] and self.peaks[2] <= MOST_TIMES * self.peaks[0]

    @property
    def linear(self) -> bool:
        """Whether nothing grows much faster than the input."""
        times = self.seconds[2] / self.seconds[0]
        return self.counts_linear and (times <= MOST_TIMES_AS_LONG or self.seconds[2] <= SHORT)

    def told(self) -> str:
        """Return the row as a line."""
        grown = (counted[2] / counted[0] for counted in (self.calls, self.peaks, self.seconds))
        calls, peak, time = grown
        return (
            f"{self.name:44} {self.sizes[2]:>9,}: calls x{calls:4.1f}, memory x{peak:4.1f}, time x{time:4.1f}, "
            f"at most {1_000 * self.seconds[2]:7.1f} ms and {self.peaks[2] / 1024:8,.0f} KiB"
            f"{'' if self.linear else '   TOO FAST'}"
        )


def rows(names: Mapping[str, tuple[int, Build]] | None = None) -> Iterator[Row]:
    """Yield what each of these kinds of hostile input costs, all by default."""
    house = House()
    for name, (size, build) in (HOSTILE if names is None else names).items():
        sizes = size // 4, size // 2, size
        events = [build(one) for one in sizes]
        house.feedback(events[0])  # models are built, and texts remembered, the first time
        yield Row(
            name,
            sizes,
            tuple(_calls(house, event) for event in events),
            tuple(_peak(house, event) for event in events),
            tuple(min(_seconds(house, event) for _ in range(REPEATS)) for event in events),
        )


def _calls(house: House, event: Event) -> int:
    house.clear()
    made = 0

    def count(_frame: object, kind: str, _argument: object) -> None:
        nonlocal made
        made += kind.endswith("call")

    sys.setprofile(count)
    house.feedback(event)
    sys.setprofile(None)
    return made


def _peak(house: House, event: Event) -> int:
    house.clear()
    tracemalloc.start()
    house.feedback(event)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def _seconds(house: House, event: Event) -> float:
    house.clear()
    gc.disable()
    seconds = house.feedback(event).seconds
    gc.enable()
    return seconds


def _message(document: Event) -> Event:
    return an_sqs_event(json.dumps(document))


def _with_mail(**fields: Any) -> Event:  # noqa: ANN401 (JSON)
    return _message(a_bounce(mail=a_mail(**fields)))


def _said(text: str) -> Event:
    return _message(a_bounce(recipients=[a_bounced_recipient(diagnosticCode=text, status=text, action=text)]))


def _addresses(text: str) -> Event:
    """Return a bounce of many recipients that all look like `text`, as parsing one is too quick to be timed."""
    return _message(a_bounce(recipients=[text] * 50))


def _deep(value: str) -> Event:
    return an_sqs_event(f'{{"eventType":"Bounce","mail":{{"tags":{value}}},"bounce":{{"bouncedRecipients":[]}}}}')


def _verbatim(field: str) -> Event:
    return an_sqs_event(json.dumps(a_bounce())[:-1] + f", {field}}}")


def _crowd(number: int) -> list[str]:
    return [f"recipient{one}@example.com" for one in range(number)]


def _storm(number: int, sub_type: str = "General") -> Event:
    bodies = [json.dumps(a_bounce("Transient", sub_type, at=on_day(day % 300))) for day in range(number)]
    return an_sqs_event(*bodies)


HOSTILE: Mapping[str, tuple[int, Build]] = {
    "a header of a megabyte": (1_000_000, lambda n: _with_mail(headers=[{"name": "X", "value": "x" * n}])),
    "a header's name of a megabyte": (1_000_000, lambda n: _with_mail(headers=[{"name": "X" * n, "value": "x"}])),
    "headers": (20_000, lambda n: _with_mail(headers=[{"name": "X", "value": "x"}] * n)),
    "tags": (40_000, lambda n: _with_mail(tags={f"tag{one}": ["value"] for one in range(n)})),
    "values of a tag": (100_000, lambda n: _with_mail(tags={"ses:configuration-set": ["name"] * n})),
    "a configuration set's name": (1_000_000, lambda n: _with_mail(configuration_set="x" * n)),
    "destinations": (20_000, lambda n: _message(a_send(destination=_crowd(n)))),
    "unknown fields": (40_000, lambda n: _message(a_bounce() | {f"unknown{one}": one for one in range(n)})),
    "the same field again and again": (40_000, lambda n: _verbatim(", ".join(['"mail": {}'] * n))),
    "bounced recipients": (1_000, lambda n: _message(a_bounce(recipients=_crowd(n)))),
    "complaining recipients": (1_000, lambda n: _message(a_complaint(recipients=_crowd(n)))),
    "recipients of a delivery": (1_000, lambda n: _message(a_delivery(recipients=_crowd(n)))),
    "the same recipient again and again": (1_000, lambda n: _message(a_bounce(recipients=[RECIPIENT] * n))),
    "more recipients than a message has": (20_000, lambda n: _message(a_bounce(recipients=_crowd(n)))),
    "recipients of the wrong type": (20_000, lambda n: _message(a_delivery() | {"delivery": {"recipients": [7] * n}})),
    "records of one contact": (800, _storm),
    "records of one contact that note": (800, lambda n: _storm(n, "MessageTooLarge")),
    "records that are poison": (800, lambda n: an_sqs_event(*["{"] * n)),
    "lists in lists": (400_000, lambda n: _deep("[" * n + "]" * n)),
    "lists in lists, not closed": (400_000, lambda n: _deep("[" * n)),
    "objects in objects": (160_000, lambda n: _deep('{"a":' * n + "1" + "}" * n)),
    "an envelope's message": (1_000_000, lambda n: _message(an_sns_envelope(" " * n + json.dumps(a_bounce())))),
    "blanks": (1_000_000, lambda n: an_sqs_event(" " * n)),
    "digits": (400_000, lambda n: _verbatim(f'"number": {"9" * n}')),
    "decimals": (400_000, lambda n: _verbatim(f'"number": 0.{"9" * n}')),
    "an exponent": (400_000, lambda n: _verbatim(f'"number": 1e{"9" * n}')),
    "escapes": (1_000_000, lambda n: _verbatim(f'"text": "{chr(92) * (n // 2 * 2)}"')),
    "surrogates": (600_000, lambda n: _verbatim('"text": "' + "\\ud83d\\ude00" * (n // 12) + '"')),
    "a NUL in a megabyte of poison": (1_000_000, lambda n: an_sqs_event("x" * n + "\0")),
    "a diagnostic code of blanks": (300_000, lambda n: _said(" " * n)),
    "a diagnostic code of line breaks": (300_000, lambda n: _said("550 5.1.1\r\n " * (n // 12))),
    "a diagnostic code of digits and points": (300_000, lambda n: _said("5.1." * (n // 4))),
    "a diagnostic code beyond ASCII": (300_000, lambda n: _said("\u00e9\U0001f600" * (n // 2))),
    "a timestamp of blanks": (1_000_000, lambda n: _message(a_bounce(timestamp=" " * n))),
    "a timestamp of colons": (64, lambda n: an_sqs_event(*[json.dumps(a_bounce(timestamp=": " * (n // 2)))] * 100)),
    "a timestamp of signs": (64, lambda n: an_sqs_event(*[json.dumps(a_bounce(timestamp=" +00" * (n // 4)))] * 100)),
    "a message id": (1_000_000, lambda n: _with_mail(messageId="x" * n)),
    "a type": (1_000_000, lambda n: _message(a_bounce("P" * n, "G" * n))),
    "an address of quotes": (2_000, lambda n: _addresses('"' * (n - 3) + "<>>")),
    "an address of escapes": (2_000, lambda n: _addresses("\\" * (n - 4) + '"<>>')),
    "an address of escaped quotes": (2_000, lambda n: _addresses('"' + '\\"' * (n // 2 - 9) + "<a@example.com>")),
    "an address of quoted pairs": (2_000, lambda n: _addresses('"\\a"' * (n // 4) + ">")),
    "an address of opening brackets": (2_000, lambda n: _addresses("<" * (n - 1) + ">")),
    "an address of quoted brackets": (2_000, lambda n: _addresses('"<"' * (n // 3 - 1) + ">>")),
    "an address of comments": (2_000, lambda n: _addresses("(a)" * (n // 3 - 1) + "!")),
    "an address of open comments": (2_000, lambda n: _addresses("(a" * (n // 2 - 1) + ")")),
    "an address of at signs": (2_000, lambda n: _addresses("@" * n)),
    "a domain of labels": (1_200, lambda n: _addresses("a@" + "a." * (n // 2 - 2) + "!")),
    "a domain of hyphens": (1_200, lambda n: _addresses("a@a" + "-" * (n - 4) + "!")),
    "a domain beyond ASCII": (1_200, lambda n: _addresses("a@" + "\u00fc." * (n // 2 - 2))),
}
"""What each kind of input is, the largest size it is tried at, and how it is made."""

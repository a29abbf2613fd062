"""Payloads, made from a seed: documents of SES's, damaged or not, in whatever brings them to Lambda."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from campaigns.fuzz.canaries import Planter, canary, canary_address
from campaigns.fuzz.mutations import damage, mutate, odd, write
from campaigns.fuzz.ses_documents import DETAIL_TYPES, Author
from ses_feedback.aws.quarantine import MAX_MESSAGE_BYTES
from tests.support.builders import an_sns_envelope

Json = Any

EVENTS = Path(__file__).resolve().parents[2] / "events"


@dataclass(frozen=True, slots=True)
class Payload:
    """What Lambda is handed at once. `shape` says in a few words what it was made as.

    `entry` is the record where it may share a Lambda event with others, None where `event` is no list of records.
    """

    shape: str
    event: Json
    entry: Json = None

    @property
    def from_queue(self) -> bool:
        """Whether it is a message that SQS could hand over: its answer names the records that must come again."""
        entry = self.entry
        return (
            isinstance(entry, dict)
            and entry.get("eventSource") == "aws:sqs"
            and isinstance(entry.get("body"), str)
            and isinstance(entry.get("messageId"), str)
            and entry["messageId"].isalnum()
        )


def make(seed: int) -> Payload:
    """Return the payload of this seed."""
    return Maker(Random(seed)).payload()  # noqa: S311 (repeatable chance, not secrecy)


class Maker:
    """Makes a payload."""

    def __init__(self, chance: Random) -> None:
        """Decide by `chance`."""
        self.chance = chance
        self.author = Author(chance, Planter())

    def payload(self) -> Payload:
        """Return a payload of any shape."""
        name, build = self.chance.choices(_SHAPES, cum_weights=_WEIGHTS)[0]
        return build(self, name)

    def document(self) -> tuple[str, Json]:
        """Return a document, sound or damaged as JSON, or one of events/, and which of these it is."""
        chance = self.chance
        roll = chance.random()
        if roll < 0.15:
            event = json.loads(chance.choice(_recorded()))
            for _ in range(chance.randrange(4)):
                mutate(chance, event)
            return "recorded", event
        document: Json = self.author.document()
        if roll < 0.45:
            return "sound", document
        for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 6))):
            mutate(chance, document)
        return "damaged", document

    def text(self) -> tuple[str, str]:
        """Return the text of a document, sound or damaged as text, and which."""
        how, document = self.document()
        text = write(self.chance, document)
        if self.chance.random() < 0.15:
            return "damaged text", damage(self.chance, text)
        return how, text

    def envelope(self, message: Json) -> Json:
        """Return the envelope of SNS around `message`, sometimes damaged."""
        fields = {"Subject": self.author.plant("Subject"), "Token": canary("Token")}
        held = {name: value for name, value in fields.items() if self.chance.random() < 0.3}
        return self._perhaps_damaged(an_sns_envelope(message, **held))

    def bus_event(self, detail: Json) -> Json:
        """Return the event of EventBridge around `detail`, sometimes damaged."""
        kind = detail.get("eventType") if isinstance(detail, dict) else None
        known = DETAIL_TYPES.get(kind, "Email Bounced") if isinstance(kind, str) else "Email Bounced"
        event = {
            "version": "0",
            "id": "11111111-2222-3333-4444-555555555555",
            "detail-type": self.chance.choice(
                (known, known, known, "Advisor Recommendation Status Open", "Email Eaten")
            ),
            "source": self.chance.choice(("aws.ses", "aws.ses", "aws.ses", canary("source"))),
            "account": "123456789012",
            "time": self.author.time(),
            "resources": [canary("resource")],
            "detail": detail,
        }
        return self._perhaps_damaged(event)

    def _perhaps_damaged(self, value: Json) -> Json:
        if self.chance.random() < 0.2:
            mutate(self.chance, value)
        return value

    def sqs_entry(self, body: Json) -> Json:
        """Return the record in which SQS hands `body` over."""
        number = self.chance.getrandbits(64)
        return {
            "messageId": f"{number:016x}",
            "receiptHandle": canary("receiptHandle"),
            "body": body,
            "attributes": {"SentTimestamp": "1772452800000", "SenderId": canary("SenderId")},
            "messageAttributes": {canary("attribute"): {"stringValue": canary("value")}},
            "eventSource": "aws:sqs",
        }

    def queued(self, name: str) -> Payload:
        """Return a message of a queue, raw or in one of the envelopes that AWS puts around it."""
        how, text = self.text()
        match name:
            case "SQS < SNS":
                text = write(self.chance, self.envelope(text))
            case "SQS < bus":
                text = write(self.chance, self.bus_event(_decoded(text)))
            case "SQS < SNS < bus":
                text = write(self.chance, self.envelope(write(self.chance, self.bus_event(_decoded(text)))))
            case "SQS < many":
                for _ in range(self.chance.choice((2, 7, 8, 9))):
                    wrapped = write(self.chance, self.envelope(text))
                    # Each envelope doubles what has to be escaped, and no queue carries gigabytes.
                    text = wrapped if len(wrapped) < MAX_MESSAGE_BYTES else text
        return _of_entry(f"{name}, {how}", self.sqs_entry(text))

    def notified(self, name: str) -> Payload:
        """Return a message as SNS hands it to Lambda, perhaps with EventBridge's event inside."""
        how, text = self.text()
        if name == "SNS < bus":
            text = write(self.chance, self.bus_event(_decoded(text)))
        entry = {"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": self.envelope(text)}
        return _of_entry(f"{name}, {how}", entry)

    def odd_entry(self, name: str) -> Payload:
        """Return a record nobody sends: damaged itself, or no record at all."""
        entry: Json = odd(self.chance)
        if self.chance.random() < 0.8:
            entry = self.sqs_entry(self.text()[1])
            if self.chance.random() < 0.3:
                entry["messageId"] = self.chance.choice(
                    (canary("messageId"), canary_address("id"), "", None, 7, "\x00")
                )
            for _ in range(self.chance.randrange(1, 4)):
                mutate(self.chance, entry)
        return _of_entry(name, _loaded(write(self.chance, entry)))

    def inbound(self, name: str) -> Payload:
        """Return inbound mail, as SES hands it to Lambda."""
        mail = self.author.document()["mail"]
        entry = {"eventSource": "aws:ses", "eventVersion": "1.0", "ses": {"mail": mail, "receipt": {}}}
        return _of_entry(name, self._perhaps_damaged(entry))

    def bus(self, name: str) -> Payload:
        """Return what EventBridge hands to Lambda."""
        how, document = self.document()
        return Payload(f"{name}, {how}", _loaded(write(self.chance, self.bus_event(document))))

    def direct(self, name: str) -> Payload:
        """Return what somebody invokes the function with: a document, its text, or anything."""
        how, text = self.text()
        event = self.chance.choice((_loaded(text), _loaded(text), text, _loaded(write(self.chance, odd(self.chance)))))
        return Payload(f"{name}, {how}", event)

    def odd_event(self, name: str) -> Payload:
        """Return a whole Lambda event that is damaged."""
        event: Json = {"Records": [self.sqs_entry(self.text()[1]) for _ in range(self.chance.choice((0, 1, 2)))]}
        for _ in range(self.chance.choice((1, 1, 3))):
            mutate(self.chance, event)
        return Payload(name, _loaded(write(self.chance, event)))


_BY_WEIGHT: Sequence[tuple[int, str, Callable[[Maker, str], Payload]]] = (
    (30, "SQS", Maker.queued),
    (12, "SQS < SNS", Maker.queued),
    (6, "SQS < bus", Maker.queued),
    (6, "SQS < SNS < bus", Maker.queued),
    (2, "SQS < many", Maker.queued),
    (8, "SNS", Maker.notified),
    (4, "SNS < bus", Maker.notified),
    (8, "odd record", Maker.odd_entry),
    (2, "inbound mail", Maker.inbound),
    (8, "bus", Maker.bus),
    (8, "direct", Maker.direct),
    (6, "odd event", Maker.odd_event),
)
_SHAPES = [(name, build) for _, name, build in _BY_WEIGHT]
_WEIGHTS = [sum(weight for weight, *_ in _BY_WEIGHT[: number + 1]) for number in range(len(_BY_WEIGHT))]


def _of_entry(shape: str, entry: Json) -> Payload:
    return Payload(shape, {"Records": [entry]}, entry)


def _decoded(text: str) -> Json:
    """Return what `text` says as JSON, or the text itself where it says nothing."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _loaded(text: str) -> Json:
    """Return the event as Lambda's runtime would have decoded it; where it could not, the text."""
    return _decoded(text)


@cache
def _recorded() -> Sequence[str]:
    """Return the documents of events/, wherever they are in what brings them, as JSON."""
    found = []
    for path in sorted(EVENTS.glob("*.json")):
        event = json.loads(path.read_text(encoding="utf-8"))
        found += [json.dumps(one) for one in _documents(event)]
    return found


def _documents(event: Json) -> list[Json]:
    if isinstance(event, dict) and isinstance(event.get("Records"), list):
        bodies = [entry.get("body", entry.get("Sns", entry)) for entry in event["Records"]]
        return [_decoded(body) if isinstance(body, str) else body for body in bodies]
    return [event]

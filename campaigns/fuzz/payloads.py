"""Payloads: whole Lambda events, generated from a seed. SES documents, changed or not, in every carrier."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from campaigns.fuzz.canaries import canary, canary_address
from campaigns.fuzz.mutations import damage, mutate, odd_value, write
from campaigns.fuzz.ses_documents import DETAIL_TYPES, DocumentGenerator
from ses_feedback.aws.quarantine import MAX_MESSAGE_BYTES
from tests.support.builders import an_sns_envelope

Json = Any

EVENTS = Path(__file__).resolve().parents[2] / "events"


@dataclass(frozen=True, slots=True)
class Payload:
    """One Lambda event. `shape` names its carrier and, after a comma, the condition of its document.

    `record` is the only record of the event, or None if the event is no list of records.
    """

    shape: str
    event: Json
    record: Json = None

    @property
    def is_sqs_message(self) -> bool:
        """True if SQS could deliver the record. The answer then names the records to deliver again.

        https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html shows a record.
        """
        record = self.record
        return (
            isinstance(record, dict)
            and record.get("eventSource") == "aws:sqs"
            and isinstance(record.get("body"), str)
            and isinstance(record.get("messageId"), str)
            and record["messageId"].isalnum()
            and isinstance(record.get("attributes"), dict)
            and str(record["attributes"].get("SentTimestamp")).isdecimal()
        )


def generate_payload(seed: int) -> Payload:
    """Return the payload of this seed."""
    return PayloadGenerator(Random(seed)).payload()  # noqa: S311 (repeatable, not secret)


class PayloadGenerator:
    """Generates one payload."""

    def __init__(self, rng: Random) -> None:
        """Decide by `rng`."""
        self.rng = rng
        self.ses = DocumentGenerator(rng)

    def payload(self) -> Payload:
        """Return a payload in any carrier."""
        name, build = self.rng.choices(_CARRIERS, cum_weights=_CUMULATIVE_WEIGHTS)[0]
        return build(self, name)

    def document(self) -> tuple[str, Json]:
        """Return a document and its condition: generated or from events/, unchanged or mutated."""
        rng = self.rng
        roll = rng.random()
        if roll < 0.15:
            document = json.loads(rng.choice(_recorded_documents()))
            for _ in range(rng.randrange(4)):
                mutate(rng, document)
            return "recorded", document
        document = self.ses.document()
        if roll < 0.45:
            return "valid", document
        for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 6))):
            mutate(rng, document)
        return "mutated", document

    def text(self) -> tuple[str, str]:
        """Return the text of a document, damaged or not, and its condition."""
        condition, document = self.document()
        text = write(self.rng, document)
        if self.rng.random() < 0.15:
            return "damaged text", damage(self.rng, text)
        return condition, text

    def sns_envelope(self, message: Json) -> Json:
        """Return the SNS envelope of a message, sometimes mutated."""
        fields = {"Subject": self.ses.canary("Subject"), "Token": canary("Token")}
        return self._sometimes_mutated(
            an_sns_envelope(message, **{name: value for name, value in fields.items() if self.rng.random() < 0.3})
        )

    def bus_event(self, detail: Json) -> Json:
        """Return the EventBridge event of a document, sometimes mutated."""
        kind = detail.get("eventType") if isinstance(detail, dict) else None
        known = DETAIL_TYPES.get(kind, "Email Bounced") if isinstance(kind, str) else "Email Bounced"
        event = {
            "version": "0",
            "id": "11111111-2222-3333-4444-555555555555",
            "detail-type": self.rng.choice((known, known, known, "Advisor Recommendation Status Open", "Email Eaten")),
            "source": self.rng.choice(("aws.ses", "aws.ses", "aws.ses", canary("source"))),
            "account": "123456789012",
            "time": self.ses.time(),
            "resources": [canary("resource")],
            "detail": detail,
        }
        return self._sometimes_mutated(event)

    def _sometimes_mutated(self, value: Json) -> Json:
        if self.rng.random() < 0.2:
            mutate(self.rng, value)
        return value

    def sqs_record(self, body: Json) -> Json:
        """Return the record of an SQS message."""
        number = self.rng.getrandbits(64)
        return {
            "messageId": f"{number:016x}",
            "receiptHandle": canary("receiptHandle"),
            "body": body,
            "attributes": {"SentTimestamp": "1772452800000", "SenderId": canary("SenderId")},
            "messageAttributes": {canary("attribute"): {"stringValue": canary("value")}},
            "eventSource": "aws:sqs",
        }

    def from_sqs(self, name: str) -> Payload:
        """Return an SQS message: a document, or a document in one or more envelopes of AWS."""
        condition, text = self.text()
        match name:
            case "SQS < SNS":
                text = write(self.rng, self.sns_envelope(text))
            case "SQS < bus":
                text = write(self.rng, self.bus_event(_parsed(text)))
            case "SQS < SNS < bus":
                text = write(self.rng, self.sns_envelope(write(self.rng, self.bus_event(_parsed(text)))))
            case "SQS < many":
                for _ in range(self.rng.choice((2, 7, 8, 9))):
                    wrapped = write(self.rng, self.sns_envelope(text))
                    # Each envelope doubles the number of escapes, and a queue accepts no larger message.
                    text = wrapped if len(wrapped) < MAX_MESSAGE_BYTES else text
        return _of_record(f"{name}, {condition}", self.sqs_record(text))

    def from_sns(self, name: str) -> Payload:
        """Return an SNS notification of a document or of an EventBridge event."""
        condition, text = self.text()
        if name == "SNS < bus":
            text = write(self.rng, self.bus_event(_parsed(text)))
        record = {"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": self.sns_envelope(text)}
        return _of_record(f"{name}, {condition}", record)

    def odd_record(self, name: str) -> Payload:
        """Return a record that no AWS service sends: a mutated one, or any JSON value."""
        record: Json = odd_value(self.rng)
        if self.rng.random() < 0.8:
            record = self.sqs_record(self.text()[1])
            if self.rng.random() < 0.3:
                ids = (canary("messageId"), canary_address("id"), "", None, 7, "\x00")
                record["messageId"] = self.rng.choice(ids)
            for _ in range(self.rng.randrange(1, 4)):
                mutate(self.rng, record)
        return _of_record(name, _parsed(write(self.rng, record)))

    def inbound_email(self, name: str) -> Payload:
        """Return inbound email, as a receipt rule of SES passes it to Lambda."""
        mail = self.ses.document()["mail"]
        record = {"eventSource": "aws:ses", "eventVersion": "1.0", "ses": {"mail": mail, "receipt": {}}}
        return _of_record(name, self._sometimes_mutated(record))

    def from_bus(self, name: str) -> Payload:
        """Return an EventBridge event."""
        condition, document = self.document()
        return Payload(f"{name}, {condition}", _parsed(write(self.rng, self.bus_event(document))))

    def direct(self, name: str) -> Payload:
        """Return a direct invocation: a document, its text, or any JSON value."""
        condition, text = self.text()
        events = (_parsed(text), _parsed(text), text, _parsed(write(self.rng, odd_value(self.rng))))
        return Payload(f"{name}, {condition}", self.rng.choice(events))

    def odd_event(self, name: str) -> Payload:
        """Return a mutated Lambda event."""
        event: Json = {"Records": [self.sqs_record(self.text()[1]) for _ in range(self.rng.choice((0, 1, 2)))]}
        for _ in range(self.rng.choice((1, 1, 3))):
            mutate(self.rng, event)
        return Payload(name, _parsed(write(self.rng, event)))


_BY_WEIGHT: Sequence[tuple[int, str, Callable[[PayloadGenerator, str], Payload]]] = (
    (30, "SQS", PayloadGenerator.from_sqs),
    (12, "SQS < SNS", PayloadGenerator.from_sqs),
    (6, "SQS < bus", PayloadGenerator.from_sqs),
    (6, "SQS < SNS < bus", PayloadGenerator.from_sqs),
    (2, "SQS < many", PayloadGenerator.from_sqs),
    (8, "SNS", PayloadGenerator.from_sns),
    (4, "SNS < bus", PayloadGenerator.from_sns),
    (8, "odd record", PayloadGenerator.odd_record),
    (2, "inbound email", PayloadGenerator.inbound_email),
    (8, "bus", PayloadGenerator.from_bus),
    (8, "direct", PayloadGenerator.direct),
    (6, "odd event", PayloadGenerator.odd_event),
)
_CARRIERS = [(name, build) for _, name, build in _BY_WEIGHT]
_CUMULATIVE_WEIGHTS = [sum(weight for weight, *_ in _BY_WEIGHT[: number + 1]) for number in range(len(_BY_WEIGHT))]


def _of_record(shape: str, record: Json) -> Payload:
    return Payload(shape, {"Records": [record]}, record)


def _parsed(text: str) -> Json:
    """Return the JSON value in `text`, as Lambda's runtime parses an event; the text itself if it is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


@cache
def _recorded_documents() -> Sequence[str]:
    """Return the documents in events/ as JSON, without their carriers."""
    events = (json.loads(path.read_text(encoding="utf-8")) for path in sorted(EVENTS.glob("*.json")))
    return [json.dumps(document) for event in events for document in _documents(event)]


def _documents(event: Json) -> list[Json]:
    if isinstance(event, dict) and isinstance(event.get("Records"), list):
        bodies = [record.get("body", record.get("Sns", record)) for record in event["Records"]]
        return [_parsed(body) if isinstance(body, str) else body for body in bodies]
    return [event]

"""Where the messages came from that were ignored or put in quarantine.

The functions only count the one and log a few of the other; people want to know which. So what was ignored is opened
once more, and what is in quarantine is compared with what went in.
"""

import base64
import gzip
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from localaws.in_process.embedded_aws import QuarantinedMessage
from ses_feedback.reading.envelope import EnvelopeError, Notice, open_record, read_records

NO_ROOM = "unknown: the message leaves no room for a reason"


@dataclass(frozen=True, slots=True)
class Finding:
    """A message that was not simply applied: where it came from, and why."""

    source: str
    why: str


def notices(done: Sequence[tuple[Any, str]]) -> Iterator[Finding]:
    """Find the records that are no feedback, and say what they are."""
    for record, (_, source) in zip(read_records({"Records": [raw for raw, _ in done]}), done, strict=True):
        try:
            opened = open_record(record)
        except EnvelopeError:
            continue
        if isinstance(opened, Notice):
            yield Finding(source, opened.what)


def kept(done: Sequence[tuple[Any, str]], messages: Iterable[QuarantinedMessage]) -> Iterator[Finding]:
    """Find where the messages in quarantine came from. Their own ids may be missing, or the same in several files."""
    sources: dict[str, list[str]] = {}
    for record, (_, source) in zip(read_records({"Records": [raw for raw, _ in done]}), done, strict=True):
        sources.setdefault(record.original(), []).append(source)
    for message in messages:
        named = sources.get(original(message))
        if named:
            yield Finding(named.pop(0), message.attributes.get("reason", NO_ROOM))


def original(message: QuarantinedMessage) -> str:
    """Return the text that was put in quarantine."""
    if message.attributes.get("encoding") != "gzip+base64":
        return message.body
    return gzip.decompress(base64.b64decode(message.body)).decode("utf-8", "surrogatepass")

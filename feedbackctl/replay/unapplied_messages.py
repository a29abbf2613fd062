"""Sources of ignored and quarantined messages.

The functions count ignored messages and log only some of the quarantined ones, but `feedbackctl replay` lists each with
its source. Therefore ignored messages are read again, and the quarantine queue is compared with the input.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from feedbackctl.replay.result import Finding
from feedbackctl.unpacking.json_values import MAX_VALUE_BYTES
from feedbackctl.unpacking.packed_text import unpack_text
from ses_feedback.reading.envelope import EnvelopeError, Notice, open_record, read_records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localaws.in_process.embedded_aws import QuarantinedMessage

NO_REASON = "unknown: the message leaves no room for a reason"


def find_ignored(processed: Sequence[tuple[Any, str]]) -> Iterator[Finding]:
    """Yield the records that are notices and not feedback; `processed` are records with their sources."""
    for record, (_, source) in zip(read_records({"Records": [raw for raw, _ in processed]}), processed, strict=True):
        try:
            content = open_record(record)
        except EnvelopeError:
            continue
        if isinstance(content, Notice):
            yield Finding(source, content.kind)


def find_quarantined(
    processed: Sequence[tuple[Any, str]], quarantined: "Iterable[QuarantinedMessage]"
) -> Iterator[Finding]:
    """Yield the source of each quarantined message.

    Messages are compared by text, because a record may have no id, or the id of a record in another file.
    """
    sources: dict[str, list[str]] = {}
    for record, (_, source) in zip(read_records({"Records": [raw for raw, _ in processed]}), processed, strict=True):
        sources.setdefault(record.original(), []).append(source)
    for message in quarantined:
        matching = sources.get(original_text(*message))
        if matching:
            yield Finding(matching.pop(0), message.attributes.get("reason", NO_REASON))


def original_text(body: str, attributes: Mapping[str, str]) -> str:
    """Return the text of a message before quarantine packed it."""
    text = unpack_text(body, attributes.get("encoding", ""), MAX_VALUE_BYTES)
    return body if text is None else text

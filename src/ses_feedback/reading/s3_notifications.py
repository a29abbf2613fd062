"""S3 event notifications, and the SES events in the objects that they name.

Data Firehose collects SES events in S3 objects, and S3 sends a notification of each object to the queue of the delivery
lane. SES ends each event with a newline, and Firehose adds no delimiter:
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-firehose-contents.html
"""

import re
from collections.abc import Iterator, Mapping
from json import JSONDecoder
from urllib.parse import unquote_plus

from pydantic_core import from_json

from ses_feedback.immutable import Struct
from ses_feedback.reading.envelope import Record

_SOURCE = "aws:s3"
_BOUNDARY = re.compile(r"}\s*{")
"""Boundary between two JSON objects of one line. Within one object, this text can only occur in a string."""
_NOT_BLANK = re.compile(r"\S")


class ObjectName(Struct, frozen=True):
    """The name of an S3 object."""

    bucket: str
    key: str


def parse_object_names(record: Record) -> tuple[ObjectName, ...]:
    """Return the objects that `record` names, or an empty tuple if `record` is not a valid S3 notification."""
    content = record.content
    if isinstance(content, str):
        content = _decoded(content) if _SOURCE in content else None
    if not isinstance(content, Mapping):
        return ()
    entries = content.get("Records", [content])
    names = [_object_name(entry) for entry in entries] if isinstance(entries, list) else []
    return tuple(name for name in names if name) if all(names) else ()


def split_messages(data: bytes) -> Iterator[str]:
    """Yield the messages in an object: each line that is not blank, or each JSON object of a line with several.

    Bytes that are not UTF-8 become lone surrogates, which are not valid JSON.
    """
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        line = data[start:end].decode("utf-8", "surrogateescape").strip()
        start = end + 1
        if line:
            yield from _json_objects(line) if _BOUNDARY.search(line) else (line,)


def _json_objects(line: str) -> Iterator[str]:
    """Yield the JSON objects of a line. If the rest of the line cannot be decoded, yield it as the last element."""
    decode, start = JSONDecoder().raw_decode, 0
    while start < len(line):
        try:
            _, end = decode(line, start)
        except (ValueError, RecursionError):  # not JSON, or nested too deeply
            end = len(line)
        yield line[start:end]
        next_object = _NOT_BLANK.search(line, end)
        start = next_object.start() if next_object else len(line)


def _decoded(text: str) -> object:
    try:
        return from_json(text)
    except (ValueError, TypeError):  # ValueError: not JSON, or nested too deeply. TypeError: a lone surrogate.
        return None


def _object_name(entry: object) -> ObjectName | None:
    # Keys are URL-encoded: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    match entry:
        case {"eventSource": "aws:s3", "s3": {"bucket": {"name": str(bucket)}, "object": {"key": str(key)}}}:
            return ObjectName(bucket, unquote_plus(key))
    return None

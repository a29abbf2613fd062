"""What S3 tells of in a message, and the messages that are in what it tells of.

Firehose gathers what SES publishes to it into objects, and S3 notifies the lane's queue of each. SES ends each of its
documents with a newline; Firehose puts nothing between two by itself.
"""

import re
from collections.abc import Iterator, Mapping
from json import JSONDecoder
from urllib.parse import unquote_plus

from pydantic_core import from_json

from ses_feedback.immutable import Struct
from ses_feedback.reading.envelope import Record

_SOURCE = "aws:s3"
_BETWEEN = re.compile(r"}\s*{")
"""What is between two documents of one line. In a document by itself it can only be inside a text."""
_BEGINNING = re.compile(r"\S")


class ObjectName(Struct, frozen=True):
    """An object in S3."""

    bucket: str
    key: str


def parse_object_names(record: Record) -> tuple[ObjectName, ...]:
    """Return the objects that S3 tells of in `record`; none when it is no notification of S3's, or no sound one."""
    content = record.content
    if isinstance(content, str):
        content = _decoded(content) if _SOURCE in content else None
    if not isinstance(content, Mapping):
        return ()
    held = content.get("Records", [content])
    found = [_named(one) for one in held] if isinstance(held, list) else []
    return tuple(one for one in found if one) if all(found) else ()


def split_messages(data: bytes) -> Iterator[str]:
    """Yield the messages in an object: its lines, and where a line holds several documents, each of them.

    Blank lines are none. Bytes that are no UTF-8 come as lone surrogates, which no JSON has.
    """
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        line = data[start:end].decode("utf-8", "surrogateescape").strip()
        start = end + 1
        if line:
            yield from _documents(line) if _BETWEEN.search(line) else (line,)


def _documents(line: str) -> Iterator[str]:
    """Yield the documents of a line that holds several; what can't be told apart comes in one piece, as the last."""
    decode, start = JSONDecoder().raw_decode, 0
    while start < len(line):
        try:
            _, end = decode(line, start)
        except (ValueError, RecursionError):  # not JSON, nested too deep
            end = len(line)
        yield line[start:end]
        begins = _BEGINNING.search(line, end)
        start = begins.start() if begins else len(line)


def _decoded(text: str) -> object:
    try:
        return from_json(text)
    except (ValueError, TypeError):  # not JSON, nested too deep; a lone surrogate
        return None


def _named(one: object) -> ObjectName | None:
    match one:
        case {"eventSource": "aws:s3", "s3": {"bucket": {"name": str(bucket)}, "object": {"key": str(key)}}}:
            return ObjectName(bucket, unquote_plus(key))
    return None

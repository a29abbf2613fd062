"""Read messages from files: Lambda events, SNS messages, SES notifications, plain text, or NDJSON of any of them.

A JSON object with `Records`, or the sweep's event, is a Lambda event. All other text is a queue message. It stays
unchanged, even if the functions cannot read it.
"""

import json
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from ses_feedback.aws.events import SOURCE
from ses_feedback.reading.s3_notifications import split_messages

NOT_MESSAGES = frozenset({".md", ".toml"})
"""Suffixes of files in a folder that describe the messages beside them."""

MAX_EVENT_BYTES = 64 * 1_048_576
"""No Lambda event, SQS message or EventBridge event is this long, so a longer file is NDJSON."""


class MessageFileError(Exception):
    """A file or folder has no messages, or cannot be read. The message names it."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message: its source (file, line, document), and a Lambda event or the text of a queue message.

    `size` is the number of bytes in the file.
    """

    source: str
    content: str | dict[str, Any]
    size: int


def find_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files in `paths` and in their folders, sorted by folder, without hidden files and documents.

    Raises:
        MessageFileError: a path does not exist, or a folder has no messages.

    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise MessageFileError(f"{path} does not exist")
        selected = sorted(_files_below(path)) if path.is_dir() else [path]
        if not selected:
            raise MessageFileError(f"the folder {path} has no messages (hidden files and documents do not count)")
        files += selected
    return files


def read_messages(files: Iterable[Path]) -> Iterator[Message]:
    """Yield the messages in `files`, one line of NDJSON at a time.

    Raises:
        MessageFileError: a file cannot be read.

    """
    for file in files:
        try:
            with file.open("rb") as stream:
                yield from _messages(str(file), stream)
        except OSError as error:
            raise MessageFileError(f"{file} cannot be read: {error.strerror}") from None


def _files_below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden and path.suffix.lower() not in NOT_MESSAGES:
            yield path


def _messages(name: str, stream: BinaryIO) -> Iterator[Message]:
    """Yield one message per line if the file is NDJSON, or the whole file as one message.

    The file is NDJSON if its first line is a JSON object, or if another line is one and the whole file is not JSON. The
    second condition finds files whose first line is malformed.
    """
    first = stream.readline()
    if _is_object(first):
        yield from _ndjson(name, chain([first], stream))
        return
    whole = first + stream.read(MAX_EVENT_BYTES)
    rest = stream.readline()
    if rest or (not _is_json(whole) and any(map(_is_object, whole.splitlines()))):
        lines = _numbered(chain((whole + rest).splitlines(keepends=True), stream))
        yield from _messages_of_lines(name, lines)
    else:
        yield _message(name, whole)


def _ndjson(name: str, lines: Iterable[bytes]) -> Iterator[Message]:
    """Yield the messages of a file whose first line is a JSON object. A single line is named by its file alone."""
    numbered = _numbered(lines)
    first, second = next(numbered), next(numbered, None)
    if second is None:
        yield from _documents_of_line(name, first[1])
    else:
        yield from _messages_of_lines(name, chain([first, second], numbered))


def _numbered(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    return ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


def _messages_of_lines(name: str, lines: Iterable[tuple[int, bytes]]) -> Iterator[Message]:
    for number, line in lines:
        yield from _documents_of_line(f"{name}:{number}", line)


def _documents_of_line(source: str, line: bytes) -> Iterator[Message]:
    """Yield the messages in a line: the line itself, or each of several JSON documents without a separator.

    Firehose writes documents without a separator: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-firehose-contents.html
    """
    documents = _documents(line)
    # A line of Unicode spaces has no document.
    if len(documents) <= 1:
        yield _message(source, line)
        return
    rest = len(line)
    for number, document in enumerate(documents, start=1):
        size = rest if number == len(documents) else len(document)
        rest -= size
        yield replace(_message(f"{source} document {number}", document), size=size)


def _documents(line: bytes) -> list[bytes]:
    documents = split_messages(line.removeprefix(BOM_UTF8))
    return [document.encode("utf-8", "surrogateescape") for document in documents]


def _message(source: str, content: bytes) -> Message:
    # Bytes that are not UTF-8 become lone surrogates. Queues do not carry these, but quarantine keeps them.
    text = content.decode("utf-8", "surrogateescape")
    event = _decode(text.removeprefix("\ufeff")) if '"Records"' in text or SOURCE in text else None
    if isinstance(event, dict) and (isinstance(event.get("Records"), list) or event.get("source") == SOURCE):
        return Message(source, event, len(content))
    return Message(source, text, len(content))


def _is_object(line: bytes) -> bool:
    """Return True if a line is a JSON object or starts with one."""
    if not line.removeprefix(BOM_UTF8).lstrip().startswith(b"{"):
        return False
    return isinstance(_decode(line), dict) or isinstance(_decode(_documents(line)[0]), dict)


def _is_json(content: bytes) -> bool:
    return _decode(content) is not None


def _decode(content: str | bytes) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None

"""Read messages from files: Lambda events, SNS messages, SES notifications, plain text, or NDJSON of any of them.

What was meant as an event for Lambda (it has `Records`, or is the sweep's) is one. Everything else is what a queue
could have carried, so its text is taken as it is, whether anybody can make sense of it or not: that is for the
functions to say.
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
"""In a folder, files that tell about the messages beside them."""

MAX_EVENT_BYTES = 64 * 1_048_576
"""More than Lambda, SQS or EventBridge ever carried: a longer file is NDJSON."""


class SourceError(Exception):
    """There is nothing to read. The message says where."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message and where it came from: `content` is an event for Lambda, or the text of a queue's message.

    `size` is in bytes of the file it came from.
    """

    source: str
    content: str | dict[str, Any]
    size: int


def find_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files among and below `paths`; those in a folder in order, without hidden ones and documents.

    Raises:
        SourceError: a path is not there, or a folder holds no messages.

    """
    files: list[Path] = []
    for path in paths:
        found = sorted(_messages_below(path)) if path.is_dir() else [path]
        if not found:
            raise SourceError(f"the folder {path} holds no messages (hidden files and documents don't count)")
        if not path.exists():
            raise SourceError(f"there is no {path}")
        files += found
    return files


def read(files: Iterable[Path]) -> Iterator[Message]:
    """Yield the messages in `files`, one line of NDJSON at a time.

    Raises:
        SourceError: a file can't be read.

    """
    for file in files:
        try:
            with file.open("rb") as stream:
                yield from _messages(str(file), stream)
        except OSError as error:
            raise SourceError(f"{file} can't be read: {error.strerror}") from None


def _messages_below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden and path.suffix.lower() not in NOT_MESSAGES:
            yield path


def _messages(name: str, stream: BinaryIO) -> Iterator[Message]:
    """Yield one message, or one for each line when the lines are JSON objects by themselves, and each object of a line.

    The first line tells, unless it is broken: then any line that is one does, if the file as a whole is not JSON.
    """
    first = stream.readline()
    if _is_object(first):
        lines = _numbered(chain([first], stream))
        one, another = next(lines), next(lines, None)
        if another is None:
            yield from _told_apart(name, one[1])
            return
        yield from _one_a_line(name, chain([one, another], lines))
        return
    whole = first + stream.read(MAX_EVENT_BYTES)
    rest = stream.readline()
    if rest or (not _is_json(whole) and any(map(_is_object, whole.splitlines()))):
        lines = _numbered(chain((whole + rest).splitlines(keepends=True), stream))
        yield from _one_a_line(name, lines)
    else:
        yield _message(name, whole)


def _numbered(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    return ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


def _one_a_line(name: str, lines: Iterable[tuple[int, bytes]]) -> Iterator[Message]:
    for number, line in lines:
        yield from _told_apart(f"{name}:{number}", line)


def _told_apart(source: str, line: bytes) -> Iterator[Message]:
    """Yield the messages in a line: one, or each of the documents that nothing separates, as Firehose has them."""
    documents = _documents(line)
    if len(documents) <= 1:  # none, of what is blank to Unicode alone
        yield _message(source, line)
        return
    rest = len(line)
    for number, document in enumerate(documents, start=1):
        size = rest if number == len(documents) else len(document)
        rest -= size
        yield replace(_message(f"{source} document {number}", document), size=size)


def _documents(line: bytes) -> list[bytes]:
    found = split_messages(line.removeprefix(BOM_UTF8))
    return [document.encode("utf-8", "surrogateescape") for document in found]


def _message(source: str, content: bytes) -> Message:
    # Bytes that are not UTF-8 stay what they are, as lone surrogates: no queue could carry them, quarantine keeps them.
    text = content.decode("utf-8", "surrogateescape")
    event = _decoded(text.removeprefix("\ufeff")) if '"Records"' in text or SOURCE in text else None
    if isinstance(event, dict) and (isinstance(event.get("Records"), list) or event.get("source") == SOURCE):
        return Message(source, event, len(content))
    return Message(source, text, len(content))


def _is_object(line: bytes) -> bool:
    """Say whether a line is an object, or begins with one and goes on with another."""
    if not line.removeprefix(BOM_UTF8).lstrip().startswith(b"{"):
        return False
    return isinstance(_decoded(line), dict) or isinstance(_decoded(_documents(line)[0]), dict)


def _is_json(content: bytes) -> bool:
    return _decoded(content) is not None


def _decoded(content: str | bytes) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None

"""Read messages from files, in every form in which AWS, its tools and other programs store them.

A file has one value or many: NDJSON, concatenated JSON, or an array; as UTF-8, UTF-16 or UTF-32, compressed by gzip or
not. Containers are opened (`feedbackctl.unpacking.containers`), so that each message inside counts by itself. All other
text is a queue message. It stays unchanged, even if the functions cannot read it.
"""

import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from feedbackctl.unpacking.containers import unpack
from feedbackctl.unpacking.file_bytes import DamagedFileError, is_plain, open_utf8
from feedbackctl.unpacking.json_values import JsonValue, split_values

NOT_MESSAGES = frozenset({".md", ".toml"})
"""Suffixes of files in a folder that describe the messages beside them."""

_STANDARD_INPUT, _SPOOLED = Path("-"), "standard input of feedbackctl"
"""The argument for standard input, and the name of the temporary file with its content."""


class MessageFileError(Exception):
    """A file cannot be read. The message names it."""


class MissingMessagesError(MessageFileError):
    """A path does not exist, or a folder has no messages. The message names it."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message: its source (file, line, record), and what it is.

    `content` is the text of a queue message, a record of a Lambda event, or a whole Lambda event. `size` is the number
    of bytes that it takes in the file.
    """

    source: str
    content: str | dict[str, Any]
    size: int


@contextmanager
def spooled_input(paths: Iterable[Path]) -> Iterator[list[Path]]:
    """Yield the paths. Standard input, which is `-`, is a temporary file, because a replay reads each file twice."""
    with ExitStack() as files:
        yield [_spool(files) if path == _STANDARD_INPUT else path for path in paths]


def _spool(files: ExitStack) -> Path:
    path = Path(files.enter_context(TemporaryDirectory())) / _SPOOLED
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return path


def find_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files in `paths` and in their folders, sorted by folder, without hidden files and documents.

    Raises:
        MissingMessagesError: a path does not exist, or a folder has no messages.

    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise MissingMessagesError(f"{path} does not exist")
        selected = sorted(_files_below(path)) if path.is_dir() else [path]
        if not selected:
            raise MissingMessagesError(f"the folder {path} has no messages (hidden files and documents do not count)")
        files += selected
    return files


def read_messages(files: Iterable[Path]) -> Iterator[Message]:
    """Yield the messages in `files`, one at a time.

    Raises:
        MessageFileError: a file cannot be read.

    """
    for file in files:
        try:
            with file.open("rb") as stream:
                yield from _messages("-" if file.name == _SPOOLED else str(file), open_utf8(stream))
        except DamagedFileError as error:
            raise MessageFileError(f"{file}: {error.strerror}. Copy or create the file again") from None
        except OSError as error:
            raise MessageFileError(f"{file} cannot be read: {error.strerror}") from None


def total_size(files: Iterable[Path]) -> int | None:
    """Return the sum of the sizes of all messages, or None if only reading them would tell."""
    total = 0
    with suppress(OSError):  # reading reports it
        for file in files:
            with file.open("rb") as stream:
                if not is_plain(stream):
                    return None
            total += file.stat().st_size
    return total


def _files_below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden and path.suffix.lower() not in NOT_MESSAGES:
            yield path


def _messages(name: str, stream: BinaryIO) -> Iterator[Message]:
    names = _Names(name)
    for value, after in pairwise(chain(split_values(stream), [None])):
        if value is not None:
            yield from _messages_in(names.name(value, after), value)


class _Names:
    """Names of the values in a file: file, line, document if a line has several, and record.

    A value that is alone in its file is named by the file, and so is an array at the beginning of the file.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._before: JsonValue | None = None
        self._is_in_first = True
        self._document = 0

    def name(self, value: JsonValue, after: JsonValue | None) -> str:
        """Return the name of a value that is followed by `after`. Call it once for each value, in order."""
        before, self._before = self._before, value
        continues = before is not None and value.number > 1
        self._is_in_first &= before is None or continues
        if value.number:
            place = self._file if self._is_in_first else f"{self._file}:{value.line}"
            return f"{place} record {value.number}"
        if before is None and after is None:
            return self._file
        follows = before is not None and before.line == value.line
        self._document = self._document + 1 if follows else 1
        has_several = follows or (after is not None and after.line == value.line)
        return f"{self._file}:{value.line}" + (f" document {self._document}" if has_several else "")


def _messages_in(source: str, value: JsonValue) -> Iterator[Message]:
    """Yield the messages inside a value. Its size is that of the last one."""
    # Bytes that are not UTF-8 become lone surrogates. Queues do not carry these, but quarantine keeps them.
    text = value.text.decode("utf-8", "surrogateescape")
    whole = f'{{"{value.array}": [{text}]}}' if value.array else text
    found = [inner._replace(content=text) if inner.content == whole else inner for inner in unpack(whole)]
    for number, inner in enumerate(found, 1):
        records = "".join(f" record {one}" for one in inner.numbers)
        yield Message(f"{source}{records}", inner.content, value.size if number == len(found) else 0)

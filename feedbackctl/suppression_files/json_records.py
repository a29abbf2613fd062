"""Records of a JSON file of any length: arrays, objects one after the other, and the pages that services return.

A page is an object with the records in one of its fields, as in `{"Suppressions": [{…}, …]}`. Only one record is in
memory at a time, so a page may be the whole list.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, TextIO

from feedbackctl.suppression_files.model import BadLine, Record, normalize_name

MAX_RECORD = 1 << 20
"""Characters of the longest record."""
_CHUNK = 1 << 16
_MOST_DEPTH = 8
"""Arrays and pages inside each other."""
PAGES = (
    "Suppressions",
    "SuppressedDestinationSummaries",
    "SuppressedDestination",
    "contacts",
    "items",
    "data",
    "results",
)
"""Fields of a page with the records. The formats' modules cite the pages that document them."""
_SCALAR = r'\s*"[^"\\]{0,100}"\s*:\s*(?:"[^"\\]{0,2000}"|[-+.\w]{1,40})\s*,'
_PAGE = re.compile(r"\{(?:" + _SCALAR + r"){0,100}\s*\"(?:" + "|".join(PAGES) + r")\"\s*:\s*[\[{]")
_SPACE = re.compile(r"[\s,]*")
_COLON = re.compile(r"\s*:")
_decode = json.JSONDecoder(strict=False).raw_decode


def read_json_records(stream: TextIO) -> Iterator[Record | BadLine]:
    """Yield the records in a stream of JSON; a line that cannot be read does not hide those after it."""
    return _JsonReader(stream).read()


class _MalformedError(Exception):
    """The value at the position is not JSON."""


class _JsonReader:
    """One pass through a stream: `_at` is the position in `_buffer`, `_line` the number of the line at it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._buffer = ""
        self._at = 0
        self._line = 1

    def read(self) -> Iterator[Record | BadLine]:
        while self._next_character():
            yield from self._read_value(0)

    def _read_value(self, depth: int) -> Iterator[Record | BadLine]:
        line = self._line
        try:
            if depth < _MOST_DEPTH and self._next_character() == "[":
                yield from self._read_array(depth)
            elif depth < _MOST_DEPTH and self._is_page():
                yield from self._read_page(depth)
            else:
                yield _record(line, self._take())
        except _MalformedError:
            yield BadLine(self._line, "this is not JSON")
            self._skip_line()

    def _read_array(self, depth: int) -> Iterator[Record | BadLine]:
        self._advance(self._at + 1)
        while (character := self._next_character()) != "]":
            if not character:
                yield BadLine(self._line, "the file ends in the middle of an array")
                return
            yield from self._read_value(depth + 1)
        self._advance(self._at + 1)

    def _read_page(self, depth: int) -> Iterator[Record | BadLine]:
        self._advance(self._at + 1)
        while (character := self._next_character()) != "}":
            if not character:
                yield BadLine(self._line, "the file ends in the middle of a page")
                return
            name = self._take()
            colon = _COLON.match(self._buffer, self._at)
            if not isinstance(name, str) or colon is None:
                raise _MalformedError
            self._advance(colon.end())
            if name in PAGES and self._next_character() in {"[", "{"}:
                yield from self._read_value(depth + 1)
            else:
                self._next_character()
                self._take()
        self._advance(self._at + 1)

    def _is_page(self) -> bool:
        if len(self._buffer) - self._at < _CHUNK // 4:
            self._fill()
        return _PAGE.match(self._buffer, self._at) is not None

    def _take(self) -> Any:  # noqa: ANN401 (any JSON)
        """Return the value at the position, and move behind it.

        Raises:
            _MalformedError: it is not JSON, or longer than `MAX_RECORD`.

        """
        while True:
            try:
                value, end = _decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                # An unterminated string has the position of its beginning.
                may_continue = error.pos >= len(self._buffer) - 16 or error.msg.startswith("Unterminated")
                if not may_continue or len(self._buffer) - self._at > MAX_RECORD or not self._fill():
                    raise _MalformedError from None
            except (RecursionError, ValueError):  # too deep, or a number with too many digits
                raise _MalformedError from None
            else:
                # A number may continue in the next chunk.
                if end < len(self._buffer) or not self._fill():
                    self._advance(end)
                    return value

    def _next_character(self) -> str:
        """Move behind white space and commas, and return the next character, or an empty text at the end."""
        while True:
            found = _SPACE.match(self._buffer, self._at)
            self._advance(found.end() if found else self._at)
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._fill():
                return ""

    def _skip_line(self) -> None:
        while (end := self._buffer.find("\n", self._at)) < 0:
            self._advance(len(self._buffer))
            if not self._fill():
                return
        self._advance(end + 1)

    def _advance(self, position: int) -> None:
        self._line += self._buffer.count("\n", self._at, position)
        self._at = position

    def _fill(self) -> bool:
        """Drop what is behind the position, and read as much again. Return False at the end of the stream."""
        kept = self._buffer[self._at :]
        data = self._stream.read(max(_CHUNK, len(kept)))
        self._buffer, self._at = kept + data, 0
        return bool(data)


def _record(line: int, value: object) -> Record | BadLine:
    if isinstance(value, str):
        # SendGrid returns the addresses of a group as bare texts.
        return Record(line, {"email": value})
    if not isinstance(value, dict):
        return BadLine(line, "this is not a JSON object")
    return Record(line, dict(_flatten(value)))


def _flatten(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the fields of an object, and those of objects in it as `reasoncode` for `{"reason": {"code": …}}`."""
    for name, field in value.items():
        match field:
            case None:
                continue
            case dict():
                yield from ((normalize_name(name + inner), _text(one)) for inner, one in field.items())
            case _:
                yield normalize_name(name), _text(field)


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case list():
            return ",".join(map(_text, value[:64]))
        case _:
            return str(value)

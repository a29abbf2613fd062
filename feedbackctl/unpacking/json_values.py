"""The values in a stream of JSON: NDJSON, concatenated values, arrays, or text that is none of these.

A value is found by its brackets, without decoding it, so a stream of any length takes bounded memory. A malformed value
does not hide those after it.

The elements of an array are values of their own. So are those of `{"Messages": […]}` and `{"Records": […]}`.
"""

import re
from collections.abc import Iterator
from enum import IntEnum
from typing import BinaryIO, NamedTuple

MAX_VALUE_BYTES = 16 * 1_048_576
"""Longest value. A Lambda event has at most 6 MB, a queue message 1 MiB, which JSON may write six times as long:
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
KEPT_BYTES = 1_048_576
"""Bytes that are kept of a longer value. AWS carries no longer message, so it is malformed anyway."""
_CHUNK = 1 << 18
_BEGINNING = 64
"""Bytes that decide how a value is read."""

# A JSON string contains no line break (https://www.rfc-editor.org/rfc/rfc8259#section-7), so a missing quotation mark
# is found at the end of its line. Each repetition of a group costs memory, so groups have a maximum.
_MOST_ESCAPES, _MOST_STRINGS = 1_000, 100
_STRING_PART = rb'[^"\\\r\n]*(?:\\[^\r\n][^"\\\r\n]*){0,%d}' % _MOST_ESCAPES
_STRING = rb'"%b"' % _STRING_PART
_PART_OF_STRING = re.compile(_STRING_PART)
_NO_BRACKET = re.compile(rb'[^"{}\[\]]*(?:%b[^"{}\[\]]*){0,%d}' % (_STRING, _MOST_STRINGS))
_ARRAY = re.compile(rb'\[\s*(?:[{"\[]|(?:true|false|null|-?[0-9][0-9.eE+-]*)\s*[,\]])')
_EMPTY_ARRAY = re.compile(rb"\[\s*\]")
_CONTAINER = re.compile(rb'\{\s*"(Messages|Records)"\s*:\s*\[\s*(?![\s\]])')
_FIRST_KEY = re.compile(rb"\{\s*" + _STRING)
_BETWEEN = re.compile(rb"[\s,]*")
_LINE = re.compile(rb"[^\n]*")
_SCALAR = re.compile(rb"[^,\]\r\n]*")
_NEXT_VALUE = re.compile(rb"\n(?=[{\[])")
_LINE_WITH_VALUE = re.compile(rb'^[ \t]*[{\["]', re.MULTILINE)
_BEFORE_OBJECT = b"[,:"
"""Characters after which JSON allows an object inside another value."""
_NEWLINE, _OPEN_BRACE, _OPENING = ord("\n"), ord("{"), b"{["


class JsonValue(NamedTuple):
    """A value: the line at which it or its array begins, its text, and the bytes up to its end since the last one.

    `number` is its number in an array, or 0. `array` is `Messages` or `Records` if it is an element of such an array.
    """

    line: int
    text: bytes
    size: int
    number: int = 0
    array: str = ""


def split_values(stream: BinaryIO) -> Iterator[JsonValue]:
    """Yield the values in a stream of UTF-8, and each line between them that is none.

    A stream without a value is one text, unless it is longer than `MAX_VALUE_BYTES`.
    """
    return _Splitter(stream).split()


class _NoEnd(IntEnum):
    """Why a value has no end."""

    MALFORMED = -1
    TOO_LONG = -2


class _Splitter:
    """One pass through a stream: `_at` is the position in `_buffer`, `_line` the number of the line at it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._buffer = b""
        self._at = 0
        self._line = 1
        self._unreported = 0
        self._values_are_lines = False
        """True after a value without an end. Without it, many such values would each be searched to the end."""

    def split(self) -> Iterator[JsonValue]:
        if self._is_plain_text():
            yield self._take(len(self._buffer), self._line)
            return
        while self._skip(_BETWEEN):
            container = _CONTAINER.match(self._buffer, self._at)
            if container:
                yield from self._elements(container.end(), container[1].decode())
            elif _ARRAY.match(self._buffer, self._at):
                yield from self._elements(self._at + 1, "")
            else:
                yield self._take(self._end_of_value(), self._line)

    def _is_plain_text(self) -> bool:
        """Return True if the stream has no value. Then all of it is in the buffer."""
        while self._may_read():
            if _LINE_WITH_VALUE.match(self._buffer.lstrip()):
                return False
        return len(self._buffer) < MAX_VALUE_BYTES and not _LINE_WITH_VALUE.search(self._buffer)

    def _elements(self, start: int, array: str) -> Iterator[JsonValue]:
        """Yield the elements of an array whose first begins at `start` or later."""
        line, number = self._line, 0
        self._advance(start)
        while self._skip(_BETWEEN):
            if self._buffer[self._at] == ord("]"):
                self._advance(self._at + 1)
                if array:
                    self._skip_rest_of_object()
                return
            number += 1
            element = self._take(self._end_of_element(), line)._replace(number=number, array=array)
            is_only = number == 1 and self._skip(_BETWEEN) and self._buffer[self._at] == ord("]")
            yield element._replace(number=0) if array and is_only else element

    def _skip_rest_of_object(self) -> None:
        end = self._find_end(depth=1)
        if end > 0:
            self._advance(end)

    def _end_of_value(self) -> int:
        """Return the end of the value at the position, or of the line if it is no value."""
        if self._buffer[self._at] == ord("[") and not _EMPTY_ARRAY.match(self._buffer, self._at):
            return self._end_of(_LINE)
        end = self._find_end_of_any()
        if end is _NoEnd.TOO_LONG:
            self._values_are_lines = True
        return end if end > 0 else self._end_of_malformed()

    def _end_of_element(self) -> int:
        """Return the end of the element at the position. A malformed one ends before one with the same first key."""
        if self._buffer[self._at] not in b'{["':
            return self._end_of(_SCALAR)
        end = self._find_end_of_any()
        if end > 0:
            return end
        key = _FIRST_KEY.match(self._buffer, self._at)
        if key:
            pattern = re.compile(rb",\s*" + re.escape(key[0]))
            del key
            while not (found := pattern.search(self._buffer, self._at)) and self._may_read():
                pass
            if found:
                return found.start()
        return self._end_of_malformed()

    def _find_end_of_any(self) -> int:
        if self._buffer[self._at] != ord('"'):
            return self._find_end() if self._buffer[self._at] in _OPENING else _NoEnd.MALFORMED
        while (end := self._end_of_string(self._at)) < 0:
            if self._buffer.find(b"\n", self._at) >= 0 or not self._may_read():
                return _NoEnd.MALFORMED
        return end

    def _end_of_string(self, start: int) -> int:
        """Return the position after the string that begins at `start`, or -1 if the buffer or its line ends before."""
        end, at = start + 1, start
        while end > at and self._buffer[end : end + 1] != b'"':
            part = _PART_OF_STRING.match(self._buffer, at := end)
            end = part.end() if part else at
        return end + 1 if self._buffer[end : end + 1] == b'"' else -1

    def _find_end(self, depth: int = 0) -> int:
        """Return the position after the bracket that closes `depth` brackets and all that are opened from here."""
        offset = 0
        while True:
            bracket = self._next_bracket(offset)
            if bracket < 0:
                return bracket
            character = self._buffer[bracket]
            if character == _OPEN_BRACE and self._is_misplaced(bracket):
                return _NoEnd.MALFORMED
            depth += 1 if character in _OPENING else -1
            offset = bracket + 1 - self._at
            if depth <= 0:
                return bracket + 1

    def _next_bracket(self, offset: int) -> int:
        """Return the position of the next bracket outside of strings, `offset` bytes from the position or later."""
        while True:
            match = _NO_BRACKET.match(self._buffer, self._at + offset)
            end = match.end() if match else len(self._buffer)
            if self._values_are_lines and self._buffer.find(b"\n", self._at + offset, end) >= 0:
                return _NoEnd.MALFORMED
            offset = end - self._at
            if self._buffer[end : end + 1] == b'"':
                string_end = self._end_of_string(end)
                if string_end > 0:
                    offset = string_end - self._at
                    continue
                if self._buffer.find(b"\n", end) >= 0:
                    return _NoEnd.MALFORMED
            elif end < len(self._buffer):
                return end
            if not self._may_read():
                return _NoEnd.TOO_LONG if len(self._buffer) - self._at >= MAX_VALUE_BYTES else _NoEnd.MALFORMED

    def _is_misplaced(self, brace: int) -> bool:
        """Return True if an object begins a line although none may begin there: the value before it is cut off."""
        if brace == self._at or self._buffer[brace - 1] != _NEWLINE:
            return False
        before = brace - 1
        while before > self._at and self._buffer[before] in b" \t\r\n":
            before -= 1
        return self._buffer[before] not in _BEFORE_OBJECT

    def _end_of_malformed(self) -> int:
        """Return the end of the line; if it is a bracket only, the end of the last line before one with a bracket."""
        end = self._end_of(_LINE)
        if self._buffer[self._at : end].strip() not in (b"{", b"["):
            return end
        length = end - self._at
        while not (found := _NEXT_VALUE.search(self._buffer, self._at + length)) and self._may_read():
            pass
        return found.start() if found else len(self._buffer)

    def _end_of(self, pattern: re.Pattern[bytes]) -> int:
        """Return the end of the pattern's match at the position, in the buffer as it is read now."""
        while True:
            match = pattern.match(self._buffer, self._at)
            end = match.end() if match else self._at
            if end < len(self._buffer) or not self._may_read():
                return end

    def _skip(self, pattern: re.Pattern[bytes]) -> bool:
        """Move behind what matches the pattern, and return False at the end of the stream."""
        while True:
            match = pattern.match(self._buffer, self._at)
            self._advance(match.end() if match else self._at)
            if self._at < len(self._buffer):
                if len(self._buffer) - self._at < _BEGINNING:
                    self._read()
                return True
            if not self._read():
                return False

    def _take(self, end: int, line: int) -> JsonValue:
        """Return the value that ends at `end`, and move behind it. Of a longer one the rest of its line is dropped."""
        text = self._buffer[self._at : end]
        self._advance(end)
        if len(text) >= MAX_VALUE_BYTES:
            text = text[:KEPT_BYTES]
            while (rest := self._buffer.find(b"\n", self._at)) < 0:
                self._advance(len(self._buffer))
                if not self._read():
                    break
            self._advance(rest if rest >= 0 else len(self._buffer))
        size, self._unreported = self._unreported, 0
        return JsonValue(line, text, size)

    def _advance(self, position: int) -> None:
        self._line += self._buffer.count(b"\n", self._at, position)
        self._unreported += position - self._at
        self._at = position

    def _may_read(self) -> bool:
        """Read more if the value is not too long, and return True if there is more."""
        return len(self._buffer) - self._at < MAX_VALUE_BYTES and self._read()

    def _read(self) -> bool:
        """Drop what is behind the position, and read more. Return False at the end of the stream."""
        # As much again, so that a long value is copied only a few times.
        kept = self._buffer[self._at :]
        data = self._stream.read(max(_CHUNK, len(kept)))
        self._buffer, self._at = kept + data, 0
        return bool(data)

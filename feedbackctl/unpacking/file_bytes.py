"""The content of a file as UTF-8: gzip is decompressed, UTF-16 and UTF-32 are converted, byte order marks removed."""

import codecs
import gzip
import io
import json
import zlib
from codecs import BOM_UTF8
from typing import BinaryIO, cast

CHUNK = 1 << 16
_GZIP = b"\x1f\x8b"
_MOST_LAYERS = 3
"""Layers of gzip that are removed."""
_UTF_8 = frozenset({"utf-8", "utf-8-sig"})


class DamagedFileError(OSError):
    """Compressed data is damaged or ends early."""


def open_utf8(file: BinaryIO) -> BinaryIO:
    """Return a reader of the file's content as UTF-8. Bytes that are not text stay as they are.

    Raises:
        DamagedFileError: from the reader, if compressed data is damaged.

    """
    reader = io.BufferedReader(cast("io.RawIOBase", file), CHUNK) if isinstance(file, io.RawIOBase) else file
    for _ in range(_MOST_LAYERS):
        if _peek(reader)[:2] != _GZIP:
            break
        reader = cast("BinaryIO", io.BufferedReader(_Decompressed(reader), CHUNK))
    start = _peek(reader)[:4]
    # RFC 8259 requires UTF-8, but PowerShell writes UTF-16: https://www.rfc-editor.org/rfc/rfc8259#section-8.1
    encoding = json.detect_encoding(start)
    if encoding not in _UTF_8:
        return cast("BinaryIO", io.BufferedReader(_Converted(reader, encoding), CHUNK))
    if start.startswith(BOM_UTF8):
        reader.read(len(BOM_UTF8))
    return reader


def is_plain(file: BinaryIO) -> bool:
    """Return True if the content has as many bytes as the file. The position in the file does not change."""
    start = _peek(file)[:4]
    return start[:2] != _GZIP and json.detect_encoding(start) in _UTF_8


def _peek(reader: BinaryIO) -> bytes:
    return cast("io.BufferedReader", reader).peek(4)


class _Source(io.RawIOBase):
    """A raw reader of bytes that `_next` returns."""

    def __init__(self) -> None:
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]  # a buffer of bytes, as BufferedReader passes
        if not self._rest:
            self._rest = self._next()
        taken, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)

    def _next(self) -> bytes:
        raise NotImplementedError


class _Decompressed(_Source):
    """The content of a gzip file, of one or more members."""

    def __init__(self, compressed: BinaryIO) -> None:
        super().__init__()
        self._file = gzip.GzipFile(fileobj=compressed, mode="rb")

    def _next(self) -> bytes:
        try:
            return self._file.read1(CHUNK)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DamagedFileError(None, "the compressed data is damaged or ends early") from error


class _Converted(_Source):
    """The content of a file in UTF-16 or UTF-32, as UTF-8. Units that are no characters become replacements."""

    def __init__(self, encoded: BinaryIO, encoding: str) -> None:
        super().__init__()
        self._file = encoded
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def _next(self) -> bytes:
        while data := self._file.read(CHUNK):
            text = self._decoder.decode(data)
            if text:
                return text.removeprefix("\ufeff").encode("utf-8", "surrogatepass")
        return self._decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")

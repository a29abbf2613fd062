"""Entries of a file: its encoding, its shape (CSV or JSON) and its format are recognized from its content."""

import hashlib
import io
import itertools
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

from feedbackctl.errors import OperatorError
from feedbackctl.suppression_files.csv_records import MAX_LINE, CsvReader, field_names, read_header
from feedbackctl.suppression_files.dates import parse_date
from feedbackctl.suppression_files.detection import detect_format
from feedbackctl.suppression_files.formats import ses
from feedbackctl.suppression_files.json_records import read_json_records
from feedbackctl.suppression_files.model import BadLine, Entry, ExportFormat, Kind, Problem, Record
from feedbackctl.unpacking.file_bytes import open_utf8
from ses_feedback.address import Address, AddressError, parse_address
from ses_feedback.contacts.contact import enhanced_status_code

STANDARD_INPUT = Path("-")
REASON_LENGTH = 1_000
"""Characters that are kept of the other system's text."""
_START = 1 << 16
"""Characters by which a file is recognized."""
_RECORDS_FOR_DETECTION = 100
_NO_CHARACTER = re.compile("[\ud800-\udfff]")
_NOBODY = Address("", "")
"""The address of an entry that is not a suppression. It is never used."""


@dataclass(frozen=True)
class SuppressionFile:
    """A file with its format. `has_header` is False for a CSV file whose fields are numbered."""

    path: Path
    name: str
    format: ExportFormat
    is_json: bool = False
    has_header: bool = False
    separator: str = ","

    def read(self, now: datetime) -> Iterator[Entry | BadLine]:
        """Yield the entries, and the lines that cannot be read. Dates are at most `now`.

        Raises:
            OSError: the file cannot be read, or its compressed data is damaged.

        """
        for record in self._records():
            yield record if isinstance(record, BadLine) else _interpret(record, self.format, now)

    def digest(self) -> str:
        """Return the SHA-256 of the file's bytes."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _records(self) -> Iterator[Record | BadLine]:
        with open_text(self.path) as stream:
            if self.is_json:
                yield from read_json_records(stream)
                return
            if not self.has_header:
                yield from CsvReader(stream, separator=self.separator).read(1)
                return
            _, header = read_header(stream.readline(MAX_LINE))
            yield from CsvReader(stream, separator=self.separator, names=field_names(header)).read(2)


@contextmanager
def spooled_file(path: Path) -> Iterator[Path]:
    """Yield the path, or for `-` that of a temporary file with standard input, because the file is read twice."""
    if path != STANDARD_INPUT:
        yield path
        return
    with TemporaryDirectory() as folder:
        spooled = Path(folder) / "standard input"
        with spooled.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield spooled


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open a file as text: UTF-8, UTF-16 or UTF-32, compressed by gzip or not. Line ends stay as they are."""
    with path.open("rb") as file, io.TextIOWrapper(open_utf8(file), "utf-8", "replace", newline="") as text:
        yield text


def recognize_file(path: Path, forced: ExportFormat | None, *, has_header: bool | None = None) -> SuppressionFile:
    """Return the file with its format, which is `forced` unless that is None.

    `has_header` None means that the first line is a header unless it has an address.

    Raises:
        OperatorError: the file is empty, or its format is unknown or ambiguous.

    """
    with open_text(path) as stream:
        start = stream.read(_START)
    if not start.strip():
        raise OperatorError(f"{path.name} is empty.")
    if start.lstrip()[0] in "[{":
        names = _names_of_records(start)
        chosen = forced or detect_format(names, path.name)
        return SuppressionFile(path, path.name, chosen, is_json=True)
    separator, cells = read_header(io.StringIO(start, newline="").readline())
    with_header = not any("@" in cell for cell in cells) if has_header is None else has_header
    if not (forced or with_header or ses.has_reason(cells)):
        raise OperatorError(
            "The file has no header. Give the numbers of its columns, as in --columns email=1,reason=2."
        )
    found = frozenset(field_names(cells)) if with_header else ses.LINES.required
    chosen = forced or detect_format([found], path.name)
    return SuppressionFile(path, path.name, chosen, has_header=with_header, separator=separator)


def _names_of_records(start: str) -> list[frozenset[str]]:
    records = itertools.islice(read_json_records(io.StringIO(start)), _RECORDS_FOR_DETECTION)
    return [frozenset(record.fields) for record in records if isinstance(record, Record)]


def _interpret(record: Record, form: ExportFormat, now: datetime) -> Entry | BadLine:
    try:
        parsed = form.parse(record.fields)
        if parsed.kind is Kind.NONE:
            return Entry(record.line, _NOBODY, Kind.NONE, None)
        address = parse_address(parsed.address)
        at = parse_date(parsed.date, now) if parsed.date else None
    except KeyError as error:
        return BadLine(record.line, f"the field {error.args[0]} is missing")
    except (Problem, AddressError) as error:
        return BadLine(record.line, str(error))
    reason = _NO_CHARACTER.sub("\N{REPLACEMENT CHARACTER}", parsed.reason[:REASON_LENGTH])
    code = enhanced_status_code(parsed.status)
    return Entry(record.line, address, parsed.kind, at, reason, code, parsed.stream[:REASON_LENGTH])

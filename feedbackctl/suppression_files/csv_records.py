"""Records of a CSV file of any length: quoted fields, separated by commas, semicolons or tabs.

https://www.rfc-editor.org/rfc/rfc4180
"""

import csv
from collections.abc import Iterator, Sequence
from typing import TextIO

from feedbackctl.suppression_files.model import BadLine, Record, normalize_name

MAX_LINE = 1 << 20
"""Characters of the longest line."""
MAX_FIELDS = 200
_SEPARATORS = ",;\t"


class CsvReader:
    """The records of a stream. Without a header the fields are numbered: `1`, `2` and so on."""

    def __init__(self, stream: TextIO, *, separator: str = ",", names: Sequence[str] = ()) -> None:
        """Read a stream that was opened with `newline=""`, from a line after the header."""
        self._stream = stream
        self._names = names
        self._separator = separator
        self._too_long: list[int] = []
        self._lines = 0

    def read(self, first_line: int = 1) -> Iterator[Record | BadLine]:
        """Yield the records. `first_line` is the number of the stream's first line."""
        csv.field_size_limit(MAX_LINE)
        reader = csv.reader(self._read_lines(), delimiter=self._separator, strict=True)
        self._lines = first_line - 1
        while True:
            line = self._lines + 1
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield BadLine(line, _describe(error))
                continue
            if cells is None:
                break
            yield from self._report_long_lines()
            if any(cell.strip() for cell in cells):
                yield self._record(line, cells)
        yield from self._report_long_lines()

    def _record(self, line: int, cells: list[str]) -> Record | BadLine:
        if len(cells) > MAX_FIELDS:
            return BadLine(line, f"the line has more than {MAX_FIELDS} fields")
        names = self._names or [str(number) for number in range(1, len(cells) + 1)]
        if len(cells) > len(names):
            return BadLine(line, f"the line has {len(cells)} fields, the header {len(names)}")
        return Record(line, {name: cell.strip() for name, cell in zip(names, cells, strict=False)})

    def _read_lines(self) -> Iterator[str]:
        """Yield the lines; one that is longer than `MAX_LINE` is left out and reported."""
        while text := self._stream.readline(MAX_LINE):
            self._lines += 1
            if len(text) < MAX_LINE or text.endswith("\n"):
                yield text
                continue
            self._too_long.append(self._lines)
            while (rest := self._stream.readline(MAX_LINE)) and not rest.endswith(("\n", "\r")):
                pass

    def _report_long_lines(self) -> Iterator[BadLine]:
        while self._too_long:
            yield BadLine(self._too_long.pop(0), f"the line has more than {MAX_LINE} characters")


def read_header(line: str) -> tuple[str, list[str]]:
    """Return the separator in the first line of a file, and its cells."""
    separator = max(_SEPARATORS, key=line.count)
    try:
        cells = next(csv.reader([line], delimiter=separator))
    except (csv.Error, StopIteration):
        cells = []
    return separator, [cell.strip() for cell in cells]


def field_names(header: Sequence[str]) -> list[str]:
    """Return the names of the fields under a header; the first of equal names counts."""
    names: list[str] = []
    for number, cell in enumerate(header, 1):
        name = normalize_name(cell)
        names.append(name if name and name not in names else f"#{number}")
    return names


def _describe(error: csv.Error) -> str:
    text = str(error)
    if "field larger" in text or "unexpected end" in text:
        return "a quotation mark is not closed; the lines after it belong to this one"
    return "a quotation mark is misplaced"

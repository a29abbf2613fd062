"""The output of a command: tables for people; one versioned JSON object, CSV or NDJSON for programs."""

import csv
import itertools
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

import click

from feedbackctl.printable import printable
from feedbackctl.terminal.tables import print_rows

VERSION = 1
"""Version of every JSON object. It changes if a field is removed or changes its meaning; fields may be added."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of a cell that a spreadsheet evaluates: https://owasp.org/www-community/attacks/CSV_Injection"""


class Format(StrEnum):
    """Format of a command's output."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    NDJSON = "ndjson"


def print_document(fields: Mapping[str, Any]) -> None:
    """Print one JSON object: `version`, then `fields`."""
    click.echo(_dumps({"version": VERSION, **fields}, indent=2))


def print_json_rows(name: str, rows: Iterable[Mapping[str, Any]], summary: Mapping[str, Any]) -> None:
    """Print one JSON object with `rows` in the array `name`, each as soon as it is known, then `summary`.

    `summary` is read after the last row. An empty array is `[]`.
    """
    click.echo(f'{{\n  "version": {VERSION},\n  {_dumps(name)}: [', nl=False)
    separator = ""
    for row in rows:
        click.echo(f"{separator}\n    {_dumps(row)}", nl=False)
        separator = ","
    click.echo("\n  ]" if separator else "]", nl=False)
    for key, value in summary.items():
        click.echo(f",\n  {_dumps(key)}: {_dumps(value)}", nl=False)
    click.echo("\n}")


def print_ndjson(rows: Iterable[Mapping[str, Any]]) -> None:
    """Print each row as one line of JSON."""
    for row in rows:
        click.echo(_dumps(row))


def print_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print `rows` as CSV with a header. No cell is evaluated by a spreadsheet."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([safe_cell(row.get(column, "")) for column in columns])


def print_in_format(
    output_format: Format,
    name: str,
    columns: Mapping[str, str],
    rows: Iterable[Mapping[str, Any]],
    summary: Mapping[str, Any],
) -> bool:
    """Print `rows` in the format, and return True if there were any.

    `columns` maps each field of the table to its header; CSV has all fields of the first row. `summary` is added to a
    JSON object, and read after the last row.
    """
    remaining = iter(rows)
    first = next(remaining, None)
    found = itertools.chain([] if first is None else [first], remaining)
    match output_format:
        case Format.JSON:
            print_json_rows(name, found, summary)
        case Format.NDJSON:
            print_ndjson(found)
        case Format.CSV:
            print_csv(list(first or columns), found)
        case Format.TABLE:
            print_rows(list(columns.values()), _cells(columns, found))
    return first is not None


def safe_cell(value: object) -> str:
    """Return a CSV cell: printable, and with an apostrophe in front if a spreadsheet would evaluate it."""
    text = value if isinstance(value, str) else _as_text(value)
    cell = printable(text)
    return f"'{cell}" if text.startswith(_FORMULA) else cell


def _cells(columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[list[str]]:
    names = list(columns)
    return ([_as_text(row.get(name, "")) for name in names] for row in rows)


def _as_text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(map(_as_text, value))
        case dict():
            return ", ".join(f"{name}={_as_text(one)}" for name, one in value.items())
        case _:
            return str(value)


def _dumps(value: object, indent: int | None = None) -> str:
    # ASCII only, so that no control character of any origin reaches a terminal; JSON itself leaves DEL as it is.
    return json.dumps(value, indent=indent).replace("\x7f", "\\u007f")

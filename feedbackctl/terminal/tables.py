"""Tables on a terminal or in a pipe: aligned columns, a page of rows at a time."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import click

from feedbackctl.printable import printable

ROWS_AT_ONCE = 500
"""Rows that are aligned with each other. Later rows keep at least the widths of earlier ones."""
_COLOURS = {
    "complained": "red",
    "bounced": "red",
    "fail": "red",
    "unsubscribed": "yellow",
    "suspended": "yellow",
    "warn": "yellow",
    "unknown": "yellow",
    "bouncing": "cyan",
    "active": "green",
    "ok": "green",
    "yes": "green",
    "no": "red",
}
"""Colours of cells with a status. click removes them if the output is not a terminal, or if NO_COLOR is set."""


def print_rows(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print the rows under their headers. Without rows nothing is printed."""
    from rich.cells import cell_len  # noqa: PLC0415 (only tables need it)

    widths = [cell_len(header) for header in headers]
    for number, page in enumerate(_pages(rows)):
        for row in page:
            widths = [max(width, cell_len(cell)) for width, cell in zip(widths, row, strict=True)]
        if not number:
            click.secho(_line(headers, widths, cell_len, colours={}), bold=True)
        for row in page:
            click.echo(_line(row, widths, cell_len, _COLOURS))


def print_fields(fields: Iterable[tuple[str, str]]) -> None:
    """Print names and values, the values aligned. A value may have several lines."""
    pairs = list(fields)
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        first, *others = value.split("\n")
        click.echo(f"{click.style(name.ljust(width), dim=True)}  {_coloured(printable(first), _COLOURS)}".rstrip())
        for line in others:
            click.echo(f"{' ' * width}  {printable(line)}".rstrip())


def print_numbers(numbers: Mapping[str, int]) -> None:
    """Print each number that is not 0 with its name, sorted by name."""
    for name, number in sorted(numbers.items()):
        if number:
            click.echo(f"{name}: {number}")


def _pages(rows: Iterable[Sequence[str]]) -> Iterator[list[list[str]]]:
    remaining = iter(rows)
    while page := [[printable(cell) for cell in row] for row in itertools.islice(remaining, ROWS_AT_ONCE)]:
        yield page


def _line(
    cells: Sequence[str], widths: Sequence[int], measure: Callable[[str], int], colours: Mapping[str, str]
) -> str:
    padded = (
        _coloured(cell, colours) + " " * (width - measure(cell)) for cell, width in zip(cells, widths, strict=True)
    )
    return "  ".join(padded).rstrip()


def _coloured(cell: str, colours: Mapping[str, str]) -> str:
    return click.style(cell, fg=colours[cell]) if cell in colours else cell

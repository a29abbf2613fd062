"""`feedbackctl contact export`: contacts with reasons, streams and history, for other tools."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from feedbackctl.contacts.explanation import describe_entry
from feedbackctl.contacts.filter_options import filter_options
from feedbackctl.contacts.filters import ContactFilter
from feedbackctl.contacts.search import ContactSearch, Found
from feedbackctl.contacts.sqlite_file import write_sqlite
from feedbackctl.contacts.view import FIELDS, describe_contact
from feedbackctl.errors import OperatorError
from feedbackctl.operator_options import Target, row_options, stack_options
from feedbackctl.terminal.output import Format, print_csv, print_in_format
from feedbackctl.terminal.progress import show_progress
from ses_feedback.contacts.status import Limits, Status

JSON_FIELDS = {
    "contacts": "the contacts (see [Fields of a contact](#fields-of-a-contact)), each with its `history`",
    "undetermined": "contacts for which an expired history would have decided; they are not in `contacts`",
    "unreadable": "items that are not contacts; see the runbook",
}


@click.command
@click.option(
    "--sqlite",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a new SQLite file with the tables contacts, streams and history.",
)
@filter_options(tuple(Status))
@row_options
@stack_options
def export(target: Target, wanted: ContactFilter, output_format: Format, sqlite: Path | None) -> None:
    """Export contacts with their reasons, streams and history: all of them, or those that meet conditions.

    Without a format, each contact is one line of JSON. CSV has no history. With --sqlite the file can be browsed, for
    example with Datasette: `uvx datasette FILE`.
    """
    stack = target.find_stack()
    with_history = output_format is not Format.CSV
    search = ContactSearch(stack, wanted, with_history=with_history)
    limits = stack.settings.limits

    def found() -> Iterator[Found]:
        with show_progress("Contacts", rows_are_printed=sqlite is None) as advance:
            for one in search.find():
                advance(1)
                yield one

    if sqlite is not None:
        _write_file(sqlite, found(), limits)
    elif output_format is Format.CSV:
        print_csv(list(FIELDS), (describe_contact(one.record, limits) for one in found()))
    else:
        rows = (_describe(one, limits) for one in found())
        lines = Format.NDJSON if output_format is Format.TABLE else output_format
        print_in_format(lines, "contacts", FIELDS, rows, search.counts)
    for name, number in search.counts.items():
        if number:
            click.echo(f"Left out: {number} contacts ({name}).", err=True)


def _describe(found: Found, limits: Limits) -> dict[str, Any]:
    history = [describe_entry(entry) for entry in found.history]
    return describe_contact(found.record, limits) | {"history": history}


def _write_file(path: Path, found: Iterator[Found], limits: Limits) -> None:
    if path.exists():
        raise OperatorError(f"{path} exists. Give a new file, so that nothing is overwritten.")
    number = write_sqlite(path, found, limits)
    click.echo(f"Wrote {number} contacts.", err=True)

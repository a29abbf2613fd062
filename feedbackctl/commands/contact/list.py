"""`feedbackctl contact list`: contacts that meet conditions."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import click

from feedbackctl.contacts.filter_options import filter_options
from feedbackctl.contacts.filters import ContactFilter
from feedbackctl.contacts.search import ContactSearch
from feedbackctl.contacts.view import describe_contact
from feedbackctl.operator_options import Target, row_options, stack_options
from feedbackctl.terminal.output import Format, print_in_format
from feedbackctl.terminal.progress import show_progress

COLUMNS = {
    "address": "Address",
    "status": "Status",
    "since": "Since",
    "reason": "Reason",
    "status_code": "Code",
    "configuration_set": "Configuration set",
}
JSON_FIELDS = {
    "contacts": "the contacts (see [Fields of a contact](#fields-of-a-contact)), by status and time",
    "undetermined": "contacts for which an expired history would have decided; they are not in `contacts`",
    "unreadable": "items that are not contacts; see the runbook",
}


@click.command("list")
@filter_options()
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Print at most this many.")
@row_options
@stack_options
def list_contacts(target: Target, wanted: ContactFilter, limit: int | None, output_format: Format) -> None:
    """List contacts that meet all conditions, without --status those that may not receive bulk email.

    Contacts that may be emailed (--status active, --status bouncing, --stream) have no index, so that the whole table
    is read. Conditions on the mail server's text need the history. If it has expired, the contact is counted as
    undetermined.
    """
    stack = target.find_stack()
    search = ContactSearch(stack, wanted)

    def rows() -> Iterator[dict[str, Any]]:
        with show_progress("Contacts", rows_are_printed=True) as advance:
            for found in islice(search.find(), limit):
                advance(1)
                yield describe_contact(found.record, stack.settings.limits)

    found_any = print_in_format(output_format, "contacts", COLUMNS, rows(), search.counts)
    if output_format is Format.TABLE and not found_any:
        click.echo("No contact meets the conditions.", err=True)
    if search.counts["undetermined"]:
        click.echo(f"Could not determine, because their history has expired: {search.counts['undetermined']}", err=True)
    if search.counts["unreadable"]:
        click.echo(f"Unreadable: {search.counts['unreadable']} items; see docs/operate/runbook.md.", err=True)

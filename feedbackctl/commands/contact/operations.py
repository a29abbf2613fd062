"""`feedbackctl contact operations`: the bulk operations of the stack."""

from typing import Any

import click

from feedbackctl.contacts.operations import Operation, OperationStore
from feedbackctl.operator_options import Target, row_options, stack_options
from feedbackctl.terminal.output import Format, print_in_format
from ses_feedback.timestamps import format_timestamp

COLUMNS = {"id": "Operation", "at": "Time", "state": "State", "contacts": "Contacts", "selection": "Conditions"}
JSON_FIELDS = {
    "operations": "the operations, each with `id`, `at`, `state` (`preparing`, `running`, `done`, `undone`), "
    "`contacts`, `selection`, `reason` and `caller`"
}


@click.command
@row_options
@stack_options
def operations(target: Target, output_format: Format) -> None:
    """List the bulk operations, the oldest first. They are kept as long as the history."""
    found = OperationStore(target.find_stack()).all()
    if not print_in_format(output_format, "operations", COLUMNS, map(_describe, found), {}):
        click.echo("There are no operations.", err=True)


def _describe(operation: Operation) -> dict[str, Any]:
    return {
        "id": operation.id,
        "at": format_timestamp(operation.at),
        "state": operation.state.value,
        "contacts": operation.contacts,
        "selection": operation.selection,
        "reason": operation.reason,
        "caller": operation.caller,
    }

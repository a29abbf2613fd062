"""`feedbackctl list`: the SES suppression list. Each command is imported only to run it."""

import click

from feedbackctl.lazy_group import LazyCommand, LazyGroup

_PACKAGE = "feedbackctl.commands.list"
COMMANDS = {
    "diff": LazyCommand(f"{_PACKAGE}.diff:diff", "Compare the suppression list with the contacts."),
    "reconcile": LazyCommand(f"{_PACKAGE}.reconcile:reconcile", "Repair differences of the suppression list."),
}


@click.group("list", cls=LazyGroup, lazy_commands=COMMANDS)
def suppression_list() -> None:
    """Compare the SES suppression list with the contacts, and repair differences."""

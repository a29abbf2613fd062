"""`feedbackctl contact`: inspect and change contacts. Each command is imported only to run it."""

import click

from feedbackctl.lazy_group import LazyCommand, LazyGroup

_PACKAGE = "feedbackctl.commands.contact"
COMMANDS = {
    "show": LazyCommand(f"{_PACKAGE}.show:show", "Show on one screen whether email may be sent, and why."),
    "explain": LazyCommand(f"{_PACKAGE}.explain:explain", "Show the whole history of a contact in order."),
    "list": LazyCommand(f"{_PACKAGE}.list:list_contacts", "List contacts that meet conditions."),
    "reinstate": LazyCommand(f"{_PACKAGE}.reinstate:reinstate", "Allow email to contacts again, one or many."),
    "operations": LazyCommand(f"{_PACKAGE}.operations:operations", "List bulk operations, for --undo."),
    "suppress": LazyCommand(f"{_PACKAGE}.facts:suppress", "Stop all email to addresses."),
    "unsubscribe": LazyCommand(f"{_PACKAGE}.facts:unsubscribe", "Store that a person opted out."),
    "resubscribe": LazyCommand(f"{_PACKAGE}.facts:resubscribe", "Store that a person opted in again."),
    "import": LazyCommand(f"{_PACKAGE}.import_file:import_file", "Import suppressed addresses of another system."),
    "export": LazyCommand(f"{_PACKAGE}.export:export", "Export contacts with reasons and history."),
    "erase": LazyCommand(f"{_PACKAGE}.erase:erase", "Erase personal data of a contact; keep the objection."),
}


@click.group(cls=LazyGroup, lazy_commands=COMMANDS)
def contact() -> None:
    """Inspect and change contacts."""

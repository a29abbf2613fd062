"""`feedbackctl contact reinstate --where` and `--undo`: one operation on many contacts."""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import click

from feedbackctl.contacts.bulk_reinstatement import BulkReinstatement
from feedbackctl.contacts.filters import ContactFilter
from feedbackctl.contacts.operations import Operation, OperationStore, State
from feedbackctl.contacts.search import ContactSearch
from feedbackctl.contacts.selection import Selection
from feedbackctl.errors import OperatorError
from feedbackctl.printable import printable
from feedbackctl.stack import Stack
from feedbackctl.terminal.confirmation import confirm, confirm_count
from feedbackctl.terminal.output import Format, print_document
from feedbackctl.terminal.progress import show_progress
from ses_feedback.contacts.status import Status
from ses_feedback.handlers.deadline import utc_now

_NEVER = frozenset({Status.COMPLAINED, Status.UNSUBSCRIBED, Status.ACTIVE})

_NOT_TAKEN_BACK = {
    "import": (
        "the operation is an import, which --undo does not take back. Its contacts keep what the other system "
        "reported, and email to them stays blocked. To allow email to an imported contact whose mailbox works, run "
        "`feedbackctl contact reinstate ADDRESS --reason TEXT`; complaints and opt-outs need the person "
        "(--they-asked). `feedbackctl contact explain ADDRESS` shows what was imported."
    ),
    "reconcile": (
        "the operation repaired the suppression list. It changed the status of no contact, so there is nothing to take "
        "back. `feedbackctl list diff` compares the list with the contacts."
    ),
}
"""Why an operation without stored contacts is not taken back, by the first word of its selection."""


@dataclass(frozen=True)
class Options:
    """Options of a bulk reinstatement."""

    reason: str
    limit: int | None
    output_format: Format
    dry_run: bool
    yes: bool


def reinstate(stack: Stack, wanted: ContactFilter, options: Options) -> None:
    """Select contacts, have the number confirmed, and reinstate them; or continue an interrupted operation."""
    refused = [status.value for status in wanted.statuses if status in _NEVER]
    if refused and not wanted.stream:
        raise click.UsageError(f"--where does not reinstate {', '.join(refused)} contacts: only the person can.")
    selection = f"{wanted.describe()} limit={options.limit}" if options.limit else wanted.describe()
    unfinished = OperationStore(stack).find_unfinished(selection)
    if unfinished and not options.dry_run:
        _continue(stack, unfinished, options)
        return
    search = ContactSearch(stack, wanted, with_history=True)
    chosen = _select(search, wanted, options.limit)
    try:
        preview = chosen.as_json() | {"undetermined": search.counts["undetermined"]}
        if options.output_format is Format.TABLE:
            _print_preview(preview)
        if options.dry_run or not chosen.count:
            _print_result(options.output_format, preview | {"operation": None, "results": {}, "problems": {}})
            return
        confirm_count(chosen.count, "reinstate them", yes=options.yes)
        with show_progress("Reinstating", chosen.count) as advance:
            work = BulkReinstatement(stack, advance)
            operation = work.run(work.prepare(selection, options.reason, chosen.contacts(), utc_now()))
    finally:
        chosen.close()
    _print_result(options.output_format, preview | {"operation": operation.id, **_describe_work(work)})
    _require_all(work)


def undo(stack: Stack, operation_id: str, reason: str, output_format: Format, *, yes: bool) -> None:
    """Take an operation back.

    Raises:
        OperatorError: there is no such operation, or it was not carried out or is undone already.

    """
    operation = OperationStore(stack).find(operation_id)
    if operation.state is State.PREPARING:
        raise OperatorError("The operation changed no contact: it was interrupted before.")
    if not operation.chunks:
        kind = operation.selection.partition(" ")[0]
        raise OperatorError(f"Nothing was changed: {_NOT_TAKEN_BACK.get(kind, _NOT_TAKEN_BACK['import'])}")
    if operation.state is State.UNDONE:
        raise OperatorError("The operation is undone already.")
    confirm(f"Take back the reinstatement of up to {operation.contacts} contacts?", yes=yes)
    with show_progress("Taking back", operation.contacts) as advance:
        work = BulkReinstatement(stack, advance)
        work.undo(operation, reason)
    results = {
        "restored": sum(number for name, number in work.counts.items() if name.startswith("still ")),
        "kept": work.counts["refused"] + work.counts["reinstated"],
    }
    fields = {"operation": operation.id, "results": results, "problems": dict(work.problems)}
    _print_result(output_format, fields, is_undo=True)


def _select(search: ContactSearch, wanted: ContactFilter, limit: int | None) -> Selection:
    with ExitStack() as on_failure, show_progress("Selecting") as advance:
        chosen = Selection(wanted)
        on_failure.callback(chosen.close)
        for found in search.find():
            if limit is not None and chosen.count >= limit:
                break
            chosen.add(found)
            advance(1)
        on_failure.pop_all()
    return chosen


def _continue(stack: Stack, operation: Operation, options: Options) -> None:
    message = (
        f"Operation {operation.id} of {operation.at:%Y-%m-%d %H:%M} UTC with the same conditions is unfinished: "
        f"{operation.done} of {operation.chunks} parts of its {operation.contacts} contacts are done."
    )
    click.echo(message, err=True)
    confirm("Continue it?", yes=options.yes)
    with show_progress("Reinstating", operation.contacts) as advance:
        work = BulkReinstatement(stack, advance)
        work.run(operation)
    fields = {"operation": operation.id, "matched": operation.contacts, **_describe_work(work)}
    _print_result(options.output_format, fields)
    _require_all(work)


def _describe_work(work: BulkReinstatement) -> dict[str, Any]:
    return {"results": dict(work.counts), "problems": dict(work.problems)}


def _require_all(work: BulkReinstatement) -> None:
    if work.counts["refused"]:
        raise OperatorError(
            f"{work.counts['refused']} contacts were not reinstated. Remove the cause, and run the same command again."
        )


def _print_preview(preview: dict[str, Any]) -> None:
    click.echo(f"Contacts that meet the conditions: {preview['matched']}")
    if preview["kept_back"]:
        click.echo(f"Kept as they are, because another bounce does not meet them: {preview['kept_back']}")
    if preview["undetermined"]:
        click.echo(f"Could not determine, because their history has expired: {preview['undetermined']}")
    if preview["samples"]:
        click.echo("\nSamples:")
        for address in preview["samples"]:
            click.echo(f"  {printable(address)}")
    if preview["diagnostics"]:
        click.echo("\nDiagnostics:")
        for group in preview["diagnostics"]:
            click.echo(f"  {group['contacts']:>7}  {printable(group['text'])}")
    click.echo()


def _print_result(output_format: Format, fields: dict[str, Any], *, is_undo: bool = False) -> None:
    if output_format is Format.JSON:
        print_document(fields)
        return
    if fields["operation"] is None:
        click.echo("Nothing was changed.")
        return
    for result, number in sorted(fields["results"].items()):
        click.echo(f"{result}: {number}")
    for problem, number in sorted(fields["problems"].items()):
        click.echo(f"  {number:>7}  {printable(problem)}")
    command = f"feedbackctl contact reinstate --undo {fields['operation']} --reason TEXT"
    click.echo(f"Operation {fields['operation']}." + ("" if is_undo else f" To take it back: {command}"))

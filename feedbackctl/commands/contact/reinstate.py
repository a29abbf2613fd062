"""`feedbackctl contact reinstate`: allow email to contacts again, one by one or all that meet conditions."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import click

from feedbackctl.commands.contact import reinstate_where
from feedbackctl.contacts.addresses import read_addresses
from feedbackctl.contacts.changes import (
    Changed,
    ContactChanger,
    refuse_newer_evidence,
    require_all,
    truncate_to_milliseconds,
)
from feedbackctl.contacts.filter_options import filter_options
from feedbackctl.contacts.filters import ContactFilter
from feedbackctl.contacts.history import OperatorAction
from feedbackctl.contacts.repetition import group_by_time
from feedbackctl.operator_options import Target, json_option, reason_option, stack_options, yes_option
from feedbackctl.stack import Stack
from feedbackctl.terminal.confirmation import confirm
from feedbackctl.terminal.output import Format, print_document
from feedbackctl.terminal.tables import print_rows
from ses_feedback.address import Address
from ses_feedback.contacts.contact import Contact, Evidence
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.contacts.status import Status
from ses_feedback.handlers.deadline import utc_now

JSON_FIELDS = {
    "changes": "with addresses: for each contact `address`, `before`, `after`, `changed` and `problem`",
    "operation": "with --where or --undo: id of the operation (null: nothing matched, or --dry-run)",
    "matched": "with --where: number of contacts that meet the conditions",
    "kept_back": "with --where: contacts with another bounce, which stay as they are",
    "undetermined": "with --where: contacts for which an expired history would have decided; they stay as they are",
    "samples": "with --where: ten of the addresses",
    "diagnostics": "with --where: the largest groups of diagnostics, each with `text` and `contacts`",
    "results": "with --where or --undo: numbers of contacts by result",
    "problems": "with --where or --undo: numbers of contacts by the reason why they stay as they are",
}
_PERSONS = frozenset({Status.COMPLAINED, Status.UNSUBSCRIBED})
_CLEARED = (Status.BOUNCED,)


@click.command
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@click.option("--where", is_flag=True, help="Reinstate all contacts that meet the conditions below.")
@click.option("--undo", metavar="OPERATION", help="Take back an operation of --where.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="With --where: at most this many contacts.")
@click.option("--dry-run", is_flag=True, help="With --where: print what would change, and change nothing.")
@click.option("--they-asked", is_flag=True, help="The person asked for email again. For one address.")
@filter_options(_CLEARED)
@reason_option
@yes_option
@json_option
@stack_options
def reinstate(
    target: Target,
    addresses: tuple[str, ...],
    wanted: ContactFilter,
    *,
    reason: str,
    undo: str | None,
    limit: int | None,
    output_format: Format,
    where: bool,
    dry_run: bool,
    they_asked: bool,
    yes: bool,
) -> None:
    """Allow email to each ADDRESS again, or with --where to all contacts that meet conditions.

    Bounces, list entries and soft bounces from before the reinstatement no longer count. Complaints and opt-outs stay,
    because only the person can withdraw them: give --they-asked if the person did. `-` reads addresses from standard
    input, one in each line.

    --where selects bounced contacts by default. It prints their number, samples and grouped diagnostics, and asks for
    the number. Mailboxes that really do not exist bounce again: use --limit to let a list back in slices. If it is
    interrupted, the same command continues it.

    The address leaves the SES suppression list within minutes. Until then SES refuses email to it and reports bounces
    of its own (OnAccountSuppressionList), which do not count for one day.
    """
    if sum((bool(addresses), where, undo is not None)) != 1:
        raise click.UsageError("Give addresses, or --where with conditions, or --undo.")
    if they_asked and len(addresses) != 1:
        raise click.UsageError("--they-asked takes one address: each person asks for themselves.")
    if undo is not None:
        reinstate_where.undo(target.find_stack(), undo, reason, output_format, yes=yes)
    elif where:
        options = reinstate_where.Options(reason, limit, output_format, dry_run=dry_run, yes=yes)
        reinstate_where.reinstate(target.find_stack(), wanted, options)
    else:
        _reinstate_addresses(target, read_addresses(addresses), reason, output_format, they_asked=they_asked, yes=yes)


def _reinstate_addresses(
    target: Target, addresses: Sequence[Address], reason: str, output_format: Format, *, they_asked: bool, yes: bool
) -> None:
    stack = target.find_stack()
    if len(addresses) > 1:
        confirm(f"Reinstate {len(addresses)} contacts?", yes=yes)
    results = reinstate_contacts(stack, addresses, reason, they_asked=they_asked)
    print_changes(results, output_format)
    if any(one.after in _PERSONS for one in results):
        click.echo(
            "Complaints and opt-outs stay: only the person can withdraw them. Give --they-asked if the person asked.",
            err=True,
        )
    require_all(results)


def reinstate_contacts(
    stack: Stack, addresses: Sequence[Address], reason: str, *, they_asked: bool = False
) -> list[Changed]:
    """Store the reinstatement of each address, and return the results. Two runs at the same time change nothing more.

    A run that continues an interrupted one stores nothing twice. SuppressionFunction updates the suppression list and
    publishes the change.
    """
    now = truncate_to_milliseconds(utc_now())
    name, caller = "opt-in" if they_asked else "reinstate", stack.aws.caller.arn
    by_key = {address.key: address for address in addresses}

    def reinstatement(key: str, at: datetime) -> Contact:
        variants, evidence = (by_key[key].variant,), Evidence(at, reason)
        return Contact(key, variants, opted_in=evidence) if they_asked else Contact(key, variants, cleared=evidence)

    def clear(stored: ContactRecord, at: datetime) -> Contact | str:
        return refuse_newer_evidence(stored, reinstatement(stored.contact.address, at), stack, now)

    results: dict[str, Changed] = {}
    for at, keys in group_by_time(stack, {key: reinstatement(key, now) for key in by_key}, now).items():
        changer = ContactChanger(stack, OperatorAction(name, caller, at, reason), keep_unchanged_history=True)
        results |= {one.address: one for one in changer.apply(dict.fromkeys(keys, partial(clear, at=at)))}
    return [results[key] for key in by_key]


def print_changes(results: Sequence[Changed], output_format: Format) -> None:
    """Print the results of a change of contacts that the operator named."""
    if output_format is Format.JSON:
        print_document({"changes": [one._asdict() for one in results]})
    else:
        print_rows(("Contact", "Before", "Now"), ((one.address, one.before, one.after) for one in results))

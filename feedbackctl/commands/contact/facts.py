"""`feedbackctl contact suppress`, `unsubscribe` and `resubscribe`: facts that an operator knows."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

import click

from feedbackctl.commands.contact.reinstate import print_changes
from feedbackctl.contacts.addresses import parse_argument, read_addresses
from feedbackctl.contacts.changes import ContactChanger, require_all, truncate_to_milliseconds
from feedbackctl.contacts.history import OperatorAction
from feedbackctl.contacts.repetition import group_by_time
from feedbackctl.operator_options import Target, json_option, reason_option, stack_options, yes_option
from feedbackctl.terminal.confirmation import confirm
from feedbackctl.terminal.output import Format
from ses_feedback.address import Address
from ses_feedback.contacts.contact import ALL_EMAIL, Contact, Evidence
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.contacts.status import opted_out_streams
from ses_feedback.handlers.deadline import utc_now

JSON_FIELDS = {"changes": "for each contact `address`, `before`, `after`, `changed` and `problem`"}
_STREAM = re.compile(r"[A-Za-z0-9_-]{1,64}")
SUPPRESSED, UNSUBSCRIBED, RESUBSCRIBED = "Operator/suppressed", "Operator/unsubscribed", "Operator/resubscribed"
"""Reasons of the evidence. The operator's own text is in the history only, because reasons are published."""


def validate_stream(_context: click.Context, _parameter: click.Parameter, name: str | None) -> str:
    """Return the name of a stream, or an empty text."""
    if name and not _STREAM.fullmatch(name):
        raise click.BadParameter("a stream has 1 to 64 letters, digits, `_` and `-`")
    return name or ""


_stream_option = click.option("--stream", metavar="NAME", callback=validate_stream, help="Only this stream.")


@click.command
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@reason_option
@yes_option
@json_option
@stack_options
def suppress(target: Target, addresses: tuple[str, ...], reason: str, output_format: Format, *, yes: bool) -> None:
    """Stop all email to each ADDRESS, as after a hard bounce.

    The address also goes on the SES suppression list. `-` reads addresses from standard input.
    """

    def evidence(address: Address, at: datetime) -> Contact:
        return Contact(address.key, (address.variant,), bounced=Evidence(at, SUPPRESSED))

    _store(target, read_addresses(addresses), "suppress", reason, evidence, output_format=output_format, yes=yes)


@click.command
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@_stream_option
@reason_option
@yes_option
@json_option
@stack_options
def unsubscribe(
    target: Target, addresses: tuple[str, ...], *, stream: str, reason: str, output_format: Format, yes: bool
) -> None:
    """Store that the person at each ADDRESS opted out, of one stream or of all bulk email.

    Receipts and password resets may still be sent. `-` reads addresses from standard input.
    """

    def evidence(address: Address, at: datetime) -> Contact:
        opt_out = Evidence(at, UNSUBSCRIBED)
        if stream:
            return Contact(address.key, (address.variant,), unsubscribed_from=((stream, opt_out),))
        return Contact(address.key, (address.variant,), unsubscribed=opt_out)

    _store(
        target,
        read_addresses(addresses),
        "unsubscribe",
        reason,
        evidence,
        output_format=output_format,
        stream=stream,
        yes=yes,
    )


@click.command
@click.argument("address")
@_stream_option
@reason_option
@json_option
@stack_options
def resubscribe(target: Target, address: str, stream: str, reason: str, output_format: Format) -> None:
    """Store that the person at ADDRESS asked for email again, of one stream or of all that is not a stream's.

    One address at a time: each person asks for themselves. Bounces and complaints stay, see `contact reinstate`.
    """

    def evidence(one: Address, at: datetime) -> Contact:
        opt_in = ((stream or ALL_EMAIL, Evidence(at, RESUBSCRIBED)),)
        return Contact(one.key, (one.variant,), opted_into=opt_in)

    parsed = parse_argument(address)
    _store(target, [parsed], "resubscribe", reason, evidence, output_format=output_format, stream=stream, yes=True)


def _store(
    target: Target,
    addresses: Sequence[Address],
    name: str,
    reason: str,
    evidence: Callable[[Address, datetime], Contact],
    *,
    output_format: Format,
    yes: bool,
    stream: str = "",
) -> None:
    stack = target.find_stack()
    if len(addresses) > 1:
        confirm(f"Change {len(addresses)} contacts ({name})?", yes=yes)
    now = truncate_to_milliseconds(utc_now())
    by_key = {address.key: address for address in addresses}
    groups = group_by_time(stack, {key: evidence(address, now) for key, address in by_key.items()}, now)
    # A run that continues an interrupted one writes the same evidence and the same history items again.
    changes = (
        changed
        for at, keys in groups.items()
        for changed in ContactChanger(
            stack, OperatorAction(name, stack.aws.caller.arn, at, reason, stream=stream), keep_unchanged_history=True
        ).apply(dict.fromkeys(keys, partial(_addition, {key: evidence(by_key[key], at) for key in keys})))
    )
    order = {key: number for number, key in enumerate(by_key)}
    results = sorted(changes, key=lambda one: order[one.address])
    print_changes(results, output_format)
    if name == "resubscribe" and not stream and len(results) == 1:
        stored = stack.repository.read([results[0].address], {}, consistent=True)
        streams = [name for record in stored.values() for name in opted_out_streams(record.contact)]
        if streams:
            click.echo(f"Still opted out of: {', '.join(streams)} (--stream).", err=True)
    require_all(results)


def _addition(additions: Mapping[str, Contact], stored: ContactRecord) -> Contact:
    return additions[stored.contact.address]

"""`feedbackctl doctor`: check the path of feedback, and name the first broken hop."""

from typing import TYPE_CHECKING

import click

from feedbackctl.operator_options import Target, json_option, stack_options
from feedbackctl.terminal.output import Format, print_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feedbackctl.doctor.facts import Facts
    from feedbackctl.doctor.path import HopChecks
    from feedbackctl.stack import Stack

_BROKEN = 1
_UNDETERMINED = 3


@click.command
@stack_options
@click.option("--identity", "identities", multiple=True, metavar="NAME", help="Check this identity. Repeatable.")
@click.option("--dns", "with_dns", is_flag=True, help="Also check DMARC and SPF records. Needs the extra `dns`.")
@click.option("--all", "keep_going", is_flag=True, help="Also show the hops after the first broken one.")
@click.option("--verbose", "-v", is_flag=True, help="Show each check, not only problems.")
@json_option
def doctor(
    target: Target,
    identities: tuple[str, ...],
    output_format: Format,
    *,
    with_dns: bool,
    keep_going: bool,
    verbose: bool,
) -> None:
    """Check the path of feedback hop by hop, and name the first broken hop.

    The path: SES account, identities, configuration sets, topic policies, KMS key, subscriptions, queues, event
    sources, functions, contacts table, suppression list, import jobs, alarms, and the last feedback of each lane. The
    hops after the first broken one are not reached. Each problem is shown with the exact command that fixes it, if
    there is one. doctor changes nothing, and no command that it prints deletes anything.

    Exit code 0: no hop is broken. 1: a hop is broken. 3: no hop is known to be broken, but a check could not be made,
    for example because a permission is missing.
    """
    from feedbackctl.doctor.path import diagnose  # noqa: PLC0415 (`--help` does not import botocore)
    from feedbackctl.doctor.report import to_document, to_lines  # noqa: PLC0415

    stack = target.find_stack()
    facts = _read_facts(target, stack, identities)
    diagnosis = diagnose(facts, _choose_hops(with_dns=with_dns), keep_going=keep_going)
    if output_format is Format.JSON:
        print_document(to_document(diagnosis, stack.name, facts.stack.region))
    else:
        for line in to_lines(diagnosis, verbose=verbose):
            click.echo(line)
    if diagnosis.broken or diagnosis.is_undetermined:
        click.get_current_context().exit(_BROKEN if diagnosis.broken else _UNDETERMINED)


def _read_facts(target: Target, stack: "Stack", identities: tuple[str, ...]) -> "Facts":
    from feedbackctl.doctor.aws_reader import AwsReader, ReadError  # noqa: PLC0415
    from feedbackctl.doctor.facts import Facts, read_stack  # noqa: PLC0415
    from feedbackctl.errors import UnknownResultError  # noqa: PLC0415
    from ses_feedback.handlers.deadline import utc_now  # noqa: PLC0415

    reader = AwsReader(stack.aws.client)
    try:
        return Facts(reader, read_stack(reader, stack.name), utc_now(), identities, target.profile)
    except ReadError as error:
        raise UnknownResultError(f"The resources of the stack {stack.name} cannot be read: {error}") from None


def _choose_hops(*, with_dns: bool) -> "Sequence[HopChecks]":
    """Return the hops. DNS comes after the identities."""
    from feedbackctl.doctor.hops import dns  # noqa: PLC0415
    from feedbackctl.doctor.path import HOPS, HopChecks  # noqa: PLC0415

    if not with_dns:
        return HOPS
    from feedbackctl.doctor.dns_resolver import look_up_txt  # noqa: PLC0415

    after = [hop.name for hop in HOPS].index("identities") + 1
    return (*HOPS[:after], HopChecks("dns", "DNS", (dns.create_check(look_up_txt),)), *HOPS[after:])

"""`feedbackctl replay`: show the effect of feedback on contacts and suppression list, without an AWS account."""

import json
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any

import click
from rich.console import Console

from feedbackctl.errors import OperatorError
from feedbackctl.local_extra import local_extra
from feedbackctl.replay.json_output import to_json
from feedbackctl.replay.message_files import MessageFileError, find_files
from feedbackctl.replay.progress import show_progress
from feedbackctl.replay.result import ReplayResult
from feedbackctl.replay.tables import print_tables
from ses_feedback.contacts.contact import MAX_SOFT_BOUNCE_LIMIT
from ses_feedback.judging.policy import AmbiguousComplaint
from ses_feedback.settings import parse_streams
from ses_feedback.timestamps import parse_timestamp

_PIPE_WIDTH = 160
"""Columns of output that is not a terminal: wide enough for most addresses."""
_MAX_PRINTED_FAILURES = 20


def _parse_time(_context: click.Context, _parameter: click.Parameter, text: str | None) -> datetime | None:
    time = parse_timestamp(text) if text else None
    if text and time is None:
        raise click.BadParameter("not a time; write it as in 2026-11-22T12:00:00Z")
    return time


def _parse_streams(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[str, ...]:
    try:
        return parse_streams(text)
    except ValueError:
        raise click.BadParameter("give at most 20 names of letters, digits, hyphens and underscores") from None


@click.command
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for scripts.")
@click.option("--all", "all_rows", is_flag=True, help="Print every row of each table.")
@click.option("--logs", is_flag=True, help="Print the functions' log lines to standard error.")
@click.option("--sandbox", is_flag=True, help="Refuse suppression list entries, as SES does in its sandbox.")
@click.option(
    "--soft-bounce-limit",
    type=click.IntRange(1, MAX_SOFT_BOUNCE_LIMIT),
    metavar="DAYS",
    default=5,
    show_default=True,
    help="Number of days with a soft bounce that suspends a contact.",
)
@click.option(
    "--soft-bounce-window-days",
    type=click.IntRange(0, 3650),
    metavar="DAYS",
    default=0,
    show_default=True,
    help="Length of the period that contains these days. 0 means 365.",
)
@click.option(
    "--ambiguous-complaint",
    type=click.Choice([choice.value for choice in AmbiguousComplaint]),
    default=AmbiguousComplaint.UNSUBSCRIBE.value,
    show_default=True,
    help="Effect of a complaint that names several recipients.",
)
@click.option(
    "--suspension-days",
    type=click.IntRange(0, 365),
    metavar="DAYS",
    default=30,
    show_default=True,
    help="Days after which a suspension ends. 0 means never.",
)
@click.option(
    "--streams",
    callback=_parse_streams,
    metavar="NAMES",
    default="",
    help="Streams that a person can opt out of, separated by commas.",
)
@click.option(
    "--at",
    callback=_parse_time,
    metavar="TIME",
    help="Time of the replay, as in 2026-11-22T12:00:00Z. [default: right after the newest event]",
)
@click.option("--list-suspended", is_flag=True, help="Add suspended contacts to the suppression list.")
@click.option("--suppress-unsubscribed", is_flag=True, help="Add unsubscribed contacts to the suppression list.")
def replay(
    paths: tuple[Path, ...],
    *,
    as_json: bool,
    all_rows: bool,
    logs: bool,
    sandbox: bool,
    ambiguous_complaint: str,
    at: datetime | None,
    **parameters: Any,  # noqa: ANN401 (the stack's parameters, which click has validated)
) -> None:
    """Show the effect of the messages in PATH on contacts and suppression list.

    PATH is a file, or a folder of files. A file has one message, or one message per line (NDJSON): a Lambda event, an
    SNS message, an EventBridge event, an SES notification or event, or any other text that a queue can carry.

    The messages go through the same code that is deployed, on AWS emulated in this process. A replay needs no
    account, no credentials and no network, but it needs the extra `local`.

    The exit code is 0 if every message was applied, ignored or quarantined, 1 if a message was not, and 2 if the
    command line is invalid.
    """
    began = monotonic()
    with local_extra("feedbackctl replay"):
        from feedbackctl.replay.embedded_stack import replay_files  # noqa: PLC0415 (needs the extra `local`)

    try:
        files = find_files(paths)
    except MessageFileError as error:
        raise click.UsageError(str(error)) from None
    try:
        with show_progress(files) as progress:
            result = replay_files(
                files,
                sandbox=sandbox,
                log=_print_error if logs else _discard,
                progress=progress,
                at=at,
                ambiguous_complaint=AmbiguousComplaint(ambiguous_complaint),
                **parameters,
            )
    except MessageFileError as error:
        raise OperatorError(str(error)) from None
    if as_json:
        click.echo(json.dumps(to_json(result), indent=2))
    else:
        print_tables(_console(), result, len(files), monotonic() - began, all_rows=all_rows)
    if not report_failures(result):
        raise SystemExit(1)


def report_failures(result: ReplayResult) -> bool:
    """Print failures to standard error, and return True if there are none."""
    for finding in result.unapplied[:_MAX_PRINTED_FAILURES]:
        _print_error(f"Not applied: {finding.source}: {finding.reason}")
    if result.unapplied:
        _print_error(f"Error: {len(result.unapplied)} of {result.messages} messages could not be applied.")
    if not result.settled:
        _print_error("Error: the suppression list still differs from the contacts.")
    return result.settled and not result.unapplied


def _print_error(line: str) -> None:
    click.echo(line, err=True)


def _discard(_line: str) -> None:
    pass


def _console() -> Console:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    return console

"""`feedbackctl replay`: show the effect of feedback on contacts and suppression list, without an AWS account."""

from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any

import click
from rich.console import Console

from feedbackctl.commands.contact.explain import print_explanation
from feedbackctl.contacts.addresses import parse_argument
from feedbackctl.errors import OperatorError
from feedbackctl.local_extra import local_extra
from feedbackctl.replay.json_output import to_json
from feedbackctl.replay.message_files import MessageFileError, MissingMessagesError, find_files, spooled_input
from feedbackctl.replay.policy_options import policy_options
from feedbackctl.replay.progress import show_progress
from feedbackctl.replay.result import ReplayResult
from feedbackctl.replay.tables import print_tables
from feedbackctl.terminal.output import Format, print_document
from ses_feedback.timestamps import parse_timestamp

JSON_FIELDS = {
    "contacts": "each contact with its status, what may be sent, and the days of its deliveries and soft bounces",
    "suppression_list": "entries, each with `address` and `reason`",
    "metrics": "sums of the metrics; of lags the longest, in milliseconds",
    "ignored": "messages that are not about an email, each with `source` (file, line, record) and `why`",
    "quarantined": "malformed messages, each with `source` and `why`",
    "contact, history, insights, undo": "with --explain only these: as `contact explain`",
}
_PIPE_WIDTH = 160
"""Columns of output that is not a terminal: wide enough for most addresses."""
_MAX_PRINTED_FAILURES = 20


def _parse_time(_context: click.Context, _parameter: click.Parameter, text: str | None) -> datetime | None:
    time = parse_timestamp(text) if text else None
    if text and time is None:
        raise click.BadParameter("not a time; write it as in 2026-11-22T12:00:00Z")
    return time


def _parse_address(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    return parse_argument(text).key if text is not None else None


@click.command
@click.argument(
    "paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(exists=True, allow_dash=True, path_type=Path)
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for scripts.")
@click.option("--all", "all_rows", is_flag=True, help="Print every row of each table.")
@click.option("--logs", is_flag=True, help="Print the functions' log lines to standard error.")
@click.option("--sandbox", is_flag=True, help="Refuse suppression list entries, as SES does in its sandbox.")
@click.option(
    "--explain",
    callback=_parse_address,
    metavar="ADDRESS",
    help="Print the history of this contact instead, as `feedbackctl contact explain` does.",
)
@click.option(
    "--at",
    callback=_parse_time,
    metavar="TIME",
    help="Time of the replay, as in 2026-11-22T12:00:00Z. [default: right after the newest event]",
)
@policy_options
def replay(
    paths: tuple[Path, ...],
    *,
    as_json: bool,
    all_rows: bool,
    logs: bool,
    sandbox: bool,
    explain: str | None,
    at: datetime | None,
    **parameters: Any,  # noqa: ANN401 (the stack's parameters, which click has validated)
) -> None:
    """Show the effect of the messages in PATH on contacts and suppression list.

    PATH is a file, a folder of files, or `-` for standard input. A file has one message or many: an array, one message
    per line (NDJSON), or one after the other; as UTF-8, UTF-16 or UTF-32, with or without gzip. A message is an SES
    notification or event, an SNS message, an EventBridge event, or any other text that a queue can carry. Output of
    `aws sqs receive-message`, Lambda events and records of failed invocations are opened, also inside of messages, and
    bodies that quarantine packed are unpacked. Each message inside counts by itself.

    The replay runs at the time of the newest event, or at the time of --at: suspensions that end until then have ended.
    So the same files have the same result on any day.

    The messages go through the same code that is deployed, on AWS emulated in this process. A replay needs no
    account, no credentials and no network, but it needs the extra `local`.

    The exit code is 0 if every message was applied, ignored or quarantined, 1 if a message was not, and 2 if the
    command line is invalid.
    """
    began = monotonic()
    with local_extra("feedbackctl replay"):
        from feedbackctl.replay.embedded_stack import replay_files  # noqa: PLC0415 (needs the extra `local`)

    try:
        with spooled_input(paths) as spooled:
            files = find_files(spooled)
            with show_progress(files) as progress:
                result = replay_files(
                    files,
                    sandbox=sandbox,
                    log=_print_error if logs else _discard,
                    progress=progress,
                    at=at,
                    explain=explain,
                    **parameters,
                )
    except MissingMessagesError as error:
        raise click.UsageError(str(error)) from None
    except MessageFileError as error:
        raise OperatorError(str(error)) from None
    if result.explained:
        one = result.explained
        print_explanation(one.record, one.limits, one.history, Format.JSON if as_json else Format.TABLE, {})
    elif as_json:
        print_document(to_json(result))
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

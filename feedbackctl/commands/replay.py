"""`feedbackctl replay`: what becomes of contacts and suppression list, without an AWS account."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from feedbackctl.replay import display, message_files
from feedbackctl.replay.replay import Replay, Result
from localaws.in_process.embedded_aws import EmbeddedAws
from ses_feedback.contacts.contact import MAX_SOFT_BOUNCE_LIMIT
from ses_feedback.judging.policy import AmbiguousComplaint
from ses_feedback.settings import Settings

PATIENCE = 1.0
"""Seconds after which a progress bar is welcome."""
NO_TERMINAL_WIDTH = 160
"""Columns of what is piped: nobody knows who reads it, and addresses should not be cut."""


@click.command
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for scripts.")
@click.option("--all", "everything", is_flag=True, help="Cut no table short.")
@click.option("--logs", is_flag=True, help="Show on standard error what the functions log.")
@click.option("--sandbox", is_flag=True, help="Let SES refuse suppression list entries, as in its sandbox.")
@click.option(
    "--soft-bounce-limit",
    type=click.IntRange(1, MAX_SOFT_BOUNCE_LIMIT),
    metavar="DAYS",
    default=5,
    show_default=True,
    help="Days with a soft bounce that suspend a contact.",
)
@click.option(
    "--soft-bounce-window-days",
    type=click.IntRange(1, 3650),
    metavar="DAYS",
    default=90,
    show_default=True,
    help="Days within which they must lie.",
)
@click.option(
    "--ambiguous-complaint",
    type=click.Choice([choice.value for choice in AmbiguousComplaint]),
    default=AmbiguousComplaint.UNSUBSCRIBE.value,
    show_default=True,
    help="What a complaint that names several recipients does to each.",
)
@click.option("--suppress-unsubscribed", is_flag=True, help="Put the unsubscribed on the suppression list too.")
def replay(paths: tuple[Path, ...], *, as_json: bool, everything: bool, logs: bool, **stack: Any) -> None:  # noqa: ANN401 (the stack's parameters, which click has checked)
    """See what becomes of your contacts when SES says what is in PATH.

    PATH is a file, or a folder of them. A file holds one message, or one a line (NDJSON): a Lambda event, an SNS
    message, an EventBridge event, a notification or event of SES's, or anything else a queue may have brought.

    The messages go through the very functions that are deployed, in an AWS inside this process: it needs no account,
    no credentials and no network. The exit status is 0 when every message was applied, ignored or quarantined, 1 when
    one was not, 2 when the command can't be understood.
    """
    began = time.monotonic()
    console = _console()
    try:
        files = message_files.find_files(paths)
    except message_files.SourceError as error:
        raise click.UsageError(str(error)) from None
    try:
        with _progress(files) as progress:
            result = _replayed(files, progress, logs=logs, **stack)
    except message_files.SourceError as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps(display.as_json(result), indent=2))
    else:
        display.show(console, result, len(files), time.monotonic() - began, everything=everything)
    if not conclude(result):
        sys.exit(1)


def conclude(result: Result) -> bool:
    """Say whether every message is accounted for, and on standard error which is not."""
    for left in result.left[:20]:
        click.echo(f"Not applied: {left.source}: {left.why}", err=True)
    if result.left:
        click.echo(f"Error: {len(result.left)} of {result.messages} messages could not be applied.", err=True)
    if not result.settled:
        click.echo("Error: the suppression list still does not sync the contacts.", err=True)
    return result.settled and not result.left


def _replayed(
    files: list[Path],
    progress: Callable[[int, int], None],
    *,
    logs: bool,
    sandbox: bool,
    ambiguous_complaint: str,
    **stack: Any,  # noqa: ANN401 (as above)
) -> Result:
    with EmbeddedAws(sandbox=sandbox) as aws:
        settings = Settings(
            table_name=aws.table_name,
            quarantine_queue_url=aws.quarantine_url,
            event_bus_name=aws.event_bus_name,
            ambiguous_complaint=AmbiguousComplaint(ambiguous_complaint),
            **stack,
        )
        log = (lambda line: click.echo(line, err=True)) if logs else (lambda _: None)
        return Replay(aws, settings, log).run(message_files.read(files), progress)


@contextmanager
def _progress(files: list[Path]) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on standard error when it takes long and somebody is there to see it."""
    columns = (
        TextColumn("Replaying"),
        BarColumn(bar_width=None),
        DownloadColumn(),
        TextColumn("{task.fields[messages]:,} messages"),
        TimeRemainingColumn(),
    )
    began = time.monotonic()
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("", total=sum(file.stat().st_size for file in files), messages=0)

    def advance(messages: int, size: int) -> None:
        bar.update(task, advance=size, messages=messages)
        if bar.console.is_terminal and not bar.live.is_started and time.monotonic() - began > PATIENCE:
            bar.start()

    try:
        yield advance
    finally:
        if bar.live.is_started:
            bar.stop()


def _console() -> Console:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = NO_TERMINAL_WIDTH
    return console

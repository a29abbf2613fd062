"""The progress bar of a replay."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn

from feedbackctl.replay.message_files import total_size
from feedbackctl.terminal.progress import show_bar

DELAY = 1.0
"""Seconds after which the bar appears."""


@contextmanager
def show_progress(files: Sequence[Path]) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on standard error if that is a terminal and the replay takes longer than `DELAY`.

    Yields a function that takes the number of messages so far, and the bytes since the last call.
    """
    columns = (
        TextColumn("Replaying"),
        BarColumn(bar_width=None),
        DownloadColumn(),
        TextColumn("{task.fields[messages]:,} messages"),
        TimeRemainingColumn(),
    )
    with show_bar(*columns, total=total_size(files), delay=DELAY, messages=0) as update:
        yield lambda messages, size: update(advance=size, messages=messages)

"""The progress bar of a replay."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

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
    began = time.monotonic()
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("", total=sum(file.stat().st_size for file in files), messages=0)

    def advance(messages: int, size: int) -> None:
        bar.update(task, advance=size, messages=messages)
        if bar.console.is_terminal and not bar.live.is_started and time.monotonic() - began > DELAY:
            bar.start()

    try:
        yield advance
    finally:
        if bar.live.is_started:
            bar.stop()

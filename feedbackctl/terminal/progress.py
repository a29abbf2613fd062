"""Progress of work that takes longer than two seconds, on standard error."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

DELAY = 2.0
"""Seconds after which progress appears."""


@contextmanager
def show_progress(
    label: str, total: int | None = None, *, rows_are_printed: bool = False
) -> Iterator[Callable[[int], None]]:
    """Show progress if standard error is a terminal and the work takes longer than `DELAY`.

    With `rows_are_printed` it is not shown if standard output is a terminal as well, because the rows show it.

    Yields a function that takes the number of items done since the last call.
    """
    from rich.console import Console  # noqa: PLC0415 (a command that fails early does not need it)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task(label, total=total)
    began = time.monotonic()
    is_shown = bar.console.is_terminal and not (rows_are_printed and sys.stdout.isatty())

    def advance(done: int) -> None:
        bar.update(task, advance=done)
        if is_shown and not bar.live.is_started and time.monotonic() - began > DELAY:
            bar.start()

    try:
        yield advance
    finally:
        if bar.live.is_started:
            bar.stop()

"""Progress of work that takes longer than a second or two, on standard error."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

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
    from rich.progress import (  # noqa: PLC0415 (a command that fails early does not need it)
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    is_wanted = not (rows_are_printed and sys.stdout.isatty())
    with show_bar(*columns, total=total, delay=DELAY, is_wanted=is_wanted) as update:
        yield lambda done: update(advance=done)


@contextmanager
def show_bar(
    *columns: "ProgressColumn",
    total: int | None,
    delay: float,
    is_wanted: bool = True,
    **fields: Any,  # noqa: ANN401 (values that the columns print)
) -> Iterator[Callable[..., None]]:
    """Show a bar of these columns if it is wanted, standard error is a terminal and the work takes longer than `delay`.

    Yields a function that takes what changed: `advance`, which is added to what is done, and new values of `fields`.
    """
    from rich.console import Console  # noqa: PLC0415 (a command that fails early does not need it)
    from rich.progress import Progress  # noqa: PLC0415

    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("", total=total, **fields)
    began = time.monotonic()
    is_shown = is_wanted and bar.console.is_terminal

    def update(**changes: Any) -> None:  # noqa: ANN401
        bar.update(task, **changes)
        if is_shown and not bar.live.is_started and time.monotonic() - began > delay:
            bar.start()

    try:
        yield update
    finally:
        if bar.live.is_started:
            bar.stop()

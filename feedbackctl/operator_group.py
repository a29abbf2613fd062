"""The command group of `feedbackctl`: lazy commands, and one place that handles every error.

No command ends with a traceback, no message contains a control character, and exit codes are the same everywhere:
0 fine, 1 failing or refused, 2 usage, 3 unknown.
"""

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from feedbackctl.errors import OperatorError, UnknownResultError
from feedbackctl.lazy_group import LazyGroup
from feedbackctl.operator_options import COMMAND
from feedbackctl.printable import printable_lines

_FAILED = 1
_TRACEBACK = "FEEDBACKCTL_TRACEBACK"
"""Environment variable that shows the traceback of an internal error, for a bug report."""


class OperatorGroup(LazyGroup):
    """The group whose errors end as one message and an exit code."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:  # noqa: ANN401 (click's own arguments)
        """Return the context; colours are off if NO_COLOR is set (https://no-color.org)."""
        context = super().make_context(*args, **kwargs)
        if os.environ.get("NO_COLOR"):
            context.color = False
        return context

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 (click's own signature)
        **extra: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Run the command line, and end the process with the exit code unless `standalone_mode` is False."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        _accept_any_character()
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except click.Abort:
            click.echo("\nInterrupted. Run the same command again to continue.", err=True)
            code = _FAILED
        except click.ClickException as error:
            code = _show(error)
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, context: click.Context) -> Any:  # noqa: ANN401 (the command's result)
        """Run the command, and turn each error into a message.

        Raises:
            OperatorError: the command failed.

        """
        try:
            return super().invoke(context)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # click ends quietly if the reader of the pipe has ended
            raise _describe(error, context) from error
        except Exception as error:
            raise _describe(error, context) from error


def _describe(error: Exception, context: click.Context) -> OperatorError:
    from feedbackctl.aws_failures import describe_failure  # noqa: PLC0415 (botocore is imported only to fail)
    from feedbackctl.permissions import is_change  # noqa: PLC0415

    message = describe_failure(error)
    if message:
        return OperatorError(message) if is_change(context.meta.get(COMMAND, "")) else UnknownResultError(message)
    if isinstance(error, OSError):
        return OperatorError(f"{error.strerror or type(error).__name__}: {error.filename or 'input or output'}")
    if os.environ.get(_TRACEBACK):
        import traceback  # noqa: PLC0415 (bug reports only)

        return OperatorError("".join(traceback.format_exception(error)))
    return OperatorError(
        f"Internal error: {type(error).__name__} in {_place(error)}. This is a bug. Run the command again with "
        f"{_TRACEBACK}=1, and report the output without addresses."
    )


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "unknown"


def _show(error: click.ClickException) -> int:
    if isinstance(error, click.UsageError) and error.ctx is not None:
        click.echo(error.ctx.get_usage(), err=True)
        click.echo(f"Try '{error.ctx.command_path} --help' for help.\n", err=True)
    click.echo(f"Error: {printable_lines(error.format_message())}", err=True)
    return error.exit_code


def _accept_any_character() -> None:
    """Print an escape for a character that the terminal's encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]

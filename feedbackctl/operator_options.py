"""Options that operator commands share, as decorators."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from feedbackctl.terminal.output import Format

if TYPE_CHECKING:
    from feedbackctl.stack import Stack

_Function = TypeVar("_Function", bound=Callable[..., Any])
COMMAND = "feedbackctl.command"
"""Key of click's shared `meta` with the words of the running command, such as `contact show`."""
_REASON_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Target:
    """The stack that the options name."""

    name: str | None
    profile: str | None
    region: str | None

    def find_stack(self) -> "Stack":
        """Return the stack.

        Raises:
            OperatorError: it cannot be determined, or does not exist.

        """
        from feedbackctl.aws_session import AwsSession  # noqa: PLC0415 (`--help` does not import botocore)
        from feedbackctl.stack import find_stack  # noqa: PLC0415

        return find_stack(AwsSession(self.profile, self.region), self.name)


def stack_options(function: _Function) -> Callable[..., Any]:
    """Add `--stack`, `--profile` and `--region`; the command receives them as the argument `target`."""

    @click.option(
        "--stack",
        metavar="NAME",
        help="The stack. [default: the one in samconfig.toml, else the only one in the Region]",
    )
    @click.option("--profile", metavar="NAME", help="The AWS profile, as in AWS's own command line.")
    @click.option("--region", metavar="NAME", help="The AWS Region, as in AWS's own command line.")
    @wraps(function)
    def with_target(
        *args: Any,  # noqa: ANN401 (the command's own arguments, here and below)
        stack: str | None,
        profile: str | None,
        region: str | None,
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        context = click.get_current_context()
        context.meta[COMMAND] = context.command_path.partition(" ")[2]
        return function(*args, target=Target(stack, profile, region), **options)

    return with_target


def json_option(function: _Function) -> Callable[..., Any]:
    """Add `--json`; the command receives `output_format`."""
    return _format_options(function, json="Print one JSON object.")


def row_options(function: _Function) -> Callable[..., Any]:
    """Add `--json`, `--csv` and `--ndjson`; the command receives `output_format`."""
    return _format_options(
        function,
        json="Print one JSON object.",
        csv="Print CSV. No cell is evaluated as a formula.",
        ndjson="Print a JSON object for each row.",
    )


def reason_option(function: _Function) -> Callable[..., Any]:
    """Add `--reason`, which is stored in the history of each contact that changes."""
    return click.option(
        "--reason",
        required=True,
        metavar="TEXT",
        callback=_validate_reason,
        help=f"The person who asked for the change, and why. It is stored; at most {_REASON_LENGTH} characters.",
    )(function)


def yes_option(function: _Function) -> Callable[..., Any]:
    """Add `--yes`, which confirms in a script."""
    return click.option("--yes", is_flag=True, help="Confirm the change without a question, for scripts.")(function)


def _format_options(function: Callable[..., Any], **formats: str) -> Callable[..., Any]:
    @wraps(function)
    def with_format(*args: Any, **options: Any) -> Any:  # noqa: ANN401 (the command's own arguments)
        chosen = [name for name in formats if options.pop(f"as_{name}")]
        if len(chosen) > 1:
            raise click.UsageError(f"Give one of {', '.join(f'--{name}' for name in formats)}.")
        return function(*args, output_format=Format(chosen[0] if chosen else Format.TABLE), **options)

    command: Callable[..., Any] = with_format
    for name, summary in reversed(formats.items()):
        command = click.option(f"--{name}", f"as_{name}", is_flag=True, help=summary)(command)
    return command


def _validate_reason(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    """Return the reason without surrounding space. DynamoDB reads and writes it with each feedback of the contact."""
    reason = text.strip()
    if not reason:
        raise click.BadParameter("the reason is empty; name the person who asked for the change, and why")
    if len(reason) > _REASON_LENGTH:
        raise click.BadParameter(f"the reason has {len(reason)} characters; shorten it to {_REASON_LENGTH}")
    if not reason.isprintable():
        raise click.BadParameter("the reason has characters that are not printable; write it as plain text in UTF-8")
    return reason

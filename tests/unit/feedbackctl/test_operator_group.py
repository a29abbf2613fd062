"""Errors of every command: one message without control characters, and an exit code."""

import errno
from collections.abc import Callable

import click
import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from click.testing import CliRunner, Result

from feedbackctl.errors import OperatorError, UnknownResultError
from feedbackctl.lazy_group import LazyCommand
from feedbackctl.operator_group import OperatorGroup
from feedbackctl.operator_options import COMMAND


def denied() -> ClientError:
    message = "User: arn:aws:iam::123456789012:user/a is not authorized to perform: dynamodb:GetItem on resource: x"
    return ClientError({"Error": {"Code": "AccessDeniedException", "Message": message}}, "GetItem")


def run(fail: Callable[[], None], *, command: str = "") -> Result:
    """Run a command that calls `fail`; `command` is the name that it declares."""

    @click.command
    def failing() -> None:
        click.get_current_context().meta[COMMAND] = command
        fail()

    class Loaded(LazyCommand):
        def load(self) -> click.Command:
            return failing

    group = OperatorGroup(lazy_commands={"failing": Loaded("", "")})
    return CliRunner().invoke(group, ["failing"])


def raising(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (OperatorError("a\x1b[2Jb"), 1, "Error: a\\x1b[2Jb\n"),
        (UnknownResultError("could not tell"), 3, "Error: could not tell\n"),
        (click.UsageError("b\u202ead"), 2, "Error: b\\u202ead\n"),
        (KeyboardInterrupt(), 1, "Interrupted. Run the same command again to continue.\n"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "f\x1b"), 1, "No such file or directory: f\\x1b"),
        (NoCredentialsError(), 1, "There are no valid AWS credentials"),
    ],
    ids=["refused", "unknown", "usage", "ctrl-c", "file", "credentials"],
)
def test_error_has_a_message_and_an_exit_code(error: BaseException, code: int, text: str) -> None:
    result = run(raising(error))
    assert (result.exit_code, text in result.stderr, "Traceback" in result.stderr) == (code, True, False)


def test_denied_action_is_named() -> None:
    result = run(raising(denied()))
    assert (result.exit_code, "does not allow dynamodb:GetItem" in result.stderr) == (1, True)


def test_aws_error_of_a_command_that_only_reads_is_unknown() -> None:
    assert run(raising(denied()), command="iam read").exit_code == 3


def test_bug_is_one_message_with_its_place_and_no_traceback() -> None:
    result = run(raising(ZeroDivisionError("secret@example.com")))
    assert (result.exit_code, "secret" in result.stderr) == (1, False)
    assert "Internal error: ZeroDivisionError in test_operator_group.py:" in result.stderr


def test_traceback_of_a_bug_is_printed_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEEDBACKCTL_TRACEBACK", "1")
    assert "Traceback" in run(raising(ZeroDivisionError())).stderr


@pytest.mark.parametrize(("value", "coloured"), [("", True), ("1", False)])
def test_no_color_turns_colours_off(value: str, *, coloured: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", value)
    group = OperatorGroup(lazy_commands={})
    context = group.make_context("feedbackctl", ["x"], resilient_parsing=True)
    assert (context.color is not False) is coloured

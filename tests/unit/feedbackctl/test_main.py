"""The command group: help, version, and imports."""

import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from feedbackctl.__main__ import COMMANDS, main
from localaws.commands import local
from tests.support.builders import RECIPIENT

EXPENSIVE = {"boto3", "botocore", "localaws", "moto", "pydantic", "rich", "ses_feedback"}
LIST_IMPORTS = """
import json, sys
from feedbackctl.__main__ import main
main(sys.argv[1:], prog_name="feedbackctl", standalone_mode=False)
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def imported_packages(*arguments: str) -> set[str]:
    """Return the top-level packages that a command line imports."""
    command = [sys.executable, "-c", LIST_IMPORTS, *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (this interpreter)
    assert finished.returncode == 0, finished.stderr
    return {name.partition(".")[0] for name in json.loads(finished.stderr)}


def test_help_imports_no_command_and_no_expensive_package() -> None:
    imported = imported_packages("--help")
    assert ("click" in imported, imported & EXPENSIVE) == (True, set())


def test_version_imports_no_expensive_package() -> None:
    assert imported_packages("--version") & EXPENSIVE == set()


def test_help_of_contact_imports_no_expensive_package() -> None:
    assert imported_packages("contact", "--help") & EXPENSIVE == set()


def test_help_of_reinstate_imports_no_emulation() -> None:
    assert imported_packages("contact", "reinstate", "--help") & {"boto3", "localaws", "moto"} == set()


def test_help_of_replay_needs_no_emulation() -> None:
    assert imported_packages("replay", "--help") & {"boto3", "localaws", "moto"} == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_loads_and_prints_its_help(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.name == name
    result = CliRunner().invoke(main, [name, "-h"])
    assert (result.exit_code, "Usage: " in result.stdout) == (0, True)


def test_local_accepts_the_short_help_option_without_feedbackctl() -> None:
    result = CliRunner().invoke(local, ["-h"])
    assert (result.exit_code, "Usage: " in result.stdout) == (0, True)


def test_help_lists_each_command_with_its_summary() -> None:
    printed = CliRunner().invoke(main, ["--help"]).stdout
    lines = [line.strip().split(maxsplit=1) for line in printed.partition("Commands:\n")[2].splitlines()]
    assert lines == [[name, command.summary] for name, command in COMMANDS.items()]


@pytest.mark.parametrize(
    "arguments",
    [
        ["redrive", "--from", "https://example.com/1/a", "--to", "https://example.com/1/b"],
        ["contact", "reinstate", RECIPIENT, "--reason", "asked"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_missing_region_is_an_error(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "invalid")
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, "egion" in result.output) == (1, True)


def test_unknown_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["reinstat"])
    assert (result.exit_code, "No such command 'reinstat'" in result.stderr) == (2, True)


def test_version_is_that_of_the_distribution() -> None:
    assert CliRunner().invoke(main, ["--version"]).stdout.startswith("ses-feedback ")

"""`feedbackctl smoke` and `feedbackctl demo` on the deployed stack."""

import io

from click.testing import CliRunner
from rich.console import Console

from feedbackctl.__main__ import main
from localaws.demo.run import Demo
from tests.e2e.stack_under_test import StackUnderTest


def test_smoke_passes_every_stage(stack: StackUnderTest, runner: CliRunner) -> None:
    result = runner.invoke(main, ["smoke", "--stack", stack.name, "--patience", "60"])
    assert (result.exit_code, result.output.count("✓"), result.output.count("✗")) == (0, 7, 0)


def test_smoke_names_the_stage_that_fails_without_dynamodb(
    short_visibility_stack: StackUnderTest, runner: CliRunner
) -> None:
    stack = short_visibility_stack
    stack.inject_faults({"service": "dynamodb", "status": 500})
    result = runner.invoke(main, ["smoke", "--stack", stack.name, "--patience", "3"])
    assert result.exit_code == 1
    assert "✗ success@ is active" in result.output
    stack.inject_faults()
    assert stack.drain_lanes() == {}


def test_smoke_reports_that_a_stack_does_not_exist(runner: CliRunner) -> None:
    result = runner.invoke(main, ["smoke", "--stack", "nothing"])
    assert (result.exit_code, result.output) == (
        1,
        "Error: There is no stack nothing in this account in us-east-1.\n",
    )


def test_demo_fits_on_a_screen_of_eighty_columns(stack: StackUnderTest) -> None:
    screen = io.StringIO()
    Demo(stack, Console(file=screen, width=80)).run()
    lines = screen.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) < 50
    assert "Permanent/OnAccountSuppressionList" in screen.getvalue()

"""The commands for people, on the deployed stack."""

import io

from click.testing import CliRunner
from rich.console import Console

from feedbackctl.commands.smoke import smoke
from localaws.demo.demo import Demo
from tests.e2e.deployed_stack import World


def test_smoke_passes(world: World, runner: CliRunner) -> None:
    """Every stage, with its latency."""
    outcome = runner.invoke(smoke, ["--stack", world.name, "--patience", "60"])
    assert (outcome.exit_code, outcome.output.count("✓"), outcome.output.count("✗")) == (0, 13, 0)


def test_smoke_says_which_stage_fails(impatient: World, runner: CliRunner) -> None:
    """With DynamoDB away nothing becomes of the first mail."""
    world = impatient
    world.fail({"service": "dynamodb", "status": 500})
    outcome = runner.invoke(smoke, ["--stack", world.name, "--patience", "3"])
    assert outcome.exit_code == 1
    assert "✗ success@ is active" in outcome.output
    world.fail()
    assert world.nothing_waits() == {}


def test_smoke_needs_a_stack(runner: CliRunner) -> None:
    """It says so when there is none of that name."""
    outcome = runner.invoke(smoke, ["--stack", "nothing"])
    assert (outcome.exit_code, outcome.output) == (
        1,
        "Error: There is no stack nothing in this account and Region.\n",
    )


def test_the_demo_fits_on_a_screen(world: World) -> None:
    """Eighty columns, and what a second mail gives."""
    screen = io.StringIO()
    Demo(world, Console(file=screen, width=80)).run()
    lines = screen.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) < 50
    assert "Permanent/OnAccountSuppressionList" in screen.getvalue()

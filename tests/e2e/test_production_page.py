"""The commands in docs/operate/production.md, run as they are printed, in their order."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.stack_under_test import StackUnderTest
from tests.support.documents import shell_blocks

PAGE = "docs/operate/production.md"
ONLY_IN_AWS = "# only in AWS"
OUTPUT = next(block for block in shell_blocks("docs/operate/deploy.md") if "output()" in block)


def local_code(block: str) -> str:
    """Return a block with a domain that is not verified yet."""
    return block.replace("--email-identity example.com", "--email-identity shop.example.com")


def write_programs(directory: Path) -> None:
    """Write the programs `aws` and `feedbackctl`, which run in this Python."""
    for name, module in (("aws", "tests.support.aws_cli"), ("feedbackctl", "feedbackctl")):
        program = directory / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m {module} "$@"\n')
        program.chmod(0o755)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the working directory of the commands, with the file that the page assumes."""
    directory = tmp_path_factory.mktemp("production")
    write_programs(directory)
    (directory / "bounced.txt").write_text("gone@example.com\n")
    return directory


def run(stack: StackUnderTest, directory: Path, block: str) -> subprocess.CompletedProcess[str]:
    """Run a block in a shell of its own, with the functions of docs/operate/deploy.md."""
    paths = os.pathsep.join([str(directory), os.environ["PATH"]])
    root = str(Path(__file__).parents[2])
    modules = os.pathsep.join([f"{root}/src", root])
    environment = {**os.environ, **stack.server.environment, "PATH": paths, "PYTHONPATH": modules}
    script = f"set -euo pipefail\n{OUTPUT}\n{local_code(block)}\n"
    return subprocess.run(  # noqa: S603 (our own page)
        ["/bin/bash", "-c", script],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


BLOCKS = [block for block in shell_blocks(PAGE) if not block.startswith(ONLY_IN_AWS)]


@pytest.mark.parametrize("block", BLOCKS, ids=[f"block-{number}" for number in range(len(BLOCKS))])
def test_a_command_of_the_page_succeeds(stack: StackUnderTest, directory: Path, block: str) -> None:
    result = run(stack, directory, block)
    assert (result.returncode, result.stderr) == (0, ""), result.stdout
    stack.client("sesv2").put_configuration_set_sending_options(
        ConfigurationSetName=stack.outputs["ConfigurationSetName"], SendingEnabled=True
    )


def test_the_figures_of_a_review_are_those_of_the_stack(stack: StackUnderTest, directory: Path) -> None:
    """`daily` prints a line for each day with data: here today's emails."""
    (block,) = [block for block in BLOCKS if "daily()" in block]
    stack.send_email(stack.create_address("success"))
    lines = [line.split("\t") for line in run(stack, directory, block).stdout.splitlines() if line]
    assert any(float(value) >= 1 for _, value in lines)


def test_the_imported_address_is_suppressed(stack: StackUnderTest, directory: Path) -> None:
    (block,) = [block for block in BLOCKS if "bounced.txt" in block]
    assert "gone@example.com" in run(stack, directory, block).stdout
    assert stack.contact("gone@example.com")["status"] == "bounced"

"""`feedbackctl contact-hash` prints the hash that the logs have."""

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from feedbackctl.__main__ import main
from feedbackctl.errors import OperatorError
from feedbackctl.operator_options import Target
from feedbackctl.stack import Stack
from ses_feedback.processing.results import contact_hash

STACK_ID = "arn:aws:cloudformation:us-east-1:123456789012:stack/ours/1b2c3d4e-0000-1111-2222-333344445555"
Run = Callable[..., Result]


def find_stack(target: Target) -> Stack:
    """Return the only stack."""
    if target.name != "ours":
        raise OperatorError(f"There is no stack {target.name} in this account and Region.")
    return Stack("ours", {}, {}, arn=STACK_ID)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs the command."""
    monkeypatch.setattr(Target, "find_stack", find_stack)
    return lambda *arguments: CliRunner().invoke(main, ["contact-hash", *arguments])


@pytest.mark.parametrize("address", ["someone@example.com", "Someone@EXAMPLE.com"])
def test_the_hash_of_an_address_is_that_of_its_contact_in_the_logs_of_the_stack(run: Run, address: str) -> None:
    result = run(address, "--stack", "ours")
    assert (result.exit_code, result.output) == (0, contact_hash("someone@example.com", STACK_ID) + "\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("someone@example.com", "--stack", "theirs"), "There is no stack theirs in this account and Region."),
        (("someone", "--stack", "ours"), "give the bare address"),
    ],
)
def test_an_error_states_what_to_do(run: Run, arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, message in result.output) == (1, True)

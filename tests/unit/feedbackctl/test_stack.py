"""The stack that a command works on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from feedbackctl.aws_session import AwsSession
from feedbackctl.errors import OperatorError
from feedbackctl.stack import find_stack, read_samconfig
from tests.support.operated_stack import CALLER, STACK, OperatedStack, operated_stack

SAMCONFIG = '[default.global.parameters]\nstack_name = "{}"\nregion = "eu-west-1"\n'


@pytest.fixture
def stack() -> Iterator[OperatedStack]:
    with operated_stack() as running:
        yield running


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "samconfig.toml"


def test_named_stack_is_found(stack: OperatedStack, config: Path) -> None:
    found = find_stack(AwsSession(), STACK, config)
    assert (found.table, found.settings.streams) == (stack.aws.table_name, ("newsletter", "offers"))


def test_stack_of_samconfig_is_the_default(stack: OperatedStack, config: Path) -> None:
    stack.cloudformation.create_stack("other", stack.outputs, {})
    config.write_text(SAMCONFIG.format("other"), "utf-8")
    assert find_stack(AwsSession(), None, config).name == "other"


def test_only_stack_in_the_region_is_the_default_without_samconfig(stack: OperatedStack, config: Path) -> None:
    stack.cloudformation.create_stack("unrelated", {"Website": "https://example.com"}, {})
    assert find_stack(AwsSession(), None, config).name == STACK


@pytest.mark.parametrize(
    ("name", "text"),
    [("nope", "There is no stack nope in this account in us-east-1."), ("unrelated", "lacks the outputs Contacts")],
)
def test_stack_that_is_not_one_of_ours_is_an_error(stack: OperatedStack, config: Path, name: str, text: str) -> None:
    stack.cloudformation.create_stack("unrelated", {"Website": "https://example.com"}, {})
    with pytest.raises(OperatorError, match=text):
        find_stack(AwsSession(), name, config)


@pytest.mark.usefixtures("stack")
def test_stack_of_samconfig_that_does_not_exist_is_an_error_that_names_the_file(config: Path) -> None:
    config.write_text(SAMCONFIG.format("gone"), "utf-8")
    with pytest.raises(OperatorError, match=r"no stack gone .* \(samconfig.toml names it"):
        find_stack(AwsSession(), None, config)


def test_several_stacks_are_an_error_that_names_them(stack: OperatedStack, config: Path) -> None:
    stack.cloudformation.create_stack("other", stack.outputs, {})
    with pytest.raises(OperatorError, match="other, ses-feedback"):
        find_stack(AwsSession(), None, config)


def test_no_stack_is_an_error(stack: OperatedStack, config: Path) -> None:
    stack.cloudformation.stacks.clear()
    with pytest.raises(OperatorError, match="There is no stack of ses-feedback in us-east-1"):
        find_stack(AwsSession(), None, config)


def test_caller_is_the_identity_of_sts(stack: OperatedStack) -> None:
    assert (stack.aws.table_name, AwsSession().caller.arn) == ("Contacts", CALLER)


@pytest.mark.parametrize("text", ["not toml [", "default = 3", "[default]\nglobal = 3", "\x00"])
def test_samconfig_that_is_unusable_says_nothing(config: Path, text: str) -> None:
    config.write_text(text, "utf-8")
    assert read_samconfig(config) == ("", "")


def test_samconfig_gives_stack_and_region(config: Path) -> None:
    config.write_text(SAMCONFIG.format("s"), "utf-8")
    assert read_samconfig(config) == ("s", "eu-west-1")

"""A command that is run again after an interruption stores nothing twice. A later fact is one of its own."""

from datetime import timedelta

import pytest

from feedbackctl.commands.contact import facts
from ses_feedback.handlers.deadline import utc_now
from ses_feedback.timestamps import format_timestamp
from tests.support.builders import RECIPIENT, a_bounce, a_mail
from tests.support.operated_stack import OperatedStack

COMMANDS = {
    "suppress": ("suppress", RECIPIENT),
    "unsubscribe": ("unsubscribe", RECIPIENT),
    "unsubscribe stream": ("unsubscribe", RECIPIENT, "--stream", "newsletter"),
    "resubscribe": ("resubscribe", RECIPIENT),
    "resubscribe stream": ("resubscribe", RECIPIENT, "--stream", "newsletter"),
}


def run(stack: OperatedStack, *arguments: str) -> None:
    result = stack.run("contact", *arguments, "--reason", "by post")
    assert result.exit_code == 0, result.output


def actions(stack: OperatedStack) -> list[str]:
    """Return the names of the operator's actions in the history."""
    return [record.split("#")[2] for record in stack.records(RECIPIENT) if record.startswith("operator#")]


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_same_command_again_changes_nothing(stack: OperatedStack, command: tuple[str, ...]) -> None:
    run(stack, *command)
    contact = stack.item(RECIPIENT)
    run(stack, *command)
    assert (stack.item(RECIPIENT), actions(stack)) == (contact, [command[0]])


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_same_command_hours_later_is_a_fact_of_its_own(
    stack: OperatedStack, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """The person asked again."""
    run(stack, *command)
    monkeypatch.setattr(facts, "utc_now", lambda: utc_now() + timedelta(hours=2))
    run(stack, *command)
    assert actions(stack) == [command[0]] * 2


@pytest.mark.parametrize(
    ("command", "opposite", "status"),
    [
        (COMMANDS["suppress"], ("reinstate", RECIPIENT), "bounced"),
        (COMMANDS["unsubscribe"], COMMANDS["resubscribe"], "unsubscribed"),
        (COMMANDS["unsubscribe"], ("reinstate", RECIPIENT, "--they-asked"), "unsubscribed"),
    ],
)
def test_same_command_after_the_opposite_one_takes_effect(
    stack: OperatedStack, command: tuple[str, ...], opposite: tuple[str, ...], status: str
) -> None:
    for arguments in (command, opposite):
        run(stack, *arguments)
    assert stack.status(RECIPIENT) == "active"
    run(stack, *command)
    assert (stack.status(RECIPIENT), len(actions(stack))) == (status, 3)


def test_stream_that_is_opted_out_of_again_after_an_opt_in_takes_effect(stack: OperatedStack) -> None:
    for name in ("unsubscribe", "resubscribe", "unsubscribe"):
        run(stack, name, RECIPIENT, "--stream", "newsletter")
    assert stack.item(RECIPIENT)["no_streams"] == {"L": [{"S": "newsletter"}]}


@pytest.mark.parametrize("options", [(), ("--they-asked",)], ids=["reinstate", "opt-in"])
def test_same_reinstatement_again_changes_nothing(stack: OperatedStack, options: tuple[str, ...]) -> None:
    stack.receive(a_bounce())
    run(stack, "reinstate", RECIPIENT, *options)
    contact, records = stack.item(RECIPIENT), stack.records(RECIPIENT)
    run(stack, "reinstate", RECIPIENT, *options)
    assert (stack.item(RECIPIENT), stack.records(RECIPIENT)) == (contact, records)
    assert len(actions(stack)) == 1


def test_same_reinstatement_after_a_later_bounce_is_a_fact_of_its_own(stack: OperatedStack) -> None:
    stack.receive(a_bounce())
    run(stack, "reinstate", RECIPIENT)
    stack.aws.clock.sleep((utc_now() - stack.aws.clock.now()).total_seconds())
    at = stack.aws.clock.now()
    mail = a_mail(timestamp=format_timestamp(at), messageId="0100019c-later")
    stack.receive(a_bounce(at=at, mail=mail, feedbackId="0100019c-later"))
    assert stack.status(RECIPIENT) == "bounced"
    run(stack, "reinstate", RECIPIENT)
    assert (stack.status(RECIPIENT), actions(stack)) == ("active", ["reinstate"] * 2)

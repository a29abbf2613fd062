"""`feedbackctl quarantine`, `dead-letters` and `undelivered`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from feedbackctl.aws_session import AwsSession, Caller
from ses_feedback.aws.quarantine import Quarantine
from tests.support.operated_stack import OperatedStack, operated_stack

HOSTILE = "not JSON \x1b[2J \u202e =1+1 someone@example.com"
REASONS = ("unreadable: not JSON", "internal-error: KeyError", "unreadable: not JSON")


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OperatedStack]:
    monkeypatch.chdir(tmp_path)
    with operated_stack(calls_per_second=None) as running:
        yield running


@pytest.fixture
def filled(stack: OperatedStack) -> OperatedStack:
    """Return a stack with three messages in quarantine, of which SQS cannot carry the last as it is."""
    store = Quarantine(lambda: stack.aws.client("sqs"), stack.queues["QuarantineQueueUrl"])
    for text, reason in zip(("{}", "[]", HOSTILE), REASONS, strict=True):
        assert store.store(text, reason, "record-1") == ""
    return stack


def ids(stack: OperatedStack, *options: str) -> list[str]:
    return [message["id"] for message in stack.json("quarantine", "list", *options)["messages"]]


def bodies(stack: OperatedStack, output: str) -> list[str]:
    """Return the bodies of the messages in a queue."""
    found = stack.aws.client("sqs").receive_message(QueueUrl=stack.queues[output], MaxNumberOfMessages=10)
    return sorted(message["Body"] for message in found.get("Messages", []))


def test_list_has_reasons_and_no_contents(filled: OperatedStack) -> None:
    document = filled.json("quarantine", "list")
    assert document["reasons"] == {"unreadable: not JSON": 2, "internal-error: KeyError": 1}
    assert {message["source"] for message in document["messages"]} == {"record-1"}
    assert "someone@example.com" not in filled.run("quarantine", "list").output


def test_messages_stay_and_are_visible_again(filled: OperatedStack) -> None:
    assert len(ids(filled)) == len(ids(filled)) == 3
    assert len(ids(filled, "--reason", "keyerror")) == 1


def test_empty_queue_is_an_empty_array(stack: OperatedStack) -> None:
    assert stack.json("dead-letters", "list") == {"version": 1, "messages": [], "reasons": {}}
    assert "There are no messages." in stack.run("undelivered", "list").stderr


def test_show_prints_the_unpacked_text_without_control_characters(filled: OperatedStack) -> None:
    result = filled.run("quarantine", "show", *ids(filled))
    assert (result.exit_code, "not JSON \\x1b[2J \\u202e" in result.stdout) == (0, True)
    assert all(one.isprintable() or one == "\n" for one in result.stdout)
    [shown] = [one for one in filled.json("quarantine", "show", *ids(filled))["messages"] if one["size"] > 2]
    assert shown["text"] == HOSTILE


def test_unknown_message_is_an_error(filled: OperatedStack) -> None:
    result = filled.run("quarantine", "show", "unknown")
    assert (result.exit_code, "Not in the queue: unknown." in result.stderr) == (1, True)


def test_redrive_by_reason_leaves_other_messages(filled: OperatedStack) -> None:
    document = filled.json("quarantine", "redrive", "--reason", "KeyError", "--to", "bounce", "--yes")
    assert (document["moved"], bodies(filled, "BounceQueueUrl"), len(ids(filled))) == (1, ["[]"], 2)


def test_redrive_by_id_moves_these_only(filled: OperatedStack) -> None:
    chosen = ids(filled, "--reason", "KeyError")
    assert filled.json("quarantine", "redrive", *chosen, "--yes")["moved"] == 1
    assert (bodies(filled, "ComplaintQueueUrl"), len(ids(filled))) == (["[]"], 2)


def test_redrive_of_all_moves_the_original_texts(filled: OperatedStack) -> None:
    """SQS cannot carry the text with an escape character."""
    document = filled.json("quarantine", "redrive", "--all", "--yes")
    assert (document["moved"], document["left"], bodies(filled, "ComplaintQueueUrl")) == (2, 1, ["[]", "{}"])


def test_redrive_shows_both_queues_before_it_asks(filled: OperatedStack) -> None:
    result = filled.run("quarantine", "redrive", "--all")
    queues = filled.queues["QuarantineQueueUrl"], filled.queues["ComplaintQueueUrl"]
    assert result.stderr.startswith("From {}\nTo   {}\nError: This change asks for confirmation".format(*queues))


def test_queue_of_another_account_is_refused(filled: OperatedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stack's outputs name it, for example after a change by hand."""
    foreign = Caller("999999999999", "arn:aws:iam::999999999999:user/x")
    monkeypatch.setattr(AwsSession, "caller", foreign)
    result = filled.run("quarantine", "redrive", "--all", "--yes")
    assert (result.exit_code, "you are signed in to 999999999999" in result.stderr) == (1, True)
    assert len(ids(filled)) == 3


@pytest.mark.parametrize("name", ["dead-letters", "undelivered"])
def test_queue_is_that_of_the_stack_by_name(stack: OperatedStack, name: str) -> None:
    output = {"dead-letters": "DeadLetterQueueUrl", "undelivered": "UndeliveredQueueUrl"}[name]
    stack.aws.client("sqs").send_message(QueueUrl=stack.queues[output], MessageBody="text")
    assert len(stack.json(name, "list")["messages"]) == 1
    assert stack.json(name, "redrive", "--all", "--yes")["moved"] == 1
    assert bodies(stack, "ComplaintQueueUrl") == ["text"]


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ((), 2, "Give messages, or --reason, or --all."),
        (("--all", "--reason", "x"), 2, "Give messages, or --reason, or --all."),
        (("--all",), 1, "Give --yes to confirm in a script."),
    ],
    ids=["nothing", "both", "no terminal"],
)
def test_redrive_needs_a_choice_and_a_confirmation(
    filled: OperatedStack, options: tuple[str, ...], code: int, text: str
) -> None:
    result = filled.run("quarantine", "redrive", *options)
    assert (result.exit_code, text in result.stderr, len(ids(filled))) == (code, True, 3)

"""Output of the commands for queues and permissions, compared with files. `pytest --update-golden` writes them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ses_feedback.aws.quarantine import Quarantine
from tests.support.builders import RECIPIENT
from tests.support.operated_stack import OperatedStack, operated_stack
from tests.support.transcript import compare_with_file, transcript

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "not JSON \x1b[2J\x1b]0;title\x07 \u202e =1+1"
QUEUES = [
    ("quarantine", "list"),
    ("quarantine", "list", "--json"),
    ("quarantine", "list", "--reason", "keyerror", "--csv"),
    ("quarantine", "list", "--reason", "no such reason"),
    ("quarantine", "show", "FIRST"),
    ("quarantine", "show", "HOSTILE", "--json"),
    ("quarantine", "show", "unknown"),
    ("quarantine", "redrive"),
    ("quarantine", "redrive", "FIRST"),
    ("quarantine", "redrive", "FIRST", "--yes"),
    ("quarantine", "redrive", "--all", "--to", "bounce", "--yes"),
    ("quarantine", "redrive", "--all", "--yes", "--json"),
    ("quarantine", "list", "--ndjson"),
    ("dead-letters", "list"),
    ("dead-letters", "redrive", "--all", "--yes"),
    ("undelivered", "list", "--json"),
    ("undelivered", "redrive", "--reason", "x", "--yes", "--json"),
]
OTHERS = [
    ("contact-hash", RECIPIENT),
    ("contact-hash", "not an address"),
    ("iam", "read"),
    ("iam", "change"),
    ("iam", "change", "--stack", "unknown"),
]


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OperatedStack]:
    monkeypatch.chdir(tmp_path)
    with operated_stack(calls_per_second=None) as running:
        yield running


def test_output_about_queues_is_that_of_the_file(stack: OperatedStack, request: pytest.FixtureRequest) -> None:
    store = Quarantine(lambda: stack.aws.client("sqs"), stack.queues["QuarantineQueueUrl"])
    reasons = ("unreadable: not JSON", "internal-error: KeyError", f"unreadable: {HOSTILE}")
    for text, reason in zip(("{}", "[]", HOSTILE), reasons, strict=True):
        assert store.store(text, reason, "record-1") == ""
    first, _, hostile = (one["id"] for one in stack.json("quarantine", "list")["messages"])
    text = transcript(stack, QUEUES, {"FIRST": first, "HOSTILE": hostile})
    compare_with_file(text, GOLDEN / "queues.txt", request)


def test_output_of_other_commands_is_that_of_the_file(stack: OperatedStack, request: pytest.FixtureRequest) -> None:
    compare_with_file(transcript(stack, OTHERS), GOLDEN / "others.txt", request)

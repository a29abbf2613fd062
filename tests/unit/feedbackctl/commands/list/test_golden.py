"""Output of `feedbackctl list` on a small stack, compared with a file. `pytest --update-golden` writes it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.builders import OTHER_RECIPIENT, RECIPIENT, a_bounce, a_complaint, a_subscription
from tests.support.incident import incident, reader
from tests.support.operated_stack import OperatedStack, operated_stack
from tests.support.transcript import compare_with_file, transcript

GOLDEN = Path(__file__).parent / "golden" / "list.txt"
OPTED_OUT = "opted-out@example.com"
DIFF = ("list", "diff")
APPLY = ("list", "reconcile", "--apply", "--reason", "drift", "--yes")
BEFORE = [
    DIFF,
    (*DIFF, "--json"),
    (*DIFF, "--stack", "unknown"),
    ("list", "reconcile", "--reason", "drift"),
    ("list", "reconcile", "--reason", "drift", "--json"),
    ("list", "reconcile", "--apply", "--reason", "drift"),
    ("list", "reconcile", "--apply"),
    ("list", "reconcile", "--apply", "--reason", " ", "--yes"),
    APPLY,
    ("contact", "operations"),
    ("contact", "reinstate", "--undo", "OPERATION", "--reason", "wrong", "--yes"),
]
AFTER = [
    ("contact", "explain", reader(0)),
    APPLY,
    (*APPLY, "--json"),
    DIFF,
]


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OperatedStack]:
    """Return a stack with a difference of most kinds."""
    monkeypatch.chdir(tmp_path)
    with operated_stack(calls_per_second=None) as running:
        running.receive(
            a_bounce(),
            a_complaint(recipients=(OTHER_RECIPIENT,)),
            a_subscription(destination=(OPTED_OUT,)),
            *incident(2),
        )
        entries = running.aws.suppression_list
        entries.delete(reader(0))
        entries.put(OTHER_RECIPIENT, "BOUNCE")
        entries.put(RECIPIENT, "COMPLAINT")
        entries.put(OPTED_OUT, "BOUNCE")
        entries.put("stranger@example.org", "BOUNCE")
        running.run("contact", "suppress", "pending@example.org", "--reason", "legal")
        yield running


def test_output_is_that_of_the_file(stack: OperatedStack, request: pytest.FixtureRequest) -> None:
    text = transcript(stack, BEFORE)
    stack.sync()
    text += "\n" + transcript(stack, AFTER)
    compare_with_file(text, GOLDEN, request)


def test_output_names_the_reasons_that_ses_ignores(stack: OperatedStack) -> None:
    stack.aws.suppression_list.put_account_attributes([])
    assert "SES ignores entries with the reason BOUNCE, COMPLAINT" in stack.run(*DIFF).stdout

"""A refusal of IAM below the commands names the action that the operator's policy lacks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from feedbackctl.contacts.denials import describe_code
from ses_feedback.aws.refusals import Refusal, RefusalKind
from ses_feedback.contacts.repository import ContactRepository
from ses_feedback.suppression.list_client import SuppressionListClient
from ses_feedback.suppression.rate_limiter import RateLimiter
from tests.support.builders import RECIPIENT, a_bounce
from tests.support.operated_stack import OperatedStack, operated_stack

DENIED = "AccessDeniedException"
REASON = ("--reason", "test", "--yes")
REFUSAL = Refusal(RefusalKind.UNAVAILABLE, DENIED)


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OperatedStack]:
    monkeypatch.chdir(tmp_path)
    with operated_stack(calls_per_second=None) as running:
        running.receive(a_bounce())
        yield running


def refuse_read(_: ContactRepository, addresses: Any, failed: dict[str, str], **__: Any) -> dict[str, Any]:  # noqa: ANN401
    failed.update(dict.fromkeys(addresses, DENIED))
    return {}


@pytest.mark.parametrize(
    ("patch", "arguments", "action"),
    [
        ((ContactRepository, "write", lambda *_: DENIED), ("suppress", RECIPIENT), "dynamodb:PartiQLUpdate"),
        ((ContactRepository, "write", lambda *_: DENIED), ("suppress", "a@example.com"), "dynamodb:PartiQLInsert"),
        (
            (
                ContactRepository,
                "store_history",
                lambda _, items: {item["address"]["S"]: DENIED for item in items},
            ),
            ("suppress", RECIPIENT),
            "dynamodb:PartiQLInsert",
        ),
        ((ContactRepository, "read", refuse_read), ("suppress", RECIPIENT), "dynamodb:BatchGetItem"),
        ((ContactRepository, "read", refuse_read), ("show", RECIPIENT), "dynamodb:BatchGetItem"),
        ((ContactRepository, "read", refuse_read), ("list", "--status", "bounced"), "dynamodb:BatchGetItem"),
        ((RateLimiter, "acquire", lambda *_: REFUSAL), ("show", RECIPIENT), "dynamodb:UpdateItem"),
        ((RateLimiter, "acquire", lambda *_: REFUSAL), ("erase", RECIPIENT, "--forget"), "dynamodb:UpdateItem"),
        (
            (SuppressionListClient, "delete", lambda *_: REFUSAL),
            ("erase", RECIPIENT, "--forget"),
            "ses:DeleteSuppressedDestination",
        ),
    ],
)
def test_missing_action_is_named(
    stack: OperatedStack,
    monkeypatch: pytest.MonkeyPatch,
    patch: tuple[type, str, Any],
    arguments: tuple[str, ...],
    action: str,
) -> None:
    monkeypatch.setattr(*patch)
    options = {"suppress": REASON, "erase": REASON}.get(arguments[0], ())
    result = stack.run("contact", *arguments, *options)
    assert result.exit_code in (1, 3)
    assert "your IAM policy does not allow" in result.output
    assert action in result.output


def test_other_code_stays_as_it_is() -> None:
    assert describe_code("ThrottlingException", "any:Action") == "ThrottlingException"

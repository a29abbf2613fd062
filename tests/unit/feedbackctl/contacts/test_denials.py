"""A refusal of IAM below the commands names the action that the operator's policy lacks."""

from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from botocore import handlers
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from click.testing import Result

from feedbackctl.contacts.denials import describe_code
from ses_feedback.aws.refusals import Refusal, RefusalKind
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.contacts.repository import ContactRepository
from ses_feedback.suppression.list_client import SuppressionListClient
from ses_feedback.suppression.rate_limiter import RateLimiter
from tests.support.builders import RECIPIENT, a_bounce
from tests.support.operated_stack import OperatedStack, operated_stack

DENIED = "AccessDeniedException"
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


def refuse_all(_: ContactRepository, records: Iterable[ContactRecord]) -> dict[str, str]:
    return {record.contact.address: DENIED for record in records}


def refuse_history(_: ContactRepository, items: Iterable[dict[str, Any]]) -> dict[str, str]:
    return {item["address"]["S"]: DENIED for item in items}


class Refused(NamedTuple):
    """A call that IAM refuses, the command that makes it, and the action that the output names."""

    owner: type
    method: str
    replacement: Any
    arguments: tuple[str, ...]
    action: str

    def run(self, stack: OperatedStack, monkeypatch: pytest.MonkeyPatch) -> Result:
        monkeypatch.setattr(self.owner, self.method, self.replacement)
        return stack.run(*self.arguments)


REASON = ("--reason", "test", "--yes")
SUPPRESS = ("contact", "suppress", RECIPIENT, *REASON)
SUPPRESS_NEW = ("contact", "suppress", "a@example.com", *REASON)
SHOW = ("contact", "show", RECIPIENT)
LIST = ("contact", "list", "--status", "bounced")
FORGET = ("contact", "erase", RECIPIENT, "--forget", *REASON)
IMPORT = ("contact", "import", "bounces.csv", "--reason", "moved", "--yes")
RECONCILE = ("list", "reconcile", "--apply", "--reason", "drift", "--yes")
REINSTATE = ("contact", "reinstate", "--where", "--reason", "incident", "--yes")


@pytest.mark.parametrize(
    "refused",
    [
        Refused(ContactRepository, "write", lambda *_: DENIED, SUPPRESS, "dynamodb:PartiQLUpdate"),
        Refused(ContactRepository, "write", lambda *_: DENIED, SUPPRESS_NEW, "dynamodb:PartiQLInsert"),
        Refused(ContactRepository, "store_history", refuse_history, SUPPRESS, "dynamodb:PartiQLInsert"),
        Refused(ContactRepository, "read", refuse_read, SUPPRESS, "dynamodb:BatchGetItem"),
        Refused(ContactRepository, "read", refuse_read, SHOW, "dynamodb:BatchGetItem"),
        Refused(ContactRepository, "read", refuse_read, LIST, "dynamodb:BatchGetItem"),
        Refused(RateLimiter, "acquire", lambda *_: REFUSAL, SHOW, "dynamodb:UpdateItem"),
        Refused(RateLimiter, "acquire", lambda *_: REFUSAL, FORGET, "dynamodb:UpdateItem"),
        Refused(SuppressionListClient, "delete", lambda *_: REFUSAL, FORGET, "ses:DeleteSuppressedDestination"),
    ],
)
def test_missing_action_is_named(stack: OperatedStack, monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    result = refused.run(stack, monkeypatch)
    assert result.exit_code in (1, 3)
    assert "your IAM policy does not allow" in result.output
    assert refused.action in result.output


@pytest.mark.parametrize(
    "refused",
    [
        Refused(ContactRepository, "write_all", refuse_all, IMPORT, "dynamodb:PartiQLInsert"),
        Refused(ContactRepository, "store_history", refuse_history, IMPORT, "dynamodb:PartiQLInsert"),
        Refused(ContactRepository, "read", refuse_read, IMPORT, "dynamodb:BatchGetItem"),
        Refused(ContactRepository, "write_all", refuse_all, RECONCILE, "dynamodb:PartiQLUpdate"),
        Refused(ContactRepository, "store_history", refuse_history, RECONCILE, "dynamodb:PartiQLInsert"),
        Refused(ContactRepository, "read", refuse_read, RECONCILE, "dynamodb:BatchGetItem"),
        Refused(RateLimiter, "acquire", lambda *_: REFUSAL, RECONCILE, "dynamodb:UpdateItem"),
        Refused(ContactRepository, "write", lambda *_: DENIED, REINSTATE, "dynamodb:PartiQLUpdate"),
    ],
)
def test_bulk_command_names_the_missing_action_and_changes_no_contact(
    stack: OperatedStack, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    Path("bounces.csv").write_text("new@example.com,BOUNCE\n")
    stack.aws.suppression_list.delete(RECIPIENT)
    contacts = stack.aws.contacts()
    result = refused.run(stack, monkeypatch)
    assert (result.exit_code in (1, 3), "Traceback" in result.output) == (True, False)
    assert f"your IAM policy does not allow {refused.action}" in result.output.replace("dynamodb:GetItem and ", "")
    assert stack.aws.contacts() == contacts


def test_messages_that_stay_hidden_are_reported(stack: OperatedStack) -> None:
    stack.aws.client("sqs").send_message(QueueUrl=stack.queues["DeadLetterQueueUrl"], MessageBody="{}")

    def refuse(model: Any, **_: Any) -> Any:  # noqa: ANN401 (botocore's event)
        denied = {
            "Error": {"Code": "AccessDenied", "Message": "not authorized to perform: sqs:ChangeMessageVisibility"}
        }
        return (AWSResponse("", 403, HTTPHeaders(), BytesIO()), denied) if model.name.startswith("ChangeMess") else None

    hook = ("before-call.sqs", refuse)
    handlers.BUILTIN_HANDLERS.append(hook)
    try:
        result = stack.run("dead-letters", "list")
    finally:
        handlers.BUILTIN_HANDLERS.remove(hook)
    assert "The messages that stay are hidden for some minutes." in result.stderr
    assert "your IAM policy does not allow sqs:ChangeMessageVisibility" in result.stderr


def test_other_code_stays_as_it_is() -> None:
    assert describe_code("ThrottlingException", "any:Action") == "ThrottlingException"

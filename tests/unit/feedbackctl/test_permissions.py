"""IAM actions that each command calls are the actions that it declares."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore import handlers

from feedbackctl.aws_session import AwsSession
from feedbackctl.commands.iam import stack_arns
from feedbackctl.contacts import bulk_reinstatement
from feedbackctl.permissions import COMMANDS, Resource, policy_document
from feedbackctl.queues import STORED
from feedbackctl.stack import find_stack
from ses_feedback.aws.quarantine import Quarantine
from tests.support.aws_calls import RENAMED
from tests.support.builders import OTHER_RECIPIENT, RECIPIENT, a_bounce, a_complaint
from tests.support.operated_stack import STACK, OperatedStack, operated_stack

REASON = ("--reason", "test")
RUNS: dict[str, list[tuple[str, ...]]] = {
    "contact show": [("contact", "show", RECIPIENT)],
    "contact explain": [("contact", "explain", RECIPIENT, "--insights")],
    "contact list": [("contact", "list", "--diagnostic", "user"), ("contact", "list", "--status", "active")],
    "contact export": [("contact", "export"), ("contact", "export", "--status", "bounced")],
    "contact operations": [("contact", "operations")],
    "contact reinstate": [
        ("contact", "reinstate", "--where", *REASON, "--yes"),
        ("contact", "reinstate", "--where", "--status", "bouncing", *REASON, "--yes"),
    ],
    "contact suppress": [("contact", "suppress", "new@example.com", RECIPIENT, *REASON, "--yes")],
    "contact unsubscribe": [("contact", "unsubscribe", "new@example.com", RECIPIENT, *REASON, "--yes")],
    "contact resubscribe": [
        ("contact", "resubscribe", "new@example.com", *REASON),
        ("contact", "resubscribe", RECIPIENT, *REASON),
    ],
    "contact import": [("contact", "import", "list.csv", *REASON, "--yes")],
    "contact erase": [
        ("contact", "erase", OTHER_RECIPIENT, *REASON, "--yes"),
        ("contact", "erase", RECIPIENT, "--forget", *REASON, "--yes"),
    ],
    "list diff": [("list", "diff")],
    "list reconcile": [("list", "reconcile", "--apply", *REASON, "--yes")],
    "quarantine list": [("quarantine", "list")],
    "quarantine show": [("quarantine", "show", "unknown")],
    **{
        f"{queue} redrive": [(queue, "redrive", "--all", "--yes"), (queue, "list")]
        for queue in ("quarantine", "dead-letters", "undelivered")
    },
    "dead-letters list": [("dead-letters", "list")],
    "undelivered list": [("undelivered", "list")],
    "contact-hash": [("contact-hash", RECIPIENT)],
    "iam read": [("iam", "read")],
    "iam change": [("iam", "change")],
}
"""Runs that together make every call of a command."""
PREFIXES = {"sesv2": "ses"}
WITHOUT_ACTION = {"sts:GetCallerIdentity"}


@contextmanager
def recorded_actions() -> Iterator[set[str]]:
    """Record the IAM actions of the AWS calls of new sessions."""
    actions: set[str] = set()

    def record(model: Any, params: dict[str, Any], **_: Any) -> None:  # noqa: ANN401 (botocore's event)
        service = model.service_model.service_name
        action = f"{PREFIXES.get(service, service)}:{model.name}"
        found = RENAMED.get(action, {action})
        if model.name == "BatchExecuteStatement":
            found = {f"dynamodb:PartiQL{verb}" for verb in ("Insert", "Update") if verb.upper() in str(params["body"])}
        actions.update(found - WITHOUT_ACTION)

    hook = ("before-call", record)
    handlers.BUILTIN_HANDLERS.append(hook)
    try:
        yield actions
    finally:
        handlers.BUILTIN_HANDLERS.remove(hook)


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OperatedStack]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bulk_reinstatement, "JOB_THRESHOLD", 1)
    with operated_stack(calls_per_second=None) as running:
        monkeypatch.setattr("time.sleep", running.aws.clock.sleep)
        for url in (running.queues[name] for name in STORED.values()):
            # The second is not what SQS can carry in its original form, so it stays and is made visible again.
            queue = Quarantine(lambda: running.aws.client("sqs"), url)
            assert (queue.store("{}", "test", "record"), queue.store("\x00", "test", "record")) == ("", "")
        running.receive(a_bounce(), a_complaint(recipients=(OTHER_RECIPIENT,)))
        running.aws.suppression_list.delete(OTHER_RECIPIENT)
        (tmp_path / "list.csv").write_text(f"new@example.com,BOUNCE\n{RECIPIENT},COMPLAINT\n")
        yield running


def test_each_declared_command_is_run() -> None:
    """The calls of `doctor` and `smoke` are tested with these commands."""
    assert RUNS.keys() == COMMANDS.keys() - {"doctor", "smoke"}


@pytest.mark.parametrize("command", RUNS)
def test_actions_of_a_command_are_those_that_it_declares(command: str, stack: OperatedStack) -> None:
    with recorded_actions() as actions:
        for arguments in RUNS[command]:
            result = stack.run(*arguments)
            assert "Internal error" not in result.output
    declared = {permission.action for permission in COMMANDS[command].permissions}
    # The key's actions are DynamoDB's and S3's own calls.
    assert {action for action in declared if not action.startswith("kms:")} == actions


@pytest.mark.parametrize("changes", [False, True])
def test_policy_has_each_declared_action_once_for_each_resource(*, changes: bool) -> None:
    arns = {resource: (f"arn:{resource.name}",) for resource in Resource}
    document = policy_document(changes=changes, arns=arns)
    printed = {(action, arn) for one in document["Statement"] for action in one["Action"] for arn in one["Resource"]}
    declared = {
        (permission.action, f"arn:{permission.resource.name}")
        for command in COMMANDS.values()
        if changes or not command.changes
        for permission in command.permissions
    }
    assert printed == declared


@pytest.mark.parametrize(("command", "changes"), [("read", False), ("change", True)])
def test_command_prints_the_policy_of_the_stack(stack: OperatedStack, command: str, *, changes: bool) -> None:
    printed = json.loads(stack.run("iam", command).stdout)
    expected = policy_document(changes=changes, arns=stack_arns(find_stack(AwsSession(), STACK)))
    assert printed == expected


def test_policy_for_reading_writes_only_the_rate_limiter() -> None:
    arns = {resource: (resource.name,) for resource in Resource}
    for statement in policy_document(changes=False, arns=arns)["Statement"]:
        if any("Update" in action or "Put" in action or "Delete" in action for action in statement["Action"]):
            condition = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["suppression-list"]}}
            assert (statement["Sid"], statement["Condition"]) == ("RateLimiter", condition)

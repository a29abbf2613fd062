"""Operators: the policies that `feedbackctl iam` prints allow what the commands need, and nothing that changes more."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from click.testing import CliRunner

from feedbackctl.__main__ import main
from feedbackctl.aws_session import AwsSession
from feedbackctl.commands.iam import stack_arns
from feedbackctl.permissions import COMMANDS, Permission, Resource, policy_document
from feedbackctl.queues import STORED
from feedbackctl.stack import find_stack
from tests.e2e.operators import CHANGING, QUEUES, READING, Operator, run
from tests.e2e.stack_under_test import StackUnderTest


@pytest.fixture
def operator(stack: StackUnderTest, runner: CliRunner) -> Iterator[Operator]:
    """Return a user without permissions."""
    del runner  # it has set the environment
    user = Operator(stack, stack.server.environment)
    user.allow(policy_document(changes=False, arns={Resource.ANY: ("*",)}))
    yield user
    user.delete()
    # The commands leave messages, and other tests expect empty queues.
    assert stack.drain_lanes().keys() <= set(QUEUES)
    for queue in QUEUES:
        stack.client("sqs").purge_queue(QueueUrl=stack.outputs[queue])


def test_each_command_is_tried() -> None:
    assert READING.keys() == {name for name, declared in COMMANDS.items() if not declared.changes}
    assert CHANGING.keys() == {name for name, declared in COMMANDS.items() if declared.changes}


def test_every_reading_command_works_with_the_policy_for_reading(stack: StackUnderTest, operator: Operator) -> None:
    operator.allow(json.loads(CliRunner().invoke(main, ["iam", "read", "--stack", stack.name]).stdout))
    failed = {}
    for command in READING:
        result = run(stack, operator, command)
        # Doctor and the comparison of the list end with 1 if they find something to fix.
        accepted = (0, 1) if command in {"doctor", "list diff"} else (0,)
        if "does not allow" in result.output or result.exit_code not in accepted:
            failed[command] = result.output
    assert failed == {}


def test_no_changing_command_works_with_the_policy_for_reading(stack: StackUnderTest, operator: Operator) -> None:
    operator.allow(json.loads(CliRunner().invoke(main, ["iam", "read", "--stack", stack.name]).stdout))
    worked = {}
    for command in CHANGING:
        result = run(stack, operator, command)
        if result.exit_code == 0 or "does not allow" not in result.output:
            worked[command] = result.output
    assert worked == {}


def test_every_changing_command_works_with_the_policy_for_changes(stack: StackUnderTest, operator: Operator) -> None:
    operator.allow(json.loads(CliRunner().invoke(main, ["iam", "change", "--stack", stack.name]).stdout))
    results = {command: run(stack, operator, command) for command in CHANGING}
    assert {command: one.output for command, one in results.items() if one.exit_code != 0} == {}


NEW_CONTACT, NO_JOB = {"dynamodb:PartiQLUpdate"}, {"s3:PutObject", "s3:DeleteObject", "ses:CreateImportJob"}
NOT_REACHED: Mapping[str, set[str]] = {
    # No Scan: `--status` selects by the index, and `reinstate` selects bounced contacts.
    "contact list": {"dynamodb:Scan"},
    "contact export": {"dynamodb:Scan"},
    # Fewer than 300 contacts, which all exist: no job of SES, and no call that waits for the rate limiter.
    "contact reinstate": {
        *("dynamodb:Scan", "dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:PartiQLInsert", "ses:GetImportJob"),
        *NO_JOB,
    },
    "contact suppress": NEW_CONTACT,
    "contact unsubscribe": NEW_CONTACT,
    "contact resubscribe": NEW_CONTACT,
    "contact import": NEW_CONTACT,
    # The item of a contact that is forgotten is not written.
    "contact erase": {"dynamodb:PutItem"},
    # The account has no Virtual Deliverability Manager, no contact list and no tenant.
    "doctor": {"ses:BatchGetMetricData", "ses:GetContactList", "ses:GetReputationEntity", "ses:GetTenant"},
    # All messages are moved.
    **{f"{queue} redrive": {"sqs:ChangeMessageVisibility"} for queue in STORED},
}
"""Actions that these runs do not need. tests/unit/feedbackctl/test_permissions.py has runs for all."""


@pytest.fixture
def arns(stack: StackUnderTest, runner: CliRunner) -> Mapping[Resource, tuple[str, ...]]:
    """Return the ARNs of the stack's resources."""
    del runner  # it has set the environment
    return stack_arns(find_stack(AwsSession(), stack.name))


@pytest.mark.parametrize("command", READING | CHANGING)
def test_command_names_the_action_that_its_policy_lacks(
    stack: StackUnderTest, operator: Operator, arns: Mapping[Resource, tuple[str, ...]], command: str
) -> None:
    """The policy has the permissions of this command alone, without one of them."""
    declared = sorted(one for one in COMMANDS[command].permissions if one.resource in arns)
    unnamed = {}
    for removed in declared:
        # The calls to KMS are those of DynamoDB, SQS and S3.
        if removed.action in NOT_REACHED.get(command, set()) or removed.action.startswith("kms:"):
            continue
        operator.allow(_policy([one for one in declared if one != removed], arns))
        result = run(stack, operator, command)
        # The emulator's refusal of a batch of SQS names the call.
        if not re.search(rf"\b{removed.action}(Batch)?\b", result.output):
            unnamed[removed] = result.output
    assert unnamed == {}


def _policy(permissions: Sequence[Permission], arns: Mapping[Resource, tuple[str, ...]]) -> dict[str, Any]:
    # A policy has at least one statement.
    nothing = {"Effect": "Deny", "Action": "iam:*", "Resource": "*"}
    allowed = [{"Effect": "Allow", "Action": one.action, "Resource": list(arns[one.resource])} for one in permissions]
    return {"Version": "2012-10-17", "Statement": [nothing, *allowed]}

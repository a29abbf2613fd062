"""Path and boundary of the roles, and the policy of an operator."""

from typing import Any

import pytest

from feedbackctl.permissions import COMMANDS
from tests.support.sam_template import BOTH_PATHS, as_list, named, stack

ROLE, POLICY = "AWS::IAM::Role", "AWS::IAM::ManagedPolicy"
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
WRITES = ("Create", "Delete", "Put", "Update", "Set", "Tag", "Attach")
LIST_WRITES = {"ses:CreateImportJob", "ses:DeleteSuppressedDestination"}
ALLOWED_WRITES = {
    *("dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "sqs:DeleteMessage"),
    *("s3:DeleteObject", "s3:PutObject"),
    *LIST_WRITES,
}


def operator_statements() -> list[dict[str, Any]]:
    """Return the statements of the operator's policy."""
    statements: list[dict[str, Any]] = stack().properties("OperatorPolicy")["PolicyDocument"]["Statement"]
    return statements


@pytest.mark.parametrize("path", BOTH_PATHS)
class TestRoles:
    """Every role of the stack, those of SAM included."""

    def test_each_has_the_boundary(self, path: dict[str, str]) -> None:
        roles = stack(PermissionsBoundaryArn=BOUNDARY, **path).of_type(ROLE)
        assert {role.get("PermissionsBoundary") for role in roles.values()} == {BOUNDARY}
        assert not any("PermissionsBoundary" in role for role in stack(**path).of_type(ROLE).values())

    def test_each_role_and_policy_has_the_path(self, path: dict[str, str]) -> None:
        made = stack(RolePath="/mail/", **path)
        found = {**made.of_type(ROLE), **made.of_type(POLICY)}
        assert {properties.get("Path") for properties in found.values()} == {"/mail/"}

    def test_no_role_or_policy_has_a_fixed_name(self, path: dict[str, str]) -> None:
        """A name would need CAPABILITY_NAMED_IAM, and a second stack would collide."""
        made = stack(**path)
        found = {**made.of_type(ROLE), **made.of_type(POLICY)}
        assert not any({"RoleName", "ManagedPolicyName"} & set(properties) for properties in found.values())


class TestOperatorPolicy:
    """The managed policy of a person who operates the stack."""

    def test_no_action_is_a_pattern(self) -> None:
        actions = [action for statement in operator_statements() for action in as_list(statement["Action"])]
        assert [action for action in actions if "*" in action] == []
        assert len(actions) == len(set(actions))

    def test_it_allows_every_action_of_feedbackctl(self) -> None:
        allowed = {action for statement in operator_statements() for action in as_list(statement["Action"])}
        called = {permission.action for command in COMMANDS.values() for permission in command.permissions}
        assert called - allowed == set()

    def test_it_changes_only_contacts_messages_and_list_entries(self) -> None:
        actions = {action for statement in operator_statements() for action in as_list(statement["Action"])}
        assert {action for action in actions if action.partition(":")[2].startswith(WRITES)} == ALLOWED_WRITES

    def test_only_readings_of_the_account_and_writes_of_its_list_apply_to_all_resources(self) -> None:
        everywhere = [statement for statement in operator_statements() if statement["Resource"] == "*"]
        actions = {action for statement in everywhere for action in statement["Action"]} - LIST_WRITES
        assert all(action.partition(":")[2].startswith(("BatchGet", "Describe", "Get", "List")) for action in actions)

    def test_it_covers_every_queue_and_log_of_the_stack(self) -> None:
        resources = {named(arn) for statement in operator_statements() for arn in as_list(statement["Resource"])}
        made = stack()
        assert {*made.of_type("AWS::SQS::Queue"), *made.of_type("AWS::Logs::LogGroup")} <= resources

"""Every role has the permissions that it needs and no others. The emulator enforces IAM policies."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from feedbackctl.__main__ import main
from tests.e2e.stack_under_test import StackUnderTest, wait_for
from tests.e2e.workload import HARD_BOUNCE, LaneWorkload, create_bounce, import_backlog

ALLOWED_WILDCARDS = {
    "dynamodb:DescribeStream": "/stream/*",
    "dynamodb:GetRecords": "/stream/*",
    "dynamodb:GetShardIterator": "/stream/*",
    "dynamodb:ListStreams": "/stream/*",
    "logs:CreateLogStream": ":*",
    "logs:PutLogEvents": ":*",
    "s3:DeleteObject": "/imports/*",
    "s3:GetObject": "/imports/*",
    "s3:PutObject": "/imports/*",
    "ses:CreateImportJob": "*",
    "ses:DeleteSuppressedDestination": "*",
    "ses:GetAccount": "*",
    "ses:GetImportJob": ":import-job/*",
    "ses:PutSuppressedDestination": "*",
}
"""The end of the resource of each action with a wildcard: the names are chosen later, or the resource has no ARN."""
MAX_WORKLOAD_SECONDS = 90


class Grant(NamedTuple):
    """An action on a resource that a role's policy allows."""

    role: str
    statement: str
    action: str
    resource: str

    def covers(self, role: str, action: str, resource: str) -> bool:
        """Return True if the grant allows this request."""
        return (role, action) == (self.role, self.action) and fnmatchcase(resource, self.resource)


class StatementPosition(NamedTuple):
    """A statement of a role's inline policy or of a managed policy, and its position in the document."""

    owner: str
    policy: str
    position: int
    document: dict[str, Any]

    @property
    def statement(self) -> dict[str, Any]:
        """The statement itself."""
        found: dict[str, Any] = self.document["Statement"][self.position]
        return found

    @property
    def description(self) -> str:
        """The role or policy, and the id of the statement."""
        return f"{self.owner.rpartition('/')[2]} {self.statement.get('Sid', self.statement['Action'])}"


@pytest.fixture
def stack(short_visibility_stack: StackUnderTest, early_import_stack: StackUnderTest) -> StackUnderTest:
    """Return the stack with short visibility timeouts and early imports."""
    assert short_visibility_stack is early_import_stack
    return early_import_stack


def list_statements(stack: StackUnderTest) -> Iterator[StatementPosition]:
    """Yield every statement of every policy of the stack's roles. Policies for applications and operators are not."""
    iam, resources = stack.client("iam"), stack.resources()
    roles = [physical for logical, physical in resources.items() if logical.endswith("Role")]
    attached = {
        policy["PolicyArn"]
        for role in roles
        for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    }
    for logical, physical in sorted(resources.items()):
        if logical.endswith("Role"):
            for name in iam.list_role_policies(RoleName=physical)["PolicyNames"]:
                document = iam.get_role_policy(RoleName=physical, PolicyName=name)["PolicyDocument"]
                for position in range(len(document["Statement"])):
                    yield StatementPosition(physical, name, position, document)
        if physical in attached:
            version = iam.get_policy(PolicyArn=physical)["Policy"]["DefaultVersionId"]
            response = iam.get_policy_version(PolicyArn=physical, VersionId=version)
            document = response["PolicyVersion"]["Document"]
            for position in range(len(document["Statement"])):
                yield StatementPosition(physical, version, position, document)


@contextmanager
def policy_without(stack: StackUnderTest, removed: StatementPosition) -> Iterator[None]:
    """Remove one statement from its policy for the duration of the context."""
    iam = stack.client("iam")
    owner, name, position, document = removed
    others = [statement for number, statement in enumerate(document["Statement"]) if number != position]
    # A policy must have a statement, so one without effect here replaces the only one.
    placeholder = {"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}
    reduced = json.dumps({**document, "Statement": others or [placeholder]})
    if owner.startswith("arn:"):
        reduced_version = _create_default_version(stack, owner, reduced)
        yield
        _create_default_version(stack, owner, json.dumps(document))
        iam.delete_policy_version(PolicyArn=owner, VersionId=reduced_version)
    else:
        iam.put_role_policy(RoleName=owner, PolicyName=name, PolicyDocument=reduced)
        yield
        iam.put_role_policy(RoleName=owner, PolicyName=name, PolicyDocument=json.dumps(document))


def _create_default_version(stack: StackUnderTest, policy: str, document: str) -> str:
    """Create a new default version of a managed policy, delete the other old versions, and return the new id.

    A managed policy has at most five versions:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    """
    iam = stack.client("iam")
    for version in iam.list_policy_versions(PolicyArn=policy)["Versions"]:
        if not version["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=policy, VersionId=version["VersionId"])
    response = iam.create_policy_version(PolicyArn=policy, PolicyDocument=document, SetAsDefault=True)
    return str(response["PolicyVersion"]["VersionId"])


def test_workload_fails_without_any_single_statement(stack: StackUnderTest) -> None:
    """With all statements the workload succeeds."""
    bus = stack.subscribe_to_events("workload", {"source": ["ses-feedback"]})
    missing_without: dict[str, list[str]] = {}
    statements = [*list_statements(stack)]
    durations = [_measure_workload(stack, bus)]
    for removed in statements:
        durations.append(_measure_workload(stack, bus))
        assert durations[-1] < MAX_WORKLOAD_SECONDS
        timeout = 3 + 2 * min(durations)
        with policy_without(stack, removed):
            missing = wait_for(LaneWorkload(stack, bus).missing_results, lambda results: not results, timeout)
            missing = missing or import_backlog(stack, timeout)
        missing_without[removed.description] = missing
    print(json.dumps(missing_without, indent=1))  # noqa: T201 (pytest shows it if the test fails)
    assert len(missing_without) == len(statements)
    sids = {description.rpartition(" ")[2] for description in missing_without}
    assert sids >= {"UseKey", "ReceiveFromQueue", "ReadStream"}
    assert [statement for statement, missing in missing_without.items() if not missing] == []


def _measure_workload(stack: StackUnderTest, bus: str) -> float:
    """Run the workload until it has no missing results, and return the seconds."""
    started_at = time.monotonic()
    wait_for(LaneWorkload(stack, bus).missing_results, lambda missing: not missing, MAX_WORKLOAD_SECONDS)
    return time.monotonic() - started_at


@pytest.fixture
def requests(stack: StackUnderTest, runner: CliRunner) -> set[tuple[str, str, str]]:
    """Run everything that the stack does, and return the requests of each role: role, action, resource."""
    stack.server.call("permissions", method="DELETE")
    bus = stack.subscribe_to_events("workload", {"source": ["ses-feedback"]})
    workload = LaneWorkload(stack, bus)
    assert wait_for(workload.missing_results, lambda missing: not missing, 120) == []
    assert import_backlog(stack, 60) == []
    workload.publish_bounces()
    assert wait_for(workload.lanes_without_bounce, lambda lanes: not lanes, 120) == []
    _list_and_reinstate_address(stack, runner)
    decisions = stack.server.call("permissions")
    assert [decision for decision in decisions if not decision[3]] == []
    return {(role, action, resource) for role, action, resource, _ in decisions}


def test_every_granted_action_and_resource_is_requested(
    stack: StackUnderTest, requests: set[tuple[str, str, str]]
) -> None:
    """A wildcard is allowed only where the resource has no narrower name."""
    grants = list(list_grants(stack))
    unused = [grant for grant in grants if not any(grant.covers(*request) for request in requests)]
    assert unused == []
    with_wildcard = [grant for grant in grants if "*" in grant.resource]
    unexpected = [
        grant
        for grant in with_wildcard
        if not grant.resource.endswith(ALLOWED_WILDCARDS.get(grant.action, "no wildcard"))
    ]
    assert unexpected == []
    assert {grant.action for grant in with_wildcard} == ALLOWED_WILDCARDS.keys()


def test_removing_any_grant_refuses_a_request(stack: StackUnderTest, requests: set[tuple[str, str, str]]) -> None:
    grants = list(list_grants(stack))
    superfluous = []
    for grant in grants:
        others = [other for other in grants if other != grant]
        if all(any(other.covers(*request) for other in others) for request in requests):
            superfluous.append(grant)
    assert superfluous == []
    assert len(set(grants)) == len(grants)


def list_grants(stack: StackUnderTest) -> Iterator[Grant]:
    """Yield every action and resource that every role allows."""
    iam, resources = stack.client("iam"), stack.resources()
    positions = [*list_statements(stack)]
    for logical in (name for name in resources if name.endswith("Role")):
        role = resources[logical]
        attached = {
            policy["PolicyArn"] for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        }
        for position in positions:
            statement = position.statement
            if position.owner == role or position.owner in attached:
                for action in _to_list(statement["Action"]):
                    for resource in _to_list(statement["Resource"]):
                        yield Grant(role, statement.get("Sid", ""), action, resource)


def _to_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _list_and_reinstate_address(stack: StackUnderTest, runner: CliRunner) -> None:
    """Put an address on the list by a hard bounce, and remove it by a reinstatement."""
    address, topic = stack.create_address("workload"), stack.outputs["BounceTopicArn"]
    bounced_at = datetime.now(UTC) - timedelta(hours=1)
    stack.client("sns").publish(TopicArn=topic, Message=create_bounce(address, bounced_at, **HARD_BOUNCE))
    assert wait_for(lambda: address in stack.listed()), "the address is not listed although it has bounced"
    options = ["--stack", stack.name, "--reason", "test"]
    assert runner.invoke(main, ["contact", "reinstate", address, *options]).exit_code == 0
    assert wait_for(lambda: address not in stack.listed()), "the address is still listed after a reinstatement"

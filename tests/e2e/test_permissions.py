"""Every role may do what it needs and nothing else: policies are enforced, and taken apart here."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import pytest

from tests.e2e.deployed_stack import World, eventually
from tests.e2e.drills import Drill, a_message, backlog_left

NO_NARROWER = {
    "dynamodb:ListStreams": "/stream/*",
    "logs:CreateLogStream": ":*",
    "logs:PutLogEvents": ":*",
    "s3:DeleteObject": "/imports/*",
    "s3:GetObject": "/imports/*",
    "s3:PutObject": "/imports/*",
    "ses:CreateImportJob": "*",
    "ses:DeleteSuppressedDestination": "*",
    "ses:GetImportJob": ":import-job/*",
    "ses:PutSuppressedDestination": "*",
}
"""How the resource of an action may end: log streams, objects and jobs get their names later, and the list has none."""


class Grant(NamedTuple):
    """An action on a resource that a role's policy allows."""

    role: str
    statement: str
    action: str
    resource: str

    def covers(self, role: str, action: str, resource: str) -> bool:
        """Say whether it allows what was asked for."""
        return (role, action) == (self.role, self.action) and fnmatchcase(resource, self.resource)


@pytest.fixture
def world(impatient: World, hasty: World) -> World:
    """The stack, with lanes that try again soon, and a list_sync that has a few changes imported."""
    assert impatient is hasty
    return hasty


def statements(world: World) -> Iterator[tuple[str, str, int, dict[str, Any]]]:
    """Yield every statement of every policy of the stack's roles: role or policy, policy's name, place, document."""
    iam, resources = world.client("iam"), world.resources()
    for logical, physical in sorted(resources.items()):
        if logical.endswith("Role"):
            for name in iam.list_role_policies(RoleName=physical)["PolicyNames"]:
                document = iam.get_role_policy(RoleName=physical, PolicyName=name)["PolicyDocument"]
                for place in range(len(document["Statement"])):
                    yield physical, name, place, document
        if logical.endswith("Policy") and ":policy/" in physical:
            version = iam.get_policy(PolicyArn=physical)["Policy"]["DefaultVersionId"]
            found = iam.get_policy_version(PolicyArn=physical, VersionId=version)
            document = found["PolicyVersion"]["Document"]
            for place in range(len(document["Statement"])):
                yield physical, version, place, document


@contextmanager
def without(world: World, owner: str, name: str, place: int, document: dict[str, Any]) -> Iterator[None]:
    """Take one statement out of a policy for as long as the context lasts."""
    iam = world.client("iam")
    rest = [one for number, one in enumerate(document["Statement"]) if number != place]
    # A policy has to have a statement, so one that says nothing of interest takes the place.
    nothing = {"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}
    reduced = json.dumps({**document, "Statement": rest or [nothing]})
    if owner.startswith("arn:"):
        lesser = _next_version(world, owner, reduced)
        yield
        _next_version(world, owner, json.dumps(document))
        iam.delete_policy_version(PolicyArn=owner, VersionId=lesser)
    else:
        iam.put_role_policy(RoleName=owner, PolicyName=name, PolicyDocument=reduced)
        yield
        iam.put_role_policy(RoleName=owner, PolicyName=name, PolicyDocument=json.dumps(document))


def _next_version(world: World, policy: str, document: str) -> str:
    """Give a policy a new document; return its version, after deleting those that are only in the way."""
    iam = world.client("iam")
    for version in iam.list_policy_versions(PolicyArn=policy)["Versions"]:
        if not version["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=policy, VersionId=version["VersionId"])
    made = iam.create_policy_version(PolicyArn=policy, PolicyDocument=document, SetAsDefault=True)
    return str(made["PolicyVersion"]["VersionId"])


def test_every_statement_of_every_role_is_needed(world: World) -> None:
    """With all of them everything works, and with any one of them gone something does not."""
    bus = world.listen("drill", {"source": ["ses-feedback"]})
    noticed: dict[str, list[str]] = {}
    every = [*statements(world)]
    seconds = [_all_is_well(world, bus)]
    for owner, name, place, document in every:
        statement = document["Statement"][place]
        seconds.append(_all_is_well(world, bus))
        assert seconds[-1] < 90
        patience = 3 + 2 * min(seconds)
        with without(world, owner, name, place, document):
            missing = eventually(Drill(world, bus).missing, lambda left: not left, patience)
            missing = missing or backlog_left(world, patience)
        noticed[f"{owner.rpartition('/')[2]} {statement.get('Sid', statement['Action'])}"] = missing
    print(json.dumps(noticed, indent=1))  # noqa: T201 (what pytest shows when this fails)
    assert len(noticed) == len(every)
    assert {name.rpartition(" ")[2] for name in noticed} >= {"UseKey", "ReceiveFromQueue", "ReadStream"}
    assert [statement for statement, missing in noticed.items() if not missing] == []


def _all_is_well(world: World, bus: str) -> float:
    """Wait until everything has been done once more."""
    began = time.monotonic()
    eventually(Drill(world, bus).missing, lambda missing: not missing, 90)
    return time.monotonic() - began


@pytest.fixture
def asked(world: World) -> set[tuple[str, str, str]]:
    """Everything every role is asked for when everything is done that the stack does: role, action, resource."""
    world.running.ask("permissions", method="DELETE")
    bus = world.listen("drill", {"source": ["ses-feedback"]})
    drill = Drill(world, bus)
    assert eventually(drill.missing, lambda missing: not missing, 120) == []
    assert backlog_left(world, 60) == []
    drill.bounce()
    assert eventually(drill.unheard, lambda left: not left, 120) == []
    _list_and_release(world)
    everything = world.running.ask("permissions")
    assert [one for one in everything if not one[3]] == []
    return {(role, action, resource) for role, action, resource, _ in everything}


def test_roles_grant_what_is_asked_for_and_nothing_else(world: World, asked: set[tuple[str, str, str]]) -> None:
    """Each action of each statement is asked for on each of its resources, and nothing is wider than a name need be."""
    granted = list(grants(world))
    unused = [one for one in granted if not any(one.covers(*request) for request in asked)]
    assert unused == []
    wide = [one for one in granted if "*" in one.resource]
    assert [one for one in wide if not one.resource.endswith(NO_NARROWER.get(one.action, "nothing"))] == []
    assert {one.action for one in wide} == NO_NARROWER.keys()


def test_any_narrower_statement_refuses_something(world: World, asked: set[tuple[str, str, str]]) -> None:
    """Take one action on one resource out of a role, and something it is asked for is refused."""
    granted = list(grants(world))
    spare = []
    for one in granted:
        rest = [other for other in granted if other != one]
        if all(any(other.covers(*request) for other in rest) for request in asked):
            spare.append(one)
    assert spare == []
    assert len(set(granted)) == len(granted)


def grants(world: World) -> Iterator[Grant]:
    """Yield what every role allows, action by action and resource by resource."""
    iam, resources = world.client("iam"), world.resources()
    every = [*statements(world)]
    for logical in (name for name in resources if name.endswith("Role")):
        role = resources[logical]
        attached = {one["PolicyArn"] for one in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]}
        for owner, _, place, document in every:
            statement = document["Statement"][place]
            if owner == role or owner in attached:
                for action in _listed(statement["Action"]):
                    for resource in _listed(statement["Resource"]):
                        yield Grant(role, statement.get("Sid", ""), action, resource)


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _list_and_release(world: World) -> None:
    """Have an address listed for soft bounces on five days, and taken off the list by a delivery after them."""
    address, sns = world.address("mailboxfull"), world.client("sns")
    today = datetime.now(UTC)
    bounce = {"bounceType": "Transient", "bounceSubType": "MailboxFull"}
    for days in range(5, 0, -1):
        message = a_message("Bounce", address, today - timedelta(days=days), **bounce)
        sns.publish(TopicArn=world.outputs["BounceTopicArn"], Message=message)
    assert eventually(lambda: address in world.listed()), "suspended, so listed"
    sns.publish(TopicArn=world.outputs["DeliveryTopicArn"], Message=a_message("Delivery", address, today))
    assert eventually(lambda: address not in world.listed()), "delivered to, so taken off"

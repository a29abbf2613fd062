"""Every role may do what it needs and nothing else: policies are enforced, and taken apart here."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.world import World, eventually

LANES = ("Bounce", "Complaint", "Delivery")
FUNCTIONS = (*LANES, "Suppression")


@pytest.fixture
def world(impatient: World) -> World:
    """The stack, with lanes that try again soon."""
    return impatient


def a_message(kind: str, address: str, at: datetime, **detail: str) -> str:
    """Return an event about an address."""
    time_of = at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    mail = {"timestamp": time_of, "messageId": f"m-{address}-{time_of}", "destination": [address]}
    if kind == "Delivery":
        return json.dumps(
            {"eventType": kind, "mail": mail, "delivery": {"timestamp": time_of, "recipients": [address]}}
        )
    bounced = [{"emailAddress": address, "action": "failed", "status": "5.1.1"}]
    bounce = {"timestamp": time_of, "feedbackId": f"f-{time_of}", "bouncedRecipients": bounced, **detail}
    return json.dumps({"eventType": kind, "mail": mail, "bounce": bounce})


class Drill:
    """Everything the roles are for, done once more; `missing` says what of it has not been seen yet."""

    def __init__(self, world: World, bus: str) -> None:
        self._world = world
        self._bus = bus
        self._began = int(time.time() * 1000)
        self._announced: set[str] = set()
        self._kept: list[str] = []
        self._addresses = {lane: world.address("drill") for lane in LANES}
        sns = world.client("sns")
        for lane, address in self._addresses.items():
            bounce = {"bounceType": "Permanent", "bounceSubType": "General"}
            message = a_message("Bounce", address, datetime.now(UTC), **bounce)
            topic = world.outputs[f"{lane}TopicArn"]
            sns.publish(TopicArn=topic, Message=message)
            sns.publish(TopicArn=topic, Message=f'{{"poison": "{address}"')
        world.running.ask("schedules", method="POST")

    def missing(self) -> list[str]:
        """Return what has not been seen yet."""
        world = self._world
        self._announced |= {event["detail"]["address"] for event in world.take(self._bus)}
        self._kept += _taken(world, "QuarantineQueueUrl")
        seen = {"sweep": '"message":"sweep"' in self._log("Suppression")}
        for lane, address in self._addresses.items():
            contact = world.contact(address)
            seen[f"{lane} contact"] = bool(contact)
            seen[f"{lane} history"] = bool(world.history(address))
            seen[f"{lane} poison"] = any(address in body for body in self._kept)
            seen[f"{lane} mirrored"] = "mirrored" in contact
            seen[f"{lane} announced"] = address in self._announced
        seen |= {f"{function} log": bool(self._log(function)) for function in FUNCTIONS}
        return [what for what, done in seen.items() if not done]

    def _log(self, function: str) -> str:
        group = f"/aws/lambda/{self._world.name}/{function}Function"
        found = self._world.client("logs").filter_log_events(logGroupName=group, startTime=self._began)["events"]
        return "\n".join(event["message"] for event in found)


def _taken(world: World, queue: str) -> Iterator[str]:
    sqs, url = world.client("sqs"), world.outputs[queue]
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            yield message["Body"]
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


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
    seconds = [_all_is_well(world, bus)]
    for owner, name, place, document in [*statements(world)]:
        statement = document["Statement"][place]
        seconds.append(_all_is_well(world, bus))
        assert seconds[-1] < 90
        patience = 3 + 2 * min(seconds)
        with without(world, owner, name, place, document):
            missing = eventually(Drill(world, bus).missing, lambda left: not left, patience)
        noticed[f"{owner.rpartition('/')[2]} {statement.get('Sid', statement['Action'])}"] = missing
    print(json.dumps(noticed, indent=1))  # noqa: T201 (what pytest shows when this fails)
    assert len(noticed) == 15
    assert [statement for statement, missing in noticed.items() if not missing] == []


def _all_is_well(world: World, bus: str) -> float:
    """Return how many seconds it takes until everything has been done once more."""
    began = time.monotonic()
    eventually(Drill(world, bus).missing, lambda missing: not missing, 90)
    return time.monotonic() - began


def test_roles_grant_what_is_asked_for_and_nothing_else(world: World) -> None:
    """After everything was done once, what each role was asked for is what its policies allow, action by action."""
    bus = world.listen("drill", {"source": ["ses-feedback"]})
    assert eventually(Drill(world, bus).missing, lambda missing: not missing) == []
    _list_and_release(world)
    iam, resources = world.client("iam"), world.resources()
    granted: dict[str, set[str]] = {}
    for logical in (name for name in resources if name.endswith("Role")):
        role = resources[logical]
        documents = [document for owner, _, _, document in statements(world) if owner == role]
        attached = {one["PolicyArn"] for one in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]}
        documents += [document for owner, _, _, document in statements(world) if owner in attached]
        granted[role] = {
            action
            for document in documents
            for statement in document["Statement"]
            for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        }
    asked: dict[str, set[str]] = {role: set() for role in granted}
    for role, action, _, _ in world.running.ask("permissions"):
        asked[role].add(action)
    assert asked == granted


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

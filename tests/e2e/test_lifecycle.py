"""A second stack beside the first: deployed, updated and deleted, leaving what must be left."""

from functools import partial

import pytest

from localaws.served import stack as stacks
from localaws.served.process import LocalError
from tests.e2e.deployed_stack import World, eventually


def setting(world: World, name: str) -> str:
    """Return a setting of the bounce lane's function."""
    found = world.client("lambda").get_function_configuration(FunctionName=world.outputs["BounceFunctionName"])
    return str(found["Environment"]["Variables"][name])


def test_a_stack_lives_and_leaves_its_contacts(world: World) -> None:
    """An update keeps the contacts, and deleting the stack takes everything but the table and its key."""
    local, name = world.local, "second"
    stacks.deploy(local, world.running, name=name, parameters=["CustomerManagedKey=true"])
    second = World(local, world.running, name)
    address = second.address("bounce")
    second.send(address)
    assert eventually(partial(second.contact, address)).get("status") == "bounced"
    assert world.contact(address) == {}

    stacks.deploy(local, world.running, name=name, parameters=["CustomerManagedKey=true", "SoftBounceLimit=3"])
    assert (setting(second, "SOFT_BOUNCE_LIMIT"), setting(world, "SOFT_BOUNCE_LIMIT")) == ("3", "5")
    assert second.contact(address)["status"] == "bounced"

    stacks.delete(local, world.running, name=name)
    with pytest.raises(LocalError):
        stacks.Stack(world.running, name)
    assert second.contact(address)["status"] == "bounced"
    key = second.outputs["KeyArn"]
    assert second.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    assert left_of(world, name) == {"queues": [], "topics": [], "functions": [], "logs": [], "roles": []}


def left_of(world: World, name: str) -> dict[str, list[str]]:
    """Return what is left of a stack but its table and key."""
    logs = world.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}/")["logGroups"]
    found = {
        "queues": world.client("sqs").list_queues(QueueNamePrefix=name).get("QueueUrls", []),
        "topics": [one["TopicArn"] for one in world.client("sns").list_topics()["Topics"]],
        "functions": [one["FunctionName"] for one in world.client("lambda").list_functions()["Functions"]],
        "logs": [one["logGroupName"] for one in logs],
        "roles": [one["RoleName"] for one in world.client("iam").list_roles()["Roles"]],
    }
    return {what: [one for one in names if f"{name}-" in one or what == "logs"] for what, names in found.items()}

"""A second stack beside the first: deployed, updated and deleted."""

from functools import partial

import pytest

from localaws.deployment import sam_cli
from localaws.deployment.deployed_stack import DeployedStack
from localaws.deployment.running_server import LocalAwsError
from tests.e2e.stack_under_test import StackUnderTest, wait_for


def read_setting(stack: StackUnderTest, name: str) -> str:
    """Return an environment variable of BounceFunction."""
    configuration = stack.client("lambda").get_function_configuration(FunctionName=stack.outputs["BounceFunctionName"])
    return str(configuration["Environment"]["Variables"][name])


def test_update_keeps_contacts_and_deletion_keeps_only_table_and_key(stack: StackUnderTest) -> None:
    local_aws, name = stack.local_aws, "second"
    sam_cli.deploy(local_aws, stack.server, name=name, parameters=["CustomerManagedKey=true"])
    second = StackUnderTest(local_aws, stack.server, name)
    address = second.create_address("bounce")
    second.send_email(address)
    assert wait_for(partial(second.contact, address)).get("status") == "bounced"
    assert stack.contact(address) == {}

    sam_cli.deploy(local_aws, stack.server, name=name, parameters=["CustomerManagedKey=true", "SoftBounceLimit=3"])
    assert (read_setting(second, "SOFT_BOUNCE_LIMIT"), read_setting(stack, "SOFT_BOUNCE_LIMIT")) == ("3", "5")
    assert second.contact(address)["status"] == "bounced"

    sam_cli.delete(local_aws, stack.server, name=name)
    with pytest.raises(LocalAwsError):
        DeployedStack(stack.server, name)
    assert second.contact(address)["status"] == "bounced"
    key = second.outputs["KeyArn"]
    assert second.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    assert list_remaining(stack, name) == {"queues": [], "topics": [], "functions": [], "logs": [], "roles": []}


def list_remaining(stack: StackUnderTest, name: str) -> dict[str, list[str]]:
    """Return the resources of a deleted stack that still exist, except the table and the key."""
    logs = stack.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}/")["logGroups"]
    existing = {
        "queues": stack.client("sqs").list_queues(QueueNamePrefix=name).get("QueueUrls", []),
        "topics": [topic["TopicArn"] for topic in stack.client("sns").list_topics()["Topics"]],
        "functions": [function["FunctionName"] for function in stack.client("lambda").list_functions()["Functions"]],
        "logs": [group["logGroupName"] for group in logs],
        "roles": [role["RoleName"] for role in stack.client("iam").list_roles()["Roles"]],
    }
    return {
        kind: [resource for resource in resources if f"{name}-" in resource or kind == "logs"]
        for kind, resources in existing.items()
    }

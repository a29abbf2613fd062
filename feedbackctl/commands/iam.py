"""`feedbackctl iam`: the IAM policies that the operator commands need."""

import json
from typing import TYPE_CHECKING

import click

from feedbackctl.operator_options import Target, stack_options
from feedbackctl.permissions import Resource, policy_document

if TYPE_CHECKING:
    from feedbackctl.stack import Stack


@click.group
def iam() -> None:
    """Print least-privilege IAM policies for operators.

    A policy allows exactly the calls that the commands make, on this stack's resources. It is one JSON document, as
    `aws iam put-role-policy --policy-document` takes it.
    """


@iam.command
@stack_options
def read(target: Target) -> None:
    """Print the policy for the commands that change nothing."""
    _print_policy(target, changes=False)


@iam.command
@stack_options
def change(target: Target) -> None:
    """Print the policy for all commands, also those that change contacts, queues and the suppression list."""
    _print_policy(target, changes=True)


def _print_policy(target: Target, *, changes: bool) -> None:
    click.echo(json.dumps(policy_document(changes=changes, arns=stack_arns(target.find_stack())), indent=2))


def stack_arns(stack: "Stack") -> dict[Resource, tuple[str, ...]]:
    """Return the ARNs of the stack's resources. A resource that the stack does not have is left out."""
    table = stack.output("ContactsTableArn")
    _, partition, _, region, account = table.split(":")[:5]

    def queues(*outputs: str) -> tuple[str, ...]:
        names = [stack.outputs[name].rpartition("/")[2] for name in outputs if name in stack.outputs]
        return tuple(f"arn:{partition}:sqs:{region}:{account}:{name}" for name in names)

    arns = {
        Resource.STACK: (f"arn:{partition}:cloudformation:{region}:{account}:stack/{stack.name}/*",),
        Resource.TABLE: (table,),
        Resource.INDEXES: (f"{table}/index/*",),
        Resource.RATE_LIMITER: (table,),
        Resource.IMPORTS: _imports(stack, partition),
        Resource.QUEUES: queues("QuarantineQueueUrl", "DeadLetterQueueUrl", "UndeliveredQueueUrl"),
        Resource.LANE_QUEUES: queues("BounceQueueUrl", "ComplaintQueueUrl", "DeliveryQueueUrl"),
        Resource.KEY: (stack.outputs["KeyArn"],) if "KeyArn" in stack.outputs else (),
        Resource.TOPICS: tuple(stack.outputs[f"{lane}TopicArn"] for lane in ("Bounce", "Complaint", "Delivery"))
        + tuple(
            filter(
                None,
                [
                    f"arn:{partition}:sns:{region}:{account}:{stack.name}-AlarmTopic",
                    stack.parameters.get("AlarmTopicArn", ""),
                ],
            )
        ),
        Resource.FUNCTIONS: tuple(
            f"arn:{partition}:lambda:{region}:{account}:function:{stack.outputs[f'{name}FunctionName']}"
            for name in ("Bounce", "Complaint", "Delivery", "Suppression")
        ),
        Resource.SCHEDULES: (f"arn:{partition}:scheduler:{region}:{account}:schedule/default/{stack.name}-*",),
        Resource.IMPORT_BUCKET: (f"arn:{partition}:s3:::{stack.name.lower()}-importbucket-*",),
        Resource.ANY: ("*",),
    }
    return {resource: found for resource, found in arns.items() if found}


def _imports(stack: "Stack", partition: str) -> tuple[str, ...]:
    bucket = stack.outputs.get("ImportBucketName")
    return (f"arn:{partition}:s3:::{bucket}/imports/operator-*",) if bucket else ()

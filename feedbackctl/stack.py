"""Outputs of a deployed stack, by the stack's name."""

from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from feedbackctl.errors import OperatorError
from ses_feedback.aws.errors import error_code

_NO_STACK = "ValidationError"
"""CloudFormation's error if there is no stack of the name; there is no error code of its own for it.
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html"""


def read_outputs(cloudformation: Any, name: str, required: Iterable[str]) -> Mapping[str, str]:  # noqa: ANN401 (botocore's client)
    """Return the outputs of the stack `name`.

    Raises:
        OperatorError: there is no such stack, or it lacks one of the `required` outputs.
        ClientError: CloudFormation refused the call for another reason, such as an expired token.

    """
    try:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if error_code(error) != _NO_STACK:
            raise
        raise OperatorError(f"There is no stack {name} in this account and Region.") from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    missing = ", ".join(output for output in required if output not in outputs)
    if missing:
        raise OperatorError(
            f"The stack {name} lacks the outputs {missing}. Is it a stack of ses-feedback, and is its deployment "
            "complete?"
        )
    return outputs

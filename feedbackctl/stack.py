"""The stack that a command works on: its outputs, parameters, settings and clients."""

import re
import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from feedbackctl.aws_session import AwsSession
from feedbackctl.errors import OperatorError
from ses_feedback.aws.errors import error_code
from ses_feedback.contacts.repository import ContactRepository
from ses_feedback.handlers.deadline import utc_now
from ses_feedback.settings import Settings, SettingsError, from_environment
from ses_feedback.suppression.rate_limiter import RateLimiter

_NO_STACK = "ValidationError"
"""CloudFormation's error if there is no stack of the name; there is no error code of its own for it.
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html"""
_REQUIRED = ("ContactsTableName", "QuarantineQueueUrl")
"""Outputs by which a stack of ses-feedback is recognized."""
_SAMCONFIG = Path("samconfig.toml")
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True)
class Stack:
    """A deployed stack. `outputs` and `parameters` are those of CloudFormation, `aws` has the operator's clients."""

    name: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    aws: AwsSession = field(default_factory=AwsSession)
    arn: str = ""

    def output(self, name: str) -> str:
        """Return an output.

        Raises:
            OperatorError: the stack lacks the output.

        """
        if name not in self.outputs:
            raise OperatorError(
                f"The stack {self.name} lacks the output {name}. Deploy it again with the template of this version."
            )
        return self.outputs[name]

    @property
    def table(self) -> str:
        """Name of the table of contacts."""
        return self.output("ContactsTableName")

    @cached_property
    def settings(self) -> Settings:
        """The settings of the stack's functions, from the stack's parameters.

        Raises:
            OperatorError: a parameter has a value that this version does not know.

        """
        # The environment of the functions has the same values under these names.
        environment = {_WORD.sub("_", name).upper(): value for name, value in self.parameters.items()}
        try:
            return from_environment({**environment, "TABLE_NAME": self.table})
        except SettingsError as error:
            raise OperatorError(f"The stack {self.name} has an unknown parameter value: {error}") from None

    @cached_property
    def repository(self) -> ContactRepository:
        """The contacts, read and written by the same code as the stack's functions."""
        return ContactRepository(
            self.aws.client("dynamodb"),
            self.table,
            self.settings.limits,
            history_days=self.settings.history_days,
            now=utc_now,
            sleep=time.sleep,
        )

    @cached_property
    def rate_limiter(self) -> RateLimiter:
        """The rate limiter for SES calls that the stack's functions share."""
        rate = self.settings.suppression_rate
        return RateLimiter(self.aws.client("dynamodb"), self.table, rate, now=utc_now, sleep=time.sleep)


class SamConfig(NamedTuple):
    """Stack name and Region in samconfig.toml, each empty if it is not there."""

    stack: str = ""
    region: str = ""


def find_stack(aws: AwsSession, name: str | None, config: Path = _SAMCONFIG) -> Stack:
    """Return the stack `name`; without a name the one in `config`, else the only one in the account and Region.

    Raises:
        OperatorError: there is no such stack, or several, or it is not a stack of ses-feedback.
        ClientError: CloudFormation refused the call, for example because a token has expired.

    """
    sam = SamConfig() if name else read_samconfig(config)
    aws.use_region(sam.region)
    chosen = name or sam.stack
    if chosen:
        return _describe(aws, chosen, f" ({config.name} names it; give --stack to choose another)" if sam.stack else "")
    found = list(_stacks(aws))
    if len(found) == 1:
        return found[0]
    if not found:
        raise OperatorError(f"There is no stack of ses-feedback in {aws.region}. Give --region, or deploy one.")
    names = ", ".join(sorted(stack.name for stack in found))
    raise OperatorError(f"There are several stacks of ses-feedback in {aws.region}: {names}. Choose one with --stack.")


def read_samconfig(path: Path) -> SamConfig:
    """Return what the default environment of samconfig.toml says, or nothing if the file is missing or not TOML.

    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-config.html
    """
    try:
        tables = tomllib.loads(path.read_text("utf-8")).get("default", {})
        sections = [tables.get(command, {}).get("parameters", {}) for command in ("deploy", "global")]
        values = [next((str(one[key]) for one in sections if key in one), "") for key in ("stack_name", "region")]
    except (OSError, ValueError, AttributeError, TypeError):
        return SamConfig()
    return SamConfig(*values)


def _describe(aws: AwsSession, name: str, hint: str) -> Stack:
    try:
        [found] = aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error_code(error) != _NO_STACK:
            raise
        raise OperatorError(f"There is no stack {name} in this account in {aws.region}{hint}.") from None
    stack = _as_stack(aws, found)
    missing = ", ".join(output for output in _REQUIRED if output not in stack.outputs)
    if missing:
        raise OperatorError(
            f"The stack {name} lacks the outputs {missing}. Is it a stack of ses-feedback, and is its deployment "
            "complete?"
        )
    return stack


def _stacks(aws: AwsSession) -> Iterator[Stack]:
    for page in aws.client("cloudformation").get_paginator("describe_stacks").paginate():
        for found in page["Stacks"]:
            stack = _as_stack(aws, found)
            if all(output in stack.outputs for output in _REQUIRED):
                yield stack


def _as_stack(aws: AwsSession, found: Mapping[str, Any]) -> Stack:
    # A parameter of type AWS::SSM::Parameter has its value in ResolvedValue.
    parameters = {
        one["ParameterKey"]: one.get("ResolvedValue", one.get("ParameterValue", ""))
        for one in found.get("Parameters", [])
    }
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
    return Stack(found["StackName"], outputs, parameters, aws, found.get("StackId", ""))

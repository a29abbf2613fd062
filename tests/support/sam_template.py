"""template.yaml as CloudFormation processes it: SAM transform applied, parameters filled in, conditions evaluated.

No account and no network are used. A value that only a deployment knows stays a placeholder: `${BounceQueue.Arn}`.
"""

import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from samtranslator.translator.transform import transform  # type: ignore[import-untyped]
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
Properties = dict[str, Any]

LANES = ("Bounce", "Complaint", "Delivery")
FEEDBACK_FUNCTIONS = tuple(f"{lane}Function" for lane in LANES)
FUNCTIONS = (*FEEDBACK_FUNCTIONS, "SuppressionFunction")
QUEUES = (*(f"{lane}Queue" for lane in LANES), "UndeliveredQueue", "DeadLetterQueue", "QuarantineQueue")
BOTH_PATHS: tuple[dict[str, str], ...] = ({}, {"DeliveriesBy": "Firehose"})
"""The parameters for each path that deliveries can take."""
MINUTE, DAY = 60, 24 * 60 * 60

PRODUCTION = {"CustomerManagedKey": "true"}
"""What the stage `production` changes in the resources. The tests use it, because a key has more that can be wrong."""
_NO_VALUE = "${AWS::NoValue}"


def template() -> dict[str, Any]:
    """Return template.yaml as written, with `!Ref X` as `{"Ref": "X"}`."""
    parsed: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
    return parsed


class _NoManagedPolicies:
    """An empty list of AWS managed policies, which SAM would otherwise request from IAM."""

    def load(self) -> dict[str, str]:
        """Return no policies."""
        return {}


class Stack:
    """The resources and outputs of the template for one set of parameters; all others are as in production."""

    def __init__(self, parameters: Mapping[str, str]) -> None:
        """Transform and resolve the template for `parameters`."""
        source = template()
        source["Globals"]["Function"]["CodeUri"] = "s3://bucket/package"
        defaults = {name: declared["Default"] for name, declared in source["Parameters"].items()}
        self._parameters = {**defaults, **PRODUCTION, **parameters}
        with mock.patch.dict(os.environ, {"AWS_DEFAULT_REGION": "us-east-1"}):  # SAM derives the partition from it.
            self._transformed = transform(source, dict(self._parameters), _NoManagedPolicies())
        self.resources = self._resolve_section("Resources")
        self.outputs = self._resolve_section("Outputs")

    def properties(self, name: str) -> Properties:
        """Return the properties of the resource `name`."""
        properties: Properties = self.resources[name]["Properties"]
        return properties

    def of_type(self, kind: str) -> dict[str, Properties]:
        """Return the properties of every resource of the type `kind`, by name."""
        return {name: resource["Properties"] for name, resource in self.resources.items() if resource["Type"] == kind}

    def statements(self, function: str) -> list[Properties]:
        """Return the statements of all policies of the role of `function`."""
        role = self.properties(named(self.properties(function)["Role"]))
        policies = [policy["PolicyDocument"] for policy in role.get("Policies", [])]
        attached = [self.properties(named(arn)) for arn in role.get("ManagedPolicyArns", [])]
        policies += [policy["PolicyDocument"] for policy in attached]
        return [statement for policy in policies for statement in policy["Statement"]]

    def resource_policy(self, name: str) -> dict[str, Properties]:
        """Return the statements of the queue, topic, bucket or key policy `name`, by Sid."""
        properties = self.properties(name)
        document = properties.get("PolicyDocument") or properties["KeyPolicy"]
        return {statement["Sid"]: statement for statement in document["Statement"]}

    def environment(self, function: str) -> dict[str, str]:
        """Return the environment variables of `function`."""
        variables: dict[str, Any] = self.properties(function)["Environment"]["Variables"]
        return {name: str(value) for name, value in variables.items()}

    def event_source(self, function: str) -> Properties:
        """Return the only event source mapping of `function`."""
        mappings = self.of_type("AWS::Lambda::EventSourceMapping").values()
        (mapping,) = [mapping for mapping in mappings if named(mapping["FunctionName"]) == function]
        return mapping

    def _resolve_section(self, section: str) -> dict[str, dict[str, Any]]:
        return {
            name: self._resolve(declared)
            for name, declared in self._transformed[section].items()
            if self._is_true(declared.get("Condition"))
        }

    def _is_true(self, condition: str | None) -> bool:
        if condition is None:
            return True
        return bool(self._evaluate(self._transformed["Conditions"][condition]))

    def _evaluate(self, condition: Any) -> bool:  # noqa: ANN401 (CloudFormation's JSON)
        match condition:
            case {"Fn::Equals": [left, right]}:
                return bool(str(self._resolve(left)) == str(self._resolve(right)))
            case {"Fn::Not": [operand]}:
                return not self._evaluate(operand)
            case {"Fn::And": operands}:
                return all(map(self._evaluate, operands))
            case {"Fn::Or": operands}:
                return any(map(self._evaluate, operands))
            case {"Condition": name}:
                return self._is_true(name)
        message = f"unsupported condition function: {condition}"
        raise AssertionError(message)

    def _resolve(self, node: Any) -> Any:  # noqa: ANN401 (CloudFormation's JSON)
        match node:
            case {"Fn::If": [condition, then, otherwise]}:
                return self._resolve(then if self._is_true(condition) else otherwise)
            case {"Ref": name}:
                return self._parameters.get(name, f"${{{name}}}")
            case {"Fn::GetAtt": [name, attribute]}:
                return f"${{{name}.{attribute}}}"
            case {"Fn::Sub": substitution}:
                return self._substitute(substitution)
            case {"Fn::Select": [number, values]}:
                return self._select(number, values)
            case {"Fn::FindInMap": [table, row, column]}:
                return self._transformed["Mappings"][table][str(self._resolve(row))][column]
        return self._resolve_children(node)

    def _resolve_children(self, node: Any) -> Any:  # noqa: ANN401 (CloudFormation's JSON)
        match node:
            case dict():
                resolved = {key: self._resolve(value) for key, value in node.items()}
                return {key: value for key, value in resolved.items() if value != _NO_VALUE}
            case list():
                return [value for value in map(self._resolve, node) if value != _NO_VALUE]
        return node

    def _substitute(self, substitution: Any) -> str:  # noqa: ANN401 (CloudFormation's JSON)
        text, local = (substitution, {}) if isinstance(substitution, str) else substitution
        known = {**self._parameters, **{name: self._resolve(value) for name, value in local.items()}}
        return re.sub(r"\$\{(\w+)\}", lambda match: str(known.get(match[1], match[0])), text)

    def _select(self, number: int, values: Any) -> Any:  # noqa: ANN401 (CloudFormation's JSON)
        match values:
            case {"Fn::Split": [separator, text]}:  # The parts are known to a deployment only.
                return f"${{{number} of {self._resolve(text)} by {separator}}}"
        return self._resolve(values[number])


@cache
def stack(**parameters: str) -> Stack:
    """Return the stack with `parameters`. It is created once per test process and shared: do not change it."""
    return Stack(parameters)


def named(reference: str) -> str:
    """Return the resource that `reference`, such as `${BounceQueue.Arn}`, refers to."""
    return reference.removeprefix("${").removesuffix("}").partition(".")[0]


def as_list(value: Any) -> list[Any]:  # noqa: ANN401 (IAM accepts a string or a list of strings)
    """Return `value` as a list."""
    return value if isinstance(value, list) else [value]


def key_services(made: Stack, function: str) -> list[str]:
    """Return the patterns of the services through which a function may use the key."""
    uses = [each for each in made.statements(function) if "kms:Decrypt" in as_list(each["Action"])]
    return [text for use in uses for text in as_list(use["Condition"]["StringLike"]["kms:ViaService"])]

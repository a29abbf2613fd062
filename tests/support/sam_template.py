"""template.yaml as CloudFormation sees it: SAM's transform applied, parameters filled in, conditions decided.

No account, no network. What only a deployment can know stays a name: `${BounceQueue.Arn}`.
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
_NOTHING = "${AWS::NoValue}"


def template() -> dict[str, Any]:
    """Return template.yaml as it is written, `!Ref X` being `{"Ref": "X"}`."""
    parsed: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
    return parsed


class _NoManagedPolicies:
    """The template attaches none of AWS's own policies, whose list SAM would ask IAM for."""

    def load(self) -> dict[str, str]:
        """Return no policies."""
        return {}


class Stack:
    """What the template makes with some parameters, the others being at their defaults."""

    def __init__(self, parameters: Mapping[str, str]) -> None:
        """Transform and resolve the template; `parameters` are given as on the command line."""
        source = template()
        source["Globals"]["Function"]["CodeUri"] = "s3://bucket/what-sam-build-makes"
        defaults = {name: declared["Default"] for name, declared in source["Parameters"].items()}
        self._parameters = {**defaults, **parameters}
        with mock.patch.dict(os.environ, {"AWS_DEFAULT_REGION": "us-east-1"}):  # SAM asks for the partition
            self._transformed = transform(source, dict(self._parameters), _NoManagedPolicies())
        self.resources: dict[str, dict[str, Any]] = {
            name: self._resolve(resource)
            for name, resource in self._transformed["Resources"].items()
            if self._holds(resource.get("Condition"))
        }
        self.outputs: dict[str, dict[str, Any]] = {
            name: self._resolve(output)
            for name, output in self._transformed["Outputs"].items()
            if self._holds(output.get("Condition"))
        }

    def properties(self, name: str) -> Properties:
        """Return the properties of the resource `name`."""
        properties: Properties = self.resources[name]["Properties"]
        return properties

    def of_type(self, kind: str) -> dict[str, Properties]:
        """Return the properties of every resource of the type `kind`, by name."""
        return {name: resource["Properties"] for name, resource in self.resources.items() if resource["Type"] == kind}

    def statements(self, function: str) -> list[Properties]:
        """Return the statements of everything attached to the role of `function`."""
        role = self.properties(named(self.properties(function)["Role"]))
        policies = [policy["PolicyDocument"] for policy in role.get("Policies", [])]
        attached = [self.properties(named(arn)) for arn in role.get("ManagedPolicyArns", [])]
        policies += [policy["PolicyDocument"] for policy in attached]
        return [statement for policy in policies for statement in policy["Statement"]]

    def _holds(self, condition: str | None) -> bool:
        if condition is None:
            return True
        return bool(self._decide(self._transformed["Conditions"][condition]))

    def _decide(self, condition: Any) -> bool:  # noqa: ANN401 (CloudFormation's JSON)
        match condition:
            case {"Fn::Equals": [left, right]}:
                return bool(str(self._resolve(left)) == str(self._resolve(right)))
            case {"Fn::Not": [one]}:
                return not self._decide(one)
            case {"Fn::And": all_of}:
                return all(map(self._decide, all_of))
            case {"Condition": name}:
                return self._holds(name)
        message = f"this builder does not know the condition {condition}"
        raise AssertionError(message)

    def _resolve(self, node: Any) -> Any:  # noqa: ANN401 (CloudFormation's JSON)
        match node:
            case {"Fn::If": [condition, yes, no]}:
                return self._resolve(yes if self._holds(condition) else no)
            case {"Ref": name}:
                return self._parameters.get(name, f"${{{name}}}")
            case {"Fn::GetAtt": [name, attribute]}:
                return f"${{{name}.{attribute}}}"
            case {"Fn::Sub": written}:
                return self._substituted(written)
            case {"Fn::Select": [number, values]}:
                return self._selected(number, values)
            case {"Fn::FindInMap": [table, row, column]}:
                return self._transformed["Mappings"][table][self._resolve(row)][column]
        return self._resolve_inside(node)

    def _resolve_inside(self, node: Any) -> Any:  # noqa: ANN401 (CloudFormation's JSON)
        match node:
            case dict():
                resolved = {key: self._resolve(value) for key, value in node.items()}
                return {key: value for key, value in resolved.items() if value != _NOTHING}
            case list():
                return [value for value in map(self._resolve, node) if value != _NOTHING]
        return node

    def _substituted(self, written: Any) -> str:  # noqa: ANN401 (CloudFormation's JSON)
        text, own = (written, {}) if isinstance(written, str) else written
        known = {**self._parameters, **{name: self._resolve(value) for name, value in own.items()}}
        return re.sub(r"\$\{(\w+)\}", lambda it: str(known.get(it[1], it[0])), text)

    def _selected(self, number: int, values: Any) -> Any:  # noqa: ANN401 (CloudFormation's JSON)
        match values:
            case {"Fn::Split": [separator, whole]}:  # What is split, only a deployment can know.
                return f"${{{number} of {self._resolve(whole)} by {separator}}}"
        return self._resolve(values[number])


@cache
def stack(**parameters: str) -> Stack:
    """Return the stack with `parameters`, made once per test process and shared: do not change it."""
    return Stack(parameters)


def named(reference: str) -> str:
    """Return the resource that `reference`, such as `${BounceQueue.Arn}`, refers to."""
    return reference.removeprefix("${").removesuffix("}").partition(".")[0]


def listed(value: Any) -> list[Any]:  # noqa: ANN401 (a string or a list of them, as IAM takes both)
    """Return `value` as a list."""
    return value if isinstance(value, list) else [value]

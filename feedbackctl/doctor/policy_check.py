"""Whether a resource policy allows an AWS service to do something.

This evaluates what policies of topics, queues, keys and buckets contain in practice. A condition that cannot be
evaluated makes the result undetermined: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from feedbackctl.doctor.remedies import to_json

_UNKNOWN_KEYS = frozenset({"aws:sourceorgid", "aws:sourceorgpaths"})
"""Keys that the request of a service has, with a value that only AWS Organizations knows.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html"""


class Decision(StrEnum):
    """The result of a policy for a request."""

    ALLOWED = "allowed"
    NOT_ALLOWED = "not allowed"
    DENIED = "denied"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """A request of an AWS service, such as `ses.amazonaws.com`, or of the root user by its ARN.

    Keys of `context` are in lower case.
    """

    service: str
    action: str
    resource: str
    context: Mapping[str, str]


def evaluate(policy: str | None, request: ServiceRequest) -> Decision:
    """Return the decision of `policy` (JSON; None or empty: no policy) on a request."""
    results = [(statement.get("Effect"), _matches(statement, request)) for statement in statements(policy)]
    if ("Deny", True) in results:
        return Decision.DENIED
    if ("Deny", None) in results:
        return Decision.UNDETERMINED
    if ("Allow", True) in results:
        return Decision.ALLOWED
    return Decision.UNDETERMINED if ("Allow", None) in results else Decision.NOT_ALLOWED


def statements(policy: str | None) -> list[dict[str, Any]]:
    """Return the statements of a policy. A malformed policy has none."""
    try:
        found = json.loads(policy or "{}").get("Statement", [])
    except (ValueError, AttributeError):
        return []
    return [each for each in (found if isinstance(found, list) else [found]) if isinstance(each, dict)]


def with_statement(policy: str | None, statement: Mapping[str, Any], request: ServiceRequest) -> str:
    """Return the policy with `statement` and without the statements that deny `request`.

    A statement with the same Sid is replaced. All others stay.
    """
    kept = [
        each for each in statements(policy) if each.get("Sid") != statement.get("Sid") and not _denies(each, request)
    ]
    return to_json({"Version": "2012-10-17", "Statement": [*kept, statement]})


def _denies(statement: Mapping[str, Any], request: ServiceRequest) -> bool:
    return statement.get("Effect") == "Deny" and _matches(statement, request) is True


def _matches(statement: Mapping[str, Any], request: ServiceRequest) -> bool | None:
    """Return True if a statement applies, False if it does not, and None if a condition cannot be evaluated."""
    applies = (
        _names_service(statement, request.service)
        and _names(statement, "Action", request.action, ignore_case=True)
        and _names(statement, "Resource", request.resource)
    )
    return applies and _meets_conditions(statement.get("Condition", {}), request.context)


def _names_service(statement: Mapping[str, Any], service: str) -> bool:
    if "NotPrincipal" in statement:
        excluded = statement["NotPrincipal"]
        return not (isinstance(excluded, dict) and service in _texts(excluded.get("Service", [])))
    principal = statement.get("Principal", {})
    if principal == "*":
        return True
    # `{"AWS": "*"}` also matches services: everyone, in the words of the IAM guide.
    return isinstance(principal, dict) and bool(
        service in _texts(principal.get("Service", [])) or {service, "*"} & set(_texts(principal.get("AWS", [])))
    )


def _names(statement: Mapping[str, Any], element: str, value: str, *, ignore_case: bool = False) -> bool:
    if f"Not{element}" in statement:
        return not _is_like(value, statement[f"Not{element}"], ignore_case=ignore_case)
    # A policy of a key or a queue may lack the resource, which is then the thing itself.
    return _is_like(value, statement.get(element, "*"), ignore_case=ignore_case)


def _is_like(value: str, patterns: object, *, ignore_case: bool = False) -> bool:
    folded = value.lower() if ignore_case else value
    return any(
        fnmatchcase(folded, (pattern.lower() if ignore_case else pattern).replace("[", "[[]"))
        for pattern in _texts(patterns)
    )


def _meets_conditions(conditions: Mapping[str, Any], context: Mapping[str, str]) -> bool | None:
    results = [
        None if key.lower() in _UNKNOWN_KEYS else _meets(operator, context.get(key.lower()), values)
        for operator, keys in conditions.items()
        for key, values in keys.items()
    ]
    if False in results:
        return False
    return None if None in results else True


def _meets(operator: str, actual: str | None, values: object) -> bool | None:
    """Return whether a condition is met. A key that the request does not have meets negated conditions only."""
    base = operator.removesuffix("IfExists")
    negated = "Not" in base and base != "Null"
    if base == "Null":
        return (actual is None) == (str(_texts(values)[0]).lower() == "true")
    if actual is None:
        return negated or base != operator
    match base.replace("Not", ""):
        case "StringEquals":
            met = actual in _texts(values)
        case "StringEqualsIgnoreCase":
            met = actual.lower() in [value.lower() for value in _texts(values)]
        case "StringLike" | "ArnLike" | "ArnEquals":
            met = _is_like(actual, values)
        case "Bool":
            met = actual.lower() in [value.lower() for value in _texts(values)]
        case _:
            return None
    return met != negated


def _texts(value: object) -> list[str]:
    found = value if isinstance(value, list) else [value]
    return [str(each).lower() if isinstance(each, bool) else str(each) for each in found]

"""Decisions of resource policies."""

import json
from typing import Any

import pytest

from feedbackctl.doctor.policy_check import Decision, ServiceRequest, evaluate, statements, with_statement

TOPIC = "arn:aws:sns:eu-west-1:123456789012:Topic"
REQUEST = ServiceRequest(
    "ses.amazonaws.com",
    "sns:Publish",
    TOPIC,
    {
        "aws:sourceaccount": "123456789012",
        "aws:sourcearn": "arn:aws:ses:eu-west-1:123456789012:configuration-set/mail",
        "aws:securetransport": "true",
    },
)


def statement(effect: str = "Allow", **elements: Any) -> dict[str, Any]:  # noqa: ANN401 (JSON)
    return {
        "Effect": effect,
        "Principal": {"Service": "ses.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": "*",
        **elements,
    }


def decide(*found: dict[str, Any]) -> Decision:
    return evaluate(json.dumps({"Statement": list(found)}), REQUEST)


@pytest.mark.parametrize(
    "elements",
    [
        {},
        {"Principal": "*"},
        {"Principal": {"AWS": "*"}},
        {"Principal": {"Service": ["sns.amazonaws.com", "ses.amazonaws.com"]}},
        {"Action": "SNS:Pub*"},
        {"Action": ["sns:Subscribe", "sns:Publish"]},
        {"NotAction": "sns:Subscribe", "Action": None},
        {"Resource": TOPIC},
        {"Condition": {"StringEquals": {"AWS:SourceAccount": "123456789012"}}},
        {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:ses:*:123456789012:configuration-set/*"}}},
        {"Condition": {"StringEqualsIfExists": {"aws:SourceVpc": "vpc-1"}}},
        {"Condition": {"Bool": {"aws:SecureTransport": True}}},
        {"Condition": {"Null": {"aws:SourceVpc": "true"}}},
        {"Condition": {"StringNotEquals": {"aws:SourceAccount": "999999999999"}}},
    ],
)
def test_statement_that_applies_allows(elements: dict[str, Any]) -> None:
    found = {name: value for name, value in statement(**elements).items() if value is not None}
    assert decide(found) is Decision.ALLOWED


@pytest.mark.parametrize(
    "elements",
    [
        {"Principal": {"Service": "sns.amazonaws.com"}},
        {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}},
        {"Action": "sns:Subscribe"},
        {"Resource": f"{TOPIC}2"},
        {"Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}}},
        {"Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:ses:eu-west-1:123456789012:identity/*"}}},
        {"Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}},
    ],
)
def test_statement_that_does_not_apply_does_not_allow(elements: dict[str, Any]) -> None:
    assert decide(statement(**elements)) is Decision.NOT_ALLOWED


def test_denial_outweighs_permission() -> None:
    assert decide(statement(), statement("Deny")) is Decision.DENIED
    insecure = statement("Deny", Principal="*", Condition={"Bool": {"aws:SecureTransport": "false"}})
    assert decide(statement(), insecure) is Decision.ALLOWED


@pytest.mark.parametrize(
    "condition",
    [{"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}, {"StringEquals": {"aws:SourceOrgID": "o-1"}}],
)
def test_condition_that_cannot_be_evaluated_is_undetermined(condition: dict[str, Any]) -> None:
    context = {**REQUEST.context, "aws:currenttime": "now"}
    request = ServiceRequest(REQUEST.service, REQUEST.action, REQUEST.resource, context)
    for found in ([statement(Condition=condition)], [statement(), statement("Deny", Condition=condition)]):
        assert evaluate(json.dumps({"Statement": found}), request) is Decision.UNDETERMINED


@pytest.mark.parametrize("policy", [None, "", "no JSON", "[]", '{"Statement":"x"}'])
def test_policy_without_statements_allows_nothing(policy: str | None) -> None:
    assert statements(policy) == []
    assert evaluate(policy, REQUEST) is Decision.NOT_ALLOWED


def test_fixed_policy_keeps_other_statements_and_loses_those_that_deny() -> None:
    other = statement("Deny", Sid="Other", Principal="*", Condition={"Bool": {"aws:SecureTransport": "false"}})
    policy = json.dumps({"Statement": [statement("Deny", Sid="No"), other, statement(Sid="Ours", Action="sns:X")]})
    fixed = with_statement(policy, statement(Sid="Ours"), REQUEST)
    assert evaluate(fixed, REQUEST) is Decision.ALLOWED
    assert [each["Sid"] for each in statements(fixed)] == ["Other", "Ours"]

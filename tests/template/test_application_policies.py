"""Managed policies of template.yaml for applications: they grant exactly what the client of an application calls."""

import pytest

from ses_feedback.client.contact_view import PROJECTION
from tests.support.sam_template import Properties, as_list, stack

POLICIES = ("SendPreferencesPolicy", "ReadContactsPolicy")
WITHOUT_KEY = {"CustomerManagedKey": "false"}
ANSWERS = {"may_send", "may_send_transactional", "no_streams", "status", "reason", "status_at"}


def statements(policy: str, **parameters: str) -> dict[str, Properties]:
    """Return the statements of a managed policy, by Sid."""
    return stack(**parameters).resource_policy(policy)


def test_an_application_may_send_to_the_complaint_queue_and_nothing_else() -> None:
    assert statements("SendPreferencesPolicy", **WITHOUT_KEY) == {
        "SendPreferences": {
            "Sid": "SendPreferences",
            "Effect": "Allow",
            "Action": "sqs:SendMessage",
            "Resource": "${ComplaintQueue.Arn}",
        }
    }


def test_an_application_may_read_the_documented_attributes_of_contacts_and_nothing_else() -> None:
    """A request without a list of attributes would read all of them, so it is refused."""
    (statement,) = statements("ReadContactsPolicy", **WITHOUT_KEY).values()
    assert (set(statement["Action"]), statement["Resource"]) == (
        {"dynamodb:GetItem", "dynamodb:BatchGetItem"},
        "${ContactsTable.Arn}",
    )
    assert statement["Condition"].keys() == {"ForAllValues:StringEquals", "StringEqualsIfExists"}
    (attributes,) = statement["Condition"]["ForAllValues:StringEquals"].values()
    assert set(attributes) == {"address", "record"} | ANSWERS
    assert statement["Condition"]["StringEqualsIfExists"] == {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"}


def test_the_client_reads_only_attributes_that_the_policy_allows() -> None:
    (statement,) = statements("ReadContactsPolicy", **WITHOUT_KEY).values()
    (attributes,) = statement["Condition"]["ForAllValues:StringEquals"].values()
    assert {name.strip() for name in PROJECTION.split(",")} <= set(attributes)


@pytest.mark.parametrize(
    ("policy", "service", "actions"),
    [
        ("SendPreferencesPolicy", "sqs", {"kms:Decrypt", "kms:GenerateDataKey"}),
        ("ReadContactsPolicy", "dynamodb", {"kms:Decrypt"}),
    ],
)
def test_the_key_adds_its_use_through_one_service(policy: str, service: str, actions: set[str]) -> None:
    with_key = statements(policy, CustomerManagedKey="true")
    added = with_key.keys() - statements(policy, **WITHOUT_KEY).keys()
    (use,) = (with_key[sid] for sid in added)
    assert (set(as_list(use["Action"])), use["Resource"]) == (actions, "${Key.Arn}")
    assert use["Condition"] == {"StringEquals": {"kms:ViaService": f"{service}.${{AWS::Region}}.amazonaws.com"}}


@pytest.mark.parametrize("policy", POLICIES)
def test_no_role_of_the_stack_has_a_policy_of_applications(policy: str) -> None:
    attached = [arn for role in stack().of_type("AWS::IAM::Role").values() for arn in role.get("ManagedPolicyArns", [])]
    assert f"${{{policy}}}" not in attached


@pytest.mark.parametrize("policy", POLICIES)
def test_the_arn_of_a_policy_is_an_output(policy: str) -> None:
    assert stack().outputs[f"{policy}Arn"]["Value"] == f"${{{policy}}}"

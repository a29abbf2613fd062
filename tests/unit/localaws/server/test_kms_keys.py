"""The keys of resources, and the permissions on them that operations need."""

from typing import Any

import pytest

from localaws.server.kms_keys import ResourceKeys, needed_key_actions

KEY = "arn:aws:kms:us-east-1:123456789012:key/ours"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/Contacts"
BUCKET_RULE = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}}


@pytest.mark.parametrize(
    ("attributes", "properties", "resource"),
    [
        ({"Arn": "arn:q"}, {"KmsMasterKeyId": KEY}, "arn:q"),
        ({"TopicArn": "arn:t"}, {"KmsMasterKeyId": KEY}, "arn:t"),
        ({"Arn": "arn:l:*"}, {"KmsKeyId": KEY}, "arn:l:*"),
        ({"Arn": TABLE}, {"SSESpecification": {"KMSMasterKeyId": KEY}}, f"{TABLE}/index/PendingSync"),
        ({"Arn": TABLE}, {"SSESpecification": {"KMSMasterKeyId": KEY}}, f"{TABLE}/stream/2026"),
        (
            {"Arn": "arn:aws:s3:::ours"},
            {"BucketEncryption": {"ServerSideEncryptionConfiguration": [BUCKET_RULE]}},
            "arn:aws:s3:::ours/imports/one",
        ),
    ],
)
def test_resource_and_its_parts_have_the_key_in_its_properties(
    attributes: dict[str, Any], properties: dict[str, Any], resource: str
) -> None:
    keys = ResourceKeys()
    keys.record(attributes, properties)
    assert keys.find(resource) == KEY


@pytest.mark.parametrize("properties", [{}, {"BucketEncryption": {"ServerSideEncryptionConfiguration": []}}])
def test_update_without_a_key_removes_the_key(properties: dict[str, Any]) -> None:
    keys = ResourceKeys()
    keys.record({"Arn": "arn:q"}, {"KmsMasterKeyId": KEY})
    keys.record({"Arn": "arn:q"}, properties)
    assert keys.find("arn:q") is None


@pytest.mark.parametrize(
    ("action", "key_actions"),
    [
        ("sqs:SendMessage", {"kms:Decrypt", "kms:GenerateDataKey"}),
        ("sqs:ReceiveMessage", {"kms:Decrypt"}),
        ("sqs:DeleteMessage", set()),
        ("dynamodb:PartiQLUpdate", {"kms:Decrypt"}),
        ("dynamodb:GetRecords", {"kms:Decrypt"}),
        ("dynamodb:ListStreams", set()),
        ("s3:PutObject", {"kms:GenerateDataKey"}),
        ("s3:DeleteObject", set()),
        ("ses:PutSuppressedDestination", set()),
    ],
)
def test_action_needs_the_key_if_it_reads_or_writes_data(action: str, key_actions: set[str]) -> None:
    assert set(needed_key_actions(action)) == key_actions

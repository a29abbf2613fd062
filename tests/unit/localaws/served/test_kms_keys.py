"""Which key encrypts what, and what its use takes."""

from typing import Any

import pytest

from localaws.served.kms_keys import Keys, needed

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
def test_a_resource_has_the_key_it_was_made_with(
    attributes: dict[str, Any], properties: dict[str, Any], resource: str
) -> None:
    """However CloudFormation calls it there; and everything in it has."""
    keys = Keys()
    keys.note(attributes, properties)
    assert keys.of(resource) == KEY


@pytest.mark.parametrize("properties", [{}, {"BucketEncryption": {"ServerSideEncryptionConfiguration": []}}])
def test_an_update_may_take_the_key_away(properties: dict[str, Any]) -> None:
    """Then nobody needs one."""
    keys = Keys()
    keys.note({"Arn": "arn:q"}, {"KmsMasterKeyId": KEY})
    keys.note({"Arn": "arn:q"}, properties)
    assert keys.of("arn:q") is None


@pytest.mark.parametrize(
    ("action", "uses"),
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
def test_whoever_sees_data_needs_the_key(action: str, uses: set[str]) -> None:
    """And nobody else does."""
    assert set(needed(action)) == uses

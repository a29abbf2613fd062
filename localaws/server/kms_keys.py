"""The KMS key of each resource, and the permissions on it that an operation needs.

ministack neither encrypts nor checks these permissions. In AWS, reading or writing data that is encrypted with a
customer managed key requires permission to use the key: a role by its own policies and the key policy, a service by the
key policy alone.
"""

from collections.abc import Mapping
from typing import Any

_DECRYPT = ("kms:Decrypt",)
# The service reuses a data key for some time, so it must also decrypt it.
_ENCRYPT = ("kms:Decrypt", "kms:GenerateDataKey")
_NEEDED = {
    # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
    "sns:Publish": _ENCRYPT,
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
    "sqs:SendMessage": _ENCRYPT,
    "sqs:ReceiveMessage": _DECRYPT,
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
    "s3:PutObject": ("kms:GenerateDataKey",),
    "s3:GetObject": _DECRYPT,
}
# DynamoDB: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
_WITHOUT_DATA = frozenset({"dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:ListStreams"})


class ResourceKeys:
    """The keys of the resources that CloudFormation created with a key."""

    def __init__(self) -> None:
        self._by_resource: dict[str, str] = {}

    def record(self, attributes: Mapping[str, Any], properties: Mapping[str, Any]) -> None:
        """Record the key of a resource, or that it has none, from its CloudFormation attributes and properties."""
        arn = attributes.get("Arn") or attributes.get("TopicArn")
        key = (
            properties.get("KmsMasterKeyId")
            or properties.get("KmsKeyId")
            or (properties.get("SSESpecification") or {}).get("KMSMasterKeyId")
            or _read_bucket_key(properties)
        )
        if isinstance(arn, str):
            self._by_resource.pop(arn, None)
            if isinstance(key, str):
                self._by_resource[arn] = key

    def find(self, resource: str) -> str | None:
        """Return the ARN of the key of a resource, or None. A table's index and a bucket's object have its key."""
        if ":dynamodb:" in resource:  # arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/index/OTHER
            resource = "/".join(resource.split("/")[:2])
        if ":s3:" in resource:  # arn:aws:s3:::BUCKET/KEY
            resource = resource.partition("/")[0]
        return self._by_resource.get(resource)


def needed_key_actions(action: str) -> tuple[str, ...]:
    """Return the KMS actions that an action on an encrypted resource needs."""
    if action.startswith("dynamodb:") and action not in _WITHOUT_DATA:
        return _DECRYPT
    return _NEEDED.get(action, ())


def name_service(action: str, region: str) -> str:
    """Return the service that uses a key for an action, as in the condition key kms:ViaService.

    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
    """
    return f"{action.partition(':')[0]}.{region}.amazonaws.com"


def _read_bucket_key(properties: Mapping[str, Any]) -> object:
    for rule in (properties.get("BucketEncryption") or {}).get("ServerSideEncryptionConfiguration", ()):
        return (rule.get("ServerSideEncryptionByDefault") or {}).get("KMSMasterKeyID")
    return None

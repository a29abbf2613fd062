"""Which KMS key encrypts what, and what its use takes: ministack encrypts nothing, and asks nobody for permission.

In AWS whoever reads or writes something encrypted with a customer-managed key needs to be allowed to use the key, too:
a role by its own policies and the key's, a service by the key's alone.
"""

from collections.abc import Mapping
from typing import Any

_DECRYPT = ("kms:Decrypt",)
_ENCRYPT = ("kms:Decrypt", "kms:GenerateDataKey")
"""Data keys are used again for a while, for which they have to be decrypted."""
_NEEDED = {
    "sns:Publish": _ENCRYPT,
    "sqs:SendMessage": _ENCRYPT,
    "sqs:ReceiveMessage": _DECRYPT,
    "s3:PutObject": ("kms:GenerateDataKey",),
    "s3:GetObject": _DECRYPT,
}
_WITHOUT_DATA = frozenset({"dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:ListStreams"})


class Keys:
    """The keys of the resources that CloudFormation made with one."""

    def __init__(self) -> None:
        self._by_resource: dict[str, str] = {}

    def note(self, attributes: Mapping[str, Any], properties: Mapping[str, Any]) -> None:
        """Note with which key, if any, a resource was made, by the attributes and properties CloudFormation knows."""
        arn = attributes.get("Arn") or attributes.get("TopicArn")
        key = (
            properties.get("KmsMasterKeyId")
            or properties.get("KmsKeyId")
            or (properties.get("SSESpecification") or {}).get("KMSMasterKeyId")
            or _key_of_bucket(properties)
        )
        if isinstance(arn, str):
            self._by_resource.pop(arn, None)
            if isinstance(key, str):
                self._by_resource[arn] = key

    def of(self, resource: str) -> str | None:
        """Return the ARN of the key that encrypts a queue, topic, log group, or anything of a table or bucket."""
        if ":dynamodb:" in resource:  # arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/index/OTHER
            resource = "/".join(resource.split("/")[:2])
        if ":s3:" in resource:  # arn:aws:s3:::BUCKET/KEY
            resource = resource.partition("/")[0]
        return self._by_resource.get(resource)


def needed(action: str) -> tuple[str, ...]:
    """Return the actions on its key that an action on something encrypted takes."""
    if action.startswith("dynamodb:") and action not in _WITHOUT_DATA:
        return _DECRYPT
    return _NEEDED.get(action, ())


def _key_of_bucket(properties: Mapping[str, Any]) -> object:
    for rule in (properties.get("BucketEncryption") or {}).get("ServerSideEncryptionConfiguration", ()):
        return (rule.get("ServerSideEncryptionByDefault") or {}).get("KMSMasterKeyID")
    return None

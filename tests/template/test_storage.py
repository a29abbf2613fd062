"""The table, the bucket for import objects, and the key of template.yaml."""

import json
from typing import Any

import pytest

from ses_feedback.suppression.import_jobs import settle
from tests.support.sam_template import QUEUES, Stack, named, stack

WITHOUT_KEY = {"CustomerManagedKey": "false"}


class TestTable:
    """The contacts table."""

    def test_it_remains_after_the_stack_is_deleted(self) -> None:
        resource = stack().resources["ContactsTable"]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")

    @pytest.mark.parametrize("value", ["true", "false"])
    def test_deletion_protection_is_a_parameter(self, value: str) -> None:
        properties = stack(DeletionProtection=value).properties("ContactsTable")
        assert properties["DeletionProtectionEnabled"] is (value == "true")

    def test_point_in_time_recovery_is_enabled(self) -> None:
        recovery = stack().properties("ContactsTable")["PointInTimeRecoverySpecification"]
        assert recovery == {"PointInTimeRecoveryEnabled": True}

    def test_it_is_billed_per_request(self) -> None:
        assert stack().properties("ContactsTable")["BillingMode"] == "PAY_PER_REQUEST"

    def test_items_expire_at_expires_at(self) -> None:
        expiry = stack().properties("ContactsTable")["TimeToLiveSpecification"]
        assert expiry == {"AttributeName": "expires_at", "Enabled": True}

    def test_the_stream_has_new_images(self) -> None:
        """The event filter of the list sync reads the new image."""
        assert stack().properties("ContactsTable")["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}

    def test_contacts_are_found_by_address_by_status_by_pending_time_and_by_end_of_suspension(self) -> None:
        table = stack().properties("ContactsTable")
        indexes = {index["IndexName"]: index for index in table["GlobalSecondaryIndexes"]}
        keys = {name: [part["AttributeName"] for part in index["KeySchema"]] for name, index in indexes.items()}
        assert [part["AttributeName"] for part in table["KeySchema"]] == ["address", "record"]
        assert keys == {
            "Unsendable": ["unsendable", "status_at"],
            "PendingSync": ["pending_shard", "pending_at"],
            "SuspensionEnd": ["release_shard", "release_at"],
        }
        assert {index["Projection"]["ProjectionType"] for index in indexes.values()} == {"KEYS_ONLY"}

    @pytest.mark.parametrize(
        ("customer_managed", "expected"),
        [
            ("true", {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": "${Key.Arn}"}),
            ("false", {"SSEEnabled": False}),  # DynamoDB then uses a key of its own.
        ],
    )
    def test_it_is_encrypted(self, customer_managed: str, expected: dict[str, Any]) -> None:
        made = stack(CustomerManagedKey=customer_managed)
        assert made.properties("ContactsTable")["SSESpecification"] == expected


def bucket_encryption(made: Stack) -> dict[str, Any]:
    """Return the default encryption of ImportBucket."""
    (rule,) = made.properties("ImportBucket")["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    default: dict[str, Any] = rule["ServerSideEncryptionByDefault"]
    return default


class TestImportBucket:
    """The bucket for import objects, which contain addresses."""

    def test_it_is_private(self) -> None:
        properties = stack().properties("ImportBucket")
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}

    def test_it_is_encrypted_with_and_without_the_key(self) -> None:
        assert bucket_encryption(stack())["SSEAlgorithm"] == "aws:kms"
        assert bucket_encryption(stack(**WITHOUT_KEY)) == {"SSEAlgorithm": "AES256"}

    def test_its_policy_allows_only_ses_of_this_account_to_read(self) -> None:
        statements = stack().resource_policy("ImportBucketPolicy")
        allows = [statement for statement in statements.values() if statement["Effect"] == "Allow"]
        conditions = [allow["Condition"]["StringEquals"] for allow in allows]
        assert {(named(allow["Resource"]), allow["Action"]) for allow in allows} == {("ImportBucket", "s3:GetObject")}
        assert [allow["Principal"] for allow in allows] == [{"Service": "ses.amazonaws.com"}] * 2
        assert conditions == [{"aws:SourceAccount": "${AWS::AccountId}"}, {"aws:Referer": "${AWS::AccountId}"}]
        assert statements["DenyInsecureTransport"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}

    def test_an_object_expires_after_its_import_is_given_up(self) -> None:
        (rule,) = stack().properties("ImportBucket")["LifecycleConfiguration"]["Rules"]
        assert rule["ExpirationInDays"] == 2 * settle.JOB_LIFETIME.days + 1


class TestKey:
    """The key and its policy."""

    def test_it_remains_after_the_stack_is_deleted_and_is_rotated(self) -> None:
        """The table remains too, and is unreadable without the key."""
        resource = stack().resources["Key"]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")
        assert resource["Properties"]["EnableKeyRotation"] is True

    def test_it_encrypts_topics_queues_logs_table_and_bucket(self) -> None:
        made = stack()
        keys = [topic["KmsMasterKeyId"] for topic in made.of_type("AWS::SNS::Topic").values()]
        keys += [queue["KmsMasterKeyId"] for queue in made.of_type("AWS::SQS::Queue").values()]
        keys += [group["KmsKeyId"] for group in made.of_type("AWS::Logs::LogGroup").values()]
        keys += [made.properties("ContactsTable")["SSESpecification"]["KMSMasterKeyId"]]
        keys += [bucket_encryption(made)["KMSMasterKeyID"]]
        assert keys == ["${Key.Arn}"] * (3 + 6 + 4 + 1 + 1)

    def test_without_it_no_resource_refers_to_a_key(self) -> None:
        made = stack(**WITHOUT_KEY)
        assert "${Key" not in json.dumps([made.resources, made.outputs])
        assert [topic for topic in made.of_type("AWS::SNS::Topic").values() if "KmsMasterKeyId" in topic] == []
        assert {queue["SqsManagedSseEnabled"] for queue in made.of_type("AWS::SQS::Queue").values()} == {True}

    @pytest.mark.parametrize("queue", QUEUES)
    def test_a_queue_has_exactly_one_kind_of_encryption(self, queue: str) -> None:
        """SQS refuses a queue with both."""
        kinds = {"KmsMasterKeyId", "SqsManagedSseEnabled"}
        assert kinds & stack().properties(queue).keys() == {"KmsMasterKeyId"}
        assert kinds & stack(**WITHOUT_KEY).properties(queue).keys() == {"SqsManagedSseEnabled"}

    def test_its_policy_allows_iam_and_three_services(self) -> None:
        statements = stack().resource_policy("Key")
        assert {sid: statement["Principal"] for sid, statement in statements.items()} == {
            "AccountAccessThroughIam": {"AWS": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"},
            "SesPublishToTopics": {"Service": "ses.amazonaws.com"},
            "SesReadImportObjects": {"Service": "ses.amazonaws.com"},
            "SnsDeliverToQueues": {"Service": "sns.amazonaws.com"},
            "CloudWatchLogsEncrypt": {"Service": "logs.${AWS::Region}.amazonaws.com"},
        }
        assert {statement["Effect"] for statement in statements.values()} == {"Allow"}

    def test_every_service_has_a_condition(self) -> None:
        unconditional = [
            sid for sid, statement in stack().resource_policy("Key").items() if "Condition" not in statement
        ]
        assert unconditional == ["AccountAccessThroughIam"]

    def test_ses_may_decrypt_import_objects_only_through_s3(self) -> None:
        statement = stack().resource_policy("Key")["SesReadImportObjects"]
        assert statement["Action"] == "kms:Decrypt"
        assert statement["Condition"] == {"StringEquals": {"kms:ViaService": "s3.${AWS::Region}.amazonaws.com"}}

    def test_ses_may_encrypt_messages_to_the_topics_for_this_account(self) -> None:
        statement = stack().resource_policy("Key")["SesPublishToTopics"]
        assert sorted(statement["Action"]) == ["kms:Decrypt", "kms:GenerateDataKey*"]
        assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"}}

    def test_sns_may_encrypt_messages_to_the_queues_for_topics_of_this_stack(self) -> None:
        statement = stack().resource_policy("Key")["SnsDeliverToQueues"]
        topics = [topic["TopicName"] for topic in stack().of_type("AWS::SNS::Topic").values()]
        arns = [f"arn:${{AWS::Partition}}:sns:${{AWS::Region}}:${{AWS::AccountId}}:{topic}" for topic in topics]
        assert sorted(statement["Action"]) == ["kms:Decrypt", "kms:GenerateDataKey*"]
        assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": arns}}
        assert "*" not in "".join(arns)

    def test_cloudwatch_logs_may_encrypt_the_log_groups_of_this_stack(self) -> None:
        """The actions are those of the CloudWatch Logs user guide.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
        """
        statement = stack().resource_policy("Key")["CloudWatchLogsEncrypt"]
        prefix = "/aws/lambda/${AWS::StackName}/"
        groups = f"arn:${{AWS::Partition}}:logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:{prefix}*"
        assert statement["Action"] == [
            "kms:Decrypt*",
            "kms:Describe*",
            "kms:Encrypt*",
            "kms:GenerateDataKey*",
            "kms:ReEncrypt*",
        ]
        assert statement["Condition"] == {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}}
        names = {group["LogGroupName"] for group in stack().of_type("AWS::Logs::LogGroup").values()}
        assert {name for name in names if not name.startswith(prefix)} == set()

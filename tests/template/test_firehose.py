"""Deliveries through Firehose (DeliveriesBy=Firehose) in template.yaml."""

from typing import Any

import pytest

from benchmarks import bill
from ses_feedback.aws.objects import MAX_OBJECT_BYTES, PREFIX
from tests.support.sam_template import DAY, FUNCTIONS, Stack, as_list, key_services, stack, template

BUCKET_NAME = "deliveries-${2 of ${AWS::StackId} by /}"
"""The id of the stack, which a deployment inserts, has no upper-case letters."""
BUCKET_ARN = f"arn:${{AWS::Partition}}:s3:::{BUCKET_NAME}"
ALARMS = {"DeliveryStreamWaits", "DeliveryStreamThrottled"}
RESOURCES = ALARMS | {
    "StreamDestination",
    "PublishingRole",
    "DeliveryStream",
    "DeliveryStreamRole",
    "DeliveryBucket",
    "DeliveryBucketPolicy",
}


def with_firehose(**parameters: str) -> Stack:
    """Return the stack with DeliveriesBy=Firehose."""
    return stack(DeliveriesBy="Firehose", **parameters)


def role_policy(made: Stack, role: str) -> dict[str, dict[str, Any]]:
    """Return the statements of the only policy of a role, by Sid."""
    (attached,) = made.properties(role)["Policies"]
    return {statement["Sid"]: statement for statement in attached["PolicyDocument"]["Statement"]}


def trust_policy(made: Stack, role: str) -> dict[str, Any]:
    """Return the only statement of the trust policy of a role."""
    (statement,) = made.properties(role)["AssumeRolePolicyDocument"]["Statement"]
    found: dict[str, Any] = statement
    return found


def buffering_hints() -> dict[str, Any]:
    """Return how long and how much the stream collects."""
    destination = with_firehose().properties("DeliveryStream")["ExtendedS3DestinationConfiguration"]
    hints: dict[str, Any] = destination["BufferingHints"]
    return hints


class TestParameter:
    """The effect of the parameter DeliveriesBy."""

    def test_firehose_adds_exactly_these_resources(self) -> None:
        assert set(with_firehose().resources) - set(stack().resources) == RESOURCES

    def test_without_monitoring_it_adds_no_alarms(self) -> None:
        added = set(with_firehose(Monitoring="false").resources) - set(stack(Monitoring="false").resources)
        assert added == RESOURCES - ALARMS

    def test_firehose_removes_nothing(self) -> None:
        """Events other than deliveries and the notification settings of identities still use the topic."""
        assert set(stack().resources) - set(with_firehose().resources) == set()

    def test_firehose_changes_only_the_delivery_lane_the_key_and_one_variable(self) -> None:
        made = with_firehose()
        changed = {name for name in stack().resources if stack().resources[name] != made.resources[name]}
        lane = {"DeliveryDestination", "DeliveryQueuePolicy", "DeliveryRole", "DeliveryFunctionFeedback"}
        assert changed == {"Key", *FUNCTIONS, *lane}
        for function in set(FUNCTIONS) - {"DeliveryFunction"}:
            difference = made.environment(function).items() - stack().environment(function).items()
            assert difference == {("DELIVERIES_BY", "Firehose")}

    def test_only_firehose_lets_the_delivery_lane_use_the_key_through_s3(self) -> None:
        services = [
            {text.partition(".")[0] for text in key_services(made, "DeliveryFunction")}
            for made in (stack(), with_firehose())
        ]
        assert services == [{"dynamodb", "sqs"}, {"dynamodb", "sqs", "s3"}]

    def test_topic_mentions_no_bucket(self) -> None:
        assert "DELIVERY_BUCKET" not in stack().environment("DeliveryFunction")
        assert set(stack().resource_policy("DeliveryQueuePolicy")) == {"TopicSendMessage", "DenyInsecureTransport"}
        assert "S3NotifyDeliveryQueue" not in stack().resource_policy("Key")

    def test_only_the_delivery_function_reads_objects(self) -> None:
        made = with_firehose()
        readers = {
            name
            for name, function in made.of_type("AWS::Lambda::Function").items()
            if function["Handler"] == "ses_feedback.handlers.deliveries.handle"
        }
        assert readers == {"DeliveryFunction"}
        assert made.environment("DeliveryFunction")["DELIVERY_BUCKET"] == "${DeliveryBucket}"


class TestPublishing:
    """SES publishes each event once, either to the stream or to a topic."""

    @pytest.mark.parametrize(
        ("parameters", "stream"),
        [
            ({}, {"delivery"}),
            ({"TrackSends": "true"}, {"delivery", "send"}),
            ({"TrackOpensAndClicks": "true"}, {"delivery", "open", "click"}),
        ],
    )
    def test_deliveries_and_tracked_events_go_to_the_stream_and_the_rest_to_the_topic(
        self, parameters: dict[str, str], stream: set[str]
    ) -> None:
        made = with_firehose(**parameters)
        types = {
            name: set(made.properties(name)["EventDestination"]["MatchingEventTypes"])
            for name in ("StreamDestination", "DeliveryDestination")
        }
        rest = {"reject", "renderingFailure", "deliveryDelay", "subscription"}
        assert types == {"StreamDestination": stream, "DeliveryDestination": rest}

    def test_the_destination_is_the_stream(self) -> None:
        destination = with_firehose().properties("StreamDestination")["EventDestination"]
        assert destination["Enabled"] is True
        assert destination["KinesisFirehoseDestination"] == {
            "DeliveryStreamARN": "${DeliveryStream.Arn}",
            "IAMRoleARN": "${PublishingRole.Arn}",
        }

    @pytest.mark.parametrize(("existing", "name"), [("", "${ConfigurationSet}"), ("mine", "mine")])
    def test_the_configuration_set_is_new_or_the_existing_one(self, existing: str, name: str) -> None:
        made = with_firehose(ExistingConfigurationSet=existing)
        source = trust_policy(made, "PublishingRole")["Condition"]["ArnEquals"]["aws:SourceArn"]
        assert made.properties("StreamDestination")["ConfigurationSetName"] == name
        assert source.endswith(f":configuration-set/{name}")

    def test_ses_publishes_to_the_stream_for_this_account_only(self) -> None:
        source = "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:configuration-set/${ConfigurationSet}"
        trust = trust_policy(with_firehose(), "PublishingRole")
        assert trust["Principal"] == {"Service": "ses.amazonaws.com"}
        assert trust["Condition"] == {
            "StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"},
            "ArnEquals": {"aws:SourceArn": source},
        }
        (statement,) = role_policy(with_firehose(), "PublishingRole").values()
        assert (statement["Action"], statement["Resource"]) == ("firehose:PutRecordBatch", "${DeliveryStream.Arn}")

    def test_the_topic_destination_is_updated_after_the_stream_destination_exists(self) -> None:
        """The reference to StreamDestination orders the two updates."""
        destination = template()["Resources"]["DeliveryDestination"]["Properties"]["EventDestination"]
        reference = {"Fn::Select": [0, ["reject", {"Ref": "StreamDestination"}]]}
        assert {"Fn::If": ["ByFirehose", reference, "reject"]} in destination["MatchingEventTypes"]


class TestStream:
    """The Firehose stream and its role."""

    def test_it_collects_for_15_minutes_or_5_mb(self) -> None:
        assert buffering_hints() == {"IntervalInSeconds": 900, "SizeInMBs": 5}

    def test_it_writes_plain_objects_that_the_function_can_read(self) -> None:
        destination = with_firehose().properties("DeliveryStream")["ExtendedS3DestinationConfiguration"]
        assert buffering_hints()["SizeInMBs"] * 1024**2 * 10 < MAX_OBJECT_BYTES
        assert (destination["Prefix"], destination["ErrorOutputPrefix"]) == (PREFIX, "failed/")
        assert destination["CompressionFormat"] == "UNCOMPRESSED"
        assert destination["BucketARN"] == "${DeliveryBucket.Arn}"
        assert destination["RoleARN"] == "${DeliveryStreamRole.Arn}"

    @pytest.mark.parametrize(
        ("customer_managed", "expected"),
        [
            ("true", {"KeyType": "CUSTOMER_MANAGED_CMK", "KeyARN": "${Key.Arn}"}),
            ("false", {"KeyType": "AWS_OWNED_CMK"}),
        ],
    )
    def test_it_is_encrypted(self, customer_managed: str, expected: dict[str, str]) -> None:
        stream = with_firehose(CustomerManagedKey=customer_managed).properties("DeliveryStream")
        assert stream["DeliveryStreamType"] == "DirectPut"
        assert stream["DeliveryStreamEncryptionConfigurationInput"] == expected

    def test_only_firehose_of_this_account_assumes_its_role(self) -> None:
        trust = trust_policy(with_firehose(), "DeliveryStreamRole")
        assert trust["Principal"] == {"Service": "firehose.amazonaws.com"}
        assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": "${AWS::AccountId}"}}

    def test_its_role_has_the_documented_actions_on_this_bucket(self) -> None:
        """https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3."""
        statements = role_policy(with_firehose(), "DeliveryStreamRole")
        bucket = "${DeliveryBucket.Arn}"
        assert {sid: (sorted(each["Action"]), each["Resource"]) for sid, each in statements.items()} == {
            "FindBucket": (["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"], bucket),
            "WriteObjects": (
                ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
                [f"{bucket}/deliveries/*", f"{bucket}/failed/*"],
            ),
            "UseKey": (["kms:Decrypt", "kms:GenerateDataKey"], "${Key.Arn}"),
        }

    def test_its_role_uses_the_key_only_through_s3(self) -> None:
        statement = role_policy(with_firehose(), "DeliveryStreamRole")["UseKey"]
        assert statement["Condition"] == {"StringEquals": {"kms:ViaService": "s3.${AWS::Region}.amazonaws.com"}}
        assert "UseKey" not in role_policy(with_firehose(CustomerManagedKey="false"), "DeliveryStreamRole")


class TestBucket:
    """The bucket for deliveries, which contain addresses."""

    def test_queue_and_key_allow_its_notifications_by_name(self) -> None:
        """Both exist before the bucket, so its name is fixed."""
        made = with_firehose()
        assert made.properties("DeliveryBucket")["BucketName"] == BUCKET_NAME
        notification = made.resource_policy("DeliveryQueuePolicy")["BucketSendNotification"]
        encryption = made.resource_policy("Key")["S3NotifyDeliveryQueue"]
        for statement in (notification, encryption):
            assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
            assert statement["Condition"] == {
                "StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"},
                "ArnEquals": {"aws:SourceArn": BUCKET_ARN},
            }
        assert (notification["Action"], notification["Resource"]) == ("sqs:SendMessage", "${DeliveryQueue.Arn}")
        assert sorted(encryption["Action"]) == ["kms:Decrypt", "kms:GenerateDataKey"]

    @pytest.mark.parametrize("queue", ["BounceQueue", "ComplaintQueue"])
    def test_the_other_queues_do_not_allow_its_notifications(self, queue: str) -> None:
        assert with_firehose().resources[f"{queue}Policy"] == stack().resources[f"{queue}Policy"]

    def test_it_notifies_the_delivery_queue_of_deliveries_only(self) -> None:
        """S3 sends a test notification when the bucket is created, so the queue policy must exist."""
        bucket = with_firehose().resources["DeliveryBucket"]
        (notification,) = bucket["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
        assert bucket["DependsOn"] == "DeliveryQueuePolicy"
        assert (notification["Event"], notification["Queue"]) == ("s3:ObjectCreated:*", "${DeliveryQueue.Arn}")
        assert notification["Filter"] == {"S3Key": {"Rules": [{"Name": "prefix", "Value": PREFIX}]}}

    def test_it_is_private_and_denies_access_without_tls(self) -> None:
        made = with_firehose()
        properties = made.properties("DeliveryBucket")
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        (deny,) = made.resource_policy("DeliveryBucketPolicy").values()
        assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", "s3:*")
        assert deny["Resource"] == ["${DeliveryBucket.Arn}", "${DeliveryBucket.Arn}/*"]
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}

    @pytest.mark.parametrize(
        ("customer_managed", "expected"),
        [
            ("true", {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "${Key.Arn}"}),
            ("false", {"SSEAlgorithm": "AES256"}),
        ],
    )
    def test_it_is_encrypted(self, customer_managed: str, expected: dict[str, str]) -> None:
        properties = with_firehose(CustomerManagedKey=customer_managed).properties("DeliveryBucket")
        (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == expected

    def test_an_object_is_kept_for_28_days_as_long_as_its_notification(self) -> None:
        """A notification is kept for 14 days in the lane and for another 14 days in quarantine."""
        made = with_firehose()
        (rule,) = made.properties("DeliveryBucket")["LifecycleConfiguration"]["Rules"]
        retention = [made.properties(f"{queue}Queue")["MessageRetentionPeriod"] for queue in ("Delivery", "Quarantine")]
        assert rule["Status"] == "Enabled"
        assert rule["ExpirationInDays"] * DAY == sum(retention)
        assert rule["ExpirationInDays"] == bill.OBJECT_DAYS == 28

    @pytest.mark.parametrize("name", ["DeliveryBucket", "DeliveryBucketPolicy"])
    def test_it_remains_after_the_stack_is_deleted(self, name: str) -> None:
        """CloudFormation cannot delete a bucket that holds objects. The objects expire."""
        resource = with_firehose().resources[name]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


class TestFunction:
    """The delivery function, which reads objects."""

    def test_it_may_read_deliveries_and_list_the_bucket(self) -> None:
        """ListBucket lets S3 return 404 for an object that does not exist."""
        before = [statement["Sid"] for statement in stack().statements("DeliveryFunction")]
        statements = with_firehose().statements("DeliveryFunction")
        added = [statement for statement in statements if statement["Sid"] not in before]
        found = {action: statement["Resource"] for statement in added for action in as_list(statement["Action"])}
        assert found == {
            "s3:GetObject": f"${{DeliveryBucket.Arn}}/{PREFIX}*",
            "s3:ListBucket": "${DeliveryBucket.Arn}",
            "kms:Decrypt": "${Key.Arn}",
        }

    def test_a_batch_has_at_most_ten_objects(self) -> None:
        """Ten objects of 5 MB are about 25,000 deliveries."""
        source = with_firehose().event_source("DeliveryFunction")
        assert source["BatchSize"] == 10
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


class TestAlarms:
    """The alarms of the stream."""

    def test_an_alarm_starts_when_a_delivery_waits_twice_as_long_as_the_stream_collects(self) -> None:
        alarm = with_firehose().properties("DeliveryStreamWaits")
        metric = (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"])
        assert metric == ("AWS/Firehose", "DeliveryToS3.DataFreshness", "Maximum")
        assert alarm["Threshold"] == 2 * buffering_hints()["IntervalInSeconds"]

    def test_an_alarm_starts_when_a_record_is_throttled(self) -> None:
        alarm = with_firehose().properties("DeliveryStreamThrottled")
        metric = (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"])
        assert metric == ("AWS/Firehose", "ThrottledRecords", "Sum")
        assert alarm["Threshold"] == 0

    @pytest.mark.parametrize("name", sorted(ALARMS))
    def test_both_monitor_the_stream_and_publish_to_the_alarm_topic(self, name: str) -> None:
        topic = "arn:aws:sns:us-east-1:123456789012:alarms"
        alarm = with_firehose(AlarmTopicArn=topic).properties(name)
        assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
        assert alarm["Dimensions"] == [{"Name": "DeliveryStreamName", "Value": "${DeliveryStream}"}]
        assert alarm["AlarmActions"] == [topic]

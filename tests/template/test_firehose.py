"""What template.yaml makes for deliveries that come by Firehose, and that none of it is there when they don't."""

from typing import Any

import pytest

from benchmarks import bill
from ses_feedback.aws.objects import MAX_OBJECT_BYTES, PREFIX
from tests.support.sam_template import Stack, listed, named, stack, template

DAY = 24 * 60 * 60
NAME = "deliveries-${2 of ${AWS::StackId} by /}"
"""The bucket's: what a deployment makes of it has the stack's id, and no capitals."""
ARN = f"arn:${{AWS::Partition}}:s3:::{NAME}"
RESOURCES = {
    "StreamDestination",
    "PublishingRole",
    "DeliveryStream",
    "DeliveryStreamRole",
    "DeliveryBucket",
    "DeliveryBucketPolicy",
    "DeliveryStreamWaits",
    "DeliveryStreamThrottled",
}


def by_firehose(**parameters: str) -> Stack:
    """Return the stack with deliveries by Firehose."""
    return stack(DeliveriesBy="Firehose", **parameters)


def statements(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the statements of a policy, by Sid."""
    return {one["Sid"]: one for one in document["Statement"]}


def queue_policy(made: Stack) -> dict[str, dict[str, Any]]:
    """Return the statements on DeliveryQueue."""
    return statements(made.properties("DeliveryQueuePolicy")["PolicyDocument"])


def key_policy(made: Stack) -> dict[str, dict[str, Any]]:
    """Return the statements on the key."""
    return statements(made.properties("Key")["KeyPolicy"])


def granted(made: Stack, role: str) -> dict[str, dict[str, Any]]:
    """Return the statements of a role."""
    (attached,) = made.properties(role)["Policies"]
    return statements(attached["PolicyDocument"])


def trusted(role: str) -> dict[str, Any]:
    """Return who takes a role, and on which condition."""
    (statement,) = by_firehose().properties(role)["AssumeRolePolicyDocument"]["Statement"]
    return {"who": statement["Principal"], "if": statement["Condition"]}


class TestTheChoice:
    """Nothing of it is there unless it is asked for, and little else changes when it is."""

    def test_what_it_adds(self) -> None:
        """These resources and no others, and without Monitoring no alarms."""
        assert set(by_firehose().resources) - set(stack().resources) == RESOURCES
        alarms = {"DeliveryStreamWaits", "DeliveryStreamThrottled"}
        quiet = set(by_firehose(Monitoring="false").resources) - set(stack(Monitoring="false").resources)
        assert quiet == RESOURCES - alarms

    def test_what_it_takes_away(self) -> None:
        """Nothing: an identity's notification settings, and whatever is no delivery, still need the topic."""
        assert set(stack().resources) - set(by_firehose().resources) == set()

    def test_what_it_changes(self) -> None:
        """The delivery lane's function, what may be on its queue, what is published to its topic, and the key."""
        changed = {name for name in stack().resources if stack().resources[name] != by_firehose().resources[name]}
        lane = {"DeliveryDestination", "DeliveryQueuePolicy", "DeliveryRole", "DeliveryFunctionFeedback"}
        assert changed == {"Key", "DeliveryFunction", *lane}

    def test_by_topic_there_is_no_word_of_it(self) -> None:
        """No function is told of a bucket, and nobody is let in for one."""
        assert "DELIVERY_BUCKET" not in stack().properties("DeliveryFunction")["Environment"]["Variables"]
        assert set(queue_policy(stack())) == {"OnlyItsTopicSends", "OnlyOverTls"}
        assert "S3NotifiesTheDeliveryQueue" not in key_policy(stack())

    def test_only_the_delivery_lane_reads_objects(self) -> None:
        """The others' code can't, and their roles don't let them."""
        made = by_firehose()
        reading = {
            name
            for name, one in made.of_type("AWS::Lambda::Function").items()
            if one["Handler"] == "ses_feedback.handlers.deliveries.handle"
        }
        assert reading == {"DeliveryFunction"}
        assert made.properties("DeliveryFunction")["Environment"]["Variables"]["DELIVERY_BUCKET"] == "${DeliveryBucket}"


class TestPublishing:
    """SES publishes each event once: to the stream what there is most of, to the topics what somebody waits for."""

    def kinds(self, **parameters: str) -> tuple[set[str], set[str]]:
        """Return what is published to the stream, and to the delivery topic."""
        made = by_firehose(**parameters)
        stream, topic = (
            made.properties(name)["EventDestination"] for name in ("StreamDestination", "DeliveryDestination")
        )
        return set(stream["MatchingEventTypes"]), set(topic["MatchingEventTypes"])

    @pytest.mark.parametrize(
        ("parameters", "stream"),
        [
            ({}, {"delivery"}),
            ({"TrackSends": "true"}, {"delivery", "send"}),
            ({"TrackOpensAndClicks": "true"}, {"delivery", "open", "click"}),
        ],
    )
    def test_deliveries_and_what_is_tracked_go_to_the_stream(
        self, parameters: dict[str, str], stream: set[str]
    ) -> None:
        """Opt-outs and what went wrong come by the topic, within a minute, as ever."""
        rest = {"reject", "renderingFailure", "deliveryDelay", "subscription"}
        assert self.kinds(**parameters) == (stream, rest)

    def test_the_destination_is_the_stream(self) -> None:
        """In the role that may publish to it."""
        destination = by_firehose().properties("StreamDestination")["EventDestination"]
        assert destination["Enabled"] is True
        assert destination["KinesisFirehoseDestination"] == {
            "DeliveryStreamARN": "${DeliveryStream.Arn}",
            "IAMRoleARN": "${PublishingRole.Arn}",
        }

    @pytest.mark.parametrize(("existing", "name"), [("", "${ConfigurationSet}"), ("mine", "mine")])
    def test_it_is_on_the_configuration_set_there_is(self, existing: str, name: str) -> None:
        """The stack's own, or the existing one; and SES takes the role for no other."""
        made = by_firehose(ExistingConfigurationSet=existing)
        (statement,) = made.properties("PublishingRole")["AssumeRolePolicyDocument"]["Statement"]
        assert made.properties("StreamDestination")["ConfigurationSetName"] == name
        assert statement["Condition"]["ArnEquals"]["aws:SourceArn"].endswith(f":configuration-set/{name}")

    def test_ses_publishes_for_this_account_and_does_nothing_else(self) -> None:
        """One action on one stream."""
        source = "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:configuration-set/${ConfigurationSet}"
        assert trusted("PublishingRole") == {
            "who": {"Service": "ses.amazonaws.com"},
            "if": {
                "StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"},
                "ArnEquals": {"aws:SourceArn": source},
            },
        }
        (statement,) = granted(by_firehose(), "PublishingRole").values()
        assert (statement["Action"], statement["Resource"]) == ("firehose:PutRecordBatch", "${DeliveryStream.Arn}")

    def test_the_topic_is_silent_only_once_the_stream_is_there(self) -> None:
        """What is published to the topic refers to the stream's destination, hence is changed after it is made."""
        written = template()["Resources"]["DeliveryDestination"]["Properties"]["EventDestination"]["MatchingEventTypes"]
        assert {
            "Fn::If": ["ByFirehose", {"Fn::Select": [0, ["reject", {"Ref": "StreamDestination"}]]}, "reject"]
        } in written


class TestTheStream:
    """Firehose gathers, writes to one bucket, and may do no more."""

    def test_it_gathers_as_long_as_it_can_and_as_much_as_is_read_at_once(self) -> None:
        """A quarter of an hour, or 5 MB; plain, in objects the function takes for its own."""
        destination = by_firehose().properties("DeliveryStream")["ExtendedS3DestinationConfiguration"]
        assert destination["BufferingHints"] == {"IntervalInSeconds": 900, "SizeInMBs": 5}
        assert destination["BufferingHints"]["SizeInMBs"] * 1024**2 * 10 < MAX_OBJECT_BYTES
        assert (destination["Prefix"], destination["ErrorOutputPrefix"]) == (PREFIX, "failed/")
        assert destination["CompressionFormat"] == "UNCOMPRESSED"
        assert (destination["BucketARN"], destination["RoleARN"]) == (
            "${DeliveryBucket.Arn}",
            "${DeliveryStreamRole.Arn}",
        )

    @pytest.mark.parametrize(
        ("own", "expected"),
        [
            ("true", {"KeyType": "CUSTOMER_MANAGED_CMK", "KeyARN": "${Key.Arn}"}),
            ("false", {"KeyType": "AWS_OWNED_CMK"}),
        ],
    )
    def test_what_it_holds_is_encrypted(self, own: str, expected: dict[str, str]) -> None:
        """With the stack's key when there is one."""
        stream = by_firehose(CustomerManagedKey=own).properties("DeliveryStream")
        assert stream["DeliveryStreamType"] == "DirectPut"
        assert stream["DeliveryStreamEncryptionConfigurationInput"] == expected

    def test_it_writes_what_its_guide_lists_to_this_bucket(self) -> None:
        """For this account; and uses the key through S3 alone."""
        assert trusted("DeliveryStreamRole") == {
            "who": {"Service": "firehose.amazonaws.com"},
            "if": {"StringEquals": {"sts:ExternalId": "${AWS::AccountId}"}},
        }
        found = granted(by_firehose(), "DeliveryStreamRole")
        bucket = "${DeliveryBucket.Arn}"
        assert {name: (sorted(one["Action"]), one["Resource"]) for name, one in found.items()} == {
            "FindTheBucket": (["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"], bucket),
            "WriteObjects": (
                ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
                [f"{bucket}/deliveries/*", f"{bucket}/failed/*"],
            ),
            "UseTheKey": (["kms:Decrypt", "kms:GenerateDataKey"], "${Key.Arn}"),
        }
        through = {"StringEquals": {"kms:ViaService": "s3.${AWS::Region}.amazonaws.com"}}
        assert found["UseTheKey"]["Condition"] == through
        assert "UseTheKey" not in granted(by_firehose(CustomerManagedKey="false"), "DeliveryStreamRole")


class TestTheBucket:
    """What SES says holds addresses: nobody else sees it, and it goes when a message would."""

    def test_it_is_named_before_it_is_made(self) -> None:
        """Queue and key admit it by the name it will have."""
        made = by_firehose()
        assert made.properties("DeliveryBucket")["BucketName"] == NAME
        for statement in (queue_policy(made)["ItsBucketNotifies"], key_policy(made)["S3NotifiesTheDeliveryQueue"]):
            assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
            assert statement["Condition"] == {
                "StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"},
                "ArnEquals": {"aws:SourceArn": ARN},
            }

    def test_what_s3_may_do(self) -> None:
        """Send to the delivery queue, encrypted as it is; to no other."""
        made = by_firehose()
        notifies = queue_policy(made)["ItsBucketNotifies"]
        assert (notifies["Action"], notifies["Resource"]) == ("sqs:SendMessage", "${DeliveryQueue.Arn}")
        assert sorted(key_policy(made)["S3NotifiesTheDeliveryQueue"]["Action"]) == [
            "kms:Decrypt",
            "kms:GenerateDataKey",
        ]
        for queue in ("BounceQueue", "ComplaintQueue"):
            assert made.resources[f"{queue}Policy"] == stack().resources[f"{queue}Policy"]

    def test_it_notifies_the_lane_of_deliveries_alone(self) -> None:
        """Not of what failed. S3 tries the queue at once, which must admit it by then."""
        bucket = by_firehose().resources["DeliveryBucket"]
        (notified,) = bucket["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
        assert bucket["DependsOn"] == "DeliveryQueuePolicy"
        assert (notified["Event"], notified["Queue"]) == ("s3:ObjectCreated:*", "${DeliveryQueue.Arn}")
        assert notified["Filter"] == {"S3Key": {"Rules": [{"Name": "prefix", "Value": PREFIX}]}}

    def test_it_is_private(self) -> None:
        """No object is ever public, every object is the account's, and nobody comes without TLS."""
        made = by_firehose()
        properties = made.properties("DeliveryBucket")
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        (deny,) = made.properties("DeliveryBucketPolicy")["PolicyDocument"]["Statement"]
        assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", "s3:*")
        assert deny["Resource"] == ["${DeliveryBucket.Arn}", "${DeliveryBucket.Arn}/*"]
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}

    def test_it_is_encrypted_in_any_case(self) -> None:
        """With a key with it, without one by S3."""

        def by_default(made: Stack) -> Any:  # noqa: ANN401 (CloudFormation's JSON)
            (rule,) = made.properties("DeliveryBucket")["BucketEncryption"]["ServerSideEncryptionConfiguration"]
            return rule["ServerSideEncryptionByDefault"]

        assert by_default(by_firehose()) == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "${Key.Arn}"}
        assert by_default(by_firehose(CustomerManagedKey="false")) == {"SSEAlgorithm": "AES256"}

    def test_an_object_is_kept_as_long_as_what_tells_of_it(self) -> None:
        """In the lane first, and once it is set aside in quarantine, where each message has its time anew."""
        made = by_firehose()
        (rule,) = made.properties("DeliveryBucket")["LifecycleConfiguration"]["Rules"]
        assert rule["Status"] == "Enabled"
        waiting = [made.properties(f"{queue}Queue")["MessageRetentionPeriod"] for queue in ("Delivery", "Quarantine")]
        assert rule["ExpirationInDays"] * DAY == sum(waiting)
        assert rule["ExpirationInDays"] == bill.OBJECT_DAYS

    @pytest.mark.parametrize("name", ["DeliveryBucket", "DeliveryBucketPolicy"])
    def test_it_outlives_the_stack(self, name: str) -> None:
        """It is seldom empty, and no stack can delete one that is not; its objects expire, and nobody is let in."""
        resource = by_firehose().resources[name]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


class TestTheFunction:
    """The delivery lane's function reads deliveries, an object as it takes a batch otherwise."""

    def test_it_reads_deliveries_and_sees_what_is_gone(self) -> None:
        """Nothing that failed, and no other bucket."""
        added = [
            one for one in by_firehose().statements("DeliveryFunction") if one.get("Sid") not in self.sids(stack())
        ]
        found = {action: one["Resource"] for one in added for action in listed(one["Action"])}
        assert found == {
            "s3:GetObject": f"${{DeliveryBucket.Arn}}/{PREFIX}*",
            "s3:ListBucket": "${DeliveryBucket.Arn}",
        }

    def sids(self, made: Stack) -> set[str]:
        """Return what the function may do, by name."""
        return {one["Sid"] for one in made.statements("DeliveryFunction")}

    def test_a_batch_is_of_few_objects(self) -> None:
        """Ten of the stream's are 25,000 deliveries or so."""
        (source,) = [
            one
            for one in by_firehose().of_type("AWS::Lambda::EventSourceMapping").values()
            if named(one["FunctionName"]) == "DeliveryFunction"
        ]
        assert source["BatchSize"] == 10
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


class TestAlarms:
    """Somebody is told before Firehose lets go of anything."""

    def test_each_measures_what_it_says(self) -> None:
        """Twice what the stream may hold a delivery for, a small part of what it can; and nothing thrown back."""
        made = by_firehose()
        waits, throttled = (made.properties(name) for name in ("DeliveryStreamWaits", "DeliveryStreamThrottled"))
        hints = made.properties("DeliveryStream")["ExtendedS3DestinationConfiguration"]["BufferingHints"]
        assert (waits["MetricName"], waits["Statistic"], waits["Threshold"]) == (
            "DeliveryToS3.DataFreshness",
            "Maximum",
            2 * hints["IntervalInSeconds"],
        )
        assert "30 minutes" in waits["AlarmDescription"]
        assert (throttled["MetricName"], throttled["Statistic"], throttled["Threshold"]) == (
            "ThrottledRecords",
            "Sum",
            0,
        )
        for alarm in (waits, throttled):
            assert alarm["Namespace"] == "AWS/Firehose"
            assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
            assert alarm["Dimensions"] == [{"Name": "DeliveryStreamName", "Value": "${DeliveryStream}"}]

    def test_they_tell_whom_the_others_tell(self) -> None:
        """AlarmTopicArn, when there is one."""
        topic = "arn:aws:sns:us-east-1:123456789012:alarms"
        told = by_firehose(AlarmTopicArn=topic).of_type("AWS::CloudWatch::Alarm").values()
        assert {tuple(one["AlarmActions"]) for one in told} == {(topic,)}

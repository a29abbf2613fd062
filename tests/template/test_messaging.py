"""SES event destinations, topics and queues of template.yaml."""

from typing import Any

import pytest

from tests.support.sam_template import DAY, LANES, MINUTE, QUEUES, Stack, named, stack

DENY_INSECURE_TRANSPORT = {"Bool": {"aws:SecureTransport": "false"}}


def matching_event_types(made: Stack) -> dict[str, set[str]]:
    """Return the event types of every SNS event destination, by topic."""
    destinations = made.of_type("AWS::SES::ConfigurationSetEventDestination").values()
    declared = [destination["EventDestination"] for destination in destinations]
    to_topics = [each for each in declared if "SnsDestination" in each]
    return {named(each["SnsDestination"]["TopicARN"]): set(each["MatchingEventTypes"]) for each in to_topics}


class TestSes:
    """The configuration set and its event destinations."""

    def test_bounces_and_complaints_have_their_topics_and_the_delivery_topic_has_the_rest(self) -> None:
        """Sends, opens and clicks are not published by default."""
        rest = {"delivery", "reject", "renderingFailure", "deliveryDelay", "subscription"}
        expected = {"BounceTopic": {"bounce"}, "ComplaintTopic": {"complaint"}, "DeliveryTopic": rest}
        assert matching_event_types(stack()) == expected

    @pytest.mark.parametrize(
        ("parameter", "kinds"), [("TrackSends", {"send"}), ("TrackOpensAndClicks", {"open", "click"})]
    )
    def test_tracked_events_go_to_the_delivery_topic(self, parameter: str, kinds: set[str]) -> None:
        tracked = matching_event_types(stack(**{parameter: "true"}))
        assert tracked["DeliveryTopic"] - matching_event_types(stack())["DeliveryTopic"] == kinds

    def test_the_configuration_set_of_the_stack_suppresses_for_both_reasons(self) -> None:
        options = stack().properties("ConfigurationSet")["SuppressionOptions"]
        assert sorted(options["SuppressedReasons"]) == ["BOUNCE", "COMPLAINT"]

    def test_an_existing_configuration_set_only_gets_the_event_destinations(self) -> None:
        made = stack(ExistingConfigurationSet="mine")
        destinations = made.of_type("AWS::SES::ConfigurationSetEventDestination").values()
        assert made.of_type("AWS::SES::ConfigurationSet") == {}
        assert [destination["ConfigurationSetName"] for destination in destinations] == ["mine"] * 4

    def test_every_topic_is_a_destination_only_after_the_topic_policy(self) -> None:
        """SES publishes a notice when a destination is created."""
        made = stack()
        destinations = made.of_type("AWS::SES::ConfigurationSetEventDestination").items()
        to_topics = [name for name, each in destinations if "SnsDestination" in each["EventDestination"]]
        assert {made.resources[name]["DependsOn"] for name in to_topics} == {"TopicPolicy"}
        assert len(to_topics) == len(LANES)

    def test_the_configuration_set_of_the_stack_has_reputation_metrics(self) -> None:
        assert stack().properties("ConfigurationSet")["ReputationOptions"] == {"ReputationMetricsEnabled": True}

    @pytest.mark.parametrize(
        ("parameters", "name"), [({}, "${ConfigurationSet}"), ({"ExistingConfigurationSet": "mine"}, "mine")]
    )
    def test_sends_are_a_metric_of_the_configuration_set(self, parameters: dict[str, str], name: str) -> None:
        destination = stack(**parameters).properties("SendMetricDestination")
        assert destination["ConfigurationSetName"] == name
        assert destination["EventDestination"] == {
            "Enabled": True,
            "MatchingEventTypes": ["send"],
            "CloudWatchDestination": {
                "DimensionConfigurations": [
                    {
                        "DimensionName": "ses:configuration-set",
                        "DimensionValueSource": "messageTag",
                        "DefaultDimensionValue": name,
                    }
                ]
            },
        }

    def test_without_monitoring_sends_are_no_metric(self) -> None:
        assert "SendMetricDestination" not in stack(Monitoring="false").resources


class TestTopics:
    """Topics, their policy and their subscriptions."""

    def test_one_policy_covers_all_topics(self) -> None:
        covered = {named(topic) for topic in stack().properties("TopicPolicy")["Topics"]}
        assert set(stack().of_type("AWS::SNS::Topic")) == covered

    def test_the_policy_has_two_statements(self) -> None:
        assert set(stack().resource_policy("TopicPolicy")) == {"SesPublishForThisAccount", "DenyInsecureTransport"}

    def test_only_ses_may_publish_and_only_for_this_account(self) -> None:
        statements = stack().resource_policy("TopicPolicy").values()
        (allow,) = [statement for statement in statements if statement["Effect"] == "Allow"]
        arn = "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}"
        assert (allow["Principal"], allow["Action"]) == ({"Service": "ses.amazonaws.com"}, "sns:Publish")
        assert allow["Condition"] == {
            "StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"},
            "ArnLike": {"aws:SourceArn": [f"{arn}:identity/*", f"{arn}:configuration-set/*"]},
        }

    def test_publishing_without_tls_is_denied(self) -> None:
        deny = stack().resource_policy("TopicPolicy")["DenyInsecureTransport"]
        assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", "sns:Publish")
        assert deny["Condition"] == DENY_INSECURE_TRANSPORT

    @pytest.mark.parametrize("lane", LANES)
    def test_a_topic_delivers_raw_messages_to_the_queue_of_its_lane(self, lane: str) -> None:
        assert stack().properties(f"{lane}Subscription") == {
            "TopicArn": f"${{{lane}Topic}}",
            "Protocol": "sqs",
            "Endpoint": f"${{{lane}Queue.Arn}}",
            "RawMessageDelivery": True,
            "RedrivePolicy": {"deadLetterTargetArn": "${UndeliveredQueue.Arn}"},
        }


class TestQueues:
    """Queues and their policies."""

    def test_the_stack_has_exactly_these_queues(self) -> None:
        assert set(QUEUES) == set(stack().of_type("AWS::SQS::Queue"))

    @pytest.mark.parametrize("queue", QUEUES)
    def test_every_queue_keeps_messages_for_14_days(self, queue: str) -> None:
        """The maximum: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html."""
        assert stack().properties(queue)["MessageRetentionPeriod"] == 14 * DAY

    @pytest.mark.parametrize("lane", LANES)
    def test_a_message_of_a_lane_is_received_again_after_seven_minutes(self, lane: str) -> None:
        """At least six times the timeout of the function plus the batching window.

        https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
        """
        source = stack().event_source(f"{lane}Function")
        minimum = 6 * stack().properties(f"{lane}Function")["Timeout"] + source["MaximumBatchingWindowInSeconds"]
        assert stack().properties(f"{lane}Queue")["VisibilityTimeout"] == 7 * MINUTE >= minimum

    @pytest.mark.parametrize("lane", LANES)
    def test_a_lane_retries_for_about_five_days(self, lane: str) -> None:
        queue = stack().properties(f"{lane}Queue")
        redrive = queue["RedrivePolicy"]
        assert (redrive["deadLetterTargetArn"], redrive["maxReceiveCount"]) == ("${DeadLetterQueue.Arn}", 1000)
        assert round(redrive["maxReceiveCount"] * queue["VisibilityTimeout"] / DAY) == 5

    def test_only_the_lanes_may_use_the_dead_letter_queue(self) -> None:
        """A redrive applies its messages as feedback. The ARNs are written out, because the lanes refer to it."""
        names = [stack().properties(f"{lane}Queue")["QueueName"] for lane in LANES]
        allowed = stack().properties("DeadLetterQueue")["RedriveAllowPolicy"]
        arn = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}"
        assert allowed == {"redrivePermission": "byQueue", "sourceQueueArns": [f"{arn}:{name}" for name in names]}

    @pytest.mark.parametrize("queue", ["UndeliveredQueue", "QuarantineQueue"])
    def test_no_queue_may_use_another_queue_for_dead_letters(self, queue: str) -> None:
        assert stack().properties(queue)["RedriveAllowPolicy"] == {"redrivePermission": "denyAll"}

    def test_the_quarantine_queue_accepts_the_largest_message_of_a_lane_and_a_reason(self) -> None:
        sizes = {stack().properties(f"{lane}Queue")["MaximumMessageSize"] for lane in LANES}
        assert sizes == {256 * 1024}
        assert stack().properties("QuarantineQueue")["MaximumMessageSize"] == 1024 * 1024

    @pytest.mark.parametrize("queue", QUEUES)
    def test_a_queue_policy_concerns_its_own_queue_and_denies_access_without_tls(self, queue: str) -> None:
        statements = stack().resource_policy(f"{queue}Policy")
        assert stack().properties(f"{queue}Policy")["Queues"] == [f"${{{queue}}}"]
        assert {statement["Resource"] for statement in statements.values()} == {f"${{{queue}.Arn}}"}
        assert statements["DenyInsecureTransport"] == {
            "Sid": "DenyInsecureTransport",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": f"${{{queue}.Arn}}",
            "Condition": DENY_INSECURE_TRANSPORT,
        }

    def test_the_complaint_queue_denies_senders_other_than_its_topic_and_principals_of_this_account(self) -> None:
        """Both conditions must hold, and a key that is absent is unequal: a service has no account of ours.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
        """
        assert stack().resource_policy("ComplaintQueuePolicy")["DenyOtherSenders"] == {
            "Sid": "DenyOtherSenders",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:SendMessage",
            "Resource": "${ComplaintQueue.Arn}",
            "Condition": {
                "ArnNotEquals": {"aws:SourceArn": "${ComplaintTopic}"},
                "StringNotEquals": {"aws:PrincipalAccount": "${AWS::AccountId}"},
            },
        }

    @pytest.mark.parametrize("queue", QUEUES)
    def test_only_the_topics_of_a_queue_may_send_to_it(self, queue: str) -> None:
        """Quarantine and dead letters are sent with the permissions of a role, so their policies allow no service."""
        topics: dict[str, Any] = {f"{lane}Queue": f"${{{lane}Topic}}" for lane in LANES}
        topics["UndeliveredQueue"] = [f"${{{lane}Topic}}" for lane in LANES]
        statements = stack().resource_policy(f"{queue}Policy").values()
        allows = [statement for statement in statements if statement["Effect"] == "Allow"]
        sources = [allow["Condition"]["ArnEquals"]["aws:SourceArn"] for allow in allows]
        assert sources == ([topics[queue]] if queue in topics else [])
        assert len(statements) == len(allows) + (2 if queue == "ComplaintQueue" else 1)
        assert {allow["Principal"]["Service"] for allow in allows} <= {"sns.amazonaws.com"}
        assert {allow["Action"] for allow in allows} <= {"sqs:SendMessage"}

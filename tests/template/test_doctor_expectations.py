"""What `feedbackctl doctor` expects and its commands restore is what the template declares."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from feedbackctl.doctor import expected
from feedbackctl.doctor.hops import alarms
from ses_feedback.settings import LANES
from tests.support.doctor_aws import ACCOUNT, KEY, REGION, STACK, DoctorAws
from tests.support.sam_template import Stack

TEMPLATE = Stack({"CustomerManagedKey": "true", "AlarmTopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:oncall"})
FACTS = DoctorAws().facts


def fill_in(document: Any) -> Any:  # noqa: ANN401 (JSON)
    """Return a document of the template with the names of the account in memory."""
    text = json.dumps(document)
    names = {
        "${AWS::Partition}": "aws",
        "${AWS::Region}": REGION,
        "${AWS::AccountId}": ACCOUNT,
        "${AWS::StackName}": STACK,
        "${Key.Arn}": KEY,
        "${ImportBucket.Arn}": "arn:aws:s3:::mail-importbucket-1",
        "${UndeliveredQueue.Arn}": FACTS.queue_arn("Undelivered"),
        "${DeadLetterQueue.Arn}": FACTS.queue_arn("DeadLetter"),
        **{f"${{{lane}Topic}}": FACTS.topics[lane] for lane in LANES},
        **{f"${{{lane}Queue.Arn}}": FACTS.queue_arn(lane) for lane in LANES},
    }
    for placeholder, name in names.items():
        text = text.replace(placeholder, name)
    return json.loads(text)


def policy_of(resource: str) -> dict[str, Any]:
    return {sid: fill_in(each) for sid, each in TEMPLATE.resource_policy(resource).items()}


def test_topic_policy_is_the_template_s() -> None:
    statement = expected.ses_publish_statement(FACTS)
    assert policy_of("TopicPolicy")[statement["Sid"]] == statement


@pytest.mark.parametrize("lane", LANES)
def test_queue_policy_is_the_template_s(lane: str) -> None:
    statement = expected.topic_send_statement(FACTS, lane)
    assert policy_of(f"{lane}QueuePolicy")[statement["Sid"]] == statement


def test_policy_of_undelivered_queue_is_the_template_s() -> None:
    statement = expected.topic_send_statement(FACTS, "Undelivered")
    assert policy_of("UndeliveredQueuePolicy")[statement["Sid"]] == statement


def test_statements_of_the_key_policy_are_the_template_s() -> None:
    declared = policy_of("Key")
    for sid, statement in expected.key_statements(FACTS).items():
        assert declared[sid] == statement


def test_policy_of_import_bucket_is_the_template_s() -> None:
    statement = expected.import_read_statement(FACTS, "mail-importbucket-1")
    assert policy_of("ImportBucketPolicy")[statement["Sid"]] == statement


@pytest.mark.parametrize("lane", LANES)
def test_attributes_of_queues_are_the_template_s(lane: str) -> None:
    queue = fill_in(TEMPLATE.properties(f"{lane}Queue"))
    assert {name: str(queue[name]) for name in expected.QUEUE_ATTRIBUTES} == expected.QUEUE_ATTRIBUTES
    assert queue["RedrivePolicy"] == expected.redrive_policy(FACTS)


def declared_options(function: str, names: Iterable[str]) -> dict[str, Any]:
    """Return options of the event source of a function, by their names in the AWS CLI."""
    declared = TEMPLATE.event_source(function)
    return {name: declared["".join(word.capitalize() for word in name.split("_"))] for name in names}


@pytest.mark.parametrize("lane", LANES)
def test_event_sources_are_the_template_s(lane: str) -> None:
    options = expected.mapping_options(FACTS, lane)
    assert options == declared_options(f"{lane}Function", options)
    assert set(options) == {
        *("batch_size", "maximum_batching_window_in_seconds", "function_response_types", "scaling_config")
    }


def test_event_source_of_the_stream_is_the_template_s() -> None:
    options = expected.STREAM_MAPPING_OPTIONS
    assert options == declared_options("SuppressionFunction", options)
    assert {"starting_position", "filter_criteria", "function_response_types"} <= set(options)


def test_sweep_is_the_template_s() -> None:
    assert json.loads(TEMPLATE.properties("SuppressionFunctionSweep")["Target"]["Input"]) == expected.SWEEP_EVENT


def test_table_is_the_template_s() -> None:
    table = TEMPLATE.properties("ContactsTable")
    indexes = {
        index["IndexName"]: tuple(key["AttributeName"] for key in index["KeySchema"])
        for index in table["GlobalSecondaryIndexes"]
    }
    assert indexes == expected.INDEXES
    assert table["TimeToLiveSpecification"]["AttributeName"] == expected.TTL_ATTRIBUTE
    assert table["StreamSpecification"]["StreamViewType"] == expected.STREAM_VIEW


def test_event_types_of_each_lane_are_the_template_s() -> None:
    for lane in LANES:
        types = TEMPLATE.properties(f"{lane}Destination")["EventDestination"]["MatchingEventTypes"]
        wanted = {*expected.LANE_EVENT_TYPES[lane], *(["DELIVERY"] if lane == "Delivery" else [])}
        assert {name.upper() for name in types} == {name.replace("_", "") for name in wanted}


def test_suppressed_reasons_are_the_template_s() -> None:
    options = TEMPLATE.properties("ConfigurationSet")["SuppressionOptions"]
    assert options["SuppressedReasons"] == expected.SUPPRESSED_REASONS


def test_metrics_of_aws_in_alarms_are_known() -> None:
    for alarm in TEMPLATE.of_type("AWS::CloudWatch::Alarm").values():
        if "MetricName" in alarm:
            assert alarms._is_known_metric(alarm), alarm["MetricName"]  # noqa: SLF001 (the table is private)

"""The alarms, the dashboard and the outputs of template.yaml."""

import json
import re
from typing import Any

import pytest

from tests.support.sam_template import BOTH_PATHS, FUNCTIONS, LANES, MINUTE, QUEUES, ROOT, named, stack

ALARM = "AWS::CloudWatch::Alarm"
RUNBOOK = ROOT / "docs/operate/runbook.md"
FUNCTION_NAMES = (*LANES, "Suppression")

EVERY_5_MINUTES = ("1 of 1 x 300", "notBreaching")
VISIBLE = ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", ">", 0, *EVERY_5_MINUTES)
AGE = ("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", ">", 15 * MINUTE, *EVERY_5_MINUTES)
ERRORS = ("AWS/Lambda", "Errors", "Sum", ">", 0, "2 of 3 x 300", "notBreaching")
HOUR_MS, HALF_HOUR_MS = 3_600_000, 1_800_000
CONDITIONS = {
    "QuarantineNotEmpty": VISIBLE,
    "DeadLettersNotEmpty": VISIBLE,
    "UndeliveredNotEmpty": VISIBLE,
    **{f"{lane}LaneWaits": AGE for lane in LANES},
    **{f"{name}FunctionFails": ERRORS for name in FUNCTION_NAMES},
    "StreamStalls": ("AWS/Lambda", "IteratorAge", "Maximum", ">", HALF_HOUR_MS, *EVERY_5_MINUTES),
    "SuppressionLags": ("SesFeedback", "SuppressionLag", "Maximum", ">", HOUR_MS, *EVERY_5_MINUTES),
    # SES reviews an account at these rates: https://docs.aws.amazon.com/ses/latest/dg/faqs-enforcement.html
    "BounceRate": ("AWS/SES", "Reputation.BounceRate", "Maximum", ">=", 0.05, "1 of 1 x 3600", "ignore"),
    "ComplaintRate": ("AWS/SES", "Reputation.ComplaintRate", "Maximum", ">=", 0.001, "1 of 1 x 3600", "ignore"),
}
SUBJECTS = {
    "QuarantineNotEmpty": "QuarantineQueue",
    "DeadLettersNotEmpty": "DeadLetterQueue",
    "UndeliveredNotEmpty": "UndeliveredQueue",
    **{f"{lane}LaneWaits": f"{lane}Queue" for lane in LANES},
    **{f"{name}FunctionFails": f"{name}Function" for name in FUNCTION_NAMES},
    "StreamStalls": "SuppressionFunction",
}


def condition(alarm: dict[str, Any]) -> tuple[Any, ...]:
    """Return the condition of an alarm: metric, statistic, threshold, periods, and treatment of missing data."""
    operators = {"GreaterThanThreshold": ">", "GreaterThanOrEqualToThreshold": ">="}
    periods = alarm["EvaluationPeriods"]
    return (
        alarm["Namespace"],
        alarm["MetricName"],
        alarm["Statistic"],
        operators[alarm["ComparisonOperator"]],
        alarm["Threshold"],
        f"{alarm.get('DatapointsToAlarm', periods)} of {periods} x {alarm['Period']}",
        alarm["TreatMissingData"],
    )


class TestAlarms:
    """Alarms."""

    def test_each_has_its_condition(self) -> None:
        assert {name: condition(alarm) for name, alarm in stack().of_type(ALARM).items()} == CONDITIONS

    def test_each_monitors_the_queue_or_function_in_its_name(self) -> None:
        monitored = {
            name: named(alarm["Dimensions"][0]["Value"])
            for name, alarm in stack().of_type(ALARM).items()
            if alarm["Namespace"] in {"AWS/SQS", "AWS/Lambda"}
        }
        assert monitored == SUBJECTS
        assert set(SUBJECTS.values()) == {*QUEUES, *FUNCTIONS}

    def test_the_lag_alarm_monitors_the_metric_of_the_sweep(self) -> None:
        """The sweep reports the oldest pending change of all configuration sets under the name "none"."""
        assert stack().properties("SuppressionLags")["Dimensions"] == [{"Name": "ConfigurationSet", "Value": "none"}]

    def test_each_has_a_description(self) -> None:
        alarms = stack().of_type(ALARM)
        assert {name for name, alarm in alarms.items() if not alarm.get("AlarmDescription")} == set()

    def test_each_publishes_to_the_alarm_topic_if_there_is_one(self) -> None:
        topic = "arn:aws:sns:us-east-1:123456789012:alarms"
        alarms = stack(AlarmTopicArn=topic).of_type(ALARM).values()
        assert {tuple(alarm["AlarmActions"]) for alarm in alarms} == {(topic,)}
        assert [alarm for alarm in stack().of_type(ALARM).values() if "AlarmActions" in alarm] == []

    def test_monitoring_can_be_disabled(self) -> None:
        made = stack(Monitoring="false")
        assert made.of_type(ALARM) | made.of_type("AWS::CloudWatch::Dashboard") == {}

    def test_the_runbook_has_a_section_for_each(self) -> None:
        headings = " ".join(line for line in RUNBOOK.read_text().splitlines() if line.startswith("#"))
        alarms = {name for path in BOTH_PATHS for name in stack(**path).of_type(ALARM)}
        assert {name for name in alarms if name not in headings} == set()

    @pytest.mark.parametrize("queue", QUEUES)
    def test_the_runbook_names_each_queue(self, queue: str) -> None:
        assert queue in RUNBOOK.read_text()


class TestDashboard:
    """The dashboard."""

    def test_its_body_is_json_and_refers_to_existing_resources(self) -> None:
        body = stack().properties("Dashboard")["DashboardBody"]
        assert json.loads(body)["widgets"] != []
        assert set(re.findall(r"\$\{([A-Za-z]+)[.}]", body)) <= set(stack().resources)


class TestOutputs:
    """Outputs."""

    def test_the_stack_has_exactly_these(self) -> None:
        topics = {f"{lane}TopicArn" for lane in LANES}
        functions = {f"{function}Name" for function in FUNCTIONS}
        queues = {f"{queue}Url" for queue in QUEUES}
        rest = {"ConfigurationSetName", "ContactsTableName", "ContactsTableArn", "KeyArn", "DashboardUrl"}
        assert topics | functions | queues | rest == set(stack().outputs)
        assert set(stack(DeliveriesBy="Firehose").outputs) - set(stack().outputs) == {"DeliveryBucketName"}

    def test_each_has_a_description(self) -> None:
        outputs = stack(DeliveriesBy="Firehose").outputs
        assert {name for name, output in outputs.items() if not output.get("Description")} == set()

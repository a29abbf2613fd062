"""The alarms: whether each one watches a metric that exists, and reaches a person."""

from collections.abc import Iterator, Mapping
from datetime import UTC, timedelta
from typing import Any

from feedbackctl.doctor.aws_reader import NotFoundError
from feedbackctl.doctor.facts import Facts
from feedbackctl.doctor.hops.topics import set_attribute
from feedbackctl.doctor.model import Finding, fail, ok, skipped, unknown, warn
from feedbackctl.doctor.policy_check import Decision, evaluate, with_statement
from ses_feedback.aws.batches import batched

_ACTIONS = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html"
_STATES = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html"
_ENCRYPTED = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html"
_CLOUDWATCH = "cloudwatch.amazonaws.com"
_BATCH = 100
_SILENT = timedelta(days=1)
_FIELDS = (
    "ActionsEnabled",
    "AlarmDescription",
    "AlarmName",
    "ComparisonOperator",
    "DatapointsToAlarm",
    "Dimensions",
    "EvaluateLowSampleCountPercentile",
    "EvaluationPeriods",
    "ExtendedStatistic",
    "InsufficientDataActions",
    "MetricName",
    "Metrics",
    "Namespace",
    "OKActions",
    "Period",
    "Statistic",
    "Threshold",
    "ThresholdMetricId",
    "TreatMissingData",
    "Unit",
)
"""The fields of an alarm that PutMetricAlarm also takes, without the actions that a remedy adds."""


def read_alarms(facts: Facts) -> list[Mapping[str, Any]]:
    """Return the metric alarms of the stack, those that exist.

    Raises:
        ReadError: CloudWatch cannot be read.

    """
    found: list[Mapping[str, Any]] = []
    for names in batched(_alarm_names(facts).values(), _BATCH):
        found += facts.reader.read_pages(
            "cloudwatch", "describe_alarms", "MetricAlarms", AlarmNames=list(names), AlarmTypes=["MetricAlarm"]
        )
    return found


def check_existence(facts: Facts) -> Iterator[Finding]:
    """Check that no alarm of the stack is gone."""
    names = _alarm_names(facts)
    if not names:
        yield skipped("alarms", "the stack has none (Monitoring)")
        return
    existing = {alarm["AlarmName"] for alarm in read_alarms(facts)}
    gone = sorted(logical for logical, name in names.items() if name not in existing)
    if gone:
        yield fail("alarms", f"{', '.join(gone)} were deleted", advice="Deploy the stack again.", url=_ACTIONS)
    else:
        yield ok("alarms", f"{len(names)} exist")


def check_actions(facts: Facts) -> Iterator[Finding]:
    """Check that each alarm notifies."""
    alarms, topics = read_alarms(facts), facts.alarm_topics
    disabled = [alarm["AlarmName"] for alarm in alarms if not alarm.get("ActionsEnabled", True)]
    if disabled:
        command = facts.command("cloudwatch", "enable-alarm-actions", alarm_names=disabled)
        yield fail("alarm actions", f"the actions of {_shorten(facts, disabled)} are disabled", command, url=_ACTIONS)
    without = [alarm for alarm in alarms if not alarm.get("AlarmActions")]
    if alarms and not topics:
        advice = "Redeploy with AlarmEmail, or with AlarmTopicArn, the ARN of a topic that a person receives."
        message = "the alarms notify no one: the stack has no alarm topic"
        yield warn("alarm actions", message, advice=advice, url=_ACTIONS)
    elif without:
        names = _shorten(facts, [alarm["AlarmName"] for alarm in without])
        commands = [_put_alarm(facts, alarm, topics) for alarm in without]
        yield fail("alarm actions", f"{names} have no action", *commands, url=_ACTIONS)
    elif alarms and not disabled:
        yield ok("alarm actions", "each alarm notifies the alarm topic")


def check_metrics(facts: Facts) -> Iterator[Finding]:
    """Check that each alarm has data. Without it for a day, its metric does not exist, or nothing publishes it."""
    for alarm in read_alarms(facts):
        updated = alarm.get("StateUpdatedTimestamp")
        silent = updated is None or updated.astimezone(UTC) < facts.now - _SILENT
        wrong = _find_foreign_dimension(facts, alarm)
        namespace, name = _find_metric(alarm)
        subject, metric = _shorten(facts, [alarm["AlarmName"]]), f"{namespace} {name}"
        show = facts.command("cloudwatch", "list-metrics", namespace=namespace, metric_name=name)
        if wrong:
            yield fail(subject, f"it watches {wrong}, which is not of this stack", show, advice="Deploy again.")
        elif alarm.get("Namespace") and not _is_known_metric(alarm):
            message = f"it watches {metric}, a metric that neither AWS nor this stack publishes"
            yield fail(subject, message, show, advice="Deploy the stack again.", url=_STATES)
        elif alarm.get("StateValue") == "INSUFFICIENT_DATA" and silent and facts.sent_in_a_day():
            yield warn(subject, f"it has had no data of {metric} for a day", show, url=_STATES)


def check_topic(facts: Facts) -> Iterator[Finding]:
    """Check that CloudWatch can publish to the alarm topic, and that the topic has a confirmed subscription."""
    for topic in facts.alarm_topics:
        yield from _check_alarm_topic(facts, topic)


def _check_alarm_topic(facts: Facts, topic: str) -> Iterator[Finding]:
    try:
        attributes = facts.topic(topic)
    except NotFoundError:
        command = facts.command("sns", "create-topic", name=topic.rpartition(":")[2])
        yield fail("alarm topic", "the topic does not exist", command, url=_ACTIONS)
        return
    problems = [*_check_topic_policy(facts, topic, attributes), *_check_topic_key(facts, attributes)]
    yield from problems or [ok("alarm topic", "CloudWatch may publish")]
    if int(attributes.get("SubscriptionsConfirmed", 1)) == 0:
        command = facts.command("sns", "subscribe", topic_arn=topic, protocol="email", endpoint="oncall@example.com")
        advice = "Put your own address into the command, and confirm the email from SNS."
        yield warn("alarm topic", "it has no confirmed subscription", command, advice=advice, url=_ACTIONS)


def _check_topic_policy(facts: Facts, topic: str, attributes: Mapping[str, str]) -> Iterator[Finding]:
    alarm = _any_alarm(facts)
    request = facts.service_request(_CLOUDWATCH, "sns:Publish", topic, alarm)
    decision = evaluate(attributes.get("Policy"), request)
    # The default policy lets the owner's account publish, and CloudWatch acts for the owner:
    # https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
    own = f'"AWS:SourceOwner":"{facts.stack.account}"' in attributes.get("Policy", "").replace(" ", "")
    if decision is Decision.ALLOWED or (own and decision is not Decision.DENIED):
        return
    if decision is Decision.UNDETERMINED:
        yield unknown("alarm topic", "its policy has conditions that cannot be evaluated here")
        return
    fixed = with_statement(attributes.get("Policy"), _allow_alarms(facts, "sns:Publish", topic), request)
    command = set_attribute(facts, topic, "Policy", fixed)
    yield fail("alarm topic", f"its policy does not let CloudWatch publish ({decision})", command, url=_ACTIONS)


def _check_topic_key(facts: Facts, attributes: Mapping[str, str]) -> Iterator[Finding]:
    key = attributes.get("KmsMasterKeyId", "")
    if not key:
        return
    if key.endswith("alias/aws/sns"):
        advice = "Encrypt the topic with a customer managed key whose policy allows CloudWatch."
        yield fail("alarm topic", "CloudWatch cannot use the key of AWS for SNS", advice=advice, url=_ENCRYPTED)
        return
    key_id = facts.reader.read("kms", "describe_key", KeyId=key)["KeyMetadata"]["Arn"]
    policy = facts.reader.read("kms", "get_key_policy", KeyId=key_id, PolicyName="default")["Policy"]
    source = _any_alarm(facts)
    for action in ("kms:Decrypt", "kms:GenerateDataKey"):
        request = facts.service_request(_CLOUDWATCH, action, key_id, source)
        if evaluate(policy, request) in {Decision.DENIED, Decision.NOT_ALLOWED}:
            statement = _allow_alarms(facts, ["kms:Decrypt", "kms:GenerateDataKey*"], "*")
            fixed = with_statement(policy, statement, request)
            command = facts.command("kms", "put-key-policy", key_id=key_id, policy_name="default", policy=fixed)
            yield fail("alarm topic", "its key does not let CloudWatch use it", command, url=_ENCRYPTED)
            return


def _allow_alarms(facts: Facts, action: str | list[str], resource: str) -> dict[str, Any]:
    """Return the statement that lets CloudWatch publish the alarms of this account."""
    return {
        "Sid": "CloudWatchPublishAlarms",
        "Effect": "Allow",
        "Principal": {"Service": _CLOUDWATCH},
        "Action": action,
        "Resource": resource,
        "Condition": {"StringEquals": {"aws:SourceAccount": facts.stack.account}},
    }


def _any_alarm(facts: Facts) -> str:
    """Return the ARN of an alarm of the stack: a policy may admit only those."""
    name = next(iter(_alarm_names(facts).values()), "any")
    return facts.stack.arn("cloudwatch", f"alarm:{name}")


def _alarm_names(facts: Facts) -> dict[str, str]:
    return {
        logical: facts.stack.resources[logical]
        for logical, kind in sorted(facts.stack.types.items())
        if kind == "AWS::CloudWatch::Alarm"
    }


def _shorten(facts: Facts, names: list[str]) -> str:
    """Return the logical ids of alarms, which the runbook uses."""
    logical = {name: each for each, name in _alarm_names(facts).items()}
    return ", ".join(sorted(logical.get(name, name) for name in names))


def _put_alarm(facts: Facts, alarm: Mapping[str, Any], topics: list[str]) -> str:
    """Return the command that adds an action. PutMetricAlarm replaces the alarm, so the command repeats its fields."""
    document = {name: alarm[name] for name in _FIELDS if alarm.get(name) not in (None, [], "")}
    return facts.command("cloudwatch", "put-metric-alarm", cli_input_json={**document, "AlarmActions": topics})


def _find_metric(alarm: Mapping[str, Any]) -> tuple[str, str]:
    """Return namespace and name of the metric of an alarm: of the first one, if it computes with several."""
    stats = [query["MetricStat"]["Metric"] for query in alarm.get("Metrics", []) if "MetricStat" in query]
    metric = next(iter(stats), alarm)
    return str(metric.get("Namespace", "")), str(metric.get("MetricName", ""))


_STACK_DIMENSIONS = {"QueueName", "FunctionName", "DeliveryStreamName", "TableName"}


def _find_foreign_dimension(facts: Facts, alarm: Mapping[str, Any]) -> str:
    """Return a dimension that names a queue, function or table of another stack, or an empty text."""
    own = {value.rpartition("/")[2] for value in facts.stack.resources.values()} | set(facts.stack.outputs.values())
    for dimension in alarm.get("Dimensions", []):
        if dimension["Name"] in _STACK_DIMENSIONS and dimension["Value"] not in own:
            return f"{dimension['Name']} {dimension['Value']}"
    return ""


_KNOWN_METRICS = {
    "AWS/SQS": {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage", "NumberOfMessagesSent"},
    "AWS/Lambda": {"Errors", "IteratorAge", "Throttles", "Invocations", "Duration"},
    "AWS/Firehose": {"DeliveryToS3.DataFreshness", "ThrottledRecords"},
    "AWS/SES": {"Send", "Reputation.BounceRate", "Reputation.ComplaintRate", "Bounce", "Complaint", "Delivery"},
}
"""Metrics of AWS that alarms of this stack may use. Names elsewhere are not judged."""


def _is_known_metric(alarm: Mapping[str, Any]) -> bool:
    known = _KNOWN_METRICS.get(alarm["Namespace"])
    return known is None or alarm.get("MetricName") in known


CHECKS = (check_existence, check_actions, check_metrics, check_topic)

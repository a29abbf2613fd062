"""The metrics that exist: those of ses-feedback and those of AWS, with the names of their dimensions."""

from collections.abc import Mapping
from typing import NamedTuple

from ses_feedback.aws.metrics import (
    DIMENSION,
    LANE_DIMENSION,
    LANE_METRICS,
    METRICS,
    NAMESPACE,
    PROVIDER_DIMENSION,
    PROVIDER_METRICS,
    STACK_DIMENSION,
    STACK_TOTALS,
)

_SES = "https://docs.aws.amazon.com/ses/latest/dg"
_SQS = (
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html"
)
_LAMBDA = "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html"
_DYNAMODB = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html"
_FIREHOSE = "https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html"
_SNS = "https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html"
SET_DIMENSION = "ses:configuration-set"


class AwsMetric(NamedTuple):
    """The dimensions with which AWS publishes a metric, and the page that says so."""

    dimensions: frozenset[frozenset[str]]
    page: str


def _with(page: str, *dimensions: tuple[str, ...]) -> AwsMetric:
    return AwsMetric(frozenset(map(frozenset, dimensions)), page)


_REPUTATION = _with(f"{_SES}/reputationdashboard-cloudwatch-alarm.html", (), (SET_DIMENSION,))

AWS: Mapping[tuple[str, str], AwsMetric] = {
    # With the dimension: the event destination SendMetricDestination.
    ("AWS/SES", "Send"): _with(f"{_SES}/event-publishing-retrieving-cloudwatch.html", (), (SET_DIMENSION,)),
    ("AWS/SES", "Delivery"): _with(f"{_SES}/event-publishing-retrieving-cloudwatch.html", ()),
    ("AWS/SES", "Bounce"): _with(f"{_SES}/event-publishing-retrieving-cloudwatch.html", ()),
    ("AWS/SES", "Complaint"): _with(f"{_SES}/event-publishing-retrieving-cloudwatch.html", ()),
    # Of a set: ReputationMetricsEnabled.
    ("AWS/SES", "Reputation.BounceRate"): _REPUTATION,
    ("AWS/SES", "Reputation.ComplaintRate"): _REPUTATION,
    ("AWS/SNS", "NumberOfMessagesPublished"): _with(_SNS, ("TopicName",)),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): _with(_SQS, ("QueueName",)),
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): _with(_SQS, ("QueueName",)),
    ("AWS/SQS", "NumberOfMessagesSent"): _with(_SQS, ("QueueName",)),
    ("AWS/Lambda", "Errors"): _with(_LAMBDA, ("FunctionName",)),
    ("AWS/Lambda", "Throttles"): _with(_LAMBDA, ("FunctionName",)),
    ("AWS/Lambda", "Invocations"): _with(_LAMBDA, ("FunctionName",)),
    ("AWS/Lambda", "Duration"): _with(_LAMBDA, ("FunctionName",)),
    ("AWS/Lambda", "IteratorAge"): _with(_LAMBDA, ("FunctionName",)),
    ("AWS/DynamoDB", "ConsumedWriteCapacityUnits"): _with(_DYNAMODB, ("TableName",)),
    ("AWS/DynamoDB", "ConsumedReadCapacityUnits"): _with(_DYNAMODB, ("TableName",)),
    ("AWS/Firehose", "DeliveryToS3.DataFreshness"): _with(_FIREHOSE, ("DeliveryStreamName",)),
    ("AWS/Firehose", "ThrottledRecords"): _with(_FIREHOSE, ("DeliveryStreamName",)),
    ("AWS/Firehose", "IncomingRecords"): _with(_FIREHOSE, ("DeliveryStreamName",)),
}
"""The metrics of AWS that alarms and the dashboard use. A name that is not here is refused by the tests."""

STACK_ONLY = frozenset({"Retried", "OldestRetryAge", "AccountRestricted"})
"""Our metrics without a value by configuration set."""


def our_dimensions(name: str) -> frozenset[frozenset[str]]:
    """Return the sets of dimensions with which ses-feedback publishes the metric `name`."""
    found = set()
    if name not in STACK_ONLY and name != "ProviderRejection":
        found.add(frozenset({DIMENSION}))
    if name in PROVIDER_METRICS:
        found.add(frozenset({PROVIDER_DIMENSION}))
    if name in STACK_TOTALS:
        found.add(frozenset({STACK_DIMENSION}))
    if name in LANE_METRICS:
        found.add(frozenset({STACK_DIMENSION, LANE_DIMENSION}))
    return frozenset(found)


def is_published(namespace: str, name: str, dimensions: frozenset[str]) -> bool:
    """Return True if a metric of this name exists with these dimensions."""
    if namespace == NAMESPACE:
        return name in METRICS and dimensions in our_dimensions(name)
    metric = AWS.get((namespace, name))
    return metric is not None and dimensions in metric.dimensions

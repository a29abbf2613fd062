"""The documents state the values of template.yaml."""

from typing import Any

import pytest

from tests.support.sam_template import DAY, LANES, MINUTE, ROOT, stack

README, RUNBOOK, DEPLOY = "README.md", "docs/operate/runbook.md", "docs/operate/deploy.md"
CONNECT, METRICS, PRIVACY = "docs/operate/connect.md", "docs/operate/metrics.md", "docs/operate/privacy.md"
ARCHITECTURE, CONTACT, COST = "docs/explain/architecture.md", "docs/explain/contact.md", "docs/evidence/cost.md"
FIREHOSE = {"DeliveriesBy": "Firehose"}
ALARM, DESTINATION = "AWS::CloudWatch::Alarm", "AWS::SES::ConfigurationSetEventDestination"


def lane_queues(name: str) -> list[Any]:
    """Return the distinct values of a property of the lanes' queues."""
    return sorted({stack().properties(f"{lane}Queue")[name] for lane in LANES}, key=str)


def retention(queue: str) -> Any:  # noqa: ANN401 (CloudFormation's JSON)
    """Return the seconds for which a queue keeps a message."""
    return stack().properties(queue)["MessageRetentionPeriod"]


def buffering() -> Any:  # noqa: ANN401 (CloudFormation's JSON)
    """Return how long, and how much, Firehose gathers."""
    stream = stack(**FIREHOSE).properties("DeliveryStream")
    return stream["ExtendedS3DestinationConfiguration"]["BufferingHints"]


def object_days() -> Any:  # noqa: ANN401 (CloudFormation's JSON)
    """Return for how many days a delivery file is kept."""
    return stack(**FIREHOSE).properties("DeliveryBucket")["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"]


def receive_counts() -> set[Any]:
    """Return after how many tries a lane gives up on a message."""
    return {stack().properties(f"{lane}Queue")["RedrivePolicy"]["maxReceiveCount"] for lane in LANES}


def lane_concurrency() -> int:
    """Return the greatest concurrency of all lanes together, with the default `Volume`."""
    return sum(stack().event_source(f"{lane}Function")["ScalingConfig"]["MaximumConcurrency"] for lane in LANES)


VALUES = [
    (README, "27 alarms", len(stack().of_type(ALARM)), 27),
    (README, "known up to a quarter of an hour later", buffering()["IntervalInSeconds"], 15 * MINUTE),
    (COST, "27 alarms (29 with Firehose)", len(stack(**FIREHOSE).of_type(ALARM)), 29),
    (METRICS, "27 alarms, with `DeliveriesBy=Firehose` 29", len(stack(**FIREHOSE).of_type(ALARM)), 29),
    (CONNECT, "adds four event destinations to it", len(stack().of_type(DESTINATION)), 4),
    (CONNECT, "with `DeliveriesBy=Firehose` five", len(stack(**FIREHOSE).of_type(DESTINATION)), 5),
    (DEPLOY, "concurrency quota of 10 is enough", lane_concurrency() < 10, True),
    (RUNBOOK, "tried again every seven minutes", lane_queues("VisibilityTimeout"), [7 * MINUTE]),
    (
        RUNBOOK,
        "| 14 days, or a thousand tries |",
        (lane_queues("MessageRetentionPeriod"), receive_counts()),
        ([14 * DAY], {1000}),
    ),
    (RUNBOOK, "over about five days", round(1000 * lane_queues("VisibilityTimeout")[0] / DAY), 5),
    (RUNBOOK, "| the rest of 14 days |", retention("DeadLetterQueue"), 14 * DAY),
    (RUNBOOK, "14 days in quarantine", retention("QuarantineQueue"), 14 * DAY),
    (RUNBOOK, "messages that SNS could not deliver to a lane | 14 days", retention("UndeliveredQueue"), 14 * DAY),
    (
        RUNBOOK,
        "waited for more than 15 minutes",
        {stack().properties(f"{lane}LaneWaits")["Threshold"] for lane in LANES},
        {15 * MINUTE},
    ),
    (RUNBOOK, "80 % of the review: 4 %", stack().properties("BounceRate")["Threshold"], 0.04),
    (RUNBOOK, "and 0.08 %", stack().properties("ComplaintRate")["Threshold"], 0.0008),
    (
        RUNBOOK,
        "500 contacts (`SuppressedPerHour`)",
        stack().properties("ContactsSuppressed")["Threshold"],
        500,
    ),
    (RUNBOOK, "at least 50 bounces within ten minutes", stack().properties("ProvidersReject")["Threshold"], 50),
    (RUNBOOK, "At least 100 bounces within an hour", stack().properties("RecipientsUnmatched")["Threshold"], 100),
    (RUNBOOK, "empties itself within 28 days", object_days(), 28),
    (
        RUNBOOK,
        "held a delivery for more than 30 minutes, twice as long as it gathers them",
        stack(**FIREHOSE).properties("DeliveryStreamWaits")["Threshold"],
        2 * buffering()["IntervalInSeconds"],
    ),
    (PRIVACY, "| quarantine queue | the same | 14 days |", retention("QuarantineQueue"), 14 * DAY),
    (PRIVACY, "| DeliveryBucket (with Firehose) | whole SES events | 28 days |", object_days(), 28),
    (ARCHITECTURE, "(SQS, 14 days each)", lane_queues("MessageRetentionPeriod"), [14 * DAY]),
    (
        ARCHITECTURE,
        "up to a hundred messages (of deliveries, a thousand)",
        {lane: stack().event_source(f"{lane}Function")["BatchSize"] for lane in LANES},
        {"Bounce": 100, "Complaint": 100, "Delivery": 1000},
    ),
    (ARCHITECTURE, "the original text and the reason for 14 days", retention("QuarantineQueue"), 14 * DAY),
    (ARCHITECTURE, "for 15 minutes or until they are 5 MB", buffering(), {"IntervalInSeconds": 900, "SizeInMBs": 5}),
    (ARCHITECTURE, "Objects are kept for 28 days", object_days(), 28),
    (
        CONTACT,
        "removed after `HistoryDays` (`expires_at`)",
        stack().properties("ContactsTable")["TimeToLiveSpecification"],
        {"AttributeName": "expires_at", "Enabled": True},
    ),
]


@pytest.mark.parametrize(
    ("document", "words", "actual", "documented"), VALUES, ids=[f"{value[0]}: {value[1]}" for value in VALUES]
)
def test_a_value_in_a_document_is_that_of_the_template(
    document: str, words: str, actual: object, documented: object
) -> None:
    assert words in " ".join((ROOT / document).read_text().split())
    assert actual == documented

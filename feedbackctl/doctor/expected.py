"""What template.yaml declares and the remedies restore. A test compares these values with the template."""

from collections.abc import Mapping
from typing import Any

from feedbackctl.doctor.facts import SES, SNS, Facts
from ses_feedback.settings import LANES

LANE_EVENT_TYPES = {
    "Bounce": ("BOUNCE",),
    "Complaint": ("COMPLAINT",),
    "Delivery": ("REJECT", "RENDERING_FAILURE", "DELIVERY_DELAY", "SUBSCRIPTION"),
}
"""The event types that SES publishes to the topic of a lane, without deliveries."""
SUPPRESSED_REASONS = ["BOUNCE", "COMPLAINT"]
"""The reasons of list entries that block email with the configuration set."""
QUEUE_ATTRIBUTES = {"MessageRetentionPeriod": "1209600", "MaximumMessageSize": "262144", "VisibilityTimeout": "420"}
"""Attributes of the queue of a lane."""
MAX_RECEIVE_COUNT = 1000
INDEXES = {
    "Unsendable": ("unsendable", "status_at"),
    "PendingSync": ("pending_shard", "pending_at"),
    "SuspensionEnd": ("release_shard", "release_at"),
}
"""The keys of the table's indexes."""
TTL_ATTRIBUTE = "expires_at"
STREAM_VIEW = "NEW_AND_OLD_IMAGES"
SWEEP_EVENT = {"source": "ses-feedback", "detail-type": "Sweep"}
STREAM_MAPPING_OPTIONS: Mapping[str, Any] = {
    "starting_position": "TRIM_HORIZON",
    "batch_size": 100,
    "maximum_batching_window_in_seconds": 1,
    "maximum_record_age_in_seconds": 3600,
    "bisect_batch_on_function_error": True,
    "function_response_types": ["ReportBatchItemFailures"],
    "filter_criteria": {
        "Filters": [{"Pattern": '{"dynamodb": {"NewImage": {"pending_shard": {"S": [{"exists": true}]}}}}'}]
    },
}
"""The options of the event source mapping of the table's stream."""


def ses_publish_statement(facts: Facts) -> dict[str, Any]:
    """Return the statement of a topic policy that allows SES to publish."""
    stack = facts.stack
    return {
        "Sid": "SesPublishForThisAccount",
        "Effect": "Allow",
        "Principal": {"Service": SES},
        "Action": "sns:Publish",
        "Resource": "*",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": stack.account},
            "ArnLike": {"aws:SourceArn": [stack.arn("ses", "identity/*"), stack.arn("ses", "configuration-set/*")]},
        },
    }


def sending_topics(facts: Facts, queue: str) -> list[str]:
    """Return the topics that send to a queue: that of the lane, or all of them to `Undelivered`."""
    return [facts.topics[queue]] if queue in LANES else list(facts.topics.values())


def topic_send_statement(facts: Facts, queue: str) -> dict[str, Any]:
    """Return the statement of the policy of a queue that allows its topics to send."""
    topics = sending_topics(facts, queue)
    return {
        "Sid": "TopicSendMessage" if len(topics) == 1 else "TopicsSendMessage",
        "Effect": "Allow",
        "Principal": {"Service": SNS},
        "Action": "sqs:SendMessage",
        "Resource": facts.queue_arn(queue),
        "Condition": {"ArnEquals": {"aws:SourceArn": topics[0] if len(topics) == 1 else topics}},
    }


def key_statements(facts: Facts) -> dict[str, dict[str, Any]]:
    """Return the statements of the key policy that the path needs, by Sid."""
    stack = facts.stack
    root = f"arn:{stack.partition}:iam::{stack.account}:root"
    return {
        "AccountAccessThroughIam": {
            "Sid": "AccountAccessThroughIam",
            "Effect": "Allow",
            "Principal": {"AWS": root},
            "Action": "kms:*",
            "Resource": "*",
        },
        "SesPublishToTopics": {
            "Sid": "SesPublishToTopics",
            "Effect": "Allow",
            "Principal": {"Service": SES},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceAccount": stack.account}},
        },
        "SesReadImportObjects": {
            "Sid": "SesReadImportObjects",
            "Effect": "Allow",
            "Principal": {"Service": SES},
            "Action": "kms:Decrypt",
            "Resource": "*",
            "Condition": {"StringEquals": {"kms:ViaService": f"s3.{stack.region}.amazonaws.com"}},
        },
        "SnsDeliverToQueues": {
            "Sid": "SnsDeliverToQueues",
            "Effect": "Allow",
            "Principal": {"Service": SNS},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Resource": "*",
            "Condition": {
                "ArnEquals": {"aws:SourceArn": [stack.arn("sns", f"{stack.name}-{lane}Topic") for lane in LANES]}
            },
        },
    }


def import_read_statement(facts: Facts, bucket: str) -> dict[str, Any]:
    """Return the statement of the policy of ImportBucket that allows SES to read."""
    return {
        "Sid": "SesReadForThisAccount",
        "Effect": "Allow",
        "Principal": {"Service": SES},
        "Action": "s3:GetObject",
        "Resource": f"arn:{facts.stack.partition}:s3:::{bucket}/imports/*",
        "Condition": {"StringEquals": {"aws:SourceAccount": facts.stack.account}},
    }


def redrive_policy(facts: Facts) -> dict[str, Any]:
    """Return the redrive policy of the queue of a lane."""
    return {"deadLetterTargetArn": facts.queue_arn("DeadLetter"), "maxReceiveCount": MAX_RECEIVE_COUNT}


def mapping_options(facts: Facts, lane: str) -> dict[str, Any]:
    """Return the options of the event source mapping of a lane."""
    large = 10 if facts.deliveries_by == "Firehose" else 1000
    concurrency = {"small": 2, "medium": 10, "large": 50}.get(facts.stack.parameters.get("Volume", "small"), 2)
    return {
        "batch_size": large if lane == "Delivery" else 100,
        "maximum_batching_window_in_seconds": 60 if lane == "Delivery" else 1,
        "function_response_types": ["ReportBatchItemFailures"],
        "scaling_config": {"MaximumConcurrency": concurrency},
    }

"""The queues: whether they exist, accept what the topics send, and keep messages long enough."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from feedbackctl.doctor.aws_reader import NotFoundError
from feedbackctl.doctor.expected import QUEUE_ATTRIBUTES, redrive_policy, sending_topics, topic_send_statement
from feedbackctl.doctor.facts import Facts
from feedbackctl.doctor.model import Finding, fail, ok, unknown, warn
from feedbackctl.doctor.policy_check import Decision, evaluate, with_statement
from feedbackctl.doctor.remedies import to_json
from ses_feedback.settings import LANES

_POLICY = "https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html"
_CREATE = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html"
_LAMBDA = "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"
_RUNBOOK = "docs/operate/runbook.md"
_REST = {
    "Quarantine": "messages that are no feedback of a known shape",
    "DeadLetter": "messages that a lane could not process",
    "Undelivered": "messages that SNS could not deliver",
}


def check_lanes(facts: Facts) -> Iterator[Finding]:
    """Check the queue of each lane."""
    for lane in LANES:
        try:
            attributes = facts.queue(lane)
        except NotFoundError:
            yield _judge_missing(facts, lane)
            continue
        problems = [*_check_policy(facts, lane, attributes), *_check_attributes(facts, lane, attributes)]
        yield from problems or [ok(f"{lane}Queue", f"{_length(attributes)} messages; its topic may send")]


def check_others(facts: Facts) -> Iterator[Finding]:
    """Check the queues for messages that need an operator."""
    for name, content in _REST.items():
        try:
            attributes = facts.queue(name)
        except NotFoundError:
            create = _create(facts, name, {"MessageRetentionPeriod": QUEUE_ATTRIBUTES["MessageRetentionPeriod"]})
            yield fail(f"{name}Queue", "the queue does not exist", create, url=_CREATE)
            continue
        if name == "Undelivered":
            yield from _check_policy(facts, name, attributes)
        if length := _length(attributes):
            advice = f"See {_RUNBOOK}: fix the cause first, then redrive."
            yield warn(f"{name}Queue", f"{length} {content}", advice=advice)
        else:
            yield ok(f"{name}Queue", "empty")


def _check_policy(facts: Facts, name: str, attributes: Mapping[str, str]) -> Iterator[Finding]:
    policy, arn = attributes.get("Policy"), facts.queue_arn(name)
    for topic in sending_topics(facts, name):
        request = facts.sns_request("sqs:SendMessage", arn, topic)
        decision = evaluate(policy, request)
        if decision is Decision.UNDETERMINED:
            yield unknown(f"{name}Queue", "its policy has conditions that cannot be evaluated here")
        elif decision is not Decision.ALLOWED:
            fixed = with_statement(policy, topic_send_statement(facts, name), request)
            command = _set(facts, name, {"Policy": fixed})
            message = f"its policy does not let the topic send ({decision})"
            yield fail(f"{name}Queue", message, command, url=_POLICY)
            return


def _check_attributes(facts: Facts, lane: str, attributes: Mapping[str, str]) -> Iterator[Finding]:
    name = f"{lane}Queue"
    for attribute, expected in QUEUE_ATTRIBUTES.items():
        if int(attributes.get(attribute, expected)) < int(expected):
            command = _set(facts, lane, {attribute: expected})
            message = f"{attribute} is {attributes[attribute]} instead of {expected}"
            yield warn(name, message, command, url=_LAMBDA if attribute == "VisibilityTimeout" else _CREATE)
    redrive = _parse(attributes.get("RedrivePolicy"))
    expected_redrive = redrive_policy(facts)
    if redrive.get("deadLetterTargetArn") != expected_redrive["deadLetterTargetArn"]:
        message = "it has no dead-letter queue of this stack, so a message that cannot be processed expires"
        yield warn(name, message, _set(facts, lane, {"RedrivePolicy": to_json(expected_redrive)}), url=_LAMBDA)
    elif int(redrive.get("maxReceiveCount", 0)) < expected_redrive["maxReceiveCount"]:
        message = f"maxReceiveCount is {redrive.get('maxReceiveCount')}: a short outage fills the dead-letter queue"
        yield warn(name, message, _set(facts, lane, {"RedrivePolicy": to_json(expected_redrive)}), url=_LAMBDA)


def _judge_missing(facts: Facts, lane: str) -> Finding:
    """Return the finding on a queue that does not exist. A new queue of the same name has the same URL and ARN."""
    request = facts.sns_request("sqs:SendMessage", facts.queue_arn(lane), facts.topics[lane])
    policy = with_statement(None, topic_send_statement(facts, lane), request)
    attributes = {**QUEUE_ATTRIBUTES, "Policy": policy, "RedrivePolicy": to_json(redrive_policy(facts))}
    advice = "SQS accepts the name again 60 seconds after the deletion."
    message = "the queue does not exist"
    return fail(f"{lane}Queue", message, _create(facts, lane, attributes), advice=advice, url=_CREATE)


def _create(facts: Facts, name: str, attributes: Mapping[str, str]) -> str:
    encryption = {"KmsMasterKeyId": facts.key} if facts.key else {"SqsManagedSseEnabled": "true"}
    return facts.command(
        "sqs",
        "create-queue",
        queue_name=facts.queue_url(name).rpartition("/")[2],
        attributes={**attributes, **encryption},
    )


def _set(facts: Facts, name: str, attributes: Mapping[str, str]) -> str:
    return facts.command("sqs", "set-queue-attributes", queue_url=facts.queue_url(name), attributes=attributes)


def _parse(policy: str | None) -> dict[str, Any]:
    document = json.loads(policy) if policy else {}
    return document if isinstance(document, dict) else {}


def _length(attributes: Mapping[str, str]) -> int:
    return int(attributes.get("ApproximateNumberOfMessages", 0))


CHECKS = (check_lanes, check_others)

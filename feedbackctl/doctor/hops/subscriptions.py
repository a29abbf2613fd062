"""The subscriptions: whether each topic delivers everything to the queue of its lane, unchanged."""

from collections.abc import Iterator

from feedbackctl.doctor.facts import Facts
from feedbackctl.doctor.model import Finding, fail, ok, warn
from feedbackctl.doctor.remedies import to_json
from ses_feedback.settings import LANES

_SUBSCRIBE = "https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html"
_RAW = "https://docs.aws.amazon.com/sns/latest/dg/sns-large-payload-raw-message-delivery.html"
_FILTER = "https://docs.aws.amazon.com/sns/latest/dg/sns-message-filtering.html"
_REDRIVE = "https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html"


def check_subscriptions(facts: Facts) -> Iterator[Finding]:
    """Check the subscription of each lane."""
    for lane in LANES:
        yield from _check_lane(facts, lane)


def _check_lane(facts: Facts, lane: str) -> Iterator[Finding]:
    name, topic, queue = f"{lane}Subscription", facts.topics[lane], facts.queue_arn(lane)
    found = facts.reader.read_pages("sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=topic)
    arns = [each["SubscriptionArn"] for each in found if each.get("Endpoint") == queue and each["Protocol"] == "sqs"]
    confirmed = [arn for arn in arns if arn.startswith("arn:")]
    if not confirmed:
        # A subscription by the owner of both is confirmed at once, also if it was pending before.
        message = "it is not confirmed" if arns else "the queue of the lane is not subscribed to the topic"
        yield fail(name, message, _subscribe(facts, lane), url=_SUBSCRIBE)
        return
    problems = list(_check_attributes(facts, lane, confirmed[0]))
    yield from problems or [ok(name, "confirmed and raw")]


def _check_attributes(facts: Facts, lane: str, arn: str) -> Iterator[Finding]:
    name = f"{lane}Subscription"
    attributes = facts.reader.read("sns", "get_subscription_attributes", SubscriptionArn=arn)["Attributes"]
    if attributes.get("FilterPolicy", "{}") not in {"", "{}"}:
        command = _set(facts, arn, "FilterPolicy", "{}")
        yield fail(name, "its filter policy drops feedback", command, url=_FILTER)
    if attributes.get("RawMessageDelivery", "false").lower() != "true":
        command = _set(facts, arn, "RawMessageDelivery", "true")
        message = "it is not raw. Feedback is read nevertheless, but the largest messages do not fit into the queue"
        yield warn(name, message, command, url=_RAW)
    if not attributes.get("RedrivePolicy"):
        command = _set(facts, arn, "RedrivePolicy", _redrive_policy(facts))
        yield warn(name, "it has no dead-letter queue, so SNS drops what it cannot deliver", command, url=_REDRIVE)


def _set(facts: Facts, arn: str, name: str, value: str) -> str:
    return facts.command(
        "sns", "set-subscription-attributes", subscription_arn=arn, attribute_name=name, attribute_value=value
    )


def _subscribe(facts: Facts, lane: str) -> str:
    return facts.command(
        "sns",
        "subscribe",
        topic_arn=facts.topics[lane],
        protocol="sqs",
        endpoint=facts.queue_arn(lane),
        attributes={"RawMessageDelivery": "true", "RedrivePolicy": _redrive_policy(facts)},
    )


def _redrive_policy(facts: Facts) -> str:
    return to_json({"deadLetterTargetArn": facts.queue_arn("Undelivered")})


CHECKS = (check_subscriptions,)

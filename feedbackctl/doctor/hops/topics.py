"""The topics: whether they exist, and whether SES may publish to them."""

from collections.abc import Iterator

from feedbackctl.doctor.aws_reader import NotFoundError, NotPermittedError
from feedbackctl.doctor.expected import ses_publish_statement
from feedbackctl.doctor.facts import Facts
from feedbackctl.doctor.identities import read_identities
from feedbackctl.doctor.model import Finding, fail, ok, unknown
from feedbackctl.doctor.policy_check import Decision, evaluate, with_statement
from ses_feedback.settings import LANES

_POLICY = "https://docs.aws.amazon.com/ses/latest/dg/configure-sns-notifications.html"
_KEY = "https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html"


def check_topics(facts: Facts) -> Iterator[Finding]:
    """Check each topic."""
    sources = _sources(facts)
    for lane in LANES:
        yield _check_topic(facts, lane, sources)


def set_attribute(facts: Facts, topic: str, name: str, value: str) -> str:
    """Return the command that sets an attribute of a topic."""
    return facts.command("sns", "set-topic-attributes", topic_arn=topic, attribute_name=name, attribute_value=value)


def _sources(facts: Facts) -> list[str]:
    """Return what SES publishes for: the configuration set, and the first identity with topics of the stack.

    Policies distinguish identities by pattern, so one of them is enough.
    """
    sources = [f"configuration-set/{facts.configuration_set}"]
    try:
        identities = read_identities(facts)
    except NotPermittedError:
        identities = []
    return sources + [f"identity/{each.name}" for each in identities if each.own_topics(facts)][:1]


def _check_topic(facts: Facts, lane: str, sources: list[str]) -> Finding:
    name, arn = f"{lane}Topic", facts.topics[lane]
    try:
        attributes = facts.topic(arn)
    except NotFoundError:
        return _judge_missing(facts, lane)
    key = attributes.get("KmsMasterKeyId", "")
    if key.endswith("alias/aws/sns"):
        command = set_attribute(facts, arn, "KmsMasterKeyId", facts.key)
        return fail(name, "SES cannot publish to a topic with the key of AWS for SNS", command, url=_KEY)
    requests = [facts.ses_request("sns:Publish", arn, source) for source in sources]
    decisions = [evaluate(attributes.get("Policy"), request) for request in requests]
    for request, decision in zip(requests, decisions, strict=True):
        if decision in {Decision.DENIED, Decision.NOT_ALLOWED}:
            policy = with_statement(attributes.get("Policy"), ses_publish_statement(facts), request)
            command = set_attribute(facts, arn, "Policy", policy)
            return fail(name, f"its policy does not let SES publish ({decision})", command, url=_POLICY)
    if Decision.UNDETERMINED in decisions:
        return unknown(name, "its policy has conditions that cannot be evaluated here")
    return ok(name, "SES may publish")


def _judge_missing(facts: Facts, lane: str) -> Finding:
    """Return the finding on a topic that does not exist. A new topic of the same name has the same ARN."""
    arn = facts.topics[lane]
    create = facts.command(
        "sns",
        "create-topic",
        name=arn.rpartition(":")[2],
        attributes={"KmsMasterKeyId": facts.key} if facts.key else None,
    )
    request = facts.ses_request("sns:Publish", arn, f"configuration-set/{facts.configuration_set}")
    allow = set_attribute(facts, arn, "Policy", with_statement(None, ses_publish_statement(facts), request))
    advice = "Then run doctor again: the subscription is gone, too."
    return fail(f"{lane}Topic", "the topic does not exist", create, allow, advice=advice, url=_POLICY)


CHECKS = (check_topics,)

"""The metrics that alarms watch are produced by their real causes, and CloudWatch's rules then raise the alarms.

docs/operate/local.md lists what the emulator cannot evaluate: the metrics of SQS, SNS and Firehose, and SES's rates.
"""

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from tests.e2e.stack_under_test import StackUnderTest, wait_for
from tests.e2e.workload import create_bounce
from tests.support.sam_template import stack as template_stack
from tools.cloudwatch.alarms import ALARM, OK, MetricKey, evaluate_alarm, watched_metrics


def read(stack: StackUnderTest, key: MetricKey, statistic: str, since: int) -> float | None:
    """Return a statistic of a metric of the template, whose names are replaced by those of the deployed stack."""
    names = {"${AWS::StackName}": stack.name, "${ConfigurationSet}": stack.outputs["ConfigurationSetName"]}
    renamed = {"ses:configuration-set": "configuration_set"}
    dimensions = {renamed.get(name, name): names.get(value, value) for name, value in key.dimensions}
    return stack.metric(key.namespace, key.name, statistic, since, **dimensions)


def state(stack: StackUnderTest, name: str, since: int, **changed: float) -> str:
    """Return the state of an alarm under CloudWatch's rules, with all data since a time in one period."""
    return evaluate(stack, {**template_stack().properties(name), **changed}, since)


def evaluate(stack: StackUnderTest, alarm: Mapping[str, Any], since: int) -> str:
    """Return the state of an alarm with these properties, as `state` does."""
    metrics = watched_metrics(alarm)
    return evaluate_alarm(alarm, {each.key: [read(stack, each.key, each.statistic, since)] for each in metrics})


def send_to_lane(stack: StackUnderTest, lane: str, *messages: str) -> None:
    """Put messages into the queue of a lane, as a topic does."""
    for message in messages:
        stack.client("sqs").send_message(QueueUrl=stack.outputs[f"{lane}QueueUrl"], MessageBody=message)


def a_bounce(stack: StackUnderTest, **recipient: str) -> str:
    """Return a bounce with other fields of its recipient."""
    address = stack.create_address("workload")
    at = datetime.now(UTC) - timedelta(minutes=1)
    document: dict[str, Any] = json.loads(create_bounce(address, at, bounceType="Transient", bounceSubType="General"))
    document["bounce"]["bouncedRecipients"][0].update(recipient)
    return json.dumps(document)


def reject_sender(stack: StackUnderTest) -> None:
    """A provider rejects the sender."""
    send_to_lane(stack, "Bounce", a_bounce(stack, status="5.7.1", diagnosticCode="smtp; 550 5.7.1 blocked"))


def forge_recipient(stack: StackUnderTest) -> None:
    """A bounce names a recipient that the email was not sent to."""
    send_to_lane(stack, "Bounce", a_bounce(stack, emailAddress="another@example.org"))


def fail_rendering(stack: StackUnderTest) -> None:
    """A template cannot be rendered."""
    mail = {"timestamp": "2026-03-01T12:00:00.000Z", "messageId": "m-1", "destination": ["someone@example.com"]}
    failure = {"templateName": "Welcome", "errorMessage": "Attribute 'name' is not present"}
    send_to_lane(stack, "Delivery", json.dumps({"eventType": "Rendering Failure", "mail": mail, "failure": failure}))


def bounce_hard(stack: StackUnderTest) -> None:
    """An email bounces."""
    stack.send_email(stack.create_address("bounce"))


CAUSES: list[tuple[str, Callable[[StackUnderTest], None]]] = [
    ("ProvidersReject", reject_sender),
    ("RecipientsUnmatched", forge_recipient),
    ("RenderingFails", fail_rendering),
    ("ContactsSuppressed", bounce_hard),
]


@pytest.mark.parametrize(("alarm", "cause"), CAUSES, ids=[name for name, _ in CAUSES])
def test_the_cause_of_an_alarm_is_counted_for_the_stack(
    stack: StackUnderTest, alarm: str, cause: Callable[[StackUnderTest], None]
) -> None:
    since = int(time.time() * 1000)
    threshold = {} if alarm == "RenderingFails" else {"Threshold": 1}
    assert state(stack, alarm, since, **threshold) == OK
    cause(stack)
    assert wait_for(partial(state, stack, alarm, since, **threshold), lambda found: found == ALARM, 90) == ALARM


def test_records_returned_for_retry_are_counted_with_their_age(short_visibility_stack: StackUnderTest) -> None:
    stack = short_visibility_stack
    since = int(time.time() * 1000)
    stack.inject_faults({"service": "dynamodb", "callers": "BounceFunction"})
    stack.send_email(stack.create_address("bounce"))
    # A second of age instead of an hour.
    alarm = partial(state, stack, "RetriesStuck", since, Threshold=1_000)
    assert wait_for(alarm, lambda found: found == ALARM, 90) == ALARM
    lane = {"Stack": stack.name, "Lane": "Bounce"}
    assert stack.metric("SesFeedback", "Retried", "Sum", since, **lane)
    stack.inject_faults()
    assert stack.drain_lanes() == {}


def test_the_sweep_counts_a_healthy_account(stack: StackUnderTest) -> None:
    """tests/unit/ses_feedback/handlers shows that nothing is counted if SES does not answer."""
    since = int(time.time() * 1000)
    stack.run_sweep()
    samples = partial(stack.metric, "SesFeedback", "AccountRestricted", "SampleCount", since, Stack=stack.name)
    assert wait_for(samples, seconds=60)
    assert (state(stack, "AccountRestricted", since), state(stack, "AccountUnknown", since)) == (OK, OK)


def test_an_account_under_review_is_an_alarm(stack: StackUnderTest) -> None:
    since = int(time.time() * 1000)
    stack.server.call("ses-settings", {"enforcement": "PROBATION"}, method="PUT")
    stack.run_sweep()
    alarm = partial(state, stack, "AccountRestricted", since)
    assert wait_for(alarm, lambda found: found == ALARM, 60) == ALARM
    stack.server.call("ses-settings", {"enforcement": "HEALTHY"}, method="PUT")
    assert any('"state":"PROBATION"' in line for line in stack.log_lines("Suppression", since))


def test_emails_without_feedback_are_silence_until_feedback_arrives(stack: StackUnderTest) -> None:
    """SES holds its events back. The alarm's floor is replaced by one email."""
    stack.drain_lanes()
    since = int(time.time() * 1000)
    silence = partial(evaluate, stack, template_stack(SilenceSends="1").properties("FeedbackSilent"), since)
    assert silence() == OK
    stack.set_publishing(held=True)
    stack.send_email(stack.create_address("success"))
    assert wait_for(silence, lambda found: found == ALARM, 30) == ALARM
    assert stack.metric("AWS/SES", "Send", "Sum", since)
    stack.set_publishing(held=False)
    assert wait_for(silence, lambda found: found == OK, 90) == OK

"""Each alarm is raised by its real cause: the metric is read from the local CloudWatch, and its rules are applied.

docs/operate/local.md lists the alarms whose cause only AWS has.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import pytest

from localaws.cloudwatch.alarms import ALARM, OK, MetricKey, evaluate_alarm, watched_metrics
from localaws.deployment import sam_cli
from tests.e2e.alarm_causes import CAUSES, SUPPRESSED_PER_HOUR, AlarmCause
from tests.e2e.stack_under_test import StackUnderTest, wait_for
from tests.support.sam_template import stack as template_stack

NAME = "alarmed"
PARAMETERS = {
    "AlarmEmail": "operator@example.com",
    "AccountSilence": "true",
    "SuppressedPerHour": str(SUPPRESSED_PER_HOUR),
}
"""The parameters of the stack with the alarms."""
Window = tuple[int, int | None]
"""The begin and the end of a period in milliseconds. The last period has no end."""


class Alarmed(NamedTuple):
    """A stack, and a queue that receives the notifications of its alarms."""

    stack: StackUnderTest
    notifications: str


@pytest.fixture(scope="module")
def alarmed(deployed: StackUnderTest) -> Iterator[Alarmed]:
    """Deploy a second stack, whose metrics no other test has changed."""
    parameters = [f"{name}={value}" for name, value in PARAMETERS.items()]
    sam_cli.deploy(deployed.local_aws, deployed.server, name=NAME, parameters=parameters)
    stack = StackUnderTest(deployed.local_aws, deployed.server, NAME)
    stack.inject_faults()
    sqs = stack.client("sqs")
    url = sqs.create_queue(QueueName="notifications")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**allow, "Resource": arn}]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    subscription = {"TopicArn": stack.outputs["AlarmTopicArn"], "Protocol": "sqs", "Endpoint": arn}
    stack.client("sns").subscribe(**subscription, Attributes={"RawMessageDelivery": "true"})
    yield Alarmed(stack, url)
    stack.inject_faults()
    stack.set_publishing()
    sam_cli.delete(deployed.local_aws, deployed.server, name=NAME)


def read(stack: StackUnderTest, key: MetricKey, statistic: str, window: Window) -> float | None:
    """Return a statistic of a metric of the template, whose names are replaced by those of the deployed stack."""
    renamed = {"ses:configuration-set": "configuration_set"}
    dimensions = {renamed.get(name, name): physical_name(stack, value) for name, value in key.dimensions}
    since, until = window
    return stack.metric(key.namespace, key.name, statistic, since, until=until, **dimensions)


def physical_name(stack: StackUnderTest, reference: str) -> str:
    """Return the name of a resource of the deployed stack for a reference such as `${BounceQueue.QueueName}`."""
    names = {"AWS::StackName": stack.name, "ConfigurationSet": stack.outputs["ConfigurationSetName"]}
    logical = reference.removeprefix("${").removesuffix("}").partition(".")[0]
    if reference == logical:
        return reference
    return names.get(logical) or stack.resources()[logical].rpartition("/")[2].rpartition(":")[2]


def evaluate(stack: StackUnderTest, alarm: Mapping[str, Any], windows: Sequence[Window]) -> str:
    """Return the state of an alarm under CloudWatch's rules, with the data of each window as one period."""
    data = {
        metric.key: [read(stack, metric.key, metric.statistic, window) for window in windows]
        for metric in watched_metrics(alarm)
    }
    return evaluate_alarm(alarm, data)


def states(stack: StackUnderTest, names: Sequence[str]) -> dict[str, str]:
    """Return the states of deployed alarms, as the local CloudWatch reports them."""
    resources = stack.resources()
    alarms = stack.client("cloudwatch").describe_alarms(AlarmNames=[resources[name] for name in names])
    by_name = {alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms["MetricAlarms"]}
    return {name: by_name[resources[name]] for name in names}


def now() -> int:
    """Return the time in milliseconds."""
    return int(time.time() * 1000)


@pytest.mark.parametrize("cause", CAUSES, ids=[cause.alarms[0] for cause in CAUSES])
def test_an_alarm_is_raised_by_its_cause(alarmed: Alarmed, cause: AlarmCause) -> None:
    stack = alarmed.stack
    alarms = {name: {**template_stack(**PARAMETERS).properties(name), **cause.changed} for name in cause.alarms}
    before = {name: evaluate(stack, alarm, [(now(), None)]) for name, alarm in alarms.items()}
    assert before == {name: evaluate_alarm(alarm, {}) for name, alarm in alarms.items()}
    windows: list[Window] = []
    for _ in range(cause.periods):
        wait_for_data(stack, cause, alarms, windows)
    raised = {name: evaluate(stack, alarm, windows) for name, alarm in alarms.items()}
    assert raised == dict.fromkeys(alarms, ALARM)


def wait_for_data(
    stack: StackUnderTest, cause: AlarmCause, alarms: Mapping[str, Mapping[str, Any]], windows: list[Window]
) -> None:
    """Cause the alarms until the data of one period is breaching. Add its window to `windows`."""
    started = now()
    one_period = {"EvaluationPeriods": 1, "DatapointsToAlarm": 1}
    with cause.caused(stack):
        for name, alarm in alarms.items():
            read_state = partial(evaluate, stack, {**alarm, **one_period}, [(started, None)])
            for _ in range(6):
                if cause.sweeps:
                    stack.run_sweep()
                if wait_for(read_state, lambda state: state == ALARM, 6) == ALARM:
                    break
            assert read_state() == ALARM, name
        if cause.evaluated_by_cloudwatch:
            deployed = wait_for(partial(states, stack, cause.alarms), lambda found: set(found.values()) == {ALARM}, 20)
            assert deployed == dict.fromkeys(cause.alarms, ALARM)
        windows.append((started, now()))


def test_the_end_of_a_cause_ends_its_alarm(alarmed: Alarmed) -> None:
    """SES answers the sweep again, and feedback arrives. Other alarms last for their period."""
    names = ("AccountUnknown", "FeedbackSilent")
    alarmed.stack.run_sweep()
    ended = wait_for(partial(states, alarmed.stack, names), lambda found: set(found.values()) == {OK}, 15)
    assert ended == dict.fromkeys(names, OK)


def test_an_alarm_notifies_when_it_is_raised_and_when_it_ends(alarmed: Alarmed) -> None:
    documents = [json.loads(body) for body in alarmed.stack.take_messages(alarmed.notifications)]
    names = {physical: logical for logical, physical in alarmed.stack.resources().items()}
    sent = {(names[document["AlarmName"]], document["NewStateValue"]) for document in documents}
    raised = {name for cause in CAUSES if cause.evaluated_by_cloudwatch for name in cause.alarms}
    assert {name for name, state in sent if state == ALARM} >= raised
    assert {("AccountUnknown", OK), ("FeedbackSilent", OK)} <= sent

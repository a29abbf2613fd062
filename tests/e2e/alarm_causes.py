"""The cause of each alarm, on the deployed stack. tests/template/test_alarm_causes.py checks that none is missing."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from tests.e2e.stack_under_test import LANES, StackUnderTest, wait_for
from tests.e2e.workload import HARD_BOUNCE, create_bounce, disabled_mapping

FUNCTIONS = (*LANES, "Suppression")
SUPPRESSED_PER_HOUR = 20
"""The parameter of the stack, instead of 500."""
MANY = 50
"""Recipients of one email, as many as SES accepts."""


@dataclass(frozen=True)
class AlarmCause:
    """A cause of alarms.

    `do` causes them, while its context is open if it has one. `changed` has properties of the alarms that would take
    too long. An alarm that is raised after `periods` periods needs the cause in each of them. If
    `evaluated_by_cloudwatch`, the local CloudWatch must raise the deployed alarms too. Sweeps run as often as needed if
    `sweeps`: the sweep of another stack can use up the account's one call a second.
    """

    alarms: tuple[str, ...]
    do: Callable[[StackUnderTest], Any]
    changed: Mapping[str, Any] = field(default_factory=dict)
    periods: int = 1
    evaluated_by_cloudwatch: bool = True
    sweeps: bool = False

    def __post_init__(self) -> None:
        """Leave out CloudWatch if that takes too long."""
        if self.changed or self.periods > 1:
            object.__setattr__(self, "evaluated_by_cloudwatch", False)

    @contextmanager
    def caused(self, stack: StackUnderTest) -> Iterator[None]:
        """Cause the alarms, and end the cause."""
        cause = self.do(stack)
        if cause is None:
            yield
        else:
            with cause:
                yield


def send_to_lane(stack: StackUnderTest, lane: str, *messages: str) -> None:
    """Put messages into the queue of a lane, as a topic does."""
    for message in messages:
        stack.client("sqs").send_message(QueueUrl=stack.outputs[f"{lane}QueueUrl"], MessageBody=message)


def hard_bounce(stack: StackUnderTest) -> str:
    """Return a hard bounce of a new address."""
    return create_bounce(stack.create_address("workload"), datetime.now(UTC), **HARD_BOUNCE)


def bounce_of_many(stack: StackUnderTest, recipients: int, **recipient: str) -> str:
    """Return a soft bounce that names so many recipients. In another `domain`, the email was not sent to them."""
    at = datetime.now(UTC) - timedelta(minutes=1)
    document: dict[str, Any] = json.loads(
        create_bounce("a@example.com", at, bounceType="Transient", bounceSubType="General")
    )
    domain = recipient.pop("domain", "example.com")
    addresses = [stack.create_address("workload", domain) for _ in range(recipients)]
    template = document["bounce"]["bouncedRecipients"][0]
    document["bounce"]["bouncedRecipients"] = [{**template, "emailAddress": each, **recipient} for each in addresses]
    document["mail"]["destination"] = addresses if domain == "example.com" else ["a@example.com"]
    return json.dumps(document)


def poison(stack: StackUnderTest) -> None:
    """A message that is not JSON arrives."""
    send_to_lane(stack, "Bounce", "poison")


def reject_sender(stack: StackUnderTest) -> None:
    """A provider rejects the sender for many recipients."""
    rejection = {"status": "5.7.1", "diagnosticCode": "smtp; 550 5.7.1 blocked"}
    send_to_lane(stack, "Bounce", bounce_of_many(stack, MANY, **rejection))


def forge_recipients(stack: StackUnderTest) -> None:
    """Bounces name recipients that their emails were not sent to."""
    send_to_lane(stack, "Bounce", *(bounce_of_many(stack, MANY, domain="example.org") for _ in range(2)))


def fail_rendering(stack: StackUnderTest) -> None:
    """A template cannot be rendered."""
    mail = {"timestamp": "2026-03-01T12:00:00.000Z", "messageId": "m-1", "destination": ["someone@example.com"]}
    failure = {"templateName": "Welcome", "errorMessage": "Attribute 'name' is not present"}
    send_to_lane(stack, "Delivery", json.dumps({"eventType": "Rendering Failure", "mail": mail, "failure": failure}))


def send_many(stack: StackUnderTest, outcome: str, emails: int, **options: str) -> None:
    """Send emails with 50 recipients each."""
    for _ in range(emails):
        stack.send_email(*(stack.create_address(outcome) for _ in range(MANY)), **options)


def send_to_bad_list(stack: StackUnderTest) -> None:
    """A campaign goes to a bad list: 1,150 emails, 100 hard bounces and 50 complaints."""
    for outcome, emails in (("success", 20), ("bounce", 2), ("complaint", 1)):
        send_many(stack, outcome, emails)


def suppress_many(stack: StackUnderTest) -> None:
    """Hard bounces suppress 20 contacts."""
    stack.send_email(*(stack.create_address("bounce") for _ in range(SUPPRESSED_PER_HOUR)))


@contextmanager
def publish_nothing(stack: StackUnderTest) -> Iterator[None]:
    """SES publishes nothing for 200 emails."""
    stack.set_publishing(held=True)
    send_many(stack, "success", 4)
    yield
    stack.set_publishing(held=False)


def send_without_feedback(stack: StackUnderTest) -> None:
    """Emails are sent with no configuration set, and their identity has no topics."""
    send_many(stack, "success", 4, configuration_set="")


@contextmanager
def restrict_account(stack: StackUnderTest) -> Iterator[None]:
    """SES reviews the account, and the sweep asks it."""
    stack.server.call("ses-settings", {"enforcement": "PROBATION"}, method="PUT")
    yield
    stack.server.call("ses-settings", {"enforcement": "HEALTHY"}, method="PUT")


@contextmanager
def lose_account(stack: StackUnderTest) -> Iterator[None]:
    """SES does not answer the sweep."""
    stack.inject_faults(
        {"service": "ses", "operation": "GET /v2/email/account", "status": 500, "code": "InternalFailure"}
    )
    met = stack.faults_met()
    stack.run_sweep()
    assert wait_for(stack.faults_met, lambda count: count > met) > met
    yield
    stack.inject_faults()


@contextmanager
def disabled_source(stack: StackUnderTest, function: str) -> Iterator[None]:
    """The event source mapping of a lane is disabled while its queue has a message."""
    with disabled_mapping(stack, function):
        send_to_lane(stack, function, hard_bounce(stack))
        yield


def stall_stream(stack: StackUnderTest) -> None:
    """The stream's event source mapping is disabled for seconds while a contact changes."""
    address = stack.create_address("workload")
    with disabled_mapping(stack, "Suppression"):
        send_to_lane(stack, "Bounce", create_bounce(address, datetime.now(UTC), **HARD_BOUNCE))
        wait_for(lambda: stack.contact(address))
        time.sleep(2)


@contextmanager
def lag_list(stack: StackUnderTest) -> Iterator[None]:
    """SES throttles the suppression list, so that a change stays pending. It is made an hour older."""
    address = stack.create_address("workload")
    stack.inject_faults({"service": "ses", "status": 429, "code": "TooManyRequestsException"})
    send_to_lane(stack, "Bounce", create_bounce(address, datetime.now(UTC), **HARD_BOUNCE))
    wait_for(lambda: stack.contact(address))
    stack.age_by_an_hour(address)
    yield
    stack.inject_faults()


@contextmanager
def retry(stack: StackUnderTest) -> Iterator[None]:
    """DynamoDB fails while a lane tries a message again and again."""
    with changed_queue(stack, "BounceQueueUrl", VisibilityTimeout="2"):
        stack.inject_faults({"service": "dynamodb", "callers": "BounceFunction"})
        send_to_lane(stack, "Bounce", hard_bounce(stack))
        yield
        stack.inject_faults()
        stack.drain_lanes()


@contextmanager
def give_up(stack: StackUnderTest) -> Iterator[None]:
    """A lane tries a message as often as it may: once instead of a thousand times."""
    url = stack.outputs["BounceQueueUrl"]
    policy = stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]
    once = json.dumps({**json.loads(policy["RedrivePolicy"]), "maxReceiveCount": 1})
    with changed_queue(stack, "BounceQueueUrl", VisibilityTimeout="2", RedrivePolicy=once), retry(stack):
        yield
    stack.take_messages(stack.outputs["DeadLetterQueueUrl"])


@contextmanager
def refuse_topic(stack: StackUnderTest) -> Iterator[None]:
    """A lane's queue policy no longer admits the topic."""
    with changed_queue(stack, "BounceQueueUrl", Policy=""):
        stack.client("sns").publish(TopicArn=stack.outputs["BounceTopicArn"], Message=hard_bounce(stack))
        yield
    stack.take_messages(stack.outputs["UndeliveredQueueUrl"])


@contextmanager
def break_functions(stack: StackUnderTest) -> Iterator[None]:
    """Each function fails, because a variable of its environment is missing. The stream's function fails first."""
    functions = stack.client("lambda")
    names = {function: stack.outputs[f"{function}FunctionName"] for function in FUNCTIONS}
    variables = {
        name: functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        for name in names.values()
    }

    def break_function(function: str) -> None:
        kept = {key: value for key, value in variables[names[function]].items() if key != "TABLE_NAME"}
        functions.update_function_configuration(FunctionName=names[function], Environment={"Variables": kept})

    break_function("Suppression")
    address = stack.create_address("workload")
    send_to_lane(stack, "Bounce", create_bounce(address, datetime.now(UTC), **HARD_BOUNCE))
    wait_for(lambda: stack.contact(address))
    for lane in LANES:
        break_function(lane)
        send_to_lane(stack, lane, hard_bounce(stack))
    yield
    for name in names.values():
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables[name]})


@contextmanager
def throttle(stack: StackUnderTest) -> Iterator[None]:
    """A function may have no concurrency."""
    functions, name = stack.client("lambda"), stack.outputs["SuppressionFunctionName"]
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    yield
    functions.delete_function_concurrency(FunctionName=name)


@contextmanager
def changed_queue(stack: StackUnderTest, output: str, **attributes: str) -> Iterator[None]:
    """Change attributes of a queue."""
    sqs, url = stack.client("sqs"), stack.outputs[output]
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(attributes))["Attributes"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    yield
    sqs.set_queue_attributes(QueueUrl=url, Attributes=before)


CAUSES = (
    # The first two need a stack that has processed no feedback yet.
    AlarmCause(("FeedbackSilent",), publish_nothing),
    # SES's notices about the new event destinations are messages of the same six hours.
    AlarmCause(("AccountSilent",), send_without_feedback, evaluated_by_cloudwatch=False),
    # Three hours.
    AlarmCause(("AccountUnknown",), lose_account, evaluated_by_cloudwatch=False),
    AlarmCause(("AccountRestricted",), restrict_account, sweeps=True),
    AlarmCause(("ContactsSuppressed",), suppress_many),
    AlarmCause(("QuarantineNotEmpty",), poison),
    AlarmCause(("DeadLettersNotEmpty",), give_up),
    AlarmCause(("UndeliveredNotEmpty",), refuse_topic),
    # A second instead of 15 minutes.
    *(
        AlarmCause((f"{lane}LaneWaits",), partial(disabled_source, function=lane), changed={"Threshold": 1})
        for lane in LANES
    ),
    # A second of age instead of an hour.
    AlarmCause(("RetriesStuck",), retry, changed={"Threshold": 1_000}),
    AlarmCause(("StreamStalls",), stall_stream, changed={"Threshold": 1_000}),
    AlarmCause(("SuppressionLags",), lag_list, sweeps=True),
    AlarmCause(tuple(f"{function}FunctionFails" for function in FUNCTIONS), break_functions, periods=2),
    AlarmCause(("FunctionsThrottled",), throttle, periods=2, sweeps=True),
    AlarmCause(("ProvidersReject",), reject_sender),
    AlarmCause(("RecipientsUnmatched",), forge_recipients),
    AlarmCause(("RenderingFails",), fail_rendering),
    AlarmCause(
        (
            "BounceRateOfHour",
            "BounceRateOfDay",
            "ComplaintRateOfHour",
            "ComplaintRateOfDay",
        ),
        send_to_bad_list,
    ),
)

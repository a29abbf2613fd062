"""Metrics of a day for the picture of the dashboard: a replay of generated feedback through the functions.

What a replay does not produce stays without data: SES's own rates, and the metrics of SQS and DynamoDB.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from benchmarks import messages
from localaws.cloudwatch.alarms import MetricKey
from localaws.cloudwatch.metric_math import Series
from localaws.in_process.embedded_aws import EmbeddedAws
from localaws.in_process.lambda_functions import Functions, Invocation
from localaws.in_process.virtual_clock import VirtualClock
from ses_feedback.settings import Settings

START = messages.SENT.replace(hour=0)
STEP, STEPS = timedelta(minutes=15), 96
STACK, SET = "ses-feedback", "receipts"
BAD_LIST = range(56, 62)
"""The steps in which a bad list is sent."""
MALFORMED, REDRIVEN = 36, 44
"""The steps in which a malformed message arrives, and in which an operator has removed it."""


class Day:
    """Values of metrics, and the log lines of SuppressionFunction, by the step in which they were produced."""

    def __init__(self) -> None:
        self.values: dict[MetricKey, list[tuple[int, float]]] = defaultdict(list)
        self.sweeps: list[tuple[int, Mapping[str, Any]]] = []

    def add(self, step: int, namespace: str, name: str, value: float, **dimensions: str) -> None:
        """Add a value of a metric. A dimension `configuration_set` is SES's own."""
        pairs = [(key.replace("configuration_set", "ses:configuration-set"), text) for key, text in dimensions.items()]
        self.values[MetricKey(namespace, name, tuple(sorted(pairs)))].append((step, value))

    def series(self, key: MetricKey, statistic: str, period: int) -> Series:
        """Return a statistic by period over the day."""
        steps = max(1, round(period / STEP.total_seconds()))
        found: dict[int, list[float]] = defaultdict(list)
        for step, value in self.values.get(key, []):
            found[step // steps].append(value)
        return tuple(_aggregate(found.get(number, []), statistic) for number in range(max(1, STEPS // steps)))


def _aggregate(values: list[float], statistic: str) -> float | None:
    if not values:
        return None
    match statistic:
        case "Sum":
            return sum(values)
        case "Maximum":
            return max(values)
        case "SampleCount":
            return float(len(values))
    return sum(values) / len(values)


def replay() -> Day:
    """Run the day, and return it."""
    day, clock = Day(), VirtualClock(START)
    with EmbeddedAws(clock) as aws:
        settings = Settings(aws.table_name, aws.quarantine_url, metric_configuration_sets=(SET,), stack_name=STACK)
        functions = Functions(aws, settings)
        for step in range(STEPS):
            _advance(clock, START + (step + 1) * STEP)
            sent = _emails(step)
            day.add(step, "AWS/SES", "Send", sent, configuration_set=SET)
            for lane, documents in _feedback(step, sent).items():
                if documents:
                    _record(day, step, lane, functions.feedback(_event(documents, lane, clock.now())))
            if step == MALFORMED:
                _record(day, step, "Bounce", functions.feedback(_event([{"not": "feedback"}], "Bounce", clock.now())))
            waiting = len(aws.quarantined()) if step < REDRIVEN else 0
            quarantine = {"QueueName": "${QuarantineQueue.QueueName}"}
            day.add(step, "AWS/SQS", "ApproximateNumberOfMessagesVisible", waiting, **quarantine)
            _record(day, step, "Suppression", functions.suppression({"Records": aws.stream_records()}))
            _record(day, step, "Suppression", functions.suppression({}))
    return day


def _advance(clock: VirtualClock, to: datetime) -> None:
    clock.sleep(max(0.0, (to - clock.now()).total_seconds()))


def _emails(step: int) -> int:
    """Return the emails of a step: few at night, most in working hours."""
    hour = step * STEP / timedelta(hours=1)
    return 12 if not 7 <= hour < 20 else 40 + 10 * (step % 4)  # noqa: PLR2004 (hours of the day)


def _feedback(step: int, sent: int) -> dict[str, list[dict[str, Any]]]:
    """Return the SES events of a step by lane: the same for each run."""
    at = int(step * STEP.total_seconds() - messages.SENT.hour * 3_600)
    first = step * 1_000
    every = 8 if step in BAD_LIST else 90
    bounces = [messages.bounce(first + n, sequence=at) for n in range(sent) if (first + n) % every == 0]
    bounces += [messages.bounce(first + n, sequence=at, soft=True) for n in range(sent) if (first + n) % 120 == 1]
    if step % 24 == 10:  # noqa: PLR2004 (a provider rejects the sender every six hours)
        bounces.append(_rejected(messages.bounce(first + 999, sequence=at, soft=True)))
    complaints = [messages.complaint(first + 2, sequence=at)] if step % 32 == 20 else []  # noqa: PLR2004
    if step % 16 == 14:  # noqa: PLR2004 (an opt-out every four hours, and one email that it stops)
        complaints.append(_opted_out(messages.complaint(first + 3, sequence=at)))
        bounces.append(_not_sent(messages.bounce(first + 4, sequence=at)))
    deliveries = [messages.delivery(first + n, sequence=at) for n in range(sent) if (first + n) % every > 1]
    return {"Bounce": bounces, "Complaint": complaints, "Delivery": deliveries}


def _rejected(bounce: dict[str, Any]) -> dict[str, Any]:
    recipient = bounce["bounce"]["bouncedRecipients"][0]
    recipient |= {"status": "4.7.28", "diagnosticCode": "smtp; 421-4.7.28 unusual rate of unsolicited mail - gsmtp"}
    return bounce


def _opted_out(complaint: dict[str, Any]) -> dict[str, Any]:
    """Return a change of preference of the person that complained."""
    subscription = {
        "contactList": "Shop",
        "timestamp": complaint["complaint"]["timestamp"],
        "source": "UnsubscribeHeader",
        "oldTopicPreferences": {"unsubscribeAll": False, "topicSubscriptionStatus": []},
        "newTopicPreferences": {"unsubscribeAll": True, "topicSubscriptionStatus": []},
    }
    return {"eventType": "Subscription", "mail": complaint["mail"], "subscription": subscription}


def _not_sent(bounce: dict[str, Any]) -> dict[str, Any]:
    """Return an email that SES did not send, because its recipient had opted out."""
    recipients = [{"emailAddress": each["emailAddress"]} for each in bounce["bounce"]["bouncedRecipients"]]
    detail = {"bounceSubType": "UnsubscribedRecipient", "bouncedRecipients": recipients}
    return {**bounce, "bounce": {**bounce["bounce"], **detail}}


def _event(documents: list[dict[str, Any]], lane: str, now: datetime) -> dict[str, Any]:
    event = messages.sqs_event(documents, lane=lane)
    for record in event["Records"]:
        record["attributes"]["SentTimestamp"] = str(int(now.timestamp() * 1000))
    return event


def _record(day: Day, step: int, function: str, invocation: Invocation) -> None:
    day.add(step, "AWS/Lambda", "Invocations", 1, FunctionName=f"${{{function}Function}}")
    day.add(step, "AWS/Lambda", "Errors", float(invocation.error is not None), FunctionName=f"${{{function}Function}}")
    for metric in invocation.metrics:
        day.add(step, metric.namespace, metric.name, metric.value, **metric.dimensions)
    if function == "Suppression":
        day.sweeps += [(step, line) for line in _lines(invocation) if "still_pending" in line]


def _lines(invocation: Invocation) -> Iterator[Mapping[str, Any]]:
    for line in invocation.log:
        try:
            yield json.loads(line)
        except ValueError:
            continue

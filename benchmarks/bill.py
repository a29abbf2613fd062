"""A month's bill, by service: of ours as template.yaml deploys it, and of the baseline."""

import math
from collections.abc import Mapping

from benchmarks import prices
from benchmarks.subjects import BASELINE, OURS
from benchmarks.template_facts import Deployed, Function, Stream
from benchmarks.traffic import (
    AGAIN,
    KINDS,
    MAILS_PER_CONTACT,
    MONTH_SECONDS,
    gathered,
    handed_over,
    idle_requests,
    kms_requests,
    paced_share,
    per_second,
    rounds,
    sqs_requests,
)
from benchmarks.usage_counts import Counted, contact_bytes, counted, line_bytes


class Bill(dict[str, float]):
    """Dollars by service."""

    def __add__(self, other: "Bill") -> "Bill":
        return Bill({name: self.get(name, 0) + other.get(name, 0) for name in {**self, **other}})

    def total(self) -> float:
        """Return all of it."""
        return sum(self.values())


WHOLE_PROCESSOR = 1769
"""Megabytes of memory at which Lambda gives a whole processor; with less, that much less of one."""
LATENCY = 0.005
"""Seconds of an AWS call."""
READING = 0.1
"""Seconds in which an object of some megabytes is read from S3."""
OBJECT_DAYS = 28
"""For which the template keeps an object."""
CPU_OF_RECORD = {
    OURS: {"hard bounce": 0.00013, "soft bounce": 0.00013, "complaint": 0.00013, "delivery": 0.00005},
    BASELINE: {"hard bounce": 0.0049, "soft bounce": 0.0034, "complaint": 0.0049, "delivery": 0.0034},
}
CPU_OF_INVOCATION = {OURS: 0.002, BASELINE: 0.0}
"""CPU seconds, measured by benchmarks.throughput: what does not go away in a batch of 1000, and the rest."""
CALLS_AT_ONCE = 16
BASELINE_LOG = 330
"""Bytes that Lambda itself logs of an invocation, as text; as JSON it is more."""
MIRROR_LOG = 250
"""Bytes that SuppressionFunction logs of an invocation."""
BASELINE_MEMORY, BASELINE_BATCH = 128, 10
AVERAGE_MONTHS = 6.5
"""Of a first year: for how many months what is kept has been piling up."""


def ours(mails: float, template: Deployed, same_day: float = 0.0) -> tuple[Bill, Bill]:
    """Return the bill of so many mails in a month: what follows from the mail, and what stands without any.

    `same_day` is the share of deliveries that are not the contact's first of their day.
    """
    usage, functions = Bill(), template.functions
    kept = mails / MAILS_PER_CONTACT * contact_bytes()
    metrics: set[tuple[str, str]] = set()
    for name, one in KINDS.items():
        each, number = counted(OURS, one), mails * one.share
        again = number * same_day if name == "delivery" else 0.0
        in_lane = mails * sum(other.share for other in KINDS.values() if other.lane == one.lane)
        if template.stream and name == "delivery":
            usage += _gathered(functions[one.lane], template.stream, each, number)
        else:
            usage += _handled(functions[one.lane], name, each, number, in_lane)
        usage += _units(number - again, each.units)
        usage += _units(again, counted(OURS, AGAIN).units)
        usage += _followed(number, each, functions["Suppression"])
        kept += number * each.stored * AVERAGE_MONTHS
        metrics |= each.metrics
    usage += _stored(kept)
    return usage, _standing(mails, template, len(metrics))


def _handled(function: Function, kind: str, each: Counted, number: float, in_lane: float) -> Bill:
    """Return what carrying so many messages to a lane's function costs, and running it."""
    batch = handed_over(per_second(in_lane), function.batch, function.window)
    return _carried(number, batch) + _run(function, kind, each, number / batch, messages=batch)


def _run(function: Function, kind: str, each: Counted, times: float, *, messages: float, objects: float = 0.0) -> Bill:
    """Return what running a lane's function so many times costs, each with so many messages out of so many objects."""
    writes = messages * each.calls.get("dynamodb:BatchExecuteStatement", 0)
    waited = LATENCY * (rounds(messages / 100, CALLS_AT_ONCE) + rounds(writes, CALLS_AT_ONCE)) + READING * objects
    cpu = CPU_OF_INVOCATION[OURS] + messages * CPU_OF_RECORD[OURS][kind]
    return _invoked(times, function.memory, cpu, waited, each.logged + function.platform_log)


def _gathered(function: Function, stream: Stream, each: Counted, number: float) -> Bill:
    """Return what so many deliveries cost that Firehose writes into objects, of which S3 tells the lane."""
    size = line_bytes()
    objects = number / gathered(per_second(number), stream.seconds, stream.size / size)
    batch = handed_over(per_second(objects), function.batch, function.window)
    billed = number * math.ceil(size / prices.FIREHOSE_RECORD) * prices.FIREHOSE_RECORD / prices.GIGABYTE
    stored = number * size * OBJECT_DAYS * 86_400 / MONTH_SECONDS / prices.GIGABYTE
    run = _run(function, "delivery", each, objects / batch, messages=number / objects * batch, objects=batch)
    return run + Bill(
        {
            "Firehose": billed * prices.FIREHOSE_GIGABYTE,
            "S3": objects * (prices.S3_WRITE + prices.S3_READ) + stored * prices.S3_STORED_GIGABYTE_MONTH,
            "SQS": sqs_requests(objects, batch) * prices.SQS_REQUEST,
        }
    )


def _standing(mails: float, template: Deployed, metrics: int) -> Bill:
    """Return what a month costs whether or not there is mail; of the key's requests, as many as the mail makes."""
    sweeps, suppression = MONTH_SECONDS / 300, template.functions["Suppression"]
    standing = Bill(
        {
            "SQS": 3 * idle_requests() * prices.SQS_REQUEST,
            "CloudWatch metrics": metrics * prices.CUSTOM_METRIC_MONTH,
            "CloudWatch alarms": template.alarms * prices.ALARM_MONTH,
            "KMS": prices.KEY_MONTH + kms_requests(mails) * prices.KMS_REQUEST,
            "EventBridge": sweeps * prices.EVENT,
            "DynamoDB reads": sweeps * 16 * 0.5 * prices.DYNAMODB_READ_UNIT,
        }
    )
    logged = MIRROR_LOG + suppression.platform_log
    return standing + _invoked(sweeps, suppression.memory, 0.02, 16 * LATENCY, logged)


def baseline(mails: float) -> tuple[Bill, Bill]:
    """Return the baseline's bill, as `ours`: one function, one queue, Lambda's own settings, no key, no alarms."""
    usage = Bill()
    batch = handed_over(per_second(mails), BASELINE_BATCH, 0)
    for name, one in KINDS.items():
        number, each = mails * one.share, counted(BASELINE, one)
        cpu, waited = batch * CPU_OF_RECORD[BASELINE][name], batch * sum(each.calls.values()) * LATENCY
        usage += _carried(number, batch)
        usage += _invoked(number / batch, BASELINE_MEMORY, cpu, waited, BASELINE_LOG)
        usage += _units(number, each.units)
        held = number * each.stored * AVERAGE_MONTHS / prices.GIGABYTE
        usage += Bill(
            {
                "CloudWatch metrics": number * each.calls["cloudwatch:PutMetricData"] * prices.PUT_METRIC_DATA,
                "DynamoDB storage": held * prices.DYNAMODB_STORED_GIGABYTE_MONTH,
            }
        )
    standing = Bill(
        {
            "SQS": idle_requests() * prices.SQS_REQUEST,
            "CloudWatch metrics": len(KINDS) * prices.CUSTOM_METRIC_MONTH,
        }
    )
    return usage, standing


def _carried(messages: float, batch: float) -> Bill:
    return Bill({"SNS": messages * prices.SNS_PUBLISH, "SQS": sqs_requests(messages, batch) * prices.SQS_REQUEST})


def _invoked(times: float, memory: int, cpu: float, waited: float, logged: float) -> Bill:
    seconds = cpu * max(1.0, WHOLE_PROCESSOR / memory) + waited
    billed = math.ceil(seconds * 1000) / 1000 * memory / 1024
    return Bill(
        {
            "Lambda": times * (prices.LAMBDA_REQUEST + billed * prices.LAMBDA_GIGABYTE_SECOND),
            "CloudWatch logs": times * logged / prices.GIGABYTE * prices.LOGGED_GIGABYTE,
        }
    )


def _units(number: float, units: Mapping[str, float]) -> Bill:
    writes = units.get("table writes", 0) + units.get("index writes", 0)
    return Bill(
        {
            "DynamoDB writes": number * writes * prices.DYNAMODB_WRITE_UNIT,
            "DynamoDB reads": number * units.get("reads", 0) * prices.DYNAMODB_READ_UNIT,
        }
    )


def _followed(number: float, each: Counted, function: Function) -> Bill:
    """Return what SuppressionFunction costs: waiting for its turn is most of its time, up to one call a second."""
    calls = number * each.report.get("sesv2:PutSuppressedDestination", 0)
    busy = min(1.0, per_second(calls))
    waited = each.report["slept"] * busy * paced_share(calls) / max(each.report["invocations"], 1e-9)
    logged = MIRROR_LOG + function.platform_log
    bill = _invoked(number * each.report["invocations"], function.memory, 0.05, waited, logged)
    bill += _units(number, each.report)
    if "events:PutEvents" in each.report:
        bill += Bill({"EventBridge": number * prices.EVENT})
    return bill


def _stored(held: float) -> Bill:
    month = prices.DYNAMODB_STORED_GIGABYTE_MONTH + prices.DYNAMODB_RECOVERABLE_GIGABYTE_MONTH
    return Bill({"DynamoDB storage": held / prices.GIGABYTE * month})

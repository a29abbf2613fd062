"""The cost of a month by service: of ses-feedback, as template.yaml deploys it, and of the baseline."""

import math
from collections.abc import Mapping

from benchmarks import prices
from benchmarks.subjects import BASELINE, SES_FEEDBACK
from benchmarks.template_facts import Deployed, Function, Stream
from benchmarks.traffic import (
    EMAILS_PER_CONTACT,
    KINDS,
    MONTH_SECONDS,
    SAME_DAY_DELIVERY,
    idle_sqs_requests,
    kms_requests,
    messages_per_invocation,
    messages_per_second,
    rate_limited_share,
    records_per_object,
    rounds,
    sqs_requests,
)
from benchmarks.usage_counts import RecordUsage, contact_bytes, count_usage, delivery_line_bytes


class Bill(dict[str, float]):
    """US dollars by service."""

    def __add__(self, other: "Bill") -> "Bill":
        return Bill({name: self.get(name, 0) + other.get(name, 0) for name in {**self, **other}})

    def total(self) -> float:
        """Return the sum of all services."""
        return sum(self.values())


FULL_VCPU = 1769
"""Megabytes of memory with which Lambda provides one full vCPU. With less memory, it provides a proportional part.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
"""
CALL_SECONDS = 0.005
"""Duration of an AWS call."""
OBJECT_SECONDS = 0.1
"""Duration of the download of an object of some megabytes from S3."""
OBJECT_DAYS = 28
"""Retention of an object, as in the template."""
CPU_PER_RECORD = {
    SES_FEEDBACK: {"hard bounce": 0.00013, "soft bounce": 0.00013, "complaint": 0.00013, "delivery": 0.00005},
    BASELINE: {"hard bounce": 0.0049, "soft bounce": 0.0034, "complaint": 0.0049, "delivery": 0.0034},
}
CPU_PER_INVOCATION = {SES_FEEDBACK: 0.002, BASELINE: 0.0}
"""CPU seconds, measured by benchmarks.throughput."""
CONCURRENT_CALLS = 16
BASELINE_LOG = 330
"""Bytes that Lambda logs for an invocation as text, the default."""
SUPPRESSION_LOG = 250
"""Bytes that SuppressionFunction logs for an invocation."""
BASELINE_MEMORY, BASELINE_BATCH = 128, 10
MONITORING_METRICS = ("Send of the configuration set", "AccountRestricted", "ContactSuppressed of the stack")
"""Custom metrics for alarms that a stack always has. Others appear only in an hour with such a problem."""
AVERAGE_MONTHS = 6.5
"""The average age of stored items in the first year."""


def ses_feedback_bill(emails: float, template: Deployed, same_day: float = 0.0) -> tuple[Bill, Bill]:
    """Return the variable and the fixed cost of a month with `emails`.

    `same_day` is the share of deliveries that are not the first of their day for the contact.
    """
    usage, functions = Bill(), template.functions
    stored = emails / EMAILS_PER_CONTACT * contact_bytes()
    metrics: set[tuple[str, str]] = set()
    for name, kind in KINDS.items():
        record, number = count_usage(SES_FEEDBACK, kind), emails * kind.share
        unchanged = number * same_day if name == "delivery" else 0.0
        in_lane = emails * sum(other.share for other in KINDS.values() if other.lane == kind.lane)
        if template.stream and name == "delivery":
            usage += _through_firehose(functions[kind.lane], template.stream, record, number)
        else:
            usage += _through_topic(functions[kind.lane], name, record, number, in_lane)
        usage += request_units(number - unchanged, record.units)
        usage += request_units(unchanged, count_usage(SES_FEEDBACK, SAME_DAY_DELIVERY).units)
        usage += _list_sync(number, record, functions["Suppression"])
        stored += number * record.stored * AVERAGE_MONTHS
        metrics |= record.metrics
    usage += storage(stored)
    return usage, _fixed_cost(emails, template, len(metrics))


def _through_topic(function: Function, kind: str, record: RecordUsage, number: float, in_lane: float) -> Bill:
    """Return the cost of `number` messages through SNS and SQS, and of the function that processes them."""
    batch = messages_per_invocation(messages_per_second(in_lane), function.batch, function.window)
    return _messages(number, batch) + _lane(function, kind, record, number / batch, messages=batch)


def _lane(
    function: Function, kind: str, record: RecordUsage, invocations: float, *, messages: float, objects: float = 0.0
) -> Bill:
    """Return the cost of invocations of a lane's function, each with `messages` that come from `objects`."""
    writes = messages * record.calls.get("dynamodb:BatchExecuteStatement", 0)
    call_rounds = rounds(messages / 100, CONCURRENT_CALLS) + rounds(writes, CONCURRENT_CALLS)
    waiting = CALL_SECONDS * call_rounds + OBJECT_SECONDS * objects
    cpu = CPU_PER_INVOCATION[SES_FEEDBACK] + messages * CPU_PER_RECORD[SES_FEEDBACK][kind]
    return _invocations(invocations, function.memory, cpu, waiting, record.logged + function.platform_log)


def _through_firehose(function: Function, stream: Stream, record: RecordUsage, number: float) -> Bill:
    """Return the cost of `number` deliveries through Firehose and S3, and of the function that processes them."""
    size = delivery_line_bytes()
    objects = number / records_per_object(messages_per_second(number), stream.seconds, stream.size / size)
    batch = messages_per_invocation(messages_per_second(objects), function.batch, function.window)
    billed = number * math.ceil(size / prices.FIREHOSE_RECORD) * prices.FIREHOSE_RECORD / prices.GIGABYTE
    stored = number * size * OBJECT_DAYS * 86_400 / MONTH_SECONDS / prices.GIGABYTE
    lane = _lane(function, "delivery", record, objects / batch, messages=number / objects * batch, objects=batch)
    return lane + Bill(
        {
            "Firehose": billed * prices.FIREHOSE_GIGABYTE,
            "S3": objects * (prices.S3_WRITE + prices.S3_READ) + stored * prices.S3_STORED_GIGABYTE_MONTH,
            "SQS": sqs_requests(objects, batch) * prices.SQS_REQUEST,
        }
    )


def _fixed_cost(emails: float, template: Deployed, metrics: int) -> Bill:
    """Return the cost of a month that does not depend on emails, and the KMS requests, which depend on them little."""
    sweeps, suppression = MONTH_SECONDS / 300, template.functions["Suppression"]
    fixed = Bill(
        {
            "SQS": 3 * idle_sqs_requests() * prices.SQS_REQUEST,
            "CloudWatch metrics": (metrics + len(MONITORING_METRICS)) * prices.CUSTOM_METRIC_MONTH,
            "CloudWatch alarms": sum(template.alarms.values()) * prices.ALARM_METRIC_MONTH,
            "KMS": (prices.KEY_MONTH + kms_requests(emails) * prices.KMS_REQUEST) if template.key else 0.0,
            "EventBridge": sweeps * prices.EVENT,
            # The sixteen shards of the index, and the rate limiter for the check of the account.
            "DynamoDB reads": sweeps * (16 * 0.5 + 1) * prices.DYNAMODB_READ_UNIT,
            "DynamoDB writes": sweeps * prices.DYNAMODB_WRITE_UNIT,
        }
    )
    logged = SUPPRESSION_LOG + suppression.platform_log
    return fixed + _invocations(sweeps, suppression.memory, 0.02, 16 * CALL_SECONDS, logged)


def baseline_bill(emails: float) -> tuple[Bill, Bill]:
    """Return the cost of the baseline: one function, one queue, default settings, no key, no alarms."""
    usage = Bill()
    batch = messages_per_invocation(messages_per_second(emails), BASELINE_BATCH, 0)
    for name, kind in KINDS.items():
        number, record = emails * kind.share, count_usage(BASELINE, kind)
        cpu, waiting = batch * CPU_PER_RECORD[BASELINE][name], batch * sum(record.calls.values()) * CALL_SECONDS
        usage += _messages(number, batch)
        usage += _invocations(number / batch, BASELINE_MEMORY, cpu, waiting, BASELINE_LOG)
        usage += request_units(number, record.units)
        stored = number * record.stored * AVERAGE_MONTHS / prices.GIGABYTE
        usage += Bill(
            {
                "CloudWatch metrics": number * record.calls["cloudwatch:PutMetricData"] * prices.PUT_METRIC_DATA,
                "DynamoDB storage": stored * prices.DYNAMODB_STORED_GIGABYTE_MONTH,
            }
        )
    fixed = Bill(
        {
            "SQS": idle_sqs_requests() * prices.SQS_REQUEST,
            "CloudWatch metrics": len(KINDS) * prices.CUSTOM_METRIC_MONTH,
        }
    )
    return usage, fixed


def _messages(number: float, batch: float) -> Bill:
    return Bill({"SNS": number * prices.SNS_PUBLISH, "SQS": sqs_requests(number, batch) * prices.SQS_REQUEST})


def _invocations(number: float, memory: int, cpu: float, waiting: float, logged: float) -> Bill:
    seconds = cpu * max(1.0, FULL_VCPU / memory) + waiting
    billed = math.ceil(seconds * 1000) / 1000 * memory / 1024
    return Bill(
        {
            "Lambda": number * (prices.LAMBDA_REQUEST + billed * prices.LAMBDA_GIGABYTE_SECOND),
            "CloudWatch logs": number * logged / prices.GIGABYTE * prices.LOGGED_GIGABYTE,
        }
    )


def request_units(number: float, units: Mapping[str, float]) -> Bill:
    """Return the cost of `number` records, each of which uses `units` of DynamoDB."""
    writes = units.get("table writes", 0) + units.get("index writes", 0)
    return Bill(
        {
            "DynamoDB writes": number * writes * prices.DYNAMODB_WRITE_UNIT,
            "DynamoDB reads": number * units.get("reads", 0) * prices.DYNAMODB_READ_UNIT,
        }
    )


def _list_sync(number: float, record: RecordUsage, function: Function) -> Bill:
    """Return the cost of SuppressionFunction. Most of its time it waits for the rate limiter of one call a second."""
    calls = number * record.sync.get("sesv2:PutSuppressedDestination", 0)
    busy = min(1.0, messages_per_second(calls))
    waiting = record.sync["slept"] * busy * rate_limited_share(calls) / max(record.sync["invocations"], 1e-9)
    logged = SUPPRESSION_LOG + function.platform_log
    bill = _invocations(number * record.sync["invocations"], function.memory, 0.05, waiting, logged)
    bill += request_units(number, record.sync)
    if "events:PutEvents" in record.sync:
        bill += Bill({"EventBridge": number * prices.EVENT})
    return bill


def storage(stored: float) -> Bill:
    """Return the cost of `stored` bytes in DynamoDB for a month."""
    month = prices.DYNAMODB_STORED_GIGABYTE_MONTH + prices.DYNAMODB_RECOVERABLE_GIGABYTE_MONTH
    return Bill({"DynamoDB storage": stored / prices.GIGABYTE * month})

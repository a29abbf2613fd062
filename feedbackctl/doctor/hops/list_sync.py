"""The list sync: whether changes of contacts reach the suppression list and the event bus."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from feedbackctl.doctor.aws_reader import NotFoundError
from feedbackctl.doctor.expected import STREAM_MAPPING_OPTIONS, SWEEP_EVENT
from feedbackctl.doctor.facts import Facts
from feedbackctl.doctor.hops.event_sources import check_state, find_mapping
from feedbackctl.doctor.hops.functions import check_function
from feedbackctl.doctor.hops.table import read_table
from feedbackctl.doctor.model import Finding, fail, ok
from feedbackctl.doctor.remedies import to_json
from ses_feedback.contacts.record import SHARDS
from ses_feedback.timestamps import format_timestamp

_STREAM = "https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html"
_SCHEDULE = "https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-state.html"
_BUS = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus.html"
_RUNBOOK = "docs/operate/runbook.md"
_LATE = timedelta(hours=1)
"""How long a change is pending before the list counts as out of step, as in the alarm SuppressionLags."""


def check_suppression_function(facts: Facts) -> Iterator[Finding]:
    """Check the function that updates the list."""
    yield from check_function(facts, "Suppression")


def check_stream(facts: Facts) -> Iterator[Finding]:
    """Check whether Lambda reads the current stream of the table."""
    stream = read_table(facts).get("LatestStreamArn", "")
    mapping = find_mapping(facts, "Suppression", stream)
    if mapping is None:
        command = facts.command(
            "lambda",
            "create-event-source-mapping",
            function_name=facts.function_name("Suppression"),
            event_source_arn=stream,
            **STREAM_MAPPING_OPTIONS,
        )
        yield fail("stream", "no event source mapping reads the stream of the table", command, url=_STREAM)
        return
    problems = list(check_state(facts, "stream", mapping))
    yield from problems or [ok("stream", "Lambda reads the stream of the table")]


def check_sweep(facts: Facts) -> Iterator[Finding]:
    """Check whether the sweep is scheduled. The command repeats the whole schedule, because an update replaces it."""
    name = facts.stack.resources.get("SuppressionFunctionSweep", "")
    try:
        schedule = facts.reader.read("scheduler", "get_schedule", Name=name)
    except NotFoundError:
        yield fail("sweep", "its schedule does not exist", advice="Deploy the stack again.", url=_SCHEDULE)
        return
    if schedule.get("State", "ENABLED") == "ENABLED":
        yield ok("sweep", f"scheduled at {schedule.get('ScheduleExpression', 'an unknown rate')}")
        return
    command = facts.command(
        "scheduler",
        "update-schedule",
        name=name,
        schedule_expression=schedule["ScheduleExpression"],
        flexible_time_window=schedule["FlexibleTimeWindow"],
        target=schedule["Target"],
        state="ENABLED",
    )
    yield fail("sweep", "its schedule is disabled", command, url=_SCHEDULE)


def check_bus(facts: Facts) -> Iterator[Finding]:
    """Check whether the event bus exists. Without it, each change of status stays pending."""
    name = facts.stack.parameters.get("EventBusName", "default") or "default"
    try:
        facts.reader.read("events", "describe_event_bus", Name=name)
    except NotFoundError:
        command = facts.command("events", "create-event-bus", name=name)
        yield fail("event bus", f"the event bus {name} does not exist", command, url=_BUS)
    else:
        yield ok("event bus", f"{name} exists")


def check_pending(facts: Facts) -> Iterator[Finding]:
    """Check whether changes have waited for long."""
    late = [name for number in range(SHARDS) for name in [f"{number:02d}"] if _oldest(facts, name)]
    if not late:
        yield ok("list", "no change has been pending for an hour")
        return
    command = facts.command(
        "lambda",
        "invoke",
        "/dev/stdout",
        function_name=facts.function_name("Suppression"),
        payload=to_json(SWEEP_EVENT),
        cli_binary_format="raw-in-base64-out",
    )
    oldest = min(_oldest(facts, name) for name in late)
    message = f"changes are pending for the suppression list since {oldest}"
    advice = f"The command runs the sweep now. If the changes stay, see {_RUNBOOK}."
    yield fail("list", message, command, advice=advice)


def _oldest(facts: Facts, shard: str) -> str:
    """Return since when the oldest change of a shard is late, or an empty text. Only its time is read and shown."""
    query: dict[str, Any] = {
        "TableName": facts.stack.outputs["ContactsTableName"],
        "IndexName": "PendingSync",
        "KeyConditionExpression": "pending_shard = :shard AND pending_at <= :before",
        "ExpressionAttributeValues": {
            ":shard": {"S": shard},
            ":before": {"S": format_timestamp(facts.now - _LATE)},
        },
        "Limit": 1,
    }
    items = facts.reader.read("dynamodb", "query", **query).get("Items", [])
    return str(items[0]["pending_at"]["S"]) if items else ""


CHECKS = (check_suppression_function, check_stream, check_sweep, check_bus, check_pending)

"""The event source mappings: whether Lambda polls the queue of each lane, and passes on every message."""

from collections.abc import Iterator, Mapping
from typing import Any

from feedbackctl.doctor.expected import mapping_options
from feedbackctl.doctor.facts import Facts
from feedbackctl.doctor.model import Finding, fail, ok
from ses_feedback.settings import LANES

_SQS = "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"
_FILTER = "https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html"
_PARTIAL = "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html"
_WORKING = frozenset({"Enabled", "Enabling", "Creating", "Updating"})


def check_mappings(facts: Facts) -> Iterator[Finding]:
    """Check the mapping of each lane."""
    for lane in LANES:
        mapping = find_mapping(facts, lane, facts.queue_arn(lane))
        if mapping is None:
            command = facts.command(
                "lambda",
                "create-event-source-mapping",
                function_name=facts.function_name(lane),
                event_source_arn=facts.queue_arn(lane),
                **mapping_options(facts, lane),
            )
            yield fail(f"{lane}Function", "no event source mapping polls the queue of the lane", command, url=_SQS)
        else:
            problems = list(_check_mapping(facts, lane, mapping))
            yield from problems or [ok(f"{lane}Function", "Lambda polls its queue")]


def find_mapping(facts: Facts, function: str, source: str) -> Mapping[str, Any] | None:
    """Return the mapping of a function from a source, or None if there is none.

    Raises:
        ReadError: Lambda cannot be read.

    """
    name = facts.function_name(function)
    found = facts.reader.read_pages("lambda", "list_event_source_mappings", "EventSourceMappings", FunctionName=name)
    return next((each for each in found if each.get("EventSourceArn") == source), None)


def check_state(facts: Facts, subject: str, mapping: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield the problems of a mapping's state."""
    if mapping.get("State") not in _WORKING:
        command = facts.command("lambda", "update-event-source-mapping", uuid=mapping["UUID"], enabled=True)
        yield fail(subject, f"its event source mapping is {mapping.get('State', 'unknown')}", command, url=_SQS)
    elif (result := str(mapping.get("LastProcessingResult", ""))).startswith("PROBLEM"):
        yield fail(subject, f"Lambda reports: {result[:200]}", url=_SQS)


def _check_mapping(facts: Facts, lane: str, mapping: Mapping[str, Any]) -> Iterator[Finding]:
    subject = f"{lane}Function"
    yield from check_state(facts, subject, mapping)
    if mapping.get("FilterCriteria", {}).get("Filters"):
        command = facts.command(
            "lambda", "update-event-source-mapping", uuid=mapping["UUID"], filter_criteria={"Filters": []}
        )
        yield fail(subject, "its filter makes Lambda delete other messages unread", command, url=_FILTER)
    if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", []):
        command = facts.command(
            "lambda",
            "update-event-source-mapping",
            uuid=mapping["UUID"],
            function_response_types=["ReportBatchItemFailures"],
        )
        message = "its mapping ignores partial failures, so Lambda deletes messages that were not applied"
        yield fail(subject, message, command, url=_PARTIAL)


CHECKS = (check_mappings,)

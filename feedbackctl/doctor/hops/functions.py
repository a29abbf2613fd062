"""The functions of the lanes: whether they can run, and whether they succeed."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from feedbackctl.doctor.aws_reader import NotFoundError
from feedbackctl.doctor.facts import Facts
from feedbackctl.doctor.model import Finding, fail, ok, warn
from ses_feedback.settings import LANES

_STATES = "https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html"
_CONCURRENCY = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"
_METRICS = "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html"
_RECENT = timedelta(hours=2)


def check_lanes(facts: Facts) -> Iterator[Finding]:
    """Check the function of each lane."""
    for lane in LANES:
        yield from check_function(facts, lane)


def check_function(facts: Facts, name: str) -> Iterator[Finding]:
    """Check one function: its state, its concurrency, its variables and its errors.

    Raises:
        ReadError: Lambda or CloudWatch cannot be read.

    """
    subject = f"{name}Function"
    try:
        function = facts.reader.read("lambda", "get_function_configuration", FunctionName=facts.function_name(name))
    except NotFoundError:
        yield fail(subject, "the function does not exist", advice="Deploy the stack again.", url=_STATES)
        return
    problems = [
        *_check_state(subject, function),
        *_check_concurrency(facts, subject, facts.function_name(name)),
        *_check_variables(facts, subject, function),
        *_check_errors(facts, subject, facts.function_name(name)),
    ]
    yield from problems or [ok(subject, "no errors in the last hours")]


def _check_state(subject: str, function: Mapping[str, Any]) -> Iterator[Finding]:
    state, update = function.get("State", "Active"), function.get("LastUpdateStatus", "Successful")
    if state not in {"Active", "Inactive", "Pending"}:
        reason = str(function.get("StateReason", ""))[:200]
        yield fail(subject, f"its state is {state}: {reason}", advice="Deploy the stack again.", url=_STATES)
    elif update == "Failed":
        reason = str(function.get("LastUpdateStatusReason", ""))[:200]
        yield fail(subject, f"its last update failed: {reason}", advice="Deploy the stack again.", url=_STATES)


def _check_concurrency(facts: Facts, subject: str, name: str) -> Iterator[Finding]:
    try:
        reserved = facts.reader.read("lambda", "get_function_concurrency", FunctionName=name)
    except NotFoundError:
        return
    if reserved.get("ReservedConcurrentExecutions") == 0:
        # The only way back to the account's shared concurrency. It deletes a setting, not a function.
        command = facts.command("lambda", "delete-function-concurrency", function_name=name)
        yield fail(subject, "its reserved concurrency is 0, so it cannot run", command, url=_CONCURRENCY)


def _check_variables(facts: Facts, subject: str, function: Mapping[str, Any]) -> Iterator[Finding]:
    variables: dict[str, str] = function.get("Environment", {}).get("Variables", {})
    expected = {"TABLE_NAME": facts.stack.outputs["ContactsTableName"]}
    if subject != "SuppressionFunction":
        expected["QUARANTINE_QUEUE_URL"] = facts.stack.outputs["QuarantineQueueUrl"]
    wrong = {name: value for name, value in expected.items() if variables.get(name) != value}
    if wrong:
        command = facts.command(
            "lambda",
            "update-function-configuration",
            function_name=function["FunctionName"],
            environment={"Variables": {**variables, **wrong}},
        )
        yield fail(subject, f"its variable {', '.join(sorted(wrong))} is not of this stack", command)


def _check_errors(facts: Facts, subject: str, name: str) -> Iterator[Finding]:
    """Check errors and throttles. An error before the last hours is a warning only."""
    group = f"/aws/lambda/{facts.stack.name}/{subject}"
    log = facts.command("logs", "tail", group, since="2h", filter_pattern="ERROR")
    errors = facts.hourly("AWS/Lambda", "Errors", timedelta(days=1), FunctionName=name)
    recent = sum(value for at, value in errors if at > facts.now - _RECENT)
    runs = facts.hourly("AWS/Lambda", "Invocations", timedelta(days=1), FunctionName=name)
    recent_runs = sum(value for at, value in runs if at > facts.now - _RECENT)
    if recent and recent >= recent_runs / 2:
        message = f"{recent:,.0f} of {recent_runs:,.0f} invocations in the last hours failed. This shows the errors"
        yield fail(subject, message, log, url=_METRICS)
    elif total := sum(value for _, value in errors):
        message = f"{total:,.0f} of {sum(value for _, value in runs):,.0f} invocations failed in 24 hours"
        yield warn(subject, message, log, url=_METRICS)
    if throttles := facts.sum_of_day("AWS/Lambda", "Throttles", FunctionName=name):
        message = f"Lambda throttled it {throttles:,.0f} times in 24 hours"
        advice = "Raise the account's concurrency quota, or choose a smaller Volume."
        yield warn(subject, message, advice=advice, url=_CONCURRENCY)


CHECKS = (check_lanes,)

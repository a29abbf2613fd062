"""The functions of template.yaml, their event sources and their roles."""

import importlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ses_feedback.aws.events import SOURCE
from ses_feedback.contacts.contact import Contact
from ses_feedback.contacts.preferences_change import DETAIL_TYPE as PREFERENCES_CHANGED
from ses_feedback.contacts.record import ContactRecord, encode
from ses_feedback.contacts.status import Limits
from ses_feedback.contacts.status_change import DETAIL_TYPE as STATUS_CHANGED
from ses_feedback.suppression import lease
from ses_feedback.suppression.import_jobs.objects import PREFIX
from tests.support.aws_calls import Code, actions, client_calls
from tests.support.sam_template import (
    BOTH_PATHS,
    FEEDBACK_FUNCTIONS,
    FUNCTIONS,
    LANES,
    MINUTE,
    Stack,
    as_list,
    key_services,
    named,
    stack,
)

WITHOUT_KEY = {"CustomerManagedKey": "false"}
PLATFORM_ACTIONS = {
    "AWS::SQS::Queue": {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"},
    "AWS::DynamoDB::Table": {
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
    },
}
"""The actions that Lambda performs with the role of a function to poll its event source."""
LOG_ACTIONS = {"logs:CreateLogStream", "logs:PutLogEvents"}
IMPLIED = {"s3:GetObject": "s3:ListBucket"}
"""Further actions: without s3:ListBucket, S3 returns 403 instead of 404 for an object that does not exist."""
UNUSED = {"SuppressionFunction": {"dynamodb:PartiQLInsert"}}
"""Actions that static analysis finds but the function never performs: the list sync only updates existing contacts."""


@pytest.fixture(scope="module")
def code() -> Code:
    """The source of the functions."""
    return Code()


def allowed(made: Stack, function: str) -> set[str]:
    """Return every action that the role of `function` allows."""
    return {action for statement in made.statements(function) for action in as_list(statement["Action"])}


def resources_by_action(made: Stack, function: str) -> dict[str, Any]:
    """Return the resource of every action that the role of `function` allows."""
    return {
        action: statement["Resource"]
        for statement in made.statements(function)
        for action in as_list(statement["Action"])
    }


def schedule() -> dict[str, Any]:
    """Return the schedule of the sweep."""
    (found,) = stack().of_type("AWS::Scheduler::Schedule").values()
    return found


class TestFunctions:
    """Handler, runtime, limits and logs of each function."""

    @pytest.mark.parametrize("path", BOTH_PATHS)
    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_the_handler_can_be_imported(self, function: str, path: dict[str, str]) -> None:
        module, _, name = stack(**path).properties(function)["Handler"].rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_the_default_is_arm64_and_python_313(self, function: str) -> None:
        properties = stack().properties(function)
        assert (properties["Architectures"], properties["Runtime"]) == (["arm64"], "python3.13")

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_the_architecture_is_a_parameter(self, function: str) -> None:
        assert stack(Architecture="x86_64").properties(function)["Architectures"] == ["x86_64"]

    def test_a_lane_has_one_minute_and_the_list_sync_five(self) -> None:
        """The list sync needs time for a hundred changes at one call per second."""
        timeouts = [stack().properties(function)["Timeout"] for function in FUNCTIONS]
        assert timeouts == [MINUTE, MINUTE, MINUTE, 5 * MINUTE]

    def test_the_list_sync_times_out_before_its_lease_expires(self) -> None:
        assert stack().properties("SuppressionFunction")["Timeout"] < lease.LEASE_DURATION.total_seconds()

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_no_concurrency_is_reserved(self, function: str) -> None:
        """A new account with a quota of 10 cannot reserve any."""
        assert "ReservedConcurrentExecutions" not in stack().properties(function)

    @pytest.mark.parametrize(("volume", "maximum"), [("small", 2), ("medium", 10), ("large", 50)])
    def test_volume_limits_the_concurrency_of_each_lane(self, volume: str, maximum: int) -> None:
        sources = [stack(Volume=volume).event_source(function) for function in FEEDBACK_FUNCTIONS]
        assert {source["ScalingConfig"]["MaximumConcurrency"] for source in sources} == {maximum}

    def test_the_default_concurrency_fits_a_quota_of_10(self) -> None:
        sources = [stack().event_source(function) for function in FEEDBACK_FUNCTIONS]
        assert sum(source["ScalingConfig"]["MaximumConcurrency"] for source in sources) == 6

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_logs_are_json_in_a_separate_group_with_the_chosen_retention(self, function: str) -> None:
        made = stack(LogRetentionDays="7")
        logging = made.properties(function)["LoggingConfig"]
        group = made.properties(named(logging["LogGroup"]))
        assert (logging["LogFormat"], group["LogGroupName"]) == ("JSON", f"/aws/lambda/${{AWS::StackName}}/{function}")
        assert str(group["RetentionInDays"]) == "7"


class TestEventSources:
    """Event source mappings and the schedule of the sweep."""

    def test_each_function_reports_partial_batch_failures(self) -> None:
        sources = stack().of_type("AWS::Lambda::EventSourceMapping")
        assert len(sources) == len(FUNCTIONS)
        responses = [source["FunctionResponseTypes"] for source in sources.values()]
        assert responses == [["ReportBatchItemFailures"]] * len(sources)

    @pytest.mark.parametrize(
        ("lane", "size", "window"), [("Bounce", 100, 1), ("Complaint", 100, 1), ("Delivery", 1_000, 60)]
    )
    def test_a_lane_receives_batches_from_its_queue(self, lane: str, size: int, window: int) -> None:
        """Deliveries are not urgent, so they wait longer for larger batches."""
        source = stack().event_source(f"{lane}Function")
        assert source["EventSourceArn"] == f"${{{lane}Queue.Arn}}"
        assert (source["BatchSize"], source["MaximumBatchingWindowInSeconds"]) == (size, window)

    def test_the_list_sync_reads_the_stream_from_its_beginning_and_in_order(self) -> None:
        """Records older than an hour are skipped: the sweep processes these contacts."""
        source = stack().event_source("SuppressionFunction")
        expected = {
            "EventSourceArn": "${ContactsTable.StreamArn}",
            "StartingPosition": "TRIM_HORIZON",
            "BatchSize": 100,
            "MaximumBatchingWindowInSeconds": 1,
            "ParallelizationFactor": 1,
            "MaximumRecordAgeInSeconds": 3600,
            "BisectBatchOnFunctionError": True,
        }
        assert {name: source[name] for name in expected} == expected

    @pytest.mark.parametrize("pending", [True, False])
    def test_the_stream_filter_passes_exactly_pending_contacts(self, *, pending: bool) -> None:
        filters = stack().event_source("SuppressionFunction")["FilterCriteria"]["Filters"]
        (pattern,) = [json.loads(each["Pattern"]) for each in filters]
        contact = Contact("someone@example.com")
        since = datetime(2026, 1, 1, tzinfo=UTC) if pending else None
        stored = ContactRecord(contact, rev=1, list_pending=pending, pending_since=since)
        image = encode(stored, Limits())
        ((attribute, condition),) = pattern["dynamodb"]["NewImage"].items()
        assert condition == {"S": [{"exists": True}]}
        assert ("S" in image.get(attribute, {})) is pending

    def test_the_sweep_runs_every_five_minutes(self) -> None:
        target = schedule()["Target"]
        assert schedule()["ScheduleExpression"] == "rate(5 minutes)"
        assert schedule()["FlexibleTimeWindow"]["Mode"] == "OFF"
        assert target["Arn"] == "${SuppressionFunction.Arn}"
        assert json.loads(target["Input"]) == {"source": "ses-feedback", "detail-type": "Sweep"}

    def test_a_sweep_ends_before_the_next_starts_and_is_not_retried(self) -> None:
        (invocations,) = stack().of_type("AWS::Lambda::EventInvokeConfig").values()
        assert stack().properties("SuppressionFunction")["Timeout"] <= 5 * MINUTE
        assert invocations["MaximumEventAgeInSeconds"] == 5 * MINUTE
        assert invocations["MaximumRetryAttempts"] == 0
        assert schedule()["Target"]["RetryPolicy"]["MaximumRetryAttempts"] == 0

    def test_the_schedule_may_only_invoke_the_list_sync(self) -> None:
        role = stack().properties(named(schedule()["Target"]["RoleArn"]))
        (attached,) = role["Policies"]
        (statement,) = attached["PolicyDocument"]["Statement"]
        assert (statement["Action"], statement["Resource"]) == ("lambda:InvokeFunction", "${SuppressionFunction.Arn}")

    def test_only_the_scheduler_assumes_the_role_of_the_schedule(self) -> None:
        role = stack().properties(named(schedule()["Target"]["RoleArn"]))
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "scheduler.amazonaws.com"}
        assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"}}


class TestRoles:
    """The permissions of each function."""

    @pytest.mark.parametrize("path", BOTH_PATHS)
    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_a_role_allows_exactly_the_calls_of_the_code_and_of_lambda(
        self, function: str, path: dict[str, str], code: Code
    ) -> None:
        made = stack(**WITHOUT_KEY, **path)
        called = code.actions_of(made.properties(function)["Handler"])
        if function in FEEDBACK_FUNCTIONS:
            called |= {IMPLIED[action] for action in called & set(IMPLIED)}
        polled = made.resources[named(made.event_source(function)["EventSourceArn"])]
        platform = LOG_ACTIONS | PLATFORM_ACTIONS[polled["Type"]]
        assert (called | platform) - UNUSED.get(function, set()) == allowed(made, function)

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_the_key_adds_exactly_two_actions(self, function: str) -> None:
        """To decrypt the queue, the table and the stream, and to encrypt quarantined messages and import objects."""
        added = allowed(stack(), function) - allowed(stack(**WITHOUT_KEY), function)
        assert added == {"kms:Decrypt", "kms:GenerateDataKey"}

    @pytest.mark.parametrize("path", BOTH_PATHS, ids=str)
    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_a_role_uses_the_key_only_through_the_services_that_it_calls_and_that_store_data(
        self, function: str, path: dict[str, str]
    ) -> None:
        """CloudWatch Logs uses the key with a permission of its own."""
        made = stack(**path)
        called = {action.partition(":")[0] for action in allowed(made, function)}
        services = called & {"dynamodb", "s3", "sqs"}
        assert sorted(key_services(made, function)) == [
            f"{service}.${{AWS::Region}}.amazonaws.com*" for service in sorted(services)
        ]

    @pytest.mark.parametrize("name", ["SuppressionRole", "DeliveryRole", "DeliveryStreamRole"])
    def test_a_role_reads_and_writes_objects_only_in_buckets_of_this_account(self, name: str) -> None:
        """A bucket with the name of a deleted one can belong to another account."""
        role = stack(DeliveriesBy="Firehose").properties(name)
        statements = [each for policy in role["Policies"] for each in policy["PolicyDocument"]["Statement"]]
        found = [
            each.get("Condition")
            for each in statements
            if set(as_list(each["Action"])) & {"s3:PutObject", "s3:GetObject", "s3:DeleteObject"}
        ]
        assert found == [{"StringEquals": {"aws:ResourceAccount": "${AWS::AccountId}"}}]

    def test_the_list_sync_publishes_only_the_events_of_this_project(self) -> None:
        (statement,) = [
            each for each in stack().statements("SuppressionFunction") if "events:PutEvents" in as_list(each["Action"])
        ]
        kinds = [STATUS_CHANGED, PREFERENCES_CHANGED]
        assert statement["Condition"] == {"StringEquals": {"events:source": SOURCE, "events:detail-type": kinds}}

    def test_the_iam_action_of_every_client_call_in_the_package_is_known(self, code: Code) -> None:
        called = {method for tree in code.modules.values() for method in client_calls(tree)}
        assert called - set(actions()) == set()
        assert called != set()

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_no_action_is_a_pattern_and_only_ses_actions_apply_to_all_resources(self, function: str) -> None:
        for statement in stack().statements(function):
            assert "*" not in "".join(as_list(statement["Action"]))
            if "*" in as_list(statement["Resource"]):
                assert {action.partition(":")[0] for action in as_list(statement["Action"])} == {"ses"}

    @pytest.mark.parametrize("lane", LANES)
    def test_a_lane_accesses_only_its_own_queue_and_log(self, lane: str) -> None:
        expected = {
            "sqs:ReceiveMessage": f"${{{lane}Queue.Arn}}",
            "sqs:DeleteMessage": f"${{{lane}Queue.Arn}}",
            "sqs:SendMessage": "${QuarantineQueue.Arn}",
            "dynamodb:PartiQLUpdate": "${ContactsTable.Arn}",
            "logs:PutLogEvents": f"${{{lane}Log.Arn}}",
            "kms:Decrypt": "${Key.Arn}",
        }
        found = resources_by_action(stack(), f"{lane}Function")
        assert {action: found[action] for action in expected} == expected

    def test_the_list_sync_accesses_only_its_own_index_stream_bus_and_bucket(self) -> None:
        expected = {
            "dynamodb:Query": [f"${{ContactsTable.Arn}}/index/{name}" for name in ("PendingSync", "SuspensionEnd")],
            "dynamodb:GetRecords": "${ContactsTable.Arn}/stream/*",
            "events:PutEvents": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/mine",
            "ses:PutSuppressedDestination": "*",
            "ses:CreateImportJob": "*",
            "ses:GetAccount": "*",
            "ses:GetImportJob": "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:import-job/*",
            "s3:PutObject": f"${{ImportBucket.Arn}}/{PREFIX}*",
            "s3:GetObject": f"${{ImportBucket.Arn}}/{PREFIX}*",
            "s3:DeleteObject": f"${{ImportBucket.Arn}}/{PREFIX}*",
        }
        found = resources_by_action(stack(EventBusName="mine"), "SuppressionFunction")
        assert {action: found[action] for action in expected} == expected

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_each_function_has_its_own_role_that_only_lambda_assumes(self, function: str) -> None:
        role = named(stack().properties(function)["Role"])
        (statement,) = stack().properties(role)["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
        assert role == function.replace("Function", "Role")

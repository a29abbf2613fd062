"""What template.yaml promises, on the template as SAM transforms it."""

import importlib
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest

from ses_feedback.contacts.contact import Contact
from ses_feedback.contacts.record import ContactRecord, encode
from ses_feedback.contacts.status import Limits
from ses_feedback.settings import Settings, from_environment
from ses_feedback.suppression import sync
from ses_feedback.suppression.import_jobs import settle
from ses_feedback.suppression.import_jobs.ledger import PREFIX
from tests.support.aws_calls import Code, actions, client_calls
from tests.support.sam_template import ROOT, Stack, listed, named, stack, template

LANES = ("Bounce", "Complaint", "Delivery")
FEEDBACK_FUNCTIONS = tuple(f"{lane}Function" for lane in LANES)
FUNCTIONS = (*FEEDBACK_FUNCTIONS, "SuppressionFunction")
QUEUES = (*(f"{lane}Queue" for lane in LANES), "UndeliveredQueue", "DeadLetterQueue", "QuarantineQueue")
FOURTEEN_DAYS = 14 * 24 * 60 * 60
WITHOUT_KEY = {"CustomerManagedKey": "false"}
WAYS: tuple[dict[str, str], ...] = ({}, {"DeliveriesBy": "Firehose"})
"""The ways for deliveries: `test_template_firehose.py` has what is only there with Firehose."""

PLATFORM_ACTIONS = {
    "AWS::SQS::Queue": {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"},
    "AWS::DynamoDB::Table": {
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
    },
}
"""What Lambda itself does in a function's name to poll an event source."""
LOG_ACTIONS = {"logs:CreateLogStream", "logs:PutLogEvents"}
IMPLIED = {"s3:GetObject": "s3:ListBucket"}
"""What a lane needs besides, to be told what it asks for: S3 says to nobody else that an object is gone."""
UNMADE = {"SuppressionFunction": {"dynamodb:PartiQLInsert"}}
"""What the code might come to do, for all that can be read off it: but what the list_sync marks is there, always."""


@pytest.fixture(scope="module")
def code() -> Code:
    """Return the source of the functions."""
    return Code()


def event_sources(stack: Stack, function: str) -> dict[str, dict[str, Any]]:
    """Return the event source mappings of `function`, by name."""
    mappings = stack.of_type("AWS::Lambda::EventSourceMapping")
    return {name: one for name, one in mappings.items() if named(one["FunctionName"]) == function}


def allowed(stack: Stack, function: str) -> set[str]:
    """Return every action that the role of `function` allows."""
    return {action for statement in stack.statements(function) for action in listed(statement["Action"])}


def environment(stack: Stack, function: str) -> dict[str, str]:
    """Return the environment variables of `function`."""
    variables: dict[str, Any] = stack.properties(function)["Environment"]["Variables"]
    return {name: str(value) for name, value in variables.items()}


def policy(stack: Stack, name: str) -> dict[str, dict[str, Any]]:
    """Return the statements of the queue, topic or key policy `name`, by Sid."""
    properties = stack.properties(name)
    document = properties.get("PolicyDocument") or properties["KeyPolicy"]
    return {statement["Sid"]: statement for statement in document["Statement"]}


class TestParameters:
    """The parameters are few, each says what it is for, and each is used."""

    def test_each_is_described(self) -> None:
        """Every parameter has a description of a sentence at least, and a default."""
        declared = template()["Parameters"]
        short = {name for name, one in declared.items() if len(one["Description"]) < 40 or "Default" not in one}
        assert short == set()

    def test_each_takes_only_what_makes_sense(self) -> None:
        """Every parameter has allowed values, a pattern or bounds."""
        bounds = ({"AllowedValues"}, {"AllowedPattern"}, {"MinValue", "MaxValue"})
        declared = template()["Parameters"]
        open_ended = {name for name, one in declared.items() if not any(bound <= set(one) for bound in bounds)}
        assert open_ended == set()

    def test_each_is_used(self) -> None:
        """Every parameter is referred to by a condition, a resource or an output."""
        parsed = template()
        rest = json.dumps({part: parsed[part] for part in ("Globals", "Conditions", "Resources", "Outputs")})
        used = {name for names in re.findall(r'{"Ref": "(\w+)"}|\${(\w+)}', rest) for name in names}
        assert set(parsed["Parameters"]) - used == set()

    def test_the_console_shows_each(self) -> None:
        """Every parameter is in one group of the form that the CloudFormation console shows."""
        groups = template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        shown = [name for group in groups for name in group["Parameters"]]
        assert sorted(template()["Parameters"]) == sorted(shown)

    def test_each_stage_names_parameters_there_are(self) -> None:
        """samconfig.toml sets no parameter that the template lacks, to no value that the template refuses."""
        stages = tomllib.loads((ROOT / "samconfig.toml").read_text())
        commands = [command for name in ("default", "production", "local") for command in stages[name].values()]
        overrides = " ".join(command["parameters"].get("parameter_overrides", "") for command in commands)
        given = [override.partition("=")[::2] for override in overrides.split()]
        declared = template()["Parameters"]
        refused = [
            (name, value)
            for name, value in given
            if value not in map(str, declared.get(name, {}).get("AllowedValues", []))
        ]
        assert refused == []
        assert given != []

    @pytest.mark.parametrize("function", FUNCTIONS)
    @pytest.mark.parametrize("bound", ["MinValue", "MaxValue"])
    def test_the_code_takes_what_the_template_takes(self, function: str, bound: str) -> None:
        """The smallest and the greatest number of every parameter are settings the code takes."""
        numbers = {name: str(one[bound]) for name, one in template()["Parameters"].items() if bound in one}
        settings = from_environment(environment(stack(**numbers), function))
        assert int(numbers["SoftBounceLimit"]) == settings.soft_bounce_limit

    @pytest.mark.parametrize("value", ["true", "false"])
    def test_the_code_takes_either_choice(self, value: str) -> None:
        """SuppressUnsubscribed reaches the code as it was given."""
        variables = environment(stack(SuppressUnsubscribed=value), "SuppressionFunction")
        assert from_environment(variables).suppress_unsubscribed is (value == "true")


class TestFunctions:
    """The functions run what they should, where they should, as long as they should."""

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_the_handler_resolves(self, function: str, way: dict[str, str]) -> None:
        """The handler's dotted name is a function that can be imported."""
        module, _, name = stack(**way).properties(function)["Handler"].rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_it_runs_on_arm_and_python_313(self, function: str) -> None:
        """Every function runs on arm64 and python3.13."""
        properties = stack().properties(function)
        assert (properties["Architectures"], properties["Runtime"]) == (["arm64"], "python3.13")

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_it_runs_on_the_processor_asked_for(self, function: str) -> None:
        """Every function runs on the Architecture given."""
        assert stack(Architecture="x86_64").properties(function)["Architectures"] == ["x86_64"]

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_no_concurrency_is_reserved(self, function: str) -> None:
        """A new account, with a quota of 10, has no concurrency to reserve."""
        assert "ReservedConcurrentExecutions" not in stack().properties(function)

    @pytest.mark.parametrize(("volume", "most"), [("small", 2), ("medium", 10), ("large", 50)])
    def test_the_lanes_concurrency_is_bounded(self, volume: str, most: int) -> None:
        """No lane's function runs more copies at once than the volume says."""
        bounds = {
            one["ScalingConfig"]["MaximumConcurrency"]
            for function in FEEDBACK_FUNCTIONS
            for one in event_sources(stack(Volume=volume), function).values()
        }
        assert {most} == bounds

    def test_the_lanes_leave_a_new_account_room(self) -> None:
        """Three lanes together use little more than half of a concurrency quota of 10."""
        lanes = [one for function in FEEDBACK_FUNCTIONS for one in event_sources(stack(), function).values()]
        assert sum(one["ScalingConfig"]["MaximumConcurrency"] for one in lanes) == 6

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_logs_are_kept_as_long_as_asked(self, function: str) -> None:
        """Every function writes JSON to a log group of its own, which forgets after LogRetentionDays."""
        made = stack(LogRetentionDays="7")
        logging = made.properties(function)["LoggingConfig"]
        group = made.properties(named(logging["LogGroup"]))
        assert ("JSON", f"/aws/lambda/${{AWS::StackName}}/{function}") == (logging["LogFormat"], group["LogGroupName"])
        assert str(group["RetentionInDays"]) == "7"

    def test_a_mirror_worker_outlives_no_claim(self) -> None:
        """A worker's lease on a contact holds longer than the function can run."""
        assert stack().properties("SuppressionFunction")["Timeout"] < sync.LEASE.total_seconds()


class TestEnvironment:
    """The template sets exactly what the code reads."""

    def test_everything_read_is_set(self) -> None:
        """The functions together get every variable settings.py reads, and no other."""
        read = {field.name.upper() for field in fields(Settings)}
        assert read == {name for function in FUNCTIONS for way in WAYS for name in environment(stack(**way), function)}

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_each_gets_what_it_uses(self, function: str, way: dict[str, str], code: Code) -> None:
        """A function gets the variables of those settings its code mentions, and no other."""
        module, _, name = stack(**way).properties(function)["Handler"].rpartition(".")
        mentioned = code.attributes(module, name)
        used = {field.name.upper() for field in fields(Settings) if field.name in mentioned}
        assert used == set(environment(stack(**way), function))

    @pytest.mark.parametrize("lane", LANES)
    def test_each_lane_knows_its_name(self, lane: str) -> None:
        """A lane's function is told which lane it serves."""
        assert lane == environment(stack(), f"{lane}Function")["LANE"]

    def test_metrics_default_to_the_stacks_own_set(self) -> None:
        """Without MetricConfigurationSets, the stack's own configuration set gets metrics of its own."""
        sets = environment(stack(), "BounceFunction")["METRIC_CONFIGURATION_SETS"]
        assert sets == "${ConfigurationSet}"

    def test_metrics_default_to_the_existing_set(self) -> None:
        """Without MetricConfigurationSets, the existing configuration set gets metrics of its own."""
        sets = environment(stack(ExistingConfigurationSet="mine"), "BounceFunction")["METRIC_CONFIGURATION_SETS"]
        assert sets == "mine"

    def test_metrics_are_for_the_sets_named(self) -> None:
        """MetricConfigurationSets is passed on as it is."""
        sets = environment(stack(MetricConfigurationSets="one,two"), "BounceFunction")["METRIC_CONFIGURATION_SETS"]
        assert sets == "one,two"


class TestRoles:
    """A role allows what its function does, on what it does it to, and nothing else."""

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_the_policy_is_what_the_code_calls(self, function: str, way: dict[str, str], code: Code) -> None:
        """A role allows exactly the calls its code can come to make, and those Lambda makes for it."""
        made = stack(**WITHOUT_KEY, **way)
        called = code.actions_of(made.properties(function)["Handler"])
        if function in FEEDBACK_FUNCTIONS:
            called |= {IMPLIED[action] for action in called & set(IMPLIED)}
        polled = [named(one["EventSourceArn"]) for one in event_sources(made, function).values()]
        platform = LOG_ACTIONS.union(*(PLATFORM_ACTIONS[made.resources[name]["Type"]] for name in polled))
        assert (called | platform) - UNMADE.get(function, set()) == allowed(made, function)

    @pytest.mark.parametrize("function", FEEDBACK_FUNCTIONS)
    def test_the_key_is_used_to_read_and_to_quarantine(self, function: str) -> None:
        """With a key, the lanes decrypt what they receive and read, and encrypt what they send to quarantine."""
        added = allowed(stack(), function) - allowed(stack(**WITHOUT_KEY), function)
        assert added == {"kms:Decrypt", "kms:GenerateDataKey"}

    def test_the_key_is_used_to_read_contacts_and_to_import(self) -> None:
        """With a key, the list_sync decrypts table and stream, and encrypts what SES imports."""
        function = "SuppressionFunction"
        added = allowed(stack(), function) - allowed(stack(**WITHOUT_KEY), function)
        assert added == {"kms:Decrypt", "kms:GenerateDataKey"}

    def test_every_call_has_an_action(self, code: Code) -> None:
        """Every call made on a client anywhere in the package is one whose IAM action is known."""
        called = {method for tree in code.modules.values() for method in client_calls(tree)}
        assert called - set(actions()) == set()
        assert called != set()

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_nothing_is_wider_than_a_name(self, function: str) -> None:
        """No role allows a pattern of actions, nor any on everything save the account's suppression list."""
        for statement in stack().statements(function):
            assert "*" not in "".join(listed(statement["Action"]))
            if "*" in listed(statement["Resource"]):
                assert {action.partition(":")[0] for action in statement["Action"]} == {"ses"}

    @pytest.mark.parametrize("lane", LANES)
    def test_a_lane_has_hands_on_its_own(self, lane: str) -> None:
        """A lane's function takes from its own queue, sends to quarantine only, and writes its own log."""
        resources = {
            action: statement["Resource"]
            for statement in stack().statements(f"{lane}Function")
            for action in listed(statement["Action"])
        }
        expected = {
            "sqs:ReceiveMessage": f"${{{lane}Queue.Arn}}",
            "sqs:DeleteMessage": f"${{{lane}Queue.Arn}}",
            "sqs:SendMessage": "${QuarantineQueue.Arn}",
            "dynamodb:PartiQLUpdate": "${ContactsTable.Arn}",
            "logs:PutLogEvents": f"${{{lane}Log.Arn}}",
            "kms:Decrypt": "${Key.Arn}",
        }
        assert expected == {action: resources[action] for action in expected}

    def test_the_mirror_has_hands_on_its_own(self) -> None:
        """SuppressionFunction reads one index, the table's own stream, and publishes on one bus."""
        resources = {
            action: statement["Resource"]
            for statement in stack(EventBusName="mine").statements("SuppressionFunction")
            for action in listed(statement["Action"])
        }
        expected = {
            "dynamodb:Query": [f"${{ContactsTable.Arn}}/index/{name}" for name in ("PendingSync", "SuspensionEnd")],
            "dynamodb:GetRecords": "${ContactsTable.StreamArn}",
            "events:PutEvents": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/mine",
            "ses:PutSuppressedDestination": "*",
            "ses:CreateImportJob": "*",
            "ses:GetImportJob": "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:import-job/*",
            "s3:PutObject": f"${{ImportBucket.Arn}}/{PREFIX}*",
            "s3:GetObject": f"${{ImportBucket.Arn}}/{PREFIX}*",
            "s3:DeleteObject": f"${{ImportBucket.Arn}}/{PREFIX}*",
        }
        assert expected == {action: resources[action] for action in expected}

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_only_lambda_takes_the_role(self, function: str) -> None:
        """Every function has a role of its own that only Lambda assumes."""
        role = stack().properties(named(stack().properties(function)["Role"]))
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
        assert named(stack().properties(function)["Role"]) == function.replace("Function", "Role")


class TestSes:
    """Feedback starts to flow as soon as the configuration set is used."""

    def destinations(self, made: Stack) -> Iterator[tuple[str, set[str]]]:
        """Yield the topic and the event types of every event destination of `made`."""
        for one in made.of_type("AWS::SES::ConfigurationSetEventDestination").values():
            destination = one["EventDestination"]
            yield named(destination["SnsDestination"]["TopicARN"]), set(destination["MatchingEventTypes"])

    def test_each_kind_has_its_topic(self) -> None:
        """Bounces and complaints go to their topics, the rest but sends, opens and clicks to the deliveries'."""
        rest = {"delivery", "reject", "renderingFailure", "deliveryDelay", "subscription"}
        expected = {"BounceTopic": {"bounce"}, "ComplaintTopic": {"complaint"}, "DeliveryTopic": rest}
        assert expected == dict(self.destinations(stack()))

    @pytest.mark.parametrize(
        ("parameter", "kinds"), [("TrackSends", {"send"}), ("TrackOpensAndClicks", {"open", "click"})]
    )
    def test_what_is_asked_for_comes_too(self, parameter: str, kinds: set[str]) -> None:
        """What a parameter asks for goes to the deliveries' topic."""
        tracked = dict(self.destinations(stack(**{parameter: "true"})))
        assert tracked["DeliveryTopic"] - dict(self.destinations(stack()))["DeliveryTopic"] == kinds

    def test_its_own_set_suppresses_for_both_reasons(self) -> None:
        """The stack's own configuration set honours bounces and complaints on the suppression list."""
        options = stack().properties("ConfigurationSet")["SuppressionOptions"]
        assert sorted(options["SuppressedReasons"]) == ["BOUNCE", "COMPLAINT"]

    def test_an_existing_set_is_only_added_to(self) -> None:
        """With ExistingConfigurationSet, no set is made and all three destinations are that set's."""
        made = stack(ExistingConfigurationSet="mine")
        destinations = made.of_type("AWS::SES::ConfigurationSetEventDestination").values()
        assert made.of_type("AWS::SES::ConfigurationSet") == {}
        assert [one["ConfigurationSetName"] for one in destinations] == ["mine"] * 3

    def test_topics_admit_ses_before_it_tries_them(self) -> None:
        """Every event destination waits for the topics' policy: SES publishes a notice when it is made."""
        made = stack()
        destinations = made.of_type("AWS::SES::ConfigurationSetEventDestination")
        assert {made.resources[name]["DependsOn"] for name in destinations} == {"TopicPolicy"}


class TestTopics:
    """Only SES of this account can say what SES says."""

    def test_one_policy_covers_all_three(self) -> None:
        """Every topic is under the policy."""
        covered = {named(topic) for topic in stack().properties("TopicPolicy")["Topics"]}
        assert set(stack().of_type("AWS::SNS::Topic")) == covered

    def test_only_ses_is_let_in(self) -> None:
        """The one Allow is for ses.amazonaws.com to publish."""
        (allow,) = [one for one in policy(stack(), "TopicPolicy").values() if one["Effect"] == "Allow"]
        assert (allow["Principal"], allow["Action"]) == ({"Service": "ses.amazonaws.com"}, "sns:Publish")

    def test_only_on_behalf_of_this_account(self) -> None:
        """SES must act for this account, and for an identity or a configuration set of it."""
        condition = policy(stack(), "TopicPolicy")["OnlySesOfThisAccountPublishes"]["Condition"]
        arn = "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}"
        assert condition == {
            "StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"},
            "ArnLike": {"aws:SourceArn": [f"{arn}:identity/*", f"{arn}:configuration-set/*"]},
        }

    def test_only_over_tls(self) -> None:
        """Publishing without TLS is denied to everybody."""
        deny = policy(stack(), "TopicPolicy")["OnlyOverTls"]
        assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", "sns:Publish")
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}

    @pytest.mark.parametrize("lane", LANES)
    def test_each_delivers_raw_to_its_lane(self, lane: str) -> None:
        """A topic hands its lane's queue the bytes SES wrote; what it can't deliver is kept."""
        subscription = stack().properties(f"{lane}Subscription")
        assert subscription == {
            "TopicArn": f"${{{lane}Topic}}",
            "Protocol": "sqs",
            "Endpoint": f"${{{lane}Queue.Arn}}",
            "RawMessageDelivery": True,
            "RedrivePolicy": {"deadLetterTargetArn": "${UndeliveredQueue.Arn}"},
        }


class TestQueues:
    """Nothing is lost for want of time, and nothing comes in by another door."""

    def test_these_are_all(self) -> None:
        """No queue escapes the tests below."""
        assert set(QUEUES) == set(stack().of_type("AWS::SQS::Queue"))

    @pytest.mark.parametrize("queue", QUEUES)
    def test_each_keeps_messages_14_days(self, queue: str) -> None:
        """Every queue keeps messages as long as SQS can."""
        assert stack().properties(queue)["MessageRetentionPeriod"] == FOURTEEN_DAYS

    @pytest.mark.parametrize("lane", LANES)
    def test_visibility_outlasts_six_timeouts(self, lane: str) -> None:
        """A message stays hidden for six times the function's timeout and the batching window, as Lambda asks."""
        (source,) = event_sources(stack(), f"{lane}Function").values()
        least = 6 * stack().properties(f"{lane}Function")["Timeout"] + source["MaximumBatchingWindowInSeconds"]
        assert stack().properties(f"{lane}Queue")["VisibilityTimeout"] >= least

    @pytest.mark.parametrize("lane", LANES)
    def test_a_transient_fault_may_last_days(self, lane: str) -> None:
        """A message is tried for more than four days before it goes to the dead-letter queue."""
        queue = stack().properties(f"{lane}Queue")
        redrive = queue["RedrivePolicy"]
        assert (redrive["deadLetterTargetArn"], redrive["maxReceiveCount"]) == ("${DeadLetterQueue.Arn}", 1000)
        assert redrive["maxReceiveCount"] * queue["VisibilityTimeout"] > 4 * 24 * 60 * 60

    def test_quarantine_has_room_for_any_message(self) -> None:
        """The quarantine queue takes larger messages than a lane does, so that the reason fits in as well."""
        lanes = {stack().properties(f"{lane}Queue")["MaximumMessageSize"] for lane in LANES}
        assert max(lanes) < stack().properties("QuarantineQueue")["MaximumMessageSize"]

    @pytest.mark.parametrize("queue", QUEUES)
    def test_only_over_tls(self, queue: str) -> None:
        """Every queue denies everything to everybody who comes without TLS."""
        deny = policy(stack(), f"{queue}Policy")["OnlyOverTls"]
        assert stack().properties(f"{queue}Policy")["Queues"] == [f"${{{queue}}}"]
        assert deny == {
            "Sid": "OnlyOverTls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": f"${{{queue}.Arn}}",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }

    @pytest.mark.parametrize("queue", QUEUES)
    def test_only_its_topics_are_let_in(self, queue: str) -> None:
        """A lane admits SNS for its own topic, the queue of the undelivered for the three, the others nobody."""
        topics = {f"{lane}Queue": f"${{{lane}Topic}}" for lane in LANES}
        expected: dict[str, Any] = {**topics, "UndeliveredQueue": [f"${{{lane}Topic}}" for lane in LANES]}
        allows = [one for one in policy(stack(), f"{queue}Policy").values() if one["Effect"] == "Allow"]
        assert [one["Condition"]["ArnEquals"]["aws:SourceArn"] for one in allows] == (
            [expected[queue]] if queue in expected else []
        )
        assert {one["Principal"]["Service"] for one in allows} <= {"sns.amazonaws.com"}
        assert {one["Action"] for one in allows} <= {"sqs:SendMessage"}


class TestEventSources:
    """Lambda is told record by record what to hand out again."""

    def test_each_reports_partial_failures(self) -> None:
        """Every event source mapping answers with the items that failed."""
        sources = stack().of_type("AWS::Lambda::EventSourceMapping")
        assert len(sources) == len(FUNCTIONS)
        assert [one["FunctionResponseTypes"] for one in sources.values()] == [["ReportBatchItemFailures"]] * len(
            sources
        )

    @pytest.mark.parametrize("lane", LANES)
    def test_each_lane_feeds_its_function(self, lane: str) -> None:
        """A lane's function takes batches from its queue: deliveries can wait for large ones, the rest can't."""
        (source,) = event_sources(stack(), f"{lane}Function").values()
        size, window = (1_000, 60) if lane == "Delivery" else (100, 1)
        assert f"${{{lane}Queue.Arn}}" == source["EventSourceArn"]
        assert (size, window) == (source["BatchSize"], source["MaximumBatchingWindowInSeconds"])

    def test_the_stream_feeds_the_mirror(self) -> None:
        """The stream is read from its beginning, each shard in order, and left to the sweep after an hour."""
        (source,) = event_sources(stack(), "SuppressionFunction").values()
        expected = {
            "EventSourceArn": "${ContactsTable.StreamArn}",
            "StartingPosition": "TRIM_HORIZON",
            "BatchSize": 100,
            "ParallelizationFactor": 1,
            "MaximumRecordAgeInSeconds": 3600,
        }
        assert expected == {name: source[name] for name in expected}

    @pytest.mark.parametrize("due", [True, False])
    def test_the_filter_passes_contacts_that_are_due(self, *, due: bool) -> None:
        """The stream's filter asks for an attribute that a contact has exactly while its list_sync is due."""
        (source,) = event_sources(stack(), "SuppressionFunction").values()
        (pattern,) = [json.loads(one["Pattern"]) for one in source["FilterCriteria"]["Filters"]]
        contact = Contact("someone@example.com")
        stored = ContactRecord(
            contact, rev=1, list_pending=due, pending_since=datetime(2026, 1, 1, tzinfo=UTC) if due else None
        )
        image = encode(stored, Limits())
        ((attribute, asked),) = pattern["dynamodb"]["NewImage"].items()
        assert asked == {"S": [{"exists": True}]}
        assert ("S" in image.get(attribute, {})) is due

    def test_the_sweep_comes_every_five_minutes(self) -> None:
        """The schedule invokes SuppressionFunction with an event that is not the stream's, and repeats no failure."""
        (schedule,) = stack().of_type("AWS::Scheduler::Schedule").values()
        target = schedule["Target"]
        assert (schedule["ScheduleExpression"], schedule["FlexibleTimeWindow"]["Mode"]) == ("rate(5 minutes)", "OFF")
        assert target["Arn"] == "${SuppressionFunction.Arn}"
        assert json.loads(target["Input"]) == {"source": "ses-feedback", "detail-type": "Sweep"}
        (retries,) = stack().of_type("AWS::Lambda::EventInvokeConfig").values()
        assert (retries["MaximumRetryAttempts"], target["RetryPolicy"]["MaximumRetryAttempts"]) == (0, 0)

    def test_the_schedule_may_only_sweep(self) -> None:
        """The schedule's role allows invoking SuppressionFunction and nothing else."""
        (schedule,) = stack().of_type("AWS::Scheduler::Schedule").values()
        (attached,) = stack().properties(named(schedule["Target"]["RoleArn"]))["Policies"]
        (statement,) = attached["PolicyDocument"]["Statement"]
        assert (statement["Action"], statement["Resource"]) == ("lambda:InvokeFunction", "${SuppressionFunction.Arn}")


class TestTable:
    """Contacts are safe, and found."""

    def test_it_outlives_the_stack(self) -> None:
        """Deleting or replacing the stack's table leaves the contacts where they are."""
        resource = stack().resources["ContactsTable"]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")

    @pytest.mark.parametrize("value", ["true", "false"])
    def test_it_is_protected_unless_told_otherwise(self, value: str) -> None:
        """DynamoDB refuses to delete the table, unless DeletionProtection is off."""
        properties = stack(DeletionProtection=value).properties("ContactsTable")
        assert properties["DeletionProtectionEnabled"] is (value == "true")

    def test_it_can_be_restored_to_any_moment(self) -> None:
        """Point-in-time recovery is on."""
        recovery = stack().properties("ContactsTable")["PointInTimeRecoverySpecification"]
        assert recovery == {"PointInTimeRecoveryEnabled": True}

    def test_it_is_paid_by_request(self) -> None:
        """The table needs no capacity planning."""
        assert stack().properties("ContactsTable")["BillingMode"] == "PAY_PER_REQUEST"

    def test_history_expires(self) -> None:
        """Items leave at `expires_at`."""
        expiry = stack().properties("ContactsTable")["TimeToLiveSpecification"]
        assert expiry == {"AttributeName": "expires_at", "Enabled": True}

    def test_its_stream_shows_contacts_as_they_become(self) -> None:
        """The stream holds the new image, which the list_sync's filter looks at."""
        assert stack().properties("ContactsTable")["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}

    def test_its_keys_and_indexes(self) -> None:
        """Contacts are found by address, by status and by how long their list_sync has been due."""
        table = stack().properties("ContactsTable")
        indexes = {one["IndexName"]: one for one in table["GlobalSecondaryIndexes"]}
        keyed = {name: [part["AttributeName"] for part in one["KeySchema"]] for name, one in indexes.items()}
        assert [part["AttributeName"] for part in table["KeySchema"]] == ["address", "record"]
        assert keyed == {
            "Unsendable": ["unsendable", "status_at"],
            "PendingSync": ["pending_shard", "pending_at"],
            "SuspensionEnd": ["release_shard", "release_at"],
        }
        assert {one["Projection"]["ProjectionType"] for one in indexes.values()} == {"KEYS_ONLY"}


def encryption(made: Stack) -> dict[str, Any]:
    """Return how the bucket encrypts."""
    (rule,) = made.properties("ImportBucket")["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    by_default: dict[str, Any] = rule["ServerSideEncryptionByDefault"]
    return by_default


class TestImportBucket:
    """What SES imports holds addresses, so nobody else sees it, and it goes soon."""

    def test_it_is_private(self) -> None:
        """No object is ever public, and every object is the account's."""
        properties = stack().properties("ImportBucket")
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}

    def test_it_is_encrypted_in_any_case(self) -> None:
        """With a key with it, without one by S3."""
        assert encryption(stack())["SSEAlgorithm"] == "aws:kms"
        assert encryption(stack(**WITHOUT_KEY)) == {"SSEAlgorithm": "AES256"}

    def test_only_ses_of_this_account_reads(self) -> None:
        """Whoever else is allowed anything is allowed it by a role of his own; and nobody without TLS."""
        statements = policy(stack(), "ImportBucketPolicy")
        allowed_to = [one for one in statements.values() if one["Effect"] == "Allow"]
        conditions = [one["Condition"]["StringEquals"] for one in allowed_to]
        assert {(named(one["Resource"]), one["Action"]) for one in allowed_to} == {("ImportBucket", "s3:GetObject")}
        assert [one["Principal"] for one in allowed_to] == [{"Service": "ses.amazonaws.com"}] * 2
        assert conditions == [{"aws:SourceAccount": "${AWS::AccountId}"}, {"aws:Referer": "${AWS::AccountId}"}]
        assert statements["OnlyOverTls"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}

    def test_an_object_outlives_its_import_and_not_by_much(self) -> None:
        """An import is soft_bounced off, its object read or not, before the bucket lets go of the object."""
        (rule,) = stack().properties("ImportBucket")["LifecycleConfiguration"]["Rules"]
        assert rule["ExpirationInDays"] == 2 * settle.LIFE.days + 1


class TestKey:
    """One key encrypts everything at rest, and only those who must may use it."""

    def test_it_outlives_the_stack_as_the_table_does(self) -> None:
        """A retained table without its key would be noise."""
        resource = stack().resources["Key"]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")
        assert resource["Properties"]["EnableKeyRotation"] is True

    def test_everything_is_encrypted_with_it(self) -> None:
        """Topics, queues, logs and table name the key."""
        made = stack()
        keys = [one["KmsMasterKeyId"] for one in made.of_type("AWS::SNS::Topic").values()]
        keys += [one["KmsMasterKeyId"] for one in made.of_type("AWS::SQS::Queue").values()]
        keys += [one["KmsKeyId"] for one in made.of_type("AWS::Logs::LogGroup").values()]
        keys += [made.properties("ContactsTable")["SSESpecification"]["KMSMasterKeyId"]]
        keys += [encryption(made)["KMSMasterKeyID"]]
        assert keys == ["${Key.Arn}"] * (3 + 6 + 4 + 1 + 1)

    def test_without_it_queues_are_encrypted_by_sqs(self) -> None:
        """With CustomerManagedKey off, nothing names a key, and SQS encrypts with its own."""
        made = stack(**WITHOUT_KEY)
        assert "${Key" not in json.dumps([made.resources, made.outputs])
        assert {one["SqsManagedSseEnabled"] for one in made.of_type("AWS::SQS::Queue").values()} == {True}

    def test_ses_may_read_with_it_through_s3(self) -> None:
        """SES may decrypt what it reads from a bucket; whose, the bucket's policy says."""
        statement = policy(stack(), "Key")["SesReadsWhatItImports"]
        assert (statement["Principal"], statement["Action"]) == ({"Service": "ses.amazonaws.com"}, "kms:Decrypt")
        assert statement["Condition"] == {"StringEquals": {"kms:ViaService": "s3.${AWS::Region}.amazonaws.com"}}

    def test_ses_may_use_it_for_this_account(self) -> None:
        """SES may encrypt what it publishes to the topics, when it acts for this account."""
        statement = policy(stack(), "Key")["SesPublishesToTheTopics"]
        assert statement["Principal"] == {"Service": "ses.amazonaws.com"}
        assert sorted(statement["Action"]) == ["kms:Decrypt", "kms:GenerateDataKey*"]
        assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"}}

    def test_sns_may_use_it_for_this_stack(self) -> None:
        """SNS may encrypt what it delivers to the queues, when it acts for a topic of this stack."""
        statement = policy(stack(), "Key")["SnsDeliversToTheQueues"]
        topics = "arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:${AWS::StackName}-*"
        assert statement["Principal"] == {"Service": "sns.amazonaws.com"}
        assert sorted(statement["Action"]) == ["kms:Decrypt", "kms:GenerateDataKey*"]
        assert statement["Condition"] == {"ArnLike": {"aws:SourceArn": topics}}

    def test_logs_may_use_it_for_these_log_groups(self) -> None:
        """CloudWatch Logs may use the key for the functions' log groups only."""
        made = stack()
        (pattern,) = policy(made, "Key")["LogsAreStored"]["Condition"]["ArnLike"].values()
        prefix = pattern.partition("log-group:")[2].removesuffix("*")
        names = {one["LogGroupName"] for one in made.of_type("AWS::Logs::LogGroup").values()}
        assert {name for name in names if not name.startswith(prefix)} == set()


class TestMonitoring:
    """Whatever needs a person is told to one."""

    @pytest.mark.parametrize("queue", QUEUES)
    def test_each_queue_is_watched(self, queue: str) -> None:
        """A lane is watched for waiting messages, every other queue for any message."""
        watched = {
            (named(one["Dimensions"][0]["Value"]), one["MetricName"], one["Threshold"])
            for one in stack().of_type("AWS::CloudWatch::Alarm").values()
            if one["Namespace"] == "AWS/SQS"
        }
        lane = queue.removesuffix("Queue") in LANES
        assert (
            (queue, "ApproximateAgeOfOldestMessage", 900) if lane else (queue, "ApproximateNumberOfMessagesVisible", 0)
        ) in watched

    def test_each_function_is_watched(self) -> None:
        """Every function's errors raise an alarm."""
        alarms = stack().of_type("AWS::CloudWatch::Alarm").values()
        assert set(FUNCTIONS) == {
            named(one["Dimensions"][0]["Value"]) for one in alarms if one["MetricName"] == "Errors"
        }

    def test_the_rates_are_those_ses_reviews_at(self) -> None:
        """The alarms on the account's bounce and complaint rate go off at 5 % and 0.1 %."""
        alarms = stack().of_type("AWS::CloudWatch::Alarm").values()
        rates = {one["MetricName"]: one["Threshold"] for one in alarms if one["Namespace"] == "AWS/SES"}
        assert rates == {"Reputation.BounceRate": 0.05, "Reputation.ComplaintRate": 0.001}

    def test_a_lagging_mirror_is_watched(self) -> None:
        """The age of the oldest change the sweep finds waiting raises an alarm after an hour."""
        alarm = stack().properties("SuppressionLags")
        assert alarm["Dimensions"] == [{"Name": "ConfigurationSet", "Value": "none"}]
        assert alarm["Threshold"] == 60 * 60 * 1000

    def test_alarms_tell_whom_they_should(self) -> None:
        """With AlarmTopicArn every alarm publishes there, without it none publishes."""
        topic = "arn:aws:sns:us-east-1:123456789012:alarms"
        told = stack(AlarmTopicArn=topic).of_type("AWS::CloudWatch::Alarm").values()
        assert {tuple(one["AlarmActions"]) for one in told} == {(topic,)}
        assert [one for one in stack().of_type("AWS::CloudWatch::Alarm").values() if "AlarmActions" in one] == []

    def test_it_can_be_left_out(self) -> None:
        """With Monitoring off there is neither alarm nor dashboard."""
        made = stack(Monitoring="false")
        assert made.of_type("AWS::CloudWatch::Alarm") | made.of_type("AWS::CloudWatch::Dashboard") == {}

    def test_the_dashboard_can_be_read(self) -> None:
        """The dashboard's body is JSON, and names only metrics and resources that there are."""
        body = stack().properties("Dashboard")["DashboardBody"]
        assert json.loads(body)["widgets"] != []
        referred = set(re.findall(r"\$\{([A-Za-z]+)[.}]", body))
        assert referred <= set(stack().resources)


class TestRunbook:
    """Nobody is woken without being told what to do."""

    def test_it_covers_every_alarm(self) -> None:
        """docs/operate/runbook.md names every alarm."""
        text = (ROOT / "docs" / "operate" / "runbook.md").read_text()
        alarms = {name for way in WAYS for name in stack(**way).of_type("AWS::CloudWatch::Alarm")}
        assert {name for name in alarms if name not in text} == set()

    def test_it_covers_every_queue(self) -> None:
        """docs/operate/runbook.md names every queue."""
        text = (ROOT / "docs" / "operate" / "runbook.md").read_text()
        assert {name for name in QUEUES if name not in text} == set()


class TestOutputs:
    """A user finds what comes next among the outputs."""

    def test_everything_needed_next_is_there(self) -> None:
        """Topics, queues, functions, table, configuration set and key are given."""
        topics = {f"{lane}TopicArn" for lane in LANES}
        functions = {f"{function}Name" for function in FUNCTIONS}
        queues = {f"{queue}Url" for queue in QUEUES}
        rest = {"ConfigurationSetName", "ContactsTableName", "ContactsTableArn", "KeyArn", "DashboardUrl"}
        assert topics | functions | queues | rest == set(stack().outputs)
        assert set(stack(DeliveriesBy="Firehose").outputs) - set(stack().outputs) == {"DeliveryBucketName"}

    def test_each_is_described(self) -> None:
        """Every output says what it is for."""
        assert {name for name, one in stack().outputs.items() if not one.get("Description")} == set()

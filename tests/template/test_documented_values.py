"""What the documents lease of template.yaml, word for word, and the template as SAM transforms it says the same.

`test_template.py` has the promises; here are the numbers and names that README.md, docs/ and the alarms' own
descriptions give away. A lease that is reworded fails here, so that it is looked at beside what it leases.
"""

import tomllib
from typing import Any

import pytest

from tests.support.sam_template import ROOT, named, stack, template

LANES = ("Bounce", "Complaint", "Delivery")
QUEUES = (*(f"{lane}Queue" for lane in LANES), "UndeliveredQueue", "DeadLetterQueue", "QuarantineQueue")
MINUTE, DAY = 60, 24 * 60 * 60
ALARM = "AWS::CloudWatch::Alarm"
DESTINATION = "AWS::SES::ConfigurationSetEventDestination"
STAGES: dict[str, Any] = tomllib.loads((ROOT / "samconfig.toml").read_text())


def text_of(document: str) -> str:
    """Return a document with its line breaks taken for spaces."""
    return " ".join((ROOT / document).read_text().split())


def of_lanes(*path: str) -> list[Any]:
    """Return a property of the three lanes' queues, each value once."""
    return sorted({_at(stack().properties(f"{lane}Queue"), path) for lane in LANES})


def _at(properties: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401 (CloudFormation's JSON)
    for name in path:
        properties = properties[name]
    return properties


def source_of(function: str) -> dict[str, Any]:
    """Return the event source of a function."""
    sources = stack().of_type("AWS::Lambda::EventSourceMapping").values()
    (found,) = [one for one in sources if named(one["FunctionName"]) == function]
    return found


def minutes_of(schedule: str) -> int:
    """Return the minutes of `rate(N minutes)`."""
    return int(schedule.removeprefix("rate(").removesuffix(" minutes)"))


def sweep() -> dict[str, Any]:
    """Return the sweep's schedule."""
    (found,) = stack().of_type("AWS::Scheduler::Schedule").values()
    return found


def gathered() -> dict[str, Any]:
    """Return how long, and how much, Firehose gathers."""
    stream = stack(DeliveriesBy="Firehose").properties("DeliveryStream")
    hints: dict[str, Any] = stream["ExtendedS3DestinationConfiguration"]["BufferingHints"]
    return hints


def kept_objects() -> Any:  # noqa: ANN401 (CloudFormation's JSON)
    """Return for how many days an object of deliveries is kept."""
    bucket = stack(DeliveriesBy="Firehose").properties("DeliveryBucket")
    return bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"]


RUNBOOK, ARCHITECTURE, README = "docs/operate/runbook.md", "docs/explain/architecture.md", "README.md"
TEMPLATE = "template.yaml"

CLAIMS = [
    (RUNBOOK, "tried again every seven minutes", of_lanes("VisibilityTimeout"), [7 * MINUTE]),
    (RUNBOOK, "| 14 days, or a thousand tries |", of_lanes("MessageRetentionPeriod"), [14 * DAY]),
    (RUNBOOK, "14 days, or a thousand tries", of_lanes("RedrivePolicy", "maxReceiveCount"), [1000]),
    (
        RUNBOOK,
        "in `DeadLetterQueue` a thousand times",
        of_lanes("RedrivePolicy", "deadLetterTargetArn"),
        ["${DeadLetterQueue.Arn}"],
    ),
    (RUNBOOK, "over about five days", round(1000 * of_lanes("VisibilityTimeout")[0] / DAY), 5),
    (RUNBOOK, "| the rest of 14 days |", stack().properties("DeadLetterQueue")["MessageRetentionPeriod"], 14 * DAY),
    (RUNBOOK, "14 days in quarantine", stack().properties("QuarantineQueue")["MessageRetentionPeriod"], 14 * DAY),
    (
        RUNBOOK,
        "what SNS could not hand to a lane | 14 days",
        stack().properties("UndeliveredQueue")["MessageRetentionPeriod"],
        14 * DAY,
    ),
    (
        RUNBOOK,
        "waited for more than 15 minutes",
        {stack().properties(f"{one}LaneWaits")["Threshold"] for one in LANES},
        {15 * MINUTE},
    ),
    (
        RUNBOOK,
        "point-in-time recovery",
        stack().properties("ContactsTable")["PointInTimeRecoverySpecification"],
        {"PointInTimeRecoveryEnabled": True},
    ),
    (RUNBOOK, "Bounces at 5 %", stack().properties("BounceRate")["Threshold"], 0.05),
    (RUNBOOK, "complaints at 0.1 %", stack().properties("ComplaintRate")["Threshold"], 0.001),
    (ARCHITECTURE, "(SQS, 14 days each)", of_lanes("MessageRetentionPeriod"), [14 * DAY]),
    (
        ARCHITECTURE,
        "up to a hundred messages (of deliveries, a thousand)",
        {lane: source_of(f"{lane}Function")["BatchSize"] for lane in LANES},
        {"Bounce": 100, "Complaint": 100, "Delivery": 1000},
    ),
    (
        ARCHITECTURE,
        "the original text and the reason for 14 days",
        stack().properties("QuarantineQueue")["MessageRetentionPeriod"],
        14 * DAY,
    ),
    (
        ARCHITECTURE,
        "removed after `HistoryDays` (`expires_at`)",
        stack().properties("ContactsTable")["TimeToLiveSpecification"],
        {"AttributeName": "expires_at", "Enabled": True},
    ),
    (
        README,
        "kept in the quarantine queue, with the reason, for 14 days",
        stack().properties("QuarantineQueue")["MessageRetentionPeriod"],
        14 * DAY,
    ),
    (README, "14 alarms", len(stack().of_type(ALARM)), 14),
    (
        "docs/evidence/performance.md",
        "14 alarms (by Firehose 16)",
        len(stack(DeliveriesBy="Firehose").of_type(ALARM)),
        16,
    ),
    (README, "with `DeliveriesBy=Firehose` four", len(stack(DeliveriesBy="Firehose").of_type(DESTINATION)), 4),
    (README, "known up to a quarter of an hour later", gathered()["IntervalInSeconds"], 15 * MINUTE),
    (ARCHITECTURE, "for 15 minutes or until they are 5 MB", gathered(), {"IntervalInSeconds": 900, "SizeInMBs": 5}),
    (ARCHITECTURE, "Objects are kept for 28 days", kept_objects(), 28),
    (RUNBOOK, "empties itself within 28 days", kept_objects(), 28),
    (
        RUNBOOK,
        "held a delivery for more than 30 minutes, twice as long as it gathers them",
        stack(DeliveriesBy="Firehose").properties("DeliveryStreamWaits")["Threshold"],
        2 * gathered()["IntervalInSeconds"],
    ),
    (
        README,
        "concurrency quota of 10 is enough",
        sum(source_of(f"{one}Function")["ScalingConfig"]["MaximumConcurrency"] for one in LANES) < 10,
        True,
    ),
    (TEMPLATE, "the sweep takes up, every five minutes", minutes_of(sweep()["ScheduleExpression"]), 5),
    (TEMPLATE, "tried again every seven minutes, a thousand times", of_lanes("VisibilityTimeout"), [7 * MINUTE]),
    (TEMPLATE, "As large as SNS delivers.", of_lanes("MaximumMessageSize"), [256 * 1024]),
]


@pytest.mark.parametrize(
    ("document", "words", "found", "leased"), CLAIMS, ids=[f"{one[0]}: {one[1]}" for one in CLAIMS]
)
def test_the_template_is_as_the_document_says(document: str, words: str, found: object, leased: object) -> None:
    """The words are in the document, and what they lease is what is deployed."""
    assert words in text_of(document).replace("# ", "")
    assert leased == found


class TestAlarms:
    """An alarm goes off exactly when its description and the runbook say."""

    def test_each_measures_what_it_says(self) -> None:
        """Metric, statistic, threshold, how long it has to last, and what no data means."""
        waiting = ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", ">", 0, "1 of 1 x 300", "notBreaching")
        lane = ("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", ">", 900, "1 of 1 x 300", "notBreaching")
        fails = ("AWS/Lambda", "Errors", "Sum", ">", 0, "2 of 3 x 300", "notBreaching")
        rate = ("AWS/SES", "Maximum", ">=", "1 of 1 x 3600", "ignore")
        expected = {
            "QuarantineNotEmpty": waiting,
            "DeadLettersNotEmpty": waiting,
            "UndeliveredNotEmpty": waiting,
            **{f"{one}LaneWaits": lane for one in LANES},
            **{f"{one}FunctionFails": fails for one in (*LANES, "Suppression")},
            "MirrorStalls": ("AWS/Lambda", "IteratorAge", "Maximum", ">", 1_800_000, "1 of 1 x 300", "notBreaching"),
            "SuppressionLags": (
                "SesFeedback",
                "SuppressionLag",
                "Maximum",
                ">",
                3_600_000,
                "1 of 1 x 300",
                "notBreaching",
            ),
            "BounceRate": (rate[0], "Reputation.BounceRate", *rate[1:3], 0.05, *rate[3:]),
            "ComplaintRate": (rate[0], "Reputation.ComplaintRate", *rate[1:3], 0.001, *rate[3:]),
        }
        assert expected == {name: self.condition(alarm) for name, alarm in stack().of_type(ALARM).items()}

    def condition(self, alarm: dict[str, Any]) -> tuple[Any, ...]:
        """Return what sets an alarm off."""
        operators = {"GreaterThanThreshold": ">", "GreaterThanOrEqualToThreshold": ">="}
        of = alarm["EvaluationPeriods"]
        return (
            alarm["Namespace"],
            alarm["MetricName"],
            alarm["Statistic"],
            operators[alarm["ComparisonOperator"]],
            alarm["Threshold"],
            f"{alarm.get('DatapointsToAlarm', of)} of {of} x {alarm['Period']}",
            alarm["TreatMissingData"],
        )

    @pytest.mark.parametrize(
        ("alarm", "words"),
        [
            ("BounceLaneWaits", "more than 15 minutes"),
            ("ComplaintLaneWaits", "more than 15 minutes"),
            ("DeliveryLaneWaits", "more than 15 minutes"),
            ("QuarantineNotEmpty", "at most 14 days"),
            ("DeadLettersNotEmpty", "after five days"),
            ("BounceFunctionFails", "two of the last three five-minute periods"),
            ("MirrorStalls", "30 minutes"),
            ("SuppressionLags", "more than an hour"),
            ("BounceRate", "5 %"),
            ("ComplaintRate", "0.1 %"),
        ],
    )
    def test_each_is_described_as_it_is(self, alarm: str, words: str) -> None:
        """The description that reaches a person at night has the number."""
        assert words in stack().properties(alarm)["AlarmDescription"]

    def test_each_watches_its_own(self) -> None:
        """An alarm is on the queue or function in its name."""
        watched = {
            name: named(alarm["Dimensions"][0]["Value"])
            for name, alarm in stack().of_type(ALARM).items()
            if alarm["Namespace"] in {"AWS/SQS", "AWS/Lambda"}
        }
        assert watched == {
            "QuarantineNotEmpty": "QuarantineQueue",
            "DeadLettersNotEmpty": "DeadLetterQueue",
            "UndeliveredNotEmpty": "UndeliveredQueue",
            "MirrorStalls": "SuppressionFunction",
            **{f"{one}LaneWaits": f"{one}Queue" for one in LANES},
            **{f"{one}FunctionFails": f"{one}Function" for one in (*LANES, "Suppression")},
        }


class TestTimes:
    """How long things may take, and what happens then."""

    def test_the_functions_timeouts(self) -> None:
        """A lane has a minute for a batch, the list_sync five for a hundred changes at one call a second."""
        timeouts = {name: stack().properties(f"{name}Function")["Timeout"] for name in (*LANES, "Suppression")}
        assert timeouts == {"Bounce": 60, "Complaint": 60, "Delivery": 60, "Suppression": 300}

    def test_a_sweep_is_over_before_the_next(self) -> None:
        """The next one comes no sooner than this one's time is up, and none waits longer than that for its turn."""
        (config,) = stack().of_type("AWS::Lambda::EventInvokeConfig").values()
        assert (
            minutes_of(sweep()["ScheduleExpression"]) * MINUTE >= stack().properties("SuppressionFunction")["Timeout"]
        )
        assert config["MaximumEventAgeInSeconds"] == 5 * MINUTE

    def test_batches_go_out_soon(self) -> None:
        """Nothing waits longer than a second for its batch to fill, save deliveries, which are not urgent: a minute."""
        waits = {
            name: source_of(f"{name}Function")["MaximumBatchingWindowInSeconds"] for name in (*LANES, "Suppression")
        }
        assert waits == {"Bounce": 1, "Complaint": 1, "Delivery": 60, "Suppression": 1}

    def test_a_change_that_breaks_its_batch_is_found(self) -> None:
        """The stream's batches are halved when one fails altogether."""
        assert source_of("SuppressionFunction")["BisectBatchOnFunctionError"] is True


class TestDoors:
    """Who may do what to queues, topics and the key: nobody else, nothing else, nowhere else."""

    @pytest.mark.parametrize("queue", QUEUES)
    def test_a_queues_policy_is_about_that_queue(self, queue: str) -> None:
        """Every statement names the queue it is on, and no statement is there that the docs don't speak of."""
        statements = stack().properties(f"{queue}Policy")["PolicyDocument"]["Statement"]
        sids = {"UndeliveredQueue": "OnlyTheTopicsSend", **{f"{lane}Queue": "OnlyItsTopicSends" for lane in LANES}}
        assert {one["Resource"] for one in statements} == {f"${{{queue}.Arn}}"}
        assert {one["Sid"] for one in statements} == {"OnlyOverTls", *([sids[queue]] if queue in sids else [])}

    def test_the_topics_policy_says_two_things(self) -> None:
        """SES comes in, and nobody without TLS."""
        statements = stack().properties("TopicPolicy")["PolicyDocument"]["Statement"]
        assert [one["Sid"] for one in statements] == ["OnlySesOfThisAccountPublishes", "OnlyOverTls"]

    def test_the_key_is_used_by_four(self) -> None:
        """Whoever IAM lets, SES, SNS and CloudWatch Logs; each service by name, SES for the topics and for imports."""
        statements = stack().properties("Key")["KeyPolicy"]["Statement"]
        assert {one["Sid"]: one["Principal"] for one in statements} == {
            "TheAccountDecidesThroughIam": {"AWS": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"},
            "SesPublishesToTheTopics": {"Service": "ses.amazonaws.com"},
            "SesReadsWhatItImports": {"Service": "ses.amazonaws.com"},
            "SnsDeliversToTheQueues": {"Service": "sns.amazonaws.com"},
            "LogsAreStored": {"Service": "logs.${AWS::Region}.amazonaws.com"},
        }
        assert {one["Effect"] for one in statements} == {"Allow"}

    def test_the_services_that_use_the_key_are_held_to_a_condition(self) -> None:
        """Only IAM's own statement is without one."""
        statements = stack().properties("Key")["KeyPolicy"]["Statement"]
        assert [one["Sid"] for one in statements if "Condition" not in one] == ["TheAccountDecidesThroughIam"]

    def test_logs_do_with_the_key_what_the_guide_lists(self) -> None:
        """CloudWatch Logs is allowed what its guide asks for, and for log groups of this stack alone."""
        (statement,) = [
            one for one in stack().properties("Key")["KeyPolicy"]["Statement"] if one["Sid"] == "LogsAreStored"
        ]
        logs = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}"
        assert statement["Action"] == [
            "kms:Decrypt*",
            "kms:Describe*",
            "kms:Encrypt*",
            "kms:GenerateDataKey*",
            "kms:ReEncrypt*",
        ]
        assert statement["Condition"] == {
            "ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"{logs}:log-group:/aws/lambda/${{AWS::StackName}}/*"}
        }

    def test_the_schedule_comes_from_the_scheduler(self) -> None:
        """Nobody else takes the role that starts the sweep."""
        role = stack().properties(named(sweep()["Target"]["RoleArn"]))
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": ["scheduler.amazonaws.com"]}


class TestEncryption:
    """At rest everything is encrypted, with the stack's key or with AWS's."""

    @pytest.mark.parametrize(
        ("own", "expected"),
        [
            ("true", {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": "${Key.Arn}"}),
            ("false", {"SSEEnabled": False}),
        ],
    )
    def test_the_table(self, own: str, expected: dict[str, Any]) -> None:
        """DynamoDB's own key encrypts a table that names none."""
        assert stack(CustomerManagedKey=own).properties("ContactsTable")["SSESpecification"] == expected

    def test_a_queue_names_one_way(self) -> None:
        """SQS refuses a queue with a key and its own encryption."""
        both = {"KmsMasterKeyId", "SqsManagedSseEnabled"}
        chosen = {
            own: {tuple(both & stack(CustomerManagedKey=own).properties(queue).keys()) for queue in QUEUES}
            for own in ("true", "false")
        }
        assert chosen == {"true": {("KmsMasterKeyId",)}, "false": {("SqsManagedSseEnabled",)}}

    def test_without_a_key_nothing_names_one(self) -> None:
        """Topics then have none, for SES can use no key of AWS's."""
        topics = stack(CustomerManagedKey="false").of_type("AWS::SNS::Topic").values()
        assert [one for one in topics if "KmsMasterKeyId" in one] == []


class TestParametersArrive:
    """What is chosen at deployment reaches what it is for."""

    @pytest.mark.parametrize(
        ("parameter", "value", "function", "variable"),
        [
            ("SoftBounceLimit", "7", "BounceFunction", "SOFT_BOUNCE_LIMIT"),
            ("SoftBounceWindowDays", "45", "SuppressionFunction", "SOFT_BOUNCE_WINDOW_DAYS"),
            ("AmbiguousComplaint", "note", "ComplaintFunction", "AMBIGUOUS_COMPLAINT"),
            ("SuppressUnsubscribed", "true", "SuppressionFunction", "SUPPRESS_UNSUBSCRIBED"),
            ("HistoryDays", "30", "BounceFunction", "HISTORY_DAYS"),
            ("SuppressionRate", "0.5", "SuppressionFunction", "SUPPRESSION_RATE"),
            ("EventBusName", "mine", "SuppressionFunction", "EVENT_BUS_NAME"),
        ],
    )
    def test_in_the_functions(self, parameter: str, value: str, function: str, variable: str) -> None:
        """A function's variable is the parameter's value."""
        variables = stack(**{parameter: value}).properties(function)["Environment"]["Variables"]
        assert str(variables[variable]) == value

    def test_no_rate_is_above_what_ses_allows(self) -> None:
        """SES allows one call a second for the account."""
        assert template()["Parameters"]["SuppressionRate"]["MaxValue"] == 1


class TestStages:
    """samconfig.toml's stages are what README.md and docs/operate/local.md say they are."""

    def test_production_is_a_stack_of_its_own_that_asks(self) -> None:
        """`--config-env production` deploys `ses-feedback-production`, and asks before it changes anything."""
        production = STAGES["production"]
        assert production["global"]["parameters"]["stack_name"] == "ses-feedback-production"
        assert production["deploy"]["parameters"]["confirm_changeset"] is True
        assert "DeletionProtection=true" in production["deploy"]["parameters"]["parameter_overrides"]

    def test_the_emulator_is_given_the_template_with_what_a_user_may_choose(self) -> None:
        """The stage `local` sets the processor, leaves contacts unprotected and keeps logs for a day: nothing else."""
        overrides = STAGES["local"]["global"]["parameters"]["parameter_overrides"].split()
        assert overrides == ["Architecture=x86_64", "DeletionProtection=false", "LogRetentionDays=1"]

    def test_what_is_built_for_here_is_not_deployed_there(self) -> None:
        """`sam deploy` takes what goes to AWS from .aws-sam/build, which the stage `local` leaves alone."""
        assert STAGES["local"]["build"]["parameters"]["build_dir"] == ".local/image"
        assert "build_dir" not in {
            **STAGES["default"]["build"]["parameters"],
            **STAGES["production"]["build"]["parameters"],
        }

"""Diagnoses of an account in memory: what tests/e2e/test_doctor.py cannot break in the emulator, and the output."""

import copy
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest

from feedbackctl.doctor.model import Diagnosis, Finding, State
from feedbackctl.doctor.path import HOPS, diagnose
from feedbackctl.doctor.report import to_document, to_lines
from feedbackctl.permissions import COMMANDS
from ses_feedback.settings import LANES
from tests.support.doctor_aws import ALARM_TOPIC, KEY, NOW, STACK, DoctorAws, policy, refuse

GOLDEN = Path(__file__).parent / "golden"


class Case(NamedTuple):
    """A change of the account, and the finding that it must cause. `words` are part of its message or its commands."""

    hop: str
    state: State
    words: str
    change: Callable[[DoctorAws], object]


def edit(service: str, operation: str, *path: str | int, **changes: Any) -> Callable[[DoctorAws], None]:  # noqa: ANN401
    """Return a change of fields in the response of an operation, below `path`."""

    def change(aws: DoctorAws) -> None:
        answer = aws.answers[service, operation]
        assert isinstance(answer, Mapping)
        document = copy.deepcopy(answer)
        target: Any = document
        for step in path:
            target = target[step]
        target.update(changes)
        aws.answers[service, operation] = document

    return change


def answer(service: str, operation: str, response: Any) -> Callable[[DoctorAws], None]:  # noqa: ANN401 (JSON)
    """Return a change of the whole response of an operation."""

    def change(aws: DoctorAws) -> None:
        aws.answers[service, operation] = response

    return change


def identity(name: str = "example.com", **fields: Any) -> Callable[[DoctorAws], None]:  # noqa: ANN401 (JSON)
    return lambda aws: aws.identities.update({name: fields})


def own_topics(*kinds: str) -> dict[str, str]:
    return {f"{kind}Topic": f"arn:aws:sns:eu-west-1:123456789012:mail-{kind}Topic" for kind in kinds}


def parameter(name: str, value: str) -> Callable[[DoctorAws], None]:
    return lambda aws: aws.parameters.update({name: value})


def be_silent(aws: DoctorAws) -> None:
    """Send email without feedback."""
    aws.runs = 0.0


def be_silent_and_bare(aws: DoctorAws) -> None:
    """Send email without feedback, from an identity that has lost its topics."""
    aws.runs = 0.0
    aws.identities["example.com"] = {"set": ""}


def fail_functions(aws: DoctorAws) -> None:
    aws.errors = 20.0


def alarm_topic(**attributes: str) -> Callable[[DoctorAws], None]:
    """Return a change of the alarm topic."""

    def change(aws: DoctorAws) -> None:
        topics = aws.answers["sns", "get_topic_attributes"]
        assert callable(topics)
        aws.answers["sns", "get_topic_attributes"] = lambda request: (
            {"Attributes": attributes} if request["TopicArn"] == ALARM_TOPIC else topics(request)
        )

    return change


def silent_lane(lane: str) -> Callable[[DoctorAws], None]:
    """Return a change after which one lane has had no feedback for three days."""

    def change(aws: DoctorAws) -> None:
        metric = aws.answers["cloudwatch", "get_metric_statistics"]
        assert callable(metric)
        aws.sent = 6000.0

        def read(request: Mapping[str, Any]) -> Mapping[str, Any]:
            if request["MetricName"] == "Invocations" and f"mail-{lane}Function" in str(request["Dimensions"]):
                old = NOW - timedelta(days=3)
                points = [{"Timestamp": old, "Sum": 1.0}] if request["StartTime"] < old else []
                return {"Datapoints": points}
            return metric(request)

        aws.answers["cloudwatch", "get_metric_statistics"] = read

    return change


def import_job(**fields: Any) -> Callable[[DoctorAws], None]:  # noqa: ANN401 (JSON)
    job = {"JobId": "job-1", "CreatedTimestamp": NOW - timedelta(hours=3), **fields}
    return answer("sesv2", "list_import_jobs", {"ImportJobs": [job]})


ACCOUNT_ANSWER = ("sesv2", "get_account")
ALARMS = ("cloudwatch", "describe_alarms", "MetricAlarms")
CASES = {
    "enforcement status is missing": Case(
        "account", State.UNKNOWN, "None", lambda aws: _remove(aws, "EnforcementStatus")
    ),
    "sending status is missing": Case("account", State.UNKNOWN, "report", lambda aws: _remove(aws, "SendingEnabled")),
    "production access is missing": Case(
        "account", State.UNKNOWN, "report", lambda aws: _remove(aws, "ProductionAccessEnabled")
    ),
    "quota is missing": Case("account", State.UNKNOWN, "report", lambda aws: _remove(aws, "SendQuota")),
    "suppressed reasons are missing": Case(
        "account", State.UNKNOWN, "report", lambda aws: _remove(aws, "SuppressionAttributes")
    ),
    "account is in the sandbox": Case(
        "account", State.WARN, "sandbox", edit(*ACCOUNT_ANSWER, ProductionAccessEnabled=False)
    ),
    "quota is nearly used up": Case(
        "account", State.WARN, "45,000 of 50,000", edit(*ACCOUNT_ANSWER, "SendQuota", SentLast24Hours=45_000.0)
    ),
    "account does not block complaints, and no set overrides it": Case(
        "account",
        State.FAIL,
        "--validation-attributes",
        lambda aws: (
            edit(
                *ACCOUNT_ANSWER,
                SuppressionAttributes={
                    "SuppressedReasons": ["BOUNCE"],
                    "ValidationAttributes": {"ConditionThreshold": {"ConditionThresholdEnabled": "ENABLED"}},
                },
            )(aws),
            answer("sesv2", "get_configuration_set", {"ConfigurationSetName": "mail-set"})(aws),
        ),
    ),
    "Region has no identity": Case("identities", State.FAIL, "no identity", lambda aws: aws.identities.clear()),
    "one of two identities is not verified": Case(
        "identities", State.WARN, "PENDING", identity("example.org", verification="PENDING", set="")
    ),
    "address is not verified": Case(
        "identities", State.WARN, "verify-email-identity", identity("news@example.org", verification="FAILED", set="")
    ),
    "DKIM records are missing": Case(
        "identities", State.WARN, "DKIM status is Failed", identity(dkim={"DkimVerificationStatus": "Failed"})
    ),
    "MX record is missing, and SES uses its own domain": Case(
        "identities",
        State.WARN,
        "MAIL FROM",
        identity(mail_from={"MailFromDomain": "mail.example.com", "MailFromDomainStatus": "Failed"}),
    ),
    "address has no topics, and its domain has": Case(
        "identities",
        State.WARN,
        "set-identity-notification-topic",
        lambda aws: (
            identity(notifications={**own_topics(*LANES), "ForwardingEnabled": False}, set="")(aws),
            identity("news@example.com", set="")(aws),
        ),
    ),
    "topic of another system": Case(
        "identities",
        State.WARN,
        "not of this stack",
        identity(
            notifications={
                **own_topics("Bounce", "Complaint"),
                "DeliveryTopic": "arn:aws:sns:eu-west-1:123456789012:other",
                "ForwardingEnabled": False,
            },
            set="",
        ),
    ),
    "both mechanisms are on": Case(
        "identities",
        State.WARN,
        "double-counted",
        identity(
            notifications={
                **own_topics("Bounce", "Complaint"),
                "DeliveryTopic": "arn:aws:sns:eu-west-1:123456789012:other",
                "ForwardingEnabled": False,
            }
        ),
    ),
    "topics are gone while email is sent": Case(
        "identities", State.FAIL, "put-email-identity-configuration-set-attributes", be_silent_and_bare
    ),
    "alarm topic is not set": Case("alarms", State.WARN, "no alarm topic", parameter("AlarmTopicArn", "")),
    "alarm has no action": Case("alarms", State.FAIL, "put-metric-alarm", edit(*ALARMS, 0, AlarmActions=[])),
    "alarm was deleted": Case("alarms", State.FAIL, "deleted", edit("cloudwatch", "describe_alarms", MetricAlarms=[])),
    "alarm has had no data for a day": Case(
        "alarms",
        State.WARN,
        "no data",
        edit(*ALARMS, 1, StateValue="INSUFFICIENT_DATA", StateUpdatedTimestamp=NOW - timedelta(days=2)),
    ),
    "alarm that computes with several metrics has had no data for a day": Case(
        "alarms",
        State.WARN,
        "no data of AWS/SES Send",
        edit(
            "cloudwatch",
            "describe_alarms",
            "MetricAlarms",
            1,
            StateValue="INSUFFICIENT_DATA",
            StateUpdatedTimestamp=NOW - timedelta(days=2),
            Metrics=[
                {"Id": "rate", "Expression": "sends / 2"},
                {
                    "Id": "sends",
                    "MetricStat": {
                        "Metric": {"Namespace": "AWS/SES", "MetricName": "Send"},
                        "Period": 60,
                        "Stat": "Sum",
                    },
                },
            ],
        ),
    ),
    "alarm watches a metric that SES does not publish": Case(
        "alarms", State.FAIL, "BounceRatePercent", edit(*ALARMS, 1, MetricName="BounceRatePercent")
    ),
    "alarm watches the queue of another stack": Case(
        "alarms", State.FAIL, "another", edit(*ALARMS, 0, Dimensions=[{"Name": "QueueName", "Value": "another"}])
    ),
    "alarm topic does not let CloudWatch publish": Case(
        "alarms", State.FAIL, "set-topic-attributes", alarm_topic(Policy=policy())
    ),
    "key of the alarm topic does not let CloudWatch use it": Case(
        "alarms",
        State.FAIL,
        "put-key-policy",
        alarm_topic(Policy='{"Statement":{"Effect":"Allow","Principal":"*","Action":"sns:*"}}', KmsMasterKeyId=KEY),
    ),
    "alarm topic has the key of AWS for SNS": Case(
        "alarms",
        State.FAIL,
        "customer managed key",
        alarm_topic(
            Policy='{"Statement":{"Effect":"Allow","Principal":"*","Action":"sns:*"}}',
            KmsMasterKeyId="alias/aws/sns",
        ),
    ),
    "alarm topic has no subscriber": Case(
        "alarms",
        State.WARN,
        "subscribe",
        alarm_topic(
            Policy='{"Statement":{"Effect":"Allow","Principal":"*","Action":"sns:*"}}', SubscriptionsConfirmed="0"
        ),
    ),
    "functions fail": Case("functions", State.FAIL, "logs tail", fail_functions),
    "function has failed to start": Case(
        "functions",
        State.FAIL,
        "Failed",
        answer(
            "lambda",
            "get_function_configuration",
            lambda request: {"FunctionName": request["FunctionName"], "State": "Failed", "StateReason": "No image"},
        ),
    ),
    "function is gone": Case(
        "functions",
        State.FAIL,
        "not exist",
        answer("lambda", "get_function_configuration", refuse("ResourceNotFoundException")),
    ),
    "Lambda reports a problem of the event source": Case(
        "event-sources",
        State.FAIL,
        "PROBLEM",
        answer(
            "lambda",
            "list_event_source_mappings",
            lambda request: {
                "EventSourceMappings": [
                    {
                        "UUID": "0" * 36,
                        "State": "Enabled",
                        "EventSourceArn": "arn:aws:sqs:eu-west-1:123456789012:"
                        + request["FunctionName"].replace("Function", "Queue"),
                        "FunctionResponseTypes": ["ReportBatchItemFailures"],
                        "LastProcessingResult": "PROBLEM: Function call failed",
                    }
                ]
            },
        ),
    ),
    "table does not exist": Case(
        "table", State.FAIL, "not exist", answer("dynamodb", "describe_table", refuse("ResourceNotFoundException"))
    ),
    "table has lost its key": Case(
        "table",
        State.FAIL,
        "key",
        edit("dynamodb", "describe_table", "Table", TableStatus="INACCESSIBLE_ENCRYPTION_CREDENTIALS"),
    ),
    "event bus does not exist": Case(
        "list",
        State.FAIL,
        "create-event-bus",
        answer("events", "describe_event_bus", refuse("ResourceNotFoundException")),
    ),
    "sweep has no schedule": Case(
        "list", State.FAIL, "schedule", answer("scheduler", "get_schedule", refuse("ResourceNotFoundException"))
    ),
    "key is gone": Case("key", State.FAIL, "not exist", answer("kms", "describe_key", refuse("NotFoundException"))),
    "topic is gone": Case(
        "topics", State.FAIL, "create-topic", answer("sns", "get_topic_attributes", refuse("NotFound"))
    ),
    "import job failed": Case("imports", State.WARN, "get-import-job", import_job(JobStatus="FAILED")),
    "import job left records": Case(
        "imports", State.WARN, "12 failed", import_job(JobStatus="COMPLETED", FailedRecordsCount=12)
    ),
    "no feedback arrives": Case("feedback", State.FAIL, "no lane received", be_silent),
    "no delivery arrives": Case("feedback", State.FAIL, "deliveries do not arrive", silent_lane("Delivery")),
    "no bounce arrives": Case("feedback", State.WARN, "3 days ago", silent_lane("Bounce")),
}


def _remove(aws: DoctorAws, field: str) -> None:
    account = aws.answers[ACCOUNT_ANSWER]
    assert isinstance(account, Mapping)
    aws.answers[ACCOUNT_ANSWER] = {name: value for name, value in account.items() if name != field}


def diagnose_again(aws: DoctorAws, *identities: str, keep_going: bool = False) -> Diagnosis:
    return diagnose(aws.read_again(*identities), keep_going=keep_going)


def problems(diagnosis: Diagnosis) -> list[tuple[str, Finding]]:
    bad = {State.WARN, State.FAIL, State.UNKNOWN}
    return [(hop.name, finding) for hop in diagnosis.hops for finding in hop.findings if finding.state in bad]


def test_healthy_account_has_no_problem() -> None:
    diagnosis = diagnose_again(DoctorAws())
    assert problems(diagnosis) == []
    assert {hop.state for hop in diagnosis.hops} == {State.OK}


@pytest.mark.parametrize("name", CASES)
def test_problem_is_found_at_its_hop_and_nowhere_else(name: str) -> None:
    aws, case = DoctorAws(), CASES[name]
    case.change(aws)
    found = problems(diagnose_again(aws))
    assert {hop for hop, _ in found} == {case.hop}
    assert {finding.state for _, finding in found} >= {case.state}
    text = " ".join(" ".join((finding.message, finding.advice, *finding.commands)) for _, finding in found)
    assert case.words in text


def test_hops_after_the_broken_one_are_not_reached() -> None:
    aws = DoctorAws()
    edit("kms", "describe_key", "KeyMetadata", KeyState="Disabled")(aws)
    states = [hop.state for hop in diagnose_again(aws).hops]
    broken = states.index(State.FAIL)
    assert set(states[broken + 1 :]) == {State.NOT_REACHED}
    assert State.NOT_REACHED not in [hop.state for hop in diagnose_again(aws, keep_going=True).hops]


def test_later_broken_hop_is_not_named() -> None:
    aws = DoctorAws()
    edit("kms", "describe_key", "KeyMetadata", KeyState="Disabled")(aws)
    answer("events", "describe_event_bus", refuse("ResourceNotFoundException"))(aws)
    broken = diagnose_again(aws).broken
    assert broken is not None
    assert broken.name == "key"


def test_identity_without_topics_is_not_blamed_for_silence_that_a_later_hop_explains() -> None:
    aws = DoctorAws()
    be_silent_and_bare(aws)
    edit("kms", "describe_key", "KeyMetadata", KeyState="Disabled")(aws)
    diagnosis = diagnose_again(aws)
    assert diagnosis.broken is not None
    assert diagnosis.broken.name == "key"
    assert diagnosis.hops[1].state is State.WARN


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        (("sesv2", "get_account"), "ses:GetAccount"),
        (("sns", "get_topic_attributes"), "sns:GetTopicAttributes"),
        (("kms", "get_key_policy"), "kms:GetKeyPolicy"),
        (("dynamodb", "query"), "dynamodb:Query"),
        (("cloudwatch", "describe_alarms"), "cloudwatch:DescribeAlarms"),
    ],
)
def test_missing_permission_is_unknown_and_names_the_action(operation: tuple[str, str], action: str) -> None:
    aws = DoctorAws()
    aws.answers[operation] = refuse("AccessDeniedException")
    diagnosis = diagnose_again(aws)
    found = problems(diagnosis)
    assert {finding.state for _, finding in found} == {State.UNKNOWN}
    assert all(action in finding.message for _, finding in found)
    assert diagnosis.is_undetermined


def test_throttled_call_is_unknown_and_shows_no_text_of_aws() -> None:
    aws = DoctorAws()
    aws.answers["sesv2", "get_account"] = refuse("TooManyRequestsException")
    lines = "\n".join(to_lines(diagnose_again(aws)))
    assert "TooManyRequestsException" in lines
    assert "someone@example.com" not in lines


def test_named_identity_that_does_not_exist_is_a_failure() -> None:
    found = problems(diagnose_again(DoctorAws(), "shop.example.com"))
    assert [(hop, finding.subject) for hop, finding in found] == [("identities", "shop.example.com")]


@pytest.mark.parametrize(("number", "batches", "default_sets"), [(1, 1, 1), (10, 1, 2), (40, 1, 4), (101, 2, 5)])
def test_number_of_calls_hardly_grows_with_the_identities(number: int, batches: int, default_sets: int) -> None:
    aws = DoctorAws()
    aws.identities = {f"shop{each}.example.com": {} for each in range(number)}
    diagnose_again(aws)
    assert aws.requests.count("ses.get_identity_notification_attributes") == batches
    assert aws.requests.count("sesv2.get_email_identity") == default_sets


def test_identities_that_sent_are_asked_for_their_default_set_if_vdm_counts_them() -> None:
    aws = DoctorAws()
    aws.identities = {f"shop{number}.example.com": {} for number in range(12)}
    edit("sesv2", "get_account", VdmAttributes={"VdmEnabled": "ENABLED"})(aws)
    asked: list[str] = []

    def metrics(request: Mapping[str, Any]) -> Mapping[str, Any]:
        last = [query for query in request["Queries"] if query["Dimensions"]["EMAIL_IDENTITY"] == "shop11.example.com"]
        return {"Results": [{"Id": query["Id"], "Values": [3]} for query in last]}

    def describe(request: Mapping[str, Any]) -> Mapping[str, Any]:
        asked.append(request["EmailIdentity"])
        return {"ConfigurationSetName": "mail-set"}

    aws.answers["sesv2", "batch_get_metric_data"] = metrics
    aws.answers["sesv2", "get_email_identity"] = describe
    diagnose_again(aws)
    assert asked == ["shop11.example.com"]


def test_each_call_is_declared_for_the_policy_of_operators() -> None:
    aws = DoctorAws()
    identity(notifications=own_topics(*LANES))(aws)
    facts = aws.read_again()
    diagnose(facts)
    declared = {permission.action for permission in COMMANDS["doctor"].permissions} - {"kms:Decrypt"}
    rare = {"ses:BatchGetMetricData", "ses:GetContactList", "ses:GetReputationEntity", "ses:GetTenant"}
    assert facts.reader.actions <= declared
    assert declared - facts.reader.actions <= rare | {"ses:GetEmailIdentity"}


def test_no_command_deletes_anything_but_a_limit_of_concurrency() -> None:
    words = ("delete", "remove", "purge", "unsubscribe", "disable", "schedule-key-deletion")
    for case in CASES.values():
        aws = DoctorAws()
        case.change(aws)
        for _, finding in problems(diagnose_again(aws, keep_going=True)):
            for command in finding.commands:
                operation = command.split()[2]
                assert operation == "delete-function-concurrency" or not operation.startswith(words), command
                assert command.endswith(" --region eu-west-1"), command


GOLDENS: dict[str, Callable[[DoctorAws], object]] = {
    "healthy": lambda _: None,
    "broken": CASES["topics are gone while email is sent"].change,
    "warnings": CASES["both mechanisms are on"].change,
    "unknown": answer("kms", "get_key_policy", refuse("AccessDeniedException")),
}


@pytest.mark.parametrize("name", GOLDENS)
def test_output_is_as_recorded(name: str) -> None:
    """To record again, delete the files, run the test twice, and read the difference."""
    aws = DoctorAws()
    GOLDENS[name](aws)
    diagnosis = diagnose_again(aws)
    text = click.unstyle("\n".join(to_lines(diagnosis))) + "\n"
    document = json.dumps(to_document(diagnosis, STACK, "eu-west-1"), indent=2) + "\n"
    for suffix, output in (("txt", text), ("json", document)):
        file = GOLDEN / f"{name}.{suffix}"
        if not file.exists():
            file.write_text(output)
            pytest.fail(f"{file} was recorded")
        assert output == file.read_text()


def test_control_characters_do_not_reach_the_terminal() -> None:
    aws = DoctorAws()
    identity("evil\x1b[2J.example.com", verification="FAILED", set="")(aws)
    assert "\x1b[2J" not in "\n".join(to_lines(diagnose_again(aws)))


def test_control_characters_of_aws_do_not_reach_the_terminal() -> None:
    aws = DoctorAws()
    state = {"State": "Failed", "StateReason": "\x1b[2J"}
    aws.answers["lambda", "get_function_configuration"] = lambda request: {
        "FunctionName": request["FunctionName"],
        **state,
    }
    text = "\n".join(to_lines(diagnose_again(aws)))
    assert "its state is Failed" in text
    assert "\x1b[2J" not in text


def test_email_of_the_last_hour_is_no_silence() -> None:
    aws = DoctorAws()
    aws.answers["cloudwatch", "get_metric_statistics"] = lambda request: {
        "Datapoints": [{"Timestamp": NOW, "Sum": 50.0}] if request["MetricName"] == "Send" else []
    }
    assert problems(diagnose_again(aws)) == []


def test_hops_are_in_the_order_of_the_path() -> None:
    assert [hop.name for hop in HOPS] == [
        "account", "identities", "configuration-sets", "topics", "key", "subscriptions", "queues", "event-sources",
        "functions", "table", "list", "imports", "alarms", "feedback",
    ]  # fmt: skip


def test_page_of_doctor_has_each_hop() -> None:
    page = (Path(__file__).parents[4] / "docs" / "operate" / "doctor.md").read_text()
    for hop in HOPS:
        assert f"\n| {hop.title} |" in page

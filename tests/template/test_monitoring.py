"""The alarms, the dashboard and the outputs of template.yaml."""

import re

import pytest
from click.testing import CliRunner

from feedbackctl.__main__ import main
from tests.support.sam_template import BOTH_PATHS, FUNCTIONS, LANES, QUEUES, ROOT, named, stack

ALARM = "AWS::CloudWatch::Alarm"
RUNBOOK = ROOT / "docs/operate/runbook.md"
FUNCTION_NAMES = (*LANES, "Suppression")

SUBJECTS = {
    "QuarantineNotEmpty": "QuarantineQueue",
    "DeadLettersNotEmpty": "DeadLetterQueue",
    "UndeliveredNotEmpty": "UndeliveredQueue",
    **{f"{lane}LaneWaits": f"{lane}Queue" for lane in LANES},
    **{f"{name}FunctionFails": f"{name}Function" for name in FUNCTION_NAMES},
    "StreamStalls": "SuppressionFunction",
}
TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"
EMAIL = "operator@example.com"


class TestAlarms:
    """Alarms. tests/template/test_alarm_states.py evaluates each of them."""

    def test_each_monitors_the_queue_or_function_in_its_name(self) -> None:
        monitored = {
            name: named(alarm["Dimensions"][0]["Value"])
            for name, alarm in stack().of_type(ALARM).items()
            if alarm.get("Namespace") in {"AWS/SQS", "AWS/Lambda"}
        }
        assert monitored == SUBJECTS
        assert set(SUBJECTS.values()) == {*QUEUES, *FUNCTIONS}

    def test_the_lag_alarm_monitors_the_metric_of_the_sweep(self) -> None:
        """The sweep reports the oldest pending change of all configuration sets under the name "none"."""
        assert stack().properties("SuppressionLags")["Dimensions"] == [{"Name": "ConfigurationSet", "Value": "none"}]

    def test_each_metric_of_the_stack_has_the_name_that_the_functions_use(self) -> None:
        """The functions publish totals of the stack under STACK_NAME."""
        assert stack().environment("BounceFunction")["STACK_NAME"] == "${AWS::StackName}"
        dimensions = [alarm.get("Dimensions", []) for alarm in stack().of_type(ALARM).values()]
        values = {each["Value"] for found in dimensions for each in found if each["Name"] == "Stack"}
        assert values == {"${AWS::StackName}"}

    def test_each_has_a_description(self) -> None:
        alarms = stack().of_type(ALARM)
        assert {name for name, alarm in alarms.items() if not alarm.get("AlarmDescription")} == set()

    @pytest.mark.parametrize("name", ["ProvidersReject", "ContactsSuppressed"])
    def test_the_description_has_the_command_that_undoes_suppressions(self, name: str) -> None:
        """Every word of the command is an option that it has. CloudWatch accepts 1,024 characters."""
        description = stack().properties(name)["AlarmDescription"].replace("${AWS::StackName}", "mail")
        command = description[description.index("feedbackctl contact reinstate --where") :].split()
        result = CliRunner().invoke(main, ["contact", "reinstate", "--help"])
        assert {word for word in command if word.startswith("--")} - set(
            result.output.replace(",", " ").split()
        ) == set()
        assert command[command.index("--stack") + 1] == "mail"
        assert len(description) <= 1_024

    @pytest.mark.parametrize(
        ("parameters", "topics"),
        [
            ({}, ()),
            ({"AlarmTopicArn": TOPIC}, (TOPIC,)),
            ({"AlarmEmail": EMAIL}, ("${AlarmTopic}",)),
            ({"AlarmEmail": EMAIL, "AlarmTopicArn": TOPIC}, ("${AlarmTopic}", TOPIC)),
        ],
    )
    @pytest.mark.parametrize("action", ["AlarmActions", "OKActions"])
    def test_each_notifies_every_alarm_topic_when_it_is_raised_and_when_it_ends(
        self, action: str, parameters: dict[str, str], topics: tuple[str, ...]
    ) -> None:
        alarms = stack(**parameters).of_type(ALARM).values()
        assert {tuple(alarm[action]) for alarm in alarms} == {topics}

    def test_monitoring_can_be_disabled(self) -> None:
        made = stack(Monitoring="false", AlarmEmail=EMAIL, AlarmTopicArn=TOPIC, AccountSilence="true")
        rest = ("AWS::CloudWatch::Dashboard", "AWS::Events::Rule", "AWS::Logs::QueryDefinition")
        assert [name for kind in (ALARM, *rest) for name in made.of_type(kind)] == []
        assert "AlarmTopic" not in made.resources

    def test_the_account_alarm_is_off_by_default(self) -> None:
        assert set(stack(AccountSilence="true").of_type(ALARM)) - set(stack().of_type(ALARM)) == {"AccountSilent"}

    def test_the_runbook_has_a_section_for_each(self) -> None:
        headings = " ".join(line for line in RUNBOOK.read_text().splitlines() if line.startswith("#"))
        alarms = {name for path in BOTH_PATHS for name in stack(**path, AccountSilence="true").of_type(ALARM)}
        assert {name for name in alarms if name not in headings} == set()

    def test_the_section_of_each_alarm_names_a_command(self) -> None:
        sections = re.split(r"^## ", RUNBOOK.read_text(), flags=re.MULTILINE)[1:]
        alarms = {name for path in BOTH_PATHS for name in stack(**path, AccountSilence="true").of_type(ALARM)}
        of_alarms = [each for each in sections if alarms & set(re.findall(r"\w+", each.splitlines()[0]))]
        assert [each.splitlines()[0] for each in of_alarms if "feedbackctl " not in each] == []

    @pytest.mark.parametrize("queue", QUEUES)
    def test_the_runbook_names_each_queue(self, queue: str) -> None:
        assert queue in RUNBOOK.read_text()


class TestAlarmTopic:
    """The topic of `AlarmEmail`, and the rule for events of SES about the account."""

    def test_the_address_is_subscribed(self) -> None:
        assert stack(AlarmEmail=EMAIL).properties("AlarmSubscription") == {
            "TopicArn": "${AlarmTopic}",
            "Protocol": "email",
            "Endpoint": EMAIL,
        }

    def test_without_an_address_there_is_no_topic(self) -> None:
        names = {"AlarmTopic", "AlarmSubscription", "AlarmTopicPolicy"}
        assert names & set(stack(AlarmTopicArn=TOPIC).resources) == set()

    def test_alarms_of_this_account_and_rules_of_this_stack_may_publish(self) -> None:
        statements = stack(AlarmEmail=EMAIL).resource_policy("AlarmTopicPolicy")
        allowed = {
            statement["Principal"]["Service"]: statement["Condition"]
            for statement in statements.values()
            if statement["Effect"] == "Allow"
        }
        in_account = "${AWS::Region}:${AWS::AccountId}"
        assert allowed == {
            "cloudwatch.amazonaws.com": {
                "StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"},
                "ArnLike": {
                    "aws:SourceArn": f"arn:${{AWS::Partition}}:cloudwatch:{in_account}:alarm:${{AWS::StackName}}-*"
                },
            },
            "events.amazonaws.com": {
                "ArnLike": {"aws:SourceArn": f"arn:${{AWS::Partition}}:events:{in_account}:rule/${{AWS::StackName}}-*"},
            },
        }
        assert {statement["Resource"] for statement in statements.values()} == {"${AlarmTopic}"}
        assert statements["DenyInsecureTransport"]["Effect"] == "Deny"

    @pytest.mark.parametrize(
        ("parameters", "expected"),
        [
            ({"CustomerManagedKey": "true", "AlarmEmail": EMAIL}, True),
            ({"CustomerManagedKey": "true"}, False),
        ],
    )
    def test_the_key_admits_both_services_only_for_the_alarm_topic(
        self, parameters: dict[str, str], *, expected: bool
    ) -> None:
        statements = stack(**parameters).resource_policy("Key")
        sids = {"CloudWatchPublishAlarms", "EventBridgePublishAccountEvents"}
        assert sids & set(statements) == (sids if expected else set())

    def test_the_key_limits_eventbridge_to_the_alarm_topic(self) -> None:
        """EventBridge supports no aws:SourceAccount here, and delivers nothing if there is one."""
        statements = stack(CustomerManagedKey="true", AlarmEmail=EMAIL).resource_policy("Key")
        (condition,) = statements["EventBridgePublishAccountEvents"]["Condition"].items()
        name = stack(AlarmEmail=EMAIL).properties("AlarmTopic")["TopicName"]
        topic = f"arn:${{AWS::Partition}}:sns:${{AWS::Region}}:${{AWS::AccountId}}:{name}"
        assert condition == ("StringEquals", {"kms:EncryptionContext:aws:sns:topicArn": topic})

    @pytest.mark.parametrize(
        ("parameters", "targets"),
        [({"AlarmEmail": EMAIL}, ["${AlarmTopic}"]), ({"AlarmTopicArn": TOPIC}, [TOPIC])],
    )
    def test_account_events_of_ses_go_to_every_alarm_topic(
        self, parameters: dict[str, str], targets: list[str]
    ) -> None:
        rule = stack(**parameters).properties("AccountEvents")
        assert [target["Arn"] for target in rule["Targets"]] == targets
        assert rule["EventPattern"]["source"] == ["aws.ses"]

    @pytest.mark.parametrize(
        ("detail_type", "passes"),
        [
            ("Sending Status Enabled", True),
            ("Sending Status Disabled", True),
            ("Advisor Recommendation Status Open", True),
            ("Advisor Recommendation Status Resolved", True),
            ("Email Bounced", False),
        ],
    )
    def test_the_rule_passes_events_about_the_account_and_none_about_an_email(
        self, detail_type: str, *, passes: bool
    ) -> None:
        """https://docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html."""
        pattern = stack(AlarmEmail=EMAIL).properties("AccountEvents")["EventPattern"]
        prefixes = [each["prefix"] for each in pattern["detail-type"]]
        assert any(map(detail_type.startswith, prefixes)) is passes


class TestOutputs:
    """Outputs."""

    def test_the_stack_has_exactly_these(self) -> None:
        topics = {f"{lane}TopicArn" for lane in LANES}
        functions = {f"{function}Name" for function in FUNCTIONS}
        queues = {f"{queue}Url" for queue in QUEUES}
        table, bucket = {"ContactsTableName", "ContactsTableArn"}, {"ImportBucketName"}
        policies = {"SendPreferencesPolicyArn", "ReadContactsPolicyArn", "OperatorPolicyArn"}
        rest = {"ConfigurationSetName", "KeyArn", "DashboardUrl", *table, *bucket}
        assert topics | functions | queues | policies | rest == set(stack().outputs)
        assert set(stack(DeliveriesBy="Firehose").outputs) - set(stack().outputs) == {"DeliveryBucketName"}
        assert set(stack(AlarmEmail=EMAIL).outputs) - set(stack().outputs) == {"AlarmTopicArn"}

    def test_each_has_a_description(self) -> None:
        outputs = stack(DeliveriesBy="Firehose", AlarmEmail=EMAIL).outputs
        assert {name for name, output in outputs.items() if not output.get("Description")} == set()

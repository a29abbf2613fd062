"""`feedbackctl smoke` against a fake AWS. tests/e2e runs it on a deployed stack."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner, Result

from feedbackctl.__main__ import main
from feedbackctl.aws_session import AwsSession
from feedbackctl.errors import OperatorError
from feedbackctl.smoke import run as smoke
from feedbackctl.smoke.run import Check, SmokeTest
from ses_feedback.judging.recipients import SIMULATOR
from tests.support.sam_template import stack

OUTPUTS = (
    "ContactsTableName",
    "ConfigurationSetName",
    "QuarantineQueueUrl",
    "DeadLetterQueueUrl",
    "UndeliveredQueueUrl",
)
FIREHOSE_OUTPUTS = (*OUTPUTS, "DeliveryBucketName")
SENDER = "sender@example.com"
STATUSES = {"success": "active", "ooto": "active", "bounce": "bounced", "complaint": "complained"}


class Clock:
    """A clock that advances by sleep only."""

    def __init__(self) -> None:
        """Start at 0."""
        self.seconds = 0.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Advance the clock."""
        self.seconds += seconds


@dataclass
class Aws:
    """The clients of all services.

    A contact exists three seconds after its email, or `lag` seconds if it is created by a delivery.
    """

    clock: Clock
    outputs: tuple[str, ...] = OUTPUTS
    lag: float = 3.0
    refusal: str = ""
    pages: list[list[str]] = field(default_factory=lambda: [[SENDER]])
    sent: dict[str, float] = field(default_factory=dict)
    senders: set[str] = field(default_factory=set)

    def client(self, _service: str) -> "Aws":
        """Return itself."""
        return self

    def describe_stacks(self, **_: str) -> Any:  # noqa: ANN401 (as in botocore)
        """Return the stack, or refuse the call."""
        if self.refusal:
            message = f"the message of {self.refusal}"
            raise ClientError({"Error": {"Code": self.refusal, "Message": message}}, "DescribeStacks")
        outputs = [{"OutputKey": name, "OutputValue": name} for name in self.outputs]
        return {"Stacks": [{"StackName": "ses-feedback", "Outputs": outputs}]}

    def list_email_identities(self, **request: str) -> Any:  # noqa: ANN401
        """Return one page of identities. Only those of example.com may send."""
        number = int(request.get("NextToken", "0"))
        identities = [
            {"IdentityName": name, "SendingEnabled": name.endswith("example.com")} for name in self.pages[number]
        ]
        token = {"NextToken": str(number + 1)} if number + 1 < len(self.pages) else {}
        return {"EmailIdentities": identities, **token}

    def send_email(self, **request: Any) -> None:  # noqa: ANN401
        """Record the email."""
        self.sent[request["Destination"]["ToAddresses"][0]] = self.clock.seconds
        self.senders.add(request["FromEmailAddress"])

    def get_item(self, **request: Any) -> Any:  # noqa: ANN401
        """Return the contact, if it exists by now."""
        address = request["Key"]["address"]["S"]
        status = STATUSES.get(address.partition("+")[0], "bounced")
        if self.clock.seconds < self.sent[address] + (self.lag if status == "active" else 3):
            return {}
        return {"Item": {"status": {"S": status}}}

    def get_queue_attributes(self, **_: Any) -> Any:  # noqa: ANN401
        """Return that the queue is empty."""
        return {"Attributes": {"ApproximateNumberOfMessages": "0"}}

    def get_metric_statistics(self, **request: Any) -> Any:  # noqa: ANN401
        """Return one data point, if the request is about email to the simulator."""
        is_simulator = request["Dimensions"] == [{"Name": "ConfigurationSet", "Value": SIMULATOR}]
        return {"Datapoints": [1] if is_simulator else []}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    """A fake AWS whose clock the command uses."""
    clock = Clock()
    monkeypatch.setattr(smoke, "time", clock)
    return Aws(clock)


def run(aws: Aws, sender: str | None = SENDER) -> list[Check]:
    """Run all checks."""
    return list(SmokeTest({name: name for name in aws.outputs}, aws.client).run(sender))


def failed(checks: list[Check]) -> list[str]:
    """Return the checks that failed."""
    return [check.name for check in checks if not check.passed]


def test_checks_pass_in_order_and_each_has_its_own_latency(aws: Aws) -> None:
    """An email is sent after the checks of the previous one."""
    checks = run(aws)
    assert (failed(checks), [check.name.split()[0] for check in checks]) == (
        [],
        ["success@", "bounce@", "ooto@", "complaint@", "suppressionlist@", "metrics", "no"],
    )
    assert {round(check.seconds, 3) for check in checks[:-2]} == {3.0}


def test_deliveries_through_firehose_are_checked_last_and_may_take_longer(aws: Aws) -> None:
    aws.outputs, aws.lag = FIREHOSE_OUTPUTS, 1_000.0
    checks = run(aws)
    assert (failed(checks), [check.name for check in checks[-3:-1]]) == ([], ["success@ is active", "ooto@ is active"])
    assert {round(check.seconds, 3) for check in checks[:-4]} == {3.0}
    assert aws.clock.seconds < 1_100


def test_missing_deliveries_fail_after_the_time_limit(aws: Aws) -> None:
    """Only with Firehose does the limit include the buffer time."""
    aws.lag = 100_000.0
    with_topic = run(aws), aws.clock.seconds
    aws.outputs, aws.clock.seconds = FIREHOSE_OUTPUTS, 0.0
    with_firehose = run(aws), aws.clock.seconds
    lost = ["success@ is active", "ooto@ is active"]
    assert [failed(checks) for checks, _ in (with_topic, with_firehose)] == [lost, lost]
    assert (with_topic[1] < 400, 1080 < with_firehose[1] < 1_100) == (True, True)


def test_buffer_time_is_that_of_the_template() -> None:
    stream = stack(DeliveriesBy="Firehose").properties("DeliveryStream")
    assert stream["ExtendedS3DestinationConfiguration"]["BufferingHints"]["IntervalInSeconds"] == smoke._FIREHOSE_BUFFER  # noqa: SLF001 (one number in two places)


def test_verified_identity_is_found_on_each_page(aws: Aws) -> None:
    aws.pages = [["a@example.org"] * 100, ["b@example.org"], ["example.com"]]
    run(aws, sender=None)
    assert aws.senders == {"feedbackctl@example.com"}


def test_missing_verified_identity_is_an_error_that_names_the_option(aws: Aws) -> None:
    aws.pages = [["a@example.org"], []]
    with pytest.raises(OperatorError, match="--sender"):
        run(aws, sender=None)


@pytest.fixture
def command(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return a function that runs the command."""
    monkeypatch.setattr(AwsSession, "client", lambda _self, service: aws.client(service))
    return lambda *options: CliRunner().invoke(main, ["smoke", "--stack", "ses-feedback", *options])


def test_command_lists_what_it_leaves_behind(command: Callable[..., Result]) -> None:
    result = command()
    assert result.exit_code == 0, result.output
    _, _, left_behind = result.stdout.partition("Left behind, and read by no application:\n")
    lines = left_behind.splitlines()
    assert [line.split()[0] for line in lines] == ["contact"] * 5 + ["metrics"]
    assert all("@simulator.amazonses.com in ContactsTableName" in line for line in lines[:-1])
    assert "ConfigurationSet=simulator" in lines[-1]


def test_json_has_checks_and_what_is_left_behind(aws: Aws, command: Callable[..., Result]) -> None:
    aws.lag = 100_000.0
    result = command("--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 1
    assert "feedbackctl doctor --stack ses-feedback" in result.stderr
    assert document["version"] == 1
    assert [check["name"] for check in document["checks"] if not check["passed"]] == [
        "success@ is active",
        "ooto@ is active",
    ]
    assert len(document["left_behind"]) == 6


def test_run_that_sends_nothing_leaves_nothing_behind(aws: Aws) -> None:
    aws.pages = [[]]
    test = SmokeTest({name: name for name in aws.outputs}, aws.client)
    with pytest.raises(OperatorError, match="--sender"):
        list(test.run(None))
    assert test.list_left_behind() == []


def test_refused_call_and_missing_stack_are_different_errors(aws: Aws, command: Callable[..., Result]) -> None:
    errors = []
    for aws.refusal in ("ExpiredToken", "ValidationError"):
        result = command()
        assert result.exit_code == 1
        errors.append(result.stderr)
    assert "credentials have expired" in errors[0]
    assert "There is no stack ses-feedback" in errors[1]


def test_missing_output_is_an_error_that_names_it(aws: Aws, command: Callable[..., Result]) -> None:
    """The stack is another one, or its deployment is incomplete."""
    aws.outputs = OUTPUTS[:1] + OUTPUTS[2:]
    assert "ConfigurationSetName" in command().stderr

"""`feedbackctl smoke` against an AWS whose every answer is known; tests/e2e has it on a deployed stack."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from feedbackctl.__main__ import main
from feedbackctl.commands import smoke
from feedbackctl.commands.smoke import Smoke, SmokeError, Stage
from tests.support.sam_template import stack

OUTPUTS = (
    "ContactsTableName",
    "ConfigurationSetName",
    "QuarantineQueueUrl",
    "DeadLetterQueueUrl",
    "UndeliveredQueueUrl",
)
BY_FIREHOSE = (*OUTPUTS, "DeliveryBucketName")
SENDER = "sender@example.com"
FATES = {"success": "active", "ooto": "active", "bounce": "bounced", "complaint": "complained"}


class Clock:
    """Time, that only sleeping moves on."""

    def __init__(self) -> None:
        """Start at nought."""
        self.seconds = 0.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.seconds += seconds


@dataclass
class Aws:
    """A session, and every client it makes. Contacts come three seconds after their mail, deliveries after `lag`."""

    clock: Clock
    outputs: tuple[str, ...] = OUTPUTS
    lag: float = 3.0
    refusal: str = ""
    pages: list[list[str]] = field(default_factory=lambda: [[SENDER]])
    sent: dict[str, float] = field(default_factory=dict)
    senders: set[str] = field(default_factory=set)

    def create_client(self, _service: str) -> "Aws":
        """Return itself."""
        return self

    def describe_stacks(self, **_: str) -> Any:  # noqa: ANN401 (as botocore has it)
        """Return the stack."""
        if self.refusal:
            message = f"what {self.refusal} says"
            raise ClientError({"Error": {"Code": self.refusal, "Message": message}}, "DescribeStacks")
        return {"Stacks": [{"Outputs": [{"OutputKey": name, "OutputValue": name} for name in self.outputs]}]}

    def list_email_identities(self, **request: str) -> Any:  # noqa: ANN401
        """Return one page of identities; those of another domain may not send."""
        number = int(request.get("NextToken", "0"))
        named = [{"IdentityName": one, "SendingEnabled": one.endswith("example.com")} for one in self.pages[number]]
        more = {"NextToken": str(number + 1)} if number + 1 < len(self.pages) else {}
        return {"EmailIdentities": named, **more}

    def send_email(self, **request: Any) -> None:  # noqa: ANN401
        """Note the mail."""
        self.sent[request["Destination"]["ToAddresses"][0]] = self.clock.seconds
        self.senders.add(request["FromEmailAddress"])

    def get_item(self, **request: Any) -> Any:  # noqa: ANN401
        """Return the contact, once there is one."""
        address = request["Key"]["address"]["S"]
        status = FATES.get(address.partition("+")[0], "bounced")
        if self.clock.seconds < self.sent[address] + (self.lag if status == "active" else 3):
            return {}
        due = (datetime.now(UTC) + timedelta(hours=6)).isoformat()
        item = {"status": status, "published_status": status, "pending_at": due}
        return {"Item": {name: {"S": value} for name, value in item.items()}}

    def get_queue_attributes(self, **_: Any) -> Any:  # noqa: ANN401
        """Return that nothing waits."""
        return {"Attributes": {"ApproximateNumberOfMessages": "0"}}

    def get_metric_statistics(self, **_: Any) -> Any:  # noqa: ANN401
        """Return that something was counted."""
        return {"Datapoints": [1]}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    """An AWS, in whose time the command runs."""
    clock = Clock()
    monkeypatch.setattr(smoke, "time", clock)
    return Aws(clock)


def run(aws: Aws, sender: str | None = SENDER) -> list[Stage]:
    """Run to the end."""
    return list(Smoke("ses-feedback", session=aws).run(sender))  # type: ignore[arg-type]


def failed(stages: list[Stage]) -> list[str]:
    """Return the stages that failed."""
    return [stage.name for stage in stages if not stage.passed]


def test_every_stage_passes_in_its_order(aws: Aws) -> None:
    """A mail is report before the next is sent, so that each latency is its own."""
    stages = run(aws)
    assert (failed(stages), [stage.name.split()[0] for stage in stages if not stage.name.startswith(" ")]) == (
        [],
        ["success@", "bounce@", "ooto@", "complaint@", "suppressionlist@", "metrics", "no"],
    )
    assert {round(stage.seconds, 3) for stage in stages[:-2]} == {3.0}


def test_deliveries_by_firehose_are_waited_for(aws: Aws) -> None:
    """As long as the stream gathers them, and last: everything else is known long before."""
    aws.outputs, aws.lag = BY_FIREHOSE, 1_000.0
    stages = run(aws)
    assert (failed(stages), [stage.name for stage in stages[-3:-1]]) == ([], ["success@ is active", "ooto@ is active"])
    assert {round(stage.seconds, 3) for stage in stages[:-4]} == {3.0}
    assert aws.clock.seconds < 1_100


def test_deliveries_that_do_not_come_fail(aws: Aws) -> None:
    """Patience has an end by Firehose, too, and no more of it by topic."""
    aws.lag = 100_000.0
    by_topic = run(aws), aws.clock.seconds
    aws.outputs, aws.clock.seconds = BY_FIREHOSE, 0.0
    by_firehose = run(aws), aws.clock.seconds
    lost = ["success@ is active", "ooto@ is active"]
    assert [failed(stages) for stages, _ in (by_topic, by_firehose)] == [lost, lost]
    assert (by_topic[1] < 400, 1080 < by_firehose[1] < 1_100) == (True, True)


def test_the_stream_gathers_no_longer_than_that() -> None:
    """It is the template's to say."""
    stream = stack(DeliveriesBy="Firehose").properties("DeliveryStream")
    assert stream["ExtendedS3DestinationConfiguration"]["BufferingHints"]["IntervalInSeconds"] == smoke._GATHERED  # noqa: SLF001 (the same number twice)


def test_a_verified_identity_is_found_on_any_page(aws: Aws) -> None:
    """An account may have thousands."""
    aws.pages = [["a@example.org"] * 100, ["b@example.org"], ["example.com"]]
    run(aws, sender=None)
    assert aws.senders == {"feedbackctl@example.com"}


def test_without_a_verified_identity_there_is_nothing_to_send_as(aws: Aws) -> None:
    """It says how to mend that."""
    aws.pages = [["a@example.org"], []]
    with pytest.raises(SmokeError, match="--sender"):
        run(aws, sender=None)


@pytest.fixture
def command(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """The command, that fails: what it says of it."""
    monkeypatch.setattr(smoke, "Smoke", lambda name, patience: Smoke(name, patience, session=aws))  # type: ignore[arg-type]

    def said() -> str:
        result = CliRunner().invoke(main, ["smoke", "--stack", "ses-feedback"])
        assert (result.exit_code, result.stdout) == (1, "")
        return result.stderr

    return said


def test_a_refusal_is_not_taken_for_a_stack_that_is_not_there(aws: Aws, command: Callable[[], str]) -> None:
    """Whoever's token has expired would look for the stack."""
    said = []
    for aws.refusal in ("ExpiredToken", "ValidationError"):
        said.append(command())
    assert said == [
        "Error: An error occurred (ExpiredToken) when calling the DescribeStacks operation: what ExpiredToken says\n",
        "Error: There is no stack ses-feedback in this account and Region.\n",
    ]


def test_another_stack_is_told_from_ours(aws: Aws, command: Callable[[], str]) -> None:
    """As is ours before it is all there."""
    aws.outputs = OUTPUTS[1:]
    assert command() == (
        "Error: The stack ses-feedback lacks outputs: ContactsTableName. Is it ses-feedback's, and all there?\n"
    )

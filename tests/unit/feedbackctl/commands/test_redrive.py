"""`feedbackctl redrive` on AWS emulated in this process."""

import base64
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from feedbackctl.__main__ import main
from feedbackctl.commands import redrive
from feedbackctl.commands.redrive import redrive_queue
from feedbackctl.errors import OperatorError
from localaws.in_process.embedded_aws import EmbeddedAws
from ses_feedback.aws.clients import Clients
from ses_feedback.aws.quarantine import MAX_MESSAGE_BYTES, Quarantine
from ses_feedback.timestamps import parse_timestamp
from tests.support.builders import a_bounce, a_complaint, an_sqs_event, an_sqs_record
from tests.support.faulty_client import Fault, FaultyClient, returns_garbage, times_out

HOUR = timedelta(hours=1)


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    """A new AWS."""
    with EmbeddedAws() as embedded:
        yield embedded


def create_target(aws: EmbeddedAws, **attributes: str) -> str:
    """Create a lane's queue, and return its URL."""
    url: str = aws.client("sqs").create_queue(QueueName="Lane", Attributes=attributes)["QueueUrl"]
    return url


def send(sqs: Any, queue: str, body: str, **attributes: str) -> None:  # noqa: ANN401 (botocore's client)
    """Send a message with attributes."""
    typed = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    sqs.send_message(QueueUrl=queue, MessageBody=body, MessageAttributes=typed)


def receive_bodies(sqs: Any, queue: str) -> list[str]:  # noqa: ANN401
    """Return the bodies of up to ten visible messages of a queue."""
    response = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=0)
    return [message["Body"] for message in response.get("Messages", [])]


def test_messages_are_moved_in_their_original_form_except_those_that_sqs_cannot_carry(aws: EmbeddedAws) -> None:
    sqs = aws.client("sqs")
    target = sqs.create_queue(QueueName="Lane")["QueueUrl"]
    quarantine = Quarantine(lambda: sqs, aws.quarantine_url)
    text = json.dumps(a_bounce())
    assert [quarantine.store(original, "unknown-kind", "1") for original in (text, "a\0b", text)] == ["", "", ""]
    result = CliRunner().invoke(main, ["redrive", "--from", aws.quarantine_url, "--to", target, "--yes"])
    assert (result.exit_code, result.stdout) == (0, "Moved 2, left 1 that SQS cannot carry in their original form.\n")
    assert result.stderr == f"From {aws.quarantine_url}\nTo   {target}\n"
    bodies = [message["Body"] for message in sqs.receive_message(QueueUrl=target, MaxNumberOfMessages=10)["Messages"]]
    assert bodies == [text, text]


def test_message_that_was_packed_for_its_length_is_unpacked(aws: EmbeddedAws) -> None:
    sqs = aws.client("sqs")
    target = sqs.create_queue(QueueName="Lane", Attributes={"MaximumMessageSize": "1048576"})["QueueUrl"]
    long = " " * (1_048_576 - 1)
    assert Quarantine(lambda: sqs, aws.quarantine_url).store(long, "no-content", "1") == ""
    assert redrive_queue(sqs, aws.quarantine_url, target) == (1, 0, 0)


def test_message_of_bytes_that_are_not_text_stays_unchanged(aws: EmbeddedAws) -> None:
    """A replacement of the bytes could be the address of another person."""
    sqs, target = aws.client("sqs"), create_target(aws)
    kept = Quarantine(lambda: sqs, aws.quarantine_url).store(b"jos\xe9".decode("utf-8", "surrogateescape"), "x", "1")
    assert (kept, redrive_queue(sqs, aws.quarantine_url, target)) == ("", (0, 1, 0))
    assert (receive_bodies(sqs, target), len(aws.quarantined())) == ([], 1)


@pytest.mark.parametrize("attributes", [{}, {"sent-at": "2026-03-01T12:00:00.000Z"}], ids=["first", "second"])
def test_moved_message_has_the_time_at_which_it_was_first_sent(aws: EmbeddedAws, attributes: dict[str, str]) -> None:
    sqs, target = aws.client("sqs"), create_target(aws)
    send(sqs, aws.quarantine_url, "{}", **attributes)
    assert redrive_queue(sqs, aws.quarantine_url, target) == (1, 0, 0)
    response = sqs.receive_message(
        QueueUrl=target, MessageAttributeNames=["All"], MessageSystemAttributeNames=["SentTimestamp"]
    )
    (message,) = response["Messages"]
    first = parse_timestamp(message["MessageAttributes"]["sent-at"]["StringValue"])
    assert first is not None
    moved = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
    assert first == parse_timestamp(attributes["sent-at"]) if attributes else timedelta() <= moved - first < HOUR


PACKED = {
    "not base64": "hello",
    "not gzip": base64.b64encode(b"hello").decode(),
    "cut short": base64.b64encode(gzip.compress(b"hello")[:-9]).decode(),
    "broken": base64.b64encode(gzip.compress(b"hello" * 9)[:10] + b"\xff" * 20).decode(),
    "not text": base64.b64encode(gzip.compress(b"jos\xe9")).decode(),
    "too much": base64.b64encode(gzip.compress(b"x" * (MAX_MESSAGE_BYTES + 1))).decode(),
}


@pytest.mark.parametrize("body", PACKED.values(), ids=PACKED)
def test_message_that_cannot_be_unpacked_stays_and_later_messages_are_moved(aws: EmbeddedAws, body: str) -> None:
    sqs, target = aws.client("sqs"), create_target(aws)
    send(sqs, aws.quarantine_url, body, encoding="gzip+base64")
    send(sqs, aws.quarantine_url, "{}")
    assert redrive_queue(sqs, aws.quarantine_url, target) == (1, 1, 0)
    assert receive_bodies(sqs, target) == ["{}"]


def test_message_with_another_encoding_attribute_is_not_unpacked(aws: EmbeddedAws) -> None:
    sqs, target = aws.client("sqs"), create_target(aws)
    send(sqs, aws.quarantine_url, "hello", encoding="utf-8")
    assert (redrive_queue(sqs, aws.quarantine_url, target), receive_bodies(sqs, target)) == ((1, 0, 0), ["hello"])


def test_message_longer_than_the_limit_of_the_target_stays(aws: EmbeddedAws) -> None:
    sqs, target = aws.client("sqs"), create_target(aws, MaximumMessageSize="1024")
    send(sqs, aws.quarantine_url, "x" * 1025)
    send(sqs, aws.quarantine_url, "{}")
    assert (redrive_queue(sqs, aws.quarantine_url, target), receive_bodies(sqs, target)) == ((1, 1, 0), ["{}"])


def test_messages_that_stay_are_visible_immediately(aws: EmbeddedAws) -> None:
    sqs, target = aws.client("sqs"), create_target(aws)
    for _ in range(11):
        send(sqs, aws.quarantine_url, "hello", encoding="gzip+base64")
    assert redrive_queue(sqs, aws.quarantine_url, target) == (0, 11, 0)
    assert (len(receive_bodies(sqs, aws.quarantine_url)), len(receive_bodies(sqs, aws.quarantine_url))) == (10, 1)


FOREIGN = (
    "https://sqs.us-east-1.amazonaws.com/999999999999/BounceQueue",
    "https://sqs.us-east-1.amazonaws.com/999999999999/BounceQueue/",
    "https://attacker.example.org/BounceQueue",
)


@pytest.mark.parametrize(
    ("source", "target"),
    [("own", FOREIGN[0]), ("own", FOREIGN[1]), ("own", FOREIGN[2]), (FOREIGN[0], "own"), FOREIGN[:2]],
)
def test_queue_of_another_account_than_the_callers_is_an_error_and_nothing_is_moved(
    aws: EmbeddedAws, source: str, target: str
) -> None:
    """Messages contain addresses. STS names the caller's account."""
    send(aws.client("sqs"), aws.quarantine_url, "{}")
    queues = [aws.quarantine_url if url == "own" else url for url in (source, target)]
    result = CliRunner().invoke(main, ["redrive", "--from", queues[0], "--to", queues[1], "--yes"])
    assert (result.exit_code, result.stdout, len(aws.quarantined())) == (1, "", 1)
    if source.rstrip("/") != target.rstrip("/"):
        assert "you are signed in to 123456789012. Nothing was moved." in result.stderr


def test_redrive_asks_before_it_moves_anything(aws: EmbeddedAws) -> None:
    send(aws.client("sqs"), aws.quarantine_url, "{}")
    result = CliRunner().invoke(main, ["redrive", "--from", aws.quarantine_url, "--to", create_target(aws)])
    assert (result.exit_code, "Give --yes" in result.stderr, len(aws.quarantined())) == (1, True, 1)


# Messages that contain messages


def test_messages_inside_a_message_are_sent_each_by_itself(aws: EmbeddedAws) -> None:
    """A lane would quarantine a Lambda event, which a queue for failed invocations has as its messages."""
    sqs, target = aws.client("sqs"), create_target(aws)
    event = an_sqs_event(a_bounce(), a_complaint())
    send(sqs, aws.quarantine_url, json.dumps({"requestContext": {}, "requestPayload": event}))
    assert redrive_queue(sqs, aws.quarantine_url, target) == (1, 0, 0)
    assert sorted(receive_bodies(sqs, target)) == sorted(record["body"] for record in event["Records"])


def test_message_stays_if_sqs_cannot_carry_one_of_the_messages_inside(aws: EmbeddedAws) -> None:
    sqs, target = aws.client("sqs"), create_target(aws)
    send(sqs, aws.quarantine_url, json.dumps({"Records": [an_sqs_record(a_bounce()), an_sqs_record("a\0b")]}))
    assert redrive_queue(sqs, aws.quarantine_url, target) == (0, 1, 0)
    assert (receive_bodies(sqs, target), len(aws.quarantined())) == ([], 1)


@pytest.mark.parametrize("body", ["[]", '{"Records": []}', '{"source": "ses-feedback"}'])
def test_event_without_feedback_is_moved_unchanged(aws: EmbeddedAws, body: str) -> None:
    sqs, target = aws.client("sqs"), create_target(aws)
    send(sqs, aws.quarantine_url, body)
    assert (redrive_queue(sqs, aws.quarantine_url, target), receive_bodies(sqs, target)) == ((1, 0, 0), [body])


def test_time_of_a_message_inside_is_its_own(aws: EmbeddedAws) -> None:
    sqs, target = aws.client("sqs"), create_target(aws)
    record = an_sqs_record(a_bounce(), attributes={"SentTimestamp": "1772366405000"})
    send(sqs, aws.quarantine_url, json.dumps({"Records": [record]}))
    redrive_queue(sqs, aws.quarantine_url, target)
    (message,) = sqs.receive_message(QueueUrl=target, MessageAttributeNames=["All"])["Messages"]
    assert message["MessageAttributes"]["sent-at"]["StringValue"] == "2026-03-01T12:00:05.000Z"


@pytest.mark.parametrize("slash", ["", "/"])
def test_redrive_to_the_same_queue_is_an_error(aws: EmbeddedAws, slash: str) -> None:
    send(aws.client("sqs"), aws.quarantine_url, "{}")
    result = CliRunner().invoke(
        main, ["redrive", "--from", aws.quarantine_url, "--to", aws.quarantine_url + slash, "--yes"]
    )
    assert (result.exit_code, "both queues are the same" in result.output, len(aws.quarantined())) == (1, True, 1)


@dataclass
class ReturnsMessages:
    """SQS with a lane that returns each message to quarantine `times` times, dated a minute later."""

    sqs: Any
    quarantine: str
    times: int = 1
    ids: set[str] = field(default_factory=set)

    def __getattr__(self, operation: str) -> Any:  # noqa: ANN401 (botocore's methods)
        """Return the method of the SQS client."""
        return getattr(self.sqs, operation)

    def send_message(self, **request: Any) -> Any:  # noqa: ANN401
        """Send a message to the lane and to quarantine."""
        for _ in range(self.times):
            returned = self.sqs.send_message(QueueUrl=self.quarantine, MessageBody=request["MessageBody"])
            self.ids.add(returned["MessageId"])
        assert len(self.ids) < 1000
        return self.sqs.send_message(**request)

    def receive_message(self, **request: Any) -> Any:  # noqa: ANN401
        """Receive messages; returned ones have a later time."""
        response = self.sqs.receive_message(**request)
        for message in response.get("Messages", []):
            if message["MessageId"] in self.ids:
                attributes = message["Attributes"]
                attributes["SentTimestamp"] = str(int(attributes["SentTimestamp"]) + 60_000)
        return response


def test_messages_that_a_lane_returns_are_not_moved_again(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise messages that a lane cannot read would circulate as long as the command runs."""
    target = create_target(aws)
    for number in range(20):
        send(aws.client("sqs"), aws.quarantine_url, f"not JSON {number}")
    monkeypatch.setattr(Clients, "sqs", ReturnsMessages(aws.client("sqs"), aws.quarantine_url))
    result = CliRunner().invoke(main, ["redrive", "--from", aws.quarantine_url, "--to", target, "--yes"])
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [
            "Moved 20, left 0 that SQS cannot carry in their original form.",
            (
                "Left 20 more that arrived during the run. If a lane sends them back, find the reason: "
                "docs/operate/runbook.md"
            ),
        ],
    )
    assert len(aws.quarantined()) == 20


def test_redrive_ends_although_new_messages_arrive(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redrive, "_MAX_RECEIVES_WITHOUT_OLD_MESSAGES", 2)
    sqs = ReturnsMessages(aws.client("sqs"), aws.quarantine_url, times=50)
    send(aws.client("sqs"), aws.quarantine_url, "not JSON")
    assert redrive_queue(sqs, aws.quarantine_url, create_target(aws)) == (1, 0, 20)


def test_missing_target_is_an_error_and_each_message_stays_visible(aws: EmbeddedAws) -> None:
    sqs = aws.client("sqs")
    send(sqs, aws.quarantine_url, "hello", encoding="gzip+base64")
    send(sqs, aws.quarantine_url, "{}")
    send(sqs, aws.quarantine_url, "{}")
    result = CliRunner().invoke(
        main, ["redrive", "--from", aws.quarantine_url, "--to", aws.quarantine_url + "Not", "--yes"]
    )
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1] == (
        "Error: SQS failed (SendMessage: AWS.SimpleQueueService.NonExistentQueue). Moved 0, left 1 that SQS cannot "
        "carry in their original form; the others are still in the queue. Fix the cause and run the command again. "
        "Feedback that is moved twice changes nothing"
    )
    assert len(receive_bodies(sqs, aws.quarantine_url)) == 3


def test_message_stays_if_the_response_to_its_send_is_malformed(aws: EmbeddedAws) -> None:
    """A response 200 of a broken proxy does not prove that SQS has the message."""
    sqs, target = aws.client("sqs"), create_target(aws)
    send(sqs, aws.quarantine_url, "{}")
    with pytest.raises(OperatorError, match="MalformedResponseError"):
        redrive_queue(FaultyClient(sqs, default_fault=returns_garbage, only="send_message"), aws.quarantine_url, target)
    assert receive_bodies(sqs, aws.quarantine_url) == ["{}"]


@pytest.mark.parametrize("fault", [times_out, returns_garbage])
def test_failure_of_the_first_call_is_an_error_without_botocores_text(aws: EmbeddedAws, fault: Fault) -> None:
    sqs = FaultyClient(aws.client("sqs"), default_fault=fault)
    with pytest.raises(OperatorError, match=r"SQS failed \(\w+\)\. Moved 0"):
        redrive_queue(sqs, aws.quarantine_url, create_target(aws))


def test_later_failure_is_an_error_that_states_the_number_of_moved_messages(aws: EmbeddedAws) -> None:
    """No message can be released then; each becomes visible after its timeout."""
    sqs, target = aws.client("sqs"), create_target(aws)
    send(sqs, aws.quarantine_url, "{}")
    send(sqs, aws.quarantine_url, "{}")
    failing = FaultyClient(sqs, faults=dict.fromkeys(range(3, 9), times_out))
    with pytest.raises(OperatorError, match="Moved 1, left 0"):
        redrive_queue(failing, aws.quarantine_url, target)
    assert failing.count("change_message_visibility_batch") == 1

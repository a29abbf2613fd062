"""What an operator does to a deployed stack."""

import base64
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from feedbackctl.__main__ import main
from feedbackctl.commands import operate
from feedbackctl.commands.operate import OperatorError, redrive_queue
from localaws.in_process.embedded_aws import EmbeddedAws
from ses_feedback.aws.clients import Clients
from ses_feedback.aws.quarantine import MAX_MESSAGE_BYTES, Quarantine
from ses_feedback.handlers import feedback, suppression
from ses_feedback.settings import Settings
from tests.support.builders import RECIPIENT, START, a_bounce
from tests.support.deployed_functions import FakeContext
from tests.support.fakes import Fault, FaultyClient, garbles, refuses, times_out


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    """An AWS of its own."""
    with EmbeddedAws() as embedded:
        yield embedded


def reinstate(aws: EmbeddedAws, address: str, reason: str = "asked by phone") -> tuple[int, str]:
    """Return what the command exits with and prints."""
    arguments = ["reinstate", address, "--table", aws.table_name, "--reason", reason]
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


def sync(aws: EmbeddedAws) -> None:
    """Let SuppressionFunction do what the table's stream brings."""
    settings = Settings(aws.table_name)
    handler = suppression.compose(settings, Clients(), now=aws.clock.now, sleep=aws.clock.sleep)
    while records := aws.stream_records():
        handler({"Records": records}, FakeContext())


def bounce(aws: EmbeddedAws, said: dict[str, Any] | None = None) -> None:
    """Let the recipient bounce, or whatever is `said`, and the list sync."""
    handler = feedback.compose(Settings(aws.table_name), Clients(), now=aws.clock.now, sleep=aws.clock.sleep)
    assert handler(said or a_bounce(), FakeContext()) == {"applied": 1}
    sync(aws)


def lane(aws: EmbeddedAws, **attributes: str) -> str:
    """Make a queue to redrive to; return its URL."""
    url: str = aws.client("sqs").create_queue(QueueName="Lane", Attributes=attributes)["QueueUrl"]
    return url


def put(sqs: Any, queue: str, body: str, **attributes: str) -> None:  # noqa: ANN401 (botocore's client)
    """Send a message with attributes."""
    typed = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    sqs.send_message(QueueUrl=queue, MessageBody=body, MessageAttributes=typed)


def bodies(sqs: Any, queue: str) -> list[str]:  # noqa: ANN401
    """Return up to ten messages that can be seen on a queue."""
    answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=0)
    return [message["Body"] for message in answer.get("Messages", [])]


def test_a_reinstated_contact_may_be_mailed_and_leaves_the_list(aws: EmbeddedAws) -> None:
    """The operator changes the contact and nothing else; the list follows."""
    bounce(aws)
    assert [entry.email_address for entry in aws.suppression_list.entries()] == [RECIPIENT]
    assert reinstate(aws, f"Somebody <{RECIPIENT}>") == (0, "The contact is active.\n")
    sync(aws)
    [contact] = aws.contacts()
    assert (contact["may_send"], contact["opted_in_reason"]) == ({"BOOL": True}, {"S": "asked by phone"})
    assert aws.suppression_list.entries() == []
    assert aws.events()[-1]["detail"]["new_status"] == "active"


def test_what_was_said_before_a_reinstatement_no_longer_counts(aws: EmbeddedAws) -> None:
    """However late, and however often, it comes."""
    bounce(aws)
    reinstate(aws, RECIPIENT)
    bounce(aws)
    assert [contact["status"] for contact in aws.contacts()] == [{"S": "active"}]


def test_reinstating_twice_is_reinstating_once(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same words at the same time change nothing, and the command says where the contact stands."""
    monkeypatch.setattr(operate, "utc_now", lambda: START)
    once = reinstate(aws, RECIPIENT), aws.contacts()
    assert once[0] == (0, "The contact is active.\n")
    assert (reinstate(aws, RECIPIENT), aws.contacts()) == once


def test_a_contact_that_cannot_be_written_is_told_of(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some tries: somebody else may have written it each time."""
    refused = refuses("InternalServerError")
    broken = FaultyClient(aws.client("dynamodb"), otherwise=refused, only="batch_execute_statement")
    monkeypatch.setattr(Clients, "dynamodb", broken)
    assert reinstate(aws, RECIPIENT) == (1, "Error: the contact can't be written: InternalServerError; try again\n")
    assert (broken.count("batch_execute_statement"), aws.contacts()) == (10, [])


def test_no_address_is_no_contact(aws: EmbeddedAws) -> None:
    """The command says what it takes, and repeats nothing."""
    code, said = reinstate(aws, "nobody")
    assert (code, "give the bare address" in said, aws.contacts()) == (1, True, [])


@pytest.mark.parametrize("said", [a_bounce(), a_bounce("Transient", "MailboxFull")], ids=["status", "soft_bounce"])
def test_what_is_newer_than_the_clock_is_not_overridden(
    aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch, said: dict[str, Any]
) -> None:
    """The clock may be slow, or the feedback dated ahead. The command fails, says so, and changes nothing."""
    bounce(aws, said)
    before = aws.contacts()
    monkeypatch.setattr(operate, "utc_now", lambda: START - timedelta(days=1))
    code, printed = reinstate(aws, RECIPIENT)
    assert (code, "@" in printed) == (1, False)
    assert "newer than this machine's clock (2026-02-28T12:00:00.000Z)" in printed
    assert aws.contacts() == before


@pytest.mark.parametrize(
    ("reason", "why"),
    [("", "empty"), (" \n", "empty"), ("x" * 501, "has 501 characters"), ("caf\udce9", "write it in UTF-8")],
    ids=["nothing", "blank", "long", "no text"],
)
def test_a_reason_is_some_words(aws: EmbeddedAws, reason: str, why: str) -> None:
    """Somebody reads it later, and the item it is kept on is read and written whole."""
    code, said = reinstate(aws, RECIPIENT, reason)
    assert (code, why in said, aws.contacts()) == (1, True, [])


def test_a_reason_may_be_as_long_as_it_may(aws: EmbeddedAws) -> None:
    """Space around it does not count."""
    assert reinstate(aws, RECIPIENT, f" {'ä' * 500}\n") == (0, "The contact is active.\n")
    assert [contact["opted_in_reason"] for contact in aws.contacts()] == [{"S": "ä" * 500}]


def test_an_address_that_is_no_text_is_none(aws: EmbeddedAws) -> None:
    """In either part."""
    for address in ("caf\udce9@example.com", "cafe@caf\udce9.example.com"):
        code, said = reinstate(aws, address)
        assert (code, "give the bare address" in said, aws.contacts()) == (1, True, [])


def test_a_contact_nobody_can_read_is_told_of(aws: EmbeddedAws) -> None:
    """With where to look."""
    item = {"address": {"S": RECIPIENT}, "record": {"S": "contact"}}
    aws.client("dynamodb").put_item(TableName=aws.table_name, Item=item)
    code, said = reinstate(aws, RECIPIENT)
    assert (code, "unreadable-contact" in said) == (1, True)


def test_a_queue_is_redriven_as_it_came(aws: EmbeddedAws) -> None:
    """What SQS could not carry is left for somebody to mend."""
    sqs = aws.client("sqs")
    target = sqs.create_queue(QueueName="Lane")["QueueUrl"]
    quarantine = Quarantine(lambda: sqs, aws.quarantine_url)
    text = json.dumps(a_bounce())
    assert [quarantine.store(one, "unknown-kind", "1") for one in (text, "a\0b", text)] == ["", "", ""]
    result = CliRunner().invoke(main, ["redrive", "--from", aws.quarantine_url, "--to", target])
    assert (result.exit_code, result.output) == (0, "Moved 2, left 1 that SQS can't carry as they are.\n")
    bodies = [message["Body"] for message in sqs.receive_message(QueueUrl=target, MaxNumberOfMessages=10)["Messages"]]
    assert bodies == [text, text]


def test_what_was_only_too_long_is_unpacked(aws: EmbeddedAws) -> None:
    """Packed for quarantine, it goes on as it came where the queue takes it."""
    sqs = aws.client("sqs")
    target = sqs.create_queue(QueueName="Lane", Attributes={"MaximumMessageSize": "1048576"})["QueueUrl"]
    long = " " * (1_048_576 - 1)
    assert Quarantine(lambda: sqs, aws.quarantine_url).store(long, "no-content", "1") == ""
    assert redrive_queue(sqs, aws.quarantine_url, target) == (1, 0, 0)


def test_bytes_that_are_no_text_become_no_other_text(aws: EmbeddedAws) -> None:
    """A lane would take the address that came of them for somebody's."""
    sqs, target = aws.client("sqs"), lane(aws)
    kept = Quarantine(lambda: sqs, aws.quarantine_url).store(b"jos\xe9".decode("utf-8", "surrogateescape"), "x", "1")
    assert (kept, redrive_queue(sqs, aws.quarantine_url, target)) == ("", (0, 1, 0))
    assert (bodies(sqs, target), len(aws.quarantined())) == ([], 1)


PACKED = {
    "not base64": "hello",
    "not gzip": base64.b64encode(b"hello").decode(),
    "cut short": base64.b64encode(gzip.compress(b"hello")[:-9]).decode(),
    "broken": base64.b64encode(gzip.compress(b"hello" * 9)[:10] + b"\xff" * 20).decode(),
    "not text": base64.b64encode(gzip.compress(b"jos\xe9")).decode(),
    "too much": base64.b64encode(gzip.compress(b"x" * (MAX_MESSAGE_BYTES + 1))).decode(),
}


@pytest.mark.parametrize("body", PACKED.values(), ids=PACKED)
def test_what_cannot_be_unpacked_is_left(aws: EmbeddedAws, body: str) -> None:
    """And what was sent behind it is moved all the same."""
    sqs, target = aws.client("sqs"), lane(aws)
    put(sqs, aws.quarantine_url, body, encoding="gzip+base64")
    put(sqs, aws.quarantine_url, "{}")
    assert redrive_queue(sqs, aws.quarantine_url, target) == (1, 1, 0)
    assert bodies(sqs, target) == ["{}"]


def test_only_what_quarantine_packed_is_unpacked(aws: EmbeddedAws) -> None:
    """Others have an attribute of this name, too."""
    sqs, target = aws.client("sqs"), lane(aws)
    put(sqs, aws.quarantine_url, "hello", encoding="utf-8")
    assert (redrive_queue(sqs, aws.quarantine_url, target), bodies(sqs, target)) == ((1, 0, 0), ["hello"])


def test_what_the_target_finds_too_long_is_left(aws: EmbeddedAws) -> None:
    """A queue may take less than another."""
    sqs, target = aws.client("sqs"), lane(aws, MaximumMessageSize="1024")
    put(sqs, aws.quarantine_url, "x" * 1025)
    put(sqs, aws.quarantine_url, "{}")
    assert (redrive_queue(sqs, aws.quarantine_url, target), bodies(sqs, target)) == ((1, 1, 0), ["{}"])


def test_what_is_left_can_be_seen_at_once(aws: EmbeddedAws) -> None:
    """Whoever redrives looks at what is left next."""
    sqs, target = aws.client("sqs"), lane(aws)
    for _ in range(11):
        put(sqs, aws.quarantine_url, "hello", encoding="gzip+base64")
    assert redrive_queue(sqs, aws.quarantine_url, target) == (0, 11, 0)
    assert (len(bodies(sqs, aws.quarantine_url)), len(bodies(sqs, aws.quarantine_url))) == (10, 1)


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_queue_is_not_redriven_to_itself(aws: EmbeddedAws, slash: str) -> None:
    """It would never be empty."""
    put(aws.client("sqs"), aws.quarantine_url, "{}")
    result = CliRunner().invoke(main, ["redrive", "--from", aws.quarantine_url, "--to", aws.quarantine_url + slash])
    assert (result.exit_code, "the same queue" in result.output, len(aws.quarantined())) == (1, True, 1)


@dataclass
class SendsBack:
    """An SQS whose lane sends everything back to quarantine, a minute later by its clock, `times` for each message."""

    sqs: Any
    quarantine: str
    times: int = 1
    ids: set[str] = field(default_factory=set)

    def __getattr__(self, operation: str) -> Any:  # noqa: ANN401 (whatever botocore takes and gives)
        """Return SQS's own method."""
        return getattr(self.sqs, operation)

    def send_message(self, **request: Any) -> Any:  # noqa: ANN401
        """Send, and send back."""
        for _ in range(self.times):
            back = self.sqs.send_message(QueueUrl=self.quarantine, MessageBody=request["MessageBody"])
            self.ids.add(back["MessageId"])
        assert len(self.ids) < 1000
        return self.sqs.send_message(**request)

    def receive_message(self, **request: Any) -> Any:  # noqa: ANN401
        """Receive, what was sent back with its time."""
        answer = self.sqs.receive_message(**request)
        for message in answer.get("Messages", []):
            if message["MessageId"] in self.ids:
                sent = message["Attributes"]
                sent["SentTimestamp"] = str(int(sent["SentTimestamp"]) + 60_000)
        return answer


def test_what_comes_back_is_not_moved_again(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or what a lane can't understand would go round for as long as the command runs. It is told of."""
    target = lane(aws)
    for number in range(20):
        put(aws.client("sqs"), aws.quarantine_url, f"not JSON {number}")
    monkeypatch.setattr(Clients, "sqs", SendsBack(aws.client("sqs"), aws.quarantine_url))
    result = CliRunner().invoke(main, ["redrive", "--from", aws.quarantine_url, "--to", target])
    assert (result.exit_code, result.output.splitlines()) == (
        0,
        [
            "Moved 20, left 0 that SQS can't carry as they are.",
            "Left 20 more that came meanwhile; if a lane sends them back, see why: docs/operate/runbook.md",
        ],
    )
    assert len(aws.quarantined()) == 20


def test_a_queue_that_fills_meanwhile_is_not_followed_for_ever(
    aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After so many answers without a message from before, there is none."""
    monkeypatch.setattr(operate, "_IN_VAIN", 2)
    sqs = SendsBack(aws.client("sqs"), aws.quarantine_url, times=50)
    put(aws.client("sqs"), aws.quarantine_url, "not JSON")
    assert redrive_queue(sqs, aws.quarantine_url, lane(aws)) == (1, 0, 20)


def test_a_target_that_is_not_there_is_told_of(aws: EmbeddedAws) -> None:
    """With what was done, and what to do. Nothing is lost, and nothing out of sight."""
    sqs = aws.client("sqs")
    put(sqs, aws.quarantine_url, "hello", encoding="gzip+base64")
    put(sqs, aws.quarantine_url, "{}")
    put(sqs, aws.quarantine_url, "{}")
    result = CliRunner().invoke(main, ["redrive", "--from", aws.quarantine_url, "--to", aws.quarantine_url + "Not"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: SQS failed (SendMessage: AWS.SimpleQueueService.NonExistentQueue). Moved 0, left 1 that SQS can't "
        "carry as they are, and the rest where it was. Mend that and run it again: what is moved twice changes "
        "nothing\n"
    )
    assert len(bodies(sqs, aws.quarantine_url)) == 3


def test_what_sqs_did_not_take_for_sure_stays(aws: EmbeddedAws) -> None:
    """A 200 of a broken proxy's is no proof."""
    sqs, target = aws.client("sqs"), lane(aws)
    put(sqs, aws.quarantine_url, "{}")
    with pytest.raises(OperatorError, match="MalformedResponseError"):
        redrive_queue(FaultyClient(sqs, otherwise=garbles, only="send_message"), aws.quarantine_url, target)
    assert bodies(sqs, aws.quarantine_url) == ["{}"]


@pytest.mark.parametrize("fault", [times_out, garbles])
def test_an_sqs_that_is_away_is_told_of(aws: EmbeddedAws, fault: Fault) -> None:
    """From the first call on; the error repeats nothing of botocore's."""
    sqs = FaultyClient(aws.client("sqs"), otherwise=fault)
    with pytest.raises(OperatorError, match=r"SQS failed \(\w+\)\. Moved 0"):
        redrive_queue(sqs, aws.quarantine_url, lane(aws))


def test_an_sqs_that_goes_away_does_not_hide_what_was_done(aws: EmbeddedAws) -> None:
    """Though nothing can be given back then; it comes by itself."""
    sqs, target = aws.client("sqs"), lane(aws)
    put(sqs, aws.quarantine_url, "{}")
    put(sqs, aws.quarantine_url, "{}")
    gone = FaultyClient(sqs, faults=dict.fromkeys(range(3, 9), times_out))
    with pytest.raises(OperatorError, match="Moved 1, left 0"):
        redrive_queue(gone, aws.quarantine_url, target)
    assert gone.count("change_message_visibility_batch") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["redrive", "--from", "https://example.com/1/a", "--to", "https://example.com/1/b"],
        ["reinstate", RECIPIENT, "--table", "Contacts", "--reason", "asked"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_without_a_region_there_is_no_aws_to_ask(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands say that they need one."""
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made-up")
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.output) == (1, "Error: You must specify a region.\n")

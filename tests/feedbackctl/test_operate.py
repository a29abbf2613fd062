"""What an operator does to a deployed stack."""

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from feedbackctl.__main__ import main
from feedbackctl.embedded import EmbeddedAws
from feedbackctl.operate import redrive_queue
from ses_feedback.handlers import feedback, suppression
from ses_feedback.handlers.clients import Clients
from ses_feedback.quarantine import Quarantine
from ses_feedback.settings import Settings
from tests.builders import RECIPIENT, a_bounce
from tests.world import FakeContext


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    """An AWS of its own."""
    with EmbeddedAws() as embedded:
        yield embedded


def reinstate(aws: EmbeddedAws, address: str) -> tuple[int, str]:
    """Return what the command exits with and prints."""
    arguments = ["reinstate", address, "--table", aws.table_name, "--reason", "asked by phone"]
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


def follow(aws: EmbeddedAws) -> None:
    """Let SuppressionFunction do what the table's stream brings."""
    settings = Settings(aws.table_name)
    handler = suppression.compose(settings, Clients(), now=aws.clock.now, sleep=aws.clock.sleep)
    while records := aws.stream_records():
        handler({"Records": records}, FakeContext())


def bounce(aws: EmbeddedAws) -> None:
    """Let the recipient bounce, and the list follow."""
    handler = feedback.compose(Settings(aws.table_name), Clients(), now=aws.clock.now, sleep=aws.clock.sleep)
    assert handler(a_bounce(), FakeContext()) == {"applied": 1}
    follow(aws)


def test_a_reinstated_contact_may_be_mailed_and_leaves_the_list(aws: EmbeddedAws) -> None:
    """The operator changes the contact and nothing else; the list follows."""
    bounce(aws)
    assert [entry.email_address for entry in aws.suppression_list.entries()] == [RECIPIENT]
    assert reinstate(aws, f"Somebody <{RECIPIENT}>") == (0, "The contact is active.\n")
    follow(aws)
    [contact] = aws.contacts()
    assert (contact["may_send"], contact["opted_in_reason"]) == ({"BOOL": True}, {"S": "asked by phone"})
    assert aws.suppression_list.entries() == []
    assert aws.announcements()[-1]["detail"]["new_status"] == "active"


def test_what_was_said_before_a_reinstatement_no_longer_counts(aws: EmbeddedAws) -> None:
    """However late, and however often, it comes."""
    bounce(aws)
    reinstate(aws, RECIPIENT)
    bounce(aws)
    assert [contact["status"] for contact in aws.contacts()] == [{"S": "active"}]


def test_no_address_is_no_contact(aws: EmbeddedAws) -> None:
    """The command says what it takes, and repeats nothing."""
    code, said = reinstate(aws, "nobody")
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
    assert [quarantine.keep(one, "unknown-kind", "1") for one in (text, "a\0b", text)] == ["", "", ""]
    result = CliRunner().invoke(main, ["redrive", "--from", aws.quarantine_url, "--to", target])
    assert (result.exit_code, result.output) == (0, "Moved 2, left 1 that SQS can't carry as they are.\n")
    bodies = [message["Body"] for message in sqs.receive_message(QueueUrl=target, MaxNumberOfMessages=10)["Messages"]]
    assert bodies == [text, text]


def test_what_was_only_too_long_is_unpacked(aws: EmbeddedAws) -> None:
    """Packed for quarantine, it goes on as it came where the queue takes it."""
    sqs = aws.client("sqs")
    target = sqs.create_queue(QueueName="Lane", Attributes={"MaximumMessageSize": "1048576"})["QueueUrl"]
    long = " " * (1_048_576 - 1)
    assert Quarantine(lambda: sqs, aws.quarantine_url).keep(long, "no-content", "1") == ""
    assert redrive_queue(sqs, aws.quarantine_url, target) == (1, 0)

"""Quarantine keeps a message as it is wherever SQS can carry it, and packed where it can't."""

import base64
import gzip
from collections.abc import Iterator
from random import Random
from string import ascii_letters, digits

import pytest

from localaws.in_process.embedded_aws import EmbeddedAws
from ses_feedback.aws.quarantine import MAX_MESSAGE_BYTES, TOO_LONG, Quarantine, too_long
from tests.support.fakes import ManualClock
from tests.support.faulty_client import Fault, FaultyClient, garbles, loses_the_answer, refuses, times_out

SQS_BODY = MAX_MESSAGE_BYTES - 1024
"""Bytes of body that leave room for the attributes."""


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    """An embedded AWS."""
    with EmbeddedAws(ManualClock()) as aws:
        yield aws


def store(
    aws: EmbeddedAws, original: str, reason: str = "not-json", source: str = "record-1"
) -> tuple[str, dict[str, str]]:
    """Keep a message; return the body and the attributes on the queue."""
    assert Quarantine(lambda: aws.client("sqs"), aws.quarantine_url).store(original, reason, source) == ""
    [message] = aws.quarantined()
    return message.body, message.attributes


@pytest.mark.parametrize("original", ["{}", " \t\r\n{", "x" * SQS_BODY, "é😀\ufffd\u20ac", "\x85\x7f"], ids=range(5))
def test_what_sqs_carries(aws: EmbeddedAws, original: str) -> None:
    """Text that SQS takes is kept as it came, so that it can be redriven as it is."""
    assert store(aws, original) == (original, {"reason": "not-json", "source": "record-1"})


PACKED = ["", "\x00", "\x0b", "a\x1fb", "\ufffe", "\uffff", "\ud800", "x" * (SQS_BODY + 1), "é" * (SQS_BODY // 2 + 1)]


@pytest.mark.parametrize("original", PACKED, ids=range(len(PACKED)))
def test_what_sqs_does_not_carry(aws: EmbeddedAws, original: str) -> None:
    """Text that SQS refuses is packed, and an attribute says how."""
    body, attributes = store(aws, original)
    assert attributes == {"reason": "not-json", "source": "record-1", "encoding": "gzip+base64"}
    assert gzip.decompress(base64.b64decode(body)).decode("utf-8", "surrogatepass") == original


def test_the_same_message_packs_to_the_same_text(aws: EmbeddedAws) -> None:
    """Nothing of the time it was packed is in it: who compares what is kept twice sees it is one message."""
    client = FaultyClient(aws.client("sqs"))
    for _ in range(2):
        Quarantine(lambda: client, aws.quarantine_url).store("\x00", "not-json", "1")
    assert client.calls[0].request["MessageBody"] == client.calls[1].request["MessageBody"]
    assert base64.b64decode(client.calls[0].request["MessageBody"])[4:8] == bytes(4)


def test_attributes_are_cut_to_size(aws: EmbeddedAws) -> None:
    """However long a reason, body and attributes stay within what one message may hold."""
    _, attributes = store(aws, "x" * SQS_BODY, reason="r" * 5_000, source="s" * 5_000)
    assert attributes == {"reason": "r" * 256, "source": "s" * 256}


def test_a_record_without_an_id(aws: EmbeddedAws) -> None:
    """SQS takes no empty attribute."""
    assert store(aws, "{}", source="")[1]["source"] == "unknown"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (refuses("OverLimit"), "OverLimit"),
        (times_out, "ReadTimeoutError"),
        (loses_the_answer, "ReadTimeoutError"),
        (garbles, "MalformedResponseError"),
    ],
    ids=["refused", "timeout", "lost answer", "garbled"],
)
def test_a_message_is_kept_only_when_sqs_says_so(aws: EmbeddedAws, fault: Fault, reason: str) -> None:
    """A fault is returned in one word, none of it SQS's own; nothing is raised."""
    client = FaultyClient(aws.client("sqs"), otherwise=fault)
    assert Quarantine(lambda: client, aws.quarantine_url).store("{}", "not-json", "1") == reason


def test_what_nobody_foresaw_is_a_reason_too(aws: EmbeddedAws) -> None:
    """What SQS's stand-in answers must not end the batch."""

    def trips(*_: object) -> None:
        raise RecursionError

    client = FaultyClient(aws.client("sqs"), otherwise=trips)
    kept = Quarantine(lambda: client, aws.quarantine_url).store("{}", "not-json", "1")
    assert kept == "internal-error: RecursionError"


CHANCE = Random(1)  # noqa: S311 (repeatable chance, not secrecy)
NOISE = "".join(CHANCE.choices(ascii_letters + digits + "+/-_.,", k=MAX_MESSAGE_BYTES + 1))
"""What gzip and base64 make longer."""


def test_what_no_queue_carries_is_not_tried(aws: EmbeddedAws) -> None:
    """SQS would refuse it, time and again: whoever asks is told before."""
    client = FaultyClient(aws.client("sqs"))
    for original in (NOISE, NOISE[:-1_000] + "\x00"):
        assert too_long(original)
        assert Quarantine(lambda: client, aws.quarantine_url).store(original, "not-json", "1") == TOO_LONG
    assert client.calls == []


@pytest.mark.parametrize("original", [NOISE[:-1], "x" * 10 * MAX_MESSAGE_BYTES, "\x00" * MAX_MESSAGE_BYTES, "", "{}"])
def test_what_is_not_too_long_is_kept(aws: EmbeddedAws, original: str) -> None:
    """Without attributes, where there is room for none."""
    assert not too_long(original)
    store(aws, original)


def test_it_connects_when_there_is_something_to_keep(aws: EmbeddedAws) -> None:
    """The client is made for the first message, and once."""
    connected: list[int] = []

    def connect() -> object:
        connected.append(1)
        return aws.client("sqs")

    quarantine = Quarantine(connect, aws.quarantine_url)  # type: ignore[arg-type]  # botocore's clients have no type
    assert connected == []
    quarantine.store("{}", "not-json", "1")
    quarantine.store("{}", "not-json", "2")
    assert connected == [1]

"""Quarantine: messages are stored unchanged if SQS accepts them, and compressed if it does not."""

import base64
import gzip
from collections.abc import Iterator
from random import Random
from string import ascii_letters, digits

import pytest

from localaws.in_process.embedded_aws import EmbeddedAws
from ses_feedback.aws.quarantine import MAX_MESSAGE_BYTES, TOO_LONG, Quarantine, too_long
from tests.support.fakes import ManualClock
from tests.support.faulty_client import Fault, FaultyClient, fails_with, loses_response, returns_garbage, times_out

SQS_BODY = MAX_MESSAGE_BYTES - 1024
"""The size of the longest body that leaves room for the attributes."""


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    """Return an emulated AWS."""
    with EmbeddedAws(ManualClock()) as aws:
        yield aws


def store(
    aws: EmbeddedAws, original: str, reason: str = "not-json", source: str = "record-1"
) -> tuple[str, dict[str, str]]:
    """Store a message; return the body and the attributes on the queue."""
    assert Quarantine(lambda: aws.client("sqs"), aws.quarantine_url).store(original, reason, source) == ""
    [message] = aws.quarantined()
    return message.body, message.attributes


@pytest.mark.parametrize("original", ["{}", " \t\r\n{", "x" * SQS_BODY, "é😀\ufffd\u20ac", "\x85\x7f"], ids=range(5))
def test_text_that_sqs_accepts_is_stored_unchanged(aws: EmbeddedAws, original: str) -> None:
    """A redrive can send it as it is."""
    assert store(aws, original) == (original, {"reason": "not-json", "source": "record-1"})


PACKED = ["", "\x00", "\x0b", "a\x1fb", "\ufffe", "\uffff", "\ud800", "x" * (SQS_BODY + 1), "é" * (SQS_BODY // 2 + 1)]


@pytest.mark.parametrize("original", PACKED, ids=range(len(PACKED)))
def test_other_text_is_compressed_and_an_attribute_names_the_encoding(aws: EmbeddedAws, original: str) -> None:
    body, attributes = store(aws, original)
    assert attributes == {"reason": "not-json", "source": "record-1", "encoding": "gzip+base64"}
    assert gzip.decompress(base64.b64decode(body)).decode("utf-8", "surrogatepass") == original


def test_a_message_stored_twice_has_equal_bodies(aws: EmbeddedAws) -> None:
    """The gzip header contains no time, so duplicates are recognizable."""
    client = FaultyClient(aws.client("sqs"))
    for _ in range(2):
        Quarantine(lambda: client, aws.quarantine_url).store("\x00", "not-json", "1")
    assert client.calls[0].request["MessageBody"] == client.calls[1].request["MessageBody"]
    assert base64.b64decode(client.calls[0].request["MessageBody"])[4:8] == bytes(4)


def test_long_attributes_are_truncated_to_fit_beside_the_longest_body(aws: EmbeddedAws) -> None:
    _, attributes = store(aws, "x" * SQS_BODY, reason="r" * 5_000, source="s" * 5_000)
    assert attributes == {"reason": "r" * 256, "source": "s" * 256}


def test_a_record_without_an_id_has_the_source_unknown(aws: EmbeddedAws) -> None:
    """SQS accepts no empty attribute."""
    assert store(aws, "{}", source="")[1]["source"] == "unknown"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (fails_with("OverLimit"), "OverLimit"),
        (times_out, "ReadTimeoutError"),
        (loses_response, "ReadTimeoutError"),
        (returns_garbage, "MalformedResponseError"),
    ],
    ids=["refused", "timeout", "lost answer", "garbled"],
)
def test_a_fault_of_sqs_is_returned_as_its_code(aws: EmbeddedAws, fault: Fault, reason: str) -> None:
    """Nothing is raised, and SQS's own text is not returned."""
    client = FaultyClient(aws.client("sqs"), default_fault=fault)
    assert Quarantine(lambda: client, aws.quarantine_url).store("{}", "not-json", "1") == reason


def test_an_unforeseen_error_is_returned_as_a_reason(aws: EmbeddedAws) -> None:
    """It must not fail the other messages of the batch."""

    def raises(*_: object) -> None:
        raise RecursionError

    client = FaultyClient(aws.client("sqs"), default_fault=raises)
    result = Quarantine(lambda: client, aws.quarantine_url).store("{}", "not-json", "1")
    assert result == "internal-error: RecursionError"


RANDOM = Random(1)  # noqa: S311 (not a secret)
NOISE = "".join(RANDOM.choices(ascii_letters + digits + "+/-_.,", k=MAX_MESSAGE_BYTES + 1))
"""Text that gzip and Base64 make longer."""


def test_a_message_that_is_too_long_is_not_sent(aws: EmbeddedAws) -> None:
    """SQS would refuse it on every retry."""
    client = FaultyClient(aws.client("sqs"))
    for original in (NOISE, NOISE[:-1_000] + "\x00"):
        assert too_long(original)
        assert Quarantine(lambda: client, aws.quarantine_url).store(original, "not-json", "1") == TOO_LONG
    assert client.calls == []


@pytest.mark.parametrize("original", [NOISE[:-1], "x" * 10 * MAX_MESSAGE_BYTES, "\x00" * MAX_MESSAGE_BYTES, "", "{}"])
def test_every_other_message_is_stored(aws: EmbeddedAws, original: str) -> None:
    """If there is no room for attributes, it has none."""
    assert not too_long(original)
    store(aws, original)


def test_the_client_is_created_once_for_the_first_message(aws: EmbeddedAws) -> None:
    connected: list[int] = []

    def connect() -> object:
        connected.append(1)
        return aws.client("sqs")

    quarantine = Quarantine(connect, aws.quarantine_url)  # type: ignore[arg-type]  # botocore's clients have no type
    assert connected == []
    quarantine.store("{}", "not-json", "1")
    quarantine.store("{}", "not-json", "2")
    assert connected == [1]

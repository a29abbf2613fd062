"""A replay delivers messages as AWS does, and reports the outcome of each."""

import json
import logging
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from os import urandom
from typing import Any

import pytest

from feedbackctl.replay.lambda_events import BATCH_SIZE
from feedbackctl.replay.message_files import Message
from feedbackctl.replay.result import Finding, ReplayResult
from feedbackctl.replay.runner import SWEEP, VISIBILITY_TIMEOUT, ReplayRunner
from feedbackctl.replay.unapplied_messages import NO_REASON
from feedbackctl.unpacking.containers import unpack
from localaws.in_process.embedded_aws import EmbeddedAws
from localaws.in_process.lambda_functions import Functions
from localaws.in_process.virtual_clock import VirtualClock
from ses_feedback.settings import Settings
from tests.support.builders import (
    OTHER_RECIPIENT,
    RECIPIENT,
    START,
    a_bounce,
    a_complaint,
    a_mail,
    an_sns_event,
    an_sqs_event,
    an_sqs_record,
    text,
)

NOTICE = "Successfully validated SNS topic for Amazon SES event publishing."
NOW = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    """An empty AWS."""
    with EmbeddedAws(VirtualClock(NOW)) as aws:
        yield aws


def settings(aws: EmbeddedAws) -> Settings:
    """Return the settings of the functions on `aws`."""
    return Settings(aws.table_name, aws.quarantine_url)


def replay(aws: EmbeddedAws, *contents: str | dict[str, Any], log: list[str] | None = None) -> ReplayResult:
    """Replay messages, numbered from 1."""
    messages = (message for number, content in enumerate(contents, start=1) for message in opened(str(number), content))
    lines: list[str] = [] if log is None else log
    return ReplayRunner(aws, settings(aws), lines.append).run(messages)


def opened(source: str, content: str | dict[str, Any]) -> Iterator[Message]:
    """Yield the messages in a text or in a Lambda event."""
    if isinstance(content, str):
        yield Message(source, content, 1)
        return
    for inner in unpack(json.dumps(content)):
        yield Message(source + "".join(f" record {number}" for number in inner.numbers), inner.content, 1)


def a_hard_bounce(address: str = RECIPIENT) -> str:
    """Return a hard bounce as a queue carries it."""
    return text(a_bounce(recipients=[address], mail=a_mail(destination=[address])))


def statuses(result: ReplayResult) -> dict[str, str]:
    """Return the contacts' statuses."""
    return {item["address"]["S"]: item["status"]["S"] for item in result.contacts}


def entries(result: ReplayResult) -> dict[str, str]:
    """Return the entries of the suppression list."""
    return {entry.email_address: entry.reason.value for entry in result.suppression_list}


def make_unreadable(aws: EmbeddedAws, address: str) -> None:
    """Write an item under a contact's key that is not a contact, so that no feedback about it can be stored."""
    item = {"address": {"S": address}, "record": {"S": "contact"}}
    aws.client("dynamodb").put_item(TableName=aws.table_name, Item=item)


# Outcomes


def test_message_creates_a_contact_and_a_list_entry(aws: EmbeddedAws) -> None:
    result = replay(aws, a_hard_bounce())
    assert (statuses(result), entries(result)) == ({RECIPIENT: "bounced"}, {RECIPIENT: "BOUNCE"})
    assert (result.messages, result.applied, result.settled) == (1, 1, True)


def test_message_that_leaves_no_room_for_a_reason_is_quarantined(aws: EmbeddedAws) -> None:
    """Quarantine stores the longest texts without attributes."""
    longest = b64encode(urandom(786_000)).decode()
    result = replay(aws, longest, a_hard_bounce())
    assert result.quarantined == [Finding("1", NO_REASON)]
    assert statuses(result) == {RECIPIENT: "bounced"}


def test_counts_are_summed_and_the_longest_lag_is_kept(aws: EmbeddedAws) -> None:
    seconds = (5, 1, 3)
    result = replay(aws, *(an_sqs_event(a_bounce(at=START + timedelta(seconds=number))) for number in seconds))
    counts = {name: value for name, value in result.metrics.items() if not name.endswith("Lag")}
    assert counts == {"PermanentBounce": 3, "ContactSuppressed": 1}
    assert result.metrics["FeedbackLag"] == (NOW - START).total_seconds() * 1000 - 1_000


def test_notice_is_ignored_with_its_kind_and_source(aws: EmbeddedAws) -> None:
    result = replay(aws, NOTICE, an_sqs_event(a_bounce(), NOTICE), {"Records": []})
    assert result.ignored == [
        Finding("1", "set-up notice"),
        Finding("2 record 2", "set-up notice"),
        Finding("3", "no records"),
    ]


@pytest.mark.parametrize("poison", ["", "not JSON", "x" * 2_000_000, "\udcff\x00", "[]", "[" * 200_000])
def test_malformed_message_is_quarantined_and_its_neighbors_are_applied(aws: EmbeddedAws, poison: str) -> None:
    result = replay(aws, a_hard_bounce(), poison, a_hard_bounce(OTHER_RECIPIENT))
    assert [finding.source for finding in result.quarantined] == ["2"]
    assert statuses(result) == {RECIPIENT: "bounced", OTHER_RECIPIENT: "bounced"}
    assert (result.applied, result.unapplied) == (2, [])


def test_quarantined_message_has_its_source_even_if_ids_and_texts_repeat(aws: EmbeddedAws) -> None:
    """The queue is empty afterwards."""
    event = {"Records": [an_sqs_record("{}"), an_sqs_record(a_bounce()), an_sqs_record("{}"), 7]}
    result = replay(aws, event, event, "not JSON")
    assert result.quarantined == [
        *(
            Finding(f"{file} record {number}", why)
            for file in "12"
            for number, why in ((1, "unknown-shape"), (3, "unknown-shape"), (4, "not-an-object"))
        ),
        Finding("3", "not-json"),
    ]
    assert aws.quarantined() == []


def test_more_messages_are_quarantined_than_one_receive_returns(aws: EmbeddedAws) -> None:
    result = replay(aws, *("not JSON" for _ in range(25)))
    assert result.quarantined == [Finding(str(number), "not-json") for number in range(1, 26)]


# Deliveries


def test_messages_are_delivered_in_batches_of_one_queue(aws: EmbeddedAws) -> None:
    log: list[str] = []
    queued = {"Records": [an_sqs_record(a_bounce(), eventSourceARN="arn:aws:sqs:us-east-1:123456789012:q")]}
    replay(aws, *[NOTICE] * (BATCH_SIZE + 1), queued, NOTICE, log=log)
    batches = [entry["records"] for entry in map(json.loads, log) if entry["message"] == "batch"]
    assert batches == [BATCH_SIZE, 1, 1, 1]


def test_long_texts_are_delivered_in_smaller_batches(aws: EmbeddedAws) -> None:
    log: list[str] = []
    messages = [Message(str(number), NOTICE, 3_000_000) for number in range(3)]
    ReplayRunner(aws, settings(aws), log.append).run(messages)
    assert [json.loads(line)["records"] for line in log] == [1, 1, 1]


def test_event_is_delivered_to_the_function_of_its_queue(aws: EmbeddedAws) -> None:
    """A complaint from the bounce queue is misrouted; an event without a queue is not."""
    arn = "arn:aws:sqs:us-east-1:123456789012:stack-BounceQueue-1A2B"
    misrouted = {"Records": [an_sqs_record(a_complaint(), eventSourceARN=arn)]}
    assert replay(aws, an_sqs_event(a_complaint()), misrouted).metrics["MisroutedFeedback"] == 1


def test_stream_records_and_sweep_events_are_delivered_to_suppression_function(aws: EmbeddedAws) -> None:
    keys = {"address": {"S": RECIPIENT}, "record": {"S": "contact"}}
    change = {"eventSource": "aws:dynamodb", "dynamodb": {"Keys": keys, "SequenceNumber": "1"}}
    result = replay(aws, {"Records": [change]}, dict(SWEEP))
    assert (result.messages, result.applied, result.contacts) == (2, 2, [])


@pytest.mark.parametrize(
    ("address", "unapplied"),
    [(OTHER_RECIPIENT, []), ({}, [Finding("1", "unhashable type: 'dict'")])],
    ids=["unreadable", "not text"],
)
def test_failing_stream_event_is_unapplied_and_later_messages_are_applied(
    aws: EmbeddedAws, address: object, unapplied: list[Finding]
) -> None:
    make_unreadable(aws, OTHER_RECIPIENT)
    keys = {"address": {"S": address}, "record": {"S": "contact"}}
    change = {"eventSource": "aws:dynamodb", "dynamodb": {"Keys": keys, "SequenceNumber": "7"}}
    result = replay(aws, {"Records": [change]}, a_hard_bounce())
    assert (result.unapplied, entries(result)) == (unapplied, {RECIPIENT: "BOUNCE"})


def test_only_a_message_that_cannot_be_stored_is_delivered_again_and_finally_unapplied(aws: EmbeddedAws) -> None:
    make_unreadable(aws, RECIPIENT)
    log: list[str] = []
    result = replay(aws, an_sqs_event(a_bounce(), a_bounce(recipients=[OTHER_RECIPIENT]), NOTICE), log=log)
    assert result.unapplied == [Finding("1 record 1", "unreadable-contact")]
    assert (result.applied, result.ignored) == (1, [Finding("1 record 3", "set-up notice")])
    assert [entry["records"] for entry in map(json.loads, log) if entry["message"] == "batch"] == [3, 1, 1]


def test_only_the_sns_record_that_cannot_be_stored_is_unapplied(aws: EmbeddedAws) -> None:
    """An SNS invocation can only fail as a whole, so each record has its own."""
    make_unreadable(aws, RECIPIENT)
    result = replay(aws, an_sns_event(a_bounce(), NOTICE))
    assert [finding.source for finding in result.unapplied] == ["1 record 1"]
    assert "unreadable-contact" in result.unapplied[0].reason


def test_message_that_is_stored_on_its_second_delivery_is_applied(aws: EmbeddedAws) -> None:
    make_unreadable(aws, RECIPIENT)

    class RepairingClock(VirtualClock):
        """A clock that deletes the unreadable item during the visibility timeout."""

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if seconds < VISIBILITY_TIMEOUT:
                return
            key = {"address": {"S": RECIPIENT}, "record": {"S": "contact"}}
            aws.client("dynamodb").delete_item(TableName=aws.table_name, Key=key)

    aws.clock = RepairingClock(NOW)
    result = replay(aws, a_hard_bounce())
    assert (result.unapplied, statuses(result)) == ([], {RECIPIENT: "bounced"})


# Suppression list


def test_list_calls_are_limited_to_one_per_second(aws: EmbeddedAws) -> None:
    """Time is virtual."""
    result = replay(aws, *(a_hard_bounce(f"{number}@example.com") for number in range(3)))
    assert len(result.suppression_list) == 3
    assert result.metrics["SuppressionLag"] >= 2_000


def test_entries_refused_by_the_sandbox_stay_pending_without_a_failure() -> None:
    with EmbeddedAws(VirtualClock(NOW), sandbox=True) as aws:
        result = replay(aws, a_hard_bounce(), a_hard_bounce(OTHER_RECIPIENT))
    assert (entries(result), result.refused.total(), result.settled) == ({}, 2, True)
    assert all("pending_shard" in item for item in result.contacts)


def test_sweep_processes_changes_that_the_stream_lost(aws: EmbeddedAws) -> None:
    Functions(aws, settings(aws)).feedback(an_sqs_event(a_bounce()))
    assert len(aws.stream_records()) == 1
    result = replay(aws, NOTICE)
    assert (entries(result), result.settled) == ({RECIPIENT: "BOUNCE"}, True)


def test_list_that_never_settles_ends_the_replay(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feedbackctl.replay.runner.MAX_ROUNDS", 2)
    aws.suppression_list.quota.interval = timedelta(days=300)
    result = replay(aws, a_hard_bounce(), a_hard_bounce(OTHER_RECIPIENT))
    assert not result.settled


# Output of the functions


def test_output_of_the_functions_is_captured(aws: EmbeddedAws, capsys: pytest.CaptureFixture[str]) -> None:
    """The output of loggers that were created earlier is captured, too."""
    earlier = StringIO()
    handler = logging.StreamHandler(earlier)
    logging.getLogger("BounceFunction").addHandler(handler)
    arn = "arn:aws:sqs:us-east-1:123456789012:BounceQueue"
    invocation = Functions(aws, settings(aws)).feedback({"Records": [an_sqs_record("{}", eventSourceARN=arn)]})
    logging.getLogger("BounceFunction").removeHandler(handler)
    assert (earlier.getvalue(), *capsys.readouterr()) == ("", "", "")
    assert handler.stream is earlier
    assert [json.loads(line)["message"] for line in invocation.log if line.startswith("{")] == ["record", "batch"]
    assert invocation.counts == {"Quarantined": 1}


def test_progress_is_reported_after_each_delivery(aws: EmbeddedAws) -> None:
    reported: list[tuple[int, int]] = []
    messages = [
        Message("1", NOTICE, 10),
        Message("2", NOTICE, 20),
        Message("3", an_sns_event(NOTICE)["Records"][0], 300),
    ]
    ReplayRunner(aws, settings(aws)).run(messages, lambda number, size: reported.append((number, size)))
    assert reported == [(2, 30), (3, 300)]

"""A replay delivers as AWS does, and says what became of every message."""

import json
import logging
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from os import urandom
from typing import Any

import pytest

from feedbackctl.replay.message_files import Message
from feedbackctl.replay.replay import AT_ONCE, SWEEP, VISIBILITY_TIMEOUT, Replay, Result
from feedbackctl.replay.unapplied_messages import NO_ROOM, Finding
from localaws.in_process.embedded_aws import EmbeddedAws, VirtualClock
from localaws.in_process.functions import Functions
from ses_feedback.settings import Settings
from tests.support.builders import (
    OTHER_RECIPIENT,
    RECIPIENT,
    START,
    a_bounce,
    a_complaint,
    an_sns_event,
    an_sqs_event,
    an_sqs_record,
    text,
)

NOTICE = "Successfully validated SNS topic for Amazon SES event publishing."
NOW = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    """An AWS with nothing in it."""
    with EmbeddedAws(VirtualClock(NOW)) as aws:
        yield aws


def settings(aws: EmbeddedAws) -> Settings:
    """Return the settings of the functions on `aws`."""
    return Settings(aws.table_name, aws.quarantine_url)


def replay(aws: EmbeddedAws, *contents: str | dict[str, Any], log: list[str] | None = None) -> Result:
    """Replay messages, numbered from 1."""
    messages = (Message(str(number), content, 1) for number, content in enumerate(contents, start=1))
    lines: list[str] = [] if log is None else log
    return Replay(aws, settings(aws), lines.append).run(messages)


def a_hard_bounce(address: str = RECIPIENT) -> str:
    """Return a hard bounce as a queue carries it."""
    return text(a_bounce(recipients=[address]))


def statuses(result: Result) -> dict[str, str]:
    """Return the contacts' statuses."""
    return {item["address"]["S"]: item["status"]["S"] for item in result.contacts}


def entries(result: Result) -> dict[str, str]:
    """Return what is on the suppression list."""
    return {entry.email_address: entry.reason.value for entry in result.suppression_list}


def spoil(aws: EmbeddedAws, address: str) -> None:
    """Put something in a contact's place that is none, so that nothing about it can be stored."""
    item = {"address": {"S": address}, "record": {"S": "contact"}}
    aws.client("dynamodb").put_item(TableName=aws.table_name, Item=item)


# What messages come to


def test_a_message_becomes_a_contact_and_an_entry_of_the_list(aws: EmbeddedAws) -> None:
    """Feedback, stream and list_sync have all run when a replay is done."""
    result = replay(aws, a_hard_bounce())
    assert (statuses(result), entries(result)) == ({RECIPIENT: "bounced"}, {RECIPIENT: "BOUNCE"})
    assert (result.messages, result.applied, result.settled) == (1, 1, True)


def test_what_leaves_no_room_for_its_reason_is_quarantined_all_the_same(aws: EmbeddedAws) -> None:
    """Quarantine keeps the longest texts without attributes; the replay goes on."""
    longest = b64encode(urandom(786_000)).decode()
    result = replay(aws, longest, a_hard_bounce())
    assert result.quarantined == [Finding("1", NO_ROOM)]
    assert statuses(result) == {RECIPIENT: "bounced"}


def test_metrics_are_those_the_functions_emit(aws: EmbeddedAws) -> None:
    """Counts are added up; of lags there is the longest."""
    result = replay(aws, an_sqs_event(a_bounce()), an_sqs_event(a_bounce(at=NOW - timedelta(seconds=9))))
    counts = {name: value for name, value in result.metrics.items() if not name.endswith("Lag")}
    assert counts == {"PermanentBounce": 2, "ContactSuppressed": 1}
    assert result.metrics["FeedbackLag"] == (NOW - START).total_seconds() * 1000 - 5_000


def test_what_is_no_feedback_is_ignored(aws: EmbeddedAws) -> None:
    """It says what it is and where it came from: a file, or a record of one."""
    result = replay(aws, NOTICE, an_sqs_event(a_bounce(), NOTICE), {"Records": []})
    assert result.ignored == [
        Finding("1", "set-up notice"),
        Finding("2 record 2", "set-up notice"),
        Finding("3", "no records"),
    ]


@pytest.mark.parametrize("poison", ["", "not JSON", "x" * 2_000_000, "\udcff\x00", "[]", "[" * 200_000])
def test_what_nobody_understands_is_quarantined(aws: EmbeddedAws, poison: str) -> None:
    """By itself, between others; and only it."""
    result = replay(aws, a_hard_bounce(), poison, a_hard_bounce(OTHER_RECIPIENT))
    assert [finding.source for finding in result.quarantined] == ["2"]
    assert statuses(result) == {RECIPIENT: "bounced", OTHER_RECIPIENT: "bounced"}
    assert (result.applied, result.left) == (2, [])


def test_what_is_quarantined_says_where_it_came_from(aws: EmbeddedAws) -> None:
    """Though records may have the same id, the same text, or no id at all; and the queue is emptied behind them."""
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


def test_more_is_quarantined_than_one_call_takes_off_the_queue(aws: EmbeddedAws) -> None:
    """All of it is found, in order."""
    result = replay(aws, *("not JSON" for _ in range(25)))
    assert result.quarantined == [Finding(str(number), "not-json") for number in range(1, 26)]


# How they are delivered


def test_texts_are_delivered_together(aws: EmbeddedAws) -> None:
    """A hundred at a time, as a queue does, up to the event that follows them."""
    log: list[str] = []
    replay(aws, *[NOTICE] * (AT_ONCE + 1), an_sqs_event(a_bounce()), NOTICE, log=log)
    batches = [entry["records"] for entry in map(json.loads, log) if entry["message"] == "batch"]
    assert batches == [AT_ONCE, 1, 1, 1]


def test_no_delivery_is_larger_than_lambda_takes(aws: EmbeddedAws) -> None:
    """Long texts come in smaller batches."""
    log: list[str] = []
    messages = [Message(str(number), NOTICE, 3_000_000) for number in range(3)]
    Replay(aws, settings(aws), log.append).run(messages)
    assert [json.loads(line)["records"] for line in log] == [1, 1, 1]


def test_an_event_goes_to_the_lane_it_came_from(aws: EmbeddedAws) -> None:
    """A complaint from the queue of bounces is misrouted; from no queue it is not."""
    arn = "arn:aws:sqs:us-east-1:123456789012:stack-BounceQueue-1A2B"
    misrouted = {"Records": [an_sqs_record(a_complaint(), eventSourceARN=arn)]}
    assert replay(aws, an_sqs_event(a_complaint()), misrouted).metrics["MisroutedFeedback"] == 1


def test_changes_of_the_table_go_to_the_suppression_function(aws: EmbeddedAws) -> None:
    """So does the sweep; both find nothing to do, for what they tell of is not in the table."""
    keys = {"address": {"S": RECIPIENT}, "record": {"S": "contact"}}
    change = {"eventSource": "aws:dynamodb", "dynamodb": {"Keys": keys, "SequenceNumber": "1"}}
    result = replay(aws, {"Records": [change]}, dict(SWEEP))
    assert (result.messages, result.applied, result.contacts) == (2, 2, [])


@pytest.mark.parametrize(
    ("address", "left"),
    [(OTHER_RECIPIENT, []), ({}, [Finding("1", "unhashable type: 'dict'")])],
    ids=["spoilt", "no text"],
)
def test_an_event_the_suppression_function_cannot_take_is_left(
    aws: EmbeddedAws, address: object, left: list[Finding]
) -> None:
    """It says why, and the rest goes on; a contact nobody can read is not handed out again and again."""
    spoil(aws, OTHER_RECIPIENT)
    keys = {"address": {"S": address}, "record": {"S": "contact"}}
    change = {"eventSource": "aws:dynamodb", "dynamodb": {"Keys": keys, "SequenceNumber": "7"}}
    result = replay(aws, {"Records": [change]}, a_hard_bounce())
    assert (result.left, entries(result)) == (left, {RECIPIENT: "BOUNCE"})


def test_a_message_that_cannot_be_stored_is_delivered_again(aws: EmbeddedAws) -> None:
    """Only it is, and in the end it is left, with the reason."""
    spoil(aws, RECIPIENT)
    log: list[str] = []
    result = replay(aws, an_sqs_event(a_bounce(), a_bounce(recipients=[OTHER_RECIPIENT]), NOTICE), log=log)
    assert result.left == [Finding("1 record 1", "unreadable-contact")]
    assert (result.applied, result.ignored) == (1, [Finding("1 record 3", "set-up notice")])
    assert [entry["records"] for entry in map(json.loads, log) if entry["message"] == "batch"] == [3, 1, 1]


def test_an_event_that_cannot_be_stored_is_delivered_again_as_a_whole(aws: EmbeddedAws) -> None:
    """A direct invocation has no other answer than an error."""
    spoil(aws, RECIPIENT)
    result = replay(aws, an_sns_event(a_bounce(), NOTICE))
    assert [finding.source for finding in result.left] == ["1 record 1", "1 record 2"]
    assert "unreadable-contact" in result.left[0].why


def test_a_message_that_is_stored_on_its_second_delivery_is_applied(aws: EmbeddedAws) -> None:
    """What stood in the way was gone by then: six minutes later, as the queue's visibility timeout is."""
    spoil(aws, RECIPIENT)

    class Mending(VirtualClock):
        """A clock on which waiting for the next delivery gives somebody time to mend the table."""

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if seconds < VISIBILITY_TIMEOUT:
                return
            key = {"address": {"S": RECIPIENT}, "record": {"S": "contact"}}
            aws.client("dynamodb").delete_item(TableName=aws.table_name, Key=key)

    aws.clock = Mending(NOW)
    result = replay(aws, a_hard_bounce())
    assert (result.left, statuses(result)) == ([], {RECIPIENT: "bounced"})


# The list_sync


def test_the_list_keeps_to_its_one_call_a_second(aws: EmbeddedAws) -> None:
    """Three entries take two seconds more than one, on a clock on which waiting takes no time."""
    result = replay(aws, *(a_hard_bounce(f"{number}@example.com") for number in range(3)))
    assert len(result.suppression_list) == 3
    assert result.metrics["SuppressionLag"] >= 2_000


def test_the_sandbox_refuses_every_entry() -> None:
    """They wait on their contacts, and that is no failure."""
    with EmbeddedAws(VirtualClock(NOW), sandbox=True) as aws:
        result = replay(aws, a_hard_bounce(), a_hard_bounce(OTHER_RECIPIENT))
    assert (entries(result), result.refused.total(), result.settled) == ({}, 2, True)
    assert all("pending_shard" in item for item in result.contacts)


def test_the_sweep_does_what_the_stream_lost(aws: EmbeddedAws) -> None:
    """What is due stands on the contact, so it is found in the end."""
    Functions(aws, settings(aws)).feedback(an_sqs_event(a_bounce()))
    assert len(aws.stream_records()) == 1
    result = replay(aws, NOTICE)
    assert (entries(result), result.settled) == ({RECIPIENT: "BOUNCE"}, True)


def test_a_mirror_that_never_comes_to_rest_is_told_of(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than report for ever."""
    monkeypatch.setattr("feedbackctl.replay.replay.ROUNDS", 2)
    aws.suppression_list._interval = timedelta(days=300)  # noqa: SLF001 (SES, answering nobody)
    result = replay(aws, a_hard_bounce(), a_hard_bounce(OTHER_RECIPIENT))
    assert not result.settled


# What the functions print


def test_what_the_functions_print_is_not_for_the_screen(aws: EmbeddedAws, capsys: pytest.CaptureFixture[str]) -> None:
    """Not even when their loggers were made before, for the standard output of that time."""
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


def test_progress_is_told_after_every_delivery(aws: EmbeddedAws) -> None:
    """How many messages are done, and how much of their files since the last time."""
    told: list[tuple[int, int]] = []
    messages = [Message("1", NOTICE, 10), Message("2", NOTICE, 20), Message("3", an_sqs_event(NOTICE, NOTICE), 300)]
    Replay(aws, settings(aws)).run(messages, lambda number, size: told.append((number, size)))
    assert told == [(2, 30), (4, 300)]

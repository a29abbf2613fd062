"""Replay messages through the functions on an embedded AWS, and see what becomes of contacts and suppression list.

It delivers as AWS does: what is not acknowledged comes again, the table's stream goes to SuppressionFunction, and the
sweep runs until nothing is due. Time is the embedded AWS's, on which waiting takes none.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from feedbackctl.replay.message_files import Message
from feedbackctl.replay.unapplied_messages import Finding, kept, notices
from localaws.in_process.embedded_aws import EmbeddedAws, QuarantinedMessage
from localaws.in_process.functions import Functions, Invocation
from localaws.ses_list.suppression_list import SuppressedDestination
from ses_feedback.aws.batches import batched
from ses_feedback.contacts.record import Item
from ses_feedback.settings import Settings
from ses_feedback.timestamps import format_timestamp

AT_ONCE = 100
"""Messages in one invocation, as in template.yaml."""
BYTES_AT_ONCE = 4 * 1_048_576
"""Lambda hands over no more than 6 MiB at once."""
DELIVERIES = 3
"""How often a message that is not acknowledged is delivered here. SQS goes on for 14 days."""
VISIBILITY_TIMEOUT = 360
SWEEP_EVERY = 300
SWEEP: Mapping[str, Any] = {"source": "ses-feedback", "detail-type": "Sweep"}
ROUNDS = 100
"""Rounds after which a list_sync that still finds something to do is taken for one that will go on for ever."""


@dataclass(slots=True)
class Result:
    """What a replay came to. `left` are messages that no number of deliveries got applied."""

    messages: int = 0
    ignored: list[Finding] = field(default_factory=list)
    quarantined: list[Finding] = field(default_factory=list)
    left: list[Finding] = field(default_factory=list)
    metrics: dict[str, int] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    contacts: Sequence[Item] = ()
    suppression_list: Sequence[SuppressedDestination] = ()
    settled: bool = True

    @property
    def applied(self) -> int:
        """How many messages did what they say."""
        return self.messages - len(self.ignored) - len(self.quarantined) - len(self.left)


class Replay:
    """A replay into an embedded AWS."""

    def __init__(self, aws: EmbeddedAws, settings: Settings, log: Callable[[str], None] = lambda _: None) -> None:
        """Run the functions with `settings`; `log` gets each line they log."""
        self._aws = aws
        self._functions = Functions(aws, settings)
        self._log = log
        self._result = Result()

    def run(self, messages: Iterable[Message], progress: Callable[[int, int], None] = lambda *_: None) -> Result:
        """Replay `messages`; `progress` is told how many messages, and how many bytes of their files, are done."""
        self._stop_listening()
        for group in _grouped(messages):
            self._deliver(group)
            self._follow_stream()
            progress(self._result.messages, sum(message.size for message in group))
        self._sweep()
        self._result.settled = not self._due()
        self._result.contacts = self._aws.contacts()
        self._result.suppression_list = self._aws.suppression_list.entries()
        return self._result

    def _stop_listening(self) -> None:
        """Take the targets off the event bus: what is published is not shown, and keeping it takes moto long."""
        events = self._aws.client("events")
        for rule in events.list_rules()["Rules"]:
            targets = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
            events.remove_targets(Rule=rule["Name"], Ids=[target["Id"] for target in targets])

    def _deliver(self, group: Sequence[Message]) -> None:
        first = group[0]
        if isinstance(first.content, str):
            event = {"Records": [_sqs_record(number, message) for number, message in enumerate(group)]}
            self._deliver_feedback(event, [message.source for message in group])
        elif "Records" not in first.content:
            self._deliver_to_suppression(first.source, first.content)
        else:
            self._deliver_event(first.source, first.content)

    def _deliver_event(self, source: str, event: Mapping[str, Any]) -> None:
        held = event["Records"]
        sources = [source] if len(held) == 1 else [f"{source} record {number + 1}" for number in range(len(held))]
        if not held:
            self._result.messages += 1
            self._result.ignored.append(Finding(source, "no records"))
        elif all(isinstance(record, Mapping) and record.get("eventSource") == "aws:dynamodb" for record in held):
            self._deliver_to_suppression(source, event)
        else:
            self._deliver_feedback(event, sources)

    def _deliver_feedback(self, event: Mapping[str, Any], sources: Iterable[str]) -> None:
        pending = list(zip(event["Records"], sources, strict=True))
        self._result.messages += len(pending)
        reasons: Mapping[str, str] = {}
        error = ""
        for delivery in range(DELIVERIES):
            if delivery:
                self._aws.clock.sleep(VISIBILITY_TIMEOUT)
            invocation = self._functions.feedback({**event, "Records": [record for record, _ in pending]})
            self._take(invocation)
            done = [one for one in pending if not _comes_again(one[0], invocation)]
            self._settle(done, invocation)
            pending = [one for one in pending if _comes_again(one[0], invocation)]
            if not pending:
                return
            reasons, error = _reasons(invocation), str(invocation.error or "not acknowledged")
        self._result.left += [Finding(source, reasons.get(_id(record), error)) for record, source in pending]

    def _settle(self, done: Sequence[tuple[Any, str]], invocation: Invocation) -> None:
        """Note which of the records that are done with were ignored or quarantined. The functions tell only counts."""
        counts = invocation.counts
        if counts["IgnoredMessage"]:
            self._result.ignored += notices(done)
        if counts["Quarantined"]:
            self._result.quarantined += kept(done, self._taken_from_quarantine())

    def _taken_from_quarantine(self) -> Iterator[QuarantinedMessage]:
        """Yield what is in quarantine, and take it off the queue, which would grow without end."""
        sqs, queue = self._aws.client("sqs"), {"QueueUrl": self._aws.quarantine_url}
        while messages := sqs.receive_message(
            **queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=0
        ).get("Messages"):
            for message in messages:
                # A text of the greatest length leaves no room for any.
                typed = message.get("MessageAttributes", {})
                attributes = {name: value["StringValue"] for name, value in typed.items()}
                yield QuarantinedMessage(message["Body"], attributes)
            handles = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages)
            ]
            sqs.delete_message_batch(**queue, Entries=handles)

    def _deliver_to_suppression(self, source: str, event: Mapping[str, Any]) -> None:
        self._result.messages += 1
        why = self._deliver_changes(event["Records"]) if "Records" in event else self._invoke_sweep(event)
        if why:
            self._result.left.append(Finding(source, why))

    def _invoke_sweep(self, event: Mapping[str, Any]) -> str:
        """Return why it was not done, empty when it was."""
        invocation = self._functions.suppression(event)
        self._take(invocation)
        return str(invocation.error or "")

    def _follow_stream(self) -> None:
        """Hand the table's changes to SuppressionFunction, and the changes that makes, until there are none."""
        for _ in range(ROUNDS):
            changes = self._aws.stream_records()
            if not changes:
                return
            for batch in batched(changes, AT_ONCE):
                self._deliver_changes(list(batch))

    def _deliver_changes(self, changes: Sequence[Any]) -> str:
        """Deliver changes, again from the first that failed on, as the stream does; return why it was given up.

        What is given up stays due, so it is the sweep's.
        """
        why = ""
        for _ in range(DELIVERIES):
            invocation = self._functions.suppression({"Records": changes})
            self._take(invocation)
            failed = [index for index, change in enumerate(changes) if _comes_again(change, invocation)]
            if not failed:
                return ""
            changes = changes[failed[0] :]
            why = str(invocation.error or "not acknowledged")
        return why

    def _sweep(self) -> None:
        """Sweep until nothing is due."""
        for _ in range(ROUNDS):
            if not self._due():
                return
            self._aws.clock.sleep(SWEEP_EVERY)
            self._invoke_sweep(SWEEP)
            self._follow_stream()

    def _due(self) -> bool:
        # What SES won't have waits for hours; what it could not take waits for the next sweep.
        soon = format_timestamp(self._aws.clock.now() + timedelta(seconds=SWEEP_EVERY))
        return any("pending_shard" in item and item["pending_at"]["S"] <= soon for item in self._aws.contacts())

    def _take(self, invocation: Invocation) -> None:
        """Add up what a function printed."""
        metrics = self._result.metrics
        for datum in invocation.metrics:
            value, known = int(datum.value), metrics.get(datum.name, 0)
            metrics[datum.name] = known + value if datum.unit == "Count" else max(known, value)
        for line in invocation.log:
            self._log(line)
            if '"codes"' in line:
                self._result.refused.update(json.loads(line)["codes"])


def _grouped(messages: Iterable[Message]) -> Iterator[list[Message]]:
    """Put texts that sync each other together, as a queue does; an event is delivered by itself."""
    group: list[Message] = []
    size = 0
    for message in messages:
        text = isinstance(message.content, str)
        if group and (not text or len(group) == AT_ONCE or size + message.size > BYTES_AT_ONCE):
            yield group
            group, size = [], 0
        if text:
            group.append(message)
            size += message.size
        else:
            yield [message]
    if group:
        yield group


def _sqs_record(number: int, message: Message) -> dict[str, Any]:
    # Without SentTimestamp: when the message was sent is not known, and no feedback in it may be taken for later.
    return {"messageId": f"replayed-{number}", "body": message.content, "attributes": {}, "eventSource": "aws:sqs"}


def _id(record: object) -> str:
    """Return what a function calls a record that must come again: the id of a message, the number of a change."""
    if not isinstance(record, Mapping):
        return ""
    change = record.get("dynamodb")
    return str(change.get("SequenceNumber") if isinstance(change, Mapping) else record.get("messageId"))


def _comes_again(record: object, invocation: Invocation) -> bool:
    return invocation.error is not None or _id(record) in invocation.failures


def _reasons(invocation: Invocation) -> dict[str, str]:
    """Return, by the id of the record, why it was not acknowledged."""
    lines = (json.loads(line) for line in invocation.log if '"retry"' in line)
    return {line["record_id"]: line["reason"] for line in lines if line.get("disposition") == "retry"}

"""Deliver messages to the functions on emulated AWS.

The runner delivers as AWS does. It delivers failed messages again, passes the table's stream to SuppressionFunction,
and runs the sweep until no contact is pending. Time is virtual, so waiting takes no time.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from feedbackctl.replay.lambda_events import (
    BATCH_SIZE,
    group_messages,
    lambda_record,
    must_retry,
    record_id,
    retry_reasons,
)
from feedbackctl.replay.message_files import Message
from feedbackctl.replay.result import Finding, ReplayResult
from feedbackctl.replay.unapplied_messages import find_ignored, find_quarantined
from feedbackctl.unpacking.containers import is_event
from localaws.in_process.embedded_aws import EmbeddedAws, QuarantinedMessage
from localaws.in_process.lambda_functions import Functions, Invocation
from ses_feedback.aws.batches import batched
from ses_feedback.settings import Settings
from ses_feedback.timestamps import format_timestamp

DELIVERIES = 3
"""Deliveries of a message that fails. SQS itself continues for 14 days."""
VISIBILITY_TIMEOUT = 360
"""Seconds between two deliveries: the queues' `VisibilityTimeout` in template.yaml."""
SWEEP_INTERVAL = 300
SWEEP: Mapping[str, Any] = {"source": "ses-feedback", "detail-type": "Sweep"}
MAX_ROUNDS = 100
"""Rounds of stream or sweep after which the suppression list counts as not settled."""


class ReplayRunner:
    """A replay on emulated AWS."""

    def __init__(self, aws: EmbeddedAws, settings: Settings, log: Callable[[str], None] = lambda _: None) -> None:
        """Run the functions with `settings`; `log` receives each line that they log."""
        self._aws = aws
        self._functions = Functions(aws, settings)
        self._log = log
        self._result = ReplayResult()

    def run(self, messages: Iterable[Message], progress: Callable[[int, int], None] = lambda *_: None) -> ReplayResult:
        """Replay `messages`.

        After each delivery, `progress` receives the number of messages so far, and the bytes of this delivery.
        """
        self._remove_event_targets()
        for group in group_messages(messages):
            self._deliver(group)
            self._deliver_stream()
            progress(self._result.messages, sum(message.size for message in group))
        self._result.settled = self._sweep()
        self._result.contacts = self._aws.contacts()
        self._result.suppression_list = self._aws.suppression_list.entries()
        return self._result

    def _remove_event_targets(self) -> None:
        """Remove the targets of the event bus. A replay does not show events, and moto is slow to store them."""
        events = self._aws.client("events")
        for rule in events.list_rules()["Rules"]:
            targets = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
            events.remove_targets(Rule=rule["Name"], Ids=[target["Id"] for target in targets])

    def _deliver(self, group: Sequence[Message]) -> None:
        first = group[0]
        if isinstance(first.content, dict) and is_event(first.content):
            self._deliver_event(first.source, first.content)
        else:
            event = {"Records": [lambda_record(number, message) for number, message in enumerate(group)]}
            self._deliver_feedback(event, [message.source for message in group])

    def _deliver_event(self, source: str, event: Mapping[str, Any]) -> None:
        """Deliver an event of SuppressionFunction: changes of the table, or the sweep's."""
        if event.get("Records") == []:
            self._result.messages += 1
            self._result.ignored.append(Finding(source, "no records"))
        else:
            self._deliver_to_suppression(source, event)

    def _deliver_feedback(self, event: Mapping[str, Any], sources: Iterable[str]) -> None:
        waiting = list(zip(event["Records"], sources, strict=True))
        self._result.messages += len(waiting)
        reasons: Mapping[str, str] = {}
        error = ""
        for delivery in range(DELIVERIES):
            if delivery:
                self._aws.clock.sleep(VISIBILITY_TIMEOUT)
            invocation = self._functions.feedback({**event, "Records": [record for record, _ in waiting]})
            self._add_output(invocation)
            self._add_findings([pair for pair in waiting if not must_retry(pair[0], invocation)], invocation)
            waiting = [pair for pair in waiting if must_retry(pair[0], invocation)]
            if not waiting:
                return
            reasons, error = retry_reasons(invocation), str(invocation.error or "not acknowledged")
        self._result.unapplied += [Finding(source, reasons.get(record_id(record), error)) for record, source in waiting]

    def _add_findings(self, processed: Sequence[tuple[Any, str]], invocation: Invocation) -> None:
        """Add the ignored and quarantined records of an invocation, which reports only their numbers."""
        counts = invocation.counts
        if counts["IgnoredMessage"]:
            self._result.ignored += find_ignored(processed)
        if counts["Quarantined"]:
            self._result.quarantined += find_quarantined(processed, self._receive_quarantined())

    def _receive_quarantined(self) -> Iterator[QuarantinedMessage]:
        """Yield the messages on the quarantine queue, and delete them: otherwise the queue grows without end."""
        sqs, queue = self._aws.client("sqs"), {"QueueUrl": self._aws.quarantine_url}
        while messages := sqs.receive_message(
            **queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=0
        ).get("Messages"):
            for message in messages:
                # A text of the greatest length leaves no room for attributes.
                typed = message.get("MessageAttributes", {})
                attributes = {name: value["StringValue"] for name, value in typed.items()}
                yield QuarantinedMessage(message["Body"], attributes)
            entries = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages)
            ]
            sqs.delete_message_batch(**queue, Entries=entries)

    def _deliver_to_suppression(self, source: str, event: Mapping[str, Any]) -> None:
        self._result.messages += 1
        failure = self._deliver_changes(event["Records"]) if "Records" in event else self._invoke_sweep(event)
        if failure:
            self._result.unapplied.append(Finding(source, failure))

    def _invoke_sweep(self, event: Mapping[str, Any]) -> str:
        """Run one sweep, and return the error, or an empty text if it succeeded."""
        invocation = self._functions.suppression(event)
        self._add_output(invocation)
        return str(invocation.error or "")

    def _deliver_stream(self) -> None:
        """Pass the table's changes to SuppressionFunction, and the changes that it makes, until there are none."""
        for _ in range(MAX_ROUNDS):
            changes = self._aws.stream_records()
            if not changes:
                return
            for batch in batched(changes, BATCH_SIZE):
                self._deliver_changes(list(batch))

    def _deliver_changes(self, changes: Sequence[Any]) -> str:
        """Deliver changes as the stream does: after a failure, again from the first failed change on.

        Return the error of the last delivery, or an empty text. Failed changes stay pending, so the sweep repeats them.
        """
        failure = ""
        for _ in range(DELIVERIES):
            invocation = self._functions.suppression({"Records": changes})
            self._add_output(invocation)
            failed = [index for index, change in enumerate(changes) if must_retry(change, invocation)]
            if not failed:
                return ""
            changes = changes[failed[0] :]
            failure = str(invocation.error or "not acknowledged")
        return failure

    def _sweep(self) -> bool:
        """Run sweeps until no contact is pending. Return False if one still is after the last round."""
        for _ in range(MAX_ROUNDS):
            if not self._is_pending():
                return True
            self._aws.clock.sleep(SWEEP_INTERVAL)
            self._invoke_sweep(SWEEP)
            self._deliver_stream()
        return not self._is_pending()

    def _is_pending(self) -> bool:
        """Return True if the next sweep has work. An entry that SES refused is tried again hours later."""
        now = self._aws.clock.now()
        soon = {
            "pending_at": format_timestamp(now + timedelta(seconds=SWEEP_INTERVAL)),
            "release_at": format_timestamp(now),
        }
        return any(
            name in item and item[name]["S"] <= time for item in self._aws.contacts() for name, time in soon.items()
        )

    def _add_output(self, invocation: Invocation) -> None:
        """Add the metrics and log lines of an invocation. Counts are summed; of lags the longest is kept."""
        metrics = self._result.metrics
        for datum in invocation.metrics:
            value, known = int(datum.value), metrics.get(datum.name, 0)
            metrics[datum.name] = known + value if datum.unit == "Count" else max(known, value)
        for line in invocation.log:
            self._log(line)
            if '"codes"' in line:
                self._result.refused.update(json.loads(line)["codes"])

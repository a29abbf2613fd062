"""The invariants of every payload.

Payloads are checked in cases: all in one batch, the same batch again, and each alone in the opposite order. The result
must be the same.
"""

import base64
import gzip
import json
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from campaigns.fuzz.canaries import find_leaks, undocumented
from campaigns.fuzz.harness import Harness, Invocation
from campaigns.fuzz.payloads import Payload
from campaigns.fuzz.statistics import Statistics
from ses_feedback.processing.results import Disposition, RecordResult
from ses_feedback.reading.envelope import Carrier

MAX_ITEM_BYTES = 16 * 1024
MAX_LINES = 160
"""Lines that one invocation may print: a hundred records, the batch, and the metrics of each dimension."""
MAX_LINE_BYTES = 4_096
_BOOKKEEPING = frozenset({"rev", "pending_since", "pending_shard", "pending_at", "list_pending", "publish_pending"})
"""Attributes of a contact that depend on the number and the time of its writes."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule. `payload` is the payload that breaks it, or None if only the whole case does."""

    rule: str
    description: str
    payload: Payload | None = None


@dataclass
class InvariantChecker:
    """Passes cases to the functions and checks the results."""

    harness: Harness = field(default_factory=Harness)
    statistics: Statistics = field(default_factory=Statistics)

    def check_case(self, payloads: Sequence[Payload], seed: int = 0) -> list[Violation]:
        """Return the violations of a case without AWS faults. `seed` is that of the first payload."""
        self.harness.clear()
        shared = [payload.record for payload in payloads if payload.record is not None]
        batch = self.harness.feedback({"Records": shared})
        violations = [*self._check_invocation(batch, None)]
        if not batch.error and len(batch.results) != len(shared):
            violations.append(Violation("P5", f"{len(batch.results)} results of {len(shared)} records"))
        stored, kept = self._registers(), self._kept()
        violations += [*self._check_repetition({"Records": shared}, None), *self._check_sync()]
        self.harness.clear()
        results = iter(reversed(batch.results))
        for number, payload in reversed(list(enumerate(payloads))):
            if payload.record is not None:
                violations += self._check_alone(payload, seed + number, next(results, None))
        if (self._registers(), self._kept()) != (stored, kept):
            violations.append(Violation("P6", "one by one, the payloads have another result than in one batch"))
        for number, payload in enumerate(payloads):
            if payload.record is None:
                self.harness.clear()
                violations += self._check_alone(payload, seed + number, None)
                violations += self._check_repetition(payload.event, payload)
        return violations

    def check_with_faults(self, payloads: Sequence[Payload]) -> Iterator[Violation]:
        """Yield the violations if AWS fails for some payloads, and the retries succeed."""
        records = [payload.record for payload in payloads if payload.is_sqs_message]
        self.harness.clear()
        self.harness.feedback({"Records": records})
        stored, kept = self._registers(), self._kept()
        self.harness.clear()
        self.harness.fail_for(_every_third)
        first = self.harness.feedback({"Records": records})
        self.harness.fail_for(_never)
        yield from _check_privacy(first, None)
        retried = [result.record.id for result in first.results if result.disposition is Disposition.RETRY]
        if records and first.answer != {"batchItemFailures": [{"itemIdentifier": one} for one in retried]}:
            yield Violation("P2", f"{len(retried)} of {len(records)} must be retried; the answer is {first.answer!r}")
        again = [record for record in records if record["messageId"] in retried]
        yield from self._check_invocation(self.harness.feedback({"Records": again}), None)
        if (self._registers(), self._kept()) != (stored, kept):
            yield Violation("P2", "after faults, the stored contacts or the quarantine differ")

    def _check_alone(self, payload: Payload, seed: int, in_batch: RecordResult | None) -> Iterator[Violation]:
        kept_before = len(self.harness.sqs.kept)
        alone = self.harness.feedback(payload.event)
        dispositions = [result.disposition.value for result in alone.results]
        self.statistics.add(payload.shape, dispositions, alone.seconds, seed)
        yield from self._check_invocation(alone, payload)
        yield from _check_quarantine(alone, self.harness.sqs.kept[kept_before:], payload)
        if in_batch and [_comparable(result) for result in alone.results] != [_comparable(in_batch)]:
            yield Violation("P6", f"in a batch the result was {_comparable(in_batch)}", payload)

    def _check_repetition(self, event: object, payload: Payload | None) -> Iterator[Violation]:
        stored = dict(self.harness.table.items)
        self.harness.feedback(event)
        if self.harness.table.items != stored:
            yield Violation("P1", "the second delivery changed the stored items", payload)

    def _check_sync(self) -> Iterator[Violation]:
        """Invoke SuppressionFunction for the contacts that changed, and check the events that it publishes."""
        if not self.harness.table.pending.items:
            return
        invocation = self.harness.stream()
        if invocation.error:
            yield Violation("P4", f"SuppressionFunction raised {invocation.error!r}")
        yield from _check_privacy(invocation, None)
        for detail in self.harness.events.published:
            yield from (Violation("P7", f"an event contains {leak!r}") for leak in find_leaks(undocumented(detail)))

    def _check_invocation(self, invocation: Invocation, payload: Payload | None) -> Iterator[Violation]:
        """Check an invocation during which no AWS call failed."""
        if invocation.error:
            yield Violation("P5", f"raised {type(invocation.error).__name__}", payload)
        for result in invocation.results:
            if result.disposition is Disposition.RETRY:
                yield Violation("P5", f"is retried forever: {result.reason}", payload)
            if result.reason.startswith("internal-error"):
                yield Violation("P5", f"is not handled: {result.reason}", payload)
        if not invocation.error and not _accounts_for_all(invocation):
            yield Violation(
                "P5", f"{len(invocation.results)} results, but the answer is {invocation.answer!r}", payload
            )
        yield from _check_privacy(invocation, payload)
        yield from self._check_bounds(invocation, payload)

    def _check_bounds(self, invocation: Invocation, payload: Payload | None) -> Iterator[Violation]:
        lines = invocation.output.splitlines()
        self.statistics.add_output(lines)
        if len(lines) > MAX_LINES or any(len(line) > MAX_LINE_BYTES for line in lines):
            yield Violation("P8", f"{len(lines)} lines, the longest of {max(map(len, lines))} characters", payload)
        sizes = self.harness.table.sizes
        largest, sizes.largest = sizes.largest, 0
        self.statistics.largest_item = max(self.statistics.largest_item, largest)
        if largest > MAX_ITEM_BYTES:
            yield Violation("P8", f"an item of {largest:,} bytes", payload)

    def _registers(self) -> dict[Any, Any]:
        """Return the state that no order may change: contacts without bookkeeping, and the keys of the history."""
        return {
            key: "rev" in item and {name: value for name, value in item.items() if name not in _BOOKKEEPING}
            for key, item in self.harness.table.items.items()
        }

    def _kept(self) -> list[Any]:
        return sorted(self.harness.sqs.kept, key=repr)


def original_text(body: str, attributes: dict[str, str]) -> str:
    """Return the original text of a message in quarantine, as the runbook describes."""
    if attributes.get("encoding") != "gzip+base64":
        return body
    return gzip.decompress(base64.b64decode(body)).decode("utf-8", "surrogatepass")


def _check_quarantine(
    invocation: Invocation, kept: Sequence[tuple[str, dict[str, str]]], payload: Payload
) -> Iterator[Violation]:
    quarantined = [result for result in invocation.results if result.disposition is Disposition.QUARANTINED]
    if len(quarantined) != len(kept):
        yield Violation("P2", f"{len(quarantined)} records quarantined, {len(kept)} kept", payload)
        return
    for result, (body, attributes) in zip(quarantined, kept, strict=True):
        content = result.record.content
        text = content if isinstance(content, str) else json.dumps(content)
        if original_text(body, attributes) != text:
            yield Violation("P2", "the quarantine does not contain the original text", payload)
        leaks = find_leaks(repr(attributes))
        yield from (Violation("P7", f"an attribute contains {leak!r}", payload) for leak in leaks)


def _accounts_for_all(invocation: Invocation) -> bool:
    """Return True if the answer and the log account for every record."""
    results, answer = invocation.results, invocation.answer
    retried = sum(result.disposition is Disposition.RETRY for result in results)
    logged = next(json.loads(line) for line in invocation.output.splitlines() if '"message":"batch"' in line)
    if sum(logged.get(one.value, 0) for one in Disposition) != len(results) or not isinstance(answer, dict):
        return False
    if any(result.record.carrier is Carrier.SQS for result in results):
        return len(answer["batchItemFailures"]) == retried
    return sum(answer.values()) == len(results)


def _check_privacy(invocation: Invocation, payload: Payload | None) -> Iterator[Violation]:
    """Yield the personal data in the output, the error and the answer."""
    error = "".join(traceback.format_exception(invocation.error)) if invocation.error else ""
    texts = {"the output": invocation.output, "the error": error, "the answer": repr(invocation.answer)}
    for place, text in texts.items():
        yield from (Violation("P7", f"{place} contains {leak!r}", payload) for leak in find_leaks(text))


def _comparable(result: RecordResult) -> tuple[object, ...]:
    return result.disposition, result.kind, result.reason, result.message_id, result.contacts


def _every_third(text: str) -> bool:
    return crc32(text.encode("utf-8", "surrogatepass")) % 3 == 0


def _never(_: str) -> bool:
    return False

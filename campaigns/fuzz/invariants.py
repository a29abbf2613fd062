"""What must be so of every payload.

Payloads are played a case at a time: all in one batch, the same batch again, and then each by itself in the opposite
order. All must come to the same.
"""

import base64
import gzip
import json
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from campaigns.fuzz.canaries import leaks, undocumented
from campaigns.fuzz.harness import House, Seen
from campaigns.fuzz.payloads import Payload
from campaigns.fuzz.statistics import Figures
from ses_feedback.processing.results import Disposition, RecordResult
from ses_feedback.reading.envelope import Carrier

MAX_ITEM_BYTES = 16 * 1024
MAX_LINES = 160
"""Lines an invocation may print: a hundred records, the batch itself, and metrics of each dimension it touched."""
MAX_LINE_BYTES = 4_096
_BOOKKEEPING = frozenset({"rev", "pending_since", "pending_shard", "pending_at", "list_pending", "publish_pending"})
"""What of a contact tells how often, and how late, it was written."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that does not hold, and of which payload; `about` is None when it takes all of the case."""

    rule: str
    said: str
    about: Payload | None = None


@dataclass
class Referee:
    """Plays cases in a house."""

    house: House = field(default_factory=House)
    figures: Figures = field(default_factory=Figures)

    def play(self, payloads: Sequence[Payload], seed: int = 0) -> list[Violation]:
        """Hand payloads over in every way; return what must not be. `seed` is the first one's, for the figures."""
        self.house.clear()
        shared = [payload.entry for payload in payloads if payload.entry is not None]
        together = self.house.feedback({"Records": shared})
        violations = [*self._judged(together, None)]
        if not together.error and len(together.results) != len(shared):
            violations.append(Violation("P5", f"{len(together.results)} outcomes of {len(shared)} records"))
        stored, kept = self._registers(), self._kept()
        violations += [*self._repeated({"Records": shared}, None), *self._followed()]
        self.house.clear()
        results = iter(reversed(together.results))
        for number, payload in reversed(list(enumerate(payloads))):
            if payload.entry is not None:
                violations += self._alone(payload, seed + number, next(results, None))
        if (self._registers(), self._kept()) != (stored, kept):
            violations.append(Violation("P6", "one by one they leave something else than in one batch"))
        for number, payload in enumerate(payloads):
            if payload.entry is None:
                self.house.clear()
                violations += [*self._alone(payload, seed + number, None), *self._repeated(payload.event, payload)]
        return violations

    def play_faulty(self, payloads: Sequence[Payload]) -> Iterator[Violation]:
        """Hand payloads to an AWS that fails for some, and those that come again to one that does not."""
        queued = [payload for payload in payloads if payload.from_queue]
        self.house.clear()
        self.house.feedback({"Records": [payload.entry for payload in queued]})
        stored, kept = self._registers(), self._kept()
        self.house.clear()
        self.house.fail(_unlucky)
        seen = self.house.feedback({"Records": [payload.entry for payload in queued]})
        self.house.fail(_nobody)
        yield from _quiet(seen, None)
        again = [outcome.record.id for outcome in seen.results if outcome.disposition is Disposition.RETRY]
        if queued and seen.answer != {"batchItemFailures": [{"itemIdentifier": one} for one in again]}:
            yield Violation("P2", f"{len(again)} of {len(queued)} must come again, but the answer is {seen.answer!r}")
        left = [payload.entry for payload in queued if payload.entry["messageId"] in again]
        yield from self._judged(self.house.feedback({"Records": left}), None)
        if (self._registers(), self._kept()) != (stored, kept):
            yield Violation("P2", "after faults, what is stored or kept differs from what it is without")

    def _alone(self, payload: Payload, seed: int, among_others: RecordResult | None) -> Iterator[Violation]:
        before = len(self.house.sqs.kept)
        seen = self.house.feedback(payload.event)
        self.figures.add(payload.shape, [outcome.disposition.value for outcome in seen.results], seen.seconds, seed)
        yield from self._judged(seen, payload)
        yield from _kept_whole(seen, self.house.sqs.kept[before:], payload)
        if among_others and [_became(outcome) for outcome in seen.results] != [_became(among_others)]:
            yield Violation("P6", f"among others it was {_became(among_others)}", payload)

    def _repeated(self, event: object, payload: Payload | None) -> Iterator[Violation]:
        stored = dict(self.house.table.items)
        self.house.feedback(event)
        if self.house.table.items != stored:
            yield Violation("P1", "a second time it changed what is stored", payload)

    def _followed(self) -> Iterator[Violation]:
        """Let SuppressionFunction sync what changed, which tells the outside world."""
        if not self.house.table.changed.items:
            return
        seen = self.house.stream()
        if seen.error:
            yield Violation("P4", f"SuppressionFunction raised {seen.error!r}")
        yield from _quiet(seen, None)
        for detail in self.house.events.published:
            yield from (Violation("P7", f"an event tells {leak!r}") for leak in leaks(undocumented(detail)))

    def _judged(self, seen: Seen, payload: Payload | None) -> Iterator[Violation]:
        """Yield what is wrong with an invocation during which nothing of AWS's failed."""
        if seen.error:
            yield Violation("P5", f"raised {type(seen.error).__name__}", payload)
        for outcome in seen.results:
            if outcome.disposition is Disposition.RETRY:
                yield Violation("P5", f"comes again for ever: {outcome.reason}", payload)
            if outcome.reason.startswith("internal-error"):
                yield Violation("P5", f"unhandled, {outcome.reason}", payload)
        if not seen.error and not _accounted_for(seen):
            yield Violation("P5", f"{len(seen.results)} outcomes, but it answers {seen.answer!r}", payload)
        yield from _quiet(seen, payload)
        yield from self._within_bounds(seen, payload)

    def _within_bounds(self, seen: Seen, payload: Payload | None) -> Iterator[Violation]:
        lines = seen.printed.splitlines()
        self.figures.printed(lines)
        if len(lines) > MAX_LINES or any(len(line) > MAX_LINE_BYTES for line in lines):
            yield Violation("P8", f"{len(lines)} lines, the longest of {max(map(len, lines))} characters", payload)
        largest, self.house.table.sizes.largest = self.house.table.sizes.largest, 0
        self.figures.largest_item = max(self.figures.largest_item, largest)
        if largest > MAX_ITEM_BYTES:
            yield Violation("P8", f"an item of {largest:,} bytes", payload)

    def _registers(self) -> dict[Any, Any]:
        """Return what order must not change: every contact without its bookkeeping, and which history there is."""
        return {
            key: "rev" in item and {name: value for name, value in item.items() if name not in _BOOKKEEPING}
            for key, item in self.house.table.items.items()
        }

    def _kept(self) -> list[Any]:
        return sorted(self.house.sqs.kept, key=repr)


def original(body: str, attributes: dict[str, str]) -> str:
    """Return the text that a message in quarantine keeps, as the runbook says to get at it."""
    if attributes.get("encoding") != "gzip+base64":
        return body
    return gzip.decompress(base64.b64decode(body)).decode("utf-8", "surrogatepass")


def _kept_whole(seen: Seen, kept: Sequence[tuple[str, dict[str, str]]], payload: Payload) -> Iterator[Violation]:
    poison = [outcome for outcome in seen.results if outcome.disposition is Disposition.QUARANTINED]
    if len(poison) != len(kept):
        yield Violation("P2", f"{len(poison)} records quarantined, {len(kept)} kept", payload)
        return
    for outcome, (body, attributes) in zip(poison, kept, strict=True):
        content = outcome.record.content
        whole = content if isinstance(content, str) else json.dumps(content)
        if original(body, attributes) != whole:
            yield Violation("P2", "the quarantine does not hold the original text", payload)
        yield from (Violation("P7", f"an attribute tells {leak!r}", payload) for leak in leaks(repr(attributes)))


def _accounted_for(seen: Seen) -> bool:
    """Say whether the answer, and the log, tell of every record."""
    again = sum(outcome.disposition is Disposition.RETRY for outcome in seen.results)
    logged = next(json.loads(line) for line in seen.printed.splitlines() if '"message":"batch"' in line)
    if sum(logged.get(one.value, 0) for one in Disposition) != len(seen.results) or not isinstance(seen.answer, dict):
        return False
    if any(outcome.record.carrier is Carrier.SQS for outcome in seen.results):
        return len(seen.answer["batchItemFailures"]) == again
    return sum(seen.answer.values()) == len(seen.results)


def _quiet(seen: Seen, payload: Payload | None) -> Iterator[Violation]:
    """Yield what an invocation gives away that it must not."""
    raised = "".join(traceback.format_exception(seen.error)) if seen.error else ""
    for where, text in (
        ("what it prints", seen.printed),
        ("what it raises", raised),
        ("its answer", repr(seen.answer)),
    ):
        yield from (Violation("P7", f"{where} tells {leak!r}", payload) for leak in leaks(text))


def _became(outcome: RecordResult) -> tuple[object, ...]:
    return outcome.disposition, outcome.kind, outcome.reason, outcome.message_id, outcome.contacts


def _unlucky(text: str) -> bool:
    return crc32(text.encode("utf-8", "surrogatepass")) % 3 == 0


def _nobody(_: str) -> bool:
    return False

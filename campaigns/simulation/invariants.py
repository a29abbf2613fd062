"""Watches a run for broken promises: at every write, every acknowledgement, every call of SES, and at the end."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from campaigns.fuzz.canaries import leaks
from campaigns.simulation.aws_services import SesList
from campaigns.simulation.case import Case
from campaigns.simulation.lanes import Lanes
from campaigns.simulation.messages import Message, ReportedFact
from campaigns.simulation.oracle import (
    RANKS,
    Settings,
    expected_registers,
    expected_status,
    holds_fact,
    required_entry,
    stored_registers,
)
from campaigns.simulation.scheduler import SECOND, Stage
from ses_feedback.timestamps import format_timestamp

if TYPE_CHECKING:
    from campaigns.simulation.stream_workers import Operator
    from campaigns.simulation.table import Table
    from tests.support.dynamodb_table import Item


Slot = tuple[str, str, str]
"""An address, a day and a verdict: of one rule, so of these, a contact's history need not keep all."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise, and the step at which it was seen."""

    promise: str
    what: str
    step: int

    def __str__(self) -> str:
        """Say it on one line."""
        return f"{self.promise} broken at step {self.step}: {self.what}"


class Watch:
    """What was seen of a run."""

    table: "Table"
    lanes: Lanes

    def __init__(self, case: Case, stage: Stage, suppressed: SesList, settings: Settings) -> None:
        """Watch a run of `case`."""
        self.violations: list[Violation] = []
        self.quarantined: list[str] = []
        self.published: list[dict[str, Any]] = []
        self.operators: list[tuple[str, Operator]] = []
        self.calls = 0
        self._case = case
        self._stage = stage
        self._suppressed = suppressed
        self._settings = settings
        self._last_call: int | None = None

    def state(self) -> object:
        """Return all that what is found later depends on."""
        told: dict[str, tuple[int, str]] = {}
        for change in self.published:
            known = change["rev"], change["new_status"]
            told[change["address"]] = max(told.get(change["address"], known), known)
        lately = self._last_call is not None and self._stage.clock - self._last_call < SECOND
        written = sorted(self._suppressed.written)
        return sorted(told.items()), sorted(set(self.quarantined)), written, self._last_call if lately else None

    def violated(self, promise: str, what: str) -> None:
        """Note that a promise was broken, which ends the run."""
        self._stage.stopped = True
        self.violations.append(Violation(promise, what, self._stage.steps))

    def written(self, old: "Item | None", new: "Item") -> None:
        """Check P1, as far as the item itself tells, and P3 at a write of a contact."""
        unsendable = RANKS[new["status"]["S"]] >= RANKS["suspended"]
        signs = {"unsendable" in new, not new["may_send"]["BOOL"]}
        if signs != {unsendable} or ("pending_shard" in new) != ("pending_since" in new):
            self.violated("P1", f"{new['address']['S']} contradicts itself: {sorted(new)}")
        if old is None or old.get("opted_in_at") != new.get("opted_in_at"):
            return
        before, after = old["status"]["S"], new["status"]["S"]
        delivered = old.get("delivered_on") != new.get("delivered_on")
        if RANKS[after] < RANKS[before] and not (delivered and before in {"suspended", "bouncing"}):
            self.violated("P3", f"{new['address']['S']} from {before} to {after}")
        if int(new["rev"]["N"]) != int(old["rev"]["N"]) + 1:
            self.violated("P3", f"{new['address']['S']} from rev {old['rev']['N']} to {new['rev']['N']}")

    def called(self) -> None:
        """Check P8 at a call of SES."""
        now = self._stage.clock
        self.calls += 1
        if self._last_call is not None and now - self._last_call < SECOND:
            self.violated("P8", f"two calls of SES within {(now - self._last_call) / SECOND} s")
        self._last_call = now

    def acknowledged(self, message: Message) -> None:
        """Check P2 as a message is taken off its queue."""
        if message.disposition == "quarantined" and message.body not in self.quarantined:
            self.violated("P2", f"message {message.number} is neither on its queue nor in quarantine")
        for one in message.facts:
            if not holds_fact(self.table.contact(one.address), one):
                self.violated("P2", f"message {message.number} is acknowledged and its fact not stored: {one}")
            elif one.verdict != "DELIVERED" and not self._remembered(one):
                self.violated("P2", f"message {message.number} is acknowledged and not in the history: {one}")

    def answered(self, messages: Sequence[Message], failed: set[str], *, broken: bool) -> None:
        """Check P5 and P6 on a function's answer."""
        if not failed <= {str(message.number) for message in messages}:
            self.violated("P5", "an answer about messages that were not asked about")
        if failed and not broken:
            self.violated("P6", f"messages {sorted(failed)} failed though nothing was broken")

    def failed(self, error: Exception) -> None:
        """Check that a function that fails may."""
        self.shown("an exception", f"{error!r} {error}")
        if not type(error).__module__.startswith(("botocore", "ses_feedback.aws.errors")):
            self.violated("P5", f"a function failed with {error!r}")

    def shown(self, where: str, text: str) -> None:
        """Check P7 on what somebody may see who is not to see whom mail is sent to, and what."""
        for leak in leaks(text)[:1]:
            self.violated("P7", f"{leak} in {where}")

    def finished(self) -> None:
        """Check everything once nothing is left to do."""
        if self.violations:
            return
        if not self._stage.settled:
            self.violated("P4", f"not settled after {self._stage.steps} steps")
            return
        meant = {meant for message in self._case.messages for meant in message.facts}
        addresses = {one.address for one in meant if one.register} | {address for address, _ in self.operators}
        there = {address for address, record in self.table.items if record == "contact"}
        if there != addresses:
            self.violated("P1", f"contacts of {sorted(there)} instead of {sorted(addresses)}")
        for address in sorted(addresses & there):
            self._check_contact(address, [one for one in meant if one.address == address])
        self._check_history(one for one in meant if one.verdict != "DELIVERED")
        wanted = sorted({message.body for message in self._case.messages if message.disposition == "quarantined"})
        if sorted(set(self.quarantined)) != wanted:
            self.violated("P5", "something else in quarantine than what belongs there")

    def _check_contact(self, address: str, meant: Sequence[ReportedFact]) -> None:
        item = self.table.items[address, "contact"]
        opted_in = [
            format_timestamp(operator.opted_in.at)
            for one, operator in self.operators
            if one == address and operator.opted_in
        ]
        expected = expected_registers(address, meant, opted_in)
        found = stored_registers(item)
        if found != expected:
            different = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
            self.violated("P1", f"{address} differs in {different}: {found} instead of {expected}")
            return
        right = expected_status(expected, self._settings)
        if (item["status"]["S"], item["may_send"]["BOOL"]) != (right, RANKS[right] < RANKS["suspended"]):
            self.violated("P1", f"{address} is {item['status']['S']} instead of {right}")
        if ("unsendable" in item) != (RANKS[right] >= RANKS["suspended"]):
            self.violated("P1", f"{address} is wrongly indexed")
        self._check_outside(address, item, right)

    def _check_outside(self, address: str, item: "Item", right: str) -> None:
        variants = {one["S"] for one in item["variants"]["L"]} | {address}
        entries = {name: reason for name, reason in self._suppressed.entries.items() if name.lower() == address}
        wanted = required_entry(right, self._settings)
        if set(entries.values()) != ({wanted} if wanted else set()):
            self.violated("P4", f"{address} is {right}, and the list holds {entries}")
        if wanted and address in self._suppressed.written and not variants - {address} <= set(entries):
            self.violated("P4", f"{address} is {right}, and the list holds {entries} of the variants {variants}")
        if "pending_shard" in item or "lease" in item:
            self.violated("P4", f"{address} is still due or leased")
        told = [(change["rev"], change["new_status"]) for change in self.published if change["address"] == address]
        if item["published_status"]["S"] != right or (max(told)[1] if told else "active") != right:
            self.violated("P4", f"{address} is {right}, and was published as {told}")

    def _check_history(self, meant: Iterable[ReportedFact]) -> None:
        wanted: dict[Slot, set[int]] = {}
        for one in meant:
            wanted.setdefault(_slot(one), set()).add(one.feedback)
        kept = Counter(slot for slot, _ in self._history())
        if kept.keys() != wanted.keys() or any(number > len(wanted[slot]) for slot, number in kept.items()):
            self.violated("P1", f"history of {sorted(kept.items())} instead of {sorted(wanted.items())}")

    def _remembered(self, one: ReportedFact) -> bool:
        """Say whether the history has what a message said; of one day and verdict, it need not have all."""
        slot = _slot(one)
        others = any(
            _slot(other) == slot and other.feedback != one.feedback
            for message in self._case.messages
            for other in message.facts
        )
        return any(kept == slot and (others or at == one.at) for kept, at in self._history())

    def _history(self) -> Iterator[tuple[Slot, str]]:
        for (address, record), item in self.table.items.items():
            if record.startswith("feedback#"):
                at = item["at"]["S"]
                yield (address, at[:10], item["verdict"]["S"]), at


def _slot(one: ReportedFact) -> Slot:
    return one.address, one.at[:10], one.verdict

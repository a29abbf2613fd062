"""Checks of the promises P1 to P8, which docs/explain/architecture.md defines.

They run at every write, every acknowledgement and every call of SES, and at the end of a run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from campaigns.fuzz.canaries import find_leaks
from campaigns.simulation.aws_services import SuppressionEntries
from campaigns.simulation.case import Case
from campaigns.simulation.contact_checker import UNSENDABLE, ContactChecker
from campaigns.simulation.expiry import FOREIGN_ATTRIBUTE
from campaigns.simulation.forgotten import ForgottenDeliveries
from campaigns.simulation.history_checker import HistoryChecker
from campaigns.simulation.lanes import Lanes
from campaigns.simulation.messages import Message, ReportedFact
from campaigns.simulation.oracle import (
    RANKS,
    Command,
    Settings,
    earliest_expiry,
    expected_registers,
    holds_fact,
    may_weaken,
    restores_streams,
    stored_registers,
)
from campaigns.simulation.release_checker import ReleaseChecker
from campaigns.simulation.scheduler import SECOND, Scheduler
from ses_feedback.timestamps import format_timestamp

if TYPE_CHECKING:
    from campaigns.simulation.stream_workers import Operator
    from campaigns.simulation.table import Table
    from tests.support.dynamodb_table import Item


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise, and the step at which it was found."""

    promise: str
    description: str
    step: int

    def __str__(self) -> str:
        """Return a description on one line."""
        return f"{self.promise} broken at step {self.step}: {self.description}"


class InvariantChecker:
    """Checks a run. Stores the messages in quarantine, the published events and the violations."""

    table: "Table"
    lanes: Lanes

    def __init__(self, case: Case, scheduler: Scheduler, suppressed: SuppressionEntries, settings: Settings) -> None:
        """Check a run of `case`."""
        self.violations: list[Violation] = []
        self.quarantined: list[str] = []
        self.published: list[dict[str, Any]] = []
        self.operators: list[tuple[str, Operator]] = []
        self.list_calls = 0
        self.foreign: set[str] = set()
        """Contacts with an attribute of another application."""
        self.releases = ReleaseChecker(scheduler, settings, self.add_violation, in_order=not any(case.staleness))
        self._contacts = ContactChecker(settings, suppressed, self.published, self.foreign, self.add_violation)
        self._history = HistoryChecker(case.messages, self.add_violation)
        self._forgotten = ForgottenDeliveries()
        self._case = case
        self._scheduler = scheduler
        self._suppressed = suppressed
        self._settings = settings
        self._latest_call: int | None = None

    def state(self) -> object:
        """Return everything on which the result of later checks depends."""
        latest: dict[tuple[str, str], tuple[int, str]] = {}
        for event in self.published:
            published = event["rev"], str(event.get("new_status", event.get("opted_out")))
            key = event["address"], event["detail-type"]
            latest[key] = max(latest.get(key, published), published)
        recent = self._latest_call is not None and self._scheduler.clock - self._latest_call < SECOND
        written = sorted(self._suppressed.written)
        latest_call = self._latest_call if recent else None
        kept = self.releases.state(), self._forgotten.state(), sorted(self.foreign)
        return sorted(latest.items()), sorted(set(self.quarantined)), written, latest_call, kept

    def add_violation(self, promise: str, description: str) -> None:
        """Store a violation, and end the run."""
        self._scheduler.stopped = True
        self.violations.append(Violation(promise, description, self._scheduler.steps))

    def check_write(self, old: "Item | None", new: "Item") -> None:
        """Check that the written item of a contact is consistent (P1) and that its status did not weaken (P3)."""
        address = new["address"]["S"]
        unsendable = RANKS[new["status"]["S"]] >= UNSENDABLE
        flags = {"unsendable" in new, not new["may_send"]["BOOL"]}
        if flags != {unsendable} or ("pending_shard" in new) != ("pending_since" in new):
            self.add_violation("P1", f"the item of {address} is inconsistent: {sorted(new)}")
        if old is None:
            return
        before, after = old["status"]["S"], new["status"]["S"]
        if RANKS[after] < RANKS[before] and not may_weaken(
            before, stored_registers(old), stored_registers(new), self._settings
        ):
            self.add_violation("P3", f"{address} from {before} to {after}")
        if restores_streams(old, new):
            self.add_violation("P3", f"{address} lost an opt-out of a stream that the person did not withdraw")
        if new.keys() - old.keys() == {FOREIGN_ATTRIBUTE} and new["rev"] == old["rev"]:
            return  # another application added its attribute
        if int(new["rev"]["N"]) != int(old["rev"]["N"]) + 1:
            self.add_violation("P3", f"{address} from rev {old['rev']['N']} to {new['rev']['N']}")
        if old.get("releases") != new.get("releases"):
            self.releases.check(old, new)
        self.releases.note_write(old, new)

    def check_expiry(self, item: "Item") -> None:
        """Check that an expired contact had only deliveries, and that all of them were at least sixty days ago (P2)."""
        address, registers = item["address"]["S"], stored_registers(item)
        delivered = registers.get("delivered", [])
        if registers != {"delivered": delivered, "variants": registers["variants"]} or address in self.foreign:
            self.add_violation("P2", f"{address} expired with {registers} and the attributes {sorted(item)}")
        elif self._scheduler.clock < earliest_expiry(delivered):
            self.add_violation("P2", f"{address} expired less than sixty days after its last delivery")
        self._forgotten.add(address, delivered)

    def check_calls_for_expiries(self, calls: int) -> None:
        """Check that a function made no AWS calls for expired contacts (P8). `calls` is the number of its calls."""
        if calls:
            self.add_violation("P8", f"{calls} calls of AWS for expired contacts")

    def check_list_call(self) -> None:
        """Check that the previous call of SES was at least a second ago (P8)."""
        now = self._scheduler.clock
        self.list_calls += 1
        if self._latest_call is not None and now - self._latest_call < SECOND:
            self.add_violation("P8", f"two calls of SES within {(now - self._latest_call) / SECOND} s")
        self._latest_call = now

    def check_acknowledgement(self, message: Message) -> None:
        """Check that an acknowledged message is in quarantine, or that all its facts are stored (P2)."""
        if message.disposition == "quarantined" and message.body not in self.quarantined:
            self.add_violation("P2", f"message {message.number} is neither on its lane nor in quarantine")
        for fact in message.facts:
            if fact in self._forgotten:
                continue
            if not holds_fact(self.table.contact(fact.address), fact):
                self.add_violation(
                    "P2", f"message {message.number} is acknowledged, but its fact is not stored: {fact}"
                )
            elif fact.verdict != "DELIVERED" and not self._history.has(fact, self.table.items):
                self.add_violation("P2", f"message {message.number} is acknowledged, but not in the history: {fact}")

    def check_answer(self, messages: Sequence[Message], failed: set[str], *, broken: bool) -> None:
        """Check the failed messages that a function returned.

        All must be messages of its batch (P5). If no call had a fault (`broken` is False), none may fail (P6).
        """
        if not failed <= {str(message.number) for message in messages}:
            self.add_violation("P5", "the result has messages that are not in the batch")
        if failed and not broken:
            self.add_violation("P6", f"messages {sorted(failed)} failed without a fault")

    def check_failure(self, error: Exception) -> None:
        """Check that a function failed with an AWS error (P5) and that its text contains no personal data (P7)."""
        self.check_text("an exception", f"{error!r} {error}")
        if not type(error).__module__.startswith(("botocore", "ses_feedback.aws.errors")):
            self.add_violation("P5", f"a function failed with {error!r}")

    def check_text(self, place: str, text: str) -> None:
        """Check that `text` contains no personal data (P7). `place` is the origin of the text."""
        for leak in find_leaks(text)[:1]:
            self.add_violation("P7", f"{leak} in {place}")

    def check_result(self) -> None:
        """Check the final state of the run."""
        if self.violations:
            return
        if not self._scheduler.settled:
            self.add_violation("P4", f"not settled after {self._scheduler.steps} steps")
            return
        facts = {fact for message in self._case.messages for fact in message.facts}
        remembered = {fact for fact in facts if fact not in self._forgotten}
        expected = {fact.address for fact in remembered if fact.register} | {address for address, _ in self.operators}
        stored = {address for address, record in self.table.items if record == "contact"}
        expected |= stored & self._forgotten.addresses
        if stored != expected:
            self.add_violation("P1", f"contacts {sorted(stored)} instead of {sorted(expected)}")
        for address in sorted(expected & stored):
            self._check_contact(address, [fact for fact in facts if fact.address == address])
        self._history.check(self.table.items)
        self._check_quarantine()

    def _check_quarantine(self) -> None:
        required = {message.body for message in self._case.messages if message.disposition == "quarantined"}
        if set(self.quarantined) != required:
            self.add_violation("P5", "the messages in quarantine are not the required ones")

    def _check_contact(self, address: str, facts: Sequence[ReportedFact]) -> None:
        """Check the registers of a contact (P1), its status and its effects."""
        item = self.table.items[address, "contact"]
        stored = stored_registers(item)
        expected = expected_registers(address, facts, self._reinstatements(address), stored.get("releases", ()))
        # All facts determine the status. Only the registers may lack deliveries of an expired contact.
        self._contacts.check(address, item, expected)
        if address in self._forgotten.addresses:
            stored, expected = (self._forgotten.remove_from(registers, facts) for registers in (stored, expected))
        if stored != expected:
            different = sorted(name for name in {*stored, *expected} if stored.get(name) != expected.get(name))
            self.add_violation("P1", f"{address} differs in {different}: {stored} instead of {expected}")

    def _reinstatements(self, address: str) -> list[Command]:
        return [
            Command(operator.kind, format_timestamp(operator.evidence.at))
            for operated, operator in self.operators
            if operated == address and operator.evidence
        ]

"""Checks of the promises P1 to P8, which docs/explain/architecture.md defines.

They run at every write, every acknowledgement and every call of SES, and at the end of a run.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from campaigns.fuzz.canaries import find_leaks
from campaigns.simulation.aws_services import SuppressionEntries
from campaigns.simulation.case import Case
from campaigns.simulation.expiry import FOREIGN_ATTRIBUTE
from campaigns.simulation.forgotten import ForgottenDeliveries
from campaigns.simulation.lanes import Lanes
from campaigns.simulation.messages import Message, ReportedFact, is_simulator
from campaigns.simulation.oracle import (
    RANKS,
    Command,
    Registers,
    Settings,
    earliest_expiry,
    expected_evidence,
    expected_opt_outs,
    expected_registers,
    expected_status,
    holds_fact,
    may_weaken,
    opted_out_streams,
    required_entry,
    restores_streams,
    stored_registers,
    suspension_end,
)
from campaigns.simulation.release_checker import ReleaseChecker
from campaigns.simulation.scheduler import SECOND, Scheduler
from ses_feedback.timestamps import format_timestamp

if TYPE_CHECKING:
    from campaigns.simulation.stream_workers import Operator
    from campaigns.simulation.table import Table
    from tests.support.dynamodb_table import Item

Slot = tuple[str, str, str]
"""Address, day and verdict. The history has at least one fact of each slot."""
_UNSENDABLE = RANKS["suspended"]
"""Rank of the weakest status with which bulk email must not be sent."""


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
        unsendable = RANKS[new["status"]["S"]] >= _UNSENDABLE
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
            elif fact.verdict != "DELIVERED" and not self._is_in_history(fact):
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
        self._check_history(fact for fact in facts if fact.verdict != "DELIVERED")
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
        self._check_status(address, item, expected)
        self._check_expiry_of(address, item, expected)
        if address in self._forgotten.addresses:
            stored, expected = (self._forgotten.remove_from(registers, facts) for registers in (stored, expected))
        if stored != expected:
            different = sorted(name for name in {*stored, *expected} if stored.get(name) != expected.get(name))
            self.add_violation("P1", f"{address} differs in {different}: {stored} instead of {expected}")

    def _check_status(self, address: str, item: "Item", expected: Registers) -> None:
        """Check the status of a contact, its evidence and its index key (P1), and its effects (P4)."""
        status = expected_status(expected, self._settings)
        unsendable = RANKS[status] >= _UNSENDABLE
        if (item["status"]["S"], item["may_send"]["BOOL"]) != (status, not unsendable):
            self.add_violation("P1", f"{address} is {item['status']['S']} instead of {status}")
        # SES sends receipts unless its list has an entry.
        answer = item["may_send_transactional"]["BOOL"], opted_out_streams(item)
        streams = [name for name in expected_opt_outs(expected) if name != "*"]
        if answer != (not required_entry(status, self._settings), streams):
            self.add_violation("P1", f"{address} is {status} without {streams}, but its item says {answer}")
        shown = tuple(item.get(name, {"S": ""})["S"] for name in ("status_at", "reason"))
        if shown != (evidence := expected_evidence(expected, self._settings)):
            self.add_violation("P1", f"{address} is {status} because of {shown} instead of {evidence}")
        if ("unsendable" in item) != unsendable:
            self.add_violation("P1", f"{address} is {status}, but its key of the index Unsendable is wrong")
        if status == "suspended" and suspension_end(expected, self._settings):
            self.add_violation("P4", f"{address} is still suspended")
        # Feedback of the mailbox simulator reaches neither the list nor subscribers of events.
        published = "active" if is_simulator(address) else status
        self._check_list(address, item, published)
        self._check_events(address, item, published)
        self._check_preferences(address, item, [] if is_simulator(address) else expected_opt_outs(expected))

    def _check_expiry_of(self, address: str, item: "Item", expected: Registers) -> None:
        """Check that a contact with deliveries only expires (P8), and that foreign attributes are kept (P1)."""
        is_foreign = address in self.foreign
        if is_foreign != (FOREIGN_ATTRIBUTE in item):
            self.add_violation("P1", f"{address} lost the attribute of another application")
        expires = not is_foreign and expected.keys() <= {"delivered", "variants"}
        if ("expires_at" in item) != expires:
            self.add_violation("P8", f"{address} must {'' if expires else 'not '}expire: {sorted(item)}")

    def _reinstatements(self, address: str) -> list[Command]:
        return [
            Command(operator.kind, format_timestamp(operator.evidence.at))
            for operated, operator in self.operators
            if operated == address and operator.evidence
        ]

    def _check_list(self, address: str, item: "Item", status: str) -> None:
        """Check that the suppression list has the required entries (P4), and that no work is pending (P4)."""
        variants = {variant["S"] for variant in item["variants"]["L"]}
        entries = {
            variant: reason for variant, reason in self._suppressed.entries.items() if variant.lower() == address
        }
        required = required_entry(status, self._settings)
        if set(entries.values()) != ({required} if required else set()):
            self.add_violation("P4", f"{address} is {status}, and the list holds {entries}")
        # If the stack wrote the entry of the key, it also wrote the entries of all other variants.
        if required and address in self._suppressed.written and not variants - {address} <= set(entries):
            self.add_violation("P4", f"{address} is {status}, and the list holds {entries} of the variants {variants}")
        if "pending_shard" in item or "lease" in item:
            self.add_violation("P4", f"{address} is still pending or leased")

    def _check_events(self, address: str, item: "Item", status: str) -> None:
        events = self._events(address, "Contact Status Changed", "new_status")
        latest = max(events)[1] if events else "active"
        if item["published_status"]["S"] != status or latest != status:
            self.add_violation("P4", f"{address} is {status}, and was published as {events}")

    def _check_preferences(self, address: str, item: "Item", opted_out: list[str]) -> None:
        events = self._events(address, "Contact Preferences Changed", "opted_out")
        latest = max(events)[1] if events else []
        published = [name["S"] for name in item.get("published_opted_out", {"L": []})["L"]]
        if (latest, published) != (opted_out, opted_out):
            self.add_violation("P4", f"{address} opted out of {opted_out}, and was published as {events}")

    def _events(self, address: str, detail_type: str, field: str) -> list[tuple[int, Any]]:
        """Return the rev and a field of each published event of a contact."""
        return [
            (event["rev"], event[field])
            for event in self.published
            if (event["address"], event["detail-type"]) == (address, detail_type)
        ]

    def _check_history(self, facts: Iterable[ReportedFact]) -> None:
        """Check that the history has every slot, and no fact twice (P1)."""
        expected: dict[Slot, set[tuple[int, str, str]]] = {}
        for fact in facts:
            # The time of feedback is at most the time of its carrier. If SES's clock is fast, copies with different
            # carriers have different times.
            expected.setdefault(_slot(fact), set()).add((fact.feedback, fact.at, fact.stream))
        stored = Counter(slot for slot, _ in self._history())
        if stored.keys() != expected.keys() or any(count > len(expected[slot]) for slot, count in stored.items()):
            self.add_violation("P1", f"history of {sorted(stored.items())} instead of {sorted(expected.items())}")

    def _is_in_history(self, fact: ReportedFact) -> bool:
        """True if the history has `fact`. If several facts have the same slot, one of them is sufficient."""
        slot = _slot(fact)
        others = any(
            _slot(other) == slot and (other.feedback, other.at) != (fact.feedback, fact.at)
            for message in self._case.messages
            for other in message.facts
        )
        return any(stored == slot and (others or at == fact.at) for stored, at in self._history())

    def _history(self) -> Iterator[tuple[Slot, str]]:
        for (address, record), item in self.table.items.items():
            if record.startswith("feedback#"):
                at = item["at"]["S"]
                yield (address, record.split("#")[1], item["verdict"]["S"]), at


def _slot(fact: ReportedFact) -> Slot:
    """Return the slot of a fact. Its day is that of the email."""
    return fact.address, fact.mailed_at[:10], fact.verdict

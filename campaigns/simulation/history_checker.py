"""Checks of the history of contacts."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from campaigns.simulation.messages import Message, ReportedFact
from tests.support.dynamodb_table import Item, Key

Slot = tuple[str, str, str]
"""Address, day and verdict. The history has at least one fact of each slot."""


class HistoryChecker:
    """Compares the history in the table with the facts of all messages. Deliveries are not part of the history."""

    def __init__(self, messages: Sequence[Message], add_violation: Callable[[str, str], None]) -> None:
        """Pass the promise and a description of each violation to `add_violation`."""
        self._facts = [fact for message in messages for fact in message.facts if fact.verdict != "DELIVERED"]
        self._add_violation = add_violation

    def check(self, items: Mapping[Key, Item]) -> None:
        """Check that the history has every slot, and no fact twice (P1)."""
        expected: dict[Slot, set[tuple[int, str, str]]] = {}
        for fact in self._facts:
            # The time of feedback is at most the time of its carrier. If SES's clock is fast, copies with different
            # carriers have different times.
            expected.setdefault(_slot(fact), set()).add((fact.feedback, fact.at, fact.stream))
        stored = Counter(slot for slot, _ in _history(items))
        if stored.keys() != expected.keys() or any(count > len(expected[slot]) for slot, count in stored.items()):
            self._add_violation("P1", f"history of {sorted(stored.items())} instead of {sorted(expected.items())}")

    def has(self, fact: ReportedFact, items: Mapping[Key, Item]) -> bool:
        """True if the history has `fact`. If several facts have the same slot, one of them is sufficient."""
        slot = _slot(fact)
        others = any(
            _slot(other) == slot and (other.feedback, other.at) != (fact.feedback, fact.at) for other in self._facts
        )
        return any(stored == slot and (others or at == fact.at) for stored, at in _history(items))


def _history(items: Mapping[Key, Item]) -> Iterator[tuple[Slot, str]]:
    """Yield the slot and the time of each item of the history."""
    for (address, record), item in items.items():
        if record.startswith("feedback#"):
            yield (address, record.split("#")[1], item["verdict"]["S"]), item["at"]["S"]


def _slot(fact: ReportedFact) -> Slot:
    """Return the slot of a fact. Its day is that of the email."""
    return fact.address, fact.mailed_at[:10], fact.verdict

"""Deliveries that a contact no longer has because it expired."""

from collections.abc import Iterable, KeysView, Sequence

from campaigns.simulation.messages import ReportedFact
from campaigns.simulation.oracle import Registers, days_of, email_number


class ForgottenDeliveries:
    """The days of deliveries of contacts that expired. A delivery of such a day may be stored again, or be missing."""

    def __init__(self) -> None:
        """Forget nothing."""
        self._days: dict[str, set[int]] = {}

    @property
    def addresses(self) -> KeysView[str]:
        """Contacts that expired."""
        return self._days.keys()

    def add(self, address: str, delivered: Iterable[int]) -> None:
        """Forget the deliveries of a contact that expired."""
        self._days.setdefault(address, set()).update(days_of(delivered))

    def __contains__(self, fact: ReportedFact) -> bool:
        """Return True if `fact` is a delivery of a day that was forgotten."""
        days = self._days.get(fact.address)
        return days is not None and fact.register == "delivered" and not days.isdisjoint(days_of([email_number(fact)]))

    def remove_from(self, registers: Registers, facts: Sequence[ReportedFact]) -> Registers:
        """Return `registers` without what they have of forgotten ones among all `facts` about the contact only."""
        forgotten = {fact for fact in facts if fact in self}
        numbers = {email_number(fact) for fact in forgotten}
        known = {fact.variant for fact in facts if fact.register and fact not in forgotten}
        variants = {fact.variant for fact in forgotten} - known
        delivered = [number for number in registers.get("delivered", ()) if number not in numbers]
        kept = [variant for variant in registers["variants"] if variant not in variants]
        rest = {name: value for name, value in registers.items() if name != "delivered"}
        return {**rest, "variants": kept, **({"delivered": delivered} if delivered else {})}

    def state(self) -> object:
        """Return everything that was forgotten."""
        return sorted((address, sorted(days)) for address, days in self._days.items())

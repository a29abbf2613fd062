"""Expiry of contacts, and applications that add attributes of their own to them."""

from collections.abc import Callable, Sequence

from campaigns.simulation.case import ForeignWrite
from campaigns.simulation.fault_injector import Answer, FaultInjector
from campaigns.simulation.messages import START
from campaigns.simulation.scheduler import SECOND
from campaigns.simulation.table import Table

_START = round(START.timestamp())
FOREIGN_ATTRIBUTE = "crm_id"
"""An attribute of an application, which keeps its own data on contacts."""


class TimeToLive:
    """Deletes one expired contact after another, at any moment between two calls of others.

    DynamoDB deletes expired items within a few days, unless the attribute `expires_at` changed:
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ttl-expired-items.html
    """

    def __init__(self, table: Table, lateness: Sequence[int]) -> None:
        """Delete contacts of `table`, each in turn later than it expires by the milliseconds in `lateness`."""
        self._table = table
        self._lateness = lateness
        self._deleted = 0

    def due(self) -> int | None:
        """Return when the next contact is deleted, or None if none expires."""
        expiries = self._table.writes.expiries
        if not expiries or not self._lateness:
            return None
        late = self._lateness[self._deleted % len(self._lateness)]
        return (min(expiries.values()) - _START) * SECOND + late * 1_000

    def state(self) -> object:
        """Return which lateness is next."""
        return self._deleted % len(self._lateness) if self._lateness else 0

    def perform(self) -> None:
        """Delete the contact that expired first."""
        expiries = self._table.writes.expiries
        key = min(expiries, key=lambda one: (expiries[one], one))
        self._deleted += 1
        self._table.remove(key)


class Application:
    """Adds an attribute of its own to a contact, if there is such a contact."""

    def __init__(
        self, write: ForeignWrite, table: Table, injector: FaultInjector, added: Callable[[str], None]
    ) -> None:
        """Write to `table`; `added` is called with the address of the contact that was written."""
        self._write = write
        self._table = table
        self._injector = injector
        self._added = added
        self._next: int | None = write.at * 1_000

    def due(self) -> int | None:
        """Return when it writes, or None if it did."""
        return self._next

    def state(self) -> object:
        """Return whether it wrote."""
        return self._next

    def perform(self) -> None:
        """Add the attribute, and remove the expiry, as docs/operate/faq.md says."""
        scheduler = self._injector.scheduler
        scheduler.running_actor().deadline = scheduler.clock + 60 * SECOND
        self._next = None
        self._injector.call("foreign_write", self._write.address, self._effect)

    def _effect(self) -> Answer:
        item = self._table.contact(self._write.address)
        if item:
            kept = {name: value for name, value in item.items() if name != "expires_at"}
            self._added(self._write.address)
            self._table.put({**kept, FOREIGN_ATTRIBUTE: {"S": "42"}})
        return {}

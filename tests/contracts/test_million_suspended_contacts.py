"""One sweep with a million suspended contacts: its AWS calls, and which contacts it releases.

The table computes the items and the index entries when they are asked for, so a million contacts need no memory.
"""

from array import array
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, overload

from ses_feedback.contacts.contact import Contact, Evidence
from ses_feedback.contacts.record import SHARDS, ContactRecord, encode, shard
from ses_feedback.contacts.repository import READ_AT_ONCE, ContactRepository
from ses_feedback.contacts.status import Limits, Status, release_time
from ses_feedback.message_order import number_message
from ses_feedback.suppression.releases import MAX_RELEASES_A_RUN, SuspensionReleases
from ses_feedback.timestamps import format_timestamp
from tests.support.builders import START, on_day
from tests.support.dynamodb_table import Item, Key, Operations, Place, Table

SUSPENDED = 1_000_000
A_DAY = 5_000
"""Contacts whose last soft bounce is on the same day."""
LIMITS = Limits()
NOW = START + timedelta(days=SUSPENDED // A_DAY + 365)


def address_of(number: int) -> str:
    """Return the address of a contact; the order of addresses is that of their numbers."""
    return f"recipient-{number:07d}@example.com"


def suspended_contact(number: int) -> Contact:
    """Return the contact with this number, suspended; contacts with lower numbers are released earlier or as early."""
    days = range(number // A_DAY, number // A_DAY + 5)
    return Contact(
        address_of(number),
        soft_bounced=Evidence(on_day(days[-1]), "Transient/MailboxFull"),
        soft_bounces=tuple(number_message(on_day(day), "") for day in days),
    )


class Shard(Sequence[Place]):
    """The entries of one shard of the index SuspensionEnd, in the order of their release."""

    def __init__(self, numbers: "array[int]") -> None:
        """List the contacts with these numbers."""
        self._numbers = numbers

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Place: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Place]: ...
    def __getitem__(self, index: int | slice) -> Place | Sequence[Place]:
        """Return one entry or several."""
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        number = self._numbers[index]
        ends_at = release_time(suspended_contact(number - number % A_DAY), LIMITS)
        assert ends_at is not None
        return format_timestamp(ends_at), address_of(number), "contact"


class SuspendedContacts(dict[Key, Item]):
    """The items of all contacts: those that were written, and the suspended ones."""

    def get(self, key: Key, default: Any = None) -> Any:  # noqa: ANN401, ARG002 (the signature of dict)
        """Return the item of a contact."""
        if key in self:
            return self[key]
        contact = suspended_contact(int(key[0][len("recipient-") :].partition("@")[0]))
        return encode(ContactRecord(contact, rev=1, status=Status.SUSPENDED, published=Status.SUSPENDED), LIMITS)


class MillionContacts(Table):
    """A table with a million suspended contacts."""

    def __init__(self) -> None:
        """Distribute the contacts to the shards of the index."""
        super().__init__()
        self.items = SuspendedContacts()
        numbers = [array("l") for _ in range(SHARDS)]
        for number in range(SUSPENDED):
            numbers[int(shard(address_of(number)))].append(number)
        self._shards = [Shard(numbers_of_shard) for numbers_of_shard in numbers]

    def places(self, index: str, partition: str) -> Sequence[Place]:
        """Return the entries of a shard of SuspensionEnd."""
        assert index == "SuspensionEnd"
        return self._shards[int(partition)]

    def put(self, item: Item) -> None:
        """Store an item."""
        self.items[item["address"]["S"], item["record"]["S"]] = item


class CountingClient(Operations):
    """Answers the requests of the repository, and counts them. It has no Scan, so a scan raises AttributeError."""

    def __init__(self, table: Table) -> None:
        """Answer for `table`."""
        super().__init__(table)
        self.calls: Counter[str] = Counter()

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401 (any operation)
        """Count the operation `name`."""
        attribute = super().__getattribute__(name)
        if name in {"query", "batch_get_item", "batch_execute_statement", "get_item", "put_item"}:
            self.calls[name] += 1
        return attribute


def test_sweep_with_a_million_suspended_contacts_releases_the_oldest_in_a_bounded_number_of_calls() -> None:
    table = MillionContacts()
    client = CountingClient(table)
    repository = ContactRepository(
        client,
        "Contacts",
        LIMITS,
        history_days=400,
        now=lambda: NOW,
        sleep=lambda _seconds: None,
    )
    released = SuspensionReleases(repository, LIMITS, lambda: NOW).release_ended(NOW + timedelta(minutes=1))
    assert released == MAX_RELEASES_A_RUN
    # All of the first day are equally old: the index lists them by address.
    assert sorted(address for address, _ in table.items) == [address_of(number) for number in range(released)]
    pages = MAX_RELEASES_A_RUN // 100 + 2 * SHARDS
    assert client.calls["query"] <= pages
    assert client.calls["batch_get_item"] == MAX_RELEASES_A_RUN // READ_AT_ONCE
    assert client.calls["batch_execute_statement"] == released
    assert set(client.calls) == {"query", "batch_get_item", "batch_execute_statement"}

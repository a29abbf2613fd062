"""The Contacts table: its items, their versions, the index of what is due, and the stream."""

from collections.abc import Callable
from typing import Any
from zlib import crc32

Item = dict[str, dict[str, Any]]
Key = tuple[str, str]
Seen = Callable[[Item | None, Item], None]


class Change:
    """A record of the stream: what SuppressionFunction is given of it, and when it was written."""

    __slots__ = ("at", "record", "wanted")

    def __init__(self, item: Item, number: int, at: int) -> None:
        """Record that `item` was written at `at`."""
        keys = {"address": item["address"], "record": item["record"]}
        self.record: dict[str, dict[str, Any]] = {
            "dynamodb": {"Keys": keys, "NewImage": item, "SequenceNumber": str(number)}
        }
        self.wanted = "pending_shard" in item
        """Whether it passes the template's filter."""
        self.at = at


class Table:
    """The items and everything DynamoDB derives from them."""

    def __init__(self, shards: int, clock: Callable[[], int], seen: Seen) -> None:
        """Begin empty; tell `seen` of every contact written: what it was, and what it becomes."""
        self.items: dict[Key, Item] = {}
        self.versions: dict[Key, list[Item | None]] = {}
        self.stream: list[list[Change]] = [[] for _ in range(shards)]
        self.written = 0
        """How many writes there were: nothing derived from the items changes without one."""
        self.paced = 0
        """How many of them moved on the rate_limiter, which means nothing to anybody else."""
        self._clock = clock
        self._seen = seen
        self._due: tuple[int, list[Item]] = 0, []

    def put(self, item: Item) -> None:
        """Write an item. Contacts have versions, and are put on the stream if that changes anything."""
        key = item["address"]["S"], item["record"]["S"]
        old = self.items.get(key)
        self.items[key] = item
        self.written += 1
        self.paced += key[1] == "rate_limiter"
        if key[1] == "contact":
            self.versions.setdefault(key, [None]).append(item)
            if item != old:
                shard = self.stream[crc32(key[0].encode()) % len(self.stream)]
                shard.append(Change(item, self.written, self._clock()))
            self._seen(old, item)

    def contact(self, address: str) -> Item | None:
        """Return the item of a contact."""
        return self.items.get((address, "contact"))

    def importing(self) -> bool:
        """Say whether imports are under way."""
        ledger = self.items.get(("suppression-list", "imports"))
        return bool(ledger and ledger["imports"]["L"])

    def version(self, key: Key, age: int) -> Item | None:
        """Return what the item was `age` writes ago."""
        versions = self.versions.get(key)
        return versions[max(0, len(versions) - 1 - age)] if versions else None

    def due(self, age: int = 0) -> list[Item]:
        """Return the contacts in the index of what is due, as it was `age` writes ago, the longest waiting first."""
        if age == 0 and self._due[0] == self.written:
            return self._due[1]
        held = [item for item in (self.version(key, age) for key in self.versions) if item and "pending_shard" in item]
        held.sort(key=_waiting_since)
        if age == 0:
            self._due = self.written, held
        return held


def _waiting_since(item: Item) -> str:
    return str(item["pending_at"]["S"])

"""The Contacts table of a simulated case: its items, their old versions, and the stream of changes."""

from collections.abc import Callable, Sequence
from typing import Any
from zlib import crc32

from tests.support import dynamodb_table
from tests.support.dynamodb_table import INDEXES, Item, Key, Observer, Place

Seen = Callable[[Item | None, Item], None]
Expired = Callable[[Item], None]


class Change:
    """A record of the stream as SuppressionFunction receives it, and the time of the write."""

    __slots__ = ("at", "is_expiry", "record", "wanted")

    def __init__(self, item: Item, number: int, at: int, *, is_expiry: bool = False) -> None:
        """Record that `item` was written at `at`, or deleted if `is_expiry`."""
        keys = {"address": item["address"], "record": item["record"]}
        image = {"OldImage" if is_expiry else "NewImage": item}
        self.record: dict[str, Any] = {
            "eventName": "REMOVE" if is_expiry else "MODIFY",
            "dynamodb": {"Keys": keys, **image, "SequenceNumber": str(number)},
        }
        self.wanted = is_expiry or "pending_shard" in item
        """True if the record passes the template's filter. Expiries do not, but the function must ignore them anyway.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
        """
        self.is_expiry = is_expiry
        self.at = at

    @property
    def is_after_release(self) -> bool:
        """True if a suspension of the contact had ended."""
        return "releases" in self.record["dynamodb"].get("NewImage", ())


class Writes(Observer):
    """Everything DynamoDB derives from the writes to a table: the versions of each contact and the stream."""

    def __init__(self, shards: int, clock: Callable[[], int], seen: Seen, expired: Expired) -> None:
        """Begin with no write.

        `seen` is called with the old and the new item of every contact written, `expired` with each contact deleted.
        """
        self.versions: dict[Key, list[Item | None]] = {}
        self.stream: list[list[Change]] = [[] for _ in range(shards)]
        self.number = 0
        """The number of writes: nothing derived from the items changes without one."""
        self.of_rate_limiter = 0
        """The number of writes to the rate limiter, which change nothing else."""
        self.expiries: dict[Key, int] = {}
        """When each contact expires, in seconds since 1970, if it does."""
        self.seen = seen
        self._expired = expired
        self._clock = clock

    def written(self, key: Key, before: Item | None, after: Item) -> None:
        """Count a write. Add a contact to its versions, and to the stream if anything changed."""
        self.number += 1
        self.of_rate_limiter += key[1] == "rate_limiter"
        if key[1] == "contact":
            self.versions.setdefault(key, [None]).append(after)
            if "expires_at" in after:
                self.expiries[key] = int(after["expires_at"]["N"])
            else:
                self.expiries.pop(key, None)
            if after != before:
                self._shard(key).append(Change(after, self.number, self._clock()))
            self.seen(before, after)

    def removed(self, key: Key, before: Item) -> None:
        """Add the deletion of a contact to its versions and to the stream."""
        self.number += 1
        self.versions[key].append(None)
        del self.expiries[key]
        self._shard(key).append(Change(before, self.number, self._clock(), is_expiry=True))
        self._expired(before)

    def _shard(self, key: Key) -> list[Change]:
        return self.stream[crc32(key[0].encode()) % len(self.stream)]


class Table(dynamodb_table.Table):
    """A table with its stream, which can also be read as it was some writes ago."""

    def __init__(self, shards: int, clock: Callable[[], int], seen: Seen, expired: Expired) -> None:
        """Create an empty table; `seen` and `expired` are those of `Writes`."""
        self.writes = Writes(shards, clock, seen, expired)
        self.stream = self.writes.stream
        super().__init__(self.writes)

    def importing(self) -> bool:
        """Return True if import jobs are under way."""
        ledger = self.items.get(("suppression-list", "imports"))
        return bool(ledger and ledger["jobs"]["L"])

    def version(self, key: Key, age: int) -> Item | None:
        """Return the contact as it was `age` of its writes ago, or None if there was none."""
        versions = self.writes.versions.get(key)
        return versions[max(0, len(versions) - 1 - age)] if versions else None

    def earlier_places(self, index: str, partition: str, age: int) -> Sequence[Place]:
        """Return the contacts in a partition of an index, each as it was `age` of its writes ago."""
        if age == 0:
            return self.places(index, partition)
        name, sort = INDEXES[index]
        old = ((key, self.version(key, age)) for key in self.writes.versions)
        return sorted((item[sort]["S"], *key) for key, item in old if item and item.get(name) == {"S": partition})

"""The contacts table in memory, with the request units and the storage that DynamoDB would bill."""

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from benchmarks.dynamodb_units import item_size, read_units, write_units
from tests.support import dynamodb_table
from tests.support.dynamodb_table import INDEXES, KEY, Answer, Item, Key, Observer, Operations, index_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_STORAGE_OVERHEAD = 100
"""Bytes that storage is billed for on top of each item and each index entry.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""


class Bill(Observer):
    """The request units of writes and reads."""

    def __init__(self) -> None:
        """Create an empty bill."""
        self.units: dict[str, float] = defaultdict(float)
        """Request units: `table writes`, `index writes` and `reads`."""

    def written(self, key: Key, before: Item | None, after: Item) -> None:  # noqa: ARG002 (as Observer)
        """Bill a write of the table and of each index whose entry changes."""
        sizes = [item_size(before)] if before else []
        self.units["table writes"] += write_units(item_size(after), *sizes)
        self.units["index writes"] += sum(_index_writes(name, before, after) for name in INDEXES)

    def refused(self, key: Key, stored: Item | None) -> None:  # noqa: ARG002 (as Observer)
        """Bill a write whose condition did not hold: it costs as much as a write of the stored item.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html
        """
        self.units["table writes"] += write_units(*([item_size(stored)] if stored else []))

    def read(self, size: int, *, consistent: bool) -> None:
        """Bill a read of `size` bytes."""
        self.units["reads"] += read_units(size, consistent=consistent)


class Stream(Observer):
    """The records of the table's stream that have not been taken."""

    def __init__(self) -> None:
        """Create an empty stream."""
        self._records: list[Answer] = []
        self._number = 0

    def written(self, key: Key, before: Item | None, after: Item) -> None:  # noqa: ARG002 (as Observer)
        """Add a record if the item changed."""
        if after != before:
            self._number += 1
            keys = {name: after[name] for name in KEY}
            record = {"Keys": keys, "NewImage": after, "SequenceNumber": str(self._number)}
            self._records.append({"dynamodb": record})

    def take(self) -> list[Answer]:
        """Remove all records, and return those that pass the event filter of the template: pending contacts."""
        records, self._records = self._records, []
        return [record for record in records if "pending_shard" in record["dynamodb"]["NewImage"]]


class Table(dynamodb_table.Table):
    """The table with its bill and its stream."""

    def __init__(self, *, billed: bool = True) -> None:
        """Create an empty table. Without `billed`, the bill and the stream remain empty.

        A bill takes twice as long as the write itself. A benchmark of time must not measure that.
        """
        self.bill = Bill()
        self.stream = Stream()
        super().__init__(*((self.bill, self.stream) if billed else ()))
        self._operations = Operations(self)
        self._answers: Mapping[str, Callable[..., Answer]] = {
            "BatchExecuteStatement": self._operations.batch_execute_statement,
            "BatchGetItem": self._batch_get_item if billed else self._operations.batch_get_item,
            "GetItem": self._get_item if billed else self._operations.get_item,
            "PutItem": self._operations.put_item,
            "Query": self._query if billed else self._operations.query,
            "UpdateItem": self._operations.update_item,
        }

    def answer(self, operation: str, request: bytes) -> Answer:
        """Return DynamoDB's answer to a request, and bill it.

        Raises:
            ClientError: the condition of a PutItem or UpdateItem does not hold.
            KeyError: the operation is unknown.

        """
        return self._answers[operation](**json.loads(request))

    def stored_bytes(self) -> Counter[str]:
        """Return the bytes that storage is billed for, of the table and of its indexes."""
        stored: Counter[str] = Counter()
        for item in self.items.values():
            entries = (index_entry(item, name) for name in INDEXES)
            stored["table"] += item_size(item) + _STORAGE_OVERHEAD
            stored["indexes"] += sum(item_size(entry) + _STORAGE_OVERHEAD for entry in entries if entry)
        return stored

    def _batch_get_item(self, **request: Any) -> Answer:  # noqa: ANN401 (botocore's parameters, here and below)
        answer = self._operations.batch_get_item(**request)
        ((table, asked),) = request["RequestItems"].items()
        found = answer["Responses"][table]
        for size in (*map(item_size, found), *(0,) * (len(asked["Keys"]) - len(found))):
            self.bill.read(size, consistent=asked.get("ConsistentRead", False))
        return answer

    def _get_item(self, **request: Any) -> Answer:  # noqa: ANN401
        answer = self._operations.get_item(**request)
        self.bill.read(item_size(answer.get("Item", {})), consistent=request.get("ConsistentRead", False))
        return answer

    def _query(self, **request: Any) -> Answer:  # noqa: ANN401
        answer = self._operations.query(**request)
        self.bill.read(sum(map(item_size, answer["Items"])), consistent=False)
        return answer


def _index_writes(index: str, before: Item | None, after: Item) -> int:
    """Return the write units of keeping `index` in step. A changed key costs a deletion and a write.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html#GSI.ThroughputConsiderations.Writes
    """
    entries = index_entry(before, index), index_entry(after, index)
    return 0 if entries[0] == entries[1] else sum(write_units(item_size(entry)) for entry in entries if entry)

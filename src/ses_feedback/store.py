"""Keep contacts and their history in DynamoDB, a batch at a time."""

import heapq
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

from ses_feedback.batches import batched
from ses_feedback.contact import Contact, Limits, changes_contact, standing
from ses_feedback.faults import AWS_FAULTS, CONDITION_FAILED, fault, proven
from ses_feedback.policy import Fact, Verdict
from ses_feedback.stored import SHARDS, UNREADABLE, Item, Stored, StoredError, decode, encode, history_item, key, learn
from ses_feedback.timestamps import format_timestamp, parse_timestamp

READ_AT_ONCE = 100
"""Keys in one BatchGetItem, DynamoDB's own limit."""
WRITE_AT_ONCE = 25
"""Requests in one BatchWriteItem, DynamoDB's own limit."""
WRITERS = 8
"""Writes under way at once; more gained nothing on one vCPU."""
ATTEMPTS = 8
"""Rounds of reading, merging and writing, or of asking again for what DynamoDB left unprocessed."""

LOST_RACE = CONDITION_FAILED
"""Somebody else wrote the contact since it was read."""
DUE_AT_ONCE = 100


class DynamoDb(Protocol):
    """The calls of botocore's DynamoDB client that are made here."""

    def batch_get_item(self, **request: Any) -> Mapping[str, Any]: ...  # noqa: ANN401, D102
    def batch_write_item(self, **request: Any) -> Mapping[str, Any]: ...  # noqa: ANN401, D102
    def query(self, **request: Any) -> Mapping[str, Any]: ...  # noqa: ANN401, D102
    def put_item(self, **request: Any) -> Mapping[str, Any]: ...  # noqa: ANN401, D102


class ContactStore:
    """Contacts and their history in the table `table`."""

    def __init__(
        self,
        client: DynamoDb,
        table: str,
        limits: Limits,
        *,
        history_days: int,
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
        executor: Executor | None = None,
    ) -> None:
        """Write through `client`; `executor` runs writes side by side (a pool of `WRITERS` threads by default)."""
        self._client = client
        self._table = table
        self._limits = limits
        self._history_days = history_days
        self._now = now
        self._sleep = sleep
        self._own_executor = executor

    def learn(self, facts: Iterable[Fact], until: datetime | None = None) -> Mapping[str, str]:
        """Store `facts`, each in its contact and in the contact's history.

        Returns the addresses whose facts could not all be stored, with a reason fit for logs: those facts must come
        again. What is not begun by `until` is left. A contact is written before its history, for the contact is what
        stops the mail. Never raises for a fault of DynamoDB's.
        """
        by_address: dict[str, list[Fact]] = {}
        for fact in facts:
            by_address.setdefault(fact.address.key, []).append(fact)
        failed: dict[str, str] = {}
        for addresses in batched(by_address, READ_AT_ONCE):
            if until and self._now() >= until:
                failed |= dict.fromkeys(addresses, "out-of-time")
                continue
            known = {address: by_address[address] for address in addresses}
            self._learn_contacts(known, failed)
            self._keep_history(known, failed)
        return failed

    def _learn_contacts(self, known: Mapping[str, Sequence[Fact]], failed: dict[str, str]) -> None:
        # The others must leave no trace in the contact, or it would depend on which batch they share with which.
        changing = {
            address: [fact for fact in facts if changes_contact(fact.verdict)] for address, facts in known.items()
        }
        waiting = [address for address, facts in changing.items() if facts]
        for attempt in range(ATTEMPTS):
            if not waiting:
                return
            self._pause(attempt)
            # A first read may be stale: registers only grow, so what changes nothing in a stale contact changes
            # nothing, and a write based on one loses its race and reads again.
            stored = self.read(waiting, failed, consistent=attempt > 0)
            now = self._now()
            learnt = (learn(one, changing[address], self._limits, now) for address, one in stored.items())
            changed = [one for one in learnt if one]
            waiting = []
            for one, lost in zip(changed, self._each(self.write, changed), strict=True):
                address = one.contact.address
                if lost == LOST_RACE:
                    waiting.append(address)
                elif lost:
                    failed[address] = lost
        failed |= dict.fromkeys(waiting, "lost-every-race")

    def read(self, addresses: Iterable[str], failed: dict[str, str], *, consistent: bool) -> dict[str, Stored]:
        """Return the contacts of at most `READ_AT_ONCE` addresses, unknown ones as contacts of which nothing is known.

        Addresses that could not be read are left out, and put in `failed` with the reason.
        """
        wanted = list(addresses)
        found: dict[str, Stored] = {}
        keys: list[Any] = [key(address) for address in wanted]
        reason = "unprocessed"
        for attempt in range(ATTEMPTS):
            self._pause(attempt)
            request = {self._table: {"Keys": keys, "ConsistentRead": consistent}}
            try:
                answer = self._client.batch_get_item(RequestItems=request)
                items = proven(answer, "Responses").get(self._table, [])
                keys = proven(answer, "UnprocessedKeys").get(self._table, {}).get("Keys", [])
            except AWS_FAULTS as error:
                reason = fault(error)
                break
            for item in items:
                self._take(item, found, failed)
            if not keys:
                break
        unread = {unread["address"]["S"] for unread in keys}
        failed |= dict.fromkeys(unread, reason)
        for address in wanted:
            if address not in unread and address not in failed:
                found.setdefault(address, Stored(Contact(address)))
        return found

    def _take(self, item: Item, found: dict[str, Stored], failed: dict[str, str]) -> None:
        address = item["address"]["S"]
        try:
            found[address] = decode(item)
        except StoredError:
            failed[address] = UNREADABLE

    def write(self, stored: Stored) -> str | None:
        """Write `stored` if the contact's `rev` in the table is still the one before its own.

        Returns None, or why it was not written: `LOST_RACE`, or the fault.
        """
        if stored.rev == 1:
            condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(address)"}
        else:
            condition = {
                "ConditionExpression": "rev = :rev",
                "ExpressionAttributeValues": {":rev": {"N": str(stored.rev - 1)}},
            }
        item = encode(stored, standing(stored.contact, self._limits))
        try:
            # The capacity is asked for as proof that it was DynamoDB that answered.
            answer = self._client.put_item(
                TableName=self._table, Item=item, ReturnConsumedCapacity="TOTAL", **condition
            )
            proven(answer, "ConsumedCapacity")
        except AWS_FAULTS as error:
            return fault(error)
        return None

    def due(self, before: datetime) -> Iterator[tuple[datetime, str]]:
        """Yield since when, and the address, of contacts whose mirror has been due since `before`, the oldest first.

        Raises:
            AWS_FAULTS: DynamoDB did not answer.

        """
        shards = (f"{number:02d}" for number in range(SHARDS))
        return heapq.merge(*(self._due_in(name, before) for name in shards))

    def _due_in(self, name: str, before: datetime) -> Iterator[tuple[datetime, str]]:
        request: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": "MirrorDue",
            "KeyConditionExpression": "mirror_due = :shard AND mirror_due_at <= :before",
            "ExpressionAttributeValues": {":shard": {"S": name}, ":before": {"S": format_timestamp(before)}},
            "Limit": DUE_AT_ONCE,
        }
        while True:
            answer = self._client.query(**request)
            for item in proven(answer, "Items"):
                since = parse_timestamp(item["mirror_due_at"]["S"])
                if since:
                    yield since, item["address"]["S"]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _keep_history(self, facts: Mapping[str, Sequence[Fact]], failed: dict[str, str]) -> None:
        """Write the history of every address that has not failed; put the addresses whose history fails in `failed`."""
        now = self._now()
        items = {
            (address, item["record"]["S"]): item
            for address, known in facts.items()
            if address not in failed
            for fact in known
            if fact.verdict is not Verdict.DELIVERED  # deliveries are too many, and `delivered_on` tells enough
            for item in (history_item(fact, self._history_days, now),)
        }
        parts = list(batched(items.values(), WRITE_AT_ONCE))
        for unwritten in self._each(self._put_all, parts):
            failed |= unwritten

    def _put_all(self, items: Sequence[Item]) -> dict[str, str]:
        requests: list[Any] = [{"PutRequest": {"Item": item}} for item in items]
        reason = "unprocessed"
        for attempt in range(ATTEMPTS):
            self._pause(attempt)
            try:
                answer = self._client.batch_write_item(RequestItems={self._table: requests})
                requests = proven(answer, "UnprocessedItems").get(self._table, [])
            except AWS_FAULTS as error:
                reason = fault(error)
                break
            if not requests:
                break
        return {request["PutRequest"]["Item"]["address"]["S"]: reason for request in requests}

    def _each(self, write: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        return map(write, items) if len(items) <= 1 else self._executor.map(write, items)

    @cached_property
    def _executor(self) -> Executor:
        return self._own_executor or ThreadPoolExecutor(WRITERS)

    def _pause(self, attempt: int) -> None:
        if attempt:
            self._sleep(min(1.0, 0.025 * 2**attempt) * random.uniform(0.5, 1))  # noqa: S311 (jitter)

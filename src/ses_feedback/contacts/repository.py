"""Keep contacts and their history in DynamoDB, a batch at a time."""

import heapq
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from ses_feedback.aws.batches import batched
from ses_feedback.aws.errors import (
    AWS_ERRORS,
    CONDITION_FAILED,
    MalformedResponseError,
    error_code,
    loggable_code,
    require,
)
from ses_feedback.aws.refusals import OUT_OF_TIME
from ses_feedback.contacts.contact import Contact, changes_contact
from ses_feedback.contacts.history import history_item
from ses_feedback.contacts.record import (
    RECORD,
    SHARDS,
    UNREADABLE,
    ContactRecord,
    ContactRecordError,
    Item,
    decode,
    encode,
    key,
    learn,
)
from ses_feedback.contacts.statements import Statement, insert, update
from ses_feedback.contacts.status import Limits
from ses_feedback.judging.facts import Fact, Verdict
from ses_feedback.timestamps import format_timestamp, parse_timestamp

READ_AT_ONCE = 100
"""Keys in one BatchGetItem, DynamoDB's own limit."""
WRITE_AT_ONCE = 25
"""Statements in one BatchExecuteStatement, DynamoDB's own limit."""
CALLS_AT_ONCE = 16
"""Calls under way at once: one vCPU makes no more in the time that DynamoDB takes to answer one."""
LEARN_AT_ONCE = WRITE_AT_ONCE * CALLS_AT_ONCE
"""Contacts read before any of them is written: enough to keep every call busy, and no more in memory than that."""
ATTEMPTS = 8
"""Rounds of reading, merging and writing, or of asking again for what DynamoDB left unprocessed."""

LOST_RACE = CONDITION_FAILED
"""Another worker wrote the contact after it was read."""
DUE_AT_ONCE = 100

# Why a statement is made again.
_UNPROCESSED = "unprocessed"
_OVERTAKEN = "lost-every-race"
_AGAIN = {
    "ConditionalCheckFailed": _OVERTAKEN,
    "DuplicateItem": _OVERTAKEN,
    "InternalServerError": _UNPROCESSED,
    "ProvisionedThroughputExceeded": _UNPROCESSED,
    "RequestLimitExceeded": _UNPROCESSED,
    "ThrottlingError": _UNPROCESSED,
    "TransactionConflict": _UNPROCESSED,
}
"""Errors of a statement that another try may help (of botocore's BatchStatementErrorCodeEnum), and why."""
_WAITING = frozenset(_AGAIN.values())
# What a whole call fails with for the sake of what one of its statements holds.
_REFUSED = frozenset({"SerializationException", "ValidationException"})


class DynamoDb(Protocol):
    """The calls of botocore's DynamoDB client that are made here."""

    def batch_get_item(self, **request: Any) -> Mapping[str, Any]: ...  # noqa: ANN401, D102
    def batch_execute_statement(self, **request: Any) -> Mapping[str, Any]: ...  # noqa: ANN401, D102
    def query(self, **request: Any) -> Mapping[str, Any]: ...  # noqa: ANN401, D102


class ContactRepository:
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
        """Write through `client`; `executor` runs calls side by side (a pool of `CALLS_AT_ONCE` threads by default)."""
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
        again. What is not begun by `until` is left. Contacts go before history, for the contact is what stops the
        mail. Never raises for a fault of DynamoDB's.
        """
        by_address: dict[str, list[Fact]] = {}
        for fact in facts:
            by_address.setdefault(fact.address.key, []).append(fact)
        failed: dict[str, str] = {}
        for addresses in batched(by_address, LEARN_AT_ONCE):
            if until and self._now() >= until:
                failed |= dict.fromkeys(addresses, OUT_OF_TIME.code)
            else:
                failed |= self._learn({address: by_address[address] for address in addresses}, until)
        return failed

    def _learn(self, facts: Mapping[str, list[Fact]], until: datetime | None) -> Mapping[str, str]:
        work = _Work(_changing(facts), self._history(facts))
        for attempt in range(ATTEMPTS):
            # What is begun is carried out once, however long reading took, so that every try gets further.
            if not work or (attempt and until and self._now() >= until):
                break
            self._pause(attempt)
            # A first read may be stale: registers only grow, so what changes nothing in a stale contact changes
            # nothing, and a write based on one loses its race and reads again.
            stored = self._read_all(work, consistent=attempt > 0)
            writes = [*self._contact_writes(stored, work), *work.history.values()]
            parts = list(batched(writes, WRITE_AT_ONCE))
            for part, outcomes in zip(parts, self._each(self._execute, parts), strict=True):
                for write, outcome in zip(part, outcomes, strict=True):
                    work.settle(write, outcome)
        return work.give_up()

    def _read_all(self, work: "_Work", *, consistent: bool) -> dict[str, ContactRecord]:
        def read(some: tuple[str, ...]) -> tuple[dict[str, ContactRecord], dict[str, str]]:
            unread: dict[str, str] = {}
            return self.read(some, unread, consistent=consistent), unread

        stored: dict[str, ContactRecord] = {}
        for found, unread in self._each(read, list(batched(work.contacts, READ_AT_ONCE))):
            stored |= found
            work.failed |= unread
        return stored

    def _contact_writes(self, stored: Mapping[str, ContactRecord], work: "_Work") -> Iterator["_Write"]:
        """Yield the writes of the contacts that change, and remove those that do not change from `work`."""
        now = self._now()
        waiting, work.contacts = work.contacts, {}
        for address, one in stored.items():
            learnt = learn(one, waiting[address], self._limits, now)
            if learnt:
                work.contacts[address] = waiting[address]
                item = encode(learnt, self._limits)
                yield self._contact_write(address, one.item, item)

    def _contact_write(self, address: str, before: Item | None, item: Item) -> "_Write":
        return _Write(address, RECORD, update(self._table, before, item) if before else insert(self._table, item))

    def _history(self, facts: Mapping[str, Sequence[Fact]]) -> dict[tuple[str, str], "_Write"]:
        now = self._now()
        writes: dict[tuple[str, str], _Write] = {}
        for address, known in facts.items():
            for fact in known:
                if fact.verdict is not Verdict.DELIVERED:  # deliveries are too many, and `delivered` tells enough
                    item = history_item(fact, self._history_days, now)
                    record = item["record"]["S"]
                    writes.setdefault((address, record), _Write(address, record, insert(self._table, item)))
        return writes

    def _execute(self, writes: Sequence["_Write"]) -> Sequence[str | None]:
        """Carry out at most `WRITE_AT_ONCE` writes; return of each None, or why it was not carried out."""
        try:
            answer = self._client.batch_execute_statement(Statements=[write.statement for write in writes])
            responses = require(answer, "Responses", list)
            if len(responses) != len(writes):
                raise MalformedResponseError("Responses")
            with _as_dynamodb_writes():
                return [_outcome(write, response) for write, response in zip(writes, responses, strict=True)]
        except AWS_ERRORS as error:
            reason = error_code(error)
            if reason in _REFUSED and len(writes) > 1:
                # DynamoDB may refuse all of them for the sake of one.
                return [outcome for write in writes for outcome in self._execute([write])]
            return [reason] * len(writes)

    def read(self, addresses: Iterable[str], failed: dict[str, str], *, consistent: bool) -> dict[str, ContactRecord]:
        """Return the contacts of at most `READ_AT_ONCE` addresses, unknown ones as contacts of which nothing is known.

        Addresses that could not be read are left out, and put in `failed` with the reason.
        """
        wanted = list(addresses)
        found: dict[str, ContactRecord] = {}
        keys: list[Any] = [key(address) for address in wanted]
        unread = set(wanted)
        reason = _UNPROCESSED
        for attempt in range(ATTEMPTS):
            self._pause(attempt)
            request = {self._table: {"Keys": keys, "ConsistentRead": consistent}}
            try:
                answer = self._client.batch_get_item(RequestItems=request)
                with _as_dynamodb_writes():
                    items = {item["address"]["S"]: item for item in answer["Responses"].get(self._table, [])}
                    left = answer["UnprocessedKeys"].get(self._table, {}).get("Keys", [])
                    unread = {one["address"]["S"] for one in left}
            except AWS_ERRORS as error:
                reason = error_code(error)
                break
            for address, item in items.items():
                self._take(address, item, found, failed)
            if not left:
                break
            keys = left
        failed |= dict.fromkeys(unread, reason)
        for address in wanted:
            if address not in found and address not in unread and address not in failed:
                found[address] = ContactRecord(Contact(address))
        return found

    def _take(self, address: str, item: Item, found: dict[str, ContactRecord], failed: dict[str, str]) -> None:
        try:
            found[address] = decode(item)
        except ContactRecordError:
            failed[address] = UNREADABLE

    def write(self, stored: ContactRecord) -> str | None:
        """Write `stored` if the contact's `rev` in the table is still the one of its `item`.

        What others wrote on the item meanwhile stays. Returns None, or why it was not written: `LOST_RACE`, or the
        fault.
        """
        item = encode(stored, self._limits)
        write = self._contact_write(stored.contact.address, stored.item, item)
        outcome: str | None = None
        for attempt in range(ATTEMPTS):
            self._pause(attempt)
            (outcome,) = self._execute([write])
            if outcome != _UNPROCESSED:
                break
        return LOST_RACE if outcome == _OVERTAKEN else outcome

    def find_pending(self, before: datetime) -> Iterator[tuple[datetime, str]]:
        """Yield since when, and the address, of contacts that have been pending since `before` or longer, oldest first.

        Raises:
            AWS_ERRORS: DynamoDB did not answer.

        """
        return self._oldest_first("PendingSync", "pending_shard", "pending_at", before)

    def suspensions_ended(self, before: datetime) -> Iterator[tuple[datetime, str]]:
        """Yield the end of suspension and the address of contacts whose suspension ended by `before`, the oldest first.

        Raises:
            AWS_ERRORS: DynamoDB did not answer.

        """
        return self._oldest_first("SuspensionEnd", "release_shard", "release_at", before)

    def _oldest_first(
        self, index: str, shard_name: str, time_name: str, before: datetime
    ) -> Iterator[tuple[datetime, str]]:
        """Yield time and address from all shards of a sparse index, in order of time."""
        requests: Iterator[dict[str, Any]] = (
            {
                "TableName": self._table,
                "IndexName": index,
                "KeyConditionExpression": f"{shard_name} = :shard AND {time_name} <= :before",
                "ExpressionAttributeValues": {
                    ":shard": {"S": f"{number:02d}"},
                    ":before": {"S": format_timestamp(before)},
                },
                "Limit": DUE_AT_ONCE,
            }
            for number in range(SHARDS)
        )
        return heapq.merge(*(self._query_all(request, time_name) for request in requests))

    def _query_all(self, request: dict[str, Any], time_name: str) -> Iterator[tuple[datetime, str]]:
        while True:
            answer = self._client.query(**request)
            for item in require(answer, "Items"):
                since = parse_timestamp(item[time_name]["S"])
                if since:
                    yield since, item["address"]["S"]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _each(self, write: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        return map(write, items) if len(items) <= 1 else self._executor.map(write, items)

    @cached_property
    def _executor(self) -> Executor:
        return self._own_executor or ThreadPoolExecutor(CALLS_AT_ONCE)

    def _pause(self, attempt: int) -> None:
        if attempt:
            self._sleep(min(1.0, 0.025 * 2**attempt) * random.uniform(0.5, 1))  # noqa: S311 (jitter)


def _changing(facts: Mapping[str, list[Fact]]) -> dict[str, list[Fact]]:
    """Return of each address the facts that change its contact.

    The others must leave no trace in the contact, or it would depend on which batch they share with which.
    """
    changing = ((address, [fact for fact in known if changes_contact(fact)]) for address, known in facts.items())
    return {address: known for address, known in changing if known}


class _Write(NamedTuple):
    """A statement, and the key of the item it writes."""

    address: str
    record: str
    statement: Statement


@contextmanager
def _as_dynamodb_writes() -> Iterator[None]:
    """Treat a response without the fields that DynamoDB always sends as malformed.

    Raises:
        MalformedResponseError: a field is missing or has another type.

    """
    try:
        yield
    except (AttributeError, KeyError, TypeError) as error:
        raise MalformedResponseError(type(error).__name__) from None


def _outcome(write: _Write, response: Mapping[str, Any]) -> str | None:
    if "Error" not in response:
        return None
    named = loggable_code(response["Error"].get("Code"))
    reason = _AGAIN.get(named, named)
    # History that is already there was written by another copy of the same feedback.
    return None if reason == _OVERTAKEN and write.record != RECORD else reason


@dataclass(slots=True)
class _Work:
    """What is yet to be stored: contacts, with the facts that change them, and history.

    `failed` is what was given up, and why; `last` why what still waits was not stored yet.
    """

    contacts: dict[str, list[Fact]]
    history: dict[tuple[str, str], _Write]
    failed: dict[str, str] = field(default_factory=dict)
    last: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.contacts or self.history)

    def settle(self, write: _Write, outcome: str | None) -> None:
        """Strike off a write that was carried out, or that no other try would help."""
        if outcome in _WAITING:
            self.last[write.address] = outcome
            return
        if write.record == RECORD:
            del self.contacts[write.address]
        else:
            del self.history[write.address, write.record]
        if outcome:
            self.failed[write.address] = outcome

    def give_up(self) -> dict[str, str]:
        """Return the addresses that failed, also those that still wait, with the reason."""
        waiting = {*self.contacts, *(address for address, _ in self.history)}
        return {address: self.last[address] for address in waiting} | self.failed

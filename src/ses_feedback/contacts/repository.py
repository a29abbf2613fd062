"""Repository of contacts and their history in DynamoDB, which it reads and writes in batches."""

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
"""Keys in one call of BatchGetItem: the limit of DynamoDB.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
"""
WRITE_AT_ONCE = 25
"""Statements in one call of BatchExecuteStatement: the limit of DynamoDB.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html
"""
CALLS_AT_ONCE = 16
"""Concurrent calls. One vCPU can make about this number of calls while DynamoDB processes one."""
LEARN_AT_ONCE = WRITE_AT_ONCE * CALLS_AT_ONCE
"""Contacts that are read before the first of them is written. They fill all concurrent calls and limit the memory."""
ATTEMPTS = 8
"""Rounds of reading, merging and writing. Also the number of calls for keys that DynamoDB returns as unprocessed."""
QUERY_PAGE = 100
"""Items in one page of a query."""

LOST_RACE = CONDITION_FAILED
"""The result of `ContactRepository.write` if another worker wrote the contact after it was read."""

_UNPROCESSED = "unprocessed"
"""Reason of a failure: DynamoDB was throttled or failed in every attempt."""
_CONFLICT = "lost-every-race"
"""Reason of a failure: in every attempt, another worker wrote the item first."""
_RETRYABLE_ERRORS = {
    "ConditionalCheckFailed": _CONFLICT,
    "DuplicateItem": _CONFLICT,
    "InternalServerError": _UNPROCESSED,
    "ProvisionedThroughputExceeded": _UNPROCESSED,
    "RequestLimitExceeded": _UNPROCESSED,
    "ThrottlingError": _UNPROCESSED,
    "TransactionConflict": _UNPROCESSED,
}
"""Error codes of a statement that may succeed in a later attempt, and the reason if no attempt succeeds.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementError.html
"""
_RETRYABLE = frozenset(_RETRYABLE_ERRORS.values())
_REJECTED_CALL = frozenset({"SerializationException", "ValidationException"})
"""Error codes of a whole call that a single invalid statement can cause.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
"""


class DynamoDb(Protocol):
    """The methods of a DynamoDB client that the repository calls."""

    def batch_get_item(self, **request: Any) -> Mapping[str, Any]: ...  # noqa: ANN401, D102
    def batch_execute_statement(self, **request: Any) -> Mapping[str, Any]: ...  # noqa: ANN401, D102
    def query(self, **request: Any) -> Mapping[str, Any]: ...  # noqa: ANN401, D102


class ContactRepository:
    """The contacts and their history in one table."""

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
        """Store contacts in `table` through `client`. `executor` makes concurrent calls.

        The default executor is a pool of `CALLS_AT_ONCE` threads.
        """
        self._client = client
        self._table = table
        self._limits = limits
        self._history_days = history_days
        self._now = now
        self._sleep = sleep
        self._own_executor = executor

    def learn(self, facts: Iterable[Fact], until: datetime | None = None) -> Mapping[str, str]:
        """Store `facts` in their contacts and in the history. Begin no new work after `until`.

        Return the addresses whose facts are not all stored, with a reason that is safe to log. The caller must retry
        these facts. Contacts are written before the history, because only the contact prevents further emails. An
        error of DynamoDB is returned as a reason and not raised.
        """
        by_address: dict[str, list[Fact]] = {}
        for fact in facts:
            by_address.setdefault(fact.address.key, []).append(fact)
        failed: dict[str, str] = {}
        for addresses in batched(by_address, LEARN_AT_ONCE):
            if until and self._now() >= until:
                failed |= dict.fromkeys(addresses, OUT_OF_TIME.code)
            else:
                failed |= self._learn_batch({address: by_address[address] for address in addresses}, until)
        return failed

    def _learn_batch(self, facts: Mapping[str, list[Fact]], until: datetime | None) -> Mapping[str, str]:
        return self._carry_out(_Work(_select_register_facts(facts), self._prepare_history_writes(facts)), until)

    def _carry_out(self, work: "_Work", until: datetime | None = None) -> Mapping[str, str]:
        """Store everything in `work`. Return the addresses that failed, with the reason."""
        for attempt in range(ATTEMPTS):
            # The first attempt is always completed. Otherwise, slow reads could prevent progress in every retry.
            if not work or (attempt and until and self._now() >= until):
                break
            self._pause(attempt)
            # The first read is eventually consistent, because registers only grow. If a fact changes nothing in a
            # stale contact, it changes nothing in the current one. If it does, the optimistic lock detects a stale
            # `rev`, and the next attempt reads again.
            # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html
            stored = self._read_all(work, consistent=attempt > 0)
            writes = [*self._prepare_contact_writes(stored, work), *work.history.values()]
            batches = list(batched(writes, WRITE_AT_ONCE))
            for batch, outcomes in zip(batches, self._run_concurrently(self._execute, batches), strict=True):
                for write, outcome in zip(batch, outcomes, strict=True):
                    work.settle(write, outcome)
        return work.give_up()

    def _read_all(self, work: "_Work", *, consistent: bool) -> dict[str, ContactRecord]:
        """Return the stored contacts of `work`, and add the addresses that cannot be read to `work.failed`."""

        def read(addresses: tuple[str, ...]) -> tuple[dict[str, ContactRecord], dict[str, str]]:
            failed: dict[str, str] = {}
            return self.read(addresses, failed, consistent=consistent), failed

        stored: dict[str, ContactRecord] = {}
        for found, failed in self._run_concurrently(read, list(batched(work.contacts, READ_AT_ONCE))):
            stored |= found
            work.failed |= failed
        return stored

    def _prepare_contact_writes(self, stored: Mapping[str, ContactRecord], work: "_Work") -> Iterator["_Write"]:
        """Yield the writes of the contacts that change, and remove all other contacts from `work`."""
        now = self._now()
        facts, work.contacts = work.contacts, {}
        for address, before in stored.items():
            after = learn(before, facts[address], self._limits, now)
            if after:
                work.contacts[address] = facts[address]
                yield self._prepare_contact_write(address, before.item, encode(after, self._limits))

    def _prepare_contact_write(self, address: str, before: Item | None, item: Item) -> "_Write":
        return _Write(address, RECORD, update(self._table, before, item) if before else insert(self._table, item))

    def _prepare_history_writes(self, facts: Mapping[str, Sequence[Fact]]) -> dict[tuple[str, str], "_Write"]:
        now = self._now()
        writes: dict[tuple[str, str], _Write] = {}
        for address, facts_of_address in facts.items():
            for fact in facts_of_address:
                # Deliveries are too numerous for the history. The register `delivered` has their days.
                if fact.verdict is not Verdict.DELIVERED:
                    item = history_item(fact, self._history_days, now)
                    record = item["record"]["S"]
                    writes.setdefault((address, record), _Write(address, record, insert(self._table, item)))
        return writes

    def _execute(self, writes: Sequence["_Write"]) -> Sequence[str | None]:
        """Execute at most `WRITE_AT_ONCE` writes. Return None for each that succeeded, or the reason of its failure."""
        try:
            answer = self._client.batch_execute_statement(Statements=[write.statement for write in writes])
            responses = require(answer, "Responses", list)
            if len(responses) != len(writes):
                raise MalformedResponseError("Responses")
            with _detect_malformed_response():
                return [_classify_response(write, response) for write, response in zip(writes, responses, strict=True)]
        except AWS_ERRORS as error:
            reason = error_code(error)
            if reason in _REJECTED_CALL and len(writes) > 1:
                # One invalid statement can cause the error of the whole call, so each is executed alone.
                return [outcome for write in writes for outcome in self._execute([write])]
            return [reason] * len(writes)

    def read(self, addresses: Iterable[str], failed: dict[str, str], *, consistent: bool) -> dict[str, ContactRecord]:
        """Return the contacts of at most `READ_AT_ONCE` addresses. A contact without an item is returned empty.

        The result does not contain addresses that cannot be read. They are added to `failed`, with the reason.
        """
        requested = list(addresses)
        found: dict[str, ContactRecord] = {}
        unread = requested
        reason = _UNPROCESSED
        for attempt in range(ATTEMPTS):
            self._pause(attempt)
            try:
                items, unread = self._get_items(unread, consistent=consistent)
            except AWS_ERRORS as error:
                reason = error_code(error)
                break
            for address, item in items.items():
                try:
                    found[address] = decode(item)
                except ContactRecordError:
                    failed[address] = UNREADABLE
            if not unread:
                break
        failed |= dict.fromkeys(unread, reason)
        for address in requested:
            if address not in found and address not in failed:
                found[address] = ContactRecord(Contact(address))
        return found

    def _get_items(self, addresses: Sequence[str], *, consistent: bool) -> tuple[dict[str, Item], list[str]]:
        """Return the items of contacts by address, and the addresses whose keys DynamoDB returned as unprocessed.

        Raises:
            AWS_ERRORS: DynamoDB did not answer, or the response is malformed.

        """
        request = {"Keys": [key(address) for address in addresses], "ConsistentRead": consistent}
        answer = self._client.batch_get_item(RequestItems={self._table: request})
        with _detect_malformed_response():
            items = {item["address"]["S"]: item for item in answer["Responses"].get(self._table, [])}
            # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html (UnprocessedKeys)
            unprocessed = answer["UnprocessedKeys"].get(self._table, {}).get("Keys", [])
            return items, [unprocessed_key["address"]["S"] for unprocessed_key in unprocessed]

    def write(self, stored: ContactRecord) -> str | None:
        """Write `stored` if the `rev` in the table is still that of `stored.item`.

        Attributes that other applications wrote in the meantime are kept. Return None if the contact was written,
        `LOST_RACE` if another worker wrote it first, or the reason of the failure.
        """
        return self.write_all([stored]).get(stored.contact.address)

    def write_all(self, stored: Iterable[ContactRecord]) -> dict[str, str]:
        """Write different contacts as `write` does. Return the reasons of those that were not written, by address."""
        writes = [
            self._prepare_contact_write(one.contact.address, one.item, encode(one, self._limits)) for one in stored
        ]
        reasons: dict[str, str | None] = {}
        for attempt in range(ATTEMPTS):
            self._pause(attempt)
            batches = list(batched(writes, WRITE_AT_ONCE))
            outcomes = [one for some in self._run_concurrently(self._execute, batches) for one in some]
            reasons |= {write.address: outcome for write, outcome in zip(writes, outcomes, strict=True)}
            writes = [write for write in writes if reasons[write.address] == _UNPROCESSED]
            if not writes:
                break
        return {address: LOST_RACE if reason == _CONFLICT else reason for address, reason in reasons.items() if reason}

    def store_history(self, items: Iterable[Item]) -> Mapping[str, str]:
        """Store history items that do not exist yet; return the addresses that failed, with the reason."""
        writes = (_Write(item["address"]["S"], item["record"]["S"], insert(self._table, item)) for item in items)
        return self._carry_out(_Work({}, {(write.address, write.record): write for write in writes}))

    def find_pending(self, before: datetime) -> Iterator[tuple[datetime, str]]:
        """Yield contacts that must be synchronized by `before`: the due time and the address, the earliest time first.

        The due time is `retry_at`, or `pending_since` if the contact has no `retry_at`.

        Raises:
            AWS_ERRORS: DynamoDB did not answer.

        """
        return self._query_by_time("PendingSync", "pending_shard", "pending_at", before)

    def find_ended_suspensions(self, before: datetime) -> Iterator[tuple[datetime, str]]:
        """Yield contacts whose suspension ended by `before`: the end and the address, the earliest end first.

        Raises:
            AWS_ERRORS: DynamoDB did not answer.

        """
        return self._query_by_time("SuspensionEnd", "release_shard", "release_at", before)

    def _query_by_time(
        self, index: str, shard_name: str, time_name: str, before: datetime
    ) -> Iterator[tuple[datetime, str]]:
        """Yield time and address from all shards of a sparse index, the earliest time first."""
        requests: Iterator[dict[str, Any]] = (
            {
                "TableName": self._table,
                "IndexName": index,
                "KeyConditionExpression": f"{shard_name} = :shard AND {time_name} <= :before",
                "ExpressionAttributeValues": {
                    ":shard": {"S": f"{number:02d}"},
                    ":before": {"S": format_timestamp(before)},
                },
                "Limit": QUERY_PAGE,
            }
            for number in range(SHARDS)
        )
        return heapq.merge(*(self._query_shard(request, time_name) for request in requests))

    def _query_shard(self, request: dict[str, Any], time_name: str) -> Iterator[tuple[datetime, str]]:
        while True:
            answer = self._client.query(**request)
            for item in require(answer, "Items"):
                time = parse_timestamp(item[time_name]["S"])
                if time:
                    yield time, item["address"]["S"]
            # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _run_concurrently(self, call: Callable[[Any], Any], batches: Sequence[Any]) -> Iterator[Any]:
        """Return the results of `call` for each batch, in order. A single batch needs no thread."""
        return map(call, batches) if len(batches) <= 1 else self._executor.map(call, batches)

    @cached_property
    def _executor(self) -> Executor:
        return self._own_executor or ThreadPoolExecutor(CALLS_AT_ONCE)

    def _pause(self, attempt: int) -> None:
        if attempt:
            self._sleep(min(1.0, 0.025 * 2**attempt) * random.uniform(0.5, 1))  # noqa: S311 (jitter)


def _select_register_facts(facts: Mapping[str, list[Fact]]) -> dict[str, list[Fact]]:
    """Return the facts by address that have a register.

    If a contact had any trace of the other facts, it would depend on how facts are divided into batches.
    """
    selected = (
        (address, [fact for fact in unfiltered if changes_contact(fact)]) for address, unfiltered in facts.items()
    )
    return {address: register_facts for address, register_facts in selected if register_facts}


class _Write(NamedTuple):
    """A statement, and the key of the item that it writes."""

    address: str
    record: str
    statement: Statement


@contextmanager
def _detect_malformed_response() -> Iterator[None]:
    """Translate the exception that a malformed response causes.

    Raises:
        MalformedResponseError: a field is missing or has another type.

    """
    try:
        yield
    except (AttributeError, KeyError, TypeError) as error:
        raise MalformedResponseError(type(error).__name__) from None


def _classify_response(write: _Write, response: Mapping[str, Any]) -> str | None:
    """Return None if the write succeeded, or the reason of its failure."""
    if "Error" not in response:
        return None
    code = loggable_code(response["Error"].get("Code"))
    reason = _RETRYABLE_ERRORS.get(code, code)
    # If a history item exists, a copy of the same feedback wrote it. The write is idempotent, so it succeeded.
    return None if reason == _CONFLICT and write.record != RECORD else reason


@dataclass(slots=True)
class _Work:
    """Facts and history items that are not stored yet.

    `contacts` has the facts of each address, `history` the writes by the key of their items. `failed` has the addresses
    with a permanent failure, and the reason. `last` has the latest reason of each address with a retryable failure.
    """

    contacts: dict[str, list[Fact]]
    history: dict[tuple[str, str], _Write]
    failed: dict[str, str] = field(default_factory=dict)
    last: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.contacts or self.history)

    def settle(self, write: _Write, outcome: str | None) -> None:
        """Remove a write that succeeded or failed permanently. Keep a write whose failure is retryable."""
        if outcome in _RETRYABLE:
            self.last[write.address] = outcome
            return
        if write.record == RECORD:
            del self.contacts[write.address]
        else:
            del self.history[write.address, write.record]
        if outcome:
            self.failed[write.address] = outcome

    def give_up(self) -> dict[str, str]:
        """Return the addresses of all writes that did not succeed, with the reason."""
        unfinished = {*self.contacts, *(address for address, _ in self.history)}
        return {address: self.last[address] for address in unfinished} | self.failed

"""Contacts that meet a filter, a page at a time: millions of contacts are never in memory together."""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from feedbackctl.contacts.denials import describe_unread
from feedbackctl.contacts.filters import UNSENDABLE, ContactFilter, Match
from feedbackctl.contacts.history import HistoryEntry, read_history
from feedbackctl.contacts.pages import read_pages
from feedbackctl.contacts.view import current_evidence
from feedbackctl.errors import OperatorError
from feedbackctl.stack import Stack
from ses_feedback.aws.batches import batched
from ses_feedback.contacts.contact import Evidence
from ses_feedback.contacts.record import RECORD, SHARDS, UNREADABLE, ContactRecord, ContactRecordError, decode
from ses_feedback.contacts.repository import CALLS_AT_ONCE, READ_AT_ONCE
from ses_feedback.contacts.status import Status
from ses_feedback.timestamps import format_timestamp

_PAGE = 1_000
"""Keys in one response of the index."""
_FIRST, _LAST = "0", "9"
"""Bounds of `status_at` without a condition."""


class Found(NamedTuple):
    """A contact that meets the filter. `history` is empty unless it was read."""

    record: ContactRecord
    evidence: Evidence | None
    history: tuple[HistoryEntry, ...] = ()


@dataclass
class ContactSearch:
    """One search. After the last contact, `counts` has the numbers of contacts by result.

    `undetermined`: the history that would decide has expired. `unreadable`: the item is not a contact; see the runbook.
    With `with_history` the history of each contact that is found is read.
    """

    stack: Stack
    wanted: ContactFilter
    with_history: bool = False
    counts: Counter[str] = field(default_factory=lambda: Counter(undetermined=0, unreadable=0))

    def find(self) -> Iterator[Found]:
        """Yield the contacts that meet the filter: by status, and within a status by time.

        Raises:
            OperatorError: DynamoDB did not return a contact.
            AWS_ERRORS: DynamoDB did not answer.

        """
        with ThreadPoolExecutor(CALLS_AT_ONCE) as executor:
            for records in batched(self._records(), READ_AT_ONCE):
                candidates = [candidate for record in records if (candidate := self._judge(record))]
                for found, match in executor.map(self._judge_history, candidates):
                    if match is Match.YES:
                        yield found
                    elif match is Match.UNDETERMINED:
                        self.counts["undetermined"] += 1

    def _judge(self, record: ContactRecord) -> tuple[ContactRecord, Evidence | None, Match] | None:
        evidence = current_evidence(record, self.stack.settings.limits)
        match = self.wanted.match_contact(record, evidence)
        return None if match is Match.NO else (record, evidence, match)

    def _judge_history(self, candidate: tuple[ContactRecord, Evidence | None, Match]) -> tuple[Found, Match]:
        record, evidence, match = candidate
        history: tuple[HistoryEntry, ...] = ()
        if match is Match.UNDETERMINED or self.with_history:
            history = tuple(read_history(self._dynamodb, self.stack.table, record.contact.address))
        if match is Match.UNDETERMINED:
            match = self.wanted.match_history(record, evidence, history)
        return Found(record, evidence, history), match

    @property
    def _dynamodb(self) -> Any:  # noqa: ANN401 (botocore's client)
        return self.stack.aws.client("dynamodb")

    def _records(self) -> Iterator[ContactRecord]:
        if self.wanted.statuses and set(self.wanted.statuses) <= set(UNSENDABLE):
            for status in self.wanted.statuses:
                yield from self._read(self._keys(status))
        else:
            yield from self._scan()

    def _keys(self, status: Status) -> Iterator[str]:
        """Yield the addresses of the contacts with a status, in order of time."""
        shards = [self._shard_keys(f"{status.value}#{number:02d}") for number in range(SHARDS)]
        return (address for _, address in heapq.merge(*shards))

    def _shard_keys(self, partition: str) -> Iterator[tuple[str, str]]:
        since, until = self.wanted.since, self.wanted.until
        items = read_pages(
            self._dynamodb.query,
            TableName=self.stack.table,
            IndexName="Unsendable",
            KeyConditionExpression="unsendable = :partition AND status_at BETWEEN :since AND :until",
            ExpressionAttributeValues={
                ":partition": {"S": partition},
                ":since": {"S": format_timestamp(since) if since else _FIRST},
                ":until": {"S": format_timestamp(until) if until else _LAST},
            },
            Limit=_PAGE,
        )
        return ((item["status_at"]["S"], item["address"]["S"]) for item in items)

    def _read(self, addresses: Iterable[str]) -> Iterator[ContactRecord]:
        for some in batched(addresses, READ_AT_ONCE):
            unread: dict[str, str] = {}
            records = self.stack.repository.read(some, unread, consistent=False)
            self._count_unread(unread)
            yield from (records[address] for address in some if address in records)

    def _count_unread(self, unread: dict[str, str]) -> None:
        self.counts["unreadable"] += sum(reason == UNREADABLE for reason in unread.values())
        reasons = describe_unread(unread)
        if reasons:
            raise OperatorError(f"DynamoDB did not return all contacts ({reasons}). Try again.")

    def _scan(self) -> Iterator[ContactRecord]:
        """Yield all contacts. There is no index of contacts that may be emailed."""
        items = read_pages(
            self._dynamodb.scan,
            TableName=self.stack.table,
            FilterExpression="#record = :contact",
            ExpressionAttributeNames={"#record": "record"},
            ExpressionAttributeValues={":contact": {"S": RECORD}},
        )
        for item in items:
            try:
                yield decode(item)
            except ContactRecordError:
                self.counts["unreadable"] += 1

"""Design bugs: how contacts and their history are read and written."""

# Mutants stand where the real thing does, and so reach into it and take what it takes.
# ruff: noqa: ANN401, ARG001, SLF001

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ses_feedback import contact, store, stored
from ses_feedback.faults import AWS_FAULTS, fault
from ses_feedback.policy import Fact, Verdict
from ses_feedback.stored import Stored
from tests.simulation.mutants.planting import mutant


def _unguarded(self: Any, one: Stored) -> str | None:
    item = stored.encode(one, contact.standing(one.contact, self._limits))
    try:
        self._client.put_item(TableName=self._table, Item=item)
    except AWS_FAULTS as error:
        return fault(error)
    return None


def _swallowed(self: Any, one: Stored) -> str | None:
    refused = _write(self, one)
    return refused if refused == store.LOST_RACE else None


_write = store.ContactStore.write


def _lost_is_done(self: Any, one: Stored) -> str | None:
    refused = _write(self, one)
    return None if refused == store.LOST_RACE else refused


def _lost_is_an_error(self: Any, one: Stored) -> str | None:
    return "lost" if _write(self, one) else None


def _unread_is_done(self: Any, addresses: Any, failed: dict[str, str], *, consistent: bool) -> dict[str, Stored]:
    return _read(self, addresses, {}, consistent=consistent)


_read = store.ContactStore.read


def _nothing_unprocessed(self: Any, items: Sequence[Any]) -> dict[str, str]:
    requests = [{"PutRequest": {"Item": item}} for item in items]
    try:
        self._client.batch_write_item(RequestItems={self._table: requests})
    except AWS_FAULTS as error:
        return {item["address"]["S"]: fault(error) for item in items}
    return {}


def _processed_first(self: Any, facts: Any, until: datetime | None = None) -> Mapping[str, str]:
    """Write the "processed" record before the effect, and skip what has one."""
    new: list[Fact] = []
    for fact in list(facts):
        record = stored.history_item(fact, 365, fact.at)
        key = record["address"]["S"], record["record"]["S"]
        if key not in self._client._table.items:
            self._client.batch_write_item(RequestItems={self._table: [{"PutRequest": {"Item": record}}]})
            new.append(fact)
    return _learn(self, new, until)


_learn = store.ContactStore.learn


def _history_once_more(fact: Fact, keep_days: int, now: datetime) -> Any:
    item = _history_item(fact, keep_days, now)
    _times.append(0)
    return item | {"record": {"S": f"{item['record']['S']}-{len(_times)}"}}


_history_item = stored.history_item
_times: list[int] = []


def _history_unless_failed(self: Any, facts: Any, failed: dict[str, str]) -> None:
    """Keep no history at all of deliveries and, by mistake, of echoes."""
    kept = {name: [fact for fact in known if fact.verdict is not Verdict.ECHO] for name, known in facts.items()}
    _keep_history(self, kept, failed)


_keep_history = store.ContactStore._keep_history


MUTANTS = (
    mutant("writes are not guarded by rev", (store.ContactStore, "write", _unguarded)),
    mutant("a fault of a write is swallowed", (store.ContactStore, "write", _swallowed)),
    mutant("a lost race counts as done", (store.ContactStore, "write", _lost_is_done)),
    mutant("a lost race counts as an error", (store.ContactStore, "write", _lost_is_an_error)),
    mutant("a contact that can't be read counts as done", (store.ContactStore, "read", _unread_is_done)),
    mutant("UnprocessedItems are not looked at", (store.ContactStore, "_put_all", _nothing_unprocessed)),
    mutant("the processed record is written first", (store.ContactStore, "learn", _processed_first)),
    mutant("each try makes a new record of history", (store, "history_item", _history_once_more)),
    mutant("history is not kept of all", (store.ContactStore, "_keep_history", _history_unless_failed)),
)
"""Every design bug of this kind that is tried."""

"""Planted bugs: how contacts and their history are read and written."""

# A planted bug has the signature of the function that it replaces, and uses private names of its module.
# ruff: noqa: ANN401, ARG001, SLF001

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from campaigns.simulation.planted_bugs.planting import planted_bug
from ses_feedback.aws.errors import AWS_ERRORS, error_code
from ses_feedback.contacts import history, record, repository, statements
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.contacts.repository import ContactRepository
from ses_feedback.judging.facts import Fact, Verdict

_write = ContactRepository.write
_read = ContactRepository.read
_learn = ContactRepository.learn
_history = ContactRepository._prepare_history_writes
_execute = ContactRepository._execute
_outcome = repository._classify_response
_history_item = history.history_item
_attempts: list[int] = []


def _write_without_lock(self: Any, stored: ContactRecord) -> str | None:
    item = record.encode(stored, self._limits)
    try:
        self._client.put_item(TableName=self._table, Item=item)
    except AWS_ERRORS as error:
        return error_code(error)
    return None


def _ignore_write_error(self: Any, stored: ContactRecord) -> str | None:
    failure = _write(self, stored)
    return failure if failure == repository.LOST_RACE else None


def _ignore_lost_race_of_sync(self: Any, stored: ContactRecord) -> str | None:
    failure = _write(self, stored)
    return None if failure == repository.LOST_RACE else failure


def _ignore_read_error(
    self: Any, addresses: Any, failed: dict[str, str], *, consistent: bool
) -> dict[str, ContactRecord]:
    return _read(self, addresses, {}, consistent=consistent)


def _ignore_statement_error(_write: Any, _response: Mapping[str, Any]) -> None:
    return None


def _ignore_duplicate_contact(write: Any, response: Mapping[str, Any]) -> str | None:
    return None if _code(response) == "DuplicateItem" else _outcome(write, response)


def _ignore_lost_race(write: Any, response: Mapping[str, Any]) -> str | None:
    return None if _code(response) == "ConditionalCheckFailed" else _outcome(write, response)


def _fail_on_lost_race(write: Any, response: Mapping[str, Any]) -> str | None:
    return _code(response) if _code(response) == "ConditionalCheckFailed" else _outcome(write, response)


def _fail_on_duplicate_history(write: Any, response: Mapping[str, Any]) -> str | None:
    return _code(response) or None


def _ignore_history_error(write: Any, response: Mapping[str, Any]) -> str | None:
    return _outcome(write, response) if write.record == "contact" else None


def _code(response: Mapping[str, Any]) -> str:
    return str(response.get("Error", {}).get("Code", ""))


def _use_first_response(self: Any, writes: Sequence[Any]) -> Sequence[str | None]:
    return [_execute(self, writes)[0]] * len(writes)


def _reverse_responses(self: Any, writes: Sequence[Any]) -> Sequence[str | None]:
    return _execute(self, writes)[::-1]


def _accept_short_answer(self: Any, writes: Sequence[Any]) -> Sequence[str | None]:
    try:
        responses = self._client.batch_execute_statement(Statements=[write.statement for write in writes])["Responses"]
    except (*AWS_ERRORS, KeyError) as error:
        return [error_code(error)] * len(writes)
    outcomes = [_outcome(write, response) for write, response in zip(writes, responses, strict=False)]
    return [*outcomes, *[None] * (len(writes) - len(outcomes))]


def _ignore_missing_answer(self: Any, writes: Sequence[Any]) -> Sequence[str | None]:
    outcomes = _execute(self, writes)
    return [None] * len(writes) if set(outcomes) <= {"ConnectionClosedError", "ReadTimeoutError"} else outcomes


def _update_any_revision(self: Any, writes: Sequence[Any]) -> Sequence[str | None]:
    for write in writes:
        item = self._client.table.items.get((write.address, write.record))
        if write.record == "contact" and write.statement["Statement"].startswith("UPDATE"):
            write.statement["Parameters"][-2 if "expires_at" in write.statement["Statement"] else -1] = item["rev"]
    return _execute(self, writes)


def _insert_existing(table: str, _before: Any, after: Any) -> Any:
    return statements.insert(table, after)


def _remove_nothing(table: str, before: Any, after: Any) -> Any:
    return statements.update(table, {name: value for name, value in before.items() if name in after}, after)


def _forget_unwritten_history(self: Any) -> Mapping[str, str]:
    failed: Mapping[str, str] = {address: self.last[address] for address in self.contacts} | self.failed
    return failed


def _store_history_first(self: Any, facts: Any, until: datetime | None = None) -> Mapping[str, str]:
    """Write the history before the contact, and skip facts that the history already has."""
    new: list[Fact] = []
    for fact in list(facts):
        item = history.history_item(fact, 365, fact.at)
        if (item["address"]["S"], item["record"]["S"]) not in self._client.table.items:
            self._client.batch_execute_statement(Statements=[statements.insert("Contacts", item)])
            new.append(fact)
    return _learn(self, new, until)


def _number_each_attempt(fact: Fact, keep_days: int, now: datetime) -> Any:
    item = _history_item(fact, keep_days, now)
    _attempts.append(0)
    return item | {"record": {"S": f"{item['record']['S']}-{len(_attempts)}"}}


def _omit_echoes(self: Any, facts: Any) -> Any:
    kept = {name: [fact for fact in known if fact.verdict is not Verdict.ECHO] for name, known in facts.items()}
    return _history(self, kept)


PLANTED_BUGS = (
    planted_bug("the sync writes without the optimistic lock", (ContactRepository, "write", _write_without_lock)),
    planted_bug("the sync ignores a failed write", (ContactRepository, "write", _ignore_write_error)),
    planted_bug("the sync counts a lost race as done", (ContactRepository, "write", _ignore_lost_race_of_sync)),
    planted_bug("the sync counts an unreadable contact as done", (ContactRepository, "read", _ignore_read_error)),
    planted_bug("errors of single statements are ignored", (repository, "_classify_response", _ignore_statement_error)),
    planted_bug(
        "a contact added by another worker counts as done",
        (repository, "_classify_response", _ignore_duplicate_contact),
    ),
    planted_bug("a lost race counts as done", (repository, "_classify_response", _ignore_lost_race)),
    planted_bug("a lost race counts as an error", (repository, "_classify_response", _fail_on_lost_race)),
    planted_bug(
        "history that exists counts as an error", (repository, "_classify_response", _fail_on_duplicate_history)
    ),
    planted_bug("a failed write of history counts as done", (repository, "_classify_response", _ignore_history_error)),
    planted_bug("the first response counts for all statements", (ContactRepository, "_execute", _use_first_response)),
    planted_bug("responses are matched to other statements", (ContactRepository, "_execute", _reverse_responses)),
    planted_bug(
        "a statement without a response counts as done",
        (ContactRepository, "_execute", _accept_short_answer),
        fault=("batch_execute_statement", "short"),
    ),
    planted_bug("a call without an answer counts as done", (ContactRepository, "_execute", _ignore_missing_answer)),
    planted_bug("updates ignore the revision", (ContactRepository, "_execute", _update_any_revision)),
    planted_bug("an existing contact is written by INSERT", (repository, "update", _insert_existing)),
    planted_bug("UPDATE removes no attributes", (repository, "update", _remove_nothing)),
    planted_bug(
        "history that could not be written is forgotten",
        (repository._Work, "give_up", _forget_unwritten_history),
        fault=("batch_execute_statement", "history throttled"),
    ),
    planted_bug("the history is written before the contact", (ContactRepository, "learn", _store_history_first)),
    planted_bug("each attempt adds a record to the history", (repository, "history_item", _number_each_attempt)),
    planted_bug("the history omits echoes", (ContactRepository, "_prepare_history_writes", _omit_echoes)),
)
"""Planted bugs of this module. Each must break a promise in some case."""

"""Design bugs: how contacts and their history are read and written."""

# Mutants stand where the real thing does, and so reach into it and take what it takes.
# ruff: noqa: ANN401, ARG001, SLF001

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from campaigns.simulation.planted_bugs.planting import mutant
from ses_feedback.aws.errors import AWS_ERRORS, error_code
from ses_feedback.contacts import history, repository, statements
from ses_feedback.contacts import record as stored
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.judging.facts import Fact, Verdict


def _unguarded(self: Any, one: ContactRecord) -> str | None:
    item = stored.encode(one, self._limits)
    try:
        self._client.put_item(TableName=self._table, Item=item)
    except AWS_ERRORS as error:
        return error_code(error)
    return None


def _swallowed(self: Any, one: ContactRecord) -> str | None:
    refused = _write(self, one)
    return refused if refused == repository.LOST_RACE else None


_write = repository.ContactRepository.write


def _lost_is_done(self: Any, one: ContactRecord) -> str | None:
    refused = _write(self, one)
    return None if refused == repository.LOST_RACE else refused


def _unread_is_done(self: Any, addresses: Any, failed: dict[str, str], *, consistent: bool) -> dict[str, ContactRecord]:
    return _read(self, addresses, {}, consistent=consistent)


_read = repository.ContactRepository.read


def _errors_overlooked(_write: Any, _response: Mapping[str, Any]) -> None:
    return None


def _duplicate_is_done(write: Any, response: Mapping[str, Any]) -> str | None:
    """Take a contact that somebody else added meanwhile for one's own."""
    return None if _code(response) == "DuplicateItem" else _outcome(write, response)


def _overtaken_is_done(write: Any, response: Mapping[str, Any]) -> str | None:
    return None if _code(response) == "ConditionalCheckFailed" else _outcome(write, response)


def _overtaken_is_an_error(write: Any, response: Mapping[str, Any]) -> str | None:
    return _code(response) if _code(response) == "ConditionalCheckFailed" else _outcome(write, response)


def _duplicate_history_is_an_error(write: Any, response: Mapping[str, Any]) -> str | None:
    return _code(response) or None


def _history_hoped_for(write: Any, response: Mapping[str, Any]) -> str | None:
    return _outcome(write, response) if write.record == "contact" else None


_outcome = repository._outcome


def _code(response: Mapping[str, Any]) -> str:
    return str(response.get("Error", {}).get("Code", ""))


def _first_answer_for_all(self: Any, writes: Sequence[Any]) -> Sequence[str | None]:
    return [_execute(self, writes)[0]] * len(writes)


def _answers_in_any_order(self: Any, writes: Sequence[Any]) -> Sequence[str | None]:
    """Take the answers for those of the statements in another order."""
    return _execute(self, writes)[::-1]


def _short_answer_is_done(self: Any, writes: Sequence[Any]) -> Sequence[str | None]:
    """Take a statement without an answer for one that was carried out."""
    try:
        answers = self._client.batch_execute_statement(Statements=[write.statement for write in writes])["Responses"]
    except (*AWS_ERRORS, KeyError) as error:
        return [error_code(error)] * len(writes)
    told = [_outcome(write, answer) for write, answer in zip(writes, answers, strict=False)]
    return [*told, *[None] * (len(writes) - len(told))]


def _lost_call_is_done(self: Any, writes: Sequence[Any]) -> Sequence[str | None]:
    """Believe that what DynamoDB did not answer was carried out."""
    outcomes = _execute(self, writes)
    return [None] * len(writes) if set(outcomes) <= {"ConnectionClosedError", "ReadTimeoutError"} else outcomes


def _blind(self: Any, writes: Sequence[Any]) -> Sequence[str | None]:
    """Change the contact whatever revision it has."""
    for write in writes:
        held = self._client._table.items.get((write.address, write.record))
        if write.record == "contact" and write.statement["Statement"].startswith("UPDATE"):
            write.statement["Parameters"][-1] = held["rev"]
    return _execute(self, writes)


_execute = repository.ContactRepository._execute


def _inserted_again(table: str, _before: Any, after: Any) -> Any:
    return statements.insert(table, after)


def _nothing_removed(table: str, before: Any, after: Any) -> Any:
    """Leave on the contact what no longer holds."""
    return statements.update(table, {name: value for name, value in before.items() if name in after}, after)


def _history_forgotten(self: Any) -> Mapping[str, str]:
    """Give up on contacts only."""
    failed: Mapping[str, str] = {address: self.last[address] for address in self.contacts} | self.failed
    return failed


def _processed_first(self: Any, facts: Any, until: datetime | None = None) -> Mapping[str, str]:
    """Write the "processed" record before the effect, and skip what has one."""
    new: list[Fact] = []
    for fact in list(facts):
        record = history.history_item(fact, 365, fact.at)
        key = record["address"]["S"], record["record"]["S"]
        if key not in self._client._table.items:
            self._client.batch_execute_statement(Statements=[statements.insert("Contacts", record)])
            new.append(fact)
    return _learn(self, new, until)


_learn = repository.ContactRepository.learn


def _history_once_more(fact: Fact, keep_days: int, now: datetime) -> Any:
    item = _history_item(fact, keep_days, now)
    _times.append(0)
    return item | {"record": {"S": f"{item['record']['S']}-{len(_times)}"}}


_history_item = history.history_item
_times: list[int] = []


def _history_not_of_all(self: Any, facts: Any) -> Any:
    """Keep no history of deliveries and, by mistake, of echoes."""
    kept = {name: [fact for fact in known if fact.verdict is not Verdict.ECHO] for name, known in facts.items()}
    return _history(self, kept)


_history = repository.ContactRepository._history


MUTANTS = (
    mutant("the list_sync's writes are not guarded by rev", (repository.ContactRepository, "write", _unguarded)),
    mutant("a fault of the list_sync's writes is swallowed", (repository.ContactRepository, "write", _swallowed)),
    mutant("a race the list_sync lost counts as done", (repository.ContactRepository, "write", _lost_is_done)),
    mutant("a contact that can't be read counts as done", (repository.ContactRepository, "read", _unread_is_done)),
    mutant("errors of single statements are overlooked", (repository, "_outcome", _errors_overlooked)),
    mutant("a contact somebody else added counts as done", (repository, "_outcome", _duplicate_is_done)),
    mutant("a lost race counts as done", (repository, "_outcome", _overtaken_is_done)),
    mutant("a lost race counts as an error", (repository, "_outcome", _overtaken_is_an_error)),
    mutant("history that is there counts as an error", (repository, "_outcome", _duplicate_history_is_an_error)),
    mutant("history unwritten, and acknowledged", (repository, "_outcome", _history_hoped_for)),
    mutant("the first answer counts for all", (repository.ContactRepository, "_execute", _first_answer_for_all)),
    mutant("answers count for other statements", (repository.ContactRepository, "_execute", _answers_in_any_order)),
    mutant(
        "a statement without an answer counts as done",
        (repository.ContactRepository, "_execute", _short_answer_is_done),
    ),
    mutant("a call without an answer counts as done", (repository.ContactRepository, "_execute", _lost_call_is_done)),
    mutant("updates are not guarded by rev", (repository.ContactRepository, "_execute", _blind)),
    mutant("INSERT where it should be UPDATE", (repository, "update", _inserted_again)),
    mutant("UPDATE removes nothing", (repository, "update", _nothing_removed)),
    mutant("history that could not be written is forgotten", (repository._Work, "give_up", _history_forgotten)),
    mutant("the processed record is written first", (repository.ContactRepository, "learn", _processed_first)),
    mutant("each try makes a new record of history", (repository, "history_item", _history_once_more)),
    mutant("history is not kept of all", (repository.ContactRepository, "_history", _history_not_of_all)),
)
"""Every design bug of this kind that is tried."""

"""Bugs of how AWS's answers are taken, seeded one at a time: each must break a promise that a few cases show."""

# Mutants stand where the real thing does, and so reach into it and take what it takes.
# ruff: noqa: ANN401, ARG001, SLF001

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from campaigns.simulation.planted_bugs.planting import Mutant, mutant
from ses_feedback.aws import clients, events, quarantine
from ses_feedback.aws.errors import AWS_ERRORS, error_code
from ses_feedback.aws.refusals import Refusal, RefusalKind
from ses_feedback.contacts import repository
from ses_feedback.contacts.contact import Contact
from ses_feedback.contacts.record import ContactRecord, decode, key
from ses_feedback.handlers import feedback
from ses_feedback.immutable import replace
from ses_feedback.suppression import entry_writer, list_client

LEASED_FOREVER = "a lease never ends"
TELLS_ALL = "the log tells what a message says"


def _any_success(answer: Mapping[str, Any], name: str) -> Any:
    return answer.get(name, {})


def _unprocessed_is_done(
    self: Any, addresses: Any, failed: dict[str, str], *, consistent: bool
) -> dict[str, ContactRecord]:
    """Ask once, and take the addresses DynamoDB left unprocessed for done."""
    request = {self._table: {"Keys": [key(one) for one in addresses], "ConsistentRead": consistent}}
    try:
        answer = self._client.batch_get_item(RequestItems=request)
    except AWS_ERRORS as error:
        failed |= dict.fromkeys(addresses, error_code(error))
        return {}
    found = {item["address"]["S"]: decode(item) for item in answer.get("Responses", {}).get(self._table, [])}
    left = {one["address"]["S"] for one in answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])}
    return {one: found.get(one) or ContactRecord(Contact(one)) for one in addresses if one not in left}


def _statements_succeed(write: Any, response: Mapping[str, Any]) -> None:
    return None


def _lost_is_done(write: Any, response: Mapping[str, Any]) -> str | None:
    outcome = _outcome(write, response)
    return None if outcome == repository._OVERTAKEN else outcome


_outcome = repository._outcome


def _calls_succeed(self: Any, writes: Sequence[Any]) -> Sequence[str | None]:
    """Count every statement as done when the call as a whole fails."""
    outcomes = _execute(self, writes)
    return [one if one in {None, repository._OVERTAKEN, repository._UNPROCESSED} else None for one in outcomes]


_execute = repository.ContactRepository._execute


def _acknowledged(report: Any) -> dict[str, Any]:
    return {"batchItemFailures": []}


def _tells_all(outcome: Any) -> Mapping[str, Any]:
    return {**_log_fields(outcome), "record": repr(outcome.record)}


_log_fields = feedback._log_fields


def _unanswered_is_done(error: Exception) -> Refusal | None:
    refusal = _refusal(error)
    return None if refusal.kind is RefusalKind.UNANSWERED else refusal


_refusal = list_client._refusal


def _nothing_to_prove(answer: Mapping[str, Any]) -> None:
    return None


def _refused_is_done(error: Exception) -> None:
    return None


def _kept(self: Any, original: str, reason: str, source: str) -> str:
    _keep(self, original, reason, source)
    return ""


_keep = quarantine.Quarantine.store


def _any_body(**parsing: Any) -> None:
    return None


def _always_leasable(stored: ContactRecord, now: datetime, own: str = "") -> bool:
    return True


def _leased_forever(stored: ContactRecord, now: datetime, own: str = "") -> bool:
    return stored.lease in {"", own}


def _announced_anyhow(self: Any, changes: Sequence[Any]) -> Sequence[Any]:
    _publish_due(self, changes)
    return changes


_publish_due = events.EventPublisher.publish


def _releases_the_lease(self: Any, leased: ContactRecord, refusal: Refusal, done: Any) -> None:
    """Take no answer for a no: the call may yet be carried out, after others have written the list."""
    _postpone(self, leased, replace(refusal, kind=RefusalKind.UNAVAILABLE), done)


_postpone = entry_writer.EntryWriter._postpone

MUTANTS = (
    mutant("any success is AWS's", (quarantine, "require", _any_success), (repository, "require", _any_success)),
    mutant("any body of a success will do", (clients, "reject_malformed_body", _any_body)),
    mutant("unprocessed keys are done", (repository.ContactRepository, "read", _unprocessed_is_done)),
    mutant("errors of statements are not looked at", (repository, "_outcome", _statements_succeed)),
    mutant("a lost race is done", (repository, "_outcome", _lost_is_done)),
    mutant("a call that fails is done", (repository.ContactRepository, "_execute", _calls_succeed)),
    mutant("everything is acknowledged", (feedback, "build_response", _acknowledged)),
    mutant("a message that is not taken is kept", (quarantine.Quarantine, "store", _kept)),
    mutant("a call of SES without answer is done", (list_client, "_refusal", _unanswered_is_done)),
    mutant("whatever succeeds is SES's", (list_client, "_require_request_id", _nothing_to_prove)),
    mutant("a call that SES refuses is done", (list_client, "_refusal", _refused_is_done)),
    mutant("what was not published is published", (events.EventPublisher, "publish", _announced_anyhow)),
    mutant("every contact counts as free to lease", (entry_writer, "can_lease", _always_leasable)),
    mutant("no answer gives the lease back", (entry_writer.EntryWriter, "_postpone", _releases_the_lease)),
    mutant(TELLS_ALL, (feedback, "_log_fields", _tells_all)),
    mutant(LEASED_FOREVER, (entry_writer, "can_lease", _leased_forever)),
)
"""Every bug that is tried."""


def named(name: str) -> Mutant:
    """Return the bug of this name."""
    return next(mutant for mutant in MUTANTS if mutant.name == name)

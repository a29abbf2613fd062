"""Planted bugs in how the code interprets AWS's answers. Each must break a promise within a few cases."""

# The replacements have the signatures of the original functions, and use their modules' private names.
# ruff: noqa: ANN401, ARG001, SLF001

from collections.abc import Mapping, Sequence
from typing import Any

from campaigns.simulation.planted_bugs import find_planted_bug
from campaigns.simulation.planted_bugs.planting import PlantedBug, planted_bug
from ses_feedback.aws import clients, quarantine
from ses_feedback.aws.errors import AWS_ERRORS, error_code
from ses_feedback.aws.refusals import Refusal, RefusalKind
from ses_feedback.contacts import repository
from ses_feedback.contacts.contact import Contact
from ses_feedback.contacts.record import ContactRecord, decode, key
from ses_feedback.handlers import feedback
from ses_feedback.immutable import replace
from ses_feedback.suppression import entry_writer, list_client

LEASES_NEVER_EXPIRE = "leases never expire"
RECORDS_ARE_LOGGED = "records are logged"

_outcome = repository._classify_response
_execute = repository.ContactRepository._execute
_log_fields = feedback._log_fields
_refusal = list_client._refusal
_store = quarantine.Quarantine.store
_postpone = entry_writer.EntryWriter._postpone


def _accept_any_success(answer: Mapping[str, Any], name: str) -> Any:
    return answer.get(name, {})


def _ignore_unprocessed_keys(
    self: Any, addresses: Any, failed: dict[str, str], *, consistent: bool
) -> dict[str, ContactRecord]:
    """Read once, and return neither contacts nor failures for unprocessed keys."""
    request = {self._table: {"Keys": [key(one) for one in addresses], "ConsistentRead": consistent}}
    try:
        answer = self._client.batch_get_item(RequestItems=request)
    except AWS_ERRORS as error:
        failed |= dict.fromkeys(addresses, error_code(error))
        return {}
    found = {item["address"]["S"]: decode(item) for item in answer.get("Responses", {}).get(self._table, [])}
    keys = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
    unprocessed = {one["address"]["S"] for one in keys}
    return {one: found.get(one) or ContactRecord(Contact(one)) for one in addresses if one not in unprocessed}


def _ignore_lost_races(write: Any, response: Mapping[str, Any]) -> str | None:
    outcome = _outcome(write, response)
    return None if outcome == repository._CONFLICT else outcome


def _ignore_failed_calls(self: Any, writes: Sequence[Any]) -> Sequence[str | None]:
    """Count every statement of a call that failed as done."""
    expected = {None, repository._CONFLICT, repository._UNPROCESSED}
    return [outcome if outcome in expected else None for outcome in _execute(self, writes)]


def _acknowledge_all(report: Any) -> dict[str, Any]:
    return {"batchItemFailures": []}


def _log_record(result: Any) -> Mapping[str, Any]:
    return {**_log_fields(result), "record": repr(result.record)}


def _ignore_unanswered_calls(error: Exception) -> Refusal | None:
    refusal = _refusal(error)
    return None if refusal.kind is RefusalKind.UNANSWERED else refusal


def _ignore_refusals(error: Exception) -> None:
    return None


def _require_nothing(answer: Mapping[str, Any]) -> None:
    return None


def _ignore_quarantine_errors(self: Any, *message: Any) -> str:
    _store(self, *message)
    return ""


def _accept_any_body(**parsing: Any) -> None:
    return None


def _release_lease_of_unanswered_call(self: Any, leased: ContactRecord, refusal: Refusal, done: Any) -> None:
    """Treat a call without an answer as one without an effect, although it may have its effect later."""
    _postpone(self, leased, replace(refusal, kind=RefusalKind.UNAVAILABLE), done)


def _borrow(name: str, name_in_simulation: str) -> PlantedBug:
    """Return the simulation's planted bug under the title `name`; any case here can show it."""
    return planted_bug(name, *find_planted_bug(name_in_simulation).patches)


PLANTED_BUGS = (
    planted_bug(
        "any success counts as AWS's",
        (quarantine, "require", _accept_any_success),
        (repository, "require", _accept_any_success),
    ),
    planted_bug("any body of a success is accepted", (clients, "reject_malformed_body", _accept_any_body)),
    planted_bug("unprocessed keys are ignored", (repository.ContactRepository, "read", _ignore_unprocessed_keys)),
    _borrow("errors of statements are ignored", "errors of single statements are ignored"),
    planted_bug("lost races are ignored", (repository, "_classify_response", _ignore_lost_races)),
    planted_bug("failed calls are ignored", (repository.ContactRepository, "_execute", _ignore_failed_calls)),
    planted_bug("every message is acknowledged", (feedback, "build_response", _acknowledge_all)),
    planted_bug("errors of the quarantine are ignored", (quarantine.Quarantine, "store", _ignore_quarantine_errors)),
    planted_bug("unanswered calls to SES are ignored", (list_client, "_refusal", _ignore_unanswered_calls)),
    planted_bug("any success counts as SES's", (list_client, "_require_request_id", _require_nothing)),
    planted_bug("refusals by SES are ignored", (list_client, "_refusal", _ignore_refusals)),
    _borrow("events count as published although they are not", "a rejected event counts as published"),
    _borrow("leases are ignored", "the list is written without a lease"),
    planted_bug(
        "an unanswered call releases its lease",
        (entry_writer.EntryWriter, "_postpone", _release_lease_of_unanswered_call),
    ),
    planted_bug(RECORDS_ARE_LOGGED, (feedback, "_log_fields", _log_record)),
    _borrow(LEASES_NEVER_EXPIRE, "a lease never expires"),
)
"""Every planted bug of this campaign."""


def find_bug(name: str) -> PlantedBug:
    """Return the planted bug of this name."""
    return next(bug for bug in PLANTED_BUGS if bug.name == name)

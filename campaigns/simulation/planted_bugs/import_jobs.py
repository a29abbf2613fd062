"""Design bugs: how a backlog is imported."""

# Mutants stand where the real thing does, and so reach into it and take what it takes.
# ruff: noqa: ANN401, SLF001

from typing import Any

from campaigns.simulation.planted_bugs.planting import mutant
from ses_feedback.aws.refusals import Refusal, RefusalKind
from ses_feedback.contacts.record import without_lease
from ses_feedback.immutable import replace
from ses_feedback.suppression.import_jobs import job_client, settle, start
from ses_feedback.suppression.import_jobs.model import JobOutcome


def _failed_is_carried_out(self: Any, job_id: str, entries: int) -> Any:
    outcome = _outcome(self, job_id, entries)
    return JobOutcome.COMPLETED if outcome is JobOutcome.FAILED else outcome


def _under_way_is_carried_out(self: Any, job_id: str, entries: int) -> Any:
    outcome = _outcome(self, job_id, entries)
    return JobOutcome.COMPLETED if outcome is JobOutcome.RUNNING else outcome


_outcome = job_client.ImportJobClient.outcome


def _unanswered_is_refused(self: Any, url: str, action: Any) -> Any:
    answer = _create(self, url, action)
    return Refusal(RefusalKind.REJECTED, answer.code) if isinstance(answer, Refusal) else answer


_create = job_client.ImportJobClient.create


def _marked_whatever(_self: Any, _one: Any, stored: Any, held: str) -> Any:
    """Mark a contact that moved meanwhile like the others."""
    return replace(without_lease(stored), synced=held, list_pending=False, pending_since=None)


def _nothing_repaired(self: Any, one: Any, stored: Any, held: str) -> Any:
    """Leave a contact that somebody wrote before the job did."""
    return self._without_job_lease(one, stored, held)


def _without_turns(self: Any, one: Any, _until: Any) -> Any:
    return self._jobs.create(self._objects.url(one.name), one.action)


def _lost_is_forgotten(self: Any, one: Any, then: Any, until: Any, done: Any) -> None:
    """Strike a job off whose id nobody knows, as if it would never be carried out."""
    _give_back(self, one, None if then else then, until, done)


_give_back = settle.ImportSettlement._release


MUTANTS = (
    mutant(
        "an import that failed counts as carried out", (job_client.ImportJobClient, "outcome", _failed_is_carried_out)
    ),
    mutant("an import under way counts as over", (job_client.ImportJobClient, "outcome", _under_way_is_carried_out)),
    mutant(
        "a job nobody answered for counts as refused", (job_client.ImportJobClient, "create", _unanswered_is_refused)
    ),
    mutant("imported, whatever changed meanwhile", (settle.ImportSettlement, "_synced", _marked_whatever)),
    mutant("what an import overwrote is not repaired", (settle.ImportSettlement, "_pending_again", _nothing_repaired)),
    mutant("import jobs are not paced", (start.ImportStarter, "_request_job", _without_turns)),
    mutant("a lost job is forgotten", (settle.ImportSettlement, "_release", _lost_is_forgotten)),
)
"""Every design bug of this kind that is tried, on cases in which there is something to import."""

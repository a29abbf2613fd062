"""Planted bugs: how a backlog is imported by SES import jobs."""

# A planted bug has the signature of the function that it replaces, and uses private names of its module.
# ruff: noqa: ANN401, SLF001

from typing import Any

from campaigns.simulation.planted_bugs.planting import planted_bug
from ses_feedback.aws.refusals import Refusal, RefusalKind
from ses_feedback.contacts.record import without_lease
from ses_feedback.immutable import replace
from ses_feedback.suppression.import_jobs.job_client import ImportJobClient
from ses_feedback.suppression.import_jobs.model import JobOutcome
from ses_feedback.suppression.import_jobs.settle import ImportSettlement
from ses_feedback.suppression.import_jobs.start import ImportStarter

_outcome = ImportJobClient.outcome
_create = ImportJobClient.create
_release = ImportSettlement._release


def _accept_failed_job(self: Any, job_id: str, entries: int) -> Any:
    outcome = _outcome(self, job_id, entries)
    return JobOutcome.COMPLETED if outcome is JobOutcome.FAILED else outcome


def _accept_running_job(self: Any, job_id: str, entries: int) -> Any:
    outcome = _outcome(self, job_id, entries)
    return JobOutcome.COMPLETED if outcome is JobOutcome.RUNNING else outcome


def _reject_unanswered_job(self: Any, url: str, action: Any) -> Any:
    answer = _create(self, url, action)
    return Refusal(RefusalKind.REJECTED, answer.code) if isinstance(answer, Refusal) else answer


def _mark_changed_contact(_self: Any, _job: Any, stored: Any, synced: str) -> Any:
    return replace(without_lease(stored), synced=synced, list_pending=False, pending_since=None)


def _keep_overwritten_entry(self: Any, job: Any, stored: Any, synced: str) -> Any:
    return self._without_job_lease(job, stored, synced)


def _request_at_once(self: Any, job: Any, _deadline: Any) -> Any:
    return self._jobs.create(self._objects.url(job.name), job.action)


def _forget_lost_job(self: Any, job: Any, stage: Any, deadline: Any, report: Any) -> None:
    _release(self, job, None if stage else stage, deadline, report)


PLANTED_BUGS = (
    planted_bug("a failed job counts as completed", (ImportJobClient, "outcome", _accept_failed_job)),
    planted_bug("a running job counts as completed", (ImportJobClient, "outcome", _accept_running_job)),
    planted_bug(
        "a job request without an answer counts as rejected",
        (ImportJobClient, "create", _reject_unanswered_job),
        fault=("create_import_job", "timed out, effect later"),
    ),
    planted_bug(
        "a contact that changed during its import is marked", (ImportSettlement, "_synced", _mark_changed_contact)
    ),
    planted_bug(
        "an entry that a job overwrote is not repaired", (ImportSettlement, "_pending_again", _keep_overwritten_entry)
    ),
    planted_bug("requests of jobs have no rate limiter", (ImportStarter, "_request_job", _request_at_once)),
    planted_bug(
        "a lost job is forgotten",
        (ImportSettlement, "_release", _forget_lost_job),
        fault=("create_import_job", "crashed, effect later"),
    ),
)
"""Planted bugs of this module. Each must break a promise in some case with import jobs."""

"""Protocols of the objects that import jobs work with."""

from collections.abc import Callable
from typing import Protocol

from ses_feedback.aws.refusals import Refusal
from ses_feedback.suppression.import_jobs.model import Action, JobOutcome, Ledger


class LedgerStore(Protocol):
    """Stores the ledger of import jobs."""

    def read(self) -> Ledger | None:
        """Return the ledger, or None if it is malformed."""

    def change(self, change: Callable[[Ledger], Ledger | None]) -> bool:
        """Replace the ledger with the result of `change`; return True if it was replaced."""


class ObjectStore(Protocol):
    """Stores the objects that SES imports."""

    def url(self, name: str) -> str:
        """Return the URL of a job's object."""

    def put(self, name: str, text: str) -> bool:
        """Write a job's object; return True if it was written."""

    def get(self, name: str) -> str | None:
        """Return a job's object, or None if it cannot be read."""

    def delete(self, name: str) -> None:
        """Delete a job's object."""


class JobClient(Protocol):
    """Calls SES."""

    def create(self, url: str, action: Action) -> str | Refusal:
        """Create a job; return its id, or why SES did not create it."""

    def outcome(self, job_id: str, entries: int) -> JobOutcome | Refusal:
        """Return the outcome of a job, or why SES did not report it."""

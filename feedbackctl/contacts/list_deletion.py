"""Deletion of many entries of the SES suppression list by import jobs.

One DeleteSuppressedDestination takes one address, at one call a second: 50,000 would take fourteen hours. A job takes
10,000: https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from feedbackctl.stack import Stack
from ses_feedback.aws.refusals import Refusal
from ses_feedback.handlers.deadline import utc_now
from ses_feedback.suppression.entries import is_importable, object_lines
from ses_feedback.suppression.import_jobs.job_client import ImportJobClient
from ses_feedback.suppression.import_jobs.model import MAX_ENTRIES, Action, JobOutcome
from ses_feedback.suppression.import_jobs.objects import ImportObjects

MOST_ENTRIES = MAX_ENTRIES[Action.DELETE]
"""Addresses in one DELETE job."""
BUCKET_OUTPUT = "ImportBucketName"
_PATIENCE = timedelta(minutes=5)
"""Time that a call may wait for the rate limiter."""
_POLL_SECONDS = 5.0
_JOB_PATIENCE = timedelta(hours=1)


@dataclass(frozen=True)
class ListDeletion:
    """Deletes entries through jobs. Its SES calls wait for the rate limiter of the stack."""

    stack: Stack

    @property
    def is_available(self) -> bool:
        """True if the stack has a bucket for the objects that SES reads."""
        return BUCKET_OUTPUT in self.stack.outputs

    def delete(self, entries: Iterable[str], operation: str) -> bool:
        """Delete at most `MOST_ENTRIES` entries, and return True once SES has deleted all.

        Return False if there was no job or SES did not complete it: then the stack deletes the entries one by one.
        Each step may be repeated: deleting an entry again changes nothing. `operation` names the object.
        """
        importable = [entry for entry in entries if is_importable([entry])]
        if not importable:
            return True
        objects = ImportObjects(lambda: self.stack.aws.client("s3"), self.stack.output(BUCKET_OUTPUT))
        # `feedbackctl iam` allows the objects whose names begin so.
        name = f"operator-{operation}"
        try:
            return objects.put(name, object_lines(importable, None)) and self._run(objects.url(name), len(importable))
        finally:
            # The object contains addresses.
            objects.delete(name)

    def _run(self, url: str, entries: int) -> bool:
        jobs = ImportJobClient(self.stack.aws.ses)
        job = self._wait_for_turn() or jobs.create(url, Action.DELETE)
        if isinstance(job, Refusal):
            return False
        until = utc_now() + _JOB_PATIENCE
        while utc_now() < until:
            outcome = JobOutcome.RUNNING if self._wait_for_turn() else jobs.outcome(job, entries)
            if outcome is not JobOutcome.RUNNING:
                return outcome is JobOutcome.COMPLETED
            time.sleep(_POLL_SECONDS)
        return False

    def _wait_for_turn(self) -> Refusal | None:
        return self.stack.rate_limiter.acquire(utc_now() + _PATIENCE)

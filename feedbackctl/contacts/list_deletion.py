"""Deletion of many entries of the SES suppression list by import jobs.

One DeleteSuppressedDestination takes one address, at one call a second: 50,000 would take fourteen hours. A job takes
10,000: https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html
"""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any

from botocore.exceptions import ClientError

from feedbackctl.stack import Stack
from ses_feedback.aws.errors import AWS_ERRORS
from ses_feedback.handlers.deadline import utc_now
from ses_feedback.judging.recipients import is_simulator

MOST_ENTRIES = 10_000
"""Addresses in one DELETE job, SES's own limit."""
BUCKET_OUTPUT = "ImportBucketName"
_PREFIX = "imports/operator-"
_PATIENCE = timedelta(minutes=5)
"""Time that a call may wait for the rate limiter."""
_POLL_SECONDS = 5.0
_JOB_PATIENCE = timedelta(hours=1)


class Deletion(Enum):
    """Result of a job. If it is not COMPLETED, the stack deletes the entries one by one."""

    COMPLETED = "completed"
    REFUSED = "refused"


@dataclass(frozen=True)
class ListDeletion:
    """Deletes entries through jobs. Its SES calls wait for the rate limiter of the stack."""

    stack: Stack

    @property
    def is_available(self) -> bool:
        """True if the stack has a bucket for the objects that SES reads."""
        return BUCKET_OUTPUT in self.stack.outputs

    def delete(self, entries: Iterable[str], name: str) -> Deletion:
        """Delete at most `MOST_ENTRIES` entries, and return once SES has done or refused it.

        Each step may be repeated: deleting an entry again changes nothing. `name` names the object.
        """
        importable = [entry for entry in entries if is_importable(entry)]
        if not importable:
            return Deletion.COMPLETED
        bucket, key = self.stack.output(BUCKET_OUTPUT), f"{_PREFIX}{name}"
        lines = "".join(json.dumps({"emailAddress": entry}, separators=(",", ":")) + "\n" for entry in importable)
        s3 = self.stack.aws.client("s3")
        try:
            s3.put_object(Bucket=bucket, Key=key, Body=lines.encode())
            return self._run(f"s3://{bucket}/{key}")
        except ClientError:
            return Deletion.REFUSED
        finally:
            # The object contains addresses. If this fails, the lifecycle rule of the bucket deletes it within a week.
            _delete_object(s3, bucket, key)

    def _run(self, url: str) -> Deletion:
        job = self._call(
            "create_import_job",
            ImportDestination={"SuppressionListDestination": {"SuppressionListImportAction": "DELETE"}},
            ImportDataSource={"S3Url": url, "DataFormat": "JSON"},
        )
        until = utc_now() + _JOB_PATIENCE
        while job and utc_now() < until:
            answer = self._call("get_import_job", JobId=job["JobId"])
            status = answer.get("JobStatus") if answer else None
            if status not in {None, "CREATED", "PROCESSING"}:
                # A job with failed records is COMPLETED for SES:
                # https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetImportJob.html
                complete = status == "COMPLETED" and not answer.get("FailedRecordsCount")
                return Deletion.COMPLETED if complete else Deletion.REFUSED
            time.sleep(_POLL_SECONDS)
        return Deletion.REFUSED

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:  # noqa: ANN401 (the request's fields)
        """Return the response, or an empty one if the rate limiter gives no turn."""
        if self.stack.rate_limiter.acquire(utc_now() + _PATIENCE):
            return {}
        answer: dict[str, Any] = getattr(self.stack.aws.ses, operation)(**request)
        return answer


def is_importable(entry: str) -> bool:
    """Return True if SES accepts `entry` in a job: one rejected entry would make the whole job fail.

    SES does not list the addresses of its mailbox simulator, and a local part must be ASCII:
    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Destination.html
    """
    return entry.isascii() and '"' not in entry and not is_simulator(entry)


def _delete_object(s3: Any, bucket: str, key: str) -> None:  # noqa: ANN401 (botocore's client)
    try:
        s3.delete_object(Bucket=bucket, Key=key)
    except AWS_ERRORS:
        return

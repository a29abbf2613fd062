"""Client of the SES import jobs of the suppression list.

Each call counts against the quota of one call a second: https://docs.aws.amazon.com/ses/latest/dg/quotas.html
"""

from http import HTTPStatus
from typing import Any, Protocol

from botocore.exceptions import ClientError

from ses_feedback.aws.errors import AWS_ERRORS, error_code, require
from ses_feedback.aws.refusals import Refusal, RefusalKind
from ses_feedback.suppression.import_jobs.model import Action, JobOutcome


class SesImportClient(Protocol):
    """The methods of botocore's SESv2 client for import jobs."""

    def create_import_job(self, **request: Any) -> Any: ...  # noqa: ANN401, D102
    def get_import_job(self, **request: Any) -> Any: ...  # noqa: ANN401, D102


class ImportJobClient:
    """The import jobs of the account in this Region."""

    def __init__(self, client: SesImportClient) -> None:
        """Call SES through `client`, which must not retry by itself: a retry could create a second job."""
        self._client = client

    def create(self, url: str, action: Action) -> str | Refusal:
        """Create a job for the object `url`; return its id, or why SES did not create it.

        If the refusal is UNANSWERED, SES may have created the job.
        https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_CreateImportJob.html
        """
        try:
            answer = self._client.create_import_job(
                ImportDestination={"SuppressionListDestination": {"SuppressionListImportAction": action.value}},
                ImportDataSource={"S3Url": url, "DataFormat": "JSON"},
            )
            return str(require(answer, "JobId"))
        except AWS_ERRORS as error:
            return _refusal(error)

    def outcome(self, job_id: str, entries: int) -> JobOutcome | Refusal:
        """Return the outcome of a job with this number of entries, or why SES did not report it.

        A job with failed records is COMPLETED for SES:
        https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetImportJob.html
        """
        try:
            answer = self._client.get_import_job(JobId=job_id)
            status = str(require(answer, "JobStatus"))
        except AWS_ERRORS as error:
            return JobOutcome.UNKNOWN if error_code(error) == "NotFoundException" else _refusal(error)
        if status in {"CREATED", "PROCESSING"}:
            return JobOutcome.RUNNING
        complete = not answer.get("FailedRecordsCount") and answer.get("ProcessedRecordsCount", 0) >= entries
        return JobOutcome.COMPLETED if status == "COMPLETED" and complete else JobOutcome.FAILED


_THROTTLED = frozenset({"TooManyRequestsException", "ThrottlingException", "Throttling"})
_UNAUTHORIZED = frozenset({"AccessDenied", "AccessDeniedException", "NotAuthorized"})
_REJECTED = frozenset({"BadRequestException", "ValidationException", "LimitExceededException", *_UNAUTHORIZED})
"""https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_CreateImportJob.html#API_CreateImportJob_Errors"""


def _refusal(error: Exception) -> Refusal:
    """Return the refusal. It is UNANSWERED unless SES certainly did not create a job: it may fail after it did."""
    code = error_code(error)
    if code in _THROTTLED:
        return Refusal(RefusalKind.THROTTLED, code)
    status = (
        error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) if isinstance(error, ClientError) else 0
    )
    if code in _REJECTED or HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return Refusal(RefusalKind.REJECTED, code)
    return Refusal(RefusalKind.UNANSWERED, code)

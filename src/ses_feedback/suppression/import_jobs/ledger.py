"""Have SES import entries into the suppression list: the object in S3, the job, and the ledger in the table."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Protocol

from botocore.exceptions import ClientError

from ses_feedback.aws.errors import AWS_ERRORS, error_code, require, translate_read_errors
from ses_feedback.aws.refusals import Refusal, RefusalKind
from ses_feedback.contacts.statements import put
from ses_feedback.suppression.import_jobs.model import KEY, Action, Ledger, Outcome, decode, encode

ATTEMPTS = 4
"""Rounds of reading, changing and writing the ledger: only sweeps write it, and they seldom meet."""
PREFIX = "imports/"
"""What the key of every object begins with."""


class LedgerClient(Protocol):
    """The calls of botocore's DynamoDB client that are made here."""

    def get_item(self, **request: Any) -> Mapping[str, Any]: ...  # noqa: ANN401, D102
    def put_item(self, **request: Any) -> Mapping[str, Any]: ...  # noqa: ANN401, D102


class S3(Protocol):
    """The calls of botocore's S3 client that are made here."""

    def put_object(self, **request: Any) -> Any: ...  # noqa: ANN401, D102
    def get_object(self, **request: Any) -> Any: ...  # noqa: ANN401, D102
    def delete_object(self, **request: Any) -> Any: ...  # noqa: ANN401, D102


class SesV2(Protocol):
    """The calls of botocore's SESv2 client that are made here."""

    def create_import_job(self, **request: Any) -> Any: ...  # noqa: ANN401, D102
    def get_import_job(self, **request: Any) -> Any: ...  # noqa: ANN401, D102


class ImportLedger:
    """The ledger of imports, on an item of the table `table`."""

    def __init__(self, client: LedgerClient, table: str) -> None:
        """Keep it through `client`."""
        self._client = client
        self._table = table

    def read(self) -> Ledger | None:
        """Return the ledger, None when somebody else has written it and it can't be read.

        Raises:
            AWS_ERRORS: DynamoDB did not answer.

        """
        answer = self._client.get_item(TableName=self._table, Key=KEY, ConsistentRead=True)
        try:
            return decode(answer.get("Item"))
        except ValueError:
            return None

    def change(self, change: Callable[[Ledger], Ledger | None]) -> bool:
        """Make the ledger what `change` makes of it, again when somebody else wrote it meanwhile; say whether it is.

        `change` returns None for a change that is not to be made, and must bear being made twice: the first answer may
        have been lost.
        """
        for _ in range(ATTEMPTS):
            try:
                ledger = self.read()
                after = change(ledger) if ledger else None
                if ledger is None or after is None:
                    return False
                self._write(after, ledger.rev)
            except AWS_ERRORS:
                continue
            return True
        return False

    def _write(self, after: Ledger, rev: int) -> None:
        item = {**encode(after), "rev": {"N": str(rev + 1)}}
        answer = self._client.put_item(**put(self._table, item))
        require(answer, "ConsumedCapacity")


class ImportObjects:
    """The objects SES imports from, in the bucket `bucket`. They hold addresses: none is kept longer than it serves."""

    def __init__(self, s3: Callable[[], S3], bucket: str) -> None:
        """Keep them through the client `s3` makes, made only when there is something to import: S3's is a heavy one."""
        self._s3 = s3
        self._bucket = bucket

    def url(self, name: str) -> str:
        """Return what SES calls the object of the import `name`."""
        return f"s3://{self._bucket}/{PREFIX}{name}"

    def put(self, name: str, text: str) -> bool:
        """Write the object of the import `name`; say whether it is written."""
        client = self._s3()
        try:
            require(client.put_object(Bucket=self._bucket, Key=PREFIX + name, Body=text.encode()), "ETag")
        except AWS_ERRORS:
            return False
        return True

    def get(self, name: str) -> str | None:
        """Return the object of the import `name`, None when it can't be read.

        Whether it is gone, S3 does not tell a function that may not list the bucket.
        """
        client = self._s3()
        try:
            with translate_read_errors():
                answer = client.get_object(Bucket=self._bucket, Key=PREFIX + name)
                body: bytes = require(answer, "Body").read()
        except AWS_ERRORS:
            return None
        return body.decode(errors="replace")

    def delete(self, name: str) -> None:
        """Delete the object of the import `name`; if that fails, the bucket's lifecycle does."""
        client = self._s3()
        try:
            client.delete_object(Bucket=self._bucket, Key=PREFIX + name)
        except AWS_ERRORS:
            return


class ImportJobs:
    """SES's import jobs. Each call counts against the one call a second that SES allows."""

    def __init__(self, client: SesV2) -> None:
        """Call SES through `client`, which must not retry by itself: a repeated call would begin a second job."""
        self._client = client

    def create(self, url: str, action: Action) -> str | Refusal:
        """Have SES import the object; return the job's id, or why there is none, or (UNANSWERED) none that is known."""
        try:
            answer = self._client.create_import_job(
                ImportDestination={"SuppressionListDestination": {"SuppressionListImportAction": action.value}},
                ImportDataSource={"S3Url": url, "DataFormat": "JSON"},
            )
            return str(require(answer, "JobId"))
        except AWS_ERRORS as error:
            return _refusal(error)

    def outcome(self, job_id: str, entries: int) -> Outcome | Refusal:
        """Return what became of a job of so many entries, or why that is not known now."""
        try:
            answer = self._client.get_import_job(JobId=job_id)
            status = str(require(answer, "JobStatus"))
        except AWS_ERRORS as error:
            return Outcome.UNKNOWN if error_code(error) == "NotFoundException" else _refusal(error)
        if status in {"CREATED", "PROCESSING"}:
            return Outcome.UNDER_WAY
        whole = not answer.get("FailedRecordsCount") and answer.get("ProcessedRecordsCount", 0) >= entries
        return Outcome.CARRIED_OUT if status == "COMPLETED" and whole else Outcome.FAILED


_THROTTLED = frozenset({"TooManyRequestsException", "ThrottlingException", "Throttling"})
_UNAUTHORIZED = frozenset({"AccessDenied", "AccessDeniedException", "NotAuthorized"})
_REFUSED = frozenset({"BadRequestException", "ValidationException", "LimitExceededException", *_UNAUTHORIZED})


def _refusal(error: Exception) -> Refusal:
    """Tell what was certainly not done from what may have been: SES may fail after it began a job."""
    code = error_code(error)
    if code in _THROTTLED:
        return Refusal(RefusalKind.THROTTLED, code)
    status = (
        error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) if isinstance(error, ClientError) else 0
    )
    if code in _REFUSED or HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return Refusal(RefusalKind.REJECTED, code)
    return Refusal(RefusalKind.UNANSWERED, code)

"""The part of the SES v2 REST API that manages the suppression list.

A botocore hook or a web server responds with it in place of SES. Paths and documents are those of
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Operations.html.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, unquote
from uuid import uuid4

from localaws.suppression_list.account_list import AccountSuppressionList
from localaws.suppression_list.entries import SuppressedDestination
from localaws.suppression_list.errors import BadRequestError, NotFoundError, SuppressionListError
from localaws.suppression_list.import_jobs import ImportJob
from localaws.suppression_list.pagination import MAX_PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

_ADDRESSES = "/v2/email/suppression/addresses"
_ACCOUNT = "/v2/email/account"
_JOBS = "/v2/email/import-jobs"


class WireResponse(NamedTuple):
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Request(NamedTuple):
    """An HTTP request. `name` is the address or the job id in the path."""

    name: str
    query: Mapping[str, list[str]]
    document: Mapping[str, Any]

    def first(self, name: str) -> str | None:
        """Return the first value of a query parameter, or None if it is missing."""
        return self.query.get(name, [None])[0]


class SuppressionListApi:
    """The HTTP operations of one suppression list. Calls from several threads are serialized."""

    def __init__(self, suppression_list: AccountSuppressionList) -> None:
        """Serve this list."""
        self._list = suppression_list
        self._lock = RLock()
        self._operations: dict[tuple[str, str], Callable[[_Request], dict[str, Any]]] = {
            ("PUT", _ADDRESSES): self._put,
            ("GET", _ADDRESSES): self._list_page,
            ("GET", f"{_ADDRESSES}/"): self._get,
            ("DELETE", f"{_ADDRESSES}/"): self._delete,
            ("POST", _JOBS): self._create_import_job,
            ("GET", f"{_JOBS}/"): self._get_import_job,
            ("POST", f"{_JOBS}/list"): self._list_import_jobs,
            ("PUT", f"{_ACCOUNT}/suppression"): self._put_account_attributes,
            ("GET", _ACCOUNT): self._get_account,
        }

    def respond(self, method: str, path: str, query: str, body: bytes) -> WireResponse | None:
        """Return the response to a request, or None if the request is not about the suppression list.

        `path` and `query` are percent-encoded as received, because an address can contain `%`, `+` and `/`. In ASGI
        they are `raw_path` and `query_string`.
        """
        name = ""
        for prefix in (f"{_ADDRESSES}/", f"{_JOBS}/"):
            if path.startswith(prefix) and (method, path) not in self._operations:
                name, path = unquote(path.removeprefix(prefix)), prefix
        operation = self._operations.get((method, path))
        if operation is None:
            return None
        try:
            with self._lock:
                return _json_response(200, operation(_Request(name, parse_qs(query), _parse_body(body))))
        except SuppressionListError as error:
            return _json_response(error.status, {"message": str(error)}, {"x-amzn-ErrorType": error.code})

    def _put(self, request: _Request) -> dict[str, Any]:
        _refuse_tenants(request.document.get("TenantName"))
        self._list.put(_text(request.document.get("EmailAddress")), request.document.get("Reason", ""))
        return {}

    def _get(self, request: _Request) -> dict[str, Any]:
        _refuse_tenants(request.first("TenantName"))
        entry = self._list.get(request.name)
        document = _summarize_entry(entry)
        if entry.attributes is not None:
            document["Attributes"] = {
                "MessageId": entry.attributes.message_id,
                "FeedbackId": entry.attributes.feedback_id,
            }
        return {"SuppressedDestination": document}

    def _delete(self, request: _Request) -> dict[str, Any]:
        _refuse_tenants(request.first("TenantName"))
        self._list.delete(request.name)
        return {}

    def _list_page(self, request: _Request) -> dict[str, Any]:
        _refuse_tenants(request.first("TenantName"))
        page = self._list.list_page(
            reasons=request.query.get("Reason", ()),
            start_date=_parse_time(request.first("StartDate")),
            end_date=_parse_time(request.first("EndDate")),
            page_size=_parse_number(request.first("PageSize"), MAX_PAGE_SIZE),
            next_token=request.first("NextToken"),
        )
        document: dict[str, Any] = {
            "SuppressedDestinationSummaries": [_summarize_entry(entry) for entry in page.entries]
        }
        return document if page.next_token is None else {**document, "NextToken": page.next_token}

    def _create_import_job(self, request: _Request) -> dict[str, Any]:
        match request.document:
            case {
                "ImportDestination": {"SuppressionListDestination": {"SuppressionListImportAction": str(action)}},
                "ImportDataSource": {"S3Url": str(url), "DataFormat": str(data_format)},
            }:
                return {"JobId": self._list.create_import_job(action, url, data_format)}
        raise BadRequestError("This account imports into its suppression list only.")

    def _get_import_job(self, request: _Request) -> dict[str, Any]:
        return _describe_job(self._list.get_import_job(request.name))

    def _list_import_jobs(self, _request: _Request) -> dict[str, Any]:
        return {"ImportJobs": [_describe_job(job) for job in self._list.list_import_jobs()]}

    def _put_account_attributes(self, request: _Request) -> dict[str, Any]:
        reasons = request.document.get("SuppressedReasons", [])
        self._list.put_account_attributes(reasons if isinstance(reasons, list) else [reasons])
        return {}

    def _get_account(self, _request: _Request) -> dict[str, Any]:
        reasons = self._list.get_account()
        # The quotas of the sandbox, and the usual initial quotas outside it:
        # https://docs.aws.amazon.com/ses/latest/dg/request-production-access.html
        daily, per_second = (200.0, 1.0) if self._list.sandbox else (50_000.0, 14.0)
        return {
            "DedicatedIpAutoWarmupEnabled": False,
            "EnforcementStatus": "HEALTHY",
            "ProductionAccessEnabled": not self._list.sandbox,
            "SendQuota": {"Max24HourSend": daily, "MaxSendRate": per_second, "SentLast24Hours": 0.0},
            "SendingEnabled": True,
            "SuppressionAttributes": {"SuppressedReasons": sorted(reasons)},
        }


def _json_response(
    status: int, document: Mapping[str, Any], extra_headers: Mapping[str, str] | None = None
) -> WireResponse:
    body = json.dumps(document).encode()
    # Every SES response has a request id. It is the only proof that an empty success came from SES.
    headers = {"Content-Type": "application/json", "x-amzn-RequestId": str(uuid4())}
    return WireResponse(status, headers | dict(extra_headers or {}), body)


def _parse_body(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise BadRequestError("The request body must be a JSON object.")
    return document


def _summarize_entry(entry: SuppressedDestination) -> dict[str, Any]:
    return {
        "EmailAddress": entry.email_address,
        "Reason": entry.reason,
        # Times in this protocol are epoch seconds with milliseconds.
        "LastUpdateTime": round(entry.last_update_time.timestamp(), 3),
    }


def _describe_job(job: ImportJob) -> dict[str, Any]:
    document: dict[str, Any] = {
        "JobId": job.job_id,
        "ImportDestination": {"SuppressionListDestination": {"SuppressionListImportAction": job.action}},
        "ImportDataSource": {"S3Url": job.s3_url, "DataFormat": job.data_format},
        "JobStatus": job.status,
        "CreatedTimestamp": round(job.created.timestamp(), 3),
        "ProcessedRecordsCount": job.processed,
        "FailedRecordsCount": job.failed,
    }
    if job.error:
        document["FailureInfo"] = {"ErrorMessage": job.error}
    return {**document, "CompletedTimestamp": round(job.ends.timestamp(), 3)} if job.is_finished else document


def _refuse_tenants(tenant_name: object) -> None:
    """Raise NotFoundError if a tenant is named: this account has no tenants, and tenants have lists of their own."""
    if tenant_name is not None:
        raise NotFoundError("The specified tenant does not exist.")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _parse_time(value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError as error:
        raise BadRequestError("StartDate and EndDate must be ISO 8601 times.") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _parse_number(value: str | None, default: int) -> int:
    if value is None:
        return default
    try:
        return int(value)
    except ValueError as error:
        raise BadRequestError("PageSize must be a number.") from error

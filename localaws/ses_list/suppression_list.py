"""The SES account-level suppression list, behaving as SES's own does.

`AccountSuppressionList` is the list of one account in one Region, in memory. `SuppressionListApi` puts the
SES v2 REST protocol in front of it, so that a botocore hook or a web server can answer in SES's place. They
share a file because each refusal is a rule of the list and a line of the protocol at once.

What is known and what is guessed: operations, paths, error codes and the one call a second are documented
(SES API v2 reference; developer guide, "Service quotas"). The messages of validation errors, 404 and 429, and
that only the domain is lower-cased, others have observed on SES. Nobody has published the words in which SES
refuses a simulator address, an address with a slash, or Put in the sandbox: of those, rely on the refusal
only. Code that tells them apart by their message is wrong.

Errors:
    SuppressionListError
     ├─ BadRequestError        400 BadRequestException
     ├─ InvalidNextTokenError  400 InvalidNextTokenException
     ├─ LimitExceededError     400 LimitExceededException
     ├─ NotFoundError          404 NotFoundException
     └─ TooManyRequestsError   429 TooManyRequestsException
"""

import base64
import binascii
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from threading import RLock
from typing import Any, ClassVar, NamedTuple
from urllib.parse import parse_qs, unquote
from uuid import uuid4

from localaws.ses_list.import_jobs import MOST_JOBS, MOST_RECORDS, ImportJob, ImportJobs, Record

MAX_PAGE_SIZE = 1000
"""The most entries one page of the list holds; also what a page holds when nobody says."""

_SIMULATOR_DOMAIN = "simulator.amazonses.com"
# Callers keep their rate_limiter in floating-point seconds and may come a few microseconds early.
_ROUNDING = timedelta(microseconds=10)


class SuppressionReason(StrEnum):
    """Why an address is on the list."""

    BOUNCE = "BOUNCE"
    COMPLAINT = "COMPLAINT"


class SuppressionListError(Exception):
    """What SES answers when it refuses; `code` and `status` are as on the wire.

    The message is SES's own and may hold an address, so it is to be treated like one.
    """

    code: ClassVar[str]
    status: ClassVar[int] = 400


class BadRequestError(SuppressionListError):
    """SES does not accept what it was asked; asking again will not help."""

    code = "BadRequestException"


class InvalidNextTokenError(SuppressionListError):
    """The list was asked to go on from a token it never gave."""

    code = "InvalidNextTokenException"


class LimitExceededError(SuppressionListError):
    """As many import jobs are unfinished as may be."""

    code = "LimitExceededException"


class NotFoundError(SuppressionListError):
    """The address, spelled like this, is not on the list, or there is no such job."""

    code = "NotFoundException"
    status = 404


class TooManyRequestsError(SuppressionListError):
    """The account made its next call before the Region allows one; SES does not say when it will."""

    code = "TooManyRequestsException"
    status = 429


class Attributes(NamedTuple):
    """Which message and which feedback made SES itself list an address."""

    message_id: str
    feedback_id: str


@dataclass(frozen=True, slots=True)
class SuppressedDestination:
    """One entry of the list; `attributes` only when SES itself added it."""

    email_address: str
    reason: SuppressionReason
    last_update_time: datetime
    attributes: Attributes | None = None


class Page(NamedTuple):
    """A page of the list, and the token that asks for the next (None: this was the last)."""

    entries: list[SuppressedDestination]
    next_token: str | None


class AccountSuppressionList:
    """The suppression list of one account in one Region.

    `put`, `get`, `delete`, `list_page`, `create_import_job`, `get_import_job`, `put_account_attributes` and
    `get_account` are API calls. Together they are allowed `calls_per_second` (None: any number), as SES allows an
    account one call a second for everything but sending; one too early raises TooManyRequestsError. `blocks`,
    `add_from_feedback` and `entries` are SES looking at its own list: they are free.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        *,
        calls_per_second: float | None = 1.0,
        sandbox: bool = False,
        suppressed_reasons: Collection[SuppressionReason] = tuple(SuppressionReason),
        read_object: Callable[[str], bytes] | None = None,
        imports_take: timedelta = timedelta(minutes=2),
    ) -> None:
        """Start with an empty list; a new account suppresses both reasons. `clock` gives aware times.

        Import jobs read their objects through `read_object`, which takes an `s3://…` and raises OSError when it can't
        be read (without one, none can), and each takes as long as `imports_take`.
        """
        self.sandbox = sandbox
        self._jobs = ImportJobs(read_object or _no_objects, imports_take)
        self.suppressed_reasons = frozenset(suppressed_reasons)
        self._clock = clock
        self._interval = timedelta(0) if calls_per_second is None else timedelta(seconds=1 / calls_per_second)
        self._last_call: datetime | None = None
        # Sending ignores case and managing does not: folded address → stored variant → entry.
        self._entries: dict[str, dict[str, SuppressedDestination]] = {}

    def put(self, email_address: str, reason: str) -> None:
        """Add an address, or change the reason of one already there.

        Raises:
            BadRequestError: no address, an unknown reason, a simulator address, or an account in the sandbox.
        """
        self._take_turn()
        address = _as_stored(email_address)
        why = _reason(reason, "reason")
        if self.sandbox:
            raise BadRequestError("Request production access to add addresses to the suppression list.")
        if address.endswith(f"@{_SIMULATOR_DOMAIN}"):
            raise BadRequestError("Mailbox simulator addresses can't be on the suppression list.")
        # Whether SES keeps the attributes of its own entry when a call overwrites it is not known. Here they
        # go, because they would no longer say why the address is listed.
        self._store(SuppressedDestination(address, why, self._clock()))

    def get(self, email_address: str) -> SuppressedDestination:
        """Return the entry of exactly this variant (of the local part; the domain's case does not matter).

        Raises:
            NotFoundError: no such entry.
        """
        self._take_turn()
        return self._find(_as_stored(email_address))

    def delete(self, email_address: str) -> None:
        """Take exactly this variant off the list.

        Raises:
            BadRequestError: the address holds a slash, which this call has never taken (aws/aws-sdk#158),
                although Put does; only a bulk import job gets such an address off the list.
            NotFoundError: no such entry.
        """
        self._take_turn()
        address = _as_stored(email_address)
        if "/" in address:
            raise BadRequestError("Invalid email address.")
        self._find(address)
        self._remove(address)

    def create_import_job(self, action: str, s3_url: str, data_format: str) -> str:
        """Have an object's addresses added or deleted, some time from now; return the job's id.

        Raises:
            BadRequestError: an unknown action or format, no S3 object, or an account in the sandbox.
            LimitExceededError: too many jobs are unfinished.
        """
        self._take_turn()
        if action not in MOST_RECORDS or data_format not in {"CSV", "JSON"} or not s3_url.startswith("s3://"):
            raise BadRequestError("Invalid import destination or data source.")
        if self.sandbox:
            raise BadRequestError("Request production access to import addresses into the suppression list.")
        if self._jobs.unfinished() >= MOST_JOBS:
            raise LimitExceededError("Too many import jobs are unfinished.")
        return self._jobs.create(action, s3_url, data_format, self._clock()).job_id

    def get_import_job(self, job_id: str) -> ImportJob:
        """Return an import job as it is now.

        Raises:
            NotFoundError: no such job.
        """
        self._take_turn()
        job = self._jobs.get(job_id)
        if job is None:
            raise NotFoundError(f"Job {job_id} does not exist.")
        return job

    def list_page(
        self,
        *,
        reasons: Iterable[str] = (),
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        page_size: int = MAX_PAGE_SIZE,
        next_token: str | None = None,
    ) -> Page:
        """Return entries with one of the reasons (none given: any), last updated after and before the dates.

        SES promises no order. Here it is by address, so that paging neither repeats nor skips an entry when
        others come and go in between.

        Raises:
            BadRequestError: an unknown reason, or a page size outside 1 to 1000.
            InvalidNextTokenError: a token that no page gave.
        """
        self._take_turn()
        wanted = {_reason(reason, "reasons", of_list=True) for reason in reasons} or set(SuppressionReason)
        if not 1 <= page_size <= MAX_PAGE_SIZE:
            raise BadRequestError(f"PageSize must be between 1 and {MAX_PAGE_SIZE}.")
        after = "" if next_token is None else _address_of(next_token)
        found = [
            entry
            for entry in self.entries()
            if entry.email_address > after
            and entry.reason in wanted
            and (start_date is None or entry.last_update_time > start_date)
            and (end_date is None or entry.last_update_time < end_date)
        ]
        page = found[:page_size]
        return Page(page, _token_of(page[-1]) if len(found) > page_size else None)

    def put_account_attributes(self, suppressed_reasons: Iterable[str]) -> None:
        """Say for which reasons SES adds addresses and holds mail back; none: for no reason.

        Raises:
            BadRequestError: an unknown reason.
        """
        self._take_turn()
        self.suppressed_reasons = frozenset(
            _reason(reason, "suppressedReasons", of_list=True) for reason in suppressed_reasons
        )

    def get_account(self) -> frozenset[SuppressionReason]:
        """Return the reasons in force, as GetAccount's SuppressionAttributes tell."""
        self._take_turn()
        return self.suppressed_reasons

    def blocks(
        self, email_address: str, *, suppressed_reasons: Collection[SuppressionReason] | None = None
    ) -> SuppressionReason | None:
        """Return why SES would not deliver to this address, however its case; None when it would.

        An entry counts only when its reason is among the account's, or among those of the configuration set
        the mail is sent with when that has its own (`suppressed_reasons`; empty: nothing is held back).
        """
        self._import()
        in_force = self.suppressed_reasons if suppressed_reasons is None else suppressed_reasons
        variants = self._entries.get(_lower_domain(email_address).lower(), {}).values()
        counting = [entry for entry in variants if entry.reason in in_force]
        return max(counting, key=lambda entry: entry.last_update_time).reason if counting else None

    def add_from_feedback(
        self, email_address: str, reason: SuppressionReason, *, message_id: str, feedback_id: str
    ) -> bool:
        """List an address as SES does by itself after a hard bounce or a complaint; say whether it did.

        It does so for the account's reasons only, and never for the mailbox simulator; also in the sandbox.
        """
        self._import()
        address = _lower_domain(email_address)
        if reason not in self.suppressed_reasons or address.endswith(f"@{_SIMULATOR_DOMAIN}"):
            return False
        self._store(SuppressedDestination(address, reason, self._clock(), Attributes(message_id, feedback_id)))
        return True

    def entries(self) -> list[SuppressedDestination]:
        """Return the whole list by address."""
        self._import()
        everyone = (entry for variants in self._entries.values() for entry in variants.values())
        return sorted(everyone, key=lambda entry: entry.email_address)

    def _import(self) -> None:
        """Let the import jobs do what they have done by now."""
        self._jobs.advance(self._clock(), self._carry_out)

    def _carry_out(self, action: str, record: Record, at: datetime) -> bool:
        """Write a record of an import; say whether it is one that SES takes."""
        try:
            address = _as_stored(record.email_address)
            reason = _reason(record.reason, "reason") if action == "PUT" else None
        except BadRequestError:
            return False
        if reason is None:
            self._remove(address)
            return True
        if address.endswith(f"@{_SIMULATOR_DOMAIN}"):
            return False
        self._store(SuppressedDestination(address, reason, at))
        return True

    def _take_turn(self) -> None:
        self._import()
        now = self._clock()
        # A refused call does not use up the next turn, and rate_limiter not taken do not add up.
        if self._last_call is not None and now - self._last_call < self._interval - _ROUNDING:
            raise TooManyRequestsError("Rate exceeded")
        self._last_call = now

    def _find(self, address: str) -> SuppressedDestination:
        entry = self._entries.get(address.lower(), {}).get(address)
        if entry is None:
            raise NotFoundError(f"Email address {address} does not exist on your suppression list.")
        return entry

    def _remove(self, address: str) -> None:
        variants = self._entries.get(address.lower(), {})
        variants.pop(address, None)
        if not variants:
            self._entries.pop(address.lower(), None)

    def _store(self, entry: SuppressedDestination) -> None:
        self._entries.setdefault(entry.email_address.lower(), {})[entry.email_address] = entry


def _no_objects(_url: str) -> bytes:
    raise FileNotFoundError


def _lower_domain(email_address: str) -> str:
    """Spell an address as the list stores it: trimmed, its domain lower-cased, its local part as it came."""
    local_part, at, domain = email_address.strip().rpartition("@")
    return f"{local_part}{at}{domain.lower()}"


def _as_stored(email_address: str) -> str:
    address = _lower_domain(email_address)
    if not address:
        raise BadRequestError("EmailAddress is required.")
    local_part, _, domain = address.rpartition("@")
    # SES has no SMTPUTF8: the local part is ASCII and the domain in A-labels. That these calls check it is a
    # guess, on the strict side.
    if not (local_part and domain and address.isascii()):
        raise BadRequestError("Invalid email address.")
    return address


def _reason(value: object, field: str, *, of_list: bool = False) -> SuppressionReason:
    if value in tuple(SuppressionReason):
        return SuppressionReason(str(value))
    constraint = "Member must satisfy enum value set: [BOUNCE, COMPLAINT]"
    if of_list:
        constraint = f"Member must satisfy constraint: [{constraint}]"
    raise BadRequestError(f"1 validation error detected: Value at '{field}' failed to satisfy constraint: {constraint}")


def _token_of(entry: SuppressedDestination) -> str:
    return base64.urlsafe_b64encode(entry.email_address.encode()).decode()


def _address_of(next_token: str) -> str:
    try:
        return base64.urlsafe_b64decode(next_token).decode()
    except (binascii.Error, UnicodeError) as error:
        raise InvalidNextTokenError("The specified next token is invalid.") from error


class WireResponse(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Request(NamedTuple):
    """An HTTP request to the list; `name` is the address, or the job, in its path."""

    name: str
    query: Mapping[str, list[str]]
    document: Mapping[str, Any]

    def one(self, name: str) -> str | None:
        return self.query.get(name, [None])[0]


_ADDRESSES = "/v2/email/suppression/addresses"
_ACCOUNT = "/v2/email/account"
_JOBS = "/v2/email/import-jobs"


class SuppressionListApi:
    """The suppression list's part of the SES v2 REST API: one call at a time, from whatever thread."""

    def __init__(self, suppression_list: AccountSuppressionList) -> None:
        """Speak for this list."""
        self._list = suppression_list
        self._lock = RLock()
        self._operations: dict[tuple[str, str], Callable[[_Request], dict[str, Any]]] = {
            ("PUT", _ADDRESSES): self._put,
            ("GET", _ADDRESSES): self._list_page,
            ("GET", f"{_ADDRESSES}/"): self._get,
            ("DELETE", f"{_ADDRESSES}/"): self._delete,
            ("POST", _JOBS): self._create_import_job,
            ("GET", f"{_JOBS}/"): self._get_import_job,
            ("PUT", f"{_ACCOUNT}/suppression"): self._put_account_attributes,
            ("GET", _ACCOUNT): self._get_account,
        }

    def respond(self, method: str, path: str, query: str, body: bytes) -> WireResponse | None:
        """Answer a request; None when it is not for the suppression list.

        `path` and `query` are as sent, still percent-encoded (an ASGI server has them as `raw_path` and
        `query_string`): an address may hold `%`, `+` and `/`.
        """
        name = ""
        for items in (f"{_ADDRESSES}/", f"{_JOBS}/"):
            if path.startswith(items):
                name, path = unquote(path.removeprefix(items)), items
        operation = self._operations.get((method, path))
        if operation is None:
            return None
        try:
            with self._lock:
                return _answer(200, operation(_Request(name, parse_qs(query), _document(body))))
        except SuppressionListError as error:
            return _answer(error.status, {"message": str(error)}, {"x-amzn-ErrorType": error.code})

    def _put(self, request: _Request) -> dict[str, Any]:
        _refuse_tenants(request.document.get("TenantName"))
        self._list.put(_text(request.document.get("EmailAddress")), request.document.get("Reason", ""))
        return {}

    def _get(self, request: _Request) -> dict[str, Any]:
        _refuse_tenants(request.one("TenantName"))
        entry = self._list.get(request.name)
        shown = _summary(entry)
        if entry.attributes is not None:
            shown["Attributes"] = {
                "MessageId": entry.attributes.message_id,
                "FeedbackId": entry.attributes.feedback_id,
            }
        return {"SuppressedDestination": shown}

    def _delete(self, request: _Request) -> dict[str, Any]:
        _refuse_tenants(request.one("TenantName"))
        self._list.delete(request.name)
        return {}

    def _list_page(self, request: _Request) -> dict[str, Any]:
        _refuse_tenants(request.one("TenantName"))
        page = self._list.list_page(
            reasons=request.query.get("Reason", ()),
            start_date=_time(request.one("StartDate")),
            end_date=_time(request.one("EndDate")),
            page_size=_number(request.one("PageSize"), MAX_PAGE_SIZE),
            next_token=request.one("NextToken"),
        )
        shown: dict[str, Any] = {"SuppressedDestinationSummaries": [_summary(entry) for entry in page.entries]}
        return shown if page.next_token is None else {**shown, "NextToken": page.next_token}

    def _create_import_job(self, request: _Request) -> dict[str, Any]:
        match request.document:
            case {
                "ImportDestination": {"SuppressionListDestination": {"SuppressionListImportAction": str(action)}},
                "ImportDataSource": {"S3Url": str(url), "DataFormat": str(data_format)},
            }:
                return {"JobId": self._list.create_import_job(action, url, data_format)}
        raise BadRequestError("This account imports into its suppression list only.")

    def _get_import_job(self, request: _Request) -> dict[str, Any]:
        return _job(self._list.get_import_job(request.name))

    def _put_account_attributes(self, request: _Request) -> dict[str, Any]:
        reasons = request.document.get("SuppressedReasons", [])
        self._list.put_account_attributes(reasons if isinstance(reasons, list) else [reasons])
        return {}

    def _get_account(self, _request: _Request) -> dict[str, Any]:
        reasons = self._list.get_account()
        # The quotas of the sandbox, and those an account usually starts with outside it.
        daily, per_second = (200.0, 1.0) if self._list.sandbox else (50_000.0, 14.0)
        return {
            "DedicatedIpAutoWarmupEnabled": False,
            "EnforcementStatus": "HEALTHY",
            "ProductionAccessEnabled": not self._list.sandbox,
            "SendQuota": {"Max24HourSend": daily, "MaxSendRate": per_second, "SentLast24Hours": 0.0},
            "SendingEnabled": True,
            "SuppressionAttributes": {"SuppressedReasons": sorted(reasons)},
        }


def _answer(status: int, document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> WireResponse:
    body = json.dumps(document).encode()
    # SES gives every answer an id; of a success without a body, nothing else says that it is SES's.
    own = {"Content-Type": "application/json", "x-amzn-RequestId": str(uuid4())}
    return WireResponse(status, own | dict(headers or {}), body)


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise BadRequestError("The request body must be a JSON object.")
    return document


def _summary(entry: SuppressedDestination) -> dict[str, Any]:
    return {
        "EmailAddress": entry.email_address,
        "Reason": entry.reason,
        # Times are epoch seconds with milliseconds in this protocol.
        "LastUpdateTime": round(entry.last_update_time.timestamp(), 3),
    }


def _job(job: ImportJob) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "JobId": job.job_id,
        "ImportDestination": {"SuppressionListDestination": {"SuppressionListImportAction": job.action}},
        "ImportDataSource": {"S3Url": job.s3_url, "DataFormat": job.data_format},
        "JobStatus": job.status,
        "CreatedTimestamp": round(job.created.timestamp(), 3),
        "ProcessedRecordsCount": job.processed,
        "FailedRecordsCount": job.failed,
    }
    if job.error:
        shown["FailureInfo"] = {"ErrorMessage": job.error}
    return {**shown, "CompletedTimestamp": round(job.ends.timestamp(), 3)} if job.is_over else shown


def _refuse_tenants(tenant_name: object) -> None:
    """Say that a tenant does not exist: this account has none, and their lists are not this one."""
    if tenant_name is not None:
        raise NotFoundError("The specified tenant does not exist.")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _time(value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError as error:
        raise BadRequestError("StartDate and EndDate must be ISO 8601 times.") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _number(value: str | None, default: int) -> int:
    if value is None:
        return default
    try:
        return int(value)
    except ValueError as error:
        raise BadRequestError("PageSize must be a number.") from error

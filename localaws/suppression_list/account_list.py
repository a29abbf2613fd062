"""The suppression list of one SES account in one Region, in memory.

It implements the documented behavior of the API operations
(https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html) and of sending. `rest_api` adds the HTTP
protocol, `errors` lists which messages are known and which are invented.
"""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta

from localaws.suppression_list.call_quota import CallQuota
from localaws.suppression_list.entries import (
    Attributes,
    EntryTable,
    SuppressedDestination,
    SuppressionReason,
    is_simulator,
    lower_domain,
    parse_address,
    parse_reason,
)
from localaws.suppression_list.errors import BadRequestError, LimitExceededError, NotFoundError
from localaws.suppression_list.import_jobs import MAX_RECORDS, MAX_UNFINISHED_JOBS, ImportJob, ImportJobs, Record
from localaws.suppression_list.pagination import MAX_PAGE_SIZE, Page, select_page


class AccountSuppressionList:
    """The suppression list of one account in one Region.

    `put`, `get`, `delete`, `list_page`, `create_import_job`, `get_import_job`, `put_account_attributes` and
    `get_account` are API calls. They share one quota and raise TooManyRequestsError above it. `blocking_reason`,
    `add_from_feedback` and `entries` are internal to SES and unlimited.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        *,
        calls_per_second: float | None = 1.0,
        sandbox: bool = False,
        suppressed_reasons: Collection[SuppressionReason] = tuple(SuppressionReason),
        read_object: Callable[[str], bytes] | None = None,
        import_duration: timedelta = timedelta(minutes=2),
    ) -> None:
        """Create an empty list. `clock` returns aware times; `calls_per_second` is None for no limit.

        An account that is new to SES suppresses both reasons. Import jobs read their objects with `read_object`, which
        takes an `s3://` URL and raises OSError if the object cannot be read. Without it, every import job fails.
        """
        self.sandbox = sandbox
        self.suppressed_reasons = frozenset(suppressed_reasons)
        self._clock = clock
        self.quota = CallQuota(calls_per_second)
        self._table = EntryTable()
        self.import_jobs = ImportJobs(read_object or _read_no_object, import_duration)

    def put(self, email_address: str, reason: str) -> None:
        """Add an address, or replace its entry.

        Raises:
            BadRequestError: the address or the reason is invalid, the address belongs to the mailbox simulator, or
                the account is in the sandbox.
        """
        self._accept_call()
        address = parse_address(email_address)
        parsed_reason = parse_reason(reason, "reason")
        # https://docs.aws.amazon.com/ses/latest/dg/request-production-access.html
        if self.sandbox:
            raise BadRequestError("Request production access to add addresses to the suppression list.")
        if is_simulator(address):
            raise BadRequestError("Mailbox simulator addresses can't be on the suppression list.")
        # Whether SES keeps its own attributes when a call replaces the entry is not documented. Here they are removed,
        # because they no longer describe the reason of the entry.
        self._table.store(SuppressedDestination(address, parsed_reason, self._clock()))

    def get(self, email_address: str) -> SuppressedDestination:
        """Return the entry with exactly this local part. The case of the domain is ignored.

        Raises:
            NotFoundError: there is no such entry.
        """
        self._accept_call()
        return self._table.find(parse_address(email_address))

    def delete(self, email_address: str) -> None:
        """Remove the entry with exactly this local part.

        Raises:
            BadRequestError: the address contains a slash. SES accepts such an address in Put but not in Delete; an
                import job removes it (https://github.com/aws/aws-sdk/issues/158).
            NotFoundError: there is no such entry.
        """
        self._accept_call()
        address = parse_address(email_address)
        if "/" in address:
            raise BadRequestError("Invalid email address.")
        self._table.find(address)
        self._table.remove(address)

    def create_import_job(self, action: str, s3_url: str, data_format: str) -> str:
        """Start to add or delete the addresses in an object, and return the id of the job.

        https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_CreateImportJob.html

        Raises:
            BadRequestError: the action, format or URL is invalid, or the account is in the sandbox.
            LimitExceededError: too many jobs are unfinished.
        """
        self._accept_call()
        if action not in MAX_RECORDS or data_format not in {"CSV", "JSON"} or not s3_url.startswith("s3://"):
            raise BadRequestError("Invalid import destination or data source.")
        if self.sandbox:
            raise BadRequestError("Request production access to import addresses into the suppression list.")
        if self.import_jobs.count_unfinished() >= MAX_UNFINISHED_JOBS:
            raise LimitExceededError("Too many import jobs are unfinished.")
        return self.import_jobs.create(action, s3_url, data_format, self._clock()).job_id

    def get_import_job(self, job_id: str) -> ImportJob:
        """Return the current state of an import job.

        Raises:
            NotFoundError: there is no such job.
        """
        self._accept_call()
        job = self.import_jobs.get(job_id)
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
        """Return entries with one of the reasons (empty: any), updated after `start_date` and before `end_date`.

        Raises:
            BadRequestError: a reason is unknown, or the page size is not between 1 and 1000.
            InvalidNextTokenError: no page returned this token.
        """
        self._accept_call()
        wanted = {parse_reason(reason, "reasons", in_list=True) for reason in reasons} or set(SuppressionReason)
        matching = [
            entry
            for entry in self.entries()
            if entry.reason in wanted
            and (start_date is None or entry.last_update_time > start_date)
            and (end_date is None or entry.last_update_time < end_date)
        ]
        return select_page(matching, page_size, next_token)

    def list_import_jobs(self) -> list[ImportJob]:
        """Return the import jobs, newest first."""
        self._accept_call()
        return self.import_jobs.all()[::-1]

    def put_account_attributes(self, suppressed_reasons: Iterable[str]) -> None:
        """Set the reasons for which SES adds addresses and suppresses email.

        https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_PutAccountSuppressionAttributes.html

        Raises:
            BadRequestError: a reason is unknown.
        """
        self._accept_call()
        self.suppressed_reasons = frozenset(
            parse_reason(reason, "suppressedReasons", in_list=True) for reason in suppressed_reasons
        )

    def get_account(self) -> frozenset[SuppressionReason]:
        """Return the reasons of the account, which GetAccount reports in SuppressionAttributes."""
        self._accept_call()
        return self.suppressed_reasons

    def blocking_reason(
        self, email_address: str, *, suppressed_reasons: Collection[SuppressionReason] | None = None
    ) -> SuppressionReason | None:
        """Return the reason why SES does not deliver to an address in any case, or None if SES delivers.

        An entry blocks only if its reason is one of the account's reasons. `suppressed_reasons` are those of the
        configuration set, which override the account's; None if the set has none
        (https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list-config-level.html).
        """
        self._advance_import_jobs()
        effective = self.suppressed_reasons if suppressed_reasons is None else suppressed_reasons
        blocking = [
            entry for entry in self._table.find_variants(lower_domain(email_address)) if entry.reason in effective
        ]
        return max(blocking, key=lambda entry: entry.last_update_time).reason if blocking else None

    def add_from_feedback(
        self, email_address: str, reason: SuppressionReason, *, message_id: str, feedback_id: str
    ) -> bool:
        """Add an address as SES itself does after a hard bounce or a complaint. Return True if it was added.

        SES adds addresses for the account's reasons only, never those of the mailbox simulator, and also in the
        sandbox.
        """
        self._advance_import_jobs()
        address = lower_domain(email_address)
        if reason not in self.suppressed_reasons or is_simulator(address):
            return False
        self._table.store(SuppressedDestination(address, reason, self._clock(), Attributes(message_id, feedback_id)))
        return True

    def entries(self) -> list[SuppressedDestination]:
        """Return every entry, sorted by address."""
        self._advance_import_jobs()
        return self._table.all()

    def _accept_call(self) -> None:
        self._advance_import_jobs()
        self.quota.accept_call(self._clock())

    def _advance_import_jobs(self) -> None:
        self.import_jobs.advance(self._clock(), self._apply_record)

    def _apply_record(self, action: str, record: Record, at: datetime) -> bool:
        """Apply a record of an import job. Return False if SES refuses the record."""
        try:
            address = parse_address(record.email_address)
            reason = parse_reason(record.reason, "reason") if action == "PUT" else None
        except BadRequestError:
            return False
        if reason is None:
            self._table.remove(address)
            return True
        if is_simulator(address):
            return False
        self._table.store(SuppressedDestination(address, reason, at))
        return True


def _read_no_object(_url: str) -> bytes:
    raise FileNotFoundError

"""An import job: entries that SES writes to the suppression list from an object in S3.

SES allows one call a second, but one import job takes up to 100,000 entries. The ledger, one item beside the contacts,
records the jobs, so that it outlives the worker that started them.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto
from types import MappingProxyType

from ses_feedback.contacts.record import ContactRecord, Item
from ses_feedback.immutable import Struct, replace
from ses_feedback.timestamps import format_timestamp, read_timestamp

KEY: Item = {"address": {"S": "suppression-list"}, "record": {"S": "imports"}}
"""The key of the ledger. It cannot be the key of a contact: an address contains an `@`."""

IMPORT_LEASE_DURATION = timedelta(hours=3)
"""How long an import job leases its contacts. Entries that SES has not written by then are written call by call."""
PAUSE = timedelta(hours=1)
"""How long no import job is started after one that SES rejected or did not complete."""


class Action(StrEnum):
    """What SES does with the entries of a job. One job has one action.

    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SuppressionListDestination.html
    """

    PUT = "PUT"
    DELETE = "DELETE"


MAX_ENTRIES: Mapping[Action, int] = MappingProxyType({Action.PUT: 100_000, Action.DELETE: 10_000})
"""Entries that SES takes in one object: https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html"""


class Stage(StrEnum):
    """How far an import job has come."""

    LEASING = "leasing"
    """Its contacts are being leased. SES does not know the job."""
    CREATING = "creating"
    """SES has been asked to create the job, or is about to be. Only the response contains the id of the job."""
    RUNNING = "running"
    """SES has created the job `job_id`."""
    ABANDONED = "abandoned"
    """SES will not run the job. Its contacts are yet to be released."""
    LOST = "lost"
    """SES may run the job, but its id is unknown. Its contacts were released."""


class JobOutcome(Enum):
    """The result of an import job, as SES reports it."""

    RUNNING = auto()
    COMPLETED = auto()
    """Every entry was written."""
    FAILED = auto()
    """At least one entry was not written. SES does not name the failed entries in its response."""
    UNKNOWN = auto()
    """SES does not know the job."""


class ImportJob(Struct, frozen=True):
    """An import job. `pending_since` is the time since which its oldest contact is pending."""

    name: str
    action: Action
    started_at: datetime
    pending_since: datetime
    stage: Stage = Stage.LEASING
    entries: int = 0
    job_id: str = ""


class Ledger(Struct, frozen=True):
    """The import jobs that are not settled. No job is started before `paused_until`.

    `rev` counts writes and is the optimistic lock of each.
    """

    rev: int = 0
    jobs: tuple[ImportJob, ...] = ()
    paused_until: datetime | None = None

    def with_job(self, job: ImportJob) -> "Ledger":
        """Return the ledger with `job`, which replaces a job of the same name."""
        return replace(self, jobs=(*(other for other in self.jobs if other.name != job.name), job))

    def without(self, name: str) -> "Ledger":
        """Return the ledger without the job `name`."""
        return replace(self, jobs=tuple(job for job in self.jobs if job.name != name))


def encode(ledger: Ledger) -> Item:
    """Return the item of `ledger`."""
    item: Item = {
        **KEY,
        "rev": {"N": str(ledger.rev)},
        "jobs": {"L": [{"M": _encode(job)} for job in ledger.jobs]},
    }
    if ledger.paused_until:
        item["paused_until"] = {"S": format_timestamp(ledger.paused_until)}
    return item


def decode(item: Item | None) -> Ledger:
    """Return the ledger of `item`, or an empty ledger if `item` is None.

    Raises:
        ValueError: the item is malformed. Another writer wrote it.

    """
    if item is None:
        return Ledger()
    try:
        jobs = tuple(_decode(job["M"]) for job in item["jobs"]["L"])
        paused_until = read_timestamp(item["paused_until"]["S"]) if "paused_until" in item else None
        return Ledger(int(item["rev"]["N"]), jobs, paused_until)
    except (KeyError, TypeError) as error:
        raise ValueError("the ledger of import jobs cannot be read; see the runbook") from error


def paused(ledger: Ledger, now: datetime) -> Ledger:
    """Return the ledger after a job that SES rejected or did not complete."""
    return replace(ledger, paused_until=now + PAUSE)


def lease_name(job: ImportJob, rev: int | None = None) -> str:
    """Return the name of the lease of `job` on a contact that was written with `rev`.

    Return the prefix of all leases of the job if `rev` is None. If the contact still has this `rev`, no other worker
    wrote it.
    """
    return f"{job.name}#{'' if rev is None else rev}"


def leased_for_import(job: ImportJob, stored: ContactRecord) -> ContactRecord:
    """Return the contact under a lease of `job`. Its `retry_at` hides it from the sweep until the lease expires."""
    rev, expires_at = stored.rev + 1, job.started_at + IMPORT_LEASE_DURATION
    return replace(
        stored,
        rev=rev,
        list_pending=True,
        lease=lease_name(job, rev),
        leased_until=expires_at,
        retry_at=expires_at,
    )


def _encode(job: ImportJob) -> Item:
    return {
        "name": {"S": job.name},
        "action": {"S": job.action.value},
        "started_at": {"S": format_timestamp(job.started_at)},
        "pending_since": {"S": format_timestamp(job.pending_since)},
        "stage": {"S": job.stage.value},
        "entries": {"N": str(job.entries)},
        "job_id": {"S": job.job_id},
    }


def _decode(item: Item) -> ImportJob:
    return ImportJob(
        item["name"]["S"],
        Action(item["action"]["S"]),
        read_timestamp(item["started_at"]["S"]),
        read_timestamp(item["pending_since"]["S"]),
        Stage(item["stage"]["S"]),
        int(item["entries"]["N"]),
        item["job_id"]["S"],
    )

"""An import: a batch of entries that SES writes to the suppression list by itself, from an object in S3.

SES takes one call a second, and up to 100,000 entries in one import job. What is known of the jobs under way stands on
one item beside the contacts, so that it outlives whoever began them.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto
from types import MappingProxyType

from ses_feedback.address import parse_address
from ses_feedback.contacts.contact import Contact
from ses_feedback.contacts.record import ContactRecord, Item
from ses_feedback.contacts.status import UNLISTED
from ses_feedback.immutable import Struct, replace
from ses_feedback.judging.facts import ListReason
from ses_feedback.timestamps import format_timestamp, read_timestamp

KEY: Item = {"address": {"S": "suppression-list"}, "record": {"S": "imports"}}
"""The item the ledger is kept on. No address lacks an `@`, so it is nobody's contact."""

HOLD = timedelta(hours=3)
"""How long an import keeps its contacts to itself: what SES has not carried out by then is written one by one."""
REST = timedelta(hours=1)
"""How long no import is begun after one that SES refused, or did not carry out."""


class Action(StrEnum):
    """What an import does with its entries, in SES's words: one job does one of them."""

    PUT = "PUT"
    DELETE = "DELETE"


MOST_ENTRIES: Mapping[Action, int] = MappingProxyType({Action.PUT: 100_000, Action.DELETE: 10_000})
"""Entries SES takes in one object (developer guide, "Using the account-level suppression list")."""


class Stage(StrEnum):
    """How far an import has come."""

    CLAIMING = "claiming"
    """Contacts are being leased for it. SES knows nothing of it."""
    CREATING = "creating"
    """SES has been asked, or is about to be. Only the answer tells the job's id."""
    RUNNING = "running"
    """SES is at it, under `job_id`."""
    ABANDONED = "abandoned"
    """SES will not do it. Its contacts have yet to be given back."""
    LOST = "lost"
    """SES may be at it under an id nobody knows. Its contacts were given back."""


class Outcome(Enum):
    """What SES says became of a job."""

    UNDER_WAY = auto()
    CARRIED_OUT = auto()
    """Every entry was written."""
    FAILED = auto()
    """Some entries were not written, or none; which, SES does not say in so many words."""
    UNKNOWN = auto()
    """SES knows no such job."""


class Import(Struct, frozen=True):
    """An import. `since` is how long the contact that waited longest had waited when it began."""

    name: str
    action: Action
    begun: datetime
    since: datetime
    stage: Stage = Stage.CLAIMING
    entries: int = 0
    job_id: str = ""


class Ledger(Struct, frozen=True):
    """The imports under way. None is begun before `rest_until`. `rev` counts writes and guards each."""

    rev: int = 0
    imports: tuple[Import, ...] = ()
    rest_until: datetime | None = None

    def with_import(self, one: Import) -> "Ledger":
        """Return the ledger with `one` in it, in the place of what it held of that name."""
        return replace(self, imports=(*(other for other in self.imports if other.name != one.name), one))

    def without(self, name: str) -> "Ledger":
        """Return the ledger without the import of that name."""
        return replace(self, imports=tuple(other for other in self.imports if other.name != name))


def encode(ledger: Ledger) -> Item:
    """Return the item of `ledger`."""
    item: Item = {
        **KEY,
        "rev": {"N": str(ledger.rev)},
        "imports": {"L": [{"M": _encode(one)} for one in ledger.imports]},
    }
    if ledger.rest_until:
        item["rest_until"] = {"S": format_timestamp(ledger.rest_until)}
    return item


def decode(item: Item | None) -> Ledger:
    """Return what `encode` wrote, an empty ledger for None.

    Raises:
        ValueError: somebody else wrote the item.

    """
    if item is None:
        return Ledger()
    try:
        imports = tuple(_decode(one["M"]) for one in item["imports"]["L"])
        rest_until = read_timestamp(item["rest_until"]["S"]) if "rest_until" in item else None
        return Ledger(int(item["rev"]["N"]), imports, rest_until)
    except (KeyError, TypeError) as error:
        raise ValueError("the ledger of imports can't be read; see the runbook") from error


def resting(ledger: Ledger, now: datetime) -> Ledger:
    """Return the ledger after an import that SES refused, or did not carry out."""
    return replace(ledger, rest_until=now + REST)


def claim_of(one: Import, rev: int | None = None) -> str:
    """Return the lease of an import on a contact that has this `rev` while nobody else writes it, or what all share."""
    return f"{one.name}#{'' if rev is None else rev}"


def leased(one: Import, stored: ContactRecord) -> ContactRecord:
    """Return a contact leased for an import. Whoever looks for what is due passes it by while the lease holds."""
    rev, until = stored.rev + 1, one.begun + HOLD
    return replace(stored, rev=rev, list_pending=True, lease=claim_of(one, rev), leased_until=until, retry_at=until)


def entries_of(contact: Contact, wanted: ListReason | None) -> tuple[str, ...]:
    """Return every variant SES may hold the contact under: what is to be put, or deleted."""
    entries = contact.variants or (contact.address,)
    return entries if wanted else tuple(dict.fromkeys((*entries, contact.address)))


def importable(entries: Iterable[str]) -> bool:
    """Say whether SES will surely take these: one entry it refuses, and nobody knows which of a job's it was.

    SES never lists its simulator's addresses, and has no use for a quoted local part, or one that is not ASCII.
    """
    return all(one.isascii() and '"' not in one and not one.endswith("@simulator.amazonses.com") for one in entries)


def lines(entries: Iterable[str], wanted: ListReason | None) -> str:
    """Return the lines of an import's object that put `entries` on the list, or (None) take them off."""
    reason = {"reason": wanted.value} if wanted else {}
    return "".join(json.dumps({"emailAddress": entry, **reason}, separators=(",", ":")) + "\n" for entry in entries)


def contacts_in(text: str) -> dict[str, str]:
    """Return what an import's object makes the list hold (a ListReason, or `UNLISTED`), by the contact's address."""
    return dict(_contacts(text))


def _contacts(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        try:
            entry = json.loads(line)
            yield parse_address(entry["emailAddress"]).key, str(entry.get("reason", UNLISTED))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # nobody of ours wrote this line: it is no JSON, no entry, or of no address


def _encode(one: Import) -> Item:
    return {
        "name": {"S": one.name},
        "action": {"S": one.action.value},
        "begun": {"S": format_timestamp(one.begun)},
        "since": {"S": format_timestamp(one.since)},
        "stage": {"S": one.stage.value},
        "entries": {"N": str(one.entries)},
        "job_id": {"S": one.job_id},
    }


def _decode(item: Item) -> Import:
    return Import(
        item["name"]["S"],
        Action(item["action"]["S"]),
        read_timestamp(item["begun"]["S"]),
        read_timestamp(item["since"]["S"]),
        Stage(item["stage"]["S"]),
        int(item["entries"]["N"]),
        item["job_id"]["S"],
    )

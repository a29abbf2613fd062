"""A contact as the table holds it: its registers, what follows from them, and what has yet to follow from them.

An application that only asks whether it may send reads `may_send`, a boolean, from the item. Everything else on the
item is for operators, for the indexes, and for the mirror.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import field, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from ses_feedback.contacts.contact import EVIDENCE_REGISTERS, Contact, Evidence, fold
from ses_feedback.contacts.status import Limits, Standing, Status, list_call_due, standing
from ses_feedback.immutable import value
from ses_feedback.judging.facts import Fact
from ses_feedback.timestamps import format_timestamp, read_timestamp

Item = dict[str, dict[str, Any]]
"""An item in DynamoDB's own JSON: attribute name → {type: value}."""

RECORD = "contact"
UNREADABLE = "unreadable-contact"
"""The reason when the item under a contact's key can't be read: no retry mends it, somebody must."""
SHARDS = 16
"""Partitions of each sparse index: a storm of bounces must not heat one partition key."""


class StoredError(ValueError):
    """The item under a contact's key is not a contact's. Somebody else wrote it; see the runbook."""


@value(frozen=True, slots=True)
class Stored:
    """A contact with its bookkeeping.

    `rev` counts writes (0: none yet) and guards each. `mirrored` is what the mirror last made the suppression list
    hold (`BOUNCE`, `COMPLAINT` or `NONE`; None: it never wrote), `announced` the status the outside world was last
    told of. `due_since` is set while the list or the outside world has something to follow, `retry_at` when SES
    refused it and is not to be asked again before. `list_due` is True while it is the list that has, `announce_due`
    while it is the outside world: also when the status is back at the announced one, for another may be on its way
    out. `claim` names the mirror worker that may write the list for this contact until `claimed_until`. `item` is the
    item it was read from, None when there was none: what a write changes is told from it.
    """

    contact: Contact
    rev: int = 0
    status: Status = Status.ACTIVE
    announced: Status = Status.ACTIVE
    mirrored: str | None = None
    list_due: bool = False
    announce_due: bool = False
    due_since: datetime | None = None
    retry_at: datetime | None = None
    claim: str = ""
    claimed_until: datetime | None = None
    item: Item | None = field(default=None, compare=False, repr=False)

    @property
    def others(self) -> Item:
        """The attributes of its item that this system does not know: they are kept as they are."""
        return {name: self.item[name] for name in self.item.keys() - _OWN} if self.item else {}

    def is_due(self, now: datetime) -> bool:
        """Say whether the list or the outside world has something to follow now."""
        return self.due_since is not None and (self.retry_at is None or self.retry_at <= now)


@lru_cache(1024)
def shard(address: str) -> str:
    """Return the index shard of `address`, `00` to `15`."""
    return f"{hashlib.sha256(address.encode()).digest()[0] % SHARDS:02d}"


def learn(stored: Stored, facts: Iterable[Fact], limits: Limits, now: datetime) -> Stored | None:
    """Return what `stored` becomes when its contact learns `facts`, or None when nothing changes; as `become`."""
    return become(stored, fold(stored.contact, facts), limits, now)


def become(stored: Stored, contact: Contact, limits: Limits, now: datetime) -> Stored | None:
    """Return `stored` with its contact become `contact`, a merge of it with something, or None when nothing changes.

    Whoever changes a contact (feedback, an operator's reinstatement) does it through this, so that the suppression
    list and the outside world follow. `now` only dates how long the change waits for that; no register ever holds it.
    """
    status = standing(contact, limits).status
    unchanged = contact is stored.contact or contact == stored.contact
    if stored.rev and unchanged and status is stored.status:
        return None
    list_due = stored.list_due or list_call_due(stored.contact, contact, limits, stored.mirrored)
    announce_due = stored.announce_due or status is not stored.announced
    # Written out: `dataclasses.replace` takes five times as long, and this runs for every contact that changes.
    return Stored(
        contact,
        rev=stored.rev + 1,
        status=status,
        announced=stored.announced,
        mirrored=stored.mirrored,
        list_due=list_due,
        announce_due=announce_due,
        due_since=(stored.due_since or now) if list_due or announce_due else None,
        retry_at=None,
        claim=stored.claim,
        claimed_until=stored.claimed_until,
        item=stored.item,
    )


def refreshed(stored: Stored, limits: Limits, now: datetime) -> Stored:
    """Return `stored` as `limits` have it, not yet written: they may have changed since it was."""
    return replace(become(stored, stored.contact, limits, now) or stored, rev=stored.rev)


def unclaimed(stored: Stored) -> Stored:
    """Return a contact that whoever claimed it lets go of."""
    return replace(stored, rev=stored.rev + 1, claim="", claimed_until=None, retry_at=None)


def marked(stored: Stored, held: str) -> Stored:
    """Return a contact as it is let go of once the list holds of it what it should: `held`, what `mirrored` is to say.

    What is left to follow is the outside world's.
    """
    due_since = stored.due_since if stored.announce_due else None
    return replace(unclaimed(stored), mirrored=held, list_due=False, due_since=due_since)


def written(stored: Stored, limits: Limits) -> Stored:
    """Return a contact as it is once it was written, for what is written of it next."""
    return replace(stored, item=encode(stored, standing(stored.contact, limits)))


def key(address: str) -> Item:
    """Return the primary key of the contact of `address`."""
    return {"address": {"S": address}, "record": {"S": RECORD}}


def encode(stored: Stored, current: Standing) -> Item:
    """Return the item of `stored`, whose standing is `current`."""
    contact = stored.contact
    texts = {"address": contact.address, "record": RECORD}
    if contact.delivered_on:
        texts["delivered_on"] = contact.delivered_on.isoformat()
    _add_registers(texts, contact)
    _add_standing(texts, contact, current)
    _add_bookkeeping(texts, stored)
    item = stored.others
    item |= {name: {"S": text} for name, text in texts.items()}
    item["rev"] = {"N": str(stored.rev)}
    item["may_send"] = {"BOOL": current.may_send}
    if stored.list_due:
        item["list_due"] = {"BOOL": True}
    if stored.announce_due:
        item["announce_due"] = {"BOOL": True}
    item["spellings"] = {"L": [{"S": spelling} for spelling in contact.spellings]}
    if contact.strikes:
        item["strikes"] = {"L": [{"S": day.isoformat()} for day in contact.strikes]}
    return item


def _add_registers(texts: dict[str, str], contact: Contact) -> None:
    for name, at, reason, configuration_set in _REGISTERS:
        evidence: Evidence | None = getattr(contact, name)
        if evidence:
            texts[at] = format_timestamp(evidence.at)
            texts[reason] = evidence.reason
            texts[configuration_set] = evidence.configuration_set


def _add_standing(texts: dict[str, str], contact: Contact, current: Standing) -> None:
    texts["status"] = status = current.status.value
    if current.evidence:
        texts["reason"] = current.evidence.reason
        texts["status_at"] = format_timestamp(current.evidence.at)
        if not current.may_send:
            texts["unsendable"] = f"{status}#{shard(contact.address)}"


def _add_bookkeeping(texts: dict[str, str], stored: Stored) -> None:
    texts["announced_status"] = stored.announced.value
    if stored.mirrored is not None:
        texts["mirrored"] = stored.mirrored
    if stored.retry_at:
        texts["retry_at"] = format_timestamp(stored.retry_at)
    if stored.claim:
        texts["claim"] = stored.claim
    if stored.claimed_until:
        texts["claimed_until"] = format_timestamp(stored.claimed_until)
    if stored.due_since:
        texts["due_since"] = format_timestamp(stored.due_since)
        texts["mirror_due"] = shard(stored.contact.address)
        texts["mirror_due_at"] = format_timestamp(stored.retry_at or stored.due_since)


def decode(item: Item) -> Stored:
    """Return what `encode` wrote.

    Raises:
        StoredError: the item is not one that it wrote.

    """
    try:
        return _decode(item)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise StoredError(
            f"the contact's item can't be read ({type(error).__name__}); see the runbook, \"Unreadable contact\""
        ) from None


_REGISTERS = tuple((name, f"{name}_at", f"{name}_reason", f"{name}_configuration_set") for name in EVIDENCE_REGISTERS)
_BOOKKEEPING = (
    "address record rev status may_send reason status_at unsendable spellings strikes delivered_on "
    "announced_status mirrored list_due announce_due due_since retry_at mirror_due mirror_due_at claim claimed_until"
)
_OWN = frozenset(_BOOKKEEPING.split()) | {name for register in _REGISTERS for name in register[1:]}


def _decode(item: Item) -> Stored:
    contact = Contact(
        _text(item, "address"),
        spellings=tuple([spelling["S"] for spelling in item["spellings"]["L"]]),
        delivered_on=_day(item["delivered_on"]["S"]) if "delivered_on" in item else None,
        strikes=tuple([_day(day["S"]) for day in item["strikes"]["L"]]) if "strikes" in item else (),
        **{
            name: Evidence(read_timestamp(_text(item, at)), _text(item, reason), _text(item, configuration_set))
            for name, at, reason, configuration_set in _REGISTERS
            if at in item
        },
    )
    return Stored(
        contact,
        rev=int(item["rev"]["N"]),
        status=_STATUSES[_text(item, "status")],
        announced=_STATUSES[_text(item, "announced_status")],
        mirrored=_text(item, "mirrored") or None,
        list_due="list_due" in item,
        announce_due="announce_due" in item,
        due_since=_moment(item, "due_since"),
        retry_at=_moment(item, "retry_at"),
        claim=_text(item, "claim"),
        claimed_until=_moment(item, "claimed_until"),
        item=item,
    )


_STATUSES = {status.value: status for status in Status}


# The deliveries and strikes of a batch fall on a few days.
@lru_cache(1024)
def _day(text: str) -> date:
    return date.fromisoformat(text)


def _text(item: Item, name: str) -> str:
    return str(item[name]["S"]) if name in item else ""


def _moment(item: Item, name: str) -> datetime | None:
    return read_timestamp(_text(item, name)) if name in item else None

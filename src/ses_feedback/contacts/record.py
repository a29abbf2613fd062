"""A contact as the table holds it: its registers, what follows from them, and what has yet to sync from them.

An application that only asks whether it may send reads `may_send`, a boolean, from the item. Everything else on the
item is for operators, for the indexes, and for the list_sync.
"""

import hashlib
from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any

from ses_feedback.contacts.contact import EVIDENCE_REGISTERS, Contact, Evidence, fold
from ses_feedback.contacts.status import Limits, Standing, Status, needs_list_call, standing
from ses_feedback.immutable import Struct, replace
from ses_feedback.judging.facts import Fact
from ses_feedback.timestamps import format_timestamp, read_timestamp

Item = dict[str, dict[str, Any]]
"""An item in DynamoDB's own JSON: attribute name → {type: value}."""

RECORD = "contact"
UNREADABLE = "unreadable-contact"
"""The reason when the item under a contact's key can't be read: no retry mends it, somebody must."""
SHARDS = 16
"""Partitions of each sparse index: a storm of bounces must not heat one partition key."""


class ContactRecordError(ValueError):
    """The item under a contact's key is not a contact's. Somebody else wrote it; see the runbook."""


class ContactRecord(Struct, frozen=True):
    """A contact with its bookkeeping.

    `rev` counts writes (0: none yet) and guards each. `synced` is what the list_sync last made the suppression list
    hold (`BOUNCE`, `COMPLAINT` or `NONE`; None: it never wrote), `published` the status the outside world was last
    told of. `pending_since` is set while the list or the outside world has something to sync, `retry_at` when SES
    refused it and is not to be asked again before. `list_pending` is True while it is the list that has, `publish_pending`
    while it is the outside world: also when the status is back at the published one, for another may be on its way
    out. `lease` names the list_sync worker that may write the list for this contact until `leased_until`. `item` is the
    item it was read from, None when there was none: what a write changes is told from it.
    """

    contact: Contact
    rev: int = 0
    status: Status = Status.ACTIVE
    published: Status = Status.ACTIVE
    synced: str | None = None
    list_pending: bool = False
    publish_pending: bool = False
    pending_since: datetime | None = None
    retry_at: datetime | None = None
    lease: str = ""
    leased_until: datetime | None = None
    item: Item | None = None

    @property
    def others(self) -> Item:
        """The attributes of its item that this system does not know: they are kept as they are."""
        return {name: self.item[name] for name in self.item.keys() - _OWN} if self.item else {}

    # `item` is the source of a record, not part of its value: records with equal fields are equal and print the same.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, ContactRecord) and _values(self) == _values(other)

    def __hash__(self) -> int:
        return hash(_values(self))

    def __repr__(self) -> str:
        return f"ContactRecord({', '.join(map('{}={!r}'.format, _VALUE_FIELDS, _values(self)))})"

    def is_pending(self, now: datetime) -> bool:
        """Say whether the list or the outside world has something to sync now."""
        return self.pending_since is not None and (self.retry_at is None or self.retry_at <= now)


_VALUE_FIELDS = tuple(name for name in ContactRecord.__struct_fields__ if name != "item")
_values = attrgetter(*_VALUE_FIELDS)


@lru_cache(1024)
def shard(address: str) -> str:
    """Return the index shard of `address`, `00` to `15`."""
    return f"{hashlib.sha256(address.encode()).digest()[0] % SHARDS:02d}"


def learn(stored: ContactRecord, facts: Iterable[Fact], limits: Limits, now: datetime) -> ContactRecord | None:
    """Return what `stored` becomes when its contact learns `facts`, or None when nothing changes; as `become`."""
    return become(stored, fold(stored.contact, facts), limits, now)


def become(stored: ContactRecord, contact: Contact, limits: Limits, now: datetime) -> ContactRecord | None:
    """Return `stored` with its contact become `contact`, a merge of it with something, or None when nothing changes.

    Whoever changes a contact (feedback, an operator's reinstatement) does it through this, so that the suppression
    list and the outside world sync. `now` only dates how long the change waits for that; no register ever holds it.
    """
    status = standing(contact, limits).status
    unchanged = contact is stored.contact or contact == stored.contact
    if stored.rev and unchanged and status is stored.status:
        return None
    list_pending = stored.list_pending or needs_list_call(stored.contact, contact, limits, stored.synced)
    publish_pending = stored.publish_pending or status is not stored.published
    # Written out: `dataclasses.replace` takes five times as long, and this runs for every contact that changes.
    return ContactRecord(
        contact,
        rev=stored.rev + 1,
        status=status,
        published=stored.published,
        synced=stored.synced,
        list_pending=list_pending,
        publish_pending=publish_pending,
        pending_since=(stored.pending_since or now) if list_pending or publish_pending else None,
        retry_at=None,
        lease=stored.lease,
        leased_until=stored.leased_until,
        item=stored.item,
    )


def refreshed(stored: ContactRecord, limits: Limits, now: datetime) -> ContactRecord:
    """Return `stored` as `limits` have it, not yet written: they may have changed since it was."""
    return replace(become(stored, stored.contact, limits, now) or stored, rev=stored.rev)


def without_lease(stored: ContactRecord) -> ContactRecord:
    """Return a contact that whoever leased it lets go of."""
    return replace(stored, rev=stored.rev + 1, lease="", leased_until=None, retry_at=None)


def marked(stored: ContactRecord, held: str) -> ContactRecord:
    """Return a contact as it is let go of once the list holds of it what it should: `held`, what `synced` is to say.

    What is left to sync is the outside world's.
    """
    pending_since = stored.pending_since if stored.publish_pending else None
    return replace(without_lease(stored), synced=held, list_pending=False, pending_since=pending_since)


def written(stored: ContactRecord, limits: Limits) -> ContactRecord:
    """Return a contact as it is once it was written, for what is written of it next."""
    return replace(stored, item=encode(stored, standing(stored.contact, limits)))


def key(address: str) -> Item:
    """Return the primary key of the contact of `address`."""
    return {"address": {"S": address}, "record": {"S": RECORD}}


def encode(stored: ContactRecord, current: Standing) -> Item:
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
    if stored.list_pending:
        item["list_pending"] = {"BOOL": True}
    if stored.publish_pending:
        item["publish_pending"] = {"BOOL": True}
    item["variants"] = {"L": [{"S": variant} for variant in contact.variants]}
    if contact.soft_bounce_days:
        item["soft_bounce_days"] = {"L": [{"S": day.isoformat()} for day in contact.soft_bounce_days]}
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


def _add_bookkeeping(texts: dict[str, str], stored: ContactRecord) -> None:
    texts["published_status"] = stored.published.value
    if stored.synced is not None:
        texts["synced"] = stored.synced
    if stored.retry_at:
        texts["retry_at"] = format_timestamp(stored.retry_at)
    if stored.lease:
        texts["lease"] = stored.lease
    if stored.leased_until:
        texts["leased_until"] = format_timestamp(stored.leased_until)
    if stored.pending_since:
        texts["pending_since"] = format_timestamp(stored.pending_since)
        texts["pending_shard"] = shard(stored.contact.address)
        texts["pending_at"] = format_timestamp(stored.retry_at or stored.pending_since)


def decode(item: Item) -> ContactRecord:
    """Return what `encode` wrote.

    Raises:
        ContactRecordError: the item is not one that it wrote.

    """
    try:
        return _decode(item)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ContactRecordError(
            f"the contact's item can't be read ({type(error).__name__}); see the runbook, \"Unreadable contact\""
        ) from None


_REGISTERS = tuple((name, f"{name}_at", f"{name}_reason", f"{name}_configuration_set") for name in EVIDENCE_REGISTERS)
_BOOKKEEPING = (
    "address record rev status may_send reason status_at unsendable variants soft_bounce_days delivered_on "
    "published_status synced list_pending publish_pending pending_since retry_at pending_shard pending_at lease leased_until"
)
_OWN = frozenset(_BOOKKEEPING.split()) | {name for register in _REGISTERS for name in register[1:]}


def _decode(item: Item) -> ContactRecord:
    contact = Contact(
        _text(item, "address"),
        variants=tuple([variant["S"] for variant in item["variants"]["L"]]),
        delivered_on=_day(item["delivered_on"]["S"]) if "delivered_on" in item else None,
        soft_bounce_days=tuple([_day(day["S"]) for day in item["soft_bounce_days"]["L"]])
        if "soft_bounce_days" in item
        else (),
        **{
            name: Evidence(read_timestamp(_text(item, at)), _text(item, reason), _text(item, configuration_set))
            for name, at, reason, configuration_set in _REGISTERS
            if at in item
        },
    )
    return ContactRecord(
        contact,
        rev=int(item["rev"]["N"]),
        status=_STATUSES[_text(item, "status")],
        published=_STATUSES[_text(item, "published_status")],
        synced=_text(item, "synced") or None,
        list_pending="list_pending" in item,
        publish_pending="publish_pending" in item,
        pending_since=_moment(item, "pending_since"),
        retry_at=_moment(item, "retry_at"),
        lease=_text(item, "lease"),
        leased_until=_moment(item, "leased_until"),
        item=item,
    )


_STATUSES = {status.value: status for status in Status}


# The deliveries and soft_bounce_days of a batch fall on a few days.
@lru_cache(1024)
def _day(text: str) -> date:
    return date.fromisoformat(text)


def _text(item: Item, name: str) -> str:
    return str(item[name]["S"]) if name in item else ""


def _moment(item: Item, name: str) -> datetime | None:
    return read_timestamp(_text(item, name)) if name in item else None

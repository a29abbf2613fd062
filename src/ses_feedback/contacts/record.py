"""A contact as a DynamoDB item: its registers, derived attributes, and bookkeeping for the list and for events.

An application reads `may_send`, `may_send_transactional` and `no_streams`. All other attributes are for operators, for
the indexes, and for the sync with the suppression list.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any

from ses_feedback.contacts.contact import EVIDENCE_REGISTERS, Contact, Evidence, Streams, learn_facts
from ses_feedback.contacts.status import (
    Limits,
    Standing,
    Status,
    list_reason,
    needs_list_call,
    opted_out,
    opted_out_streams,
    release_time,
    standing,
)
from ses_feedback.immutable import Struct, replace
from ses_feedback.judging.facts import Fact, Tags
from ses_feedback.judging.recipients import is_simulator
from ses_feedback.message_order import day_of_message, start_of_day
from ses_feedback.timestamps import format_timestamp, read_timestamp

Item = dict[str, dict[str, Any]]
"""An item in DynamoDB JSON: attribute name → {type: value}."""

RECORD = "contact"
UNREADABLE = "unreadable-contact"
"""Reason of a failure: the item under a contact's key is unreadable. No retry helps; an operator must fix the item."""
SHARDS = 16
"""Partition key values of each sparse index: a storm of bounces must not concentrate on one partition.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-sharding.html"""
RETENTION_DAYS = 60
"""Days after the last delivery for which a contact with deliveries only is kept. A soft bounce of an email that is
delivered needs that delivery; queues hold feedback for at most 28 days."""


class ContactRecordError(ValueError):
    """The item under a contact's key is not a contact. Another writer put it there; see the runbook."""


class ContactRecord(Struct, frozen=True):
    """A contact with its bookkeeping.

    `rev` counts writes (0: none yet) and is the optimistic lock of each. `synced` is the entry that this stack last
    wrote to the suppression list (`BOUNCE`, `COMPLAINT` or `NONE`; None: it never wrote one). `published` is the status
    in the latest published event, `published_opted_out` the list in the latest event about preferences. `list_pending`
    is True while the list must be written, `publish_pending` while a status, and `preferences_pending` while a change
    of preferences must be published; `pending_since` is when the first of them began. SES is not called before
    `retry_at` after it refused an entry. `lease` names the worker that may write the list for this contact until
    `leased_until`. `item` is the item that the record was read from, or None: a write contains the differences from it.
    """

    contact: Contact
    rev: int = 0
    status: Status = Status.ACTIVE
    published: Status = Status.ACTIVE
    published_opted_out: tuple[str, ...] = ()
    synced: str | None = None
    list_pending: bool = False
    publish_pending: bool = False
    preferences_pending: bool = False
    pending_since: datetime | None = None
    retry_at: datetime | None = None
    lease: str = ""
    leased_until: datetime | None = None
    item: Item | None = None

    @property
    def others(self) -> Item:
        """Attributes of the item that other applications wrote; they are kept."""
        return {name: self.item[name] for name in self.item.keys() - _OWN} if self.item else {}

    # `item` is the source of a record, not part of its value: records with equal fields are equal and print the same.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, ContactRecord) and _values(self) == _values(other)

    def __hash__(self) -> int:
        return hash(_values(self))

    def __repr__(self) -> str:
        return f"ContactRecord({', '.join(map('{}={!r}'.format, _VALUE_FIELDS, _values(self)))})"

    @property
    def event_pending(self) -> bool:
        """True if an event must be published."""
        return self.publish_pending or self.preferences_pending

    def is_pending(self, now: datetime) -> bool:
        """True if the list must be written or an event must be published now."""
        return self.pending_since is not None and (self.retry_at is None or self.retry_at <= now)


_VALUE_FIELDS = tuple(name for name in ContactRecord.__struct_fields__ if name != "item")
_values = attrgetter(*_VALUE_FIELDS)


def shard(address: str) -> str:
    """Return the index shard of `address`, `00` to `15`."""
    return f"{hashlib.sha256(address.encode()).digest()[0] % SHARDS:02d}"


def learn(stored: ContactRecord, facts: Iterable[Fact], limits: Limits, now: datetime) -> ContactRecord | None:
    """Return `stored` with the evidence of `facts`, or None if nothing changes; see `become`."""
    return become(stored, learn_facts(stored.contact, facts), limits, now)


def become(stored: ContactRecord, contact: Contact, limits: Limits, now: datetime) -> ContactRecord | None:
    """Return `stored` with `contact`, a merge of its contact, or None if nothing changes.

    Every change of a contact (feedback, a reinstatement, a release) goes through this function, so that the suppression
    list and subscribers of events follow. `now` dates only how long they wait; no register holds it.
    """
    status = standing(contact, limits).status
    unchanged = contact is stored.contact or contact == stored.contact
    if stored.rev and unchanged and status is stored.status:
        return None
    list_pending = stored.list_pending or needs_list_call(stored.contact, contact, limits, stored.synced)
    publishes = not is_simulator(contact.address)
    publish_pending = stored.publish_pending or (publishes and status is not stored.published)
    preferences_pending = stored.preferences_pending or (publishes and opted_out(contact) != stored.published_opted_out)
    pending = list_pending or publish_pending or preferences_pending
    return replace(
        stored,
        contact=contact,
        rev=stored.rev + 1,
        status=status,
        list_pending=list_pending,
        publish_pending=publish_pending,
        preferences_pending=preferences_pending,
        pending_since=(stored.pending_since or now) if pending else None,
        retry_at=None,
    )


def refreshed(stored: ContactRecord, limits: Limits, now: datetime) -> ContactRecord:
    """Return `stored` under `limits`, not yet written: the limits may have changed since the last write."""
    return replace(become(stored, stored.contact, limits, now) or stored, rev=stored.rev)


def without_lease(stored: ContactRecord) -> ContactRecord:
    """Return `stored` with its lease released."""
    return replace(stored, rev=stored.rev + 1, lease="", leased_until=None, retry_at=None)


def marked(stored: ContactRecord, held: str) -> ContactRecord:
    """Return `stored` with its lease released after the list was written; `held` is the new value of `synced`."""
    pending_since = stored.pending_since if stored.event_pending else None
    return replace(without_lease(stored), synced=held, list_pending=False, pending_since=pending_since)


def written(stored: ContactRecord, limits: Limits) -> ContactRecord:
    """Return `stored` after it was written: its next write contains the differences from this one."""
    return replace(stored, item=encode(stored, limits))


def key(address: str) -> Item:
    """Return the primary key of the contact of `address`."""
    return {"address": {"S": address}, "record": {"S": RECORD}}


def encode(stored: ContactRecord, limits: Limits) -> Item:
    """Return the item of `stored`."""
    contact = stored.contact
    current = standing(contact, limits)
    others = stored.others
    item = {**others, **key(contact.address), "rev": {"N": str(stored.rev)}}
    its_shard = shard(contact.address)
    _add_evidence(item, contact)
    _add_standing(item, contact, current, limits, its_shard)
    _add_bookkeeping(item, stored, its_shard)
    _add_publication(item, stored)
    item["variants"] = _encode_names(contact.variants)
    for name, numbers in zip(_NUMBERS, _number_registers(contact), strict=True):
        if numbers:
            item[name] = {"L": [{"N": str(number)} for number in numbers]}
    if contact.late:
        item["late"] = {"N": str(contact.late)}
    _add_streams(item, contact)
    if contact.delivered and not others and _has_deliveries_only(contact):
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
        expires_at = start_of_day(day_of_message(contact.delivered[-1]) + RETENTION_DAYS + 1)
        item["expires_at"] = {"N": str(int(expires_at.timestamp()))}
    return item


def _has_deliveries_only(contact: Contact) -> bool:
    return contact == Contact(contact.address, contact.variants, delivered=contact.delivered)


def _add_evidence(item: Item, contact: Contact) -> None:
    registers: tuple[Evidence | None, ...] = _evidence_registers(contact)
    for evidence, names in zip(registers, _REGISTERS, strict=True):
        if evidence:
            _, at, fields, tags = names
            item[at] = {"S": format_timestamp(evidence.at)}
            for (attribute, _), text in zip(fields, _evidence_texts(evidence), strict=True):
                if text:
                    item[attribute] = {"S": text}
            if evidence.tags:
                item[tags] = {"M": {tag: {"S": text} for tag, text in evidence.tags}}


def _add_streams(item: Item, contact: Contact) -> None:
    for name in _STREAMS:
        streams: Streams = getattr(contact, name)
        if streams:
            item[name] = {"M": {stream: {"M": _encode_evidence(evidence)} for stream, evidence in streams}}
    no_streams = opted_out_streams(contact)
    if no_streams:
        item["no_streams"] = _encode_names(no_streams)


def _encode_names(names: Iterable[str]) -> dict[str, Any]:
    return {"L": [{"S": name} for name in names]}


def _encode_evidence(evidence: Evidence) -> Item:
    texts = {name: getattr(evidence, name) for name in _EVIDENCE_TEXTS}
    return {"at": {"S": format_timestamp(evidence.at)}, **{name: {"S": text} for name, text in texts.items() if text}}


def _add_standing(item: Item, contact: Contact, current: Standing, limits: Limits, its_shard: str) -> None:
    status, may_send = current.status.value, current.may_send
    item["status"] = {"S": status}
    item["may_send"] = {"BOOL": may_send}
    item["may_send_transactional"] = {"BOOL": list_reason(current.status, limits) is None}
    if not may_send:
        item["unsendable"] = {"S": f"{status}#{its_shard}"}
    if current.evidence:
        item["reason"] = {"S": current.evidence.reason}
        item["status_at"] = {"S": format_timestamp(current.evidence.at)}
    if current.status is Status.SUSPENDED:
        ends_at = release_time(contact, limits)
        if ends_at:
            item["release_shard"] = {"S": its_shard}
            item["release_at"] = {"S": format_timestamp(ends_at)}


def _add_publication(item: Item, stored: ContactRecord) -> None:
    item["published_status"] = {"S": stored.published.value}
    if stored.published_opted_out:
        item["published_opted_out"] = _encode_names(stored.published_opted_out)
    if stored.publish_pending:
        item["publish_pending"] = {"BOOL": True}
    if stored.preferences_pending:
        item["preferences_pending"] = {"BOOL": True}


def _add_bookkeeping(item: Item, stored: ContactRecord, its_shard: str) -> None:
    if stored.list_pending:
        item["list_pending"] = {"BOOL": True}
    if stored.synced is not None:
        item["synced"] = {"S": stored.synced}
    if stored.retry_at:
        item["retry_at"] = {"S": format_timestamp(stored.retry_at)}
    if stored.lease:
        item["lease"] = {"S": stored.lease}
    if stored.leased_until:
        item["leased_until"] = {"S": format_timestamp(stored.leased_until)}
    if stored.pending_since:
        item["pending_since"] = {"S": format_timestamp(stored.pending_since)}
        item["pending_shard"] = {"S": its_shard}
        item["pending_at"] = {"S": format_timestamp(stored.retry_at or stored.pending_since)}


def decode(item: Item) -> ContactRecord:
    """Return the record in an item that `encode` made.

    Raises:
        ContactRecordError: `encode` did not make the item.

    """
    try:
        return _decode(item)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ContactRecordError(
            f'the contact\'s item is unreadable ({type(error).__name__}); see the runbook, "Unreadable contact"'
        ) from None


_EVIDENCE_TEXTS = ("reason", "configuration_set", "message_id", "status_code")
_REGISTERS = tuple(
    (name, f"{name}_at", tuple((f"{name}_{text}", text) for text in _EVIDENCE_TEXTS), f"{name}_tags")
    for name in EVIDENCE_REGISTERS
)
_NUMBERS = ("delivered", "soft_bounces", "releases", "nameless_days")
_evidence_registers = attrgetter(*EVIDENCE_REGISTERS)
_evidence_texts = attrgetter(*_EVIDENCE_TEXTS)
_number_registers = attrgetter(*_NUMBERS)
_STREAMS = ("unsubscribed_from", "opted_into")
_BOOKKEEPING = (
    "address record rev status may_send may_send_transactional no_streams reason status_at unsendable variants late "
    "published_status published_opted_out publish_pending preferences_pending list_pending synced pending_since "
    "retry_at pending_shard pending_at lease leased_until release_shard release_at expires_at"
)
_OWN = (
    frozenset(_BOOKKEEPING.split())
    | {*_NUMBERS, *_STREAMS}
    | {name for _, at, fields, tags in _REGISTERS for name in (at, tags, *(attribute for attribute, _ in fields))}
)


def _decode(item: Item) -> ContactRecord:
    registers: dict[str, Any] = {
        name: _decode_register(item, at, fields, tags) for name, at, fields, tags in _REGISTERS if at in item
    }
    for name in _NUMBERS:
        if name in item:
            registers[name] = tuple([int(number["N"]) for number in item[name]["L"]])
    for name in _STREAMS:
        if name in item:
            registers[name] = _decode_streams(item[name]["M"])
    contact = Contact(
        item["address"]["S"],
        variants=_names(item["variants"]),
        late=int(item["late"]["N"]) if "late" in item else 0,
        **registers,
    )
    return ContactRecord(
        contact,
        rev=int(item["rev"]["N"]),
        status=_STATUSES[item["status"]["S"]],
        published=_STATUSES[item["published_status"]["S"]],
        published_opted_out=_names(item["published_opted_out"]) if "published_opted_out" in item else (),
        synced=item["synced"]["S"] if "synced" in item else None,
        list_pending="list_pending" in item,
        publish_pending="publish_pending" in item,
        preferences_pending="preferences_pending" in item,
        pending_since=_moment(item, "pending_since"),
        retry_at=_moment(item, "retry_at"),
        lease=_text(item, "lease"),
        leased_until=_moment(item, "leased_until"),
        item=item,
    )


def _names(names: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple([name["S"] for name in names["L"]])


def _decode_register(item: Item, at: str, fields: tuple[tuple[str, str], ...], tags: str) -> Evidence:
    texts: dict[str, Any] = {name: _text(item, attribute) for attribute, name in fields if attribute in item}
    return Evidence(
        read_timestamp(_text(item, at)), tags=_decode_tags(item[tags]["M"]) if tags in item else (), **texts
    )


def _decode_tags(tags: Item) -> Tags:
    return tuple(sorted((name, str(text["S"])) for name, text in tags.items()))


def _decode_streams(streams: Item) -> Streams:
    return tuple((name, _decode_evidence(evidence["M"])) for name, evidence in sorted(streams.items()))


def _decode_evidence(item: Item) -> Evidence:
    texts: dict[str, Any] = {name: _text(item, name) for name in _EVIDENCE_TEXTS if name in item}
    return Evidence(read_timestamp(_text(item, "at")), **texts)


_STATUSES = {status.value: status for status in Status}


def _text(item: Item, name: str) -> str:
    return str(item[name]["S"]) if name in item else ""


def _moment(item: Item, name: str) -> datetime | None:
    return read_timestamp(_text(item, name)) if name in item else None

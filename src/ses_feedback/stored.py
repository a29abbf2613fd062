"""A contact as the table holds it: its registers, what follows from them, and what has yet to follow from them.

An application that only asks whether it may send reads `may_send`, a boolean, from the item. Everything else on the
item is for operators, for the indexes, and for the mirror.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from ses_feedback.contact import (
    EVIDENCE_REGISTERS,
    Contact,
    Evidence,
    Limits,
    Standing,
    Status,
    fold,
    list_call_due,
    standing,
)
from ses_feedback.policy import Fact, Said
from ses_feedback.timestamps import format_timestamp, parse_timestamp

Item = dict[str, dict[str, Any]]
"""An item in DynamoDB's own JSON: attribute name → {type: value}."""

RECORD = "contact"
UNREADABLE = "unreadable-contact"
"""The reason when the item under a contact's key can't be read: no retry mends it, somebody must."""
SHARDS = 16
"""Partitions of each sparse index: a storm of bounces must not heat one partition key."""


class StoredError(ValueError):
    """The item under a contact's key is not a contact's. Somebody else wrote it; see the runbook."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A contact with its bookkeeping.

    `rev` counts writes (0: none yet) and guards each. `mirrored` is what the mirror last made the suppression list
    hold (`BOUNCE`, `COMPLAINT` or `NONE`; None: it never wrote), `announced` the status the outside world was last
    told of. `due_since` is set while the list or the outside world has something to follow, `retry_at` when SES
    refused it and is not to be asked again before. `list_due` is True while it is the list that has, `announce_due`
    while it is the outside world: also when the status is back at the announced one, for another may be on its way
    out. `claim` names the mirror worker that may write the list for this contact until `claimed_until`. `others` are
    attributes this system does not know, kept as they are.
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
    others: Mapping[str, Any] = field(default_factory=dict)

    def is_due(self, now: datetime) -> bool:
        """Say whether the list or the outside world has something to follow now."""
        return self.due_since is not None and (self.retry_at is None or self.retry_at <= now)


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
    if stored.rev and contact == stored.contact and status is stored.status:
        return None
    list_due = stored.list_due or list_call_due(stored.contact, contact, limits, stored.mirrored)
    announce_due = stored.announce_due or status is not stored.announced
    return replace(
        stored,
        contact=contact,
        rev=stored.rev + 1,
        status=status,
        list_due=list_due,
        announce_due=announce_due,
        due_since=(stored.due_since or now) if list_due or announce_due else None,
        retry_at=None,
    )


def refreshed(stored: Stored, limits: Limits, now: datetime) -> Stored:
    """Return `stored` as `limits` have it, not yet written: they may have changed since it was."""
    return replace(become(stored, stored.contact, limits, now) or stored, rev=stored.rev)


def key(address: str) -> Item:
    """Return the primary key of the contact of `address`."""
    return {"address": {"S": address}, "record": {"S": RECORD}}


def encode(stored: Stored, current: Standing) -> Item:
    """Return the item of `stored`, whose standing is `current`."""
    contact = stored.contact
    attributes: dict[str, str | int | bool | None] = {
        "address": contact.address,
        "record": RECORD,
        "rev": stored.rev,
        "status": current.status.value,
        "may_send": current.may_send,
        "announced_status": stored.announced.value,
        "mirrored": stored.mirrored,
        "list_due": stored.list_due or None,
        "announce_due": stored.announce_due or None,
        "retry_at": _time(stored.retry_at),
        "delivered_on": contact.delivered_on.isoformat() if contact.delivered_on else None,
        "claim": stored.claim or None,
        "claimed_until": _time(stored.claimed_until),
    }
    if current.evidence:
        attributes |= {"reason": current.evidence.reason, "status_at": _time(current.evidence.at)}
        if not current.may_send:
            attributes["unsendable"] = f"{current.status.value}#{shard(contact.address)}"
    if stored.due_since:
        attributes |= {
            "due_since": _time(stored.due_since),
            "mirror_due": shard(contact.address),
            "mirror_due_at": _time(stored.retry_at or stored.due_since),
        }
    for name in EVIDENCE_REGISTERS:
        evidence: Evidence | None = getattr(contact, name)
        if evidence:
            attributes |= {
                f"{name}_at": _time(evidence.at),
                f"{name}_reason": evidence.reason,
                f"{name}_configuration_set": evidence.configuration_set,
            }
    item: Item = {
        **stored.others,
        **{name: _attribute(value) for name, value in attributes.items() if value is not None},
    }
    item["spellings"] = {"L": [{"S": spelling} for spelling in contact.spellings]}
    if contact.strikes:
        item["strikes"] = {"L": [{"S": day.isoformat()} for day in contact.strikes]}
    return item


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


def history_item(fact: Fact, keep_days: int, now: datetime) -> Item:
    """Return the history record of `fact`: what SES said, the verdict, and the rule that gave it.

    Its key comes from the feedback alone, so that the same feedback, however often and however it comes, is one record.
    `now` only bounds when it is removed: DynamoDB never removes what expired more than five years ago.
    """
    said = fact.said
    identity = f"{said.kind}\x1f{said.message_id}\x1f{said.feedback_id}\x1f{fact.rule}"
    at = format_timestamp(fact.at)
    attributes: dict[str, str] = {
        "address": fact.address.key,
        "record": f"feedback#{at}#{hashlib.sha256(identity.encode()).hexdigest()[:16]}",
        "at": at,
        "verdict": fact.verdict.value,
        "rule": fact.rule,
        "reason": fact.reason,
        "configuration_set": fact.configuration_set,
    }
    attributes |= {name: getattr(said, name) for name in Said.__dataclass_fields__}
    item: Item = {name: {"S": value} for name, value in attributes.items() if value}
    item["expires_at"] = {"N": str(int(max(fact.at + timedelta(days=keep_days), now).timestamp()))}
    return item


_BOOKKEEPING = (
    "address record rev status may_send reason status_at unsendable spellings strikes delivered_on "
    "announced_status mirrored list_due announce_due due_since retry_at mirror_due mirror_due_at claim claimed_until"
)
_OWN = frozenset(_BOOKKEEPING.split()) | {
    f"{register}_{part}" for register in EVIDENCE_REGISTERS for part in ("at", "reason", "configuration_set")
}


def _decode(item: Item) -> Stored:
    def text(name: str) -> str:
        return str(item[name]["S"]) if name in item else ""

    def moment(name: str) -> datetime | None:
        if name not in item:
            return None
        time = parse_timestamp(text(name))
        if time is None:
            raise ValueError(name)
        return time

    def evidence(name: str) -> Evidence | None:
        at = moment(f"{name}_at")
        return Evidence(at, text(f"{name}_reason"), text(f"{name}_configuration_set")) if at else None

    contact = Contact(
        text("address"),
        spellings=tuple(spelling["S"] for spelling in item["spellings"]["L"]),
        delivered_on=date.fromisoformat(text("delivered_on")) if "delivered_on" in item else None,
        strikes=tuple(date.fromisoformat(day["S"]) for day in item["strikes"]["L"]) if "strikes" in item else (),
        **{name: evidence(name) for name in EVIDENCE_REGISTERS},
    )
    return Stored(
        contact,
        rev=int(item["rev"]["N"]),
        status=Status(text("status")),
        announced=Status(text("announced_status")),
        mirrored=text("mirrored") or None,
        list_due="list_due" in item,
        announce_due="announce_due" in item,
        due_since=moment("due_since"),
        retry_at=moment("retry_at"),
        claim=text("claim"),
        claimed_until=moment("claimed_until"),
        others={name: value for name, value in item.items() if name not in _OWN},
    )


def _time(moment: datetime | None) -> str | None:
    return format_timestamp(moment) if moment else None


def _attribute(value: str | int | bool) -> dict[str, Any]:  # noqa: FBT001 (a DynamoDB boolean is a value, not a switch)
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"N": str(value)} if isinstance(value, int) else {"S": value}

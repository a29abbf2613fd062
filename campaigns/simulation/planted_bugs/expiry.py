"""Planted bugs: which contacts expire, and what happens when they do."""

# A planted bug has the signature of the function that it replaces, and uses private names of its module.
# ruff: noqa: ANN401

from collections.abc import Iterator
from functools import partial
from typing import Any

from campaigns.simulation.planted_bugs.planting import Patch, planted_bug
from ses_feedback.contacts import record, repository, statements
from ses_feedback.contacts.contact import Contact
from ses_feedback.contacts.record import ContactRecord, Item
from ses_feedback.contacts.status import Limits
from ses_feedback.handlers import suppression
from ses_feedback.immutable import replace

_encode = record.encode


def _patch_encode(replacement: Any) -> list[Patch]:
    return [(module, "encode", replacement) for module in (record, repository)]


def _expire_every_contact(_contact: Contact) -> bool:
    return True


def _expire_bouncing_contacts(contact: Contact) -> bool:
    """Let a contact expire that has soft bounces, but no other evidence."""
    without = replace(contact, soft_bounces=(), soft_bounced=None, late=0)
    return without == Contact(contact.address, contact.variants, delivered=contact.delivered)


def _never_expire(_contact: Contact) -> bool:
    return False


def _expire_with_foreign_attributes(stored: ContactRecord, limits: Limits) -> Item:
    """Decide on the expiry without regard to attributes of other applications."""
    item = _encode(stored, limits)
    alone = _encode(replace(stored, item=None), limits)
    return {**item, **({"expires_at": alone["expires_at"]} if "expires_at" in alone else {})}


def _keep_expiry(stored: ContactRecord, limits: Limits) -> Item:
    """Leave the expiry of an item that a write changes."""
    item = _encode(stored, limits)
    kept = stored.item and stored.item.get("expires_at")
    return {**item, **({"expires_at": kept} if kept else {})}


def _update_without_expiry(table: str, before: Item, after: Item) -> statements.Statement:
    """Make `rev` alone the optimistic lock: after an expiry, another item may have the same one."""
    update = statements.update(table, {name: value for name, value in before.items() if name != "expires_at"}, after)
    if "expires_at" in before and "expires_at" not in after:
        update["Statement"] = update["Statement"].replace(" WHERE ", ' REMOVE "expires_at" WHERE ')
    return update


def _all_changed_contacts(records: list[Any]) -> Iterator[tuple[str, str]]:
    """Do not tell the deletion of a contact from a change."""
    for one in records:
        change = one["dynamodb"]
        if change["Keys"]["record"]["S"] == "contact":
            yield change["Keys"]["address"]["S"], change["SequenceNumber"]


_expiry_bug = partial(planted_bug, theme="expiry")

PLANTED_BUGS = (
    _expiry_bug("every contact expires", (record, "_has_deliveries_only", _expire_every_contact)),
    _expiry_bug("a contact with soft bounces expires", (record, "_has_deliveries_only", _expire_bouncing_contacts)),
    _expiry_bug("a contact with deliveries only never expires", (record, "_has_deliveries_only", _never_expire)),
    _expiry_bug("a contact expires after 30 days", (record, "RETENTION_DAYS", 30)),
    _expiry_bug("a contact with attributes of an application expires", *_patch_encode(_expire_with_foreign_attributes)),
    _expiry_bug("a write keeps the expiry of a contact", *_patch_encode(_keep_expiry)),
    _expiry_bug("the optimistic lock ignores the expiry", (repository, "update", _update_without_expiry)),
    _expiry_bug("an expired contact is synced", (suppression, "_changed_contacts", _all_changed_contacts)),
)
"""Planted bugs of this module. Each must break a promise in some case."""

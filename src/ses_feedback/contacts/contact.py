"""What a contact becomes: its registers, how they merge, its status, and what the suppression list should hold of it.

A contact is a join-semilattice: every register is the maximum, or the union, of all that was ever seen of its kind, so
that feedback may arrive in any order and any number of times and the contact ends the same. Everything else about a
contact (status, may_send, list_sync) is a function of the registers, never stored state of its own.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import TypeVar

from ses_feedback.immutable import Struct
from ses_feedback.judging.facts import Fact, ListReason, Verdict

KEPT_SOFT_BOUNCE_DAYS = 30
"""Distinct UTC days with a soft_bounce that a contact keeps, the latest; also the largest `SoftBounceLimit`."""

KEPT_VARIANTS = 16
"""Variants of one address that a contact keeps; a sender that has one address in more cases than this is hostile."""


class Evidence(Struct, frozen=True, order=True):
    """When something was said, why it counts, and in which configuration set's stream of mail. The latest wins."""

    at: datetime
    reason: str = ""
    configuration_set: str = ""


_Time = TypeVar("_Time", Evidence, date)
_Element = TypeVar("_Element", str, date)


class Contact(Struct, frozen=True):
    """All that is known of one address: its registers. The defaults are the contact of which nothing is known.

    `listed_bounce` and `listed_complaint` are suppression-list entries SES told of in an echo. `soft_bounced` is the latest
    soft_bounce's evidence; `soft_bounce_days` the UTC days that have one; `delivered_on` the latest UTC day with a delivery.
    `opted_in` is an authenticated reinstatement: only what is newer counts.
    """

    address: str
    variants: tuple[str, ...] = ()
    complained: Evidence | None = None
    bounced: Evidence | None = None
    unsubscribed: Evidence | None = None
    listed_bounce: Evidence | None = None
    listed_complaint: Evidence | None = None
    soft_bounced: Evidence | None = None
    opted_in: Evidence | None = None
    delivered_on: date | None = None
    soft_bounce_days: tuple[date, ...] = ()


EVIDENCE_REGISTERS = (
    "complained",
    "bounced",
    "unsubscribed",
    "listed_bounce",
    "listed_complaint",
    "soft_bounced",
    "opted_in",
)


def merge(one: Contact, other: Contact) -> Contact:
    """Return the contact that knows all that `one` and `other` know. Commutative, associative and idempotent.

    Raises:
        ValueError: they are contacts of two addresses.

    """
    if one.address != other.address:
        raise ValueError("only contacts of one address merge")
    # Register by register, written out: this runs for every fact, and a loop over their names takes twice as long.
    return Contact(
        one.address,
        # Both cuts keep the joint order: the least variants, the latest days of a union are those of the unions.
        variants=_union(one.variants, other.variants)[:KEPT_VARIANTS],
        complained=_latest(one.complained, other.complained),
        bounced=_latest(one.bounced, other.bounced),
        unsubscribed=_latest(one.unsubscribed, other.unsubscribed),
        opted_in=_latest(one.opted_in, other.opted_in),
        listed_bounce=_latest(one.listed_bounce, other.listed_bounce),
        listed_complaint=_latest(one.listed_complaint, other.listed_complaint),
        soft_bounced=_latest(one.soft_bounced, other.soft_bounced),
        delivered_on=_latest(one.delivered_on, other.delivered_on),
        soft_bounce_days=_union(one.soft_bounce_days, other.soft_bounce_days)[-KEPT_SOFT_BOUNCE_DAYS:],
    )


def fold(contact: Contact, facts: Iterable[Fact]) -> Contact:
    """Return what `contact` becomes when it learns `facts`, all about its address."""
    for fact in facts:
        if not _has_had(contact, fact):
            contact = merge(contact, observed(fact))
    return contact


def _has_had(contact: Contact, fact: Fact) -> bool:
    """Say whether a fact is the commonest of all, and nothing new: one more delivery of a day that has had one."""
    return (
        fact.verdict is Verdict.DELIVERED
        and contact.delivered_on is not None
        and fact.at.date() <= contact.delivered_on
        and fact.address.variant in contact.variants
    )


def observed(fact: Fact) -> Contact:
    """Return the contact that knows nothing but `fact`."""
    address, variants = fact.address.key, (fact.address.variant,)
    if fact.verdict is Verdict.DELIVERED:
        return Contact(address, variants, delivered_on=fact.at.date())
    evidence = Evidence(fact.at, fact.reason, fact.configuration_set)
    match fact.verdict, fact.listed:
        case Verdict.SUPPRESS, _:
            return Contact(address, variants, bounced=evidence)
        case Verdict.SOFT_BOUNCE, _:
            return Contact(address, variants, soft_bounced=evidence, soft_bounce_days=(fact.at.date(),))
        case Verdict.COMPLAIN, _:
            return Contact(address, variants, complained=evidence)
        case Verdict.UNSUBSCRIBE, _:
            return Contact(address, variants, unsubscribed=evidence)
        case Verdict.ECHO, ListReason.BOUNCE:
            return Contact(address, variants, listed_bounce=evidence)
        case Verdict.ECHO, ListReason.COMPLAINT:
            return Contact(address, variants, listed_complaint=evidence)
        case _:
            return Contact(address, variants)


def changes_contact(verdict: Verdict) -> bool:
    """Say whether facts of this verdict touch a register; the others are history at most."""
    return verdict is not Verdict.NOTE and verdict is not Verdict.COUNT and verdict is not Verdict.IGNORE


def _latest(one: _Time | None, other: _Time | None) -> _Time | None:
    if one is None or other is None:
        return one or other
    return max(one, other)


def _union(one: tuple[_Element, ...], other: tuple[_Element, ...]) -> tuple[_Element, ...]:
    if one == other or not other:
        return one
    return tuple(sorted(set(one) | set(other))) if one else other

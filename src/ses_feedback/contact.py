"""What a contact becomes: its registers, how they merge, its status, and what the suppression list should hold of it.

A contact is a join-semilattice: every register is the maximum, or the union, of all that was ever seen of its kind, so
that feedback may arrive in any order and any number of times and the contact ends the same. Everything else about a
contact (status, may_send, mirror) is a function of the registers, never stored state of its own.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TypeVar, assert_never

from ses_feedback.policy import Fact, ListReason, Verdict
from ses_feedback.values import value

KEPT_STRIKES = 30
"""Distinct UTC days with a strike that a contact keeps, the latest; also the largest `SoftBounceLimit`."""

ECHO_GRACE = timedelta(hours=24)
"""How long after a reinstatement an echo still tells of the entry that the reinstatement is having removed."""

KEPT_SPELLINGS = 16
"""Spellings of one address that a contact keeps; a sender that has one address in more cases than this is hostile."""


class Status(StrEnum):
    """What a contact's registers come to, strongest first."""

    COMPLAINED = "complained"
    BOUNCED = "bounced"
    UNSUBSCRIBED = "unsubscribed"
    SUSPENDED = "suspended"
    BOUNCING = "bouncing"
    ACTIVE = "active"

    @property
    def may_send(self) -> bool:
        """Whether a contact of this status may be mailed."""
        return self is Status.ACTIVE or self is Status.BOUNCING


@value(frozen=True, slots=True, order=True)
class Evidence:
    """When something was said, why it counts, and in which configuration set's stream of mail. The latest wins."""

    at: datetime
    reason: str = ""
    configuration_set: str = ""


_Time = TypeVar("_Time", Evidence, date)
_Element = TypeVar("_Element", str, date)


@value(frozen=True, slots=True)
class Contact:
    """All that is known of one address: its registers. The defaults are the contact of which nothing is known.

    `listed_bounce` and `listed_complaint` are suppression-list entries SES told of in an echo. `struck` is the latest
    strike's evidence; `strikes` the UTC days that have one; `delivered_on` the latest UTC day with a delivery.
    `opted_in` is an authenticated reinstatement: only what is newer counts.
    """

    address: str
    spellings: tuple[str, ...] = ()
    complained: Evidence | None = None
    bounced: Evidence | None = None
    unsubscribed: Evidence | None = None
    listed_bounce: Evidence | None = None
    listed_complaint: Evidence | None = None
    struck: Evidence | None = None
    opted_in: Evidence | None = None
    delivered_on: date | None = None
    strikes: tuple[date, ...] = ()


EVIDENCE_REGISTERS = (
    "complained",
    "bounced",
    "unsubscribed",
    "listed_bounce",
    "listed_complaint",
    "struck",
    "opted_in",
)


@value(frozen=True, slots=True)
class Limits:
    """When soft bounces suspend, and whether the unsubscribed go on the suppression list: the stack's choices."""

    soft_bounces: int = 5
    window_days: int = 90
    list_unsubscribed: bool = False


@value(frozen=True, slots=True)
class Standing:
    """A contact's status and the evidence that gives it (None for an active contact)."""

    status: Status
    evidence: Evidence | None = None

    @property
    def may_send(self) -> bool:
        """Whether the contact may be mailed."""
        return self.status.may_send


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
        # Both cuts keep the joint order: the least spellings, the latest days of a union are those of the unions.
        spellings=_union(one.spellings, other.spellings)[:KEPT_SPELLINGS],
        complained=_latest(one.complained, other.complained),
        bounced=_latest(one.bounced, other.bounced),
        unsubscribed=_latest(one.unsubscribed, other.unsubscribed),
        opted_in=_latest(one.opted_in, other.opted_in),
        listed_bounce=_latest(one.listed_bounce, other.listed_bounce),
        listed_complaint=_latest(one.listed_complaint, other.listed_complaint),
        struck=_latest(one.struck, other.struck),
        delivered_on=_latest(one.delivered_on, other.delivered_on),
        strikes=_union(one.strikes, other.strikes)[-KEPT_STRIKES:],
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
        and fact.address.spelling in contact.spellings
    )


def observed(fact: Fact) -> Contact:
    """Return the contact that knows nothing but `fact`."""
    address, spellings = fact.address.key, (fact.address.spelling,)
    if fact.verdict is Verdict.DELIVERED:
        return Contact(address, spellings, delivered_on=fact.at.date())
    evidence = Evidence(fact.at, fact.reason, fact.configuration_set)
    match fact.verdict, fact.listed:
        case Verdict.SUPPRESS, _:
            return Contact(address, spellings, bounced=evidence)
        case Verdict.STRIKE, _:
            return Contact(address, spellings, struck=evidence, strikes=(fact.at.date(),))
        case Verdict.COMPLAIN, _:
            return Contact(address, spellings, complained=evidence)
        case Verdict.UNSUBSCRIBE, _:
            return Contact(address, spellings, unsubscribed=evidence)
        case Verdict.ECHO, ListReason.BOUNCE:
            return Contact(address, spellings, listed_bounce=evidence)
        case Verdict.ECHO, ListReason.COMPLAINT:
            return Contact(address, spellings, listed_complaint=evidence)
        case _:
            return Contact(address, spellings)


def changes_contact(verdict: Verdict) -> bool:
    """Say whether facts of this verdict touch a register; the others are history at most."""
    return verdict is not Verdict.NOTE and verdict is not Verdict.COUNT and verdict is not Verdict.IGNORE


def standing(contact: Contact, limits: Limits) -> Standing:
    """Return the contact's status, strongest first, and what gives it."""
    complained = _weighed(contact, contact.complained, contact.listed_complaint)
    if complained:
        return Standing(Status.COMPLAINED, complained)
    bounced = _weighed(contact, contact.bounced, contact.listed_bounce)
    if bounced:
        return Standing(Status.BOUNCED, bounced)
    unsubscribed = _counting(contact, contact.unsubscribed)
    if unsubscribed:
        return Standing(Status.UNSUBSCRIBED, unsubscribed)
    strikes = counting_strikes(contact)
    if not strikes:
        return _ACTIVE
    return Standing(Status.SUSPENDED if _suspended(strikes, limits) else Status.BOUNCING, contact.struck)


_ACTIVE = Standing(Status.ACTIVE)


def mirror(status: Status, limits: Limits) -> ListReason | None:
    """Return the reason with which an address of this status belongs on the suppression list, None when it does not.

    The unsubscribed stay off it unless the stack says otherwise: the list stops transactional mail too.
    """
    match status:
        case Status.COMPLAINED:
            return ListReason.COMPLAINT
        case Status.BOUNCED | Status.SUSPENDED:
            return ListReason.BOUNCE
        case Status.UNSUBSCRIBED:
            return ListReason.COMPLAINT if limits.list_unsubscribed else None
        case Status.BOUNCING | Status.ACTIVE:
            return None
        case _:
            assert_never(status)


def wanted_of(contact: Contact, limits: Limits) -> ListReason | None:
    """Return the reason with which the suppression list should hold the contact, None when it should not."""
    return mirror(standing(contact, limits).status, limits)


def counting_strikes(contact: Contact) -> tuple[date, ...]:
    """Return the strike days after the last delivery's day and after the last reinstatement's.

    A delivery on the day of a strike clears it: days have no order within them, and the mailbox worked that day.
    """
    if not contact.strikes:
        return ()
    since = _latest(contact.delivered_on, contact.opted_in.at.date() if contact.opted_in else None)
    return contact.strikes if since is None else tuple(day for day in contact.strikes if day > since)


def latest_listed(contact: Contact) -> ListReason | None:
    """Return the reason of the suppression-list entry SES told of last, None when it told of none."""
    if contact.listed_bounce is None and contact.listed_complaint is None:
        return None
    told = [
        (entry.at, reason)
        for reason, entry in (
            (ListReason.BOUNCE, contact.listed_bounce),
            (ListReason.COMPLAINT, contact.listed_complaint),
        )
        if entry
    ]
    return max(told)[1]


def list_call_due(old: Contact, new: Contact, limits: Limits, mirrored: str | None) -> bool:
    """Say whether what `new` learnt since `old` calls for writing the suppression list.

    `mirrored` is what this system last made the list hold (a ListReason, or `UNLISTED`), None when it never wrote it.
    A reinstatement always calls for a write: the list may hold an entry we never heard of. So does fresh evidence
    that belongs on the list, although the list should hold it already: that the mail went out says it did not. An
    echo calls for none as long as the list holds what it should.
    """
    if new.opted_in != old.opted_in:
        return True
    wanted = wanted_of(new, limits)
    believed = latest_listed(new) if mirrored is None else mirrored
    if (wanted or UNLISTED) != (believed or UNLISTED):
        return True
    if mirrored is not None and new.spellings != old.spellings:
        return True  # each spelling is an entry of its own, to be put or deleted like the others
    if (new.complained, new.bounced, new.struck, new.strikes) == (old.complained, old.bounced, old.struck, old.strikes):
        return False
    return wanted_of(replace(new, listed_bounce=None, listed_complaint=None), limits) is not None


UNLISTED = "NONE"
"""What `mirrored` says of an address that was taken off the suppression list."""


def _suspended(strikes: tuple[date, ...], limits: Limits) -> bool:
    # Any run of strikes within the window suspends, not only the one that ends with the latest: otherwise one more
    # bounce, months later, would lift a suspension. When the kept days are all taken, older runs may have been
    # dropped: that many days without one delivery suspend by themselves. Both keep a status from ever weakening.
    if len(strikes) >= KEPT_STRIKES:
        return True
    window = timedelta(days=limits.window_days)
    return any(last - first <= window for first, last in zip(strikes, strikes[limits.soft_bounces - 1 :], strict=False))


def _weighed(contact: Contact, seen: Evidence | None, echo: Evidence | None) -> Evidence | None:
    """Return the latest of what was seen and what SES told of, as far as a reinstatement leaves it standing."""
    if seen is None and echo is None:
        return None
    return _latest(_counting(contact, seen), _counting_echo(contact, echo))


def _counting(contact: Contact, evidence: Evidence | None) -> Evidence | None:
    if evidence and contact.opted_in and evidence.at <= contact.opted_in.at:
        return None
    return evidence


def _counting_echo(contact: Contact, echo: Evidence | None) -> Evidence | None:
    if echo and contact.opted_in and echo.at <= contact.opted_in.at + ECHO_GRACE:
        return None
    return echo


def _latest(one: _Time | None, other: _Time | None) -> _Time | None:
    if one is None or other is None:
        return one or other
    return max(one, other)


def _union(one: tuple[_Element, ...], other: tuple[_Element, ...]) -> tuple[_Element, ...]:
    if one == other or not other:
        return one
    return tuple(sorted(set(one) | set(other))) if one else other

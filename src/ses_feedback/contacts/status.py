"""Status of a contact and its required suppression-list entry, computed from registers and limits."""

from datetime import date, timedelta
from enum import StrEnum
from typing import assert_never

from ses_feedback.contacts.contact import KEPT_SOFT_BOUNCE_DAYS, Contact, Evidence, _latest
from ses_feedback.immutable import Struct, replace
from ses_feedback.judging.facts import ListReason

ECHO_GRACE = timedelta(hours=24)
"""How long after a reinstatement an echo still tells of the entry that the reinstatement is having removed."""


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


class Limits(Struct, frozen=True):
    """When soft bounces suspend, and whether the unsubscribed go on the suppression list: the stack's choices."""

    soft_bounces: int = 5
    window_days: int = 90
    list_unsubscribed: bool = False


class Standing(Struct, frozen=True):
    """A contact's status and the evidence that gives it (None for an active contact)."""

    status: Status
    evidence: Evidence | None = None

    @property
    def may_send(self) -> bool:
        """Whether the contact may be mailed."""
        return self.status.may_send


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
    soft_bounce_days = counting_soft_bounce_days(contact)
    if not soft_bounce_days:
        return _ACTIVE
    return Standing(Status.SUSPENDED if _suspended(soft_bounce_days, limits) else Status.BOUNCING, contact.soft_bounced)


_ACTIVE = Standing(Status.ACTIVE)


def list_reason(status: Status, limits: Limits) -> ListReason | None:
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


def required_list_reason(contact: Contact, limits: Limits) -> ListReason | None:
    """Return the reason with which the suppression list should hold the contact, None when it should not."""
    return list_reason(standing(contact, limits).status, limits)


def counting_soft_bounce_days(contact: Contact) -> tuple[date, ...]:
    """Return the soft_bounce days after the last delivery's day and after the last reinstatement's.

    A delivery on the day of a soft_bounce clears it: days have no order within them, and the mailbox worked that day.
    """
    if not contact.soft_bounce_days:
        return ()
    since = _latest(contact.delivered_on, contact.opted_in.at.date() if contact.opted_in else None)
    return contact.soft_bounce_days if since is None else tuple(day for day in contact.soft_bounce_days if day > since)


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


def needs_list_call(old: Contact, new: Contact, limits: Limits, synced: str | None) -> bool:
    """Say whether what `new` learnt since `old` calls for writing the suppression list.

    `synced` is what this system last made the list hold (a ListReason, or `UNLISTED`), None when it never wrote it.
    A reinstatement always calls for a write: the list may hold an entry we never heard of. So does fresh evidence
    that belongs on the list, although the list should hold it already: that the mail went out says it did not. An
    echo calls for none as long as the list holds what it should.
    """
    if new.opted_in != old.opted_in:
        return True
    wanted = required_list_reason(new, limits)
    believed = latest_listed(new) if synced is None else synced
    if (wanted or UNLISTED) != (believed or UNLISTED):
        return True
    if synced is not None and new.variants != old.variants:
        return True  # each variant is an entry of its own, to be put or deleted like the others
    if (new.complained, new.bounced, new.soft_bounced, new.soft_bounce_days) == (
        old.complained,
        old.bounced,
        old.soft_bounced,
        old.soft_bounce_days,
    ):
        return False
    return required_list_reason(replace(new, listed_bounce=None, listed_complaint=None), limits) is not None


UNLISTED = "NONE"
"""What `synced` says of an address that was taken off the suppression list."""


def _suspended(soft_bounce_days: tuple[date, ...], limits: Limits) -> bool:
    # Any run of soft_bounce_days within the window suspends, not only the one that ends with the latest: otherwise one more
    # bounce, months later, would lift a suspension. When the kept days are all taken, older runs may have been
    # dropped: that many days without one delivery suspend by themselves. Both keep a status from ever weakening.
    if len(soft_bounce_days) >= KEPT_SOFT_BOUNCE_DAYS:
        return True
    window = timedelta(days=limits.window_days)
    return any(
        last - first <= window
        for first, last in zip(soft_bounce_days, soft_bounce_days[limits.soft_bounces - 1 :], strict=False)
    )


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

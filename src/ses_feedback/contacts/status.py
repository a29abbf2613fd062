"""Status of a contact and its required suppression-list entry, computed from registers and limits."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from ses_feedback.contacts.contact import (
    ALL_EMAIL,
    KEPT_RELEASES,
    KEPT_SOFT_BOUNCES_A_DAY,
    KEPT_STREAMS,
    MAX_SOFT_BOUNCE_LIMIT,
    Contact,
    Evidence,
)
from ses_feedback.immutable import Struct, replace
from ses_feedback.judging.facts import ListReason
from ses_feedback.judging.recipients import is_simulator
from ses_feedback.message_order import NUMBERS_A_DAY, day_of_time, start_of_day

ECHO_GRACE = timedelta(hours=24)
"""Time after a reinstatement in which an echo still reports the entry that the reinstatement removes."""
UNLISTED = "NONE"
"""Value of the attribute `synced` after the address was taken off the suppression list."""


class Status(StrEnum):
    """Status of a contact, strongest first."""

    COMPLAINED = "complained"
    BOUNCED = "bounced"
    UNSUBSCRIBED = "unsubscribed"
    SUSPENDED = "suspended"
    BOUNCING = "bouncing"
    ACTIVE = "active"

    @property
    def may_send(self) -> bool:
        """True if bulk email may be sent to a contact with this status."""
        return self is Status.ACTIVE or self is Status.BOUNCING


class Limits(Struct, frozen=True):
    """The stack's choices that change statuses.

    `window_days` is `SoftBounceWindowDays`, with 0 replaced by the automatic window. `deliveries_published` is False
    if SES does not publish deliveries to the stack. `suspension_days` 0 means that a suspension never ends.
    """

    soft_bounces: int = 5
    window_days: int = 365
    list_unsubscribed: bool = False
    list_suspended: bool = False
    suspension_days: int = 30
    deliveries_published: bool = True


class Standing(Struct, frozen=True):
    """A contact's status and its evidence (None for an active contact)."""

    status: Status
    evidence: Evidence | None = None

    @property
    def may_send(self) -> bool:
        """True if bulk email may be sent to the contact."""
        return self.status.may_send


_ACTIVE = Standing(Status.ACTIVE)


def standing(contact: Contact, limits: Limits) -> Standing:
    """Return the contact's status, strongest first, and its evidence."""
    complained = _complaint(contact)
    if complained:
        return Standing(Status.COMPLAINED, complained)
    bounced = _bounce(contact, limits)
    if bounced:
        return Standing(Status.BOUNCED, bounced)
    unsubscribed = _opt_out_of_all(contact)
    if unsubscribed:
        return Standing(Status.UNSUBSCRIBED, unsubscribed)
    days = counting_soft_bounce_days(contact, limits)
    if not days:
        return _ACTIVE
    suspended = _is_run(days, limits) and last_release(contact) < days[-1]
    return Standing(Status.SUSPENDED if suspended else Status.BOUNCING, contact.soft_bounced)


def _complaint(contact: Contact) -> Evidence | None:
    # Only the person's own request overrides a complaint.
    if contact.complained is None and contact.listed_complaint is None:
        return None
    return _after(contact.complained, contact.opted_in) or _after(
        contact.listed_complaint, contact.opted_in, ECHO_GRACE
    )


def _bounce(contact: Contact, limits: Limits) -> Evidence | None:
    """Return the evidence of a dead mailbox, first-hand evidence first."""
    if not (contact.bounced or contact.nameless or contact.globally_suppressed or contact.listed_bounce):
        return None
    reinstated = _reinstated(contact)
    first_hand = _after(contact.bounced, reinstated) or _nameless(contact, reinstated)
    if first_hand:
        return first_hand
    on_global_list = _after(contact.globally_suppressed, reinstated)
    if on_global_list:
        return on_global_list
    echo = _after(contact.listed_bounce, reinstated, ECHO_GRACE)
    return None if echo and _is_own_entry(contact, echo, limits) else echo


def _nameless(contact: Contact, reinstated: Evidence | None) -> Evidence | None:
    """Return the latest bounce without a recipient, if there are such bounces of two days."""
    since = _day_of(reinstated)
    days = [day for day in contact.nameless_days if day > since]
    return contact.nameless if len(days) > 1 else None


def _is_own_entry(contact: Contact, echo: Evidence, limits: Limits) -> bool:
    """True if this stack put the entry that `echo` reports because the contact was suspended."""
    if not limits.list_suspended:
        return False
    day = day_of_time(echo.at)
    return _is_run(tuple(one for one in _days(contact.soft_bounces) if one <= day), limits)


def _opt_out_of_all(contact: Contact) -> Evidence | None:
    unsubscribed = _after(contact.unsubscribed, contact.opted_in)
    if unsubscribed:
        opted_in = dict(contact.opted_into).get(ALL_EMAIL)
        if opted_in is None or unsubscribed.at >= opted_in.at:
            return unsubscribed
    if len(contact.unsubscribed_from) >= KEPT_STREAMS:
        return _after(max(evidence for _, evidence in contact.unsubscribed_from), contact.opted_in)
    return None


def opted_out_streams(contact: Contact) -> tuple[str, ...]:
    """Return the names of the streams that the person opted out of, in order."""
    if not contact.unsubscribed_from:
        return ()
    opted_into = dict(contact.opted_into)
    return tuple(
        name
        for name, evidence in contact.unsubscribed_from
        if _after(evidence, contact.opted_in) and not (name in opted_into and opted_into[name].at > evidence.at)
    )


def opted_out(contact: Contact) -> tuple[str, ...]:
    """Return everything that the person opted out of, in order: names of streams, and `ALL_EMAIL` for all email."""
    if contact.unsubscribed is None and not contact.unsubscribed_from:
        return ()
    everything = (ALL_EMAIL,) if _opt_out_of_all(contact) else ()
    return everything + opted_out_streams(contact)


def preference_evidence(contact: Contact, name: str) -> Evidence | None:
    """Return the latest request about the stream `name` (or `ALL_EMAIL`), or None if there is none."""
    opt_out = _opt_out_of_all(contact) if name == ALL_EMAIL else dict(contact.unsubscribed_from).get(name)
    requests = (opt_out, dict(contact.opted_into).get(name), contact.opted_in)
    return max((request for request in requests if request), default=None)


def counting_soft_bounce_days(contact: Contact, limits: Limits) -> tuple[int, ...]:
    """Return the soft-bounce days after the last clean delivery and the last reinstatement."""
    if not contact.soft_bounces:
        return ()
    since = _last_reset_day(contact)
    if not limits.deliveries_published:
        since = max(since, last_release(contact))
    return tuple(day for day in _days(contact.soft_bounces) if day > since)


def _last_reset_day(contact: Contact) -> int:
    """Return the day of the last clean delivery or of the last reinstatement, the later of both, or -1."""
    return max(last_clean_day(contact), _day_of(_reinstated(contact)))


def last_clean_day(contact: Contact) -> int:
    """Return the latest day with a delivery of an email that did not soft-bounce, or -1.

    A delivery proves that a mailbox works only if the same email did not bounce. A gateway may accept an email and
    bounce it days later, so a day counts only once a delivery followed by the contact's lateness.
    """
    if not contact.delivered:
        return -1
    bounced: dict[int, list[int]] = {}
    for number in contact.soft_bounces:
        bounced.setdefault(number // NUMBERS_A_DAY, []).append(number)
    last = contact.delivered[-1] // NUMBERS_A_DAY - contact.late
    for number in reversed(contact.delivered):
        day = number // NUMBERS_A_DAY
        if day <= last and not _is_dirty(number, bounced.get(day)):
            return day
    return -1


def _is_dirty(delivered: int, bounced: list[int] | None) -> bool:
    """True if the email `delivered` soft-bounced, or if that is unknown because more bounced than are kept."""
    if not bounced:
        return False
    return delivered in bounced or (len(bounced) == KEPT_SOFT_BOUNCES_A_DAY and delivered > bounced[-1])


def last_release(contact: Contact) -> int:
    """Return the last soft-bounce day of the latest suspension that ended, or -1."""
    return contact.releases[-1] if contact.releases else -1


def release_time(contact: Contact, limits: Limits) -> datetime | None:
    """Return when the suspension of a suspended contact ends, or None if it does not end by itself.

    The time doubles with each release since the last clean delivery. After four releases a contact stays suspended:
    providers turn abandoned addresses into spam traps.
    https://docs.aws.amazon.com/ses/latest/dg/success-metrics.html
    """
    days = counting_soft_bounce_days(contact, limits)
    since = _last_reset_day(contact)
    previous = sum(1 for day in contact.releases if day > since)
    if not days or not limits.suspension_days or previous >= KEPT_RELEASES:
        return None
    return start_of_day(days[-1] + (limits.suspension_days << previous))


def released(contact: Contact, limits: Limits) -> Contact:
    """Return what is merged into a suspended contact to end its suspension."""
    return Contact(contact.address, releases=counting_soft_bounce_days(contact, limits)[-1:])


def required_list_reason(contact: Contact, limits: Limits) -> ListReason | None:
    """Return the reason with which the suppression list must hold the contact, or None if it must not."""
    return list_reason(standing(contact, limits).status, limits)


def list_reason(status: Status, limits: Limits) -> ListReason | None:
    """Return the reason with which a contact of this status belongs on the suppression list, or None.

    Unsubscribed and suspended contacts stay off the list by default, because it also stops transactional email.
    """
    match status:
        case Status.COMPLAINED:
            return ListReason.COMPLAINT
        case Status.BOUNCED:
            return ListReason.BOUNCE
        case Status.UNSUBSCRIBED:
            return ListReason.COMPLAINT if limits.list_unsubscribed else None
        case Status.SUSPENDED:
            return ListReason.BOUNCE if limits.list_suspended else None
        case Status.BOUNCING | Status.ACTIVE:
            return None
        case _:
            assert_never(status)


def latest_listed(contact: Contact) -> ListReason | None:
    """Return the reason of the latest suppression-list entry that an echo reported, or None."""
    bounce, complaint = contact.listed_bounce, contact.listed_complaint
    if bounce is None and complaint is None:
        return None
    entries = ((ListReason.BOUNCE, bounce), (ListReason.COMPLAINT, complaint))
    return max((entry.at, reason) for reason, entry in entries if entry)[1]


def needs_list_call(old: Contact, new: Contact, limits: Limits, synced: str | None) -> bool:
    """True if the evidence that `new` has beyond `old` requires a call to the suppression list.

    `synced` is the entry that this stack last wrote (a ListReason, or `UNLISTED`), or None. A reinstatement always
    requires a call, because the list may hold an unknown entry. New first-hand evidence does too: SES sent the email,
    so the list did not hold the entry. An echo does not, as long as the list holds the required entry. SES refuses
    entries of the mailbox simulator (https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html).
    """
    if is_simulator(new.address):
        return False
    if (new.opted_in, new.cleared) != (old.opted_in, old.cleared):
        return True
    required = required_list_reason(new, limits)
    believed = latest_listed(new) if synced is None else synced
    if (required or UNLISTED) != (believed or UNLISTED):
        return True
    if synced is not None and new.variants != old.variants:
        return True  # each address variant is an entry of its own
    if _first_hand(new) == _first_hand(old):
        return False
    if new.listed_bounce or new.listed_complaint:
        required = required_list_reason(replace(new, listed_bounce=None, listed_complaint=None), limits)
    return required is not None


def _first_hand(contact: Contact) -> tuple[object, ...]:
    return (
        contact.complained,
        contact.bounced,
        contact.globally_suppressed,
        contact.nameless,
        contact.soft_bounced,
        contact.soft_bounces,
    )


def _is_run(days: tuple[int, ...], limits: Limits) -> bool:
    # Any run of days within the window suspends, not only the latest: otherwise one more bounce, months later, would
    # end a suspension. If as many days as are kept count, earlier ones may have been dropped: these suspend by
    # themselves. Both keep a status from weakening.
    if len(days) >= MAX_SOFT_BOUNCE_LIMIT:
        return True
    return any(
        last - first <= limits.window_days for first, last in zip(days, days[limits.soft_bounces - 1 :], strict=False)
    )


def _days(numbers: Iterable[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(number // NUMBERS_A_DAY for number in numbers))


def _reinstated(contact: Contact) -> Evidence | None:
    """Return the later of both kinds of reinstatement."""
    if contact.cleared is None or contact.opted_in is None:
        return contact.cleared or contact.opted_in
    return max(contact.cleared, contact.opted_in)


def _day_of(evidence: Evidence | None) -> int:
    return day_of_time(evidence.at) if evidence else -1


def _after(evidence: Evidence | None, reinstated: Evidence | None, grace: timedelta = timedelta(0)) -> Evidence | None:
    """Return `evidence` if it is later than the reinstatement by more than `grace`, or None."""
    if evidence and reinstated and evidence.at <= reinstated.at + grace:
        return None
    return evidence

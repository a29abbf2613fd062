"""Planted bugs: when a contact is suspended, and how a suspension ends."""

# A planted bug has the signature of the function that it replaces, and uses private names of its module.
# ruff: noqa: ANN401, SLF001

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from campaigns.simulation.planted_bugs.planting import Patch, planted_bug
from ses_feedback import settings
from ses_feedback.contacts import record, status
from ses_feedback.contacts.contact import Contact, Evidence, merge
from ses_feedback.contacts.record import ContactRecord, become
from ses_feedback.contacts.repository import ContactRepository
from ses_feedback.contacts.status import Limits
from ses_feedback.immutable import replace
from ses_feedback.message_order import start_of_day
from ses_feedback.suppression import releases
from ses_feedback.suppression.interfaces import LOST_RACE
from ses_feedback.suppression.releases import SuspensionReleases

_release_time = status.release_time
_released = status.released
_release = SuspensionReleases._release
_oldest_first = ContactRepository.find_ended_suspensions
_counting_days = status.counting_soft_bounce_days


def _patch_release_time(replacement: Any) -> list[Patch]:
    return [(module, "release_time", replacement) for module in (record, releases)]


def _release_early(contact: Contact, limits: Limits) -> datetime | None:
    ends_at = _release_time(contact, limits)
    return ends_at and ends_at - timedelta(hours=13)


def _release_without_doubling(contact: Contact, limits: Limits) -> datetime | None:
    days = status.counting_soft_bounce_days(contact, limits)
    if _release_time(contact, limits) is None:
        return None
    return start_of_day(days[-1] + limits.suspension_days)


def _release_unchecked(self: Any, stored: ContactRecord) -> bool:
    """Release whatever the index lists, although the index may be stale."""
    contact = merge(stored.contact, _released(stored.contact, self._limits))
    after = become(stored, contact, self._limits, self._now())
    return after is not None and self._contacts.write(after) is None


def _release_changed_contact(self: Any, stored: ContactRecord) -> bool:
    """Release a contact that changed after it was read, without looking at it again."""
    release = _released(stored.contact, self._limits)
    contact = merge(stored.contact, release)
    after = become(stored, contact, self._limits, self._now())
    if after is None or self._contacts.write(after) != LOST_RACE:
        return after is not None
    address = stored.contact.address
    present = self._contacts.read([address], {}, consistent=True)[address]
    again = become(present, merge(present.contact, release), self._limits, self._now())
    return again is not None and self._contacts.write(again) is None


def _newest_first(self: Any, before: datetime) -> Iterator[tuple[datetime, str]]:
    return iter(sorted(_oldest_first(self, before), reverse=True))


def _release_by_reinstatement(contact: Contact, limits: Limits) -> Contact:
    """End a suspension by a register that also overrides bounces."""
    until = _release_time(contact, limits)
    cleared = Evidence(until, "suspension ended") if until else None
    return replace(_released(contact, limits), cleared=cleared)


def _forget_released_days(contact: Contact, limits: Limits) -> tuple[int, ...]:
    """Count a released suspension as a clean delivery, although deliveries are published."""
    return tuple(day for day in _counting_days(contact, limits) if day > status.last_release(contact))


def _count_released_days(contact: Contact, limits: Limits) -> tuple[int, ...]:
    """Count no release as a clean delivery, although no deliveries are published."""
    return _counting_days(contact, replace(limits, deliveries_published=True))


def _never_in_index(contact: Contact, _limits: Limits) -> None:  # noqa: ARG001 (as release_time)
    return None


_suspension_bug = partial(planted_bug, theme="suspensions")

PLANTED_BUGS = (
    _suspension_bug("a suspension ends too early", *_patch_release_time(_release_early)),
    _suspension_bug("the time of a suspension does not double", *_patch_release_time(_release_without_doubling)),
    _suspension_bug("a suspension ends more than four times", (status, "KEPT_RELEASES", 9)),
    _suspension_bug("a suspension never ends", (record, "release_time", _never_in_index)),
    _suspension_bug("the newest suspension ends first", (ContactRepository, "find_ended_suspensions", _newest_first)),
    _suspension_bug("a sweep ends any number of suspensions", (releases, "islice", lambda ended, _: ended)),
    _suspension_bug("the end of a suspension overrides a bounce", (releases, "released", _release_by_reinstatement)),
    _suspension_bug(
        "a soft bounce after a release starts anew", (status, "counting_soft_bounce_days", _forget_released_days)
    ),
    _suspension_bug(
        "without deliveries, soft bounces before a release count",
        (status, "counting_soft_bounce_days", _count_released_days),
    ),
    planted_bug("the automatic window is 60 days", (settings, "WINDOW_WITH_DELIVERIES", 60), theme="windows"),
    planted_bug(
        "the window without deliveries is a year", (settings, "WINDOW_WITHOUT_DELIVERIES", 365), theme="windows"
    ),
)
"""Planted bugs of this module. Each must break a promise in some case."""
EXPLORED_BUGS = (
    _suspension_bug("contacts of the index are released unseen", (SuspensionReleases, "_release", _release_unchecked)),
    _suspension_bug(
        "a contact that changed is released",
        (SuspensionReleases, "_release", _release_changed_contact),
    ),
)
"""Planted bugs that need feedback at the moment of a sweep."""

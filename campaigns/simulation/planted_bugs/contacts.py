"""Planted bugs: how facts change a contact, its status, and the pending list call and event."""

# A planted bug has the signature of the function that it replaces, and uses private names of its module.
# ruff: noqa: ANN401, SLF001

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from campaigns.simulation.planted_bugs.planting import Patch, planted_bug
from ses_feedback.contacts import contact, record, repository, status
from ses_feedback.contacts.contact import Contact
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.contacts.status import Limits, Status
from ses_feedback.immutable import replace
from ses_feedback.judging.facts import Fact, Verdict
from ses_feedback.message_order import number_message
from ses_feedback.processing import pipeline
from ses_feedback.suppression import sync

_contact_of = contact.contact_of
_last_clean_day = status.last_clean_day
_bounce = status._bounce
_standing = status.standing
_become = record.become


def _keep_last_write(known: Contact, facts: Sequence[Fact]) -> Contact:
    for fact in facts:
        new = contact.contact_of(fact)
        known = replace(
            contact.merge(known, new),
            **{name: getattr(new, name) or getattr(known, name) for name in contact.EVIDENCE_REGISTERS},
        )
    return known


def _erase_on_delivery(known: Contact, facts: Sequence[Fact]) -> Contact:
    for fact in facts:
        known = contact.merge(known, contact.contact_of(fact))
        if fact.verdict is Verdict.DELIVERED:
            known = replace(known, bounced=None, complained=None)
    return known


def _learn_first_fact(known: Contact, facts: Sequence[Fact]) -> Contact:
    return contact.merge(known, contact.contact_of(next(iter(facts))))


def _date_now(fact: Fact) -> Contact:
    return _contact_of(replace(fact, at=datetime.now(UTC)))


def _ignore_soft_bounces_of_delivered_email(known: Contact) -> int:
    return _last_clean_day(replace(known, soft_bounces=()))


def _ignore_lateness(known: Contact) -> int:
    """Count a delivery as clean before its bounce can have arrived."""
    return _last_clean_day(replace(known, late=0))


def _number_by_bounce(fact: Fact) -> Contact:
    """Count a soft bounce on the day of the bounce instead of the day of the email."""
    new = _contact_of(fact)
    return replace(new, soft_bounces=(number_message(fact.at, ""),)) if new.soft_bounces else new


def _prefer_echo(known: Contact, limits: Limits) -> Any:
    return known.listed_bounce or _bounce(known, limits)


def _clear_complaint(known: Contact) -> Any:
    return status._after(known.complained or known.listed_complaint, status._reinstated(known))


def _prefer_unsubscription(known: Contact, limits: Limits) -> status.Standing:
    right = _standing(known, limits)
    if right.status is Status.BOUNCED and status._after(known.unsubscribed, known.opted_in):
        return status.Standing(Status.UNSUBSCRIBED, known.unsubscribed)
    return right


def _include_equal_time(evidence: Any, reinstated: Any, grace: timedelta = timedelta(0)) -> Any:
    return None if evidence and reinstated and evidence.at < reinstated.at + grace else evidence


def _compare_reasons_only(old: Contact, new: Contact, limits: Limits, _synced: str | None) -> bool:
    before, after = (status.list_reason(_standing(known, limits).status, limits) for known in (old, new))
    return before is not after


def _patch_importers(owner: Any, name: str, replacement: Any) -> list[Patch]:
    """Replace the function `name` of `owner` in every module that imported it."""
    modules = (contact, record, repository, sync, pipeline)
    return [(module, name, replacement) for module in modules if name in module.__dict__ or module is owner]


def _release_lease(stored: ContactRecord, new: Contact, limits: Limits, now: datetime) -> ContactRecord | None:
    after = _become(stored, new, limits, now)
    return after and replace(after, lease="", leased_until=None)


def _drop_pending_list_call(stored: ContactRecord, new: Contact, limits: Limits, now: datetime) -> ContactRecord | None:
    return _become(replace(stored, list_pending=False), new, limits, now)


def _drop_pending_event(stored: ContactRecord, new: Contact, limits: Limits, now: datetime) -> ContactRecord | None:
    after = _become(stored, new, limits, now)
    if after is None:
        return None
    pending = after.status is not after.published
    since = after.pending_since if pending or after.list_pending else None
    return replace(after, publish_pending=pending, pending_since=since)


def _ignore_new_variant(stored: ContactRecord, new: Contact, limits: Limits, now: datetime) -> ContactRecord | None:
    unchanged = replace(new, variants=stored.contact.variants) == stored.contact
    return None if unchanged else _become(stored, new, limits, now)


PLANTED_BUGS = (
    planted_bug("the last write replaces later evidence", (record, "learn_facts", _keep_last_write)),
    planted_bug("a late delivery erases a complaint", (record, "learn_facts", _erase_on_delivery)),
    planted_bug("only the first fact of a batch is stored", (record, "learn_facts", _learn_first_fact)),
    planted_bug("evidence is dated with the present time", (contact, "contact_of", _date_now)),
    planted_bug(
        "a delivery clears the soft bounce of its own email",
        (status, "last_clean_day", _ignore_soft_bounces_of_delivered_email),
    ),
    planted_bug("a delivery is clean before its bounce can arrive", (status, "last_clean_day", _ignore_lateness)),
    planted_bug("an echo outranks first-hand evidence", (status, "_bounce", _prefer_echo)),
    planted_bug("an operator's reinstatement overrides a complaint", (status, "_complaint", _clear_complaint)),
    planted_bug("a soft bounce counts on the day of the bounce", (contact, "contact_of", _number_by_bounce)),
    planted_bug("an unsubscription outranks a bounce", *_patch_importers(status, "standing", _prefer_unsubscription)),
    planted_bug("evidence as old as the reinstatement counts", (status, "_after", _include_equal_time)),
    planted_bug("an echo reverts a reinstatement", (status, "ECHO_GRACE", timedelta(0))),
    planted_bug("an unchanged reason needs no list call", (record, "needs_list_call", _compare_reasons_only)),
    planted_bug(
        "a change of a contact releases its lease",
        (record, "become", _release_lease),
        fault=("put_suppressed_destination", "crashed, effect later"),
    ),
    planted_bug("a later change drops the pending list call", (record, "become", _drop_pending_list_call)),
    planted_bug(
        "a status that changes back is not published",
        (record, "become", _drop_pending_event),
        fault=("put_events", "timed out after effect"),
    ),
    planted_bug("a new address variant changes nothing", (record, "become", _ignore_new_variant)),
)
"""Planted bugs of this module. Each must break a promise in some case."""

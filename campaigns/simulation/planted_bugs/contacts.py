"""Design bugs: what a contact becomes, and what is due after."""

# Mutants stand where the real thing does, and so reach into it and take what it takes.
# ruff: noqa: ANN401, SLF001

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from campaigns.simulation.planted_bugs.planting import Patch, mutant
from ses_feedback.contacts import contact, record, repository, status
from ses_feedback.contacts.contact import Contact
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.contacts.status import Limits, Status
from ses_feedback.immutable import replace
from ses_feedback.judging.facts import Fact, Verdict
from ses_feedback.message_order import number_message
from ses_feedback.processing import pipeline
from ses_feedback.suppression import sync


def _last_write_wins(known: Contact, facts: Sequence[Fact]) -> Contact:
    for fact in facts:
        seen = contact.contact_of(fact)
        known = replace(
            contact.merge(known, seen),
            **{name: getattr(seen, name) or getattr(known, name) for name in contact.EVIDENCE_REGISTERS},
        )
    return known


def _delivery_erases(known: Contact, facts: Sequence[Fact]) -> Contact:
    for fact in facts:
        known = contact.merge(known, contact.contact_of(fact))
        if fact.verdict is Verdict.DELIVERED:
            known = replace(known, bounced=None, complained=None)
    return known


def _first_fact_only(known: Contact, facts: Sequence[Fact]) -> Contact:
    return contact.merge(known, contact.contact_of(next(iter(facts))))


def _dated_now(original: Callable[[Fact], Contact]) -> Callable[[Fact], Contact]:
    return lambda fact: original(replace(fact, at=datetime.now(UTC)))


def _delivery_clears_its_own_bounce(known: Contact) -> int:
    """Clear the soft bounces of an email by its own delivery."""
    return _last_clean_day(replace(known, soft_bounces=()))


def _clean_before_lateness(known: Contact) -> int:
    """Count a delivery as clean before the mailbox's bounces can have arrived."""
    return _last_clean_day(replace(known, late=0))


_last_clean_day = status.last_clean_day


def _day_of_bounce(fact: Fact) -> Contact:
    """Count soft bounces by the day of the bounce, not of the email."""
    seen = _contact_of(fact)
    return replace(seen, soft_bounces=(number_message(fact.at, ""),)) if seen.soft_bounces else seen


_contact_of = contact.contact_of


def _echo_over_first_hand(known: Contact, limits: Limits) -> Any:
    return known.listed_bounce or _bounce(known, limits)


_bounce = status._bounce


def _cleared_removes_complaints(known: Contact) -> Any:
    return status._after(known.complained or known.listed_complaint, status._reinstated(known))


def _reversed_status(known: Contact, limits: Limits) -> status.Standing:
    """Weigh an unsubscription more than a bounce."""
    found = _standing(known, limits)
    if found.status is Status.BOUNCED and status._after(known.unsubscribed, known.opted_in):
        return status.Standing(Status.UNSUBSCRIBED, known.unsubscribed)
    return found


_standing = status.standing


def _tie_counts(evidence: Any, reinstated: Any, grace: timedelta = timedelta(0)) -> Any:
    return None if evidence and reinstated and evidence.at < reinstated.at + grace else evidence


def _skip_unchanged(old: Contact, new: Contact, limits: Limits, _mirrored: str | None) -> bool:
    before, after = (status.list_reason(_standing(one, limits).status, limits) for one in (old, new))
    return before is not after


def _everywhere(owner: Any, name: str, replacement: Any) -> list[Patch]:
    """Replace a function in every module that imported it."""
    modules = (contact, record, repository, sync, pipeline)
    return [(module, name, replacement) for module in modules if name in module.__dict__ or module is owner]


def _reopened(known: ContactRecord, new: Contact, limits: Limits, now: datetime) -> ContactRecord | None:
    """Have everybody who changes a contact take away the lease on it."""
    after = _become(known, new, limits, now)
    return after and replace(after, lease="", leased_until=None)


_become = record.become


def _forgets_list_due(known: ContactRecord, new: Contact, limits: Limits, now: datetime) -> ContactRecord | None:
    return _become(replace(known, list_pending=False), new, limits, now)


def _forgets_announcement(known: ContactRecord, new: Contact, limits: Limits, now: datetime) -> ContactRecord | None:
    after = _become(known, new, limits, now)
    if after is None:
        return None
    due = after.status is not after.published
    return replace(after, publish_pending=due, pending_since=after.pending_since if due or after.list_pending else None)


def _no_spelling_change(known: ContactRecord, new: Contact, limits: Limits, now: datetime) -> ContactRecord | None:
    return None if replace(new, variants=known.contact.variants) == known.contact else _become(known, new, limits, now)


MUTANTS = (
    mutant("the last write wins", (record, "learn_facts", _last_write_wins)),
    mutant("a late delivery erases a complaint", (record, "learn_facts", _delivery_erases)),
    mutant("only the first fact of a batch is learnt", (record, "learn_facts", _first_fact_only)),
    mutant("now() in stored state", (contact, "contact_of", _dated_now(contact.contact_of))),
    mutant(
        "a delivery clears the soft bounce of its own email",
        (status, "last_clean_day", _delivery_clears_its_own_bounce),
    ),
    mutant("soft bounces count by the day of the bounce", (contact, "contact_of", _day_of_bounce)),
    mutant("an unsubscription outweighs a bounce", *_everywhere(status, "standing", _reversed_status)),
    mutant("evidence as old as the reinstatement counts", (status, "_after", _tie_counts)),
    mutant("an echo undoes a reinstatement", (status, "ECHO_GRACE", timedelta(0))),
    mutant("unchanged, so no SES call", (record, "needs_list_call", _skip_unchanged)),
    mutant("whoever changes a contact takes the lease away", (record, "become", _reopened)),
    mutant("a later change forgets that the list is due", (record, "become", _forgets_list_due)),
    mutant("a status that flips back is not published", (record, "become", _forgets_announcement)),
    mutant("a new variant is nothing new", (record, "become", _no_spelling_change)),
)
"""Every design bug of this kind that is tried."""

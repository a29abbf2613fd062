"""Design bugs: what a contact becomes, and what is due after."""

# Mutants stand where the real thing does, and so reach into it and take what it takes.
# ruff: noqa: ANN401, SLF001

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from campaigns.simulation.planted_bugs.planting import Patch, mutant
from ses_feedback.contacts import contact, record, repository, status
from ses_feedback.contacts.contact import Contact
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.contacts.status import Limits, Status
from ses_feedback.immutable import replace
from ses_feedback.judging.facts import Fact, Verdict
from ses_feedback.processing import pipeline
from ses_feedback.suppression import sync


def _last_write_wins(known: Contact, facts: Sequence[Fact]) -> Contact:
    for fact in facts:
        seen = contact.observed(fact)
        known = replace(
            contact.merge(known, seen),
            **{name: getattr(seen, name) or getattr(known, name) for name in contact.EVIDENCE_REGISTERS},
        )
    return known


def _delivery_erases(known: Contact, facts: Sequence[Fact]) -> Contact:
    for fact in facts:
        known = contact.merge(known, contact.observed(fact))
        if fact.verdict is Verdict.DELIVERED:
            known = replace(known, bounced=None, complained=None)
    return known


def _first_fact_only(known: Contact, facts: Sequence[Fact]) -> Contact:
    return contact.merge(known, contact.observed(next(iter(facts))))


def _dated_now(original: Callable[[Fact], Contact]) -> Callable[[Fact], Contact]:
    return lambda fact: original(replace(fact, at=datetime.now(UTC)))


def _counted_strikes(one: tuple[Any, ...], other: tuple[Any, ...]) -> tuple[Any, ...]:
    days = isinstance((*one, *other, "")[0], date)
    return tuple(sorted(one + other)) if days else _union(one, other)


_union = contact._union


def _reversed_status(known: Contact, limits: Limits) -> status.Standing:
    """Weigh an unsubscription more than a bounce."""
    found = _standing(known, limits)
    if found.status is Status.BOUNCED and status._counting(known, known.unsubscribed):
        return status.Standing(Status.UNSUBSCRIBED, known.unsubscribed)
    return found


_standing = status.standing


def _tie_counts(known: Contact, evidence: Any) -> Any:
    return None if evidence and known.opted_in and evidence.at < known.opted_in.at else evidence


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
    mutant("the last write wins", (record, "fold", _last_write_wins)),
    mutant("a late delivery erases a complaint", (record, "fold", _delivery_erases)),
    mutant("only the first fact of a batch is learnt", (record, "fold", _first_fact_only)),
    mutant("now() in stored state", (contact, "observed", _dated_now(contact.observed))),
    mutant("soft_bounce_days are counted, not days", (contact, "_union", _counted_strikes)),
    mutant("an unsubscription outweighs a bounce", *_everywhere(status, "standing", _reversed_status)),
    mutant("evidence as old as the reinstatement counts", (status, "_counting", _tie_counts)),
    mutant("an echo undoes a reinstatement", (status, "ECHO_GRACE", timedelta(0))),
    mutant("unchanged, so no SES call", (record, "needs_list_call", _skip_unchanged)),
    mutant("whoever changes a contact takes the lease away", (record, "become", _reopened)),
    mutant("a later change forgets that the list is due", (record, "become", _forgets_list_due)),
    mutant("a status that flips back is not published", (record, "become", _forgets_announcement)),
    mutant("a new variant is nothing new", (record, "become", _no_spelling_change)),
)
"""Every design bug of this kind that is tried."""

"""Planted bugs: which recipients a bounce or a complaint is about, and when it happened."""

# A planted bug has the signature of the function that it replaces, and uses private names of its module.
# ruff: noqa: ANN401, SLF001

from typing import Any

from campaigns.simulation.planted_bugs.planting import planted_bug
from ses_feedback.address import Address
from ses_feedback.contacts import history, record, repository, status
from ses_feedback.contacts.contact import Contact
from ses_feedback.contacts.status import Limits, Standing, Status
from ses_feedback.immutable import replace
from ses_feedback.judging import judge, policy
from ses_feedback.judging.facts import Fact, Register, Verdict
from ses_feedback.judging.policy import Rule, Trait
from ses_feedback.judging.recipients import EmailRecipients
from ses_feedback.message_order import number_message

_times_of = judge._times_of
_find = EmailRecipients.find
_traits_of = judge._traits_of
_find_rule = policy.find_rule
_standing = status.standing
_history_item = history.history_item


def _find_any_name(self: EmailRecipients, named: Address) -> Address:
    return _find(self, named) or named


def _find_as_named(self: EmailRecipients, named: Address) -> Address | None:
    """Return the variant that the bounce names instead of the one of the email."""
    return named if _find(self, named) else None


def _ignore_nameless(_self: Any, _only: Address) -> None:
    return None


def _no_traits(_recipient: Any) -> frozenset[Trait]:
    return frozenset()


def _fail_although_delayed(recipient: Any) -> frozenset[Trait]:
    return _traits_of(recipient) - {Trait.NOT_FAILED}


def _trust_every_action(recipient: Any) -> frozenset[Trait]:
    """Ignore that a status of class 5 is a failure, whatever the action."""
    action = (recipient.action or "").strip().lower()
    return frozenset({Trait.NOT_FAILED}) if action in judge._NOT_FAILED else _traits_of(recipient)


def _bounce_at_first_nameless(contact: Contact, reinstated: Any) -> Any:
    since = status._day_of(reinstated)
    return contact.nameless if any(day > since for day in contact.nameless_days) else None


def _bounce_nameless_by_type(kind: str, type_: str = "", sub_type: str = "", traits: Any = frozenset()) -> Rule:
    """Judge a bounce without a recipient like one that names it."""
    return _find_rule(kind, type_, sub_type, traits - {Trait.NAMELESS})


def _suppress_for_members(kind: str, type_: str = "", sub_type: str = "", traits: Any = frozenset()) -> Rule:
    """Count a member of a list as the list's own address."""
    rule = _find_rule(kind, type_, sub_type, traits)
    if rule.trait is not Trait.MEMBER_GONE:
        return rule
    return replace(rule, verdict=Verdict.SOFT_BOUNCE, register=Register.SOFT_BOUNCES)


def _ignore_time_of_email(feedback: Any, sent_at: Any) -> Any:
    """Date feedback earlier than its email, as a slow clock does."""
    times = _times_of(feedback, sent_at)
    reported = feedback.event_time
    return times._replace(at=min(reported, times.at)) if reported and times.at else times


def _ignore_carrier(feedback: Any, _sent_at: Any) -> Any:
    """Date feedback later than its carrier, as a fast clock does."""
    return _times_of(feedback, None)


def _date_by_carrier(feedback: Any, sent_at: Any) -> Any:
    """Date feedback of a fast clock by its carrier, which is another one after a redrive."""
    late = feedback.event_time and sent_at and feedback.event_time > sent_at
    return _times_of(feedback, sent_at)._replace(**({"at": sent_at} if late else {}))


def _number_by_event(feedback: Any, sent_at: Any) -> Any:
    """Count an email on the day of its event."""
    times = _times_of(feedback, sent_at)
    return times._replace(message=number_message(times.at, feedback.message_id)) if times.at else times


def _reason_of_list(contact: Contact, limits: Limits) -> Standing:
    """Show what SES's lists say about a bounced contact instead of its own bounce."""
    right = _standing(contact, limits)
    latest = max(filter(None, (contact.bounced, contact.listed_bounce, contact.globally_suppressed)), default=None)
    return Standing(Status.BOUNCED, latest) if right.status is Status.BOUNCED else right


def _history_by_event(fact: Fact, keep_days: int, now: Any) -> Any:
    """Store history on the day of the event, which a mail server can choose freely."""
    return _history_item(replace(fact, message=number_message(fact.at, "")), keep_days, now)


def _is_no_simulator(_key: str) -> bool:
    return False


PLANTED_BUGS = (
    planted_bug("an address that the email was not sent to is judged", (EmailRecipients, "find", _find_any_name)),
    planted_bug("address variants are those of the bounce", (EmailRecipients, "find", _find_as_named)),
    planted_bug("a bounce without a recipient is ignored", (judge._BounceJudging, "_judge_nameless", _ignore_nameless)),
    planted_bug("the first bounce without a recipient suppresses", (status, "_nameless", _bounce_at_first_nameless)),
    planted_bug(
        "a bounce without a recipient is judged by its type only", (judge, "find_rule", _bounce_nameless_by_type)
    ),
    planted_bug("a member of an address counts as the address", (judge, "find_rule", _suppress_for_members)),
    planted_bug("an auto-reply is a soft bounce", (judge, "_traits_of", _no_traits)),
    planted_bug("the action `delayed` is a failure", (judge, "_traits_of", _fail_although_delayed)),
    planted_bug("an action outranks a status of class 5", (judge, "_traits_of", _trust_every_action)),
    planted_bug("feedback is earlier than its email", (judge, "_times_of", _ignore_time_of_email)),
    planted_bug("feedback is later than its carrier", (judge, "_times_of", _ignore_carrier)),
    planted_bug("a redrive changes a date", (judge, "_times_of", _date_by_carrier)),
    planted_bug("an email counts on the day of its event", (judge, "_times_of", _number_by_event)),
    planted_bug("a list of SES replaces the reason of a bounce", (record, "standing", _reason_of_list)),
    planted_bug("feedback of the mailbox simulator is published", (record, "is_simulator", _is_no_simulator)),
    planted_bug("the mailbox simulator is listed", (status, "is_simulator", _is_no_simulator)),
    planted_bug("the history has the day of the event", (repository, "history_item", _history_by_event)),
)
"""Planted bugs of this module. Each must break a promise in some case."""

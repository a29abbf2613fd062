"""Judge an SES event: find the policy rule that applies and return facts about contacts."""

import re
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from ses_feedback.address import Address, AddressError, parse_address
from ses_feedback.judging.facts import EventDetails, Fact, Judgement, Verdict
from ses_feedback.judging.policy import KNOWN_TYPES, AmbiguousComplaint, Rule, Trait, find_rule
from ses_feedback.reading.envelope import Notice
from ses_feedback.reading.ses_events import (
    Bounce,
    BouncedRecipient,
    Complaint,
    Delivery,
    Feedback,
    Send,
    Subscription,
    fold,
)

MAX_DIAGNOSTIC_LENGTH = 1_000
MAX_ID_LENGTH = 128
_CONFIGURATION_SET = re.compile(r"[A-Za-z0-9_-]{1,64}")


def judge(
    feedback: Feedback | Notice,
    sent_at: datetime | None = None,
    ambiguous: AmbiguousComplaint = AmbiguousComplaint.UNSUBSCRIBE,
) -> Judgement:
    """Return what `feedback` comes to. Total: never raises, whatever SES said.

    Only recipients named by the feedback itself get facts, never those of `mail.destination`. `sent_at` is when the
    carrier took the message: a time after it is a wrong clock's, and is clamped to it.
    """
    if isinstance(feedback, Notice):
        rule = find_rule("Notice")
        return Judgement("Notice", rule.name, counts=((rule.metric, 1),))
    # By the very type: pydantic's models make `isinstance` a call of some microseconds, and this runs for every record.
    if type(feedback) is Bounce:
        return _judge_bounce(feedback, sent_at)
    if type(feedback) is Delivery:
        return _judge_delivery(feedback, sent_at)
    if type(feedback) is Complaint:
        return _judge_complaint(feedback, sent_at, ambiguous)
    if type(feedback) is Subscription:
        return _judge_subscription(feedback, sent_at)
    rule = find_rule(feedback.kind)
    return _judgement(feedback, sent_at, rule, [], [(rule.metric, _counted(feedback))])


class _Named(NamedTuple):
    """A recipient the feedback names, and what was decided about it."""

    raw: str | None
    rule: Rule
    verdict: Verdict
    reason: str
    said: EventDetails


_SAID_OF_DELIVERY = EventDetails("Delivery")


def _judge_delivery(feedback: Delivery, sent_at: datetime | None) -> Judgement:
    rule = find_rule("Delivery")
    recipients = feedback.delivery.recipients or ()
    named = [_Named(raw, rule, rule.verdict, "Delivery", _SAID_OF_DELIVERY) for raw in recipients]
    return _judgement(feedback, sent_at, rule, named, [(rule.metric, max(1, len(named)))])


_AUTO_REPLY = frozenset({Trait.AUTO_REPLY})


def _judge_bounce(feedback: Bounce, sent_at: datetime | None) -> Judgement:
    bounce = feedback.bounce
    type_, sub_type = fold(bounce.bounce_type or ""), fold(bounce.bounce_sub_type or "")
    type_label, sub_label = _labels_of_bounce(type_, sub_type)
    rule = find_rule("Bounce", type_, sub_type)
    recipients = bounce.bounced_recipients or ()

    def named(recipient: BouncedRecipient) -> _Named:
        fits = rule if _from_dsn(recipient) else find_rule("Bounce", type_, sub_type, _AUTO_REPLY)
        said = EventDetails(
            kind="Bounce",
            type=_cut(bounce.bounce_type, MAX_ID_LENGTH),
            sub_type=_cut(bounce.bounce_sub_type, MAX_ID_LENGTH),
            feedback_id=_cut(bounce.feedback_id, MAX_ID_LENGTH),
            message_id=_cut(feedback.message_id, MAX_ID_LENGTH),
            action=_cut(recipient.action, MAX_ID_LENGTH),
            status=_cut(recipient.status, MAX_ID_LENGTH),
            diagnostic_code=_cut(recipient.diagnostic_code, MAX_DIAGNOSTIC_LENGTH),
            tenant=_cut(feedback.tenant, MAX_ID_LENGTH),
        )
        return _Named(recipient.email_address, fits, fits.verdict, f"{type_label}/{sub_label}", said)

    counts = [(rule.metric, max(1, len(recipients)))]
    if "unrecognized" in (type_label, sub_label) or rule.name == "bounce-of-unknown-type":
        counts.append(("UnrecognizedFeedback", 1))
    return _judgement(feedback, sent_at, rule, [named(recipient) for recipient in recipients], counts)


@lru_cache(maxsize=512)
def _labels_of_bounce(type_: str, sub_type: str) -> tuple[str, str]:
    """Return the names SES documents for a folded bounceType and bounceSubType."""
    type_label = _label(type_, tuple(KNOWN_TYPES["Bounce"]))
    return type_label, _label(sub_type, KNOWN_TYPES["Bounce"].get(type_label, ()))


def _judge_complaint(feedback: Complaint, sent_at: datetime | None, ambiguous: AmbiguousComplaint) -> Judgement:
    complaint = feedback.complaint
    sub_type, feedback_type = fold(complaint.complaint_sub_type or ""), fold(complaint.complaint_feedback_type or "")
    recipients = [recipient.email_address for recipient in complaint.complained_recipients or ()]
    traits = frozenset({Trait.SEVERAL}) if _several(recipients) else frozenset()
    rule = find_rule("Complaint", sub_type, feedback_type, traits)
    verdict = rule.verdict
    if rule.trait is Trait.SEVERAL and ambiguous is AmbiguousComplaint.NOTE:
        verdict = Verdict.NOTE
    sub_label = _label(sub_type, tuple(KNOWN_TYPES["Complaint"]))
    type_label = _label(feedback_type, KNOWN_TYPES["Complaint"][""])
    said = EventDetails(
        kind="Complaint",
        type=_cut(complaint.complaint_sub_type, MAX_ID_LENGTH),
        sub_type=_cut(complaint.complaint_feedback_type, MAX_ID_LENGTH),
        feedback_id=_cut(complaint.feedback_id, MAX_ID_LENGTH),
        message_id=_cut(feedback.message_id, MAX_ID_LENGTH),
        tenant=_cut(feedback.tenant, MAX_ID_LENGTH),
    )
    reason = f"Complaint/{sub_label if sub_type and sub_label != 'unrecognized' else type_label}"
    # One report is one complaint, however many recipients SES guesses at.
    counts = [(rule.metric, 1)] if rule.metric else []
    if "unrecognized" in {sub_label, type_label}:
        counts.append(("UnrecognizedFeedback", 1))
    named = [_Named(raw, rule, verdict, reason, said) for raw in recipients]
    return _judgement(feedback, sent_at, rule, named, counts)


def _judge_subscription(feedback: Subscription, sent_at: datetime | None) -> Judgement:
    preferences = feedback.subscription.new_topic_preferences
    everything = bool(preferences and preferences.unsubscribe_all)
    rule = find_rule("Subscription", traits=frozenset({Trait.UNSUBSCRIBE_ALL}) if everything else frozenset())
    counts = [(rule.metric, 1)]
    if not everything:
        return _judgement(feedback, sent_at, rule, [], counts)
    # The subscription object names nobody. SES manages subscriptions only on messages to a single recipient, so that
    # one is meant; of several, nobody can tell.
    destination = (feedback.mail.destination if feedback.mail else None) or ()
    said = EventDetails(
        "Subscription", message_id=_cut(feedback.message_id, MAX_ID_LENGTH), tenant=_cut(feedback.tenant, MAX_ID_LENGTH)
    )
    raw = destination[0] if len(destination) == 1 else None
    return _judgement(
        feedback, sent_at, rule, [_Named(raw, rule, rule.verdict, "Subscription/UnsubscribeAll", said)], counts
    )


def _judgement(
    feedback: Feedback,
    sent_at: datetime | None,
    rule: Rule,
    named: list[_Named],
    counts: Iterable[tuple[str, int]],
) -> Judgement:
    at = feedback.time or sent_at
    if at and sent_at and at > sent_at:
        at = sent_at
    configuration_set = feedback.configuration_set
    if not _CONFIGURATION_SET.fullmatch(configuration_set):
        configuration_set = ""
    facts: dict[tuple[str, str], Fact] = {}
    problem = ""
    for one in named:
        address = _address(one.raw)
        when = _soft_bounce_time(feedback, sent_at) if one.verdict is Verdict.SOFT_BOUNCE else at
        if when is None or address is None:
            problem = "unusable-recipient" if when else "no-timestamp"
            continue
        fact = Fact(address, one.verdict, when, one.rule.name, one.reason, one.said, configuration_set, one.rule.listed)
        facts.setdefault((address.variant, one.rule.name), fact)
    return Judgement(
        feedback.kind,
        rule.name,
        tuple(facts.values()),
        tuple(counts),
        problem,
        at,
        feedback.message_id,
        configuration_set,
    )


def _soft_bounce_time(feedback: Feedback, sent_at: datetime | None) -> datetime | None:
    """Return when a soft_bounce was: of all facts only soft_bounce_days add up, so that no carrier's time may date them.

    The same message, sent again on other days, must be one soft_bounce. A time ahead of its carrier's is a wrong clock's
    (SES passes on the receiving server's); then the message's own time has to do, which is SES's.
    """
    time = feedback.time
    if time and sent_at and time > sent_at:
        time = feedback.mail.timestamp if feedback.mail else None
        return time if time and time <= sent_at else None
    return time


def _address(raw: str | None) -> Address | None:
    try:
        return parse_address(raw or "")
    except AddressError:
        return None


def _several(recipients: Iterable[str | None]) -> bool:
    # An unusable one is somebody too, though nobody knows who.
    return len({address.key if address else "" for address in map(_address, recipients)}) > 1


def _cut(text: str | None, length: int) -> str:
    """Return `text` as the history can hold it: not too long, and without lone surrogates, which DynamoDB refuses."""
    if not text:
        return ""
    text = text[:length]
    return text if text.isascii() else text.encode(errors="replace").decode()


def _from_dsn(recipient: BouncedRecipient) -> bool:
    said = (recipient.action, recipient.status, recipient.diagnostic_code)
    return bool("".join(filter(None, said)).strip())


def _counted(feedback: Feedback) -> int:
    # Rates are per recipient: a message to three is three sends, as its deliveries and bounces will be.
    if isinstance(feedback, Send) and feedback.mail and feedback.mail.destination:
        return len(feedback.mail.destination)
    return 1


def _label(folded: str, known: tuple[str, ...]) -> str:
    """Return the name SES documents for `folded`: labels go where SES's own words must not."""
    if not folded:
        return "unspecified"
    return next((label for label in known if fold(label) == folded), "unrecognized")

"""What it means: the table from what SES says to a verdict, and `judge`, which turns feedback into facts.

`POLICY` is read from top to bottom; the first rule that fits decides. The README's table is generated from it.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from ses_feedback.address import Address, AddressError, parse_address
from ses_feedback.envelope import Notice
from ses_feedback.feedback import (
    Bounce,
    BouncedRecipient,
    Complaint,
    Delivery,
    Feedback,
    Send,
    Subscription,
    fold,
)
from ses_feedback.values import value


class Verdict(StrEnum):
    """What a piece of feedback comes to."""

    SUPPRESS = "SUPPRESS"
    """The address is dead."""
    COMPLAIN = "COMPLAIN"
    """The recipient called the mail spam."""
    UNSUBSCRIBE = "UNSUBSCRIBE"
    """The recipient wants no more mail; the address lives."""
    ECHO = "ECHO"
    """SES did not send, because the address is on the suppression list already."""
    STRIKE = "STRIKE"
    """A soft bounce that counts against the address."""
    DELIVERED = "DELIVERED"
    """The recipient's mail server took the message."""
    NOTE = "NOTE"
    """Kept in the contact's history; changes nothing."""
    COUNT = "COUNT"
    """Counted as a metric only."""
    IGNORE = "IGNORE"
    """Not feedback about a message."""


class ListReason(StrEnum):
    """Why SES keeps an address on the suppression list."""

    BOUNCE = "BOUNCE"
    COMPLAINT = "COMPLAINT"


class Trait(StrEnum):
    """What must also be true for a rule to fit."""

    AUTO_REPLY = "recipient has no action, status or diagnosticCode"
    SEVERAL = "names several recipients"
    UNSUBSCRIBE_ALL = "unsubscribeAll"


class AmbiguousComplaint(StrEnum):
    """What becomes of a complaint that names several recipients (the stack's `AmbiguousComplaint`)."""

    UNSUBSCRIBE = "unsubscribe"
    NOTE = "note"


@value(frozen=True, slots=True)
class Rule:
    """One row of the policy table.

    A rule fits feedback of its `kind` whose type is one of `types` and sub type one of `sub_types` (an empty tuple:
    any, none, or one SES has not told us of) and that has its `trait`. For a bounce these are bounceType and
    bounceSubType, for a complaint complaintSubType and complaintFeedbackType.
    """

    name: str
    kind: str
    verdict: Verdict
    effect: str
    metric: str = ""
    types: tuple[str, ...] = ()
    sub_types: tuple[str, ...] = ()
    trait: Trait | None = None
    listed: ListReason | None = None

    def fits(self, kind: str, type_: str, sub_type: str, traits: frozenset[Trait]) -> bool:
        """Say whether this rule fits; `type_` and `sub_type` are folded (`feedback.fold`)."""
        return (
            self.kind == kind
            and (not self.types or type_ in map(fold, self.types))
            and (not self.sub_types or sub_type in map(fold, self.sub_types))
            and (self.trait is None or self.trait in traits)
        )


POLICY: tuple[Rule, ...] = (
    # --- Bounces -----------------------------------------------------------------------------------------------
    # SES did not send: the address is on this account's list already. Says nothing new about the mailbox.
    Rule(
        name="bounce-on-account-suppression-list",
        kind="Bounce",
        types=("Permanent",),
        sub_types=("OnAccountSuppressionList",),
        verdict=Verdict.ECHO,
        listed=ListReason.BOUNCE,
        metric="SuppressionEcho",
        effect="`listed` = BOUNCE; not in any rate; no SES call",
    ),
    # SES did not send: a tenant's list, or SES's own guess about the address. Neither is evidence for the account.
    Rule(
        name="bounce-not-attempted",
        kind="Bounce",
        types=("Permanent",),
        sub_types=("OnTenantSuppressionList", "EmailValidationSuppressed"),
        verdict=Verdict.NOTE,
        metric="SuppressionEcho",
        effect="history only; not in any rate",
    ),
    # SES did not send: the recipient opted out of the contact list. An opt-out, not a dead address.
    Rule(
        name="bounce-unsubscribed-recipient",
        kind="Bounce",
        types=("Permanent",),
        sub_types=("UnsubscribedRecipient",),
        verdict=Verdict.UNSUBSCRIBE,
        metric="SuppressionEcho",
        effect="`unsubscribed_at`; not a dead address; not in any rate",
    ),
    # A hard bounce. A sub type AWS adds later is still Permanent: not mailing is the safe side.
    Rule(
        name="bounce-permanent",
        kind="Bounce",
        types=("Permanent",),
        verdict=Verdict.SUPPRESS,
        metric="PermanentBounce",
        effect="`bounced_at`",
    ),
    # The message's fault, not the address's.
    Rule(
        name="bounce-message-refused",
        kind="Bounce",
        types=("Transient",),
        sub_types=("MessageTooLarge", "ContentRejected", "AttachmentRejected", "CustomTimeoutExceeded"),
        verdict=Verdict.NOTE,
        metric="TransientBounce",
        effect="history only: the message's fault, not the address's",
    ),
    # SES reports out-of-office replies as Transient/General, without what only a DSN can say.
    Rule(
        name="bounce-auto-reply",
        kind="Bounce",
        types=("Transient",),
        sub_types=("General",),
        trait=Trait.AUTO_REPLY,
        verdict=Verdict.NOTE,
        metric="TransientBounce",
        effect="history only: an auto-reply",
    ),
    # A soft bounce, published when SES stopped trying. Dead mailboxes come as these too, hence strikes.
    Rule(
        name="bounce-transient",
        kind="Bounce",
        types=("Transient",),
        verdict=Verdict.STRIKE,
        metric="TransientBounce",
        effect="one strike per UTC day",
    ),
    # Too little information to act on.
    Rule(
        name="bounce-undetermined",
        kind="Bounce",
        types=("Undetermined",),
        verdict=Verdict.NOTE,
        metric="UndeterminedBounce",
        effect="history only",
    ),
    Rule(
        name="bounce-of-unknown-type",
        kind="Bounce",
        verdict=Verdict.NOTE,
        metric="UndeterminedBounce",
        effect="history only; counts `UnrecognizedFeedback`",
    ),
    # --- Complaints --------------------------------------------------------------------------------------------
    # SES did not send: a complaint put the address on this account's list. Not a new complaint.
    Rule(
        name="complaint-on-account-suppression-list",
        kind="Complaint",
        types=("OnAccountSuppressionList",),
        verdict=Verdict.ECHO,
        listed=ListReason.COMPLAINT,
        metric="SuppressionEcho",
        effect="`listed` = COMPLAINT; not in any rate; no SES call",
    ),
    Rule(
        name="complaint-on-tenant-suppression-list",
        kind="Complaint",
        types=("OnTenantSuppressionList",),
        verdict=Verdict.NOTE,
        metric="SuppressionEcho",
        effect="history only; not in any rate",
    ),
    # The recipient says it is not spam; or a machine reports on authentication. Nobody complained.
    Rule(
        name="complaint-nobody-complained",
        kind="Complaint",
        sub_types=("not-spam", "auth-failure"),
        verdict=Verdict.NOTE,
        effect="history only: nobody complained",
    ),
    # Providers redact who complained; SES then names everybody at that domain the message went to.
    Rule(
        name="complaint-several-recipients",
        kind="Complaint",
        trait=Trait.SEVERAL,
        verdict=Verdict.UNSUBSCRIBE,
        metric="Complaint",
        effect="`unsubscribed_at` of each (`AmbiguousComplaint` = unsubscribe, the default) or history only (= note)",
    ),
    # Any other feedback type, or none: a complaint. Losing one can cost the account.
    Rule(
        name="complaint",
        kind="Complaint",
        verdict=Verdict.COMPLAIN,
        metric="Complaint",
        effect="`complained_at`: unsubscribed everywhere",
    ),
    # --- Everything else ---------------------------------------------------------------------------------------
    Rule(
        name="delivery",
        kind="Delivery",
        verdict=Verdict.DELIVERED,
        metric="Delivery",
        effect="`delivered_on`, to the day; clears older strikes",
    ),
    Rule(
        name="subscription-unsubscribe-all",
        kind="Subscription",
        trait=Trait.UNSUBSCRIBE_ALL,
        verdict=Verdict.UNSUBSCRIBE,
        metric="Subscription",
        effect="`unsubscribed_at`",
    ),
    # Topics are the application's business; only a whole opt-out stops all mail.
    Rule(name="subscription", kind="Subscription", verdict=Verdict.COUNT, metric="Subscription", effect="metrics only"),
    Rule(name="send", kind="Send", verdict=Verdict.COUNT, metric="Send", effect="metrics only"),
    Rule(name="reject", kind="Reject", verdict=Verdict.COUNT, metric="Reject", effect="metrics only"),
    Rule(
        name="rendering-failure",
        kind="RenderingFailure",
        verdict=Verdict.COUNT,
        metric="RenderingFailure",
        effect="metrics only",
    ),
    Rule(
        name="delivery-delay",
        kind="DeliveryDelay",
        verdict=Verdict.COUNT,
        metric="DeliveryDelay",
        effect="metrics only",
    ),
    Rule(name="open", kind="Open", verdict=Verdict.COUNT, metric="Open", effect="metrics only"),
    Rule(name="click", kind="Click", verdict=Verdict.COUNT, metric="Click", effect="metrics only"),
    Rule(
        name="notice",
        kind="Notice",
        verdict=Verdict.IGNORE,
        metric="IgnoredMessage",
        effect="counted as `IgnoredMessage`",
    ),
)

KNOWN_TYPES: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "Bounce": {
            "Permanent": (
                "General",
                "NoEmail",
                "Suppressed",
                "OnAccountSuppressionList",
                "OnTenantSuppressionList",
                "UnsubscribedRecipient",
                "EmailValidationSuppressed",
            ),
            "Transient": (
                "General",
                "MailboxFull",
                "MessageTooLarge",
                "ContentRejected",
                "AttachmentRejected",
                "CustomTimeoutExceeded",
            ),
            "Undetermined": ("Undetermined",),
        },
        "Complaint": {
            "OnAccountSuppressionList": (),
            "OnTenantSuppressionList": (),
            "": ("abuse", "auth-failure", "fraud", "not-spam", "other", "virus"),
        },
    },
)
"""kind → type → sub types SES documents. Anything else is judged all the same, and counts as `UnrecognizedFeedback`."""

MAX_DIAGNOSTIC_LENGTH = 1_000
MAX_ID_LENGTH = 128
_CONFIGURATION_SET = re.compile(r"[A-Za-z0-9_-]{1,64}")


@value(frozen=True, slots=True)
class Said:
    """What SES said, cut to size, for the contact's history."""

    kind: str
    type: str = ""
    sub_type: str = ""
    message_id: str = ""
    feedback_id: str = ""
    action: str = ""
    status: str = ""
    diagnostic_code: str = ""
    tenant: str = ""


@value(frozen=True, slots=True)
class Fact:
    """A verdict about one contact, with its time and identity.

    `reason` is from a closed vocabulary (`Permanent/NoEmail`, `Complaint/abuse`), so that it may be logged; `said`
    holds SES's own words, which may not.
    """

    address: Address
    verdict: Verdict
    at: datetime
    rule: str
    reason: str
    said: Said
    configuration_set: str = ""
    listed: ListReason | None = None


@value(frozen=True, slots=True)
class Judgement:
    """What a piece of feedback comes to: facts about contacts, and counts by metric name.

    `problem`, one of a few fixed words, is set when something in the message can't be acted on, so that the message
    must be kept in quarantine although its facts hold.
    """

    kind: str
    rule: str
    facts: tuple[Fact, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    problem: str = ""
    at: datetime | None = None
    message_id: str = ""
    configuration_set: str = ""


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


@lru_cache(maxsize=512)
def find_rule(kind: str, type_: str = "", sub_type: str = "", traits: frozenset[Trait] = frozenset()) -> Rule:
    """Return the first rule of `POLICY` that fits; `type_` and `sub_type` are folded."""
    return next(rule for rule in POLICY if rule.fits(kind, type_, sub_type, traits))


class _Named(NamedTuple):
    """A recipient the feedback names, and what was decided about it."""

    raw: str | None
    rule: Rule
    verdict: Verdict
    reason: str
    said: Said


_SAID_OF_DELIVERY = Said("Delivery")


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
        said = Said(
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
    said = Said(
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
    said = Said(
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
        when = _strike_time(feedback, sent_at) if one.verdict is Verdict.STRIKE else at
        if when is None or address is None:
            problem = "unusable-recipient" if when else "no-timestamp"
            continue
        fact = Fact(address, one.verdict, when, one.rule.name, one.reason, one.said, configuration_set, one.rule.listed)
        facts.setdefault((address.spelling, one.rule.name), fact)
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


def _strike_time(feedback: Feedback, sent_at: datetime | None) -> datetime | None:
    """Return when a strike was: of all facts only strikes add up, so that no carrier's time may date them.

    The same message, sent again on other days, must be one strike. A time ahead of its carrier's is a wrong clock's
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

"""Judge an SES event: find the policy rule that applies and return facts about contacts."""

import re
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from ses_feedback.address import Address
from ses_feedback.judging import providers
from ses_feedback.judging.facts import EventDetails, Fact, Judgement, ProviderCount, Register, Tags, Verdict
from ses_feedback.judging.policy import KNOWN_TYPES, AmbiguousComplaint, PolicyOptions, Rule, Trait, find_rule
from ses_feedback.judging.recipients import SIMULATOR, EmailRecipients, domain_of
from ses_feedback.judging.rendering import describe_failure
from ses_feedback.judging.subscriptions import changes_of
from ses_feedback.message_order import number_message
from ses_feedback.reading.envelope import Notice
from ses_feedback.reading.names import normalize_name
from ses_feedback.reading.ses_events import (
    Bounce,
    Complaint,
    Delivery,
    DeliveryDelay,
    Feedback,
    RenderingFailure,
    Send,
    Subscription,
)
from ses_feedback.reading.ses_objects import BouncedRecipient, first_text

MAX_DIAGNOSTIC_LENGTH = 1_000
MAX_ID_LENGTH = 128
MAX_TAGS = 10
MAX_TAG_BYTES = 512
"""Size of a contact's tags in total, names and values."""
_CONFIGURATION_SET = re.compile(r"[A-Za-z0-9_-]{1,64}")
# DSN actions other than `failed`: https://www.rfc-editor.org/rfc/rfc3464#section-2.3.3
_NOT_FAILED = frozenset({"delayed", "relayed", "delivered", "expanded"})
_DEFAULT_OPTIONS = PolicyOptions()


class _Times(NamedTuple):
    """Time of one event and number of its email. `certain` is False if only the carrier dates the email."""

    at: datetime | None
    message: int
    certain: bool


def judge(
    feedback: Feedback | Notice, sent_at: datetime | None = None, options: PolicyOptions = _DEFAULT_OPTIONS
) -> Judgement:
    """Return the result of judging `feedback`. Never raises.

    `sent_at` is the carrier's time. Feedback is never earlier than its email and never later than its carrier.
    """
    if isinstance(feedback, Notice):
        rule = find_rule("Notice")
        return Judgement("Notice", rule.name, counts=((rule.metric, 1),))
    # By exact type: pydantic's models make `isinstance` a call of some microseconds, and this runs for every record.
    kind = type(feedback)
    if kind is Bounce:
        return _judge_bounce(feedback, sent_at, options)  # type: ignore[arg-type]
    if kind is Delivery:
        return _judge_delivery(feedback, sent_at)  # type: ignore[arg-type]
    if kind is Complaint:
        return _judge_complaint(feedback, sent_at, options)  # type: ignore[arg-type]
    if kind is Subscription:
        return _judge_subscription(feedback, sent_at, options)  # type: ignore[arg-type]
    return _count_only(feedback, sent_at)


def _count_only(feedback: Feedback, sent_at: datetime | None) -> Judgement:
    rule = find_rule(feedback.kind)
    recipients = _recipients(feedback)
    result = _Result(feedback, sent_at, rule, recipients)
    result.counts[rule.metric] = _count_recipients(feedback)
    if type(feedback) is DeliveryDelay and feedback.delivery_delay:
        for delayed in feedback.delivery_delay.delayed_recipients or ():
            result.count_provider(recipients.parse(delayed.email_address), "DeliveryDelay", delayed.diagnostic_code)
    if type(feedback) is RenderingFailure and feedback.failure:
        return result.judgement(*describe_failure(feedback.failure))
    return result.judgement()


_DELIVERY_DETAILS = EventDetails("Delivery")


def _judge_delivery(feedback: Delivery, sent_at: datetime | None) -> Judgement:
    rule = find_rule("Delivery")
    email = _recipients(feedback)
    result = _Result(feedback, sent_at, rule, email)
    raw_recipients = feedback.delivery.recipients or ()
    for raw in raw_recipients:
        named = email.parse(raw)
        if named is None:
            result.problem = "unusable-recipient"
            continue
        mailed = named if email.holds(raw) else email.as_mailed(named)
        result.add(mailed, rule, "Delivery", _DELIVERY_DETAILS)
    result.counts[rule.metric] = max(1, len(raw_recipients))
    return result.judgement()


def _judge_bounce(feedback: Bounce, sent_at: datetime | None, options: PolicyOptions) -> Judgement:
    bounce = feedback.bounce
    type_, sub_type = normalize_name(bounce.bounce_type or ""), normalize_name(bounce.bounce_sub_type or "")
    labels = _labels_of_bounce(type_, sub_type)
    configuration_set = feedback.configuration_set
    traits = _DECLARED_STREAM if configuration_set in options.streams else _NO_TRAITS
    base = find_rule("Bounce", type_, sub_type, traits)
    email = _recipients(feedback)
    result = _Result(feedback, sent_at, base, email, configuration_set)
    judging = _BounceJudging(result, email, base, label="/".join(labels), type_=type_, sub_type=sub_type)
    judging.judge_all(bounce.bounced_recipients or ())
    if "unrecognized" in labels or base.name == "bounce-of-unknown-type":
        result.count("UnrecognizedFeedback")
    return result.judgement()


class _BounceJudging:
    """Judges the recipients of one bounce."""

    def __init__(
        self, result: "_Result", email: EmailRecipients, base: Rule, *, label: str, type_: str, sub_type: str
    ) -> None:
        self._result = result
        self._email = email
        self._label = label
        self._type = type_
        self._sub_type = sub_type
        self._base = base
        self._unmatched: BouncedRecipient | None = None
        self._unmatched_domain = ""
        self._matched = 0

    def judge_all(self, recipients: Iterable[BouncedRecipient]) -> None:
        """Judge every recipient that the bounce names, then the email's only one if none of them is usable."""
        unusable = 0
        for recipient in recipients:
            named = self._email.parse(recipient.email_address)
            if named is None and self._is_beyond_parsing(recipient):
                self._note_unmatched(recipient, "")
            elif named is None:
                unusable += 1
            else:
                self._judge_named(named, recipient)
        if self._unmatched and not self._matched:
            self._judge_instead(self._unmatched)
        if not self._matched and not self._unmatched and self._email.only:
            self._judge_nameless(self._email.only)
        elif unusable:
            self._result.problem = "unusable-recipient"
        if not self._matched:
            self._result.counts.setdefault(self._base.metric, 1)

    def _is_beyond_parsing(self, recipient: BouncedRecipient) -> bool:
        return self._email.exhausted and bool(recipient.email_address)

    def _judge_named(self, named: Address, recipient: BouncedRecipient) -> None:
        if self._base.ses_text or not self._email.known:
            self._judge_one(self._email.as_mailed(named), recipient, self._rule_for(recipient))
            return
        mailed = named if self._email.holds(recipient.email_address) else self._email.find(named)
        if mailed is None:
            self._note_unmatched(recipient, domain_of(named))
        else:
            self._judge_one(mailed, recipient, self._rule_for(recipient))

    def _note_unmatched(self, recipient: BouncedRecipient, domain: str) -> None:
        self._result.count("UnmatchedRecipient")
        if self._unmatched is None:
            self._unmatched, self._unmatched_domain = recipient, domain

    def _judge_instead(self, recipient: BouncedRecipient) -> None:
        """Judge the email's only recipient for a bounce that names other addresses only."""
        only = self._email.only
        if only is None:
            return
        rule = self._rule_for(recipient)
        suffix = ""
        if rule.verdict in {Verdict.SUPPRESS, Verdict.SOFT_BOUNCE}:
            forwarded = self._unmatched_domain != domain_of(only)
            trait = Trait.FORWARDED if forwarded else Trait.MEMBER_GONE
            rule = find_rule("Bounce", self._type, self._sub_type, frozenset({trait}))
            suffix = " (forwarded)" if forwarded else " (member gone)"
        self._judge_one(only, recipient, rule, suffix, counted=False)

    def _judge_nameless(self, only: Address) -> None:
        """Judge the email's only recipient for a bounce that names no usable recipient."""
        recipient = BouncedRecipient()
        traits = _traits_of(recipient) | {Trait.NAMELESS}
        rule = self._base if self._base.ses_text else find_rule("Bounce", self._type, self._sub_type, traits)
        self._judge_one(only, recipient, rule)

    def _rule_for(self, recipient: BouncedRecipient) -> Rule:
        traits = _traits_of(recipient)
        if not traits or self._base.ses_text:
            return self._base
        return find_rule("Bounce", self._type, self._sub_type, traits)

    def _judge_one(
        self, address: Address, recipient: BouncedRecipient, rule: Rule, suffix: str = "", *, counted: bool = True
    ) -> None:
        status, text = recipient.status or "", recipient.diagnostic_code or ""
        fault = ""
        if (status or text) and providers.is_provider_rejection(status, text):
            fault = providers.describe_sender_fault(status, text)
            self._result.count_provider(address, "ProviderRejection", text)
        reason = f"{self._label}{f' (sender: {fault})' if fault else ''}{suffix}"
        details = self._result.details_of_bounce(recipient)
        if counted:
            self._matched += 1
            self._result.count(rule.metric)
        stream = self._result.configuration_set if rule.register is Register.UNSUBSCRIBED_FROM else ""
        self._result.add(address, rule, reason, details, stream=stream)


def _traits_of(recipient: BouncedRecipient) -> frozenset[Trait]:
    if recipient.action == "failed":
        return _NO_TRAITS
    action, status = (recipient.action or "").strip().lower(), (recipient.status or "").strip()
    if not action and not status:
        return _AUTO_REPLY
    return _DID_NOT_FAIL if action in _NOT_FAILED and not status.startswith("5") else _NO_TRAITS


_NO_TRAITS: frozenset[Trait] = frozenset()
_AUTO_REPLY = frozenset({Trait.AUTO_REPLY})
_DECLARED_STREAM = frozenset({Trait.DECLARED_STREAM})
_DID_NOT_FAIL = frozenset({Trait.NOT_FAILED})


@lru_cache(maxsize=512)
def _labels_of_bounce(type_: str, sub_type: str) -> tuple[str, str]:
    """Return the documented names of a normalized bounceType and bounceSubType."""
    type_label = _label(type_, tuple(KNOWN_TYPES["Bounce"]))
    return type_label, _label(sub_type, KNOWN_TYPES["Bounce"].get(type_label, ()))


def _judge_complaint(feedback: Complaint, sent_at: datetime | None, options: PolicyOptions) -> Judgement:
    complaint = feedback.complaint
    sub_type = normalize_name(complaint.complaint_sub_type or "")
    feedback_type = normalize_name(complaint.complaint_feedback_type or "")
    email = _recipients(feedback)
    named = [email.parse(recipient.email_address) for recipient in complaint.complained_recipients or ()]
    if email.only and not any(named):
        named = [email.only]
    several = len({address.key if address else "" for address in named}) > 1
    rule = find_rule("Complaint", sub_type, feedback_type, frozenset({Trait.SEVERAL}) if several else frozenset())
    verdict = rule.verdict
    if rule.trait is Trait.SEVERAL and options.ambiguous_complaint is AmbiguousComplaint.NOTE:
        verdict = Verdict.NOTE
    sub_label = _label(sub_type, tuple(KNOWN_TYPES["Complaint"]))
    type_label = _label(feedback_type, KNOWN_TYPES["Complaint"][""])
    reason = f"Complaint/{sub_label if sub_type and sub_label != 'unrecognized' else type_label}"
    result = _Result(feedback, sent_at, rule, email)
    details = result.details(complaint.complaint_sub_type, complaint.complaint_feedback_type, complaint.feedback_id)
    # One report is one complaint, although SES may name several recipients.
    if rule.metric:
        result.counts[rule.metric] = 1
    if "unrecognized" in {sub_label, type_label}:
        result.counts["UnrecognizedFeedback"] = 1
    for address in named:
        if address is None:
            result.problem = "unusable-recipient"
        else:
            result.add(email.as_mailed(address), rule, reason, details, verdict=verdict)
    return result.judgement()


def _judge_subscription(feedback: Subscription, sent_at: datetime | None, options: PolicyOptions) -> Judgement:
    changes = changes_of(feedback.subscription, options.streams)
    rule = find_rule("Subscription", traits=frozenset({changes[0].trait}) if changes else frozenset())
    # The subscription object names no recipient. SES manages subscriptions of emails with a single recipient only:
    # https://docs.aws.amazon.com/ses/latest/dg/sending-email-subscription-management.html
    email = _recipients(feedback)
    result = _Result(feedback, sent_at, rule, email)
    result.counts[rule.metric] = 1
    if not changes:
        return result.judgement()
    if email.only is None:
        result.problem = "unusable-recipient"
        return result.judgement()
    details = result.details()
    for change in changes:
        one = find_rule("Subscription", traits=frozenset({change.trait}))
        result.add(email.only, one, change.reason, details, stream=change.stream)
    return result.judgement()


class _Result:
    """Collects the facts and counts of one event."""

    def __init__(
        self,
        feedback: Feedback,
        sent_at: datetime | None,
        rule: Rule,
        email: EmailRecipients,
        configuration_set: str | None = None,
    ) -> None:
        """Take the event's `configuration_set` if it was read before: that takes some microseconds."""
        self._feedback = feedback
        self._rule = rule
        self._email = email
        self._times = _times_of(feedback, sent_at)
        self._facts: dict[tuple[str, str, str], Fact] = {}
        self._provider_counts: dict[tuple[str, str], int] = {}
        self.counts: dict[str, int] = {}
        self.problem = ""
        if configuration_set is None:
            configuration_set = feedback.configuration_set
        self.configuration_set = configuration_set if _CONFIGURATION_SET.fullmatch(configuration_set) else ""

    def count(self, name: str) -> None:
        """Count a metric once."""
        self.counts[name] = self.counts.get(name, 0) + 1

    def add(
        self,
        address: Address,
        rule: Rule,
        reason: str,
        details: EventDetails,
        *,
        verdict: Verdict | None = None,
        stream: str = "",
    ) -> None:
        """Add the fact of one recipient, once for each rule and stream; `verdict` replaces that of the rule."""
        at = self._times.at
        verdict = verdict or rule.verdict
        # Soft bounces add up by day: a carrier, which is later with each redrive, must not date them.
        if at is None or (verdict is Verdict.SOFT_BOUNCE and not self._times.certain):
            self.problem = "no-timestamp"
            return
        key = address.key, rule.name, stream
        if key not in self._facts:
            register = rule.register if verdict is rule.verdict else Register.NONE
            message, configuration_set = self._times.message, self.configuration_set
            self._facts[key] = Fact(
                address, verdict, at, message, rule.name, reason, details, configuration_set, register, stream
            )

    def count_provider(self, address: Address | None, name: str, text: str | None) -> None:
        """Count a metric by the provider of `address`, or of a mail server that answered with `text`."""
        domain = domain_of(address) if address else ""
        key = providers.find_provider(domain, text or ""), name
        self._provider_counts[key] = self._provider_counts.get(key, 0) + 1

    def details(self, type_: str | None = "", sub_type: str | None = "", feedback_id: str | None = "") -> EventDetails:
        """Return fields of the event, cut to size."""
        return self._details(type_, sub_type, feedback_id, "", "", "")

    def details_of_bounce(self, recipient: BouncedRecipient) -> EventDetails:
        """Return fields of a bounce and of one recipient."""
        bounce = self._feedback.bounce  # type: ignore[attr-defined]
        code = recipient.diagnostic_code
        return self._details(
            bounce.bounce_type, bounce.bounce_sub_type, bounce.feedback_id, recipient.action, recipient.status, code
        )

    def _details(self, *texts: str | None) -> EventDetails:
        feedback = self._feedback
        type_, sub_type, feedback_id, action, status, message_id, tenant = [
            text if not text or (len(text) <= MAX_ID_LENGTH and text.isascii()) else _cut(text, MAX_ID_LENGTH)
            for text in (*texts[:-1], feedback.message_id, feedback.tenant)
        ]
        return EventDetails(
            feedback.kind,
            type_ or "",
            sub_type or "",
            message_id or "",
            feedback_id or "",
            action or "",
            status or "",
            _cut(texts[-1], MAX_DIAGNOSTIC_LENGTH),
            tenant or "",
            tags_of(feedback),
        )

    def judgement(self, template: str = "", error_kind: str = "") -> Judgement:
        """Return everything collected."""
        counted_under = self.configuration_set
        provider_counts = self._provider_counts
        if self._email.simulated:
            # AWS does not count email to the simulator either:
            # https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html
            counted_under, provider_counts = SIMULATOR, {}
        return Judgement(
            self._feedback.kind,
            self._rule.name,
            tuple(self._facts.values()),
            tuple([(name, number) for name, number in self.counts.items() if name]),
            self.problem,
            self._times.at,
            self._feedback.message_id,
            counted_under,
            tuple([ProviderCount(provider, name, number) for (provider, name), number in provider_counts.items()]),
            template,
            error_kind,
        )


def _recipients(feedback: Feedback) -> EmailRecipients:
    return EmailRecipients(feedback.mail.destination if feedback.mail else None)


def _times_of(feedback: Feedback, sent_at: datetime | None) -> _Times:
    """Return when the event happened, and the number of its email.

    A mail server's clock dates bounces and complaints, so their time is bounded on both sides by times of AWS: that of
    the email, and that of the carrier. A time after the carrier's becomes the email's, so that a redrive, which has a
    later carrier, never changes a date.
    """
    mailed_at = feedback.mail.timestamp if feedback.mail else None
    if mailed_at and sent_at and mailed_at > sent_at:
        mailed_at = None
    at = feedback.event_time
    certain = mailed_at is not None or (at is not None and not (sent_at and at > sent_at))
    if at is None or (sent_at and at > sent_at):
        at = mailed_at or sent_at
    elif mailed_at and at < mailed_at:
        at = mailed_at
    dated = mailed_at or at
    return _Times(at, number_message(dated, feedback.message_id) if dated else 0, certain)


def tags_of(feedback: Feedback) -> Tags:
    """Return the sender's own message tags, at most `MAX_TAGS` and `MAX_TAG_BYTES`; SES's own begin with `ses:`.

    https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html#event-publishing-retrieving-sns-contents-mail-object
    """
    tags = feedback.mail.tags if feedback.mail else None
    if not tags:
        return ()
    names = [name for name in tags if not name.startswith("ses:")]
    return tuple(_fitting_tags(tags, sorted(names))) if names else ()


def _fitting_tags(tags: dict[str, object], names: list[str]) -> list[tuple[str, str]]:
    fitting: list[tuple[str, str]] = []
    left = MAX_TAG_BYTES
    for name in names[:MAX_TAGS]:
        first = first_text(tags[name])
        if first is None:
            continue
        pair = _cut(name, MAX_TAG_BYTES), _cut(first, MAX_TAG_BYTES)
        left -= len(pair[0].encode()) + len(pair[1].encode())
        if left < 0:
            break
        fitting.append(pair)
    return fitting


def _cut(text: str | None, length: int) -> str:
    """Return `text` cut to `length`, without lone surrogates, which DynamoDB rejects."""
    if not text:
        return ""
    if len(text) > length:
        text = text[:length]
    return text if text.isascii() else text.encode(errors="replace").decode()


def _count_recipients(feedback: Feedback) -> int:
    # Rates are per recipient: an email to three recipients is three sends, as its deliveries and bounces will be.
    if isinstance(feedback, Send) and feedback.mail and feedback.mail.destination:
        return len(feedback.mail.destination)
    return 1


def _label(normalized: str, known: tuple[str, ...]) -> str:
    """Return the documented name of `normalized`: labels may be logged, other text of an event may not."""
    if not normalized:
        return "unspecified"
    return next((label for label in known if normalize_name(label) == normalized), "unrecognized")

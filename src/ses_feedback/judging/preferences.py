"""Judge a preference message: a person's request that an application reports becomes facts about one contact."""

from collections.abc import Iterable
from datetime import datetime

from ses_feedback.address import Address
from ses_feedback.judging.facts import EventDetails, Fact, Judgement, Register
from ses_feedback.judging.policy import PolicyOptions, Rule, Trait, find_rule
from ses_feedback.judging.recipients import SIMULATOR, is_simulator
from ses_feedback.message_order import number_message
from ses_feedback.reading.preference_messages import SUBSCRIBE, PreferenceMessage

KIND = "Preference"
UNDECLARED_STREAM = "undeclared-stream"
"""Problem of an opt-in to a stream that is not one of `Streams`."""
_DECLARED = frozenset({Trait.NAMED_STREAM})


def judge_preference(message: PreferenceMessage, sent_at: datetime, options: PolicyOptions) -> Judgement:
    """Return the result of judging `message`. Never raises.

    `sent_at` is the carrier's time: the request is not later. An opt-out of an undeclared stream means all email, so
    that no opt-out is lost. An opt-in to one is a problem: it must not mean all email, and it must not be lost either.
    """
    declared = message.stream in options.streams
    rule = find_rule(KIND, message.preference, traits=_DECLARED if declared else frozenset())
    at = min(message.time, sent_at)
    # SES reported no variant, and an application may write the address in another way than the emails did. The list
    # entry of an unsubscribed contact that was never emailed has the key, so the key is a variant that stays known.
    address = Address(message.address.key, message.address.key)
    counted_under = SIMULATOR if is_simulator(address.key) else message.stream if declared else ""
    if message.stream and not declared and message.preference == SUBSCRIBE:
        return Judgement(KIND, rule.name, problem=UNDECLARED_STREAM, at=at, counted_under=counted_under)
    facts = tuple(_fact(message, rule, address, at, stream) for stream in _streams_of(message, rule, options))
    return Judgement(KIND, rule.name, facts, ((rule.metric, 1),), "", at, counted_under=counted_under)


def _streams_of(message: PreferenceMessage, rule: Rule, options: PolicyOptions) -> Iterable[str]:
    """Return the streams of the facts; an empty name stands for all email."""
    if rule.trait is Trait.NAMED_STREAM:
        return (message.stream,)
    # A person who opts into everything also wants the streams that the person left one by one.
    return ("", *sorted(options.streams)) if rule.register is Register.OPTED_INTO else ("",)


def _fact(message: PreferenceMessage, rule: Rule, address: Address, at: datetime, stream: str) -> Fact:
    details = EventDetails(
        KIND, message.preference, message.stream, message_id=message.id, stated_reason=message.stated_reason
    )
    return Fact(
        address,
        rule.verdict,
        at,
        number_message(at, message.id),
        rule.name,
        f"{KIND}/{message.preference.capitalize()}",
        details,
        register=rule.register,
        stream=stream,
    )

"""Find the changes of preference in a Subscription event.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html#event-publishing-retrieving-sns-contents-subscription-object
"""

from typing import NamedTuple

from ses_feedback.judging.policy import Trait
from ses_feedback.reading.names import normalize_name
from ses_feedback.reading.ses_objects import SubscriptionObject, TopicPreferences

_OPT_OUT, _OPT_IN = "optout", "optin"


class PreferenceChange(NamedTuple):
    """One change of preference; `stream` is empty for all email."""

    trait: Trait
    reason: str
    stream: str = ""


def changes_of(subscription: SubscriptionObject, streams: frozenset[str]) -> list[PreferenceChange]:
    """Return the changes in `subscription` that concern all email or a declared stream; none if nothing changed."""
    new, old = subscription.new_topic_preferences, subscription.old_topic_preferences
    if new is None:
        return []
    if new.unsubscribe_all:
        return [PreferenceChange(Trait.UNSUBSCRIBE_ALL, "Subscription/UnsubscribeAll")]
    now, before = _topics(new), _topics(old)
    changed = [stream for stream in sorted(streams) if now.get(stream) != before.get(stream)]
    opted_in = [_opt_in(stream) for stream in changed if now.get(stream) == _OPT_IN]
    if old is not None and old.unsubscribe_all and new.unsubscribe_all is False:
        everything = PreferenceChange(Trait.SUBSCRIBE_ALL, "Subscription/SubscribeAll")
        return [everything, *opted_in, *(_opt_out(stream) for stream in sorted(streams) if now.get(stream) != _OPT_IN)]
    return opted_in + [_opt_out(stream) for stream in changed if now.get(stream) == _OPT_OUT]


def _topics(preferences: TopicPreferences | None) -> dict[str, str]:
    topics = (preferences.topic_subscription_status if preferences else None) or ()
    return {
        topic.topic_name: normalize_name(topic.subscription_status)
        for topic in topics
        if topic.topic_name and topic.subscription_status
    }


def _opt_out(stream: str) -> PreferenceChange:
    return PreferenceChange(Trait.OPT_OUT, "Subscription/OptOut", stream)


def _opt_in(stream: str) -> PreferenceChange:
    return PreferenceChange(Trait.OPT_IN, "Subscription/OptIn", stream)

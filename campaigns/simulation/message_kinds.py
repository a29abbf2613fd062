"""Kinds of messages: the fields of each SES event, and the fact that the policy must derive from it.

To add a kind, add a row to `KINDS`. Its register, verdict and reason are written by hand, not computed by `judging`.
Fields of the events: https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html and
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import Any, NamedTuple

from campaigns.simulation.messages import STREAMS


class Outcome(NamedTuple):
    """A fact of a message: its register, verdict, reason and stream."""

    register: str
    verdict: str
    reason: str
    stream: str = ""


@dataclass(frozen=True, slots=True)
class MessageKind:
    """A kind of message.

    `event_type` is the key of the event's details (`bounce`, `complaint`, `delivery`), or `malformed` or `notice`, or
    `preference` for a message of an application. `fields` are added to these details. A kind with `two_recipients`
    names two addresses. `register`, `verdict`, `reason` and `stream` are those of the fact; a kind without a verdict
    reports none. `more` are further facts. `disposition` is the one of the message. If `only_recipient` is set, the
    email has no other recipient. `names` is `recipients`, `none`, `other variant`, or
    `stranger` or `member` if the event names an address of another domain or of the same domain that the email was not
    sent to. `dsn` are the fields of a bounced recipient. The clock that dates the event is `clock` milliseconds ahead.
    """

    name: str
    event_type: str
    register: str
    verdict: str
    reason: str = ""
    fields: Mapping[str, Any] | None = None
    two_recipients: bool = False
    disposition: str = "applied"
    only_recipient: bool = False
    names: str = "recipients"
    dsn: Mapping[str, str] = field(default_factory=lambda: {"status": "5.1.1"})
    clock: int = 0
    stream: str = ""
    more: tuple[Outcome, ...] = ()

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """The facts about each recipient."""
        return (Outcome(self.register, self.verdict, self.reason, self.stream), *self.more) if self.verdict else ()


def _bounce(
    name: str,
    register: str,
    verdict: str,
    bounce_type: str,
    sub_type: str,
    **options: Any,  # noqa: ANN401 (options of MessageKind)
) -> MessageKind:
    fields = {"bounceType": bounce_type, "bounceSubType": sub_type}
    return MessageKind(name, "bounce", register, verdict, f"{bounce_type}/{sub_type}", fields, **options)


def _complaint(
    name: str,
    register: str,
    verdict: str,
    reason: str,
    fields: Mapping[str, str],
    **options: Any,  # noqa: ANN401 (options of MessageKind)
) -> MessageKind:
    return MessageKind(name, "complaint", register, verdict, f"Complaint/{reason}", fields, **options)


def _preferences(*, old: bool, new: bool, **topics: tuple[str, str]) -> Mapping[str, Any]:
    """Return a change of unsubscribeAll, and of each topic from one status to another."""
    statuses = [
        [{"topicName": name, "subscriptionStatus": change[number]} for name, change in topics.items()]
        for number in range(2)
    ]
    return {
        "oldTopicPreferences": {"unsubscribeAll": old, "topicSubscriptionStatus": statuses[0]},
        "newTopicPreferences": {"unsubscribeAll": new, "topicSubscriptionStatus": statuses[1]},
    }


def _topics(name: str, register: str, verdict: str, reason: str, **options: Any) -> MessageKind:  # noqa: ANN401 (as above)
    return MessageKind(
        name, "subscription", register, verdict, f"Subscription/{reason}", only_recipient=True, **options
    )


def _preference(name: str, outcome: Outcome, stream: str | None = None, **options: Any) -> MessageKind:  # noqa: ANN401 (as above)
    fields = {"preference": outcome.verdict.lower(), **({"stream": stream} if stream else {})}
    register, verdict, reason, in_stream = outcome
    return MessageKind(name, "preference", register, verdict, reason, fields, stream=in_stream, **options)


_LEFT, _JOINED = "Preference/Unsubscribe", "Preference/Subscribe"
_ON_LIST = "OnAccountSuppressionList"
_DAY = 86_400_000
_DELAYED = {"action": "delayed", "status": "4.4.1"}

KINDS: tuple[tuple[int, MessageKind], ...] = (
    (5, _bounce("hard bounce", "bounced", "SUPPRESS", "Permanent", "General")),
    (2, _bounce("no such mailbox", "bounced", "SUPPRESS", "Permanent", "NoEmail")),
    (5, _bounce("soft bounce", "soft_bounced", "SOFT_BOUNCE", "Transient", "MailboxFull")),
    (5, MessageKind("delivery", "delivery", "delivered", "DELIVERED", "Delivery")),
    (4, _complaint("complaint", "complained", "COMPLAIN", "abuse", {"complaintFeedbackType": "abuse"})),
    (1, _complaint("complaint without type", "complained", "COMPLAIN", "unspecified", {})),
    (2, _complaint("complaint of two", "unsubscribed", "UNSUBSCRIBE", "unspecified", {}, two_recipients=True)),
    (3, _bounce("bounce echo", "listed_bounce", "ECHO", "Permanent", _ON_LIST)),
    (2, _complaint("complaint echo", "listed_complaint", "ECHO", _ON_LIST, {"complaintSubType": _ON_LIST})),
    (1, _bounce("on the global list", "globally_suppressed", "SUPPRESS", "Permanent", "Suppressed")),
    (1, _bounce("opt-out of a topic", "", "NOTE", "Permanent", "UnsubscribedRecipient")),
    (3, MessageKind("opt-out", "subscription", "unsubscribed", "UNSUBSCRIBE", "Subscription/UnsubscribeAll",
                    _preferences(old=False, new=True), only_recipient=True)),
    (3, _topics("opt-in", "opted_into", "SUBSCRIBE", "SubscribeAll", stream="*",
                fields=_preferences(old=True, new=False, **dict.fromkeys(STREAMS, ("OptIn", "OptIn"))))),
    (2, _topics("opt-in to all email and one stream", "opted_into", "SUBSCRIBE", "SubscribeAll", stream="*",
                fields=_preferences(old=True, new=False, news=("OptOut", "OptIn"), offers=("OptOut", "OptOut")),
                more=(Outcome("opted_into", "SUBSCRIBE", "Subscription/OptIn", "news"),
                      Outcome("unsubscribed_from", "UNSUBSCRIBE", "Subscription/OptOut", "offers"),
                      Outcome("unsubscribed_from", "UNSUBSCRIBE", "Subscription/OptOut", "tips")))),
    (4, _topics("opt-out of a stream", "unsubscribed_from", "UNSUBSCRIBE", "OptOut", stream="news",
                fields=_preferences(old=False, new=False, news=("OptIn", "OptOut"), offers=("OptOut", "OptOut")))),
    (3, _topics("opt-in to a stream", "opted_into", "SUBSCRIBE", "OptIn", stream="news",
                fields=_preferences(old=False, new=False, news=("OptOut", "OptIn"), other=("OptIn", "OptOut")))),
    (3, _preference("preference: leave a stream", Outcome("unsubscribed_from", "UNSUBSCRIBE", _LEFT, "news"), "news")),
    (2, _preference("preference: leave another stream", Outcome("unsubscribed_from", "UNSUBSCRIBE", _LEFT, "offers"),
                    "offers")),
    (3, _preference("preference: join a stream", Outcome("opted_into", "SUBSCRIBE", _JOINED, "news"), "news")),
    (2, _preference("preference: leave everything", Outcome("unsubscribed", "UNSUBSCRIBE", _LEFT))),
    (1, _preference("preference: leave an undeclared stream", Outcome("unsubscribed", "UNSUBSCRIBE", _LEFT), "gone")),
    (2, _preference("preference: join everything", Outcome("opted_into", "SUBSCRIBE", _JOINED, "*"),
                    more=tuple(Outcome("opted_into", "SUBSCRIBE", _JOINED, stream) for stream in STREAMS))),
    (1, _preference("preference: join by a fast clock", Outcome("opted_into", "SUBSCRIBE", _JOINED, "news"), "news",
                    clock=4 * _DAY)),
    (1, MessageKind("preference: join an undeclared stream", "preference", "", "", disposition="quarantined",
                    fields={"preference": "subscribe", "stream": "gone"})),
    (1, MessageKind("preference with a misspelled field", "preference", "", "", disposition="quarantined",
                    fields={"preference": "unsubscribe", "steam": "news"})),
    (2, _bounce("bounce without a recipient", "nameless", "SOFT_BOUNCE", "Permanent", "NoEmail",
                only_recipient=True, names="none")),
    (2, MessageKind("forwarded bounce", "bounce", "soft_bounced", "SOFT_BOUNCE", "Permanent/General (forwarded)",
                    {"bounceType": "Permanent", "bounceSubType": "General"}, only_recipient=True, names="stranger")),
    (2, _bounce("forged bounce", "", "", "Permanent", "General", names="stranger")),
    (1, MessageKind("member gone", "bounce", "", "NOTE", "Permanent/General (member gone)",
                    {"bounceType": "Permanent", "bounceSubType": "General"}, only_recipient=True, names="member")),
    (1, _bounce("bounce of another variant", "bounced", "SUPPRESS", "Permanent", "General", names="other variant")),
    (1, _bounce("auto-reply", "", "NOTE", "Transient", "General", dsn={})),
    (1, _bounce("delayed", "", "NOTE", "Permanent", "General", dsn=_DELAYED)),
    (1, _bounce("delayed soft bounce", "", "NOTE", "Transient", "MailboxFull", dsn=_DELAYED)),
    (1, _bounce("delayed, with a status of failure", "soft_bounced", "SOFT_BOUNCE", "Transient", "General",
                dsn={"action": "delayed", "status": "5.2.2"})),
    (1, _bounce("soft bounce without a recipient", "soft_bounced", "SOFT_BOUNCE", "Transient", "MailboxFull",
                only_recipient=True, names="none")),
    (1, _complaint("complaint without a recipient", "complained", "COMPLAIN", "abuse",
                   {"complaintFeedbackType": "abuse"}, only_recipient=True, names="none")),
    (1, _complaint("complaint by a slow clock", "complained", "COMPLAIN", "abuse",
                   {"complaintFeedbackType": "abuse"}, clock=-9 * _DAY)),
    (1, _bounce("soft bounce by a slow clock", "soft_bounced", "SOFT_BOUNCE", "Transient", "MailboxFull",
                clock=-9 * _DAY)),
    (1, _bounce("bounce by a fast clock", "bounced", "SUPPRESS", "Permanent", "General", clock=4 * _DAY)),
    (1, _bounce("message too large", "", "NOTE", "Transient", "MessageTooLarge")),
    (1, _complaint("not spam", "", "NOTE", "not-spam", {"complaintFeedbackType": "not-spam"})),
    (1, _bounce("bounce of two", "bounced", "SUPPRESS", "Permanent", "General", two_recipients=True)),
    (1, _bounce("bounce with a malformed recipient", "bounced", "SUPPRESS", "Permanent", "General",
                disposition="quarantined")),
    (1, MessageKind("malformed message", "malformed", "", "", disposition="quarantined")),
    (1, MessageKind("validation notice", "notice", "", "", disposition="ignored")),
)  # fmt: skip
"""Each kind with its weight: a random message is of a kind with a probability in proportion to its weight."""
_KINDS = tuple(kind for _, kind in KINDS)
_CUMULATIVE_WEIGHTS = tuple(accumulate(weight for weight, _ in KINDS))


def choose_kind(rng: Random) -> MessageKind:
    """Return a random kind."""
    return rng.choices(_KINDS, cum_weights=_CUMULATIVE_WEIGHTS)[0]


def find_kind(name: str) -> MessageKind:
    """Return the kind of this name."""
    (found,) = (kind for _, kind in KINDS if kind.name == name)
    return found

"""Kinds of messages: the fields of each SES event, and the fact that the policy must derive from it.

To add a kind, add a row to `KINDS`. Its register, verdict and reason are written by hand, not computed by `judging`.
Fields of the events: https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html and
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import Any


@dataclass(frozen=True, slots=True)
class MessageKind:
    """A kind of message.

    `event_type` is the key of the event's details (`bounce`, `complaint`, `delivery`), or `malformed` or `notice`.
    `fields` are added to these details. A kind with `two_recipients` names two addresses. `register`, `verdict` and
    `reason` are those of the fact; a kind without a verdict reports none. `disposition` is the one of the message. If
    `only_recipient` is set, the email has no other recipient. `names` is `recipients`, `none`, `other variant`, or
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


def _preferences(*, old: bool, new: bool) -> Mapping[str, Any]:
    return {"oldTopicPreferences": {"unsubscribeAll": old}, "newTopicPreferences": {"unsubscribeAll": new}}


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
    (3, MessageKind("opt-in", "subscription", "opted_into", "SUBSCRIBE", "Subscription/SubscribeAll",
                    _preferences(old=True, new=False), only_recipient=True)),
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

"""Hypothesis strategies for SES events and for facts. They draw from the builders, so examples resemble SES events."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any

from hypothesis import strategies as st

from ses_feedback.contacts.contact import KEPT_STREAMS, Contact, merge
from ses_feedback.contacts.status import Limits
from ses_feedback.judging.facts import Fact, Register, Verdict
from ses_feedback.message_order import day_of_time
from tests.support.builders import (
    CONFIGURATION_SET,
    OTHER_RECIPIENT,
    RECIPIENT,
    START,
    VOCABULARIES,
    Json,
    T,
    a_bounce,
    a_bounced_recipient,
    a_click,
    a_complaint,
    a_contact,
    a_delivery,
    a_delivery_delay,
    a_fact,
    a_mail,
    a_reject,
    a_rendering_failure,
    a_send,
    a_subscription,
    an_auto_reply_recipient,
    an_open,
    on_day,
    soft_bounce_days,
)

# Strategies are cached: creating one takes longer than drawing from it.

# --- JSON -----------------------------------------------------------------------------------------------------------

ODD_TEXTS = (
    "",
    " ",
    "\x00",
    "\ud800",
    "a\udfff@example.com",
    "\u212a@example.com",
    "\u0130",
    "\ufeff",
    "NaN",
    "é" * 400,
)
"""Texts that break careless code: empty, NUL, lone surrogates, letters whose lower case is ASCII, a byte order mark."""
ODD_NUMBERS = (0, 1, -1, 2**63, -(10**400), 1e308, float("nan"), float("inf"), float("-inf"))


@cache
def texts() -> st.SearchStrategy[str]:
    """Return a strategy for any text, including lone surrogates and NUL."""
    return st.sampled_from(ODD_TEXTS) | st.text(st.characters(), max_size=12)


@cache
def json_values() -> st.SearchStrategy[Any]:
    """Return a strategy for any value that `json.loads` can return, including NaN, Infinity and huge integers."""
    scalars = st.none() | st.booleans() | st.sampled_from(ODD_NUMBERS) | st.integers() | st.floats() | texts()
    return st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | json_objects(inner), max_leaves=6)


@cache
def json_objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """Return a strategy for JSON objects of `values`, often with names that occur in events and envelopes."""
    return st.dictionaries(st.sampled_from(MEANINGFUL_NAMES) | texts(), values, max_size=4)


MEANINGFUL_NAMES = (
    *("Records", "eventSource", "EventSource", "messageId", "body", "attributes", "SentTimestamp", "Sns"),
    *(
        "Type",
        "Token",
        "TopicArn",
        "Message",
        "MessageId",
        "Timestamp",
        "source",
        "detail",
        "detail-type",
        "time",
        "id",
    ),
    *("eventType", "notificationType", "mail", "tags", "destination", "messageId", "timestamp", "bounce", "complaint"),
    *("delivery", "subscription", "newTopicPreferences", "unsubscribeAll", "bounceType", "bounceSubType"),
    *(
        "bouncedRecipients",
        "complainedRecipients",
        "recipients",
        "emailAddress",
        "ses:configuration-set",
        "ses:tenant-name",
    ),
)
MEANINGFUL_TEXTS = (
    *("aws:sqs", "aws:sns", "aws:ses", "aws.ses", "Notification", "SubscriptionConfirmation", "Email Bounced"),
    *("Bounce", "Complaint", "Delivery", "Send", "Open", "Rendering Failure", "Received", "Permanent", "Transient"),
    *(RECIPIENT, "2026-03-01T12:00:00.000Z", "true"),
)


DEPTH_OF_DOCUMENTS = 8
"""Depth of nesting up to which values are mutated. Events of SES are less deep."""


def nested(depth: int) -> Any:  # noqa: ANN401 (JSON)
    """Return `depth` nested lists with one element each."""
    value: Any = "innermost"
    for _ in range(depth):
        value = [value]
    return value


# --- SES events -------------------------------------------------------------------------------------------------

BOUNCE_TYPES = ("Permanent", "Transient", "Undetermined", "PERMANENT", "transient", "Temporal", "", None)
BOUNCE_SUB_TYPES = (
    *("General", "NoEmail", "Suppressed", "OnAccountSuppressionList", "OnTenantSuppressionList"),
    *("UnsubscribedRecipient", "EmailValidationSuppressed", "MailboxFull", "mailboxfull", "MessageTooLarge"),
    *("ContentRejected", "AttachmentRejected", "CustomTimeoutExceeded", "Undetermined", "FullMoon", "", None),
)
COMPLAINT_SUB_TYPES = (None, "", "OnAccountSuppressionList", "OnTenantSuppressionList", "Shouted")
FEEDBACK_TYPES = (None, "", "abuse", "auth-failure", "fraud", "not-spam", "NOT-SPAM", "other", "virus", "boredom")

USABLE_ADDRESSES = (
    RECIPIENT,
    RECIPIENT.upper(),
    f"Recipient, The <{RECIPIENT}>",
    f'"<a@b>, \\"c\\"" <{RECIPIENT}>',
    f" <{OTHER_RECIPIENT}> ",
    '"quoted @ <local>"@example.com',
    "plus+tag/slash@example.com",
    "idn@b\u00fccher.example",
    "IDN@XN--BCHER-KVA.example",
    "literal@[192.0.2.1]",
    "dot@example.com.",
)
UNUSABLE_ADDRESSES = (
    *(
        "",
        " ",
        "without-at-sign",
        "@example.com",
        "without-domain@",
        "<>",
        "a@example.com, b@example.com",
        "a@example.com b@example.com",
    ),
    *("<@relay.example:a@example.com>", "<a@example.com> <b@example.com>", "a@exa mple.com", "\ud800@example.com"),
    *("a@\u212a.example", "a\u200b@example.com", "a@" + "x" * 400, "x" * 2_001),
)


@cache
def variants() -> st.SearchStrategy[str]:
    """Return a strategy for recipients as SES may report them, usable or not."""
    return st.sampled_from(USABLE_ADDRESSES) | st.sampled_from(UNUSABLE_ADDRESSES) | texts()


@cache
def _recipients() -> st.SearchStrategy[list[str]]:
    return st.lists(variants(), max_size=3)


@cache
def moments() -> st.SearchStrategy[datetime]:
    """Return a strategy for times within 200 days. Several are often equal, or on the same day."""
    return st.builds(
        lambda day, hour: START.replace(hour=0) + timedelta(days=day, hours=hour),
        st.integers(0, 200),
        st.sampled_from((0, 1, 12, 23.999)),
    )


@cache
def _mails(vocabulary: str) -> st.SearchStrategy[Json]:
    return st.builds(
        lambda destination, configuration_set: a_mail(
            vocabulary, destination=destination, configuration_set=configuration_set
        ),
        _recipients(),
        st.sampled_from((CONFIGURATION_SET, "marketing", "not a name", "x" * 65)),
    )


@cache
@st.composite
def documents(draw: st.DrawFn) -> Json:
    """Draw an event as SES publishes it, of any type, in either vocabulary, with any recipients."""
    vocabulary = draw(st.sampled_from(VOCABULARIES))
    recipients = draw(_recipients())
    common: Json = {"vocabulary": vocabulary, "at": draw(moments())}
    match draw(st.sampled_from(("bounce", "bounce", "complaint", "complaint", "delivery", "subscription", "rest"))):
        case "bounce":
            recipient = draw(st.sampled_from((a_bounced_recipient, an_auto_reply_recipient)))
            types = draw(st.sampled_from(BOUNCE_TYPES)), draw(st.sampled_from(BOUNCE_SUB_TYPES))
            mail = draw(_mails(vocabulary))
            return a_bounce(*types, recipients=[recipient(one) for one in recipients], mail=mail, **common)
        case "complaint":
            types = draw(st.sampled_from(FEEDBACK_TYPES)), draw(st.sampled_from(COMPLAINT_SUB_TYPES))
            return a_complaint(*types, recipients=recipients, mail=draw(_mails(vocabulary)), **common)
        case "delivery":
            return a_delivery(recipients=recipients, mail=draw(_mails(vocabulary)), **common)
        case "subscription":
            everything = draw(st.sampled_from((True, False, "true", None)))
            return a_subscription(unsubscribe_all=everything, destination=recipients, **common)
        case _:
            build = draw(st.sampled_from(_THE_REST))
            return build(vocabulary)


_THE_REST: tuple[Callable[[str], Json], ...] = (
    lambda vocabulary: a_send(vocabulary=vocabulary),
    a_reject,
    a_rendering_failure,
    a_delivery_delay,
    an_open,
    a_click,
)


@cache
@st.composite
def mutated_documents(draw: st.DrawFn) -> Json:
    """Draw an event in which one to four fields are missing, replaced, or wrapped in more JSON."""
    document: Json = json.loads(json.dumps(draw(documents())))
    for _ in range(draw(st.integers(1, 4))):
        # The event type is seldom mutated, because an event without a type tests little.
        unchanged = () if draw(st.integers(0, 9)) == 0 else VOCABULARIES
        places = [
            (container, name) for container, name in slots(document, DEPTH_OF_DOCUMENTS + 1) if name not in unchanged
        ]
        if places:
            container, name = draw(st.sampled_from(places))
            _mutate(draw, container, name)
    return document


def slots(value: Any, levels: int) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 (JSON)
    """Yield each object with each of its names, and each list with each of its indices, down to so many levels."""
    if not levels or not isinstance(value, dict | list):
        return
    for name in value if isinstance(value, dict) else range(len(value)):
        yield value, name
        yield from slots(value[name], levels - 1)


def _mutate(draw: st.DrawFn, container: Any, name: Any) -> None:  # noqa: ANN401 (JSON)
    match draw(st.sampled_from(("delete", "null", "replace", "meaningful", "wrap", "nest", "add"))):
        case "delete":
            del container[name]
        case "null":
            container[name] = None
        case "replace":
            container[name] = draw(json_values())
        case "meaningful":
            container[name] = draw(st.sampled_from(MEANINGFUL_TEXTS))
        case "wrap":
            inner = container[name]
            container[name] = draw(st.sampled_from(([inner], {"value": inner}, [inner, inner])))
        case "nest":
            container[name] = nested(draw(st.sampled_from((2, 20_000))))
        case _ if isinstance(container, dict):
            container[draw(st.sampled_from(MEANINGFUL_NAMES) | texts())] = draw(json_values())
        case _:
            container.append(draw(json_values()))


# --- Facts and contacts -----------------------------------------------------------------------------------------

AFTER_ALL_SOFT_BOUNCES = on_day(3_000)
"""A time after all soft bounces that strategies draw, so that a clean delivery ends every suspension."""
SOFT_BOUNCE_VERDICTS = (Verdict.SOFT_BOUNCE, Verdict.DELIVERED)
"""Verdicts whose effect is visible only without stronger ones, such as a hard bounce."""
_VARIANTS_OF_RECIPIENT = (RECIPIENT, "Recipient@example.com", "RECIPIENT@example.com")


@cache
def limits() -> st.SearchStrategy[Limits]:
    """Return a strategy for the limits that a stack can configure."""
    return st.builds(
        Limits,
        st.integers(1, 30),
        st.sampled_from((1, 2, 30, 90, 400)),
        st.booleans(),
        st.booleans(),
        st.sampled_from((0, 1, 30)),
        st.booleans(),
    )


@cache
@st.composite
def facts(draw: st.DrawFn, verdicts: Sequence[Verdict] = tuple(Verdict)) -> Fact:
    """Draw a fact about one contact, with one of a few address variants, of one of a few emails."""
    verdict = draw(st.sampled_from(verdicts))
    at = draw(moments() | st.just(AFTER_ALL_SOFT_BOUNCES))
    register = draw(st.sampled_from(_REGISTERS_OF.get(verdict, (None,))))
    streams = _STREAMS_OF.get(register or Register.NONE, ("",))
    return a_fact(
        verdict,
        at,
        address=draw(st.sampled_from(_VARIANTS_OF_RECIPIENT)),
        reason=draw(st.sampled_from(("Permanent/General", "Complaint/abuse"))),
        configuration_set=draw(st.sampled_from(("", CONFIGURATION_SET))),
        register=register,
        mailed_at=at - timedelta(days=draw(st.sampled_from((0, 0, 0, 1, 5, 9)))) if at > on_day(9) else at,
        message_id=draw(st.sampled_from(("one", "two", "three"))),
        stream=draw(st.sampled_from(streams)),
    )


_STREAMS = ("newsletter", "receipts")
_STREAMS_OF = {Register.UNSUBSCRIBED_FROM: _STREAMS, Register.OPTED_INTO: ("", *_STREAMS)}
_REGISTERS_OF: dict[Verdict, tuple[Register, ...]] = {
    Verdict.SUPPRESS: (Register.BOUNCED, Register.GLOBALLY_SUPPRESSED),
    Verdict.UNSUBSCRIBE: (Register.UNSUBSCRIBED, Register.UNSUBSCRIBED_FROM),
    Verdict.SUBSCRIBE: (Register.OPTED_INTO,),
    Verdict.SOFT_BOUNCE: (Register.SOFT_BOUNCES, Register.SOFT_BOUNCES, Register.NAMELESS),
    Verdict.ECHO: (Register.LISTED_BOUNCE, Register.LISTED_COMPLAINT),
}


@cache
@st.composite
def accepted_then_bounced(draw: st.DrawFn) -> list[Fact]:
    """Draw deliveries on many days, and soft bounces of the same emails up to six days later."""
    first, number, late = draw(st.integers(10, 100)), draw(st.integers(1, 45)), draw(st.integers(0, 6))
    history = []
    for day in range(first, first + number):
        email: dict[str, Any] = {"mailed_at": on_day(day), "message_id": "accepted"}
        history.append(a_fact(Verdict.DELIVERED, on_day(day), **email))
        if draw(st.integers(0, 5)):
            history.append(a_fact(Verdict.SOFT_BOUNCE, on_day(day + late), **email))
    return history


@cache
@st.composite
def opt_out_storms(draw: st.DrawFn) -> list[Fact]:
    """Draw opt-outs from about as many streams as a contact keeps, or more."""
    streams = [f"stream-{number:02d}" for number in range(draw(st.integers(KEPT_STREAMS - 2, KEPT_STREAMS + 3)))]
    register = Register.UNSUBSCRIBED_FROM
    return [a_fact(Verdict.UNSUBSCRIBE, on_day(1), register=register, stream=stream) for stream in streams]


@cache
@st.composite
def runs_of_soft_bounces(draw: st.DrawFn) -> list[Fact]:
    """Draw soft bounces at regular intervals, often on more days than a contact keeps."""
    first, interval, number = draw(st.integers(0, 100)), draw(st.sampled_from((1, 2, 9, 40))), draw(st.integers(1, 45))
    return soft_bounce_days(*range(first, first + interval * number, interval))


@cache
@st.composite
def forgotten_suspensions(draw: st.DrawFn) -> list[Fact]:
    """Draw soft bounces that suspend, then so many at long intervals that the contact no longer keeps the first."""
    first, number = draw(st.integers(0, 100)), draw(st.integers(28, 40))
    return soft_bounce_days(*range(first, first + 5), *range(first + 50, first + 50 + 50 * number, 50))


@cache
@st.composite
def variant_storms(draw: st.DrawFn, verdicts: Sequence[Verdict]) -> list[Fact]:
    """Draw facts with many address variants, often more than a contact keeps."""
    verdict = draw(st.sampled_from(verdicts))
    letters = len("recipient")
    masks = draw(st.lists(st.integers(0, 2**letters - 1), min_size=10, max_size=30, unique=True))
    locals_ = ("".join(c.upper() if mask >> i & 1 else c for i, c in enumerate("recipient")) for mask in masks)
    return [a_fact(verdict, on_day(1), address=f"{local}@example.com") for local in locals_]


def orders(items: Sequence[T]) -> st.SearchStrategy[list[T]]:
    """Return a strategy for orders of `items`. Unlike `st.permutations`, it uses one choice of Hypothesis."""
    return st.integers(0, 2**32).map(lambda seed: Random(seed).sample(items, len(items)))  # noqa: S311 (not used for secrets)


@cache
def _parts(verdicts: Sequence[Verdict]) -> st.SearchStrategy[list[list[Fact]]]:
    single = facts(verdicts).map(lambda fact: [fact])
    return st.lists(
        st.one_of(
            single,
            single,
            single,
            runs_of_soft_bounces(),
            forgotten_suspensions(),
            variant_storms(verdicts),
            accepted_then_bounced() if Verdict.DELIVERED in verdicts else single,
            opt_out_storms() if Verdict.UNSUBSCRIBE in verdicts else single,
        ),
        max_size=8,
    )


@cache
@st.composite
def histories(draw: st.DrawFn, *, verdicts: Sequence[Verdict] = tuple(Verdict), shuffled: bool = True) -> list[Fact]:
    """Draw facts that SES may report about one contact, in any order."""
    history = [fact for part in draw(_parts(verdicts)) for fact in part]
    return draw(orders(history)) if shuffled else history


@cache
@st.composite
def contacts(draw: st.DrawFn) -> Contact:
    """Draw a contact that results from facts, reinstatements and releases."""
    opted_in, cleared = draw(st.none() | moments()), draw(st.none() | moments())
    contact = a_contact(*draw(histories(shuffled=False)), opted_in=opted_in, cleared=cleared)
    releases = tuple(sorted(draw(st.sets(st.integers(day_of_time(START), day_of_time(START) + 150), max_size=4))))
    return merge(contact, Contact(contact.address, releases=releases))

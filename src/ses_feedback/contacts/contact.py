"""Registers of a contact, and their merge.

A contact is a join-semilattice: each register is a maximum or a bounded union of all evidence of its kind. Feedback may
therefore arrive in any order and any number of times; the contact ends the same. Everything else about a contact
(status, may_send, the required list entry) is a function of its registers (`status`).
"""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from ses_feedback.immutable import Struct
from ses_feedback.judging.facts import Fact, Register, Tags, Verdict
from ses_feedback.message_order import NUMBERS_A_DAY, day_of_message, day_of_time

MAX_SOFT_BOUNCE_LIMIT = 30
"""Largest `SoftBounceLimit`, and the soft-bounce days that suspend without regard to the window."""
MAX_LATENESS = 7
"""Days by which a soft bounce may follow its email; later ones count as this late."""
KEPT_DAYS = MAX_SOFT_BOUNCE_LIMIT + MAX_LATENESS
"""Latest days kept of deliveries and of soft bounces: the last clean day stays while it can matter."""
KEPT_SOFT_BOUNCES_A_DAY = 2
"""Least message numbers kept of the soft bounces of one day."""
KEPT_RELEASES = 4
"""Latest releases kept, and the most that follow one another without a clean delivery."""
KEPT_NAMELESS_DAYS = 2
"""Latest days kept with a permanent bounce that named no recipient."""
KEPT_VARIANTS = 16
"""Address variants kept of one contact."""
KEPT_STREAMS = 65
"""Names kept of streams: a contact with this many opt-outs counts as unsubscribed."""
ALL_EMAIL = "*"
"""Key of `opted_into` for all email. No stream has this name: streams use `[A-Za-z0-9_-]`."""


class Evidence(Struct, frozen=True, order=True):
    """Time, reason and origin of a register's value. The latest is kept.

    `status_code` is the enhanced status code x.y.z of a bounce (https://www.rfc-editor.org/rfc/rfc3463).
    """

    at: datetime
    reason: str = ""
    configuration_set: str = ""
    message_id: str = ""
    status_code: str = ""
    tags: Tags = ()


Streams = tuple[tuple[str, Evidence], ...]
"""Latest evidence by stream, in order of name."""

_Comparable = TypeVar("_Comparable", Evidence, int)
_Element = TypeVar("_Element", str, int)


class Contact(Struct, frozen=True):
    """Registers of one address. The defaults are those of an unknown contact.

    First-hand evidence: `complained`, `bounced`, `nameless` (permanent bounces that name no recipient, with their
    latest two days in `nameless_days`), `unsubscribed`, `soft_bounced` (the latest soft bounce). Evidence of lists:
    `globally_suppressed` (SES's global list), `listed_bounce` and `listed_complaint` (echoes of the account's list).

    Message numbers (`message_order`): `delivered` has the least number delivered on each of the latest days,
    `soft_bounces` the least two that soft-bounced. `late` is the most days by which a soft bounce followed its email.
    `releases` has the last soft-bounce day of each suspension that ended.

    Requests: `cleared` (an operator's reinstatement), `opted_in` (the person's own), `unsubscribed_from` and
    `opted_into` by stream.
    """

    address: str
    variants: tuple[str, ...] = ()
    complained: Evidence | None = None
    bounced: Evidence | None = None
    globally_suppressed: Evidence | None = None
    nameless: Evidence | None = None
    unsubscribed: Evidence | None = None
    listed_bounce: Evidence | None = None
    listed_complaint: Evidence | None = None
    soft_bounced: Evidence | None = None
    cleared: Evidence | None = None
    opted_in: Evidence | None = None
    delivered: tuple[int, ...] = ()
    soft_bounces: tuple[int, ...] = ()
    late: int = 0
    releases: tuple[int, ...] = ()
    nameless_days: tuple[int, ...] = ()
    unsubscribed_from: Streams = ()
    opted_into: Streams = ()


EVIDENCE_REGISTERS = (
    "complained",
    "bounced",
    "globally_suppressed",
    "nameless",
    "unsubscribed",
    "listed_bounce",
    "listed_complaint",
    "soft_bounced",
    "cleared",
    "opted_in",
)


def merge(one: Contact, other: Contact) -> Contact:
    """Return the contact with all evidence of both. Commutative, associative and idempotent.

    Raises:
        ValueError: the contacts have different addresses.

    """
    if one.address != other.address:
        raise ValueError("only contacts with the same address can be merged")
    # Written out register by register: this runs for every fact, and a loop over names takes twice as long.
    return Contact(
        one.address,
        # Each cut keeps associativity: the least or latest elements of a union are those of the parts' cuts.
        variants=_union(one.variants, other.variants)[:KEPT_VARIANTS],
        complained=_latest(one.complained, other.complained),
        bounced=_latest(one.bounced, other.bounced),
        globally_suppressed=_latest(one.globally_suppressed, other.globally_suppressed),
        nameless=_latest(one.nameless, other.nameless),
        unsubscribed=_latest(one.unsubscribed, other.unsubscribed),
        listed_bounce=_latest(one.listed_bounce, other.listed_bounce),
        listed_complaint=_latest(one.listed_complaint, other.listed_complaint),
        soft_bounced=_latest(one.soft_bounced, other.soft_bounced),
        cleared=_latest(one.cleared, other.cleared),
        opted_in=_latest(one.opted_in, other.opted_in),
        delivered=_union_by_day(one.delivered, other.delivered, 1),
        soft_bounces=_union_by_day(one.soft_bounces, other.soft_bounces, KEPT_SOFT_BOUNCES_A_DAY),
        late=max(one.late, other.late),
        releases=_union(one.releases, other.releases)[-KEPT_RELEASES:],
        nameless_days=_union(one.nameless_days, other.nameless_days)[-KEPT_NAMELESS_DAYS:],
        unsubscribed_from=_union_of_streams(one.unsubscribed_from, other.unsubscribed_from),
        opted_into=_union_of_streams(one.opted_into, other.opted_into),
    )


def learn_facts(contact: Contact, facts: Iterable[Fact]) -> Contact:
    """Return `contact` with the evidence of `facts`, all about its address."""
    unknown = Contact(contact.address)
    for fact in facts:
        if not _is_known_delivery(contact, fact):
            learnt = contact_of(fact)
            # An unknown contact is the identity of `merge`, and comparing is faster than merging.
            contact = learnt if contact == unknown else merge(contact, learnt)
    return contact


def _is_known_delivery(contact: Contact, fact: Fact) -> bool:
    """True if `fact` is a delivery that changes nothing. Most facts are, so this comes before any merge."""
    if fact.verdict is not Verdict.DELIVERED or (fact.address.variant and fact.address.variant not in contact.variants):
        return False
    day = fact.message // NUMBERS_A_DAY
    delivered = contact.delivered
    if len(delivered) == KEPT_DAYS and day < delivered[0] // NUMBERS_A_DAY:
        return True
    return any(number <= fact.message for number in reversed(delivered) if number // NUMBERS_A_DAY == day)


def contact_of(fact: Fact) -> Contact:
    """Return a contact with the evidence of `fact` alone."""
    address = fact.address.key
    variants = (fact.address.variant,) if fact.address.variant else ()
    if fact.verdict is Verdict.DELIVERED:
        return Contact(address, variants, delivered=(fact.message,))
    make = _CONTACT_OF_REGISTER.get(fact.register)
    return make(address, variants, fact, _evidence(fact)) if make else Contact(address, variants)


def _evidence(fact: Fact) -> Evidence:
    details = fact.details
    keeps_tags = fact.register in _REGISTERS_WITH_TAGS
    return Evidence(
        fact.at,
        fact.reason,
        fact.configuration_set,
        details.message_id,
        enhanced_status_code(details.status),
        details.tags if keeps_tags else (),
    )


@lru_cache(1024)
def enhanced_status_code(status: str) -> str:
    """Return the enhanced status code at the start of a DSN's status, or an empty string.

    Any other text of a mail server may name an address, and the code is published.
    """
    found = _STATUS_CODE.match(status.strip())
    return found[0] if found else ""


# https://www.rfc-editor.org/rfc/rfc3463#section-2
_STATUS_CODE = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?![0-9])")
_REGISTERS_WITH_TAGS = frozenset({Register.BOUNCED, Register.COMPLAINED})
"""Registers whose tags are published with a change of status."""


def _soft_bounced(address: str, variants: tuple[str, ...], fact: Fact, evidence: Evidence) -> Contact:
    lateness = day_of_time(fact.at) - day_of_message(fact.message)
    return Contact(
        address,
        variants,
        soft_bounced=evidence,
        soft_bounces=(fact.message,),
        late=min(max(lateness, 0), MAX_LATENESS),
    )


def _nameless(address: str, variants: tuple[str, ...], fact: Fact, evidence: Evidence) -> Contact:
    soft = _soft_bounced(address, variants, fact, evidence)
    return merge(soft, Contact(address, nameless=evidence, nameless_days=(day_of_message(fact.message),)))


def _opted_out(address: str, variants: tuple[str, ...], fact: Fact, evidence: Evidence) -> Contact:
    return Contact(address, variants, unsubscribed_from=((fact.stream, evidence),))


def _opted_into(address: str, variants: tuple[str, ...], fact: Fact, evidence: Evidence) -> Contact:
    return Contact(address, variants, opted_into=((fact.stream or ALL_EMAIL, evidence),))


def _single(register: Register) -> Callable[[str, tuple[str, ...], Fact, Evidence], Contact]:
    def make(address: str, variants: tuple[str, ...], _: Fact, evidence: Evidence) -> Contact:
        registers: dict[str, Any] = {register.value: evidence}
        return Contact(address, variants, **registers)

    return make


_CONTACT_OF_REGISTER: dict[Register, Callable[[str, tuple[str, ...], Fact, Evidence], Contact]] = {
    Register.SOFT_BOUNCES: _soft_bounced,
    Register.NAMELESS: _nameless,
    Register.UNSUBSCRIBED_FROM: _opted_out,
    Register.OPTED_INTO: _opted_into,
    **{
        register: _single(register)
        for register in (
            Register.COMPLAINED,
            Register.BOUNCED,
            Register.GLOBALLY_SUPPRESSED,
            Register.LISTED_BOUNCE,
            Register.LISTED_COMPLAINT,
            Register.UNSUBSCRIBED,
        )
    },
}


def changes_contact(fact: Fact) -> bool:
    """True if `fact` is merged into a register; other facts are stored in the history at most."""
    return fact.register is not Register.NONE


def _latest(one: _Comparable | None, other: _Comparable | None) -> _Comparable | None:
    if one is None or other is None:
        return one or other
    return max(one, other)


def _union(one: tuple[_Element, ...], other: tuple[_Element, ...]) -> tuple[_Element, ...]:
    if one == other or not other:
        return one
    return tuple(sorted(set(one) | set(other))) if one else other


def _union_by_day(one: tuple[int, ...], other: tuple[int, ...], kept_a_day: int) -> tuple[int, ...]:
    """Return the least `kept_a_day` message numbers of each of the latest `KEPT_DAYS` days."""
    if one == other or not other:
        return one
    if not one:
        return other
    kept: list[int] = []
    days = 0
    day, of_day = -1, 0
    numbers = sorted({*one, *other})
    for number in numbers:
        its_day = number // NUMBERS_A_DAY
        if its_day != day:
            day, of_day, days = its_day, 0, days + 1
        if of_day < kept_a_day:
            kept.append(number)
        of_day += 1
    if days <= KEPT_DAYS:
        return tuple(kept)
    first = sorted({number // NUMBERS_A_DAY for number in kept})[-KEPT_DAYS] * NUMBERS_A_DAY
    return tuple(number for number in kept if number >= first)


def _union_of_streams(one: Streams, other: Streams) -> Streams:
    if one == other or not other:
        return one
    if not one:
        return other
    latest = dict(one)
    for name, evidence in other:
        latest[name] = max(latest[name], evidence) if name in latest else evidence
    return tuple(sorted(latest.items())[:KEPT_STREAMS])

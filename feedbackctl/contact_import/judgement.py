"""The effect of an entry on a contact. An import adds evidence to the registers of feedback, and removes none."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from feedbackctl.suppression_files.model import Entry, Kind
from ses_feedback.contacts.contact import ALL_EMAIL, Contact, Evidence, merge
from ses_feedback.contacts.status import last_clean_day
from ses_feedback.judging.recipients import is_simulator
from ses_feedback.message_order import HASH_BITS, NUMBERS_A_DAY, number_message


class Outcome(StrEnum):
    """What happens to an entry; the value is its name in JSON."""

    IMPORT = "import"
    KNOWN = "known"
    DELIVERED_SINCE = "delivered_since"
    REINSTATED_SINCE = "reinstated_since"
    SOFT = "soft"
    NOT_SUPPRESSED = "not_suppressed"
    SIMULATOR = "simulator"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Rules:
    """Choices of the operator. `at` is the time of entries without a date; `streams` are the stack's.

    `stream` makes each opt-out one of that stream. `include_soft` imports soft bounces and blocks as hard bounces,
    `force` also bounces from before a delivery.
    """

    source: str
    at: datetime
    streams: frozenset[str] = frozenset()
    stream: str = ""
    include_soft: bool = False
    force: bool = False

    def judge(self, contact: Contact, entry: Entry) -> Contact | Outcome:
        """Return what is merged into the contact, or why nothing is."""
        skipped = self._skip(contact, entry)
        if skipped:
            return skipped
        evidence = Evidence(entry.at or self.at, self.reason(entry), status_code=entry.status_code)
        addition = _addition(contact.address, entry.kind, self.opt_outs(entry), evidence)
        if merge(contact, addition) == contact:
            return Outcome.KNOWN
        return merge(addition, Contact(contact.address, (entry.address.variant,)))

    def reason(self, entry: Entry) -> str:
        """Return the reason of the evidence. It may be published, so it has none of the other system's text."""
        return f"Import/{self.source}-{entry.kind.value}"

    def opt_outs(self, entry: Entry) -> tuple[str, ...]:
        """Return the streams of an opt-out, or nothing for all email: an unknown stream's means everything."""
        if self.stream:
            return (self.stream,)
        names = tuple(name.strip() for name in entry.stream.split(",") if name.strip())
        return names if set(names) <= self.streams else ()

    def _skip(self, contact: Contact, entry: Entry) -> Outcome | None:
        if entry.kind is Kind.NONE:
            return Outcome.NOT_SUPPRESSED
        if entry.kind is Kind.SOFT and not self.include_soft:
            return Outcome.SOFT
        if is_simulator(contact.address):
            return Outcome.SIMULATOR
        if not self.force and entry.kind in {Kind.BOUNCE, Kind.SOFT} and _is_delivered_since(contact, entry.at):
            return Outcome.DELIVERED_SINCE
        opt_outs = self.opt_outs(entry)
        overriding = _overriding(contact, entry.kind, opt_outs)
        if overriding and (entry.at is None or entry.at <= overriding.at):
            return Outcome.REINSTATED_SINCE
        # An entry without a date is older than all that is known.
        if entry.at is None and _is_in_registers(contact, entry.kind, opt_outs):
            return Outcome.KNOWN
        return None


def _is_delivered_since(contact: Contact, at: datetime | None) -> bool:
    """True if an email that was sent after `at` was delivered and did not bounce."""
    day = last_clean_day(contact)
    if day < 0:
        return False
    delivered = max(number for number in contact.delivered if number // NUMBERS_A_DAY == day)
    return at is None or number_message(at, "") >> HASH_BITS < delivered >> HASH_BITS


def _overriding(contact: Contact, kind: Kind, opt_outs: tuple[str, ...]) -> Evidence | None:
    """Return the latest evidence that makes an earlier entry of this kind void, or None."""
    found = [contact.opted_in]
    if kind is Kind.UNSUBSCRIBE:
        opted_into = dict(contact.opted_into)
        opt_ins = [opted_into.get(name) for name in opt_outs or (ALL_EMAIL,)]
        # One of several streams that the person did not opt into again keeps the entry.
        if all(opt_ins):
            found.append(min(one for one in opt_ins if one))
    elif kind is not Kind.COMPLAINT:
        found.append(contact.cleared)
    return max((one for one in found if one), default=None)


def _is_in_registers(contact: Contact, kind: Kind, opt_outs: tuple[str, ...]) -> bool:
    match kind:
        case Kind.COMPLAINT:
            return contact.complained is not None
        case Kind.UNSUBSCRIBE if opt_outs:
            return set(opt_outs) <= dict(contact.unsubscribed_from).keys()
        case Kind.UNSUBSCRIBE:
            return contact.unsubscribed is not None
        case _:
            return contact.bounced is not None


def _addition(address: str, kind: Kind, opt_outs: tuple[str, ...], evidence: Evidence) -> Contact:
    match kind:
        case Kind.COMPLAINT:
            return Contact(address, complained=evidence)
        case Kind.UNSUBSCRIBE if opt_outs:
            return Contact(address, unsubscribed_from=tuple((name, evidence) for name in sorted(set(opt_outs))))
        case Kind.UNSUBSCRIBE:
            return Contact(address, unsubscribed=evidence)
        case _:
            return Contact(address, bounced=evidence)

"""The run of a command that continues an interrupted one: what was stored then is not stored again."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from feedbackctl.stack import Stack
from ses_feedback.aws.batches import batched
from ses_feedback.contacts.contact import EVIDENCE_REGISTERS, Contact, Evidence
from ses_feedback.contacts.repository import READ_AT_ONCE

CONTINUED = timedelta(hours=1)
"""Time in which the same fact is the continuation of an interrupted command. A later one is a fact of its own."""
_REQUESTS = ("cleared", "opted_in", "unsubscribed")
_CLEARING = frozenset({"cleared", "opted_in"})
"""Requests that feedback from later on outdates."""
_STREAMS = ("unsubscribed_from", "opted_into")

_FEEDBACK = frozenset(EVIDENCE_REGISTERS) - frozenset(_REQUESTS)


def group_by_time(stack: Stack, additions: Mapping[str, Contact], now: datetime) -> dict[datetime, list[str]]:
    """Return the addresses by the time at which their addition was first stored, or under `now`.

    An addition has one register, with evidence of `now`. A contact that cannot be read is under `now`.
    """
    groups: dict[datetime, list[str]] = {}
    for some in batched(additions, READ_AT_ONCE):
        stored = stack.repository.read(some, {}, consistent=True)
        for address in some:
            record = stored.get(address)
            earlier = find_earlier(record.contact, additions[address]) if record else None
            groups.setdefault(earlier or now, []).append(address)
    return groups


def find_earlier(stored: Contact, addition: Contact) -> datetime | None:
    """Return the time at which the addition's evidence was stored before, or None if it was not or no longer counts."""
    known = dict(_evidence(stored))
    latest = max((evidence.at for register, evidence in known.items() if register[0] not in _FEEDBACK), default=None)
    latest_feedback = [evidence.at for register, evidence in known.items() if register[0] in _FEEDBACK]
    for register, evidence in _evidence(addition):
        earlier = known.get(register)
        if earlier and register[0] in _CLEARING and any(at > earlier.at for at in latest_feedback):
            return None
        if earlier and earlier.reason == evidence.reason and evidence.at - CONTINUED < earlier.at <= evidence.at:
            return earlier.at if latest is None or earlier.at >= latest else None
    return None


def _evidence(contact: Contact) -> Iterator[tuple[tuple[str, str], Evidence]]:
    """Yield the evidence by its register, and by its stream if the register has one for each."""
    for name in EVIDENCE_REGISTERS:
        evidence = getattr(contact, name)
        if evidence is not None:
            yield (name, ""), evidence
    for name in _STREAMS:
        yield from (((name, stream), evidence) for stream, evidence in getattr(contact, name))

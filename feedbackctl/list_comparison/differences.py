"""Differences between the suppression list and what the contacts require."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from feedbackctl.contacts.denials import describe_unread
from feedbackctl.contacts.filters import ContactFilter
from feedbackctl.contacts.search import ContactSearch
from feedbackctl.errors import UnknownResultError
from feedbackctl.list_comparison.list_pages import Listed, read_list
from feedbackctl.list_comparison.listed_index import ListedIndex
from feedbackctl.stack import Stack
from ses_feedback.address import AddressError, parse_address
from ses_feedback.aws.batches import batched
from ses_feedback.contacts.contact import Contact
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.contacts.repository import READ_AT_ONCE
from ses_feedback.contacts.status import UNLISTED, Limits, Status, list_reason, required_list_reason
from ses_feedback.judging.facts import ListReason
from ses_feedback.judging.recipients import is_simulator

SAMPLES = 10


class Difference(StrEnum):
    """How an entry or a contact differs; the value is its name in JSON."""

    IN_STEP = "in_step"
    PENDING = "pending"
    """The stack still has to write the entry."""
    MISSING = "missing"
    """A contact requires an entry, and the list has none."""
    OTHER_REASON = "other_reason"
    """The entry has the reason BOUNCE, and the contact requires COMPLAINT."""
    STALE = "stale"
    """The entry is this stack's own, or older than a reinstatement, and the contact requires none."""
    WITHOUT_CONTACT = "without_contact"
    NOT_REQUIRED = "not_required"
    """The contact requires no entry, or only one for bounces, and nothing shows that the stack wrote it."""
    NOT_UNDERSTOOD = "not_understood"
    """The address or the reason of the entry is unknown, or the contact's item is unreadable."""
    UNLISTABLE = "unlistable"
    """SES does not accept an entry for the contact's address."""


REPAIRED = (Difference.MISSING, Difference.OTHER_REASON, Difference.STALE)
"""Differences that a reconciliation repairs. All other entries stay as they are."""

_REASONS = frozenset(reason.value for reason in ListReason)


@dataclass
class Comparison:
    """Numbers and samples by difference, and the contacts to repair."""

    counts: Counter[Difference] = field(default_factory=Counter)
    samples: dict[Difference, list[str]] = field(default_factory=dict)
    index: ListedIndex = field(default_factory=ListedIndex)
    entries: int = 0

    @property
    def repairs(self) -> int:
        """Number of differences that a reconciliation repairs."""
        return sum(self.counts[one] for one in REPAIRED)

    def add(self, difference: Difference, address: str) -> Difference:
        """Count a difference, and return it."""
        self.counts[difference] += 1
        samples = self.samples.setdefault(difference, [])
        if len(samples) < SAMPLES and difference is not Difference.IN_STEP:
            samples.append(address)
        return difference

    def close(self) -> None:
        """Delete the temporary file of the index."""
        self.index.close()

    def as_json(self) -> dict[str, Any]:
        """Return the numbers and samples as fields of JSON."""
        return {
            "entries": self.entries,
            "differences": {
                one.value: {"count": self.counts[one], "samples": self.samples.get(one, [])} for one in Difference
            },
        }


def compare(stack: Stack, comparison: Comparison, advance: Callable[[int], None]) -> Iterator[str]:
    """Compare all entries, then all contacts. Yield the address of each contact that a reconciliation repairs.

    Raises:
        UnknownResultError: SES or DynamoDB did not answer.

    """
    limits = stack.settings.limits
    for page in read_list(stack):
        new = [(entry, _address(entry.variant)) for entry in page]
        new = [(entry, address) for entry, address in new if comparison.index.add(entry.variant, address)]
        comparison.entries += len(new)
        for some in batched(new, READ_AT_ONCE):
            records = _read(stack, {address for _, address in some if address})
            for entry, address in some:
                difference = judge_entry(entry, records.get(address), limits)
                if comparison.add(difference, entry.variant) in REPAIRED:
                    yield address
        advance(len(page))
    yield from _missing(stack, comparison, advance)


def _missing(stack: Stack, comparison: Comparison, advance: Callable[[int], None]) -> Iterator[str]:
    limits = stack.settings.limits
    statuses = tuple(status for status in Status if list_reason(status, limits))
    for found in ContactSearch(stack, ContactFilter(statuses=statuses)).find():
        advance(1)
        address = found.record.contact.address
        if not comparison.index.has(address):
            difference = judge_unlisted(found.record, limits)
            if difference and comparison.add(difference, address) in REPAIRED:
                yield address


def judge_entry(entry: Listed, record: ContactRecord | None, limits: Limits) -> Difference:
    """Return how an entry differs from its contact. `record` is None without an address or a readable item."""
    if record is None or entry.reason not in _REASONS:
        return Difference.NOT_UNDERSTOOD
    if not record.rev:
        return Difference.WITHOUT_CONTACT
    if record.list_pending or record.lease:
        return Difference.PENDING
    required = required_list_reason(record.contact, limits)
    if required is None:
        return Difference.STALE if _is_stale(entry, record) else Difference.NOT_REQUIRED
    if entry.reason == required:
        return Difference.IN_STEP
    # SES may have added a complaint whose event has not arrived.
    return Difference.OTHER_REASON if required is ListReason.COMPLAINT else Difference.NOT_REQUIRED


def judge_unlisted(record: ContactRecord, limits: Limits) -> Difference | None:
    """Return how a contact without an entry differs, or None if it requires none."""
    required = required_list_reason(record.contact, limits)
    if required is None:
        return None
    if record.list_pending or record.lease:
        return Difference.PENDING
    variants = (*record.contact.variants, record.contact.address)
    # A local part must be ASCII: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Destination.html
    can_be_listed = any(variant.isascii() for variant in variants) and not is_simulator(record.contact.address)
    return Difference.MISSING if can_be_listed else Difference.UNLISTABLE


def _is_stale(entry: Listed, record: ContactRecord) -> bool:
    if record.synced not in {None, UNLISTED}:
        return True
    reinstated = _reinstated_at(record.contact)
    return reinstated is not None and entry.updated_at <= reinstated


def _reinstated_at(contact: Contact) -> datetime | None:
    return max((one.at for one in (contact.cleared, contact.opted_in) if one), default=None)


def _address(variant: str) -> str:
    """Return the contact's key, or an empty text if the entry is not an address."""
    try:
        return parse_address(variant).key
    except AddressError:
        return ""


def _read(stack: Stack, addresses: set[str]) -> dict[str, ContactRecord]:
    unread: dict[str, str] = {}
    records = stack.repository.read(addresses, unread, consistent=True) if addresses else {}
    reasons = describe_unread(unread)
    if reasons:
        raise UnknownResultError(f"DynamoDB did not return all contacts ({reasons}). Try again.")
    return records

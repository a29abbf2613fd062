"""Protocols of the objects that the sync works with. Tests pass fakes for them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from ses_feedback.aws.errors import CONDITION_FAILED
from ses_feedback.aws.refusals import Refusal
from ses_feedback.contacts.preferences_change import PreferencesChange
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.contacts.status_change import StatusChange
from ses_feedback.judging.facts import ListReason
from ses_feedback.suppression.report import SyncReport

READ_AT_ONCE = 100
"""Contacts read in one call: the limit of BatchGetItem.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
"""
LOST_RACE = CONDITION_FAILED
"""The result of `PendingContacts.write` if another worker wrote the contact after it was read."""

PendingAddress = tuple[datetime, str]
"""The time since which a contact is pending, and its address."""
ContactEvent = StatusChange | PreferencesChange
"""An event about a contact."""
ReadPending = Callable[[Sequence[str]], Sequence[ContactRecord]]
"""Reads contacts, publishes their pending events and returns those whose list entries are pending now."""


class StoredContacts(Protocol):
    """Contacts that can be read and written."""

    def read(self, addresses: Iterable[str], failed: dict[str, str], *, consistent: bool) -> dict[str, ContactRecord]:
        """Return contacts; put the addresses that cannot be read into `failed`, with the reason."""

    def write(self, stored: ContactRecord) -> str | None:
        """Write a contact under its optimistic lock; return None, or why it was not written."""


class PendingContacts(StoredContacts, Protocol):
    """The contact repository, as far as the sync needs it."""

    def find_pending(self, before: datetime) -> Iterator[PendingAddress]:
        """Yield the contacts that are pending since `before` or longer, the oldest first."""


class ListEntries(Protocol):
    """The entries of the suppression list."""

    def put(self, address: str, reason: ListReason) -> Refusal | None:
        """Put an entry on the list; return None, or why SES did not."""

    def delete(self, address: str) -> Refusal | None:
        """Take an entry off the list; return None, or why SES did not."""


class CallLimiter(Protocol):
    """The rate limiter of all SES calls."""

    def acquire(self, deadline: datetime) -> Refusal | None:
        """Wait until a call may be made; return None, or why no call may be made before `deadline`."""


class ContactEventPublisher(Protocol):
    """Publishes events about contacts. `unresponsive` is True if the latest call was not answered."""

    unresponsive: bool

    def publish(self, events: Sequence[ContactEvent]) -> Sequence[ContactEvent]:
        """Publish `events`; return those that were published."""


class SuspensionEnder(Protocol):
    """Ends suspensions."""

    def release_ended(self, deadline: datetime) -> int:
        """End suspensions that are over, until `deadline`; return their number."""


class BacklogImporter(Protocol):
    """Has SES import entries if one call after another would take too long."""

    def settle_finished(self, deadline: datetime, report: SyncReport) -> None:
        """Update the contacts of import jobs that are over."""

    def start_import(
        self, pending: Iterator[PendingAddress], read_pending: ReadPending, deadline: datetime, report: SyncReport
    ) -> Iterator[PendingAddress]:
        """Start an import job if too many contacts are pending; return the contacts that it does not include."""

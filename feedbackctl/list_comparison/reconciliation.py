"""Repair of differences: the contact is marked, and the stack writes its entry under its lease and rate limiter."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from feedbackctl.contacts.batch_results import BatchResults, require_history
from feedbackctl.contacts.history import OperatorAction, operator_item
from feedbackctl.list_comparison.listed_index import ListedIndex
from feedbackctl.stack import Stack
from ses_feedback.aws.batches import batched
from ses_feedback.contacts.contact import Contact, merge
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.contacts.repository import READ_AT_ONCE
from ses_feedback.handlers.deadline import utc_now
from ses_feedback.immutable import replace


@dataclass
class Reconciliation:
    """Marks contacts whose list entry must be written. `results` has the numbers by result.

    A contact that is pending already stays as it is. Its history item is written before it, with a key that depends on
    the operation: a run that is interrupted anywhere can be repeated.
    """

    stack: Stack
    action: OperatorAction
    index: ListedIndex
    results: BatchResults = field(default_factory=BatchResults)

    def run(self, addresses: Iterable[str], advance: Callable[[int], None]) -> None:
        """Mark the contacts.

        Raises:
            OperatorError: DynamoDB did not accept a history item. The contacts of its batch are unchanged.

        """
        for batch in batched(addresses, READ_AT_ONCE):
            self.results.repeat(list(dict.fromkeys(batch)), self._mark)
            advance(len(batch))

    def _mark(self, addresses: Sequence[str]) -> list[str]:
        """Mark contacts, and return those that another process was faster to change."""
        unread: dict[str, str] = {}
        stored = self.stack.repository.read(addresses, unread, consistent=True)
        self.results.add_unread(unread)
        waiting = [record for record in stored.values() if not (record.list_pending or record.lease)]
        self.results.counts["pending"] += len(stored) - len(waiting)
        keep = self.stack.settings.history_days
        items = [operator_item(record.contact.address, self.action, keep) for record in waiting]
        require_history(self.stack.repository.store_history(items), "Run the same command again.")
        refused = self.stack.repository.write_all([self._marked(record) for record in waiting])
        self.results.counts["repaired"] += len(waiting) - len(refused)
        return self.results.add_refused(refused, stored)

    def _marked(self, record: ContactRecord) -> ContactRecord:
        address = record.contact.address
        # Only entries of known variants are deleted.
        contact = merge(record.contact, Contact(address, tuple(sorted(self.index.variants(address)))))
        return replace(
            record,
            contact=contact,
            rev=record.rev + 1,
            list_pending=True,
            pending_since=record.pending_since or utc_now(),
            retry_at=None,
        )

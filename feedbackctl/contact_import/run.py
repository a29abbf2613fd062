"""Import of planned entries: contacts and their history, in batches, at a bounded rate."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from feedbackctl.contact_import.judgement import Outcome, Rules
from feedbackctl.contact_import.plan import batches_of_contacts
from feedbackctl.contact_import.write_budget import WriteBudget, write_units
from feedbackctl.contacts.batch_results import BatchResults, require_history
from feedbackctl.contacts.history import OperatorAction, operator_item
from feedbackctl.suppression_files.model import Entry
from ses_feedback.contacts.contact import merge
from ses_feedback.contacts.record import ContactRecord, Item, become, encode
from ses_feedback.contacts.repository import ContactRepository
from ses_feedback.contacts.status import Limits, opted_out
from ses_feedback.handlers.deadline import utc_now
from ses_feedback.immutable import replace
from ses_feedback.timestamps import format_timestamp


@dataclass
class ImportRun:
    """Carries out an import. `results` has the numbers of entries by result: an `Outcome`, or `failed`.

    The history item is written before the contact, and its key depends on the entry alone. So a run that is interrupted
    anywhere can be repeated: no contact changes without its item, and no item is written twice.
    """

    repository: ContactRepository
    limits: Limits
    history_days: int
    rules: Rules
    action: OperatorAction
    publish: bool = False
    budget: WriteBudget = field(default_factory=WriteBudget)
    results: BatchResults = field(default_factory=BatchResults)

    def run(self, entries: Iterable[Entry], advance: Callable[[int], None]) -> None:
        """Import the entries.

        Raises:
            OperatorError: DynamoDB did not accept a history item. The contacts of its batch are unchanged.

        """
        for batch in batches_of_contacts(entries):
            self.results.repeat(batch, self._import)
            advance(len(batch))

    def _import(self, batch: Sequence[Entry]) -> list[Entry]:
        """Import the entries of different contacts, and return those that another process was faster to change."""
        unread: dict[str, str] = {}
        stored = self.repository.read([entry.address.key for entry in batch], unread, consistent=True)
        self.results.add_unread(unread)
        changed: dict[str, ContactRecord] = {}
        entries = {entry.address.key: entry for entry in batch if entry.address.key in stored}
        for address, entry in entries.items():
            outcome = self._change(stored[address], entry)
            if isinstance(outcome, ContactRecord):
                changed[address] = outcome
            else:
                self.results.counts[outcome.value] += 1
        self._write_history([self._history_item(entries[address]) for address in changed], changed.values())
        refused = self.repository.write_all(list(changed.values()))
        self.results.counts[Outcome.IMPORT.value] += len(changed) - len(refused)
        return [entries[address] for address in self.results.add_refused(refused, stored)]

    def _change(self, stored: ContactRecord, entry: Entry) -> ContactRecord | Outcome:
        addition = self.rules.judge(stored.contact, entry)
        if isinstance(addition, Outcome):
            return addition
        changed = become(stored, merge(stored.contact, addition), self.limits, utc_now())
        if changed is None:
            return Outcome.KNOWN
        return changed if self.publish else _without_events(stored, changed)

    def _history_item(self, entry: Entry) -> Item:
        action = self.action._replace(
            stream=",".join(self.rules.opt_outs(entry)),
            source=f"{self.rules.source} ({entry.kind.value})",
            stated_reason=entry.reason,
            stated_at=format_timestamp(entry.at) if entry.at else "",
        )
        return operator_item(entry.address.key, action, self.history_days)

    def _write_history(self, items: Sequence[Item], changed: Iterable[ContactRecord]) -> None:
        contacts = sum(write_units(encode(one, self.limits)) for one in changed)
        self.budget.spend(contacts + sum(map(write_units, items)))
        failed = self.repository.store_history(items)
        require_history(failed, "They are not changed. Run the same command again to continue.")


def _without_events(stored: ContactRecord, changed: ContactRecord) -> ContactRecord:
    """Return `changed` without the events that the import alone causes. Events that were pending before stay."""
    is_pending = changed.list_pending or stored.event_pending
    return replace(
        changed,
        published=stored.published if stored.publish_pending else changed.status,
        published_opted_out=stored.published_opted_out if stored.preferences_pending else opted_out(changed.contact),
        publish_pending=stored.publish_pending,
        preferences_pending=stored.preferences_pending,
        pending_since=changed.pending_since if is_pending else None,
    )

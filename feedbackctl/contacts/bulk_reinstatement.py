"""Reinstatement of many contacts as one operation, and its undo."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from feedbackctl.contacts.changes import Changed, ContactChanger, refuse_newer_evidence, truncate_to_milliseconds
from feedbackctl.contacts.grouping import grouped
from feedbackctl.contacts.history import OperatorAction
from feedbackctl.contacts.list_deletion import MOST_ENTRIES, ListDeletion
from feedbackctl.contacts.operations import Operation, OperationStore, Selected, State
from feedbackctl.stack import Stack
from ses_feedback.contacts.contact import Contact, Evidence
from ses_feedback.contacts.record import ContactRecord, marked
from ses_feedback.contacts.status import UNLISTED, Status, required_list_reason
from ses_feedback.handlers.deadline import utc_now
from ses_feedback.immutable import replace
from ses_feedback.message_order import number_message

JOB_THRESHOLD = 300
"""Contacts from which list entries are deleted by jobs. The stack deletes fewer in five minutes."""

MOST_PROBLEMS = 10


@dataclass
class BulkReinstatement:
    """Carries out an operation. `advance` is called with the number of contacts done; `counts` has the results.

    `problems` has the number of contacts by the reason why they stay as they are, of the first `MOST_PROBLEMS` reasons.
    """

    stack: Stack
    advance: Callable[[int], None]
    counts: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)

    def prepare(self, selection: str, reason: str, contacts: Iterator[Selected], at: datetime) -> Operation:
        """Store an operation with its contacts. No contact changes."""
        store = OperationStore(self.stack)
        operation = store.create(selection, reason, self.stack.aws.caller.arn, truncate_to_milliseconds(at))
        return store.add_contacts(operation, contacts)

    def run(self, operation: Operation) -> Operation:
        """Reinstate the contacts of an operation from where it ended before, and return it as done.

        Before the contacts of a chunk change, their list entries are deleted, so that SES sends what the contact
        allows. If a run ends anywhere, the next one repeats at most the chunks of one job, which changes nothing twice.
        """
        store = OperationStore(self.stack)
        by_job = ListDeletion(self.stack)
        uses_jobs = by_job.is_available and operation.contacts >= JOB_THRESHOLD
        for chunks in group_for_jobs(store.chunks(operation, operation.done)):
            entries = [entry for chunk in chunks for one in chunk for entry in one.entries]
            unlisted = uses_jobs and by_job.delete(entries, f"{operation.id}-{operation.done}")
            for chunk in chunks:
                for changed in self._reinstate(operation, chunk, unlisted=unlisted):
                    self._count(changed)
                operation = replace(operation, done=operation.done + 1)
                store.save(operation)
        operation = replace(operation, state=State.DONE)
        store.save(operation)
        return operation

    def undo(self, operation: Operation, reason: str) -> Operation:
        """Give the contacts of an operation their old evidence again, and return the operation as undone.

        Contacts stay as they are if a later email was delivered to them, if their status is not the operation's work
        any more, or if they were suspended: soft bounces count anew since.
        """
        store = OperationStore(self.stack)
        now = truncate_to_milliseconds(utc_now())
        action = OperatorAction("undo", self.stack.aws.caller.arn, now, reason, operation.id)
        changer = ContactChanger(self.stack, action)
        for chunk in store.chunks(operation):
            evidence = {one.address: _old_evidence(operation, one, now) for one in chunk}
            for changed in changer.apply(evidence):
                self._count(changed)
        operation = replace(operation, state=State.UNDONE)
        store.save(operation)
        return operation

    def _reinstate(self, operation: Operation, chunk: list[Selected], *, unlisted: bool) -> Iterator[Changed]:
        action = OperatorAction("reinstate", operation.caller, operation.at, operation.reason, operation.id)

        def finish(stored: ContactRecord, changed: ContactRecord) -> ContactRecord:
            required = required_list_reason(changed.contact, self.stack.settings.limits)
            # The stack deletes the entry itself if another call of it may be on its way.
            if not unlisted or required or stored.list_pending or stored.lease:
                return changed
            return replace(marked(changed, UNLISTED), rev=changed.rev)

        cleared = Evidence(operation.at, operation.reason)

        def clear(stored: ContactRecord) -> Contact | str:
            return refuse_newer_evidence(
                stored, Contact(stored.contact.address, cleared=cleared), self.stack, utc_now()
            )

        changer = ContactChanger(self.stack, action, finish, keep_unchanged_history=True)
        return changer.apply({one.address: clear for one in chunk})

    def _count(self, changed: Changed) -> None:
        self.advance(1)
        if changed.problem:
            self.counts["refused"] += 1
            if changed.problem in self.problems or len(self.problems) < MOST_PROBLEMS:
                self.problems[changed.problem] += 1
        elif changed.after.may_send:
            self.counts["reinstated"] += 1
        else:
            self.counts[f"still {changed.after.value}"] += 1


def group_for_jobs(chunks: Iterator[list[Selected]]) -> Iterator[list[list[Selected]]]:
    """Yield runs of chunks whose list entries fit one job."""
    # A chunk always fits: 500 contacts have at most 17 entries each.
    return grouped(chunks, lambda chunk: sum(len(one.entries) for one in chunk), MOST_ENTRIES)


def _old_evidence(operation: Operation, selected: Selected, now: datetime) -> Callable[[ContactRecord], Contact | str]:
    def restore(stored: ContactRecord) -> Contact | str:
        contact = stored.contact
        if contact.cleared is None or contact.cleared.at != operation.at:
            return "the contact changed after the operation"
        if contact.bounced and contact.bounced.at > operation.at:
            return "it has bounced since"
        if selected.status != Status.BOUNCED or selected.evidence is None:
            return f"it was {selected.status}: soft bounces count anew"
        if any(number > number_message(operation.at, "") for number in contact.delivered):
            return "email was delivered since"
        old = selected.evidence
        # The date is new: evidence from before the reinstatement would not count.
        return Contact(contact.address, bounced=replace(old, at=now))

    return restore

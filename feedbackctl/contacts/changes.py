"""Changes of contacts by an operator, through the merge and the repository of the stack."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from feedbackctl.contacts.batch_results import ATTEMPTS, require_history
from feedbackctl.contacts.denials import INSERT, READ, UPDATE, describe_code
from feedbackctl.contacts.history import OperatorAction, operator_item
from feedbackctl.errors import OperatorError
from feedbackctl.stack import Stack
from ses_feedback.aws.batches import batched
from ses_feedback.contacts.contact import Contact, merge
from ses_feedback.contacts.record import ContactRecord, become
from ses_feedback.contacts.repository import CALLS_AT_ONCE, LOST_RACE, READ_AT_ONCE
from ses_feedback.contacts.status import Status, standing
from ses_feedback.handlers.deadline import utc_now
from ses_feedback.timestamps import format_timestamp


class Changed(NamedTuple):
    """Result for one contact. `problem` says why the contact could not be changed, or was left as it is."""

    address: str
    before: Status
    after: Status
    changed: bool
    problem: str = ""


Evidence = Callable[[ContactRecord], Contact | str]
"""Returns what is merged into the contact, or why the contact is left as it is."""


@dataclass(frozen=True)
class ContactChanger:
    """Applies one operator's `action` to contacts.

    `finish` adjusts the bookkeeping of a changed record before it is written. With `keep_unchanged_history` the action
    is stored in the history also if the contact does not change, so that a repeated run completes an interrupted one.
    """

    stack: Stack
    action: OperatorAction
    finish: Callable[[ContactRecord, ContactRecord], ContactRecord] = lambda _, changed: changed
    keep_unchanged_history: bool = False

    def apply(self, evidence: Mapping[str, Evidence]) -> Iterator[Changed]:
        """Change the contacts, `READ_AT_ONCE` at a time, and yield the result of each.

        The contact is written before its history item. Both writes may be repeated.
        """
        with ThreadPoolExecutor(CALLS_AT_ONCE) as executor:
            for some in batched(evidence, READ_AT_ONCE):
                results: dict[str, Changed] = {}
                waiting = {address: evidence[address] for address in some}
                for _ in range(ATTEMPTS):
                    results |= {one.address: one for one in self._attempt(executor, waiting)}
                    waiting = {address: evidence[address] for address in waiting if _has_lost(results[address])}
                    if not waiting:
                        break
                self._store_history(results.values())
                yield from results.values()

    def _attempt(self, executor: ThreadPoolExecutor, evidence: Mapping[str, Evidence]) -> Iterator[Changed]:
        unread: dict[str, str] = {}
        stored = self.stack.repository.read(evidence, unread, consistent=True)
        yield from (
            Changed(
                address,
                Status.ACTIVE,
                Status.ACTIVE,
                changed=False,
                problem=f"the contact cannot be read: {describe_code(reason, READ)}",
            )
            for address, reason in unread.items()
        )
        yield from executor.map(lambda address: self._change(stored[address], evidence[address]), stored)

    def _change(self, stored: ContactRecord, evidence: Evidence) -> Changed:
        addition = evidence(stored)
        address, before = stored.contact.address, stored.status
        if isinstance(addition, str):
            return Changed(address, before, before, changed=False, problem=addition)
        merged = merge(stored.contact, addition)
        changed = become(stored, merged, self.stack.settings.limits, utc_now())
        if changed is None:
            return Changed(address, before, before, changed=False)
        refusal = self.stack.repository.write(self.finish(stored, changed))
        problem = describe_code(refusal, UPDATE if stored.rev else INSERT) if refusal else ""
        return Changed(address, before, changed.status, changed=refusal is None, problem=problem)

    def _store_history(self, results: Iterable[Changed]) -> None:
        keep = self.stack.settings.history_days
        items = [
            operator_item(one.address, self.action, keep)
            for one in results
            if one.changed or (self.keep_unchanged_history and not one.problem)
        ]
        failed = self.stack.repository.store_history(items)
        require_history(failed, "The contacts are changed. Run the command again.")


def _has_lost(result: Changed) -> bool:
    return result.problem == LOST_RACE


def refuse_newer_evidence(stored: ContactRecord, addition: Contact, stack: Stack, at: datetime) -> Contact | str:
    """Return `addition`, or a refusal if the contact's status has evidence that is newer than the reinstatement.

    Either this machine's clock is slow or the evidence has a date in the future. A reinstatement with the date of that
    evidence would override all feedback until then, which can be years.
    """
    current = standing(merge(stored.contact, addition), stack.settings.limits)
    if current.evidence and current.evidence.at > at:
        return (
            f"the contact is {current.status} by evidence of {format_timestamp(current.evidence.at)}, which is newer "
            f"than this machine's clock ({format_timestamp(at)}). Nothing was changed. Set the clock, or wait until "
            "then, and try again"
        )
    return addition


def truncate_to_milliseconds(moment: datetime) -> datetime:
    """Return `moment` with the precision of every stored time."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def require_all(results: Iterable[Changed]) -> list[Changed]:
    """Return the results.

    Raises:
        OperatorError: a contact could not be changed.

    """
    done = list(results)
    problems = [one for one in done if one.problem]
    if problems:
        first = problems[0].problem
        reason = "another process writes the contact all the time" if first == LOST_RACE else first
        raise OperatorError(f"{len(problems)} of {len(done)} contacts were not changed: {reason}; try again.")
    return done

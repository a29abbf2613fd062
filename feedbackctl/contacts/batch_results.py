"""Results of a bulk command that writes contacts in batches: the numbers, and why some contacts were not changed."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from feedbackctl.contacts.denials import INSERT, READ, UPDATE, describe_code, describe_codes
from feedbackctl.errors import OperatorError
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.contacts.repository import LOST_RACE

_T = TypeVar("_T")

ATTEMPTS = 10
"""Attempts to write a contact. Each fails if another process writes the contact between the read and the write."""


@dataclass
class BatchResults:
    """Numbers of contacts by result, and the reasons of the failed ones."""

    counts: Counter[str] = field(default_factory=Counter)
    reasons: set[str] = field(default_factory=set)

    def repeat(self, batch: Sequence[_T], change: Callable[[Sequence[_T]], Sequence[_T]]) -> None:
        """Call `change` with what it returned before: those that another process was faster to change."""
        waiting = batch
        for _ in range(ATTEMPTS):
            waiting = change(waiting)
            if not waiting:
                break
        self.counts["failed"] += len(waiting)
        if waiting:
            self.reasons.add("another process writes the contacts all the time")

    def add_unread(self, unread: Mapping[str, str]) -> None:
        """Add contacts that were not read, with their error codes."""
        self.counts["failed"] += len(unread)
        self.reasons |= {describe_code(code, READ) for code in unread.values()}

    def add_refused(self, refused: Mapping[str, str], stored: Mapping[str, ContactRecord]) -> list[str]:
        """Add contacts that were not written, with their error codes. Return those that lost a race."""
        failed = {address: code for address, code in refused.items() if code != LOST_RACE}
        self.counts["failed"] += len(failed)
        self.reasons |= {
            describe_code(code, UPDATE if stored[address].rev else INSERT) for address, code in failed.items()
        }
        return [address for address in refused if address not in failed]

    def require_all(self, failure: str) -> None:
        """Raise an error if contacts failed.

        Raises:
            OperatorError: contacts failed. `failure` says what did not happen to them.

        """
        if self.counts["failed"]:
            reasons = ", ".join(sorted(self.reasons))
            raise OperatorError(f"{self.counts['failed']} {failure} ({reasons}). Run the same command again.")


def require_history(failed: Mapping[str, str], consequence: str) -> None:
    """Raise an error if history items were not written.

    Raises:
        OperatorError: `failed` has addresses, with their error codes. `consequence` says what to do.

    """
    if failed:
        reasons = describe_codes(failed.values(), INSERT)
        raise OperatorError(f"The history of {len(failed)} contacts could not be written ({reasons}). {consequence}")

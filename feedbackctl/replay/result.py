"""The result of a replay."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from feedbackctl.contacts.history import HistoryEntry
from ses_feedback.contacts.record import ContactRecord, Item
from ses_feedback.contacts.status import Limits

if TYPE_CHECKING:
    from localaws.suppression_list.entries import SuppressedDestination


@dataclass(frozen=True, slots=True)
class Finding:
    """A message that was ignored, quarantined or not applied: its source (file, line, record), and the reason."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class ExplainedContact:
    """A contact with its history, and the limits by which it is judged."""

    record: ContactRecord
    limits: Limits
    history: Sequence[HistoryEntry]


@dataclass(slots=True)
class ReplayResult:
    """Counts, findings, contacts and suppression list after a replay.

    `unapplied` are messages that no number of deliveries applied. `settled` is False if the suppression list still
    differs from the contacts. `explained` is the contact whose history was asked for.
    """

    messages: int = 0
    ignored: list[Finding] = field(default_factory=list)
    quarantined: list[Finding] = field(default_factory=list)
    unapplied: list[Finding] = field(default_factory=list)
    metrics: dict[str, int] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    contacts: Sequence[Item] = ()
    suppression_list: "Sequence[SuppressedDestination]" = ()
    settled: bool = True
    explained: ExplainedContact | None = None

    @property
    def applied(self) -> int:
        """The number of messages that were applied."""
        return self.messages - len(self.ignored) - len(self.quarantined) - len(self.unapplied)

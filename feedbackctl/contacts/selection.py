"""The contacts that a bulk reinstatement would change, kept in a temporary file until the operator has confirmed."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from feedbackctl.contacts.diagnostics import DiagnosticGroups
from feedbackctl.contacts.filters import ContactFilter, is_cause
from feedbackctl.contacts.history import HistoryEntry
from feedbackctl.contacts.operations import Selected, decode_selected, encode_selected
from feedbackctl.contacts.search import Found
from ses_feedback.judging.facts import Verdict
from ses_feedback.suppression.entries import entries_of
from ses_feedback.timestamps import format_timestamp

SAMPLES = 10


@dataclass
class Selection:
    """Selected contacts, with the numbers that the operator confirms. Memory does not grow with the contacts.

    `kept_back` counts contacts with another bounce that the filter does not meet: they stay as they are.
    """

    wanted: ContactFilter
    count: int = 0
    kept_back: int = 0
    samples: list[str] = field(default_factory=list)
    groups: DiagnosticGroups = field(default_factory=DiagnosticGroups)
    _file: IO[str] = field(
        default_factory=lambda: tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 (`close` closes it)
    )

    def add(self, found: Found) -> None:
        """Add a contact, unless its history has another bounce that the filter does not meet."""
        address = found.record.contact.address
        if any(self._is_other_bounce(found, entry) for entry in found.history):
            self.kept_back += 1
            return
        self.count += 1
        if len(self.samples) < SAMPLES:
            self.samples.append(address)
        self.groups.add(
            entry.diagnostic_code for entry in found.history if found.evidence and is_cause(entry, found.evidence)
        )
        entries = entries_of(found.record.contact, None)
        selected = Selected(address, entries, found.record.status.value, found.evidence)
        self._file.write(json.dumps(encode_selected(selected)) + "\n")

    def contacts(self) -> Iterator[Selected]:
        """Yield the selected contacts."""
        self._file.seek(0)
        return (decode_selected(json.loads(line)) for line in self._file)

    def close(self) -> None:
        """Delete the file."""
        self._file.close()

    def as_json(self) -> dict[str, Any]:
        """Return the numbers, samples and groups as fields of JSON."""
        return {
            "matched": self.count,
            "kept_back": self.kept_back,
            "samples": self.samples,
            "diagnostics": [{"text": text, "contacts": number} for text, number in self.groups.largest(SAMPLES)],
        }

    def _is_other_bounce(self, found: Found, entry: HistoryEntry) -> bool:
        if entry.verdict != Verdict.SUPPRESS or (found.evidence and is_cause(entry, found.evidence)):
            return False
        contact = found.record.contact
        reinstated = max((one.at for one in (contact.cleared, contact.opted_in) if one), default=None)
        counts = reinstated is None or entry.at > format_timestamp(reinstated)
        return counts and not self.wanted.match_entry(contact.address, entry)

"""The plan of an import: each entry judged against its contact, before anything changes."""

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import IO, Any

from feedbackctl.contact_import.judgement import Outcome, Rules
from feedbackctl.contacts.denials import describe_unread
from feedbackctl.errors import OperatorError
from feedbackctl.suppression_files.model import BadLine, Entry, Kind
from ses_feedback.address import Address
from ses_feedback.contacts.contact import Contact
from ses_feedback.contacts.repository import READ_AT_ONCE, ContactRepository
from ses_feedback.timestamps import format_timestamp, read_timestamp

BATCH = READ_AT_ONCE
"""Entries that are read, judged and written together."""
SAMPLES = 10
MOST_BAD_LINES = 100
"""Bad lines that are listed; all are counted."""


@dataclass
class Plan:
    """Numbers of the preview, and the entries to import in a temporary file. Memory does not grow with the file."""

    counts: Counter[tuple[Kind, Outcome]] = field(default_factory=Counter)
    bad: int = 0
    bad_lines: list[BadLine] = field(default_factory=list)
    samples: list[Entry] = field(default_factory=list)
    _file: IO[str] = field(
        default_factory=lambda: tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 (`close` closes it)
    )

    @property
    def count(self) -> int:
        """Number of entries to import."""
        return sum(number for (_, outcome), number in self.counts.items() if outcome is Outcome.IMPORT)

    def add(self, entry: Entry, outcome: Outcome) -> None:
        """Add a judged entry."""
        self.counts[entry.kind, outcome] += 1
        if outcome is not Outcome.IMPORT:
            return
        if len(self.samples) < SAMPLES:
            self.samples.append(entry)
        self._file.write(json.dumps(_encode(entry)) + "\n")

    def add_bad_line(self, line: BadLine) -> None:
        """Add a line that cannot be read."""
        self.bad += 1
        if len(self.bad_lines) < MOST_BAD_LINES:
            self.bad_lines.append(line)

    def entries(self) -> Iterator[Entry]:
        """Yield the entries to import, in the order of the file."""
        self._file.seek(0)
        return (_decode(json.loads(line)) for line in self._file)

    def close(self) -> None:
        """Delete the temporary file."""
        self._file.close()


def make_plan(
    repository: ContactRepository, lines: Iterable[Entry | BadLine], rules: Rules, advance: Callable[[int], None]
) -> Plan:
    """Judge all lines and return the plan. `advance` is called with the number of lines done.

    Raises:
        OperatorError: DynamoDB did not return a contact.

    """
    with ExitStack() as on_failure:
        plan = Plan()
        on_failure.callback(plan.close)
        for batch in batches_of_contacts(_without_bad_lines(lines, plan, advance)):
            contacts = read_contacts(repository, batch)
            for entry in batch:
                contact = contacts.get(entry.address.key)
                plan.add(entry, _judge(rules, contact, entry))
            advance(len(batch))
        on_failure.pop_all()
    return plan


def batches_of_contacts(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Yield batches of at most `BATCH` entries, each of another contact: an entry sees the effect of others."""
    batch: dict[str, Entry] = {}
    for entry in entries:
        if len(batch) == BATCH or entry.address.key in batch:
            yield list(batch.values())
            batch = {}
        batch[entry.address.key] = entry
    if batch:
        yield list(batch.values())


def read_contacts(repository: ContactRepository, batch: Iterable[Entry]) -> dict[str, Contact | None]:
    """Return the contacts of a batch by address, None for an item that is not a contact.

    Raises:
        OperatorError: DynamoDB did not return a contact.

    """
    unread: dict[str, str] = {}
    records = repository.read({entry.address.key for entry in batch}, unread, consistent=False)
    reasons = describe_unread(unread)
    if reasons:
        raise OperatorError(f"DynamoDB did not return all contacts ({reasons}). Run the command again.")
    return {address: record.contact for address, record in records.items()} | dict.fromkeys(unread)


def _judge(rules: Rules, contact: Contact | None, entry: Entry) -> Outcome:
    if contact is None:
        return Outcome.UNREADABLE
    found = rules.judge(contact, entry)
    return found if isinstance(found, Outcome) else Outcome.IMPORT


def _without_bad_lines(lines: Iterable[Entry | BadLine], plan: Plan, advance: Callable[[int], None]) -> Iterator[Entry]:
    for line in lines:
        if isinstance(line, BadLine):
            plan.add_bad_line(line)
            advance(1)
        elif line.kind is Kind.NONE:
            plan.add(line, Outcome.NOT_SUPPRESSED)
            advance(1)
        else:
            yield line


def _encode(entry: Entry) -> list[Any]:
    at = format_timestamp(entry.at) if entry.at else ""
    key, variant = entry.address.key, entry.address.variant
    return [entry.line, key, variant, entry.kind.value, at, entry.reason, entry.status_code, entry.stream]


def _decode(fields: list[Any]) -> Entry:
    line, key, variant, kind, at, *texts = fields
    return Entry(line, Address(key, variant), Kind(kind), read_timestamp(at) if at else None, *texts)

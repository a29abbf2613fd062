"""Filters of contacts, by their status and by the feedback that gave it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from feedbackctl.contacts.history import HistoryEntry
from ses_feedback.contacts.contact import Evidence
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.contacts.status import Status, opted_out_streams
from ses_feedback.judging.providers import find_provider
from ses_feedback.timestamps import format_timestamp

UNSENDABLE = tuple(status for status in Status if not status.may_send)


class Match(Enum):
    """Result of a filter. UNDETERMINED: the history that would decide has expired, or was not stored."""

    YES = "yes"
    NO = "no"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True)
class ContactFilter:
    """Conditions that a contact must all meet; an empty one is always met.

    The times and texts are those of the evidence that gives the contact's status. `status_code` matches the whole code
    or its beginning (`5.7`), `diagnostic` any part of the mail server's text without regard to case, `tag` a name or
    `name=value`. `domain` includes subdomains.
    """

    statuses: tuple[Status, ...] = UNSENDABLE
    stream: str = ""
    since: datetime | None = None
    until: datetime | None = None
    domain: str = ""
    provider: str = ""
    status_code: str = ""
    diagnostic: str = ""
    configuration_set: str = ""
    tag: str = ""

    def describe(self) -> str:
        """Return the filter as text that is equal for equal filters."""
        parts = {
            "status": ",".join(status.value for status in self.statuses),
            "since": format_timestamp(self.since) if self.since else "",
            "until": format_timestamp(self.until) if self.until else "",
            **{
                name.replace("_", "-"): getattr(self, name)
                for name in ("stream", "domain", "provider", "status_code", "diagnostic", "configuration_set", "tag")
            },
        }
        return " ".join(f"{name}={value}" for name, value in parts.items() if value)

    def match_contact(self, record: ContactRecord, evidence: Evidence | None) -> Match:
        """Return whether the contact alone meets the conditions; UNDETERMINED if its history decides."""
        if not all(condition(record, evidence) for condition in self._conditions()):
            return Match.NO
        return Match.UNDETERMINED if self._needs_history(record, evidence) else Match.YES

    def match_history(self, record: ContactRecord, evidence: Evidence | None, history: Iterable[HistoryEntry]) -> Match:
        """Return whether the feedback that gave the contact's status meets the conditions."""
        causes = [entry for entry in history if evidence and is_cause(entry, evidence)]
        if not causes:
            return Match.UNDETERMINED
        return Match.YES if any(self.match_entry(record.contact.address, entry) for entry in causes) else Match.NO

    def match_entry(self, address: str, entry: HistoryEntry) -> bool:
        """Return whether one entry of the history meets the conditions on feedback."""
        domain = address.rpartition("@")[2]
        return (
            (not self.since or entry.at >= format_timestamp(self.since))
            and (not self.until or entry.at < format_timestamp(self.until))
            and self.diagnostic.casefold() in entry.diagnostic_code.casefold()
            and (not self.provider or find_provider(domain, entry.diagnostic_code) == self.provider)
            and (not self.status_code or _begins_with(entry.status, self.status_code))
            and (not self.configuration_set or entry.configuration_set == self.configuration_set)
            and (not self.tag or _has_tag(entry.tags, self.tag))
        )

    def _conditions(self) -> tuple[Callable[[ContactRecord, Evidence | None], bool], ...]:
        return (
            lambda record, _: record.status in self.statuses,
            lambda record, _: not self.stream or self.stream in opted_out_streams(record.contact),
            lambda record, _: not self.domain or _is_in_domain(record.contact.address, self.domain),
            lambda _, evidence: not self.since or (evidence is not None and evidence.at >= self.since),
            lambda _, evidence: not self.until or (evidence is not None and evidence.at < self.until),
            lambda _, evidence: (
                not self.configuration_set
                or (evidence is not None and evidence.configuration_set == self.configuration_set)
            ),
            lambda record, _: not self.provider or self._may_be_provider(record.contact.address),
            self._may_have_status_code,
        )

    def _may_be_provider(self, address: str) -> bool:
        return find_provider(address.rpartition("@")[2]) in {self.provider, "other"}

    def _may_have_status_code(self, _: ContactRecord, evidence: Evidence | None) -> bool:
        # A contact stores the code of its evidence; other text of a mail server is in the history only.
        if not self.status_code or evidence is None:
            return not self.status_code
        return not evidence.status_code or _begins_with(evidence.status_code, self.status_code)

    def _needs_history(self, record: ContactRecord, evidence: Evidence | None) -> bool:
        if self.diagnostic or (self.status_code and not (evidence and evidence.status_code)):
            return True
        if self.provider and find_provider(record.contact.address.rpartition("@")[2]) != self.provider:
            return True
        return bool(self.tag) and not (evidence and _has_tag(evidence.tags, self.tag))


def is_cause(entry: HistoryEntry, evidence: Evidence) -> bool:
    """Return whether a history entry is the feedback of `evidence`."""
    return entry.at == format_timestamp(evidence.at) and entry.message_id == evidence.message_id


def _is_in_domain(address: str, domain: str) -> bool:
    own = address.rpartition("@")[2]
    return own == domain or own.endswith(f".{domain}")


def _begins_with(code: str, wanted: str) -> bool:
    return code == wanted or code.startswith(f"{wanted.rstrip('.')}.")


def _has_tag(tags: Iterable[tuple[str, str]], wanted: str) -> bool:
    name, equals, value = wanted.partition("=")
    return any(key == name and (not equals or text == value) for key, text in tags)

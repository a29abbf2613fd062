"""The event `Contact Preferences Changed`."""

from datetime import datetime
from typing import Any

from ses_feedback.contacts.contact import Contact
from ses_feedback.contacts.status import opted_out, preference_evidence
from ses_feedback.immutable import Struct
from ses_feedback.timestamps import format_timestamp

DETAIL_TYPE = "Contact Preferences Changed"


class PreferencesChange(Struct, frozen=True):
    """A change of the streams that a contact opted out of.

    `opted_out` is the complete list, in order of name; `*` stands for all email. `changed` has the names that are in
    this list or in the last published one, but not in both. `reason`, `time`, `configuration_set` and `message_id` are
    those of the latest request about a changed name; they are empty if no name changed. `rev` grows with every change
    of the contact: of two events the greater is later.
    """

    address: str
    opted_out: tuple[str, ...]
    changed: tuple[str, ...]
    rev: int
    reason: str = ""
    time: datetime | None = None
    configuration_set: str = ""
    message_id: str = ""

    @property
    def detail_type(self) -> str:
        """The `detail-type` of the EventBridge event."""
        return DETAIL_TYPE

    def detail(self) -> dict[str, Any]:
        """Return the event's `detail`, documented in docs/operate/events.md."""
        return {
            "address": self.address,
            "opted_out": list(self.opted_out),
            "changed": list(self.changed),
            "rev": self.rev,
            "reason": self.reason,
            "time": format_timestamp(self.time) if self.time else "",
            "configuration_set": self.configuration_set,
            "message_id": self.message_id,
        }


def change_of_preferences(contact: Contact, published: tuple[str, ...], rev: int) -> PreferencesChange:
    """Return the change from the list in the last published event, `published`, to the list of `contact`."""
    current = opted_out(contact)
    changed = tuple(sorted({*current} ^ {*published}))
    requests = [evidence for name in changed if (evidence := preference_evidence(contact, name))]
    if not requests:
        return PreferencesChange(contact.address, current, changed, rev)
    latest = max(requests)
    return PreferencesChange(
        contact.address,
        current,
        changed,
        rev,
        latest.reason,
        latest.at,
        latest.configuration_set,
        latest.message_id,
    )

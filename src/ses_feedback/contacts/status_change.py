"""The event `Contact Status Changed`."""

from datetime import datetime
from typing import Any

from ses_feedback.contacts.status import Status
from ses_feedback.immutable import Struct
from ses_feedback.judging.facts import Tags
from ses_feedback.timestamps import format_timestamp

DETAIL_TYPE = "Contact Status Changed"


class StatusChange(Struct, frozen=True):
    """A contact's change of status.

    `reason`, `time`, `configuration_set`, `message_id`, `status_code` and `tags` are those of the feedback that gives
    the new status; they are empty if the new status is `active`. `tags` are the sender's own message tags, of bounced
    and complained contacts only. `rev` grows with every change of the contact: of two events the greater is later.
    """

    address: str
    old_status: Status
    new_status: Status
    rev: int
    reason: str = ""
    time: datetime | None = None
    configuration_set: str = ""
    message_id: str = ""
    status_code: str = ""
    tags: Tags = ()

    @property
    def detail_type(self) -> str:
        """The `detail-type` of the EventBridge event."""
        return DETAIL_TYPE

    def detail(self) -> dict[str, Any]:
        """Return the event's `detail`, documented in docs/operate/events.md."""
        return {
            "address": self.address,
            "old_status": self.old_status.value,
            "new_status": self.new_status.value,
            "may_send": self.new_status.may_send,
            "rev": self.rev,
            "reason": self.reason,
            "time": format_timestamp(self.time) if self.time else "",
            "configuration_set": self.configuration_set,
            "message_id": self.message_id,
            "status_code": self.status_code,
            "tags": dict(self.tags),
        }

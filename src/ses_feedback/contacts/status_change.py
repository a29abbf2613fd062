"""A contact's change of status, as the outside world is told of it."""

from datetime import datetime
from typing import Any

from ses_feedback.contacts.status import Status
from ses_feedback.immutable import Struct
from ses_feedback.timestamps import format_timestamp

DETAIL_TYPE = "Contact Status Changed"


class StatusChange(Struct, frozen=True):
    """A contact's change of status, as it is published.

    `reason`, `time` and `configuration_set` are those of the feedback that gives the new status; empty when the new
    status is `active`. `rev` grows with every change of the contact: of two events the one with the greater is later.
    """

    address: str
    old_status: Status
    new_status: Status
    rev: int
    reason: str = ""
    time: datetime | None = None
    configuration_set: str = ""

    @property
    def detail_type(self) -> str:
        """The `detail-type` of the EventBridge event."""
        return DETAIL_TYPE

    def detail(self) -> dict[str, Any]:
        """Return the event's `detail`, as README documents it."""
        return {
            "address": self.address,
            "old_status": self.old_status.value,
            "new_status": self.new_status.value,
            "may_send": self.new_status.may_send,
            "rev": self.rev,
            "reason": self.reason,
            "time": format_timestamp(self.time) if self.time else "",
            "configuration_set": self.configuration_set,
        }

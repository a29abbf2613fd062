"""What would undo a contact's status, in one sentence."""

from ses_feedback.contacts.record import ContactRecord
from ses_feedback.contacts.status import Limits, Status, opted_out_streams, release_time
from ses_feedback.timestamps import format_timestamp

_ONLY_THE_PERSON = "only the person's own request"


def describe_undo(record: ContactRecord, limits: Limits) -> str:
    """Return what would undo the contact's status, with the command."""
    match record.status:
        case Status.COMPLAINED:
            return f"{_ONLY_THE_PERSON}: `feedbackctl contact reinstate ADDRESS --they-asked --reason TEXT`"
        case Status.UNSUBSCRIBED:
            return f"{_ONLY_THE_PERSON}: `feedbackctl contact resubscribe ADDRESS --reason TEXT`"
        case Status.BOUNCED:
            return (
                "`feedbackctl contact reinstate ADDRESS --reason TEXT`, once the mailbox works again or the rejection "
                "was a mistake"
            )
        case Status.SUSPENDED:
            ends = release_time(record.contact, limits)
            end = f"its end on {format_timestamp(ends)}, " if ends else ""
            return f"{end}a clean delivery, or `feedbackctl contact reinstate ADDRESS --reason TEXT`"
        case Status.BOUNCING:
            return "a clean delivery; email may be sent meanwhile"
        case Status.ACTIVE:
            streams = ", ".join(opted_out_streams(record.contact))
            if streams:
                return f"the opt-out of {streams}: {_ONLY_THE_PERSON}, `feedbackctl contact resubscribe --stream NAME`"
            return "nothing: email may be sent"

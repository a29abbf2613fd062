"""What is answered when the suppression list was not written as asked."""

from enum import Enum, auto

from ses_feedback.immutable import Struct


class RefusalKind(Enum):
    """Why a call did not do as asked, as far as what to do next depends on it."""

    THROTTLED = auto()
    """Too many calls: the same call will do later."""
    UNAVAILABLE = auto()
    """AWS answered that it could not, or that we may not: the same call may do later."""
    UNANSWERED = auto()
    """No answer came: the call may have been carried out, or may yet be."""
    REJECTED = auto()
    """SES won't have this entry (sandbox, simulator address, `/` in a deletion)."""


class Refusal(Struct, frozen=True):
    """A call that did not do as asked. `code` is AWS's error code, or another word fit for logs."""

    kind: RefusalKind
    code: str


OUT_OF_TIME = Refusal(RefusalKind.THROTTLED, "out-of-time")
"""There was no time left to make the call."""

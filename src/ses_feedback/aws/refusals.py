"""What is answered when the suppression list was not written as asked."""

from enum import Enum, auto

from ses_feedback.immutable import Struct


class Refused(Enum):
    """Why a call did not do as asked, as far as what to do next depends on it."""

    FOR_NOW = auto()
    """Too many calls: the same call will do later."""
    UNAVAILABLE = auto()
    """AWS answered that it could not, or that we may not: the same call may do later."""
    UNANSWERED = auto()
    """No answer came: the call may have been carried out, or may yet be."""
    FOR_GOOD = auto()
    """SES won't have this entry (sandbox, simulator address, `/` in a deletion)."""


class Refusal(Struct, frozen=True):
    """A call that did not do as asked. `code` is AWS's error code, or another word fit for logs."""

    why: Refused
    code: str


OUT_OF_TIME = Refusal(Refused.FOR_NOW, "out-of-time")
"""There was no time left to make the call."""

"""Results of calls that were not carried out as requested."""

from enum import Enum, auto

from ses_feedback.immutable import Struct


class RefusalKind(Enum):
    """The kinds of refusals: they differ in when the call may be repeated."""

    THROTTLED = auto()
    """The call was certainly not carried out: there were too many calls, or no time. It may be repeated at once."""
    UNAVAILABLE = auto()
    """AWS failed, or the permission is missing. The call may succeed later."""
    UNANSWERED = auto()
    """No response arrived. The call may have been carried out, or may be carried out later."""
    REJECTED = auto()
    """SES does not accept this entry. Reasons: the sandbox, a simulator address, a `/` in an address to delete."""


class Refusal(Struct, frozen=True):
    """A call that was not carried out as requested. `code` is AWS's error code, or a word fit for logs."""

    kind: RefusalKind
    code: str


OUT_OF_TIME = Refusal(RefusalKind.THROTTLED, "out-of-time")
"""The deadline left no time for the call."""

"""What the suppression list answers when it does not do as asked."""

from dataclasses import dataclass
from enum import Enum, auto


class Refused(Enum):
    """Why a call changed nothing, as far as what to do next depends on it."""

    FOR_NOW = auto()
    """Too many calls: the same call will do later."""
    UNAVAILABLE = auto()
    """A fault of AWS's, the network's or our permissions': the same call may do later, others may fail too."""
    FOR_GOOD = auto()
    """SES won't have this entry (sandbox, simulator address, `/` in a deletion)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that changed nothing. `code` is AWS's error code, fit for logs."""

    why: Refused
    code: str

"""The rate at which SES accepts calls about the suppression list."""

from datetime import datetime, timedelta

from localaws.suppression_list.errors import TooManyRequestsError

# Callers keep times as floating-point seconds, so a call can be a few microseconds early.
_ROUNDING = timedelta(microseconds=10)


class CallQuota:
    """A minimum `interval` between accepted calls. Unused capacity does not accumulate.

    SES allows one call a second for each operation except sending
    (https://docs.aws.amazon.com/ses/latest/dg/quotas.html). The page does not say whether the operations share this
    quota. Here they do, which is the stricter interpretation.
    """

    def __init__(self, calls_per_second: float | None) -> None:
        """Accept so many calls a second, or any number if None."""
        self.interval = timedelta(0) if calls_per_second is None else timedelta(seconds=1 / calls_per_second)
        self._last_accepted: datetime | None = None

    def accept_call(self, now: datetime) -> None:
        """Accept a call at `now`. A refused call does not delay the next one.

        Raises:
            TooManyRequestsError: the previous accepted call is too recent.
        """
        if self._last_accepted is not None and now - self._last_accepted < self.interval - _ROUNDING:
            raise TooManyRequestsError("Rate exceeded")
        self._last_accepted = now

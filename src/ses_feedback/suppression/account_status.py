"""The state of the SES account: under review, paused, or with sending disabled.

AWS pauses an account after a review: https://docs.aws.amazon.com/ses/latest/dg/faqs-enforcement.html
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from ses_feedback.aws.errors import AWS_ERRORS, error_code, loggable_code
from ses_feedback.aws.metric_counts import MetricCounts
from ses_feedback.suppression.interfaces import CallLimiter

PATIENCE = timedelta(seconds=10)
"""How long a check waits for the rate limiter. A sweep has other work, and the next check follows in minutes."""
HEALTHY = "HEALTHY"


class SesAccountClient(Protocol):
    """The method of botocore's SESv2 client that describes the account."""

    def get_account(self) -> Any: ...  # noqa: ANN401, D102


class AccountCheck:
    """Publishes whether SES restricts the account."""

    def __init__(self, client: SesAccountClient, rate_limiter: CallLimiter, now: Callable[[], datetime]) -> None:
        """Call SES through `client`, as often as `rate_limiter` allows."""
        self._client = client
        self._rate_limiter = rate_limiter
        self._now = now

    def check(self, deadline: datetime, metric_counts: MetricCounts) -> str:
        """Count `AccountRestricted` as 1 or 0, and return the state in words that are fit for logs.

        If SES does not say, nothing is counted, and the words begin with `unknown`.
        """
        refusal = self._rate_limiter.acquire(min(deadline, self._now() + PATIENCE))
        if refusal:
            return f"unknown: {refusal.code}"
        try:
            account = self._client.get_account()
        except AWS_ERRORS as error:
            return f"unknown: {error_code(error)}"
        state = describe(account)
        if not state.startswith("unknown"):
            metric_counts.stack_counts["AccountRestricted"] += int(state != HEALTHY)
        return state


def describe(account: Mapping[str, Any]) -> str:
    """Return HEALTHY, or what SES restricts, or `unknown` if a field is missing and the other one is no restriction.

    EnforcementStatus is HEALTHY, PROBATION (under review) or SHUTDOWN (paused). AWS may add values, so every other one
    is a restriction: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html
    """
    enforcement, sending = account.get("EnforcementStatus"), account.get("SendingEnabled")
    if isinstance(enforcement, str) and enforcement != HEALTHY:
        return loggable_code(enforcement)
    if sending is False:
        return "sending disabled"
    return HEALTHY if enforcement == HEALTHY and sending is True else "unknown: no value"

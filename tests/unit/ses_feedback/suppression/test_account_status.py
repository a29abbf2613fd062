"""The state of the SES account: what is counted, and what stays unknown."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from ses_feedback.aws.metric_counts import MetricCounts
from ses_feedback.aws.metrics import stack_totals
from ses_feedback.aws.refusals import OUT_OF_TIME, Refusal
from ses_feedback.suppression.account_status import PATIENCE, AccountCheck, describe
from ses_feedback.suppression.interfaces import CallLimiter
from tests.support.fakes import FakeRateLimiter, ManualClock

HEALTHY_ACCOUNT = {"EnforcementStatus": "HEALTHY", "SendingEnabled": True}


@pytest.mark.parametrize(
    ("account", "state"),
    [
        (HEALTHY_ACCOUNT, "HEALTHY"),
        ({"EnforcementStatus": "PROBATION", "SendingEnabled": True}, "PROBATION"),
        ({"EnforcementStatus": "SHUTDOWN", "SendingEnabled": False}, "SHUTDOWN"),
        ({"EnforcementStatus": "A_NEW_WORD", "SendingEnabled": True}, "A_NEW_WORD"),
        ({"EnforcementStatus": "someone@example.com"}, "UnknownError"),
        ({"EnforcementStatus": "HEALTHY", "SendingEnabled": False}, "sending disabled"),
        ({"SendingEnabled": False}, "sending disabled"),
        # A missing value is unknown, never healthy.
        ({"EnforcementStatus": "HEALTHY"}, "unknown: no value"),
        ({"SendingEnabled": True}, "unknown: no value"),
        ({"EnforcementStatus": None, "SendingEnabled": None}, "unknown: no value"),
        ({}, "unknown: no value"),
    ],
)
def test_the_state_of_an_account(account: dict[str, Any], state: str) -> None:
    assert describe(account) == state


class FakeAccount:
    """SES, which answers GetAccount with `answer`, or raises it."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def get_account(self) -> object:
        """Return or raise the answer."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class BusyLimiter:
    """A rate limiter without a free moment."""

    def __init__(self) -> None:
        self.deadlines: list[datetime] = []

    def acquire(self, deadline: datetime) -> Refusal:
        """Record the deadline, and refuse."""
        self.deadlines.append(deadline)
        return OUT_OF_TIME


def check(answer: object, limiter: CallLimiter | None = None) -> tuple[str, dict[str, int]]:
    """Check an account, and return the state and the metrics."""
    clock = ManualClock()
    metric_counts = MetricCounts()
    account = AccountCheck(FakeAccount(answer), limiter or FakeRateLimiter(clock, 1.0), clock.now)
    state = account.check(clock.now() + timedelta(minutes=4), metric_counts)
    return state, stack_totals(metric_counts)


@pytest.mark.parametrize(
    ("account", "value"),
    [(HEALTHY_ACCOUNT, 0), ({**HEALTHY_ACCOUNT, "SendingEnabled": False}, 1), ({"EnforcementStatus": "SHUTDOWN"}, 1)],
)
def test_a_known_state_is_counted(account: dict[str, Any], value: int) -> None:
    assert check(account)[1] == {"AccountRestricted": value}


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ({}, "unknown: no value"),
        (
            ClientError({"Error": {"Code": "TooManyRequestsException"}}, "GetAccount"),
            "unknown: TooManyRequestsException",
        ),
        (ReadTimeoutError(endpoint_url="https://example.com"), "unknown: ReadTimeoutError"),
    ],
)
def test_an_unknown_state_is_not_counted(answer: object, state: str) -> None:
    assert check(answer) == (state, {})


def test_without_a_free_moment_ses_is_not_asked() -> None:
    limiter = BusyLimiter()
    assert check(AssertionError("asked"), limiter) == ("unknown: out-of-time", {})
    assert limiter.deadlines == [ManualClock().now() + PATIENCE]

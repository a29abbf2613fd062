"""All entries of the SES suppression list, page by page, through the stack's rate limiter.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_ListSuppressedDestinations.html
"""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from feedbackctl.aws_failures import describe_failure
from feedbackctl.contacts.denials import RATE_LIMITER, describe_code
from feedbackctl.errors import UnknownResultError
from feedbackctl.stack import Stack
from ses_feedback.aws.errors import AWS_ERRORS, error_code
from ses_feedback.handlers.deadline import utc_now

PAGE_SIZE = 1_000
"""Entries in a page: SES's limit."""
ATTEMPTS = 10
"""Calls for one page. SES throttles more than one call a second: https://docs.aws.amazon.com/ses/latest/dg/quotas.html"""
_PATIENCE = timedelta(minutes=5)
"""Time that a call may wait for the rate limiter."""
_AFTER_THROTTLING = 1.0
"""Seconds without a call after SES throttled one: another process makes calls as well."""
_THROTTLED = frozenset({"TooManyRequestsException", "ThrottlingException", "Throttling"})
_EXPIRED = "InvalidNextTokenException"


class Listed(NamedTuple):
    """An entry. `reason` is SES's text, `updated_at` the time of its last change."""

    variant: str
    reason: str
    updated_at: datetime


def read_list(stack: Stack) -> Iterator[list[Listed]]:
    """Yield the pages of the list. After a token expired, pages come again from the first one.

    Raises:
        UnknownResultError: SES or the rate limiter did not answer.

    """
    token = ""
    while True:
        page = _read_page(stack, token)
        if page is None:
            token = ""
            continue
        yield [
            Listed(str(one["EmailAddress"]), str(one["Reason"]), one["LastUpdateTime"])
            for one in page.get("SuppressedDestinationSummaries", [])
        ]
        token = page.get("NextToken") or ""
        if not token:
            return


def _read_page(stack: Stack, token: str) -> dict[str, Any] | None:
    """Return the response, or None if the token has expired."""
    request = {"PageSize": PAGE_SIZE} | ({"NextToken": token} if token else {})
    problem = ""
    for _ in range(ATTEMPTS):
        refusal = stack.rate_limiter.acquire(utc_now() + _PATIENCE)
        if refusal:
            problem = f"the stack's rate limiter gave no turn ({describe_code(refusal.code, RATE_LIMITER)})"
            break
        try:
            page: dict[str, Any] = stack.aws.ses.list_suppressed_destinations(**request)
        except AWS_ERRORS as error:
            code = error_code(error)
            if isinstance(error, ClientError) and code == _EXPIRED and token:
                return None
            problem = describe_failure(error) or code
            if code not in _THROTTLED:
                break
            time.sleep(_AFTER_THROTTLING)
        else:
            return page
    raise UnknownResultError(f"SES did not return its list: {problem}. Try again.")

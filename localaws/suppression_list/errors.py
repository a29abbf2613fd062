"""The errors with which SES refuses a call about the suppression list.

SuppressionListError
 ├─ BadRequestError        400 BadRequestException
 ├─ InvalidNextTokenError  400 InvalidNextTokenException
 ├─ LimitExceededError     400 LimitExceededException
 ├─ NotFoundError          404 NotFoundException
 └─ TooManyRequestsError   429 TooManyRequestsException

Codes and statuses: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_PutSuppressedDestination.html and the
pages of the other operations. The messages for validation errors, 404 and 429 were observed on SES. The messages for a
simulator address, an address with a slash and the sandbox are invented: depend on the code only.
"""

from typing import ClassVar


class SuppressionListError(Exception):
    """SES refuses a call. The message can contain an address, so treat it as personal data."""

    code: ClassVar[str]
    """The error code in the response."""
    status: ClassVar[int] = 400
    """The HTTP status of the response."""


class BadRequestError(SuppressionListError):
    """The request is invalid; the same request fails again."""

    code = "BadRequestException"


class InvalidNextTokenError(SuppressionListError):
    """The pagination token was not issued by this list."""

    code = "InvalidNextTokenException"


class LimitExceededError(SuppressionListError):
    """The account has the maximum number of unfinished import jobs."""

    code = "LimitExceededException"


class NotFoundError(SuppressionListError):
    """The list has no entry with exactly this address, or the account has no such import job."""

    code = "NotFoundException"
    status = 404


class TooManyRequestsError(SuppressionListError):
    """The account exceeded its call rate. SES sends no Retry-After header."""

    code = "TooManyRequestsException"
    status = 429

"""Client of the SES account-level suppression list.

SES stores an entry with its domain in lower case. Management calls distinguish the case of the local part; sending does
not: https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html. Every call counts against the quota
of one call a second for the account: https://docs.aws.amazon.com/ses/latest/dg/quotas.html
"""

from collections.abc import Mapping
from typing import Any, Protocol

from botocore.exceptions import ClientError

from ses_feedback.aws.errors import AWS_ERRORS, error_code, require
from ses_feedback.aws.refusals import Refusal, RefusalKind
from ses_feedback.judging.facts import ListReason


class SesListClient(Protocol):
    """The methods of botocore's SESv2 client that write the list."""

    def put_suppressed_destination(self, **request: Any) -> Any: ...  # noqa: ANN401, D102
    def delete_suppressed_destination(self, **request: Any) -> Any: ...  # noqa: ANN401, D102


_THROTTLED = frozenset({"TooManyRequestsException", "ThrottlingException", "Throttling", "LimitExceededException"})
_REJECTED = frozenset({"BadRequestException", "ValidationException"})
"""SES does not accept this entry: the account is in the sandbox, or the address is not valid for this call.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_PutSuppressedDestination.html#API_PutSuppressedDestination_Errors
"""


class SuppressionListClient:
    """The account-level suppression list of this Region."""

    def __init__(self, client: SesListClient) -> None:
        """Call SES through `client`, which must not retry by itself: retries would count against the quota."""
        self._client = client

    def put(self, address: str, reason: ListReason) -> Refusal | None:
        """Put `address` on the list with `reason`, replacing an entry; return None, or why SES did not.

        https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_PutSuppressedDestination.html
        """
        try:
            _require_request_id(self._client.put_suppressed_destination(EmailAddress=address, Reason=reason.value))
        except AWS_ERRORS as error:
            return _refusal(error)
        return None

    def delete(self, address: str) -> Refusal | None:
        """Take `address` off the list; return None, also if it was not listed, or why SES did not.

        https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_DeleteSuppressedDestination.html
        """
        try:
            _require_request_id(self._client.delete_suppressed_destination(EmailAddress=address))
        except AWS_ERRORS as error:
            return None if error_code(error) == "NotFoundException" else _refusal(error)
        return None


def _require_request_id(answer: Mapping[str, Any]) -> None:
    """Raise MalformedResponseError if a success lacks a request id: SES's own success has an empty body and this id."""
    require(require(answer, "ResponseMetadata"), "RequestId")


def _refusal(error: Exception) -> Refusal:
    code = error_code(error)
    if not isinstance(error, ClientError):
        return Refusal(RefusalKind.UNANSWERED, code)
    if code in _THROTTLED:
        return Refusal(RefusalKind.THROTTLED, code)
    return Refusal(RefusalKind.REJECTED if code in _REJECTED else RefusalKind.UNAVAILABLE, code)

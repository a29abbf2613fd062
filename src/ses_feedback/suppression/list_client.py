"""Write the SES account-level suppression list.

The list is keyed by the variant SES stores: it lower-cases the domain only, and its management calls tell the case of
the local part apart, though sending does not. Every call counts against one call a second for the whole account.

What SES answers when it did as asked is empty: only the request id beside it tells such an answer from a made-up one.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from botocore.exceptions import ClientError

from ses_feedback.aws.errors import AWS_ERRORS, error_code, require
from ses_feedback.aws.refusals import Refusal, RefusalKind
from ses_feedback.judging.facts import ListReason


class SesV2(Protocol):
    """The calls of botocore's SESv2 client that are made here."""

    def put_suppressed_destination(self, **request: Any) -> Any: ...  # noqa: ANN401, D102
    def delete_suppressed_destination(self, **request: Any) -> Any: ...  # noqa: ANN401, D102


_THROTTLED = frozenset({"TooManyRequestsException", "ThrottlingException", "Throttling", "LimitExceededException"})
_FOR_GOOD = frozenset({"BadRequestException", "ValidationException"})


class SuppressionList:
    """The account-level suppression list of this Region."""

    def __init__(self, client: SesV2) -> None:
        """Call SES through `client`, which must not retry by itself: retries count against the one call a second."""
        self._client = client

    def put(self, address: str, reason: ListReason) -> Refusal | None:
        """Make the list hold `address` with `reason`, whatever it held; return why it does not, if it does not."""
        try:
            _prove(self._client.put_suppressed_destination(EmailAddress=address, Reason=reason.value))
        except AWS_ERRORS as error:
            return _refusal(error)
        return None

    def delete(self, address: str) -> Refusal | None:
        """Make the list not hold `address` (that it never did is as good); return why it still may, if it may."""
        try:
            _prove(self._client.delete_suppressed_destination(EmailAddress=address))
        except AWS_ERRORS as error:
            return None if error_code(error) == "NotFoundException" else _refusal(error)
        return None


def _prove(answer: Mapping[str, Any]) -> None:
    require(require(answer, "ResponseMetadata"), "RequestId")


def _refusal(error: Exception) -> Refusal:
    code = error_code(error)
    if not isinstance(error, ClientError):
        return Refusal(RefusalKind.UNANSWERED, code)
    if code in _THROTTLED:
        return Refusal(RefusalKind.THROTTLED, code)
    return Refusal(RefusalKind.REJECTED if code in _FOR_GOOD else RefusalKind.UNAVAILABLE, code)

"""Errors of the client. Their messages state the next step, and never contain an address."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ses_feedback.client.preferences import PreferenceReceipt

_CODE = re.compile(r"[A-Za-z0-9._-]{1,100}")


class FeedbackClientError(Exception):
    """The base class of the errors of this package."""


class InvalidArgumentError(FeedbackClientError, ValueError):
    """An argument cannot be right, whatever is stored: the call must be corrected."""


class UnusableAddressError(FeedbackClientError, ValueError):
    """A preference cannot be sent, because the text does not contain exactly one usable address."""


class ContactsUnavailableError(FeedbackClientError):
    """The table did not answer the question.

    `code` is the error code of DynamoDB, the class name of botocore's error, or `UnreadableContact`.
    """

    def __init__(self, code: str, next_step: str) -> None:
        super().__init__(f"the contact could not be read ({code}); {next_step}")
        self.code = code


class PreferenceNotSentError(FeedbackClientError):
    """The queue did not confirm a preference. It may have been sent.

    `code` is the error code of SQS or the class name of botocore's error. To repeat the call, pass the `id` and the
    `time` of `receipt`.
    """

    def __init__(self, code: str, receipt: "PreferenceReceipt") -> None:
        super().__init__(
            f"the preference was not sent ({code}); check the queue URL, its Region and the permission sqs:SendMessage,"
            " then repeat the call with the id and the time of this error's receipt"
        )
        self.code = code
        self.receipt = receipt


def aws_errors() -> tuple[type[Exception], ...]:
    """Return the errors that a boto3 call raises without a bug in the application.

    botocore is imported only when an error is handled: by then the application's client has imported it.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    return (ClientError, BotoCoreError, ResponseParserError, OSError)


def error_code(error: Exception) -> str:
    """Return the AWS error code of `error`, or the name of its class. Neither quotes the request."""
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else type(error).__name__

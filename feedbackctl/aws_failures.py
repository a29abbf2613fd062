"""Errors of AWS calls, described for the operator: the cause and the next step."""

import re

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from ses_feedback.aws.errors import MalformedResponseError, error_code

DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "KMSAccessDeniedException",
        "NotAuthorized",
        "UnauthorizedOperation",
    }
)
"""Error codes of a call that IAM or a resource policy refuses."""
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_INVALID = frozenset(
    {"InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch", "UnrecognizedClientException"}
)
THROTTLED = frozenset(
    {"LimitExceededException", "ThrottledException", "Throttling", "ThrottlingException", "TooManyRequestsException"}
)
"""Error codes of a call that was one too many: https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html"""
_ACTION = re.compile(r"not authorized to perform: ([a-z0-9-]{1,40}:[A-Za-z0-9]{1,80})")
_CREDENTIALS = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.CredentialRetrievalError,
    exceptions.SSOError,
    exceptions.TokenRetrievalError,
)
_NETWORK = (exceptions.ConnectionError, exceptions.HTTPClientError, OSError)


def denied_action(error: ClientError) -> str | None:
    """Return the IAM action that the caller lacks (the operation's name if AWS names no action), or None."""
    if error_code(error) not in DENIED:
        return None
    found = _ACTION.search(str(error.response.get("Error", {}).get("Message", "")))
    return found[1] if found else error.operation_name


def describe_failure(error: Exception) -> str | None:
    """Return cause and next step of an AWS error, or None if `error` is not one."""
    match error:
        case ClientError():
            return _describe_refusal(error)
        case exceptions.ProfileNotFound():
            return f"{error}. Give another --profile, or add it with `aws configure`."
        case exceptions.NoRegionError():
            return "There is no Region. Give --region, or set AWS_REGION."
        case BotoCoreError() if isinstance(error, _CREDENTIALS):
            return f"There are no valid AWS credentials: {error}. Sign in with `aws sso login`, or give --profile."
        case MalformedResponseError():
            return "A response is not from AWS. Check proxies and AWS_ENDPOINT_URL, and try again."
        case BotoCoreError() if isinstance(error, _NETWORK):
            return f"AWS cannot be reached: {error}. Check the network, --region and AWS_ENDPOINT_URL, and try again."
        case BotoCoreError():
            return f"The AWS call failed: {error}"
        case _:
            return None


def _describe_refusal(error: ClientError) -> str:
    code = error_code(error)
    action = denied_action(error)
    if action:
        return (
            f"Access denied: your IAM policy does not allow {action}. `feedbackctl iam` prints a policy that allows "
            "what the commands need."
        )
    if code in _EXPIRED:
        return "The AWS credentials have expired. Sign in again, for example with `aws sso login`."
    if code in _INVALID:
        return f"AWS does not accept the credentials ({code}). Check AWS_PROFILE or --profile, and the environment."
    if code in THROTTLED:
        return f"AWS throttled {error.operation_name} ({code}). Try again in a minute."
    return f"{error.operation_name} failed ({code}): {error.response.get('Error', {}).get('Message', '')}"

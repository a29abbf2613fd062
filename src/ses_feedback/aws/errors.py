"""Errors of AWS calls, and their codes. botocore's messages may quote the request, so they never reach a log."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError


class MalformedResponseError(Exception):
    """A response is not from AWS, or lacks a field that every success has. The call may have been carried out."""


AWS_ERRORS = (ClientError, BotoCoreError, MalformedResponseError, OSError)
"""The errors that an AWS call may raise without a bug in this system. The same call may succeed later."""

ERRORS_WITH_RESPONSE = (ClientError, MalformedResponseError)
"""Those of `AWS_ERRORS` after a response. The others mean that no response arrived."""

CONDITION_FAILED = "ConditionalCheckFailedException"
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html"""

_CODE = re.compile(r"[A-Za-z0-9._-]{1,100}")


@contextmanager
def translate_read_errors() -> Iterator[None]:
    """Raise each error of reading an S3 object as one of `AWS_ERRORS`.

    While a body is read, botocore lets the errors of urllib3 pass, for example if the connection breaks.

    Raises:
        AWS_ERRORS: the object could not be read.

    """
    try:
        yield
    except AWS_ERRORS:
        raise
    except Exception as error:  # noqa: BLE001 (reading bytes contains no code of this system, so no bug is hidden)
        raise MalformedResponseError(type(error).__name__) from None


def error_code(error: Exception) -> str:
    """Return the AWS error code of `error`, or the name of its class if AWS did not send one."""
    if isinstance(error, ClientError):
        return loggable_code(error.response.get("Error", {}).get("Code"))
    return type(error).__name__


def loggable_code(code: object) -> str:
    """Return `code` if it has the form of an AWS error code, or `UnknownError`: other text may contain an address."""
    return code if isinstance(code, str) and _CODE.fullmatch(code) else "UnknownError"


def require(response: Mapping[str, Any], name: str, kind: type = object) -> Any:  # noqa: ANN401 (the type of the field)
    """Return `response[name]`, a `kind`, which every success of the call contains.

    botocore takes every status 200 for a success, even from a broken proxy. To acknowledge a message then would lose
    it.

    Raises:
        MalformedResponseError: the field is missing or has another type.

    """
    value = response.get(name)
    if value is None or not isinstance(value, kind):
        raise MalformedResponseError(name)
    return value

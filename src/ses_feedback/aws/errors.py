"""Tell AWS's faults from bugs, and name them in one word: botocore's own texts may quote the request, so an address."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError


class MalformedResponseError(Exception):
    """What was answered is not AWS's, or lacks what every success of AWS's holds: nobody knows what was done."""


AWS_ERRORS = (ClientError, BotoCoreError, MalformedResponseError, OSError)
"""What a call of AWS may raise without a bug of ours: the same call may do later."""

ERRORS_WITH_RESPONSE = (ClientError, MalformedResponseError)
"""Those of them that came with an answer: whoever hangs did not."""

CONDITION_FAILED = "ConditionalCheckFailedException"

_CODE = re.compile(r"[A-Za-z0-9._-]{1,100}")


@contextmanager
def translate_read_errors() -> Iterator[None]:
    """Read an object of S3's, of which botocore lets through what urllib3 makes of a connection that breaks.

    Raises:
        AWS_ERRORS: whatever went wrong. Reading bytes holds no bug of ours.

    """
    try:
        yield
    except AWS_ERRORS:
        raise
    except Exception as error:  # noqa: BLE001 (see above; also what botocore makes of odd headers)
        raise MalformedResponseError(type(error).__name__) from None


def error_code(error: Exception) -> str:
    """Return AWS's error code, or the name of the fault when AWS did not answer."""
    if isinstance(error, ClientError):
        return loggable_code(error.response.get("Error", {}).get("Code"))
    return type(error).__name__


def loggable_code(named: object) -> str:
    """Return the code of an error of AWS's, as logs may hold it: what looks like none may be anything."""
    return named if isinstance(named, str) and _CODE.fullmatch(named) else "UnknownError"


def require(answer: Mapping[str, Any], name: str, kind: type = object) -> Any:  # noqa: ANN401 (whatever AWS put there)
    """Return `answer[name]`, a `kind`, which every true answer of this call holds.

    botocore takes any 200 for success, also one a broken proxy made up; acknowledging a message on the strength of
    that would lose it.

    Raises:
        MalformedResponseError: it is not there, or something else.

    """
    found = answer.get(name)
    if found is None or not isinstance(found, kind):
        raise MalformedResponseError(name)
    return found

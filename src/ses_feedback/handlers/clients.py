"""The AWS clients of a function: one botocore session, each client made on first use."""

from functools import cached_property
from http import HTTPStatus
from typing import Any

from botocore.config import Config
from botocore.parsers import ResponseParserError
from botocore.session import Session, get_session

# A call that hangs must not eat a batch's time: DynamoDB answers in milliseconds or not at all.
_PATIENT = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 4})
# SES allows one call a second for the whole account: the mirror paces its own retries.
_UNREPEATED = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 1})


def only_objects(**parsing: Any) -> None:  # noqa: ANN401 (botocore's own signature of a hook)
    """Refuse a success whose body is no JSON object, before botocore trips over it in ways that look like our bugs.

    Raises:
        ResponseParserError: as botocore does for other bodies it can't read.

    """
    answer = parsing["response_dict"]
    if answer["status_code"] < HTTPStatus.MULTIPLE_CHOICES and answer["body"].lstrip()[:1] not in {
        b"{",
        b"",
    }:
        raise ResponseParserError("AWS answered with success and no JSON object")


class Clients:
    """Clients made from one session."""

    def __init__(self, session: Session | None = None) -> None:
        """Make clients from `session`, the default one when it is None."""
        self._session = session or get_session()
        self._session.register("before-parse", only_objects)

    @cached_property
    def dynamodb(self) -> Any:  # noqa: ANN401 (botocore makes its clients' methods at run time)
        """Amazon DynamoDB."""
        return self._session.create_client("dynamodb", config=_PATIENT)

    @cached_property
    def sqs(self) -> Any:  # noqa: ANN401
        """Amazon SQS."""
        return self._session.create_client("sqs", config=_PATIENT)

    @cached_property
    def events(self) -> Any:  # noqa: ANN401
        """Amazon EventBridge."""
        return self._session.create_client("events", config=_PATIENT)

    @cached_property
    def sesv2(self) -> Any:  # noqa: ANN401
        """Amazon SES, without retries."""
        return self._session.create_client("sesv2", config=_UNREPEATED)

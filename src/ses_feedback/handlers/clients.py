"""The AWS clients of a function: one botocore session, each client made on first use."""

from functools import cached_property
from typing import Any

from botocore.config import Config
from botocore.session import Session, get_session

# A call that hangs must not eat a batch's time: DynamoDB answers in milliseconds or not at all.
_PATIENT = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 4})
# SES allows one call a second for the whole account: the mirror paces its own retries.
_UNREPEATED = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 1})


class Clients:
    """Clients made from one session."""

    def __init__(self, session: Session | None = None) -> None:
        """Make clients from `session`, the default one when it is None."""
        self._session = session or get_session()

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

"""The AWS clients of a function: one botocore session, each client made on first use."""

from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.parsers import ResponseParserError
from botocore.session import Session, get_session

from ses_feedback.handlers.wire import speak

# A call that hangs must not eat a batch's time: DynamoDB answers in milliseconds or not at all.
_PATIENT = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 4})
# SES allows one call a second for the whole account: the mirror paces its own retries.
_UNREPEATED = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 1})
# Its requests are sent as they are, so botocore has no parameters to validate; DynamoDB does.
_AS_IT_IS = _PATIENT.merge(Config(parameter_validation=False))

AMAZON_ROOTS = Path(__file__).parents[2] / "certificates" / "amazon.pem"
"""The certificates of Amazon's own authorities, which the package is built with."""
_AMAZON_SIGNED = {"aws", "aws-us-gov"}


def only_objects(**parsing: Any) -> None:  # noqa: ANN401 (botocore's own signature of a hook)
    """Refuse a success whose body is no JSON object, before botocore trips over it in ways that look like our bugs.

    Raises:
        ResponseParserError: as botocore does for other bodies it can't read.

    """
    answer = parsing["response_dict"]
    body = answer["body"]
    if not isinstance(body, bytes):
        return  # an object of S3's, of which nothing has been read yet
    if answer["status_code"] < HTTPStatus.MULTIPLE_CHOICES and body.lstrip()[:1] not in {b"{", b""}:
        raise ResponseParserError("AWS answered with success and no JSON object")


class Clients:
    """Clients made from one session."""

    def __init__(self, session: Session | None = None, roots: Path = AMAZON_ROOTS) -> None:
        """Make clients from `session`, the default one when it is None; trust `roots` where Amazon signs."""
        self._session = session or get_session()
        self._roots = roots
        self._session.register("before-parse", only_objects)

    @cached_property
    def dynamodb(self) -> Any:  # noqa: ANN401 (botocore makes its clients' methods at run time)
        """Amazon DynamoDB, which takes and returns its own JSON."""
        return speak(self._client("dynamodb", _AS_IT_IS))

    @cached_property
    def sqs(self) -> Any:  # noqa: ANN401
        """Amazon SQS."""
        return self._client("sqs", _PATIENT)

    @cached_property
    def events(self) -> Any:  # noqa: ANN401
        """Amazon EventBridge."""
        return self._client("events", _PATIENT)

    @cached_property
    def sesv2(self) -> Any:  # noqa: ANN401
        """Amazon SES, without retries."""
        return self._client("sesv2", _UNREPEATED)

    @cached_property
    def s3(self) -> Any:  # noqa: ANN401
        """Amazon S3."""
        return self._client("s3", _PATIENT)

    def _client(self, service: str, config: Config) -> Any:  # noqa: ANN401
        # Made anew for every request, the user agent would be a third of what a small one costs.
        named = config.merge(Config(user_agent=self._session.user_agent()))
        return self._session.create_client(service, config=named, verify=self._trusted)

    @cached_property
    def _trusted(self) -> str | None:
        """The authorities to trust, or None for those that botocore is configured to trust.

        botocore reads them anew for every connection, all of the world's 130 in fifteen times as long as Amazon's own,
        which sign for every AWS endpoint of these partitions.
        """
        region = self._session.get_config_variable("region")
        configured = self._session.get_config_variable("ca_bundle") or not region or not self._roots.exists()
        if configured or self._session.get_partition_for_region(region) not in _AMAZON_SIGNED:
            return None
        return str(self._roots)

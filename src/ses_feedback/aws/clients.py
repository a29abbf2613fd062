"""The AWS clients of a function: one botocore session, each client made on first use."""

import logging
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.session import Session, get_session
from pydantic_core import from_json

from ses_feedback.aws.dynamodb.client import ATTEMPTS
from ses_feedback.aws.dynamodb.connection_pool import CONNECT_TIMEOUT, READ_TIMEOUT
from ses_feedback.aws.endpoints import AMAZON_ROOTS, has_amazon_certificate
from ses_feedback.aws.errors import MalformedResponseError

# As DynamoDB is called directly.
_PATIENT = Config(
    connect_timeout=CONNECT_TIMEOUT,
    read_timeout=READ_TIMEOUT,
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
)
# SES allows one call a second for the whole account: the list_sync paces its own retries.
_UNREPEATED = Config(
    connect_timeout=CONNECT_TIMEOUT, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 1}
)


_TALKATIVE = ("botocore", "urllib3")
"""The loggers of what makes the calls: they quote requests, so addresses, where an answer is not as they like it."""


def reject_malformed_body(**parsing: Any) -> None:  # noqa: ANN401 (botocore's own signature of a hook)
    """Refuse a body that is none of AWS's, before botocore trips over it in ways that look like our bugs.

    Of an error it makes sense by its status as well: it is shown an empty body where there is another than AWS's.

    Raises:
        MalformedResponseError: the body of a success is no JSON object, or is there where S3 answers with none.

    """
    answer = parsing["response_dict"]
    body, succeeded = answer["body"], answer["status_code"] < HTTPStatus.MULTIPLE_CHOICES
    if not isinstance(body, bytes) or not body:
        return  # or an object of S3's, of which nothing has been read yet
    if "json" not in parsing["operation_model"].service_model.metadata["protocol"]:
        if succeeded:
            raise MalformedResponseError("a body")
        return
    try:
        said = from_json(body)
    except ValueError:
        said = None
    if succeeded and not isinstance(said, dict):
        raise MalformedResponseError("no JSON object")
    if not succeeded and not _is_error(said):
        answer["body"] = b"{}"


def _is_error(said: object) -> bool:
    return isinstance(said, dict) and all(
        isinstance(said.get(name, ""), str | None) for name in ("__type", "code", "Code", "message", "Message")
    )


class Clients:
    """Clients made from one session."""

    def __init__(self, session: Session | None = None, roots: Path = AMAZON_ROOTS) -> None:
        """Make clients from `session`, the default one when it is None; trust `roots` where Amazon signs."""
        self._session = session or get_session()
        self._roots = roots
        self._session.register("before-parse", reject_malformed_body)
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)

    @cached_property
    def dynamodb(self) -> Any:  # noqa: ANN401 (botocore makes its clients' methods at run time)
        """Amazon DynamoDB."""
        return self._client("dynamodb", _PATIENT)

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
        region = self._session.get_config_variable("region") or ""
        configured = self._session.get_config_variable("ca_bundle") or not self._roots.exists()
        return None if configured or not has_amazon_certificate(region) else str(self._roots)

"""botocore clients of a function: one session, and each client is created when it is first used."""

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

_WITH_RETRIES = Config(
    connect_timeout=CONNECT_TIMEOUT,
    read_timeout=READ_TIMEOUT,
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
)
"""The timeouts and attempts of the direct DynamoDB client."""
_WITHOUT_RETRIES = Config(
    connect_timeout=CONNECT_TIMEOUT, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 1}
)
"""SES allows one call a second for the account, so the sync acquires the rate limiter for each of its own retries.

https://docs.aws.amazon.com/ses/latest/dg/quotas.html
"""
_LOGGERS = ("botocore", "urllib3")
"""Loggers that are silenced: they quote requests, and so addresses, if a response is malformed."""


def reject_malformed_body(**parsing: Any) -> None:  # noqa: ANN401 (botocore's signature of an event handler)
    """Reject a response body that is not from AWS, before botocore fails on it with an error like a bug.

    For an error response botocore also uses the status. Its body is replaced by `{}` if it is not from AWS.

    Raises:
        MalformedResponseError: the body of a success is not a JSON object. For S3: there is a body, although S3
            responds to these calls without one.

    """
    response = parsing["response_dict"]
    body, succeeded = response["body"], response["status_code"] < HTTPStatus.MULTIPLE_CHOICES
    if not isinstance(body, bytes) or not body:
        return  # empty, or an S3 object that has not been read yet
    if "json" not in parsing["operation_model"].service_model.metadata["protocol"]:
        if succeeded:
            raise MalformedResponseError("a body")
        return
    try:
        document = from_json(body)
    except ValueError:
        document = None
    if succeeded and not isinstance(document, dict):
        raise MalformedResponseError("no JSON object")
    if not succeeded and not _is_aws_error(document):
        response["body"] = b"{}"


def _is_aws_error(document: object) -> bool:
    """Return True if the fields of an AWS error that exist in `document` are texts."""
    return isinstance(document, dict) and all(
        isinstance(document.get(name, ""), str | None) for name in ("__type", "code", "Code", "message", "Message")
    )


class Clients:
    """Clients of one session."""

    def __init__(self, session: Session | None = None, roots: Path = AMAZON_ROOTS) -> None:
        """Create clients from `session` (None: botocore's default session).

        Trust only the certificates in `roots` for the endpoints that Amazon Trust Services certifies.
        """
        self._session = session or get_session()
        self._roots = roots
        self._session.register("before-parse", reject_malformed_body)
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)

    @cached_property
    def dynamodb(self) -> Any:  # noqa: ANN401 (botocore creates the methods of its clients at run time, here and below)
        """Amazon DynamoDB."""
        return self._client("dynamodb", _WITH_RETRIES)

    @cached_property
    def sqs(self) -> Any:  # noqa: ANN401
        """Amazon SQS."""
        return self._client("sqs", _WITH_RETRIES)

    @cached_property
    def events(self) -> Any:  # noqa: ANN401
        """Amazon EventBridge."""
        return self._client("events", _WITH_RETRIES)

    @cached_property
    def sesv2(self) -> Any:  # noqa: ANN401
        """Amazon SES, without retries."""
        return self._client("sesv2", _WITHOUT_RETRIES)

    @cached_property
    def s3(self) -> Any:  # noqa: ANN401
        """Amazon S3."""
        return self._client("s3", _WITH_RETRIES)

    def _client(self, service: str, config: Config) -> Any:  # noqa: ANN401
        # A fixed user agent: botocore would compute it for every request, a third of the cost of a small request.
        fixed = config.merge(Config(user_agent=self._session.user_agent()))
        return self._session.create_client(service, config=fixed, verify=self._ca_bundle)

    @cached_property
    def _ca_bundle(self) -> str | None:
        """The file with the certificates to trust, or None for those that botocore is configured to trust.

        botocore reads its certificates for every connection. Its bundle has 130 authorities and takes fifteen times as
        long as Amazon's own, which certify every endpoint of these Regions: https://www.amazontrust.com/repository/
        """
        region = self._session.get_config_variable("region") or ""
        configured = self._session.get_config_variable("ca_bundle") or not self._roots.exists()
        return None if configured or not has_amazon_certificate(region) else str(self._roots)

"""Hooks that keep botocore and moto inside this process: environment, requests and BatchExecuteStatement.

Each context manager restores the previous state. Two facts about botocore 1.44 and moto 5.2:

- botocore asks every `before-send` handler and uses the first response. moto's handler raises for an SES operation that
  it does not implement. So `MOTO_CONFIG` also tells moto to ignore the paths of the suppression list, and
  CloudFormation.
- moto takes no parameters in a PartiQL `INSERT`, so `localaws.in_process.partiql` executes BatchExecuteStatement.
"""

import json
import os
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore import handlers
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from moto.dynamodb.responses import DynamoHandler

from localaws.in_process import partiql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.awsrequest import AWSPreparedRequest
    from moto.core.config import DefaultConfig

    from localaws.suppression_list.rest_api import SuppressionListApi

REGION = "us-east-1"

# The paths of the suppression list's operations, and of message insights, which only SES has.
_LIST_PATHS = "(suppression/addresses(/.*)?|import-jobs(/.*)?|account(/suppression)?|insights/.*)"

MOTO_CONFIG: "DefaultConfig" = {
    "core": {
        # moto would delete a credentials variable that was set to an empty value.
        "mock_credentials": False,
        "reset_boto3_session": True,
        "service_whitelist": None,
        "passthrough": {
            "services": [],
            "urls": [
                rf"https?://email\.[^/]+/v2/email/{_LIST_PATHS}$",
                # moto's own needs packages that are not installed.
                r"https?://cloudformation\.[^/]+/",
            ],
        },
    }
}

# The caller's profile, endpoint and instance role must have no effect.
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "embedded",
    "AWS_SECRET_ACCESS_KEY": "embedded",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


class _Body(BytesIO):
    """The body of a response, with the method that botocore reads it with."""

    def stream(self) -> "Iterator[bytes]":
        yield self.read()


@contextmanager
def isolated_environment() -> "Iterator[None]":
    """Replace the AWS settings in the environment. The variables that Lambda sets stay."""
    removed = {
        name: value
        for name, value in os.environ.items()
        if name == "TEST_SERVER_MODE" or (name.startswith("AWS_") and not name.startswith("AWS_LAMBDA_"))
    }
    for name in removed:
        del os.environ[name]
    os.environ.update(_ENVIRONMENT)
    try:
        yield
    finally:
        for name in _ENVIRONMENT:
            os.environ.pop(name, None)
        os.environ.update(removed)


@contextmanager
def intercepted_requests(ses: "SuppressionListApi") -> "Iterator[None]":
    """Let `ses` respond to SES requests, and refuse every request that has no other response.

    Sessions that are created inside the context never use the network, also after the context ends.
    """
    is_open = True

    def respond_as_ses(request: "AWSPreparedRequest", **_: object) -> AWSResponse | None:
        return _respond(ses, request) if is_open else None

    added = [
        ("before-send.sesv2", respond_as_ses, handlers.REGISTER_FIRST),
        ("before-send", _refuse, handlers.REGISTER_LAST),
    ]
    handlers.BUILTIN_HANDLERS.extend(added)
    try:
        yield
    finally:
        is_open = False
        for handler in added:
            handlers.BUILTIN_HANDLERS.remove(handler)


@contextmanager
def executed_statements(get_dynamodb: "Callable[[], Any]") -> "Iterator[None]":
    """Execute BatchExecuteStatement with the client that `get_dynamodb` returns."""

    def batch_execute_statement(handler: DynamoHandler) -> str:
        return json.dumps(partiql.execute_statements(get_dynamodb(), handler.body["Statements"]))

    original = DynamoHandler.batch_execute_statement
    DynamoHandler.batch_execute_statement = batch_execute_statement  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        DynamoHandler.batch_execute_statement = original  # type: ignore[method-assign]


def _respond(ses: "SuppressionListApi", request: "AWSPreparedRequest") -> AWSResponse | None:
    url = urlsplit(request.url)
    body = request.body if isinstance(request.body, bytes) else b""
    response = ses.respond(request.method or "", url.path, url.query, body)
    if response is None:
        return None
    headers = HTTPHeaders.from_dict(response.headers)
    return AWSResponse(request.url, response.status, headers, _Body(response.body))


def _refuse(request: "AWSPreparedRequest", **_: object) -> AWSResponse:
    """Return an error response. Raising is not possible: botocore calls this also if there is another response."""
    message = "This client belongs to an embedded AWS, which does not implement this call or has ended."
    # Protocols differ in the place of the error code.
    body = json.dumps({"__type": "NotEmbedded", "message": message}).encode()
    headers = HTTPHeaders.from_dict({"x-amzn-ErrorType": "NotEmbedded"})
    return AWSResponse(request.url, 400, headers, _Body(body))

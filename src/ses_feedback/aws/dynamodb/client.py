"""DynamoDB by its own protocol: a call of it is a JSON document sent and a JSON document received.

The items are written in DynamoDB's own JSON anyway. Through botocore a call costs three times as much processor as
this, whatever it carries, and botocore itself is half of a cold start (decision 16).
"""

import json
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from botocore.exceptions import ClientError
from pydantic_core import PydanticSerializationError, from_json, to_json

from ses_feedback.aws.dynamodb.connection_pool import Answer, ConnectionPool
from ses_feedback.aws.dynamodb.sigv4 import Signer
from ses_feedback.aws.endpoints import Access
from ses_feedback.aws.errors import MalformedResponseError, error_code, loggable_code

Json = dict[str, Any]

ATTEMPTS = 3
"""Times a call is made in all, as botocore's standard mode is told elsewhere. Hanging, it takes twelve seconds."""
_PASSING = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "PriorRequestNotComplete",
        "RequestTimeout",
        "RequestTimeoutException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""Errors that pass by themselves, of those that DynamoDB answers with 400 (of botocore's standard retry mode)."""
_PASSING_STATUS = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
"""Of those that what stands between here and DynamoDB answers with."""


class DynamoDbClient:
    """The calls that the functions make, with the names, requests and answers that botocore's client has them with.

    Binary values would be base64 text, both ways. Every call raises one of `AWS_ERRORS`:

    - ClientError: DynamoDB refused. Its message is left out: it may quote the request, so an address.
    - MalformedResponseError: what was answered is not DynamoDB's.
    - OSError: nobody answered.
    """

    def __init__(
        self,
        connections: ConnectionPool,
        sign: Callable[[str, bytes], dict[str, str]],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Send over `connections` what `sign` gives the headers of; `sleep` between attempts, in seconds."""
        self._connections = connections
        self._sign = sign
        self._sleep = sleep

    def batch_execute_statement(self, **request: Any) -> Json:  # noqa: ANN401 (DynamoDB's own parameters, here and below)
        """Call BatchExecuteStatement."""
        return self._call("BatchExecuteStatement", request)

    def batch_get_item(self, **request: Any) -> Json:  # noqa: ANN401
        """Call BatchGetItem."""
        return self._call("BatchGetItem", request)

    def get_item(self, **request: Any) -> Json:  # noqa: ANN401
        """Call GetItem."""
        return self._call("GetItem", request)

    def put_item(self, **request: Any) -> Json:  # noqa: ANN401
        """Call PutItem."""
        return self._call("PutItem", request)

    def query(self, **request: Any) -> Json:  # noqa: ANN401
        """Call Query."""
        return self._call("Query", request)

    def update_item(self, **request: Any) -> Json:  # noqa: ANN401
        """Call UpdateItem."""
        return self._call("UpdateItem", request)

    def _call(self, operation: str, request: Mapping[str, Any]) -> Json:
        target, body = f"DynamoDB_20120810.{operation}", _document(request)
        for attempt in range(1, ATTEMPTS):
            try:
                return self._attempt(operation, target, body)
            except (OSError, MalformedResponseError):
                # Nobody knows whether it was done. All that is written here rests on a condition or is idempotent.
                pass
            except ClientError as error:
                if not _passes(error):
                    raise
            self._sleep(random.uniform(0, 1) * 2 ** (attempt - 1))  # noqa: S311 (jitter, as botocore has it)
        return self._attempt(operation, target, body)

    def _attempt(self, operation: str, target: str, body: bytes) -> Json:
        answer = self._connections.post(self._sign(target, body), body)
        said = _read(answer)
        if answer.status != HTTPStatus.OK:
            raise _refusal(operation, answer.status, said)
        if said is None:
            raise MalformedResponseError("no JSON object")
        return said


def connect(access: Access) -> DynamoDbClient:
    """Return DynamoDB as a function has access to it; nothing is sent yet."""
    connections = ConnectionPool(access.url, access.ca_bundle)
    return DynamoDbClient(connections, Signer(access, connections.host))


def _document(request: Mapping[str, Any]) -> bytes:
    try:
        return to_json(request)
    except PydanticSerializationError:
        # Half a surrogate pair has no UTF-8. Escaped it can be sent, for DynamoDB to refuse.
        return json.dumps(request).encode()


def _read(answer: Answer) -> Json | None:
    """Return the object that is answered, None when it is none."""
    for read in (from_json, json.loads):  # the second is slower, and takes half a surrogate pair
        with suppress(ValueError, RecursionError):
            said = read(answer.body)
            return said if isinstance(said, dict) else None
    return None


def _refusal(operation: str, status: int, said: Json | None) -> ClientError:
    # "com.amazonaws.dynamodb.v20120810#ThrottlingException"
    named = str((said or {}).get("__type") or status).rpartition("#")[2]
    answered: Any = {  # of what botocore has in it, what is asked for
        "Error": {"Code": loggable_code(named), "Message": "(left out)"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answered, operation)


def _passes(error: ClientError) -> bool:
    status: int = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return status in _PASSING_STATUS or status >= HTTPStatus.INTERNAL_SERVER_ERROR or error_code(error) in _PASSING

"""A direct client of DynamoDB: JSON over HTTPS, without botocore.

Purpose: the functions write items in DynamoDB JSON, so botocore's client translates nothing for them. Through botocore
a call costs three times as much CPU, and importing botocore is half of a cold start. Measurements:
docs/explain/decisions/0016-direct-dynamodb-client.md.

Limits:

- It has the six operations that the functions call, with botocore's names, requests and responses. A new operation
  needs a new method.
- It supports no binary values: they would stay Base64 text.
- Its credentials are fixed, as Lambda's are. It supports neither proxies, nor FIPS or dual-stack endpoints, nor AWS
  China.
- It has no retry quota: a call is attempted three times, whatever happened to other calls.

In every other case botocore's client is used: `settings.access_from_environment` decides, and `FunctionClients` selects
the client. The other services, and feedbackctl, always use botocore.

The protocol: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html
"""

import json
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from botocore.exceptions import ClientError
from msgspec import DecodeError
from msgspec.json import Decoder, Encoder

from ses_feedback.aws.dynamodb.connection_pool import ConnectionPool, Response
from ses_feedback.aws.dynamodb.sigv4 import Signer
from ses_feedback.aws.endpoints import Access
from ses_feedback.aws.errors import MalformedResponseError, error_code, loggable_code

Json = dict[str, Any]

ATTEMPTS = 3
"""Attempts of a call, as in botocore's standard retry mode. If all time out, they take twelve seconds.

https://docs.aws.amazon.com/boto3/latest/guide/retries.html
"""
_TRANSIENT_CODES = frozenset(
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
"""Errors with status 400 that are retried, as in botocore's standard retry mode.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
"""
_encoder = Encoder()
_decoder = Decoder()
_TRANSIENT_STATUSES = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
"""Statuses from a proxy or load balancer that are retried. DynamoDB does not send them."""


class DynamoDbClient:
    """The operations that the functions call, with botocore's names, requests and responses.

    Every operation raises one of `AWS_ERRORS`:

    - ClientError: DynamoDB refused the call. The message is left out, because it may quote an address.
    - MalformedResponseError: the response is not DynamoDB's.
    - OSError: no response arrived.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        sign: Callable[[str, bytes], dict[str, str]],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Send requests over `pool` with the headers from `sign`; wait with `sleep` (seconds) between attempts."""
        self._pool = pool
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
        target, body = f"DynamoDB_20120810.{operation}", _serialize(request)
        for attempt in range(1, ATTEMPTS):
            try:
                return self._attempt(operation, target, body)
            except (OSError, MalformedResponseError):
                # The call may have been carried out. Every write of this system has a condition or is idempotent.
                pass
            except ClientError as error:
                if not _is_transient(error):
                    raise
            # Exponential backoff with jitter: https://docs.aws.amazon.com/boto3/latest/guide/retries.html
            self._sleep(random.uniform(0, 1) * 2 ** (attempt - 1))  # noqa: S311 (not a secret)
        return self._attempt(operation, target, body)

    def _attempt(self, operation: str, target: str, body: bytes) -> Json:
        response = self._pool.post(self._sign(target, body), body)
        document = _parse(response)
        if response.status != HTTPStatus.OK:
            raise _client_error(operation, response.status, document)
        if document is None:
            raise MalformedResponseError("no JSON object")
        return document


def connect(access: Access) -> DynamoDbClient:
    """Return a client with the endpoint and credentials of `access`. It connects when it is first used."""
    pool = ConnectionPool(access.url, access.ca_bundle)
    return DynamoDbClient(pool, Signer(access, pool.host))


def _serialize(request: Mapping[str, Any]) -> bytes:
    try:
        return _encoder.encode(request)
    except UnicodeEncodeError:
        # A lone surrogate has no UTF-8 form. It is sent as an escape sequence, which DynamoDB refuses.
        return json.dumps(request).encode()


def _parse(response: Response) -> Json | None:
    """Return the JSON object in the response, or None if it contains none."""
    for parse in (_decoder.decode, json.loads):  # the second is slower, and accepts lone surrogates
        with suppress(DecodeError, ValueError, RecursionError):
            document = parse(response.body)
            return document if isinstance(document, dict) else None
    return None


def _client_error(operation: str, status: int, document: Json | None) -> ClientError:
    # "__type" is, for example, "com.amazonaws.dynamodb.v20120810#ThrottlingException":
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
    code = str((document or {}).get("__type") or status).rpartition("#")[2]
    parsed: Any = {  # of botocore's error, the fields that are read
        "Error": {"Code": loggable_code(code), "Message": "(left out)"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(parsed, operation)


def _is_transient(error: ClientError) -> bool:
    status: int = error.response["ResponseMetadata"]["HTTPStatusCode"]
    if status in _TRANSIENT_STATUSES or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return True
    return error_code(error) in _TRANSIENT_CODES

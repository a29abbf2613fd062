"""DynamoDbClient: its requests, responses and errors are those of botocore's client."""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from zlib import crc32

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.session import Session

from campaigns.wire.http_server import Reply, Request, Server, Transmission
from ses_feedback.aws.dynamodb.client import ATTEMPTS, DynamoDbClient, connect
from ses_feedback.aws.dynamodb.connection_pool import ConnectionPool
from ses_feedback.aws.dynamodb.sigv4 import Signer
from ses_feedback.aws.endpoints import Access
from ses_feedback.aws.errors import AWS_ERRORS, MalformedResponseError, error_code
from tools.package_build.botocore_data import OPERATIONS

Json = dict[str, Any]
READ_TIMEOUT = 0.5
"""Seconds. Some replies never end."""
REGION = "us-east-1"
KEY = {"address": {"S": "recipient@example.com"}, "record": {"S": "contact"}}
ITEM = {
    **KEY,
    "rev": {"N": "12345678901234567890123456789012345678"},
    "may_send": {"BOOL": False},
    "nothing": {"NULL": True},
    "soft_bounce_days": {"L": [{"S": "2026-03-01"}, {"M": {"a": {"NS": ["1", "2.50"]}}}]},
    "text": {"S": 'J\u00f6rg said "no"\n\u2028\U0001f4a9'},
}
CAPACITY = {"TableName": "Contacts", "CapacityUnits": 1.5}
STATEMENT = {"Statement": 'UPDATE "Contacts" SET "rev"=? WHERE "address"=?', "Parameters": [{"N": "2"}, {"S": "a"}]}
CALLS: Mapping[str, tuple[Json, Json]] = {
    "batch_execute_statement": (
        {"Statements": [STATEMENT, STATEMENT], "ReturnConsumedCapacity": "TOTAL"},
        {
            "Responses": [
                {"TableName": "Contacts"},
                {
                    "Error": {
                        "Code": "ConditionalCheckFailed",
                        "Message": "The conditional request failed",
                        "Item": ITEM,
                    }
                },
            ]
        },
    ),
    "batch_get_item": (
        {"RequestItems": {"Contacts": {"Keys": [KEY], "ConsistentRead": True}}},
        {"Responses": {"Contacts": [ITEM]}, "UnprocessedKeys": {"Contacts": {"Keys": [KEY]}}},
    ),
    "get_item": (
        {"TableName": "Contacts", "Key": KEY, "ConsistentRead": True},
        {"Item": ITEM, "ConsumedCapacity": CAPACITY},
    ),
    "put_item": (
        {
            "TableName": "Contacts",
            "Item": ITEM,
            "ConditionExpression": "rev = :rev",
            "ExpressionAttributeValues": {":rev": {"N": "1"}},
        },
        {"ConsumedCapacity": CAPACITY},
    ),
    "query": (
        {
            "TableName": "Contacts",
            "IndexName": "PendingSync",
            "KeyConditionExpression": "pending_shard = :shard",
            "ExpressionAttributeValues": {":shard": {"S": "00"}},
            "Limit": 10,
            "ExclusiveStartKey": KEY,
        },
        {"Items": [ITEM, ITEM], "Count": 2, "ScannedCount": 2, "LastEvaluatedKey": KEY},
    ),
    "update_item": (
        {"TableName": "Contacts", "Key": KEY, "UpdateExpression": "SET rev = rev + :one", "ReturnValues": "ALL_NEW"},
        {"Attributes": ITEM, "ConsumedCapacity": CAPACITY},
    ),
}


class ScriptedServer:
    """A DynamoDB that sends the given replies in order, the last one repeatedly, and records the requests."""

    def __init__(self, server: Server, *replies: Reply) -> None:
        """Reply for `server`."""
        self.url = server.url
        self.requests: list[Request] = []
        self.pauses: list[float] = []
        self._replies = replies
        server.answer = self._reply

    def _reply(self, request: Request) -> Reply:
        self.requests.append(request)
        return self._replies[min(len(self.requests), len(self._replies)) - 1]

    def direct_client(self) -> DynamoDbClient:
        """Return a direct client of this server."""
        pool = ConnectionPool(self.url, read_timeout=READ_TIMEOUT)
        access = Access(self.url, REGION, "key", "secret", "token")
        return DynamoDbClient(pool, Signer(access, pool.host), self.pauses.append)

    def botocore_client(self) -> Any:  # noqa: ANN401 (botocore creates the class at run time)
        """Return botocore's client of this server."""
        session = Session()
        session.set_credentials("key", "secret", "token")
        retries: Any = {"mode": "standard", "total_max_attempts": 1}
        config = Config(retries=retries, parameter_validation=False)
        return session.create_client("dynamodb", REGION, endpoint_url=self.url, config=config)


@contextmanager
def serving(*replies: Reply) -> Iterator[ScriptedServer]:
    """Start a server that sends these replies."""
    with Server() as server:
        yield ScriptedServer(server, *replies)


def json_reply(document: object, status: int = 200) -> Reply:
    """Return a reply with a JSON document."""
    return Reply(status, json.dumps(document).encode())


REFUSED = json_reply({"__type": "com.amazonaws.dynamodb.v20120810#ValidationException"}, 400)
THROTTLED = json_reply({"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}, 400)


def test_these_tests_cover_every_operation_of_the_package() -> None:
    names = {"".join(map(str.title, name.split("_"))) for name in CALLS}
    assert names == set(OPERATIONS["dynamodb"])
    assert {name for name in vars(DynamoDbClient) if not name.startswith("_")} == set(CALLS)


@pytest.mark.parametrize("operation", CALLS)
def test_a_request_equals_that_of_botocore(operation: str) -> None:
    """The JSON may differ in spaces and escapes."""
    request, response = CALLS[operation]
    with serving(json_reply(response)) as dynamodb:
        getattr(dynamodb.direct_client(), operation)(**request)
        getattr(dynamodb.botocore_client(), operation)(**request)
    direct, botocore = dynamodb.requests
    assert json.loads(direct.body) == json.loads(botocore.body)
    assert (direct.method, direct.path) == (botocore.method, botocore.path)
    for name in ("x-amz-target", "content-type", "host", "x-amz-security-token", "accept-encoding"):
        assert direct.headers.get(name) == botocore.headers.get(name)


@pytest.mark.parametrize("operation", CALLS)
def test_a_response_equals_that_of_botocore(operation: str) -> None:
    """Without ResponseMetadata, which botocore adds."""
    request, response = CALLS[operation]
    with serving(json_reply(response)) as dynamodb:
        direct = getattr(dynamodb.direct_client(), operation)(**request)
        botocore = getattr(dynamodb.botocore_client(), operation)(**request)
    del botocore["ResponseMetadata"]
    assert direct == botocore == response


def test_a_lone_surrogate_is_sent_and_dynamodb_refuses_it() -> None:
    """Only that request fails, with a ClientError."""
    item = {**KEY, "text": {"S": "\ud83d"}}
    refused = json_reply({"__type": "com.amazon.coral.service#SerializationException"}, 400)
    with serving(refused) as dynamodb, pytest.raises(ClientError, match="SerializationException"):
        dynamodb.direct_client().put_item(TableName="Contacts", Item=item)
    assert json.loads(dynamodb.requests[0].body)["Item"] == item


def test_a_lone_surrogate_in_a_response_is_read_as_botocore_reads_it() -> None:
    item = {**KEY, "text": {"S": "\ud83d"}}
    with serving(json_reply({"Item": item})) as dynamodb:
        responses = [
            client.get_item(**CALLS["get_item"][0]) for client in (dynamodb.direct_client(), dynamodb.botocore_client())
        ]
    assert [response["Item"] for response in responses] == [item, item]


ERRORS = [
    (400, b'{"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "message": "failed"}'),
    (400, json.dumps({"__type": "a#ConditionalCheckFailedException", "Message": "failed", "Item": ITEM}).encode()),
    (400, b'{"__type": "com.amazon.coral.validate#ValidationException", "message": "no"}'),
    (400, b'{"__type": "com.amazonaws.dynamodb.v20120810#SomethingNew"}'),
    (400, b'{"__type": "Bare"}'),
    (400, b""),
    (400, b"{}"),
    (403, b'{"__type": "com.amazon.coral.service#AccessDeniedException", "Message": "not you"}'),
    (404, b"<html>not found</html>"),
    (500, b'{"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError"}'),
    (503, b"<html>busy</html>"),
]


@pytest.mark.parametrize(("status", "body"), ERRORS)
def test_an_error_has_the_code_and_status_of_botocores_error(status: int, body: bytes) -> None:
    """Its message is left out, because it may quote the request."""
    codes, texts = [], []
    with serving(Reply(status, body)) as dynamodb:
        for client in (dynamodb.botocore_client(), dynamodb.direct_client()):
            with pytest.raises(ClientError) as raised:
                client.get_item(**CALLS["get_item"][0])
            codes.append((error_code(raised.value), raised.value.response["ResponseMetadata"]["HTTPStatusCode"]))
            texts.append(str(raised.value))
    assert codes[0] == codes[1]
    assert texts[1] == f"An error occurred ({codes[0][0]}) when calling the GetItem operation: (left out)"


MALFORMED_BODIES = [
    *(b"", b"{", b'{"Item":', b"[]", b"null", b'"ok"', b"1", b"<html>It works!</html>", b"\xff"),
    *(b"[" * 20_000, b'{"a":' * 20_000),
]


@pytest.mark.parametrize("body", MALFORMED_BODIES)
def test_a_success_without_a_json_object_is_retried_and_then_malformed(body: bytes) -> None:
    """The call may have been carried out."""
    with serving(Reply(200, body)) as dynamodb, pytest.raises(MalformedResponseError):
        dynamodb.direct_client().get_item(**CALLS["get_item"][0])
    assert len(dynamodb.requests) == ATTEMPTS


@pytest.mark.parametrize("status", [204, 301, 404])
def test_every_status_but_200_is_an_error(status: int) -> None:
    """Redirects are not followed."""
    body = b"" if status == HTTPStatus.NO_CONTENT else b"{}"
    with serving(Reply(status, body)) as dynamodb, pytest.raises(ClientError) as raised:
        dynamodb.direct_client().get_item(**CALLS["get_item"][0])
    assert (error_code(raised.value), len(dynamodb.requests)) == (str(status), 1)


TRANSIENT = [
    THROTTLED,
    json_reply({"__type": "com.amazon.coral.availability#ThrottlingException"}, 400),
    json_reply({"__type": "com.amazonaws.dynamodb.v20120810#RequestLimitExceeded"}, 400),
    json_reply({"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError"}, 500),
    Reply(408),
    Reply(429),
    Reply(502, b"<html>bad gateway</html>"),
    Reply(503),
    Reply(200, b"<html>It works!</html>"),
    Reply(200, b"{}", {"x-amz-crc32": str(crc32(b"{} "))}),
    *(json_reply({"Item": ITEM}).sent_as(one) for one in Transmission if one is not Transmission.COMPLETE),
]


@pytest.mark.parametrize("reply", TRANSIENT)
def test_a_transient_error_is_retried_twice_with_longer_pauses(reply: Reply) -> None:
    with serving(reply, reply, json_reply({"Item": ITEM})) as dynamodb:
        assert dynamodb.direct_client().get_item(**CALLS["get_item"][0]) == {"Item": ITEM}
    assert len({request.body for request in dynamodb.requests}) == 1
    assert len(dynamodb.requests) == ATTEMPTS
    assert [pause <= longest for pause, longest in zip(dynamodb.pauses, (1, 2), strict=True)] == [True] * 2


@pytest.mark.parametrize("reply", TRANSIENT)
def test_a_transient_error_of_every_attempt_is_raised(reply: Reply) -> None:
    with serving(reply) as dynamodb, pytest.raises(AWS_ERRORS):
        dynamodb.direct_client().get_item(**CALLS["get_item"][0])
    assert (len(dynamodb.requests), len(dynamodb.pauses)) == (ATTEMPTS, ATTEMPTS - 1)


@pytest.mark.parametrize("code", ["no code at all", "x" * 101, "jane@example.com", 5, ["a"], {}])
def test_text_that_is_not_an_error_code_is_left_out(code: object) -> None:
    """Codes are logged, and a proxy may quote the request."""
    with serving(json_reply({"__type": code}, 400)) as dynamodb, pytest.raises(ClientError) as raised:
        dynamodb.direct_client().get_item(**CALLS["get_item"][0])
    assert error_code(raised.value) in {"UnknownError", "5", "400"}
    assert "jane" not in str(raised.value)


def test_a_permanent_error_is_not_retried() -> None:
    with serving(REFUSED) as dynamodb, pytest.raises(ClientError):
        dynamodb.direct_client().get_item(**CALLS["get_item"][0])
    assert (len(dynamodb.requests), dynamodb.pauses) == (1, [])


def test_a_refused_connection_is_retried_and_raised() -> None:
    with serving() as dynamodb, socket.create_server(("127.0.0.1", 0)) as listener:
        dynamodb.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        client = dynamodb.direct_client()
    with pytest.raises(ConnectionRefusedError):
        client.get_item(**CALLS["get_item"][0])
    assert len(dynamodb.pauses) == ATTEMPTS - 1


def test_connect_uses_the_access_and_sends_nothing_before_the_first_call() -> None:
    with serving(json_reply({"Item": ITEM})) as dynamodb:
        client = connect(Access(dynamodb.url, "eu-north-1", "the-key", "secret"))
        assert dynamodb.requests == []
        assert client.get_item(**CALLS["get_item"][0]) == {"Item": ITEM}
    credential = dynamodb.requests[0].headers["authorization"].partition("Credential=")[2].partition(",")[0].split("/")
    assert (credential[0], credential[2:]) == ("the-key", ["eu-north-1", "dynamodb", "aws4_request"])


def value_types(shape: Shape | None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield the type and the name of every value in a shape."""
    if shape is None or shape.name in path[:-1]:
        return
    yield shape.type_name, path[-1] if path else ""
    match shape:
        case StructureShape():
            for name, member in shape.members.items():
                yield from value_types(member, (*path[:-1], shape.name, name))
        case ListShape():
            yield from value_types(shape.member, (*path[:-1], shape.name, path[-1]))
        case MapShape():
            yield from value_types(shape.value, (*path[:-1], shape.name, path[-1]))
        case _:
            pass


@pytest.mark.parametrize("operation", OPERATIONS["dynamodb"])
def test_only_binary_values_differ_between_python_and_json(operation: str) -> None:
    """No item of this system has a binary value."""
    model = Session().get_service_model("dynamodb").operation_model(operation)
    found = {*value_types(model.input_shape), *value_types(model.output_shape)}
    assert {name for kind, name in found if kind in {"blob", "timestamp"}} == {"B", "BS"}

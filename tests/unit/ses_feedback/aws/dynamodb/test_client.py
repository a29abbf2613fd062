"""Spoken to as it speaks, DynamoDB hears what it would through botocore, and its answers mean what they would there."""

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

from campaigns.wire.http_server import Manner, Reply, Request, Server
from ses_feedback.aws.dynamodb.client import ATTEMPTS, DynamoDbClient, connect
from ses_feedback.aws.dynamodb.connection_pool import ConnectionPool
from ses_feedback.aws.dynamodb.sigv4 import Signer
from ses_feedback.aws.endpoints import Access
from ses_feedback.aws.errors import AWS_ERRORS, MalformedResponseError, error_code
from tools.package_build.botocore_data import OPERATIONS

Json = dict[str, Any]
REGION = "us-east-1"
KEY = {"address": {"S": "recipient@example.com"}, "record": {"S": "contact"}}
ITEM = {
    **KEY,
    "rev": {"N": "12345678901234567890123456789012345678"},
    "may_send": {"BOOL": False},
    "nothing": {"NULL": True},
    "soft_bounce_days": {"L": [{"S": "2026-03-01"}, {"M": {"a": {"NS": ["1", "2.50"]}}}]},
    "said": {"S": 'J\u00f6rg said "no"\n\u2028\U0001f4a9'},
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


class Recorded:
    """A DynamoDB that answers what was recorded, the last of it over and over, and keeps what it was asked."""

    def __init__(self, server: Server, *answers: Reply) -> None:
        """Answer for `server`."""
        self.url = server.url
        self.sent: list[Request] = []
        self.pauses: list[float] = []
        self._answers = answers
        server.answer = self._answer

    def _answer(self, request: Request) -> Reply:
        self.sent.append(request)
        return self._answers[min(len(self.sent), len(self._answers)) - 1]

    def ours(self) -> DynamoDbClient:
        """Return a client of ours."""
        connections = ConnectionPool(self.url, read_timeout=0.2)
        access = Access(self.url, REGION, "key", "secret", "token")
        return DynamoDbClient(connections, Signer(access, connections.host), self.pauses.append)

    def botocores(self) -> Any:  # noqa: ANN401 (botocore makes the class at run time)
        """Return a client of botocore's."""
        session = Session()
        session.set_credentials("key", "secret", "token")
        retries: Any = {"mode": "standard", "total_max_attempts": 1}
        config = Config(retries=retries, parameter_validation=False)
        return session.create_client("dynamodb", REGION, endpoint_url=self.url, config=config)


@contextmanager
def recorded(*answers: Reply) -> Iterator[Recorded]:
    """Serve recorded answers."""
    with Server() as server:
        yield Recorded(server, *answers)


def answered(document: object, status: int = 200) -> Reply:
    """Return an answer that holds a document."""
    return Reply(status, json.dumps(document).encode())


REFUSED = answered({"__type": "com.amazonaws.dynamodb.v20120810#ValidationException"}, 400)
THROTTLED = answered({"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}, 400)


def test_every_call_that_is_made_is_tried_here() -> None:
    """As the package has them."""
    names = {"".join(map(str.title, name.split("_"))) for name in CALLS}
    assert names == set(OPERATIONS["dynamodb"])
    assert {name for name in vars(DynamoDbClient) if not name.startswith("_")} == set(CALLS)


@pytest.mark.parametrize("operation", CALLS)
def test_what_is_sent_is_what_botocore_would_send(operation: str) -> None:
    """To the same place, but for spaces and escapes."""
    request, answer = CALLS[operation]
    with recorded(answered(answer)) as dynamodb:
        getattr(dynamodb.ours(), operation)(**request)
        getattr(dynamodb.botocores(), operation)(**request)
    ours, botocores = dynamodb.sent
    assert json.loads(ours.body) == json.loads(botocores.body)
    assert (ours.method, ours.path) == (botocores.method, botocores.path)
    for name in ("x-amz-target", "content-type", "host", "x-amz-security-token", "accept-encoding"):
        assert ours.headers.get(name) == botocores.headers.get(name)


@pytest.mark.parametrize("operation", CALLS)
def test_an_answer_is_the_one_botocore_would_give(operation: str) -> None:
    """But for what botocore adds about the answer itself."""
    request, answer = CALLS[operation]
    with recorded(answered(answer)) as dynamodb:
        ours = getattr(dynamodb.ours(), operation)(**request)
        botocores = getattr(dynamodb.botocores(), operation)(**request)
    del botocores["ResponseMetadata"]
    assert ours == botocores == answer


def test_half_a_character_is_sent_for_dynamodb_to_refuse() -> None:
    """It is no bug of ours then, but a fault of that one request."""
    item = {**KEY, "said": {"S": "\ud83d"}}
    refused = answered({"__type": "com.amazon.coral.service#SerializationException"}, 400)
    with recorded(refused) as dynamodb, pytest.raises(ClientError, match="SerializationException"):
        dynamodb.ours().put_item(TableName="Contacts", Item=item)
    assert json.loads(dynamodb.sent[0].body)["Item"] == item


def test_half_a_character_is_read() -> None:
    """As botocore reads it, though DynamoDB has no way to it."""
    item = {**KEY, "said": {"S": "\ud83d"}}
    with recorded(answered({"Item": item})) as dynamodb:
        answers = [client.get_item(**CALLS["get_item"][0]) for client in (dynamodb.ours(), dynamodb.botocores())]
    assert [answer["Item"] for answer in answers] == [item, item]


REFUSALS = [
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


@pytest.mark.parametrize(("status", "body"), REFUSALS)
def test_a_refusal_has_the_code_that_botocore_makes_of_it(status: int, body: bytes) -> None:
    """Codes decide what comes next. Messages are left out: they may quote the request."""
    refusals, texts = [], []
    with recorded(Reply(status, body)) as dynamodb:
        for client in (dynamodb.botocores(), dynamodb.ours()):
            with pytest.raises(ClientError) as raised:
                client.get_item(**CALLS["get_item"][0])
            refusals.append((error_code(raised.value), raised.value.response["ResponseMetadata"]["HTTPStatusCode"]))
            texts.append(str(raised.value))
    assert refusals[0] == refusals[1]
    assert texts[1] == f"An error occurred ({refusals[0][0]}) when calling the GetItem operation: (left out)"


GARBAGE = [
    *(b"", b"{", b'{"Item":', b"[]", b"null", b'"ok"', b"1", b"<html>It works!</html>", b"\xff"),
    *(b"[" * 20_000, b'{"a":' * 20_000),
]


@pytest.mark.parametrize("body", GARBAGE)
def test_a_success_that_is_not_dynamodbs_is_a_fault(body: bytes) -> None:
    """Nobody knows then what was done: it is asked for again, and then given up."""
    with recorded(Reply(200, body)) as dynamodb, pytest.raises(MalformedResponseError):
        dynamodb.ours().get_item(**CALLS["get_item"][0])
    assert len(dynamodb.sent) == ATTEMPTS


@pytest.mark.parametrize("status", [204, 301, 404])
def test_another_status_is_a_refusal(status: int) -> None:
    """DynamoDB succeeds with 200 and nothing else; nobody is led elsewhere."""
    body = b"" if status == HTTPStatus.NO_CONTENT else b"{}"
    with recorded(Reply(status, body)) as dynamodb, pytest.raises(ClientError) as raised:
        dynamodb.ours().get_item(**CALLS["get_item"][0])
    assert (error_code(raised.value), len(dynamodb.sent)) == (str(status), 1)


PASSING = [
    THROTTLED,
    answered({"__type": "com.amazon.coral.availability#ThrottlingException"}, 400),
    answered({"__type": "com.amazonaws.dynamodb.v20120810#RequestLimitExceeded"}, 400),
    answered({"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError"}, 500),
    Reply(408),
    Reply(429),
    Reply(502, b"<html>bad gateway</html>"),
    Reply(503),
    Reply(200, b"<html>It works!</html>"),
    Reply(200, b"{}", {"x-amz-crc32": str(crc32(b"{} "))}),
    *(answered({"Item": ITEM}).given(manner) for manner in Manner if manner is not Manner.WHOLE),
]


@pytest.mark.parametrize("trouble", PASSING)
def test_what_passes_is_asked_for_again(trouble: Reply) -> None:
    """Twice, each after a longer pause than the last may be; then it answers after all, and all is well."""
    with recorded(trouble, trouble, answered({"Item": ITEM})) as dynamodb:
        assert dynamodb.ours().get_item(**CALLS["get_item"][0]) == {"Item": ITEM}
    assert len({request.body for request in dynamodb.sent}) == 1
    assert len(dynamodb.sent) == ATTEMPTS
    assert [pause <= longest for pause, longest in zip(dynamodb.pauses, (1, 2), strict=True)] == [True] * 2


@pytest.mark.parametrize("trouble", PASSING)
def test_what_does_not_pass_is_a_fault(trouble: Reply) -> None:
    """After three attempts, as botocore is told to make elsewhere."""
    with recorded(trouble) as dynamodb, pytest.raises(AWS_ERRORS):
        dynamodb.ours().get_item(**CALLS["get_item"][0])
    assert (len(dynamodb.sent), len(dynamodb.pauses)) == (ATTEMPTS, ATTEMPTS - 1)


@pytest.mark.parametrize("named", ["no code at all", "x" * 101, "jane@example.com", 5, ["a"], {}])
def test_what_is_no_code_is_told_to_nobody(named: object) -> None:
    """Whoever answers in DynamoDB's stead may quote the request, and codes are logged."""
    with recorded(answered({"__type": named}, 400)) as dynamodb, pytest.raises(ClientError) as raised:
        dynamodb.ours().get_item(**CALLS["get_item"][0])
    assert error_code(raised.value) in {"UnknownError", "5", "400"}
    assert "jane" not in str(raised.value)


def test_a_refusal_is_not_asked_for_again() -> None:
    """It would be refused again."""
    with recorded(REFUSED) as dynamodb, pytest.raises(ClientError):
        dynamodb.ours().get_item(**CALLS["get_item"][0])
    assert (len(dynamodb.sent), dynamodb.pauses) == (1, [])


def test_nobody_there() -> None:
    """A fault like any other."""
    with recorded() as dynamodb, socket.create_server(("127.0.0.1", 0)) as listener:
        dynamodb.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        client = dynamodb.ours()
    with pytest.raises(ConnectionRefusedError):
        client.get_item(**CALLS["get_item"][0])
    assert len(dynamodb.pauses) == ATTEMPTS - 1


def test_a_function_connects_as_it_is_told() -> None:
    """With what Lambda gives it; nothing is sent before there is something to send."""
    with recorded(answered({"Item": ITEM})) as dynamodb:
        client = connect(Access(dynamodb.url, "eu-north-1", "the-key", "secret"))
        assert dynamodb.sent == []
        assert client.get_item(**CALLS["get_item"][0]) == {"Item": ITEM}
    credential = dynamodb.sent[0].headers["authorization"].partition("Credential=")[2].partition(",")[0].split("/")
    assert (credential[0], credential[2:]) == ("the-key", ["eu-north-1", "dynamodb", "aws4_request"])


def shapes(shape: Shape | None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield the type of every value in a shape, with its name."""
    if shape is None or shape.name in path[:-1]:
        return
    yield shape.type_name, path[-1] if path else ""
    match shape:
        case StructureShape():
            for name, member in shape.members.items():
                yield from shapes(member, (*path[:-1], shape.name, name))
        case ListShape():
            yield from shapes(shape.member, (*path[:-1], shape.name, path[-1]))
        case MapShape():
            yield from shapes(shape.value, (*path[:-1], shape.name, path[-1]))
        case _:
            pass


@pytest.mark.parametrize("operation", OPERATIONS["dynamodb"])
def test_nothing_needs_translation(operation: str) -> None:
    """No value is anything else in Python than in JSON, save binary attributes, which no item here has."""
    model = Session().get_service_model("dynamodb").operation_model(operation)
    found = {*shapes(model.input_shape), *shapes(model.output_shape)}
    assert {name for kind, name in found if kind in {"blob", "timestamp"}} == {"B", "BS"}

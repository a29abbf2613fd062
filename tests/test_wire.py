"""Spoken to as it speaks, DynamoDB hears and says what it would through botocore alone."""

import json
from binascii import crc32
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import create_loader
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.parsers import ResponseParserError
from botocore.session import Session

from artifact.sdk import OPERATIONS
from ses_feedback.handlers.clients import Clients

Json = dict[str, Any]
REGION = "us-east-1"
KEY = {"address": {"S": "recipient@example.com"}, "record": {"S": "contact"}}
ITEM = {
    **KEY,
    "rev": {"N": "12345678901234567890123456789012345678"},
    "may_send": {"BOOL": False},
    "nothing": {"NULL": True},
    "strikes": {"L": [{"S": "2026-03-01"}, {"M": {"a": {"NS": ["1", "2.50"]}}}]},
    "said": {"S": 'J\u00f6rg said "no"\n\u2028\U0001f4a9 \ud800'},
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
    "batch_write_item": (
        {"RequestItems": {"Contacts": [{"PutRequest": {"Item": ITEM}}, {"DeleteRequest": {"Key": KEY}}]}},
        {"UnprocessedItems": {}},
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
            "IndexName": "MirrorDue",
            "KeyConditionExpression": "mirror_due = :shard",
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


_LOADER = create_loader()  # one for all, so that what it knows of DynamoDB is read once


class _Body(BytesIO):
    """A body as botocore reads it."""

    def stream(self) -> Iterator[bytes]:
        """Yield all of it."""
        yield self.read()


@dataclass
class Recorded:
    """A DynamoDB that says what was recorded, and keeps what it was asked and how that was signed."""

    answers: list[tuple[int, bytes]]
    checksum: int | None = None
    sent: list[AWSPreparedRequest] = field(default_factory=list)
    signed: list[AWSRequest] = field(default_factory=list)

    def client(self, *, wire: bool) -> Any:  # noqa: ANN401 (botocore makes the class at run time)
        """Return a client of it: ours, or botocore's own."""
        session = Session()
        session.register_component("data_loader", _LOADER)
        session.set_credentials("key", "secret", "token")
        session.set_config_variable("region", REGION)
        session.register("before-send.dynamodb", self._answer)  # type: ignore[arg-type]  # this hook's answer is heeded
        session.register("request-created.dynamodb", self._keep)
        clients = Clients(session)
        if wire:
            return clients.dynamodb
        retries: Any = {"mode": "standard", "total_max_attempts": 4}
        return session.create_client("dynamodb", config=Config(retries=retries))

    def _keep(self, **created: Any) -> None:  # noqa: ANN401 (botocore's own signature of a hook)
        self.signed.append(created["request"])

    def _answer(self, **sending: Any) -> AWSResponse:  # noqa: ANN401
        request: AWSPreparedRequest = sending["request"]
        self.sent.append(request)
        status, body = self.answers[min(len(self.sent), len(self.answers)) - 1]
        headers = {"x-amzn-RequestId": "1234", "Content-Type": "application/x-amz-json-1.0"}
        if self.checksum is not None:
            headers["x-amz-crc32"] = str(self.checksum)
        return AWSResponse(request.url, status, HTTPHeaders.from_pairs(headers.items()), _Body(body))


def _sent_body(request: AWSPreparedRequest) -> bytes:
    assert isinstance(request.body, bytes)
    return request.body


def outcome(wire: bool, operation: str, status: int, body: bytes) -> object:  # noqa: FBT001 (which of the two)
    """Return what a call comes to: its answer, or its error."""
    client = Recorded([(status, body)]).client(wire=wire)
    try:
        return getattr(client, operation)(**CALLS[operation][0])
    except ClientError as error:
        return type(error).__name__, error.response, str(error)
    except ResponseParserError as error:
        return type(error), str(error)


def test_every_call_that_is_made_is_tried_here() -> None:
    """As the package has them."""
    names = {"".join(map(str.title, name.split("_"))) for name in CALLS}
    assert names >= set(OPERATIONS["dynamodb"])


@pytest.mark.parametrize("operation", CALLS)
def test_what_is_sent_is_what_botocore_would_send(operation: str) -> None:
    """To the same place, but for spaces and escapes."""
    sent = []
    for wire in (True, False):
        recorded = Recorded([(200, b"{}")])
        getattr(recorded.client(wire=wire), operation)(**CALLS[operation][0])
        (request,) = recorded.sent
        headers = {name: request.headers[name] for name in ("X-Amz-Target", "Content-Type")}
        body = _sent_body(request)
        sent.append((request.method, request.url, json.loads(body), headers, sorted(request.headers)))
        assert int(request.headers["Content-Length"]) == len(body)
    assert sent[0] == sent[1]


@pytest.mark.parametrize("operation", CALLS)
def test_what_is_sent_is_what_was_signed(operation: str) -> None:
    """DynamoDB refuses anything else."""
    recorded = Recorded([(200, b"{}")])
    client = recorded.client(wire=True)
    credentials = client._get_credentials()  # noqa: SLF001 (no other way to them)
    getattr(client, operation)(**CALLS[operation][0])
    (signed,), (sent,) = recorded.signed, recorded.sent
    # As DynamoDB does it: from what arrived, and the headers that are said to be signed.
    authorization = _text(sent.headers["Authorization"])
    names = authorization.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    arrived = AWSRequest(
        sent.method, sent.url, {name: _text(sent.headers[name]) for name in names if name != "host"}, sent.body
    )
    arrived.context["timestamp"] = signed.context["timestamp"]
    signer = SigV4Auth(credentials, "dynamodb", REGION)
    signature = signer.signature(signer.string_to_sign(arrived, signer.canonical_request(arrived)), arrived)
    assert authorization.endswith(f"Signature={signature}")


def _text(header: str | bytes) -> str:
    return header.decode() if isinstance(header, bytes) else header


def test_half_a_character_is_sent_for_dynamodb_to_refuse() -> None:
    """It is no bug of ours then, but a fault of that one request."""
    recorded = Recorded([(400, b'{"__type": "com.amazon.coral.service#SerializationException"}')])
    item = {**KEY, "said": {"S": "\ud83d"}}
    with pytest.raises(ClientError, match="SerializationException"):
        recorded.client(wire=True).put_item(TableName="Contacts", Item=item)
    assert json.loads(_sent_body(recorded.sent[0]))["Item"] == item


@pytest.mark.parametrize("operation", CALLS)
def test_an_answer_is_the_one_botocore_would_give(operation: str) -> None:
    """With everything it adds."""
    body = json.dumps(CALLS[operation][1]).encode()
    ours, botocores = (outcome(wire, operation, 200, body) for wire in (True, False))
    assert ours == botocores
    assert isinstance(ours, dict)
    assert set(ours) == {*CALLS[operation][1], "ResponseMetadata"}
    assert (ours["ResponseMetadata"]["RequestId"], ours["ResponseMetadata"]["RetryAttempts"]) == ("1234", 0)


ODD = [
    (200, b""),
    (200, b"{}"),
    (200, b"  {}"),
    (200, b"{"),
    (200, b'{"Item":'),
    (200, b"[]"),
    (200, b"null"),
    (200, b"<html>It works!</html>"),
    (200, b"\xff"),
    (200, b'{"Item": null, "ConsumedCapacity": null}'),
    (200, b'{"ResponseMetadata": {"HTTPStatusCode": 500}, "Error": {"Code": "Throttled"}, "unheard": "of"}'),
    (204, b""),
    (400, b'{"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "message": "failed"}'),
    (400, json.dumps({"__type": "a#ConditionalCheckFailedException", "Message": "failed", "Item": ITEM}).encode()),
    (400, b'{"__type": "com.amazon.coral.validate#ValidationException", "message": "no"}'),
    (400, b'{"__type": "com.amazonaws.dynamodb.v20120810#SomethingNew"}'),
    (400, b""),
    (403, b'{"__type": "com.amazon.coral.service#AccessDeniedException", "Message": "not you"}'),
    (301, b"{}"),
    (404, b"<html>not found</html>"),
]


@pytest.mark.parametrize(("status", "body"), ODD)
def test_an_odd_answer_is_what_botocore_makes_of_it(status: int, body: bytes) -> None:
    """Errors above all: their codes decide what comes next."""
    assert outcome(True, "get_item", status, body) == outcome(False, "get_item", status, body)  # noqa: FBT003


@pytest.mark.parametrize("wire", [True, False])
def test_what_was_garbled_on_the_way_is_asked_for_again(wire: bool) -> None:  # noqa: FBT001
    """DynamoDB sends a checksum along; botocore compares it with what arrived, not with what was read."""
    whole = json.dumps(CALLS["get_item"][1]).encode()
    recorded = Recorded([(200, whole[:-1]), (200, whole)], checksum=crc32(whole))
    answer = recorded.client(wire=wire).get_item(**CALLS["get_item"][0])
    assert (len(recorded.sent), answer["Item"], answer["ResponseMetadata"]["RetryAttempts"]) == (2, ITEM, 1)
    first, second = recorded.sent
    assert first.body == second.body


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

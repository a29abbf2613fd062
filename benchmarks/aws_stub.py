"""A stub of AWS that counts calls: DynamoDB in memory, and other services that accept every request.

The clients of `Stub.session()` call the stub in this process. `benchmarks.stub_server` serves the stub over HTTP. In
both cases the clients are real: they serialize, sign and parse as in Lambda.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from threading import Lock
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError
from botocore.loaders import create_loader
from botocore.session import Session

from benchmarks.account import REGION
from benchmarks.table import Table

_SERVICES = {
    "AWSEvents": "events",
    "AmazonSQS": "sqs",
    "DynamoDB_20120810": "dynamodb",
    "GraniteServiceVersion20100801": "cloudwatch",
}
# Shared by all sessions, because loading the service models is the largest part of creating a client.
_LOADER = create_loader()
_SUPPRESSION = "/v2/email/suppression/addresses"
_DELIVERIES = "/deliveries/"


class Reply(NamedTuple):
    """An HTTP response."""

    status: int
    body: bytes
    headers: Mapping[str, str] = MappingProxyType({"Content-Type": "application/json", "x-amzn-RequestId": "0"})


@dataclass(slots=True)
class Stub:
    """The services of one account. It counts calls and bytes by service and operation."""

    table: Table = field(default_factory=Table)
    calls: Counter[str] = field(default_factory=Counter)
    sent_bytes: Counter[str] = field(default_factory=Counter)
    objects: dict[str, bytes] = field(default_factory=dict)
    """The content of each object in S3, by path."""
    _lock: Any = field(default_factory=Lock)

    def respond(self, method: str, path: str, target: str, body: bytes) -> Reply:
        """Return the response to a request with `target` as its header X-Amz-Target."""
        service, operation = _operation(method, path, target)
        with self._lock:
            self.calls[f"{service}:{operation}"] += 1
            self.sent_bytes[f"{service}:{operation}"] += len(body)
            if service == "s3":
                content = self.objects[path]
                return Reply(200, content, {"ETag": '"0"', "Content-Length": str(len(content))})
            try:
                answer = self._answer(service, operation, body)
            except ClientError as error:
                failed = {"__type": f"com.amazonaws.dynamodb.v20120810#{error.response['Error']['Code']}"}
                return Reply(400, json.dumps(failed).encode())
        return Reply(200, json.dumps(answer).encode())

    def _answer(self, service: str, operation: str, body: bytes) -> Mapping[str, Any]:
        match service:
            case "dynamodb":
                return self.table.answer(operation, body)
            case "events":
                entries = json.loads(body)["Entries"]
                return {"FailedEntryCount": 0, "Entries": [{"EventId": "0"} for _ in entries]}
            case "sqs":
                return {"MessageId": "0"}
            case _:
                return {}

    def session(self) -> Session:
        """Return a botocore session whose clients call this stub in this process."""
        session = Session()
        session.register_component("data_loader", _LOADER)
        session.set_credentials("stub", "stub")
        session.set_config_variable("region", REGION)
        session.register("before-send", self._before_send)  # type: ignore[arg-type]  # The stubs do not allow a response.
        return session

    def _before_send(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        body = request.body if isinstance(request.body, bytes) else b""
        target = request.headers.get("X-Amz-Target", b"")
        target = target.decode() if isinstance(target, bytes) else target
        reply = self.respond(request.method or "", urlsplit(request.url).path, target, body)
        headers = HTTPHeaders.from_dict(dict(reply.headers))
        return AWSResponse(request.url, reply.status, headers, _Body(reply.body))


class _Body(BytesIO):
    """A response body with the interface that botocore reads from."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


def _operation(method: str, path: str, target: str) -> tuple[str, str]:
    if path.startswith(_SUPPRESSION):
        return "sesv2", f"{method.capitalize()}SuppressedDestination"
    if path.startswith(_DELIVERIES):
        return "s3", f"{method.capitalize()}Object"
    prefix, _, operation = target.partition(".")
    return _SERVICES[prefix], operation

"""HTTP requests and responses, read from and written to an ASGI server.

ASGI: https://asgi.readthedocs.io/en/latest/specs/www.html
"""

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
_CREDENTIAL = re.compile(r"Credential=(?P<key>[^/]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")


class Response(NamedTuple):
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request. `path` is percent-encoded, as received."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def access_key(self) -> str:
        """The access key in the signature, or an empty string."""
        return self._read_credential("key")

    @property
    def service(self) -> str:
        """The AWS service in the signature, or an empty string."""
        return self._read_credential("service")

    @property
    def operation(self) -> str:
        """The operation if a header names it, otherwise method and path."""
        target = self.headers.get("x-amz-target", "")
        return target.rpartition(".")[2] if target else f"{self.method} {self.path}"

    def _read_credential(self, part: str) -> str:
        match = _CREDENTIAL.search(self.headers.get("authorization", ""))
        return match[part] if match else ""


def read_head(scope: Message) -> Request:
    """Return the request of an ASGI scope, without its body."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    path = scope.get("raw_path") or scope["path"].encode()
    return Request(scope["method"], path.decode("latin-1"), scope["query_string"].decode("latin-1"), headers)


async def read_body(receive: Receive) -> bytes:
    """Return the body of a request."""
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def send_response(send: Send, response: Response) -> None:
    """Send a response, with the length of its body."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    headers["content-length"] = str(len(response.body))
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": encoded})
    await send({"type": "http.response.body", "body": response.body})


def without_cors(send: Send) -> Send:
    """Return `send` without the headers that allow web pages to read a response."""

    async def send_filtered(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [pair for pair in message["headers"] if not pair[0].lower().startswith(b"access-control-")]
            message = {**message, "headers": headers}
        await send(message)

    return send_filtered


async def call_app(app: App, scope: Message, body: bytes) -> Response:
    """Return the response of an ASGI application to a request whose body was already read."""
    start: dict[str, Any] = {}
    parts: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        parts.append(message.get("body", b""))

    await app(scope, receive, send)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
    return Response(start["status"], headers, b"".join(parts))

"""An HTTP/1.1 server as botocore needs it, with one thread per connection. Each reply can have a network fault."""

import select
import socket
import struct
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from http import HTTPStatus
from typing import TYPE_CHECKING, Self
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK = 65_536
_SEPARATOR = b"\r\n\r\n"
_POLL_INTERVAL = 0.0002
"""Seconds."""


class Transmission(Enum):
    """How a reply is sent."""

    COMPLETE = auto()
    NONE = auto()
    """Nothing is sent, and the connection stays open."""
    RESET = auto()
    CLOSED = auto()
    TRUNCATED = auto()
    """The connection is closed in the middle of the body."""
    LENGTH_TOO_LONG = auto()
    """Content-Length is larger than the body, and the connection stays open."""
    LENGTH_TOO_SHORT = auto()
    """Content-Length is smaller than the body."""
    CONNECTIONS_FORGOTTEN = auto()
    """Every connection is reset when it is used the next time, as behind a NAT gateway that restarted."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request. Names of headers are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply and how it is sent."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    transmission: Transmission = Transmission.COMPLETE
    from_proxy: bool = False
    """True if the reply lacks the headers of AWS, as that of a proxy does."""

    def sent_as(self, transmission: Transmission) -> Self:
        """Return this reply with another transmission."""
        return replace(self, transmission=transmission)

    def head(self) -> bytes:
        """Return the status line and the headers."""
        length = len(self.body)
        if self.transmission is Transmission.LENGTH_TOO_LONG:
            length += 7
        if self.transmission is Transmission.LENGTH_TOO_SHORT:
            length //= 2
        own = {} if self.from_proxy else {"x-amzn-RequestId": "made-up", "x-amz-crc32": crc32(self.body)}
        headers = {**own, **self.headers}
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}", f"Content-Length: {length}"]
        return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode()


class Server:
    """A server on a free port of this machine. `answer` returns the reply to each request."""

    def __init__(self) -> None:
        """Listen. The server accepts connections inside its context."""
        self.answer: Callable[[Request], Reply] = lambda _: Reply(HTTPStatus.SERVICE_UNAVAILABLE)
        self.after_reply: Callable[[Request], None] = lambda _: None
        """Is called after the reply to a request was sent."""
        self.error: BaseException | None = None
        """The first error of `answer`, which is not the fault of a client."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._connections: set[socket.socket] = set()
        self._forgotten: set[socket.socket] = set()
        self._busy = 0
        self._lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        """Accept connections."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections."""
        self._listener.close()
        self.close_connections()

    def close_connections(self) -> None:
        """Close every open connection."""
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def forget_connections(self) -> None:
        """Reset every open connection as soon as it is used again."""
        with self._lock:
            self._forgotten |= self._connections

    def wait_until_idle(self) -> None:
        """Wait until every request is answered, also those of killed processes."""
        # Connections are accepted in order: earlier ones are known when this request is answered.
        with suppress(OSError), socket.create_connection(self._listener.getsockname()) as last:
            last.sendall(b"PING / HTTP/1.1\r\n\r\n")
            last.recv(_CHUNK)
        while self._is_busy():
            time.sleep(_POLL_INTERVAL)

    def _is_busy(self) -> bool:
        with self._lock:
            if self._busy:
                return True
            readable = select.poll()
            for connection in self._connections:
                readable.register(connection, select.POLLIN)
        return bool(readable.poll(0))

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with suppress(OSError):
                while self._answer_request(connection):
                    pass
        except BaseException as error:  # noqa: BLE001 (the main thread raises it)
            self.error = error
        finally:
            with self._lock:
                self._connections.discard(connection)
                self._forgotten.discard(connection)
            connection.close()

    def _answer_request(self, connection: socket.socket) -> bool:
        """Answer the next request; return True if the connection can be used again."""
        first = connection.recv(_CHUNK)
        with self._lock:
            if connection in self._forgotten:
                return _reset(connection)
            self._busy += 1
        try:
            request = _read(connection, first)
            if request is None:
                return False
            if request.method == "PING":
                connection.sendall(Reply().head())
                return False
            reply = self.answer(request)
            if reply.transmission is Transmission.CONNECTIONS_FORGOTTEN:
                self.forget_connections()
            stays_open = _send(connection, reply)
            self.after_reply(request)
        finally:
            with self._lock:
                self._busy -= 1
        if reply.transmission in {Transmission.NONE, Transmission.LENGTH_TOO_LONG}:
            while connection.recv(_CHUNK):
                pass
        return stays_open


def _read(connection: socket.socket, received: bytes) -> Request | None:
    """Return the request that begins with `received`, or None if the client closes the connection before its end."""
    while _SEPARATOR not in received:
        more = connection.recv(_CHUNK)
        if not more:
            return None
        received += more
    head, _, body = received.partition(_SEPARATOR)
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    while len(body) < length:
        more = connection.recv(_CHUNK)
        if not more:
            return None
        body += more
    return Request(method, path, headers, body)


def _send(connection: socket.socket, reply: Reply) -> bool:
    """Send the reply; return True if the connection can be used again."""
    match reply.transmission:
        case Transmission.COMPLETE | Transmission.LENGTH_TOO_LONG | Transmission.LENGTH_TOO_SHORT:
            connection.sendall(reply.head() + reply.body)
            return True
        case Transmission.TRUNCATED:
            connection.sendall(reply.head() + reply.body[: len(reply.body) // 2])
            return False
        case Transmission.RESET | Transmission.CONNECTIONS_FORGOTTEN:
            return _reset(connection)
        case Transmission.CLOSED:
            return False
        case _:
            return True


def _reset(connection: socket.socket) -> bool:
    """Let the connection be reset when it is closed; return False, because it cannot be used again."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False

"""HTTP/1.1 as botocore speaks it, answered as badly as a fault asks for, with a thread for each connection."""

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


class Manner(Enum):
    """How an answer is given."""

    WHOLE = auto()
    NEVER = auto()
    """The connection stays open, and nothing comes."""
    RESET = auto()
    CLOSED = auto()
    TRUNCATED = auto()
    """The connection ends in the middle of the body."""
    TOO_LONG = auto()
    """More is published than comes, and the connection stays open."""
    TOO_SHORT = auto()
    """Less is published than comes."""
    FORGOTTEN = auto()
    """A network device forgets every open connection and resets each at its next use."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request; names of headers are in small letters."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and the manner in which it is given."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    manner: Manner = Manner.WHOLE
    made_up: bool = False
    """True if a server other than AWS answers: the answer lacks the headers that AWS always sends."""

    def given(self, manner: Manner) -> Self:
        """Return this answer given in another manner."""
        return replace(self, manner=manner)

    def head(self) -> bytes:
        """Return the status line and the headers."""
        published = len(self.body)
        if self.manner is Manner.TOO_LONG:
            published += 7
        if self.manner is Manner.TOO_SHORT:
            published //= 2
        own = {} if self.made_up else {"x-amzn-RequestId": "made-up", "x-amz-crc32": crc32(self.body)}
        headers = {**own, **self.headers}
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}", f"Content-Length: {published}"]
        return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode()


class Server:
    """Answers on a port of this machine, as `answer` says; `given` is told when an answer was."""

    def __init__(self) -> None:
        """Listen; `start` answers."""
        self.answer: Callable[[Request], Reply] = lambda _: Reply(HTTPStatus.SERVICE_UNAVAILABLE)
        self.given: Callable[[Request], None] = lambda _: None
        self.problem: BaseException | None = None
        """What went wrong with answering, which no client may be blamed for."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._connections: set[socket.socket] = set()
        self._forgotten: set[socket.socket] = set()
        self._busy = 0
        self._lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        """Begin to answer."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up on everybody."""
        self._listener.close()
        self.hang_up()

    def hang_up(self) -> None:
        """End every connection there is."""
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """Take every connection there is for one never heard of, without telling anybody."""
        with self._lock:
            self._forgotten |= self._connections

    def settle(self) -> None:
        """Wait until everything that was sent here is read, and done: also what the dead sent."""
        # Every earlier connection has been accepted once this one is answered.
        with suppress(OSError), socket.create_connection(self._listener.getsockname()) as last:
            last.sendall(b"PING / HTTP/1.1\r\n\r\n")
            last.recv(_CHUNK)
        while self._unsettled():
            time.sleep(0.0002)

    def _unsettled(self) -> bool:
        with self._lock:
            if self._busy:
                return True
            watched = select.poll()
            for connection in self._connections:
                watched.register(connection, select.POLLIN)
        return bool(watched.poll(0))

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
                while self._answer_one(connection):
                    pass
        except BaseException as error:  # noqa: BLE001 (carried over to the thread that waits for the answers)
            self.problem = error
        finally:
            with self._lock:
                self._connections.discard(connection)
                self._forgotten.discard(connection)
            connection.close()

    def _answer_one(self, connection: socket.socket) -> bool:
        """Answer a request; say whether the connection goes on."""
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
            if reply.manner is Manner.FORGOTTEN:
                self.forget()
            goes_on = _give(connection, reply)
            self.given(request)
        finally:
            with self._lock:
                self._busy -= 1
        if reply.manner in {Manner.NEVER, Manner.TOO_LONG}:
            while connection.recv(_CHUNK):
                pass
        return goes_on


def _read(connection: socket.socket, received: bytes) -> Request | None:
    """Return the request that begins with `received`; None when the client hangs up before its end."""
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


def _give(connection: socket.socket, reply: Reply) -> bool:
    """Give the answer in its manner; say whether the connection goes on."""
    match reply.manner:
        case Manner.WHOLE | Manner.TOO_LONG | Manner.TOO_SHORT:
            connection.sendall(reply.head() + reply.body)
            return True
        case Manner.TRUNCATED:
            connection.sendall(reply.head() + reply.body[: len(reply.body) // 2])
            return False
        case Manner.RESET | Manner.FORGOTTEN:
            return _reset(connection)
        case Manner.CLOSED:
            return False
        case _:
            return True


def _reset(connection: socket.socket) -> bool:
    """Have the connection end with a reset; say that it does not go on."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False

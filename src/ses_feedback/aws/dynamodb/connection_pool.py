"""HTTP connections to one endpoint, kept open between requests."""

import select
import ssl
from collections import deque
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit
from weakref import finalize
from zlib import crc32

from ses_feedback.aws.errors import MalformedResponseError

# A call that hangs must not eat a batch's time: DynamoDB answers in milliseconds or not at all.
CONNECT_TIMEOUT, READ_TIMEOUT = 2, 3
"""In seconds."""


class Answer(NamedTuple):
    """An answer: its status and its body."""

    status: int
    body: bytes


class ConnectionPool:
    """Connections to `url`, as many as there are requests under way at once."""

    def __init__(
        self,
        url: str,
        ca_bundle: str = "",
        *,
        connect_timeout: float = CONNECT_TIMEOUT,
        read_timeout: float = READ_TIMEOUT,
    ) -> None:
        """Trust the certificates in the file `ca_bundle`, those this machine trusts when it is empty."""
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self.host = parts.netloc
        self._ca_bundle = ca_bundle
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        # Last in, first out: those that a quieter time does not need grow old, and are found closed. Appending and
        # popping are safe between threads.
        self._idle: deque[HTTPConnection] = deque()
        finalize(self, _close, self._idle)

    def post(self, headers: dict[str, str], body: bytes) -> Answer:
        """Send `body` to `/`, and return what is answered, whatever its status.

        Raises:
            OSError: nobody answered (in time).
            MalformedResponseError: what came is no answer of HTTP's, or not what its checksum says was sent.

        """
        kept = self._idle_one()
        try:
            return self._exchange(kept or self._connect(), headers, body)
        except OSError:
            if kept:
                # What cut off this one while nobody looked has cut off the others as well: each of them would cost an
                # attempt, and there may be more of them than attempts.
                _close(self._idle)
            raise

    def _exchange(self, connection: HTTPConnection, headers: dict[str, str], body: bytes) -> Answer:
        sound = False
        try:
            connection.request("POST", "/", body, headers)
            response = connection.getresponse()
            answer = Answer(response.status, response.read())
            checksum = response.getheader("x-amz-crc32")
            if checksum is not None and checksum != str(crc32(answer.body)):
                raise MalformedResponseError("x-amz-crc32")
            sound = not response.will_close
        except (HTTPException, OverflowError, MemoryError) as error:
            if isinstance(error, OSError):
                raise  # the other side hung up
            # Its text would quote what came. The last two are of lengths that nobody sends.
            raise MalformedResponseError(type(error).__name__) from None
        finally:
            if sound:
                self._idle.append(connection)
            else:
                # Whatever else may come on it would be taken for the answer to another request.
                connection.close()
        return answer

    def _idle_one(self) -> HTTPConnection | None:
        while connection := _taken(self._idle):
            if not _ended(connection):
                return connection
            connection.close()
        return None

    def _connect(self) -> HTTPConnection:
        timeout = self._connect_timeout
        connection = (
            HTTPSConnection(self.host, timeout=timeout, context=self._context)
            if self._secure
            else HTTPConnection(self.host, timeout=timeout)
        )
        connection.connect()
        connection.sock.settimeout(self._read_timeout)
        return connection

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._ca_bundle or None)


def _taken(connections: deque[HTTPConnection]) -> HTTPConnection | None:
    try:
        return connections.pop()
    except IndexError:  # there is none, or another thread was faster
        return None


def _close(connections: deque[HTTPConnection]) -> None:
    while connection := _taken(connections):
        connection.close()


def _ended(connection: HTTPConnection) -> bool:
    """Whether the other side has hung up (or has said what nobody asked for) since the last answer."""
    if isinstance(connection.sock, ssl.SSLSocket) and connection.sock.pending():
        return True  # decrypted already, so that nothing is left to be seen below
    watched = select.poll()
    watched.register(connection.sock, select.POLLIN)
    return bool(watched.poll(0))

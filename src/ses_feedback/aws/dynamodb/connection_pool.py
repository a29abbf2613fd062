"""A pool of HTTP connections to one endpoint, which stay open between requests."""

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

CONNECT_TIMEOUT, READ_TIMEOUT = 2, 3
"""Seconds. DynamoDB responds in milliseconds, and a call that hangs must not use up the time of a batch."""


class Response(NamedTuple):
    """A response: its status and its body."""

    status: int
    body: bytes


class ConnectionPool:
    """Connections to `url`: as many as there are concurrent requests."""

    def __init__(
        self,
        url: str,
        ca_bundle: str = "",
        *,
        connect_timeout: float = CONNECT_TIMEOUT,
        read_timeout: float = READ_TIMEOUT,
    ) -> None:
        """Trust the certificates in the file `ca_bundle`, or those of the operating system if it is empty."""
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self.host = parts.netloc
        self._ca_bundle = ca_bundle
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        # Last in, first out: connections that are not needed while there is less traffic grow old, and are found
        # closed. Appending and popping are thread-safe: https://docs.python.org/3/library/collections.html#deque-objects
        self._idle: deque[HTTPConnection] = deque()
        finalize(self, _close_all, self._idle)

    def post(self, headers: dict[str, str], body: bytes) -> Response:
        """Send `body` to `/` and return the response, whatever its status.

        Raises:
            OSError: no response arrived in time.
            MalformedResponseError: the response is not HTTP, or does not match its checksum.

        """
        idle = self._pop_idle()
        try:
            return self._exchange(idle or self._connect(), headers, body)
        except OSError:
            if idle:
                # A NAT gateway or firewall that dropped this idle connection has dropped the others, too. Each of them
                # would fail one attempt, and there may be more of them than attempts.
                _close_all(self._idle)
            raise

    def _exchange(self, connection: HTTPConnection, headers: dict[str, str], body: bytes) -> Response:
        reusable = False
        try:
            connection.request("POST", "/", body, headers)
            reply = connection.getresponse()
            response = Response(reply.status, reply.read())
            _verify_checksum(response, reply.getheader("x-amz-crc32"))
            # `will_close`: the server sent "Connection: close". https://www.rfc-editor.org/rfc/rfc9112#section-9.6
            reusable = not reply.will_close
        except (HTTPException, OverflowError, MemoryError) as error:
            if isinstance(error, OSError):
                raise  # the server closed the connection
            # The text of the error could quote the response. The last two result from an absurd Content-Length.
            raise MalformedResponseError(type(error).__name__) from None
        finally:
            if reusable:
                self._idle.append(connection)
            else:
                # The rest of this response would be taken for the response to the next request.
                connection.close()
        return response

    def _pop_idle(self) -> HTTPConnection | None:
        """Return an idle connection that is still open, or None if there is none."""
        while connection := _pop(self._idle):
            if not _is_ended(connection):
                return connection
            connection.close()
        return None

    def _connect(self) -> HTTPConnection:
        timeout = self._connect_timeout
        connection = (
            HTTPSConnection(self.host, timeout=timeout, context=self._tls_context)
            if self._secure
            else HTTPConnection(self.host, timeout=timeout)
        )
        connection.connect()
        connection.sock.settimeout(self._read_timeout)
        return connection

    @cached_property
    def _tls_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._ca_bundle or None)


def _verify_checksum(response: Response, checksum: str | None) -> None:
    """Raise MalformedResponseError if the body does not match DynamoDB's checksum.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html
    """
    if checksum is not None and checksum != str(crc32(response.body)):
        raise MalformedResponseError("x-amz-crc32")


def _pop(connections: deque[HTTPConnection]) -> HTTPConnection | None:
    try:
        return connections.pop()
    except IndexError:  # there is none, or another thread was faster
        return None


def _close_all(connections: deque[HTTPConnection]) -> None:
    while connection := _pop(connections):
        connection.close()


def _is_ended(connection: HTTPConnection) -> bool:
    """Return True if the server has closed the connection, or sent data without a request, since the last response.

    A server may close an idle connection at any time: https://www.rfc-editor.org/rfc/rfc9112#section-9.5
    """
    if isinstance(connection.sock, ssl.SSLSocket) and connection.sock.pending():
        return True  # the data is decrypted already, so polling the socket would not show it
    poller = select.poll()
    poller.register(connection.sock, select.POLLIN)
    return bool(poller.poll(0))

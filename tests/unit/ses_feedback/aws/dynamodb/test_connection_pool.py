"""ConnectionPool: sound connections are reused, and broken ones are closed."""

import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import DEFAULT_BUFFER_SIZE
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from campaigns.wire.http_server import Reply, Request, Server, Transmission
from ses_feedback.aws.dynamodb.connection_pool import ConnectionPool, Response
from ses_feedback.aws.errors import MalformedResponseError

REPLY = Reply(200, b'{"some": "JSON"}')
HEADERS = {"Content-Type": "application/x-amz-json-1.0"}


class CountingServer(Server):
    """A server that counts its connections, and sends the given replies in order."""

    def __init__(self, *replies: Reply) -> None:
        """Repeat the last of `replies`."""
        super().__init__()
        self.connections = 0
        self._replies = list(replies) or [REPLY]
        self.answer = self._next

    def _next(self, _: Request) -> Reply:
        return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]

    def _serve(self, connection: object) -> None:
        self.connections += 1
        super()._serve(connection)  # type: ignore[arg-type]


def impatient_pool(url: str) -> ConnectionPool:
    """Return a pool with short timeouts."""
    return ConnectionPool(url, connect_timeout=0.5, read_timeout=0.5)


def test_successive_requests_use_one_connection() -> None:
    """A TLS handshake costs more than a call."""
    with CountingServer() as server:
        pool = impatient_pool(server.url)
        assert [pool.post(HEADERS, b"{}") for _ in range(5)] == [(200, REPLY.body)] * 5
        assert server.connections == 1


def post_at_once(pool: ConnectionPool, server: Server, number: int) -> list[Response]:
    """Send `number` requests, none of which is answered before all have arrived; return the responses."""
    all_arrived = threading.Barrier(number, timeout=5)

    def wait(_: Request) -> Reply:
        all_arrived.wait()
        return REPLY

    before, server.answer = server.answer, wait
    with ThreadPoolExecutor(number) as executor:
        responses = list(executor.map(lambda _: pool.post(HEADERS, b"{}"), range(number)))
    server.answer = before
    return responses


def test_concurrent_requests_have_a_connection_each_and_reuse_them() -> None:
    with CountingServer() as server:
        pool = ConnectionPool(server.url)
        for _ in range(3):
            assert post_at_once(pool, server, 4) == [(200, REPLY.body)] * 4
        assert server.connections == 4


def test_a_connection_that_the_server_closed_while_idle_is_replaced() -> None:
    """This happens after each quiet minute. The next request must not fail."""
    with CountingServer() as server:
        pool = impatient_pool(server.url)
        pool.post(HEADERS, b"{}")
        server.close_connections()
        server.wait_until_idle()
        assert pool.post(HEADERS, b"{}") == (200, REPLY.body)
        assert server.connections == 3


def test_dropped_connections_cost_one_attempt_however_many_there_are() -> None:
    """A gateway drops all idle connections at once, and resets the next request on any of them."""
    with CountingServer() as server:
        pool = ConnectionPool(server.url)
        post_at_once(pool, server, 6)
        server.forget_connections()
        with pytest.raises(OSError, match="reset"):
            pool.post(HEADERS, b"{}")
        assert pool.post(HEADERS, b"{}") == (200, REPLY.body)
        assert server.connections == 7


@pytest.mark.parametrize("transmission", [one for one in Transmission if one is not Transmission.COMPLETE])
def test_a_connection_with_a_broken_response_is_not_reused(transmission: Transmission) -> None:
    """The rest of one response must not be taken for the next."""
    with CountingServer(REPLY, REPLY.sent_as(transmission), REPLY) as server:
        pool = impatient_pool(server.url)
        pool.post(HEADERS, b"{}")
        with pytest.raises((OSError, MalformedResponseError)):
            pool.post(HEADERS, b"{}")
        assert pool.post(HEADERS, b"{}") == (200, REPLY.body)
        assert server.connections == 2


def test_a_body_that_does_not_match_its_checksum_is_malformed() -> None:
    """DynamoDB sends the checksum in a header."""
    corrupt = Reply(200, b"{}", {"x-amz-crc32": "1"})
    with CountingServer(corrupt, Reply(200, b"{}", {"Connection": "close"})) as server:
        pool = impatient_pool(server.url)
        with pytest.raises(MalformedResponseError):
            pool.post(HEADERS, b"{}")
        assert pool.post(HEADERS, b"{}") == (200, b"{}")


def test_a_connection_with_connection_close_is_not_reused() -> None:
    with CountingServer(Reply(200, b"{}", {"Connection": "close"})) as server:
        pool = impatient_pool(server.url)
        for _ in range(3):
            pool.post(HEADERS, b"{}")
        assert server.connections == 3


def test_a_response_that_is_not_http_is_malformed_and_not_quoted() -> None:
    with CountingServer() as server:
        server.answer = lambda _: Reply(
            200, b"HTTP/9 recipient@example.com\r\n\r\n", transmission=Transmission.LENGTH_TOO_SHORT
        )
        pool = impatient_pool(server.url)
        with pytest.raises(MalformedResponseError) as raised:
            pool.post(HEADERS, b"{}")
    assert "example.com" not in repr(raised.value)


@pytest.mark.parametrize(
    "headers",
    [f"Content-Length: {10**15}", f"Content-Length: {10**20}", "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff"],
)
def test_an_absurd_length_is_an_aws_error(headers: str) -> None:
    """http.client raises MemoryError or OverflowError for it."""

    def respond(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\n{{}}".encode())

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as executor:
        executor.submit(respond, listener)
        with pytest.raises((MalformedResponseError, OSError)):
            impatient_pool(f"http://127.0.0.1:{listener.getsockname()[1]}").post(HEADERS, b"{}")


def test_a_refused_connection_is_raised_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(ConnectionRefusedError):
        impatient_pool(url).post(HEADERS, b"{}")


class _OneReply(BaseHTTPRequestHandler):
    """Responds to every request; to a request with the header `x-twice`, with two responses of a buffer's size each."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Send the response in one write."""
        self.rfile.read(int(self.headers["Content-Length"]))
        twice = self.headers.get("x-twice")
        if twice is None:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            return
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 8151\r\n\r\n"
        self.wfile.write((head + twice.encode().ljust(DEFAULT_BUFFER_SIZE - len(head))) * 2)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return a file with a certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "this machine")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    encoding = serialization.Encoding.PEM
    secret = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(secret + certificate.public_bytes(encoding))
    return path


@contextmanager
def behind_tls(certificate: Path) -> Iterator[str]:
    """Serve responses over TLS; yield the URL."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with ThreadingHTTPServer(("127.0.0.1", 0), _OneReply) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"https://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_only_the_given_certificates_are_trusted(certificate: Path) -> None:
    with behind_tls(certificate) as url:
        assert ConnectionPool(url, str(certificate)).post(HEADERS, b"{}") == (200, b"{}")
        with pytest.raises(ssl.SSLCertVerificationError):
            ConnectionPool(url).post(HEADERS, b"{}")
        with pytest.raises(ssl.SSLCertVerificationError, match="localhost"):
            ConnectionPool(url.replace("127.0.0.1", "localhost"), str(certificate)).post(HEADERS, b"{}")


def test_an_unrequested_second_response_over_tls_is_not_used(certificate: Path) -> None:
    """It may be decrypted already, so that polling the socket does not show it."""
    with behind_tls(certificate) as url:
        pool = ConnectionPool(url, str(certificate))
        bodies = [pool.post({**HEADERS, "x-twice": name}, b"{}").body.strip() for name in ("one", "two", "three")]
    assert bodies == [b"one", b"two", b"three"]

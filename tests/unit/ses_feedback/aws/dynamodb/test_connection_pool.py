"""Connections are kept while they are sound, and left when they are not."""

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

from campaigns.wire.http_server import Manner, Reply, Request, Server
from ses_feedback.aws.dynamodb.connection_pool import ConnectionPool, Response
from ses_feedback.aws.errors import MalformedResponseError

ANSWER = Reply(200, b'{"so": "it is"}')
HEADERS = {"Content-Type": "application/x-amz-json-1.0"}


class Visited(Server):
    """A server that counts the connections that are made to it, and answers as it is told, in order."""

    def __init__(self, *replies: Reply) -> None:
        """Answer with the last of `replies` when there are no more."""
        super().__init__()
        self.visits = 0
        self._replies = list(replies) or [ANSWER]
        self.answer = self._next

    def _next(self, _: Request) -> Reply:
        return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]

    def _serve(self, connection: object) -> None:
        self.visits += 1
        super()._serve(connection)  # type: ignore[arg-type]


def connections(url: str) -> ConnectionPool:
    """Return connections that are soon out of patience."""
    return ConnectionPool(url, connect_timeout=0.2, read_timeout=0.2)


def test_one_connection_serves_request_after_request() -> None:
    """A handshake costs more than a call."""
    with Visited() as server:
        kept = connections(server.url)
        assert [kept.post(HEADERS, b"{}") for _ in range(5)] == [(200, ANSWER.body)] * 5
        assert server.visits == 1


def post_at_once(kept: ConnectionPool, server: Server, number: int) -> list[Response]:
    """Make so many requests, of which none is answered before all are made; return the answers."""
    together = threading.Barrier(number, timeout=5)

    def wait(_: Request) -> Reply:
        together.wait()
        return ANSWER

    before, server.answer = server.answer, wait
    with ThreadPoolExecutor(number) as pool:
        answers = list(pool.map(lambda _: kept.post(HEADERS, b"{}"), range(number)))
    server.answer = before
    return answers


def test_requests_at_once_have_a_connection_each() -> None:
    """And keep them for the next."""
    with Visited() as server:
        kept = ConnectionPool(server.url)
        for _ in range(3):
            assert post_at_once(kept, server, 4) == [(200, ANSWER.body)] * 4
        assert server.visits == 4


def test_a_connection_that_was_ended_meanwhile_is_left() -> None:
    """As after every quiet minute: the first request after it must not fail."""
    with Visited() as server:
        kept = connections(server.url)
        kept.post(HEADERS, b"{}")
        server.hang_up()
        server.settle()
        assert kept.post(HEADERS, b"{}") == (200, ANSWER.body)
        assert server.visits == 3


def test_connections_that_were_forgotten_meanwhile_cost_one_attempt() -> None:
    """However many there are: what is in between forgets all of them at once, and tells whoever uses one."""
    with Visited() as server:
        kept = ConnectionPool(server.url)
        post_at_once(kept, server, 6)
        server.forget()
        with pytest.raises(OSError, match="reset"):
            kept.post(HEADERS, b"{}")
        assert kept.post(HEADERS, b"{}") == (200, ANSWER.body)
        assert server.visits == 7


@pytest.mark.parametrize("manner", [manner for manner in Manner if manner is not Manner.WHOLE])
def test_nothing_else_comes_on_a_connection_that_broke(manner: Manner) -> None:
    """What is left of one answer must not be taken for the next."""
    with Visited(ANSWER, ANSWER.given(manner), ANSWER) as server:
        kept = connections(server.url)
        kept.post(HEADERS, b"{}")
        with pytest.raises((OSError, MalformedResponseError)):
            kept.post(HEADERS, b"{}")
        assert kept.post(HEADERS, b"{}") == (200, ANSWER.body)
        assert server.visits == 2


def test_what_was_garbled_on_the_way_is_no_answer() -> None:
    """DynamoDB sends a checksum along."""
    garbled = Reply(200, b"{}", {"x-amz-crc32": "1"})
    with Visited(garbled, Reply(200, b"{}", {"Connection": "close"})) as server:
        kept = connections(server.url)
        with pytest.raises(MalformedResponseError):
            kept.post(HEADERS, b"{}")
        assert kept.post(HEADERS, b"{}") == (200, b"{}")


def test_a_connection_that_the_server_closes_is_not_kept() -> None:
    """It says so."""
    with Visited(Reply(200, b"{}", {"Connection": "close"})) as server:
        kept = connections(server.url)
        for _ in range(3):
            kept.post(HEADERS, b"{}")
        assert server.visits == 3


def test_what_is_no_http_at_all() -> None:
    """Of what came, nothing is told: nobody knows what it holds."""
    with Visited() as server:
        server.answer = lambda _: Reply(200, b"HTTP/9 recipient@example.com\r\n\r\n", manner=Manner.TOO_SHORT)
        kept = connections(server.url)
        with pytest.raises(MalformedResponseError) as raised:
            kept.post(HEADERS, b"{}")
    assert "example.com" not in repr(raised.value)


@pytest.mark.parametrize(
    "told",
    [f"Content-Length: {10**15}", f"Content-Length: {10**20}", "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff"],
)
def test_lengths_that_nobody_sends(told: str) -> None:
    """There is no such memory, nor a number for it: no bug of ours."""

    def answer(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(f"HTTP/1.1 200 OK\r\n{told}\r\n\r\n{{}}".encode())

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        pool.submit(answer, listener)
        with pytest.raises((MalformedResponseError, OSError)):
            connections(f"http://127.0.0.1:{listener.getsockname()[1]}").post(HEADERS, b"{}")


def test_nobody_there() -> None:
    """In a moment, not in a minute."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(ConnectionRefusedError):
        connections(url).post(HEADERS, b"{}")


class _Hello(BaseHTTPRequestHandler):
    """Answers everything, twice where `x-twice` asks for it: with that, in answers of a buffer's size each."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer, in one piece."""
        self.rfile.read(int(self.headers["Content-Length"]))
        twice = self.headers.get("x-twice")
        if twice is None:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            return
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 8151\r\n\r\n"
        self.wfile.write((head + twice.encode().ljust(DEFAULT_BUFFER_SIZE - len(head))) * 2)

    def log_message(self, *_: object) -> None:
        """Say nothing of it."""


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return a certificate for this machine, in a file with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "this machine")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    encoding = serialization.Encoding.PEM
    secret = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(secret + made.public_bytes(encoding))
    return path


@contextmanager
def behind_tls(certificate: Path) -> Iterator[str]:
    """Answer behind TLS; give the URL."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Hello) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"https://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_whom_to_trust(certificate: Path) -> None:
    """The authorities it is told of, and nobody else."""
    with behind_tls(certificate) as url:
        assert ConnectionPool(url, str(certificate)).post(HEADERS, b"{}") == (200, b"{}")
        with pytest.raises(ssl.SSLCertVerificationError):
            ConnectionPool(url).post(HEADERS, b"{}")
        with pytest.raises(ssl.SSLCertVerificationError, match="localhost"):
            ConnectionPool(url.replace("127.0.0.1", "localhost"), str(certificate)).post(HEADERS, b"{}")


def test_what_nobody_asked_for_is_no_answer_behind_tls_neither(certificate: Path) -> None:
    """There it may be decrypted already, where the socket shows nothing of it."""
    with behind_tls(certificate) as url:
        kept = ConnectionPool(url, str(certificate))
        answers = [kept.post({**HEADERS, "x-twice": name}, b"{}").body.strip() for name in ("one", "two", "three")]
    assert answers == [b"one", b"two", b"three"]

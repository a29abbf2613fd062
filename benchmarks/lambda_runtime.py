"""What a function meets at its cold start: Lambda's runtime API, which hands it one event, and an AWS behind TLS."""

import asyncio
import contextlib
import os
import ssl
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Self

from benchmarks.aws_stub import Stub
from benchmarks.stub_server import Connection
from benchmarks.subjects import REGION, TABLE

_PATIENCE = 300.0


class NotAnsweredError(Exception):
    """The function failed. The message is what it wrote."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that has answered its first event, and what it took."""

    milliseconds: float
    mebibytes: float
    log: str


class Tls:
    """The stub behind TLS, in a thread, with a certificate made for the occasion."""

    def __init__(self, directory: Path) -> None:
        """Keep key and certificate in `directory`."""
        self._certificate = directory / "certificate.pem"
        self.url = ""
        self.stub = Stub()
        self._directory = directory
        self._ready = Event()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Start it."""
        key, certificate = self._directory / "key.pem", self._certificate
        # A key of the kind AWS has, so that the handshake costs what it costs there.
        asked = ["-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        command = ["openssl", "req", "-x509", *asked, "-days", "2", "-keyout", str(key), "-out", str(certificate)]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate, key)
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def trust(self, bundle: Path) -> None:
        """Add the certificate to a bundle, as the last of it."""
        with bundle.open("a") as certificates:
            certificates.write("\n" + self._certificate.read_text())

    def _run(self) -> None:
        serving = self._loop.create_server(lambda: Connection(self.stub, 0), "127.0.0.1", 0, ssl=self._context)
        server = self._loop.run_until_complete(serving)
        self.url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        self._loop.run_forever()
        self._loop.close()


class RuntimeApi:
    """Lambda's runtime API for one process and one event."""

    def __init__(self, event: bytes) -> None:
        """Hand out `event` once."""
        self.event: bytes | None = event
        self.wants_more = Event()
        self.ended = Event()
        self.failed: bytes = b""
        api = self

        class Handler(_Handler):
            of = api

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Start it."""
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()

    def run(self, command: Sequence[str], variables: Mapping[str, str]) -> Finished:
        """Run the process until it has answered and asks for another event.

        Raises:
            NotAnsweredError: it failed.

        """
        began = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 (our own)
            command, env=dict(variables), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        came = self.wants_more.wait(_PATIENCE)
        milliseconds = (time.perf_counter() - began) * 1000
        memory = resident(process.pid) if came else 0.0
        self.ended.set()
        log, _ = process.communicate(timeout=_PATIENCE)
        if self.failed or not came:
            raise NotAnsweredError(self.failed.decode() + log)
        return Finished(milliseconds, memory, log)


class _Handler(BaseHTTPRequestHandler):
    """The four requests there are."""

    of: RuntimeApi
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Hand out the event, and hold the next request until the process may end."""
        event, self.of.event = self.of.event, None
        if event is None:
            self.of.wants_more.set()
            self.of.ended.wait(_PATIENCE)
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.close()
            return
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", "00000000-0000-4000-8000-000000000001")
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int(time.time() * 1000) + 600_000))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", f"arn:aws:lambda:{REGION}:123456789012:function:cold")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(event)))
        self.end_headers()
        self.wfile.write(event)

    def do_POST(self) -> None:
        """Take the answer or the error."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if not self.path.endswith("/response") or b"itemIdentifier" in body:
            self.of.failed = body
            self.of.wants_more.set()
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def resident(process: int) -> float:
    """Return the memory a process holds, in MiB."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise NotAnsweredError("The process has ended.")


def environment(directory: Path, tls: Tls, api: RuntimeApi) -> dict[str, str]:
    """Return the variables Lambda sets, the function's own, and where AWS is."""
    return {
        "PATH": os.environ["PATH"],
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PYTHONPATH": str(directory),
        "PYTHONHASHSEED": "0",
        "LAMBDA_TASK_ROOT": str(directory),
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "AWS_LAMBDA_FUNCTION_NAME": "cold",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_LEVEL": "INFO",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "stub",
        "AWS_SECRET_ACCESS_KEY": "stub",
        "AWS_SESSION_TOKEN": "stub",
        "AWS_ENDPOINT_URL": tls.url,
        "TABLE_NAME": TABLE,
        "QUARANTINE_QUEUE_URL": f"https://sqs.{REGION}.amazonaws.com/123456789012/Quarantine",
        "LANE": "Bounce",
    }

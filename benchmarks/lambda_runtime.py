"""The surroundings of a function at its cold start: Lambda's runtime API with one event, and the stub behind TLS.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

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

from benchmarks.account import QUARANTINE, REGION, TABLE
from benchmarks.aws_stub import Stub
from benchmarks.stub_server import Connection

_TIMEOUT = 300.0


class FunctionError(Exception):
    """The function failed. The message is its output."""


@dataclass(frozen=True, slots=True)
class Result:
    """The time, the memory and the log of a process that answered its first event."""

    milliseconds: float
    mebibytes: float
    log: str


class TlsStub:
    """The stub behind TLS, in a thread, with a new self-signed certificate."""

    def __init__(self, directory: Path) -> None:
        """Store the key and the certificate in `directory`."""
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
        # The same kind of key as AWS has, so that the handshake costs the same.
        options = ["-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        command = ["openssl", "req", "-x509", *options, "-days", "2", "-keyout", str(key), "-out", str(certificate)]
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
        """Add the certificate to the end of a bundle."""
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
    """The runtime API for one process and one event."""

    def __init__(self, event: bytes) -> None:
        """Provide `event` once."""
        self.event: bytes | None = event
        self.requested_next = Event()
        self.ended = Event()
        self.failed: bytes = b""
        runtime_api = self

        class Handler(_Handler):
            api = runtime_api

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

    def run(self, command: Sequence[str], variables: Mapping[str, str]) -> Result:
        """Run the process until it has answered and requests another event.

        Raises:
            FunctionError: the function failed, or did not answer in time.

        """
        start = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 (this repository's function)
            command, env=dict(variables), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        answered = self.requested_next.wait(_TIMEOUT)
        milliseconds = (time.perf_counter() - start) * 1000
        memory = resident(process.pid) if answered else 0.0
        self.ended.set()
        log, _ = process.communicate(timeout=_TIMEOUT)
        if self.failed or not answered:
            raise FunctionError(self.failed.decode() + log)
        return Result(milliseconds, memory, log)


class _Handler(BaseHTTPRequestHandler):
    """The handler of the four requests of the runtime API."""

    api: RuntimeApi
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Return the event. Block the next request until the process may end."""
        event, self.api.event = self.api.event, None
        if event is None:
            self.api.requested_next.set()
            self.api.ended.wait(_TIMEOUT)
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
        """Receive the response or the error of the function."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if not self.path.endswith("/response") or b"itemIdentifier" in body:
            self.api.failed = body
            self.api.requested_next.set()
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def resident(process: int) -> float:
    """Return the resident memory of a process in MiB."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise FunctionError("The process has ended.")


def environment(directory: Path, stub: TlsStub, api: RuntimeApi) -> dict[str, str]:
    """Return the variables of Lambda and of the function, with the stub as endpoint."""
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
        "AWS_ENDPOINT_URL": stub.url,
        "TABLE_NAME": TABLE,
        "QUARANTINE_QUEUE_URL": QUARANTINE,
        "LANE": "Bounce",
    }

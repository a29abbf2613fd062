"""A stub of AWS's JSON and query protocols on the loopback interface: each operation has one fixed response."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl

Json = dict[str, Any]
Responses = Mapping[str, Sequence[Any]]
"""Bodies by operation: objects, or texts of XML for the query protocol."""


@dataclass
class Stub:
    """A running stub: its URL, and the requests it received as pairs of operation and body."""

    url: str
    requests: list[tuple[str, Json]] = field(default_factory=list)

    @property
    def operations(self) -> list[str]:
        """The operations that were called."""
        return [operation for operation, _ in self.requests]


@contextmanager
def aws_stub(responses: Responses) -> Iterator[Stub]:
    """Run a stub. An operation returns its responses in order, and the last one again and again."""
    pending: dict[str, list[Any]] = {operation: list(bodies) for operation, bodies in responses.items()}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            target = self.headers["X-Amz-Target"]
            request: Json = json.loads(text) if target else dict(parse_qsl(text))
            operation = target.rpartition(".")[2] if target else request["Action"]
            stub.requests.append((operation, request))
            bodies = pending[operation]
            answer = bodies.pop(0) if len(bodies) > 1 else bodies[0]
            body = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0" if target else "text/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        stub = Stub(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield stub
        finally:
            server.shutdown()
            thread.join()

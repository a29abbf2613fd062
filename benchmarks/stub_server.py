"""An HTTP server for the stub, in a separate process. It answers each call after the same few milliseconds.

    python -m benchmarks.stub_server --core 1 --milliseconds 5

It prints the port that it listens on. Connections stay open.
"""

import argparse
import asyncio
import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.aws_stub import Reply, Stub
from benchmarks.table import Table

_END = b"\r\n\r\n"


class Connection(asyncio.Protocol):
    """A connection of one client, which sends a request only after the response to the previous one."""

    transport: asyncio.Transport

    def __init__(self, stub: Stub, seconds: float) -> None:
        """Answer for `stub`, `seconds` after each request."""
        self._stub = stub
        self._seconds = seconds
        self._received = bytearray()
        self._needed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport for responses."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (asyncio's servers create no other)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Add bytes, and answer if they complete a request."""
        self._received += data
        if not self._needed:
            end = self._received.find(_END)
            if end < 0:
                return
            self._needed = end + len(_END) + _length(bytes(self._received[:end]))
        if len(self._received) < self._needed:
            return
        request, self._received, self._needed = bytes(self._received), bytearray(), 0
        loop = asyncio.get_running_loop()
        due = loop.time() + self._seconds
        head, _, body = request.partition(_END)
        response = _response(self._respond(head, body))
        loop.call_at(due, self.transport.write, response)

    def _respond(self, head: bytes, body: bytes) -> Reply:
        start, *headers = head.decode("latin-1").split("\r\n")
        method, path, _ = start.split(" ")
        target = next((line[14:].strip() for line in headers if line.lower().startswith("x-amz-target:")), "")
        return self._stub.respond(method, path, target, body)


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


def _response(reply: Reply) -> bytes:
    head = f"HTTP/1.1 {reply.status} X\r\nContent-Type: application/x-amz-json-1.0\r\n"
    return f"{head}Content-Length: {len(reply.body)}{_END.decode()}".encode() + reply.body


async def serve(port: int, seconds: float) -> None:
    """Serve on a loopback port, or on a free one if `port` is 0, until the process ends."""
    # A collection takes longer the more contacts the table holds. Its pauses would be part of what is measured.
    gc.disable()
    stub = Stub(Table(billed=False))
    server = await asyncio.get_running_loop().create_server(lambda: Connection(stub, seconds), "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def running(core: int, milliseconds: float = 5) -> Iterator[str]:
    """Run a server on one core, and yield its URL."""
    command = [sys.executable, "-m", "benchmarks.stub_server", "--core", str(core), "--milliseconds", str(milliseconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 (this repository's module)
        try:
            assert process.stdout  # noqa: S101 (stdout is a pipe)
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


def main() -> None:
    """Run the server."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stub_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--core", type=int, default=None, help="run on this core only")
    parser.add_argument("--milliseconds", type=float, default=5, help="duration of each call")
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
    asyncio.run(serve(arguments.port, arguments.milliseconds / 1000))


if __name__ == "__main__":
    main()

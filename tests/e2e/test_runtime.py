"""The package `sam build` made, in Lambda's own runtime loop: the runtime interface emulator and the runtime client."""

import json
import os
import platform
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from localaws.served import stack as stacks
from tests.e2e.deployed_stack import World

EVENTS = {
    "Bounce": "bounce-permanent-general.json",
    "Complaint": "complaint-abuse.json",
    "Delivery": "delivery.json",
}
SWEEP = {"source": "ses-feedback", "detail-type": "Sweep"}


class Runtime:
    """A function in its runtime loop."""

    def __init__(self, port: int) -> None:
        self._port = port

    def invoke(self, event: object) -> Any:  # noqa: ANN401 (JSON)
        """Hand an event over and return the answer."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request("POST", "/2015-03-31/functions/function/invocations", json.dumps(event))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


@contextmanager
def running(world: World, name: str, log: Path) -> Iterator[Runtime]:
    """Run a function of the stack as it is configured there."""
    found = world.client("lambda").get_function_configuration(FunctionName=world.outputs[f"{name}FunctionName"])
    port, api = free_port(), free_port()
    machine = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
    (emulator,) = world.local.root.glob(
        f".tools/sam/lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}"
    )
    client = [str(world.local.root / ".tools" / "local" / "bin" / "python"), "-m", "awslambdaric", found["Handler"]]
    interfaces = [
        "--runtime-interface-emulator-address",
        f"127.0.0.1:{port}",
        "--runtime-api-address",
        f"127.0.0.1:{api}",
    ]
    environment = {
        **found["Environment"]["Variables"],
        **world.running.environment,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(stacks.build(world.local).parent / f"{name}Function"),
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(found["Timeout"]),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 (the SAM CLI's own emulator)
            [str(emulator), "--log-level", "info", *interfaces, *client],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for(port)
        yield Runtime(port)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Wait until somebody listens."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return


@pytest.mark.parametrize("lane", EVENTS)
def test_a_lane_runs_cold_and_warm(world: World, lane: str, tmp_path: Path) -> None:
    """The first invocation loads the function, the second finds it loaded; both acknowledge the record."""
    event = json.loads((world.local.root / "events" / EVENTS[lane]).read_text())
    log = tmp_path / "runtime.log"
    with running(world, lane, log) as runtime:
        answers = [runtime.invoke(event) for _ in range(2)]
    assert answers == [{"batchItemFailures": []}] * 2
    written = log.read_text()
    assert written.count('"message":"batch"') == 2
    assert len(log_lines(written, "CloudWatchMetrics")) == 2


def test_the_mirror_runs_cold_and_warm(world: World, tmp_path: Path) -> None:
    """It sweeps, twice."""
    log = tmp_path / "runtime.log"
    with running(world, "Suppression", log) as runtime:
        answers = [runtime.invoke(SWEEP) for _ in range(2)]
    assert [sorted(answer) for answer in answers] == [["published", "deleted", "imported", "left", "put"]] * 2
    assert len(log_lines(log.read_text(), '"message":"sweep"')) == 2


def log_lines(written: str, part: str) -> list[str]:
    """Return the lines of a log with a part in them."""
    return [line for line in written.splitlines() if part in line]

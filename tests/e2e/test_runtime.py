"""The package of `sam build` in Lambda's own runtime: the runtime interface emulator and the runtime client.

https://github.com/aws/aws-lambda-runtime-interface-emulator
"""

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

from localaws.deployment import sam_cli
from tests.e2e.stack_under_test import StackUnderTest

EVENTS = {
    "Bounce": "bounce-permanent-general.json",
    "Complaint": "complaint-abuse.json",
    "Delivery": "delivery.json",
}
SWEEP = {"source": "ses-feedback", "detail-type": "Sweep"}


class Runtime:
    """A running function."""

    def __init__(self, port: int) -> None:
        self._port = port

    def invoke(self, event: object) -> Any:  # noqa: ANN401 (JSON)
        """Invoke the function and return its response."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request("POST", "/2015-03-31/functions/function/invocations", json.dumps(event))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


@contextmanager
def running_function(stack: StackUnderTest, name: str, log: Path) -> Iterator[Runtime]:
    """Run a function of the stack with its configuration."""
    configuration = stack.client("lambda").get_function_configuration(FunctionName=stack.outputs[f"{name}FunctionName"])
    port, api_port = find_free_port(), find_free_port()
    machine = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
    (emulator,) = stack.local_aws.root.glob(
        f".tools/sam/lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}"
    )
    client = [str(stack.local_aws.python), "-m", "awslambdaric", configuration["Handler"]]
    interfaces = [
        "--runtime-interface-emulator-address",
        f"127.0.0.1:{port}",
        "--runtime-api-address",
        f"127.0.0.1:{api_port}",
    ]
    environment = {
        **configuration["Environment"]["Variables"],
        **stack.server.environment,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(sam_cli.build(stack.local_aws).parent / f"{name}Function"),
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(configuration["Timeout"]),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 (the emulator is part of the SAM CLI)
            [str(emulator), "--log-level", "info", *interfaces, *client],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for_port(port)
        yield Runtime(port)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def find_free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int) -> None:
    """Wait until a process listens on the port."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return


@pytest.mark.parametrize("lane", EVENTS)
def test_lane_function_acknowledges_the_record_cold_and_warm(stack: StackUnderTest, lane: str, tmp_path: Path) -> None:
    event = json.loads((stack.local_aws.root / "events" / EVENTS[lane]).read_text())
    log = tmp_path / "runtime.log"
    with running_function(stack, lane, log) as runtime:
        responses = [runtime.invoke(event) for _ in range(2)]
    assert responses == [{"batchItemFailures": []}] * 2
    text = log.read_text()
    assert text.count('"message":"batch"') == 2
    assert len(find_lines(text, "CloudWatchMetrics")) == 2


def test_suppression_function_sweeps_cold_and_warm(stack: StackUnderTest, tmp_path: Path) -> None:
    log = tmp_path / "runtime.log"
    with running_function(stack, "Suppression", log) as runtime:
        responses = [runtime.invoke(SWEEP) for _ in range(2)]
    counters = ["deleted", "imported", "published", "put", "released", "still_pending"]
    assert [sorted(response) for response in responses] == [counters] * 2
    assert len(find_lines(log.read_text(), '"message":"sweep"')) == 2


def find_lines(text: str, part: str) -> list[str]:
    """Return the lines that contain a part."""
    return [line for line in text.splitlines() if part in line]

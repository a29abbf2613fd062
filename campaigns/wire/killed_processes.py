"""Functions in processes of their own, which are killed at times that depend on a seed."""

import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, Self

from campaigns.wire.fork_server import BOTOCORE, DIRECT
from campaigns.wire.http_server import Reply, Request, Transmission
from campaigns.wire.simulator import Invocation, Outcome, WireSimulation
from campaigns.wire.threaded_functions import settings_of

_ROOT = Path(__file__).parents[2]
AT_ANY_TIME, BEFORE_CALL, AFTER_CALL, AFTER_ANSWER = KILL_TIMES = (
    "at any time",
    "before a call takes effect",
    "after a call takes effect",
    "after the answer to a call",
)
_MAX_SECONDS = 0.03
"""Longest time after which a process is killed that is to be killed at any time."""
_MAX_CALL = 24
"""Last call of an invocation at which its process may be killed."""


class Kill(NamedTuple):
    """When the process of an invocation is killed. `time` is empty if it is not."""

    time: str
    call: int
    """Number of the call, from 1."""
    seconds: float


class ForkServer:
    """The process that the functions' processes are forked from. See `fork_server`."""

    def __init__(self, url: str, bug: str = "") -> None:
        """Start it. The clients of its forks call `url`; `bug` is the name of a planted bug, or empty."""
        self._commands, theirs = socket.socketpair()
        self._lock = Lock()
        command = [sys.executable, "-m", "campaigns.wire.fork_server", str(theirs.fileno()), url, bug]
        paths = os.pathsep.join([str(_ROOT), str(_ROOT / "src")])
        environment = {**os.environ, "PYTHONPATH": paths}
        self._process = subprocess.Popen(  # noqa: S603 (this Python, and a module of this project)
            command, cwd=_ROOT, env=environment, pass_fds=[theirs.fileno()]
        )
        theirs.close()

    def __enter__(self) -> Self:
        """Return the fork server."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._commands.close()
        self._process.wait()

    def fork(self, worker: str, *, botocore: bool) -> "FunctionProcess":
        """Return a new process with botocore's client of DynamoDB, or the direct one."""
        ours, theirs = socket.socketpair()
        with self._lock, theirs:
            command = f"fork {BOTOCORE if botocore else DIRECT} {worker}".encode()
            socket.send_fds(self._commands, [command], [theirs.fileno()])
            process_id = int(self._commands.recv(16))
        return FunctionProcess(self, process_id, ours)

    def reap(self, process_id: int) -> None:
        """Wait for a process that was killed."""
        with self._lock:
            self._commands.sendall(f"reap {process_id}".encode())
            self._commands.recv(16)


class FunctionProcess:
    """The process of a function."""

    def __init__(self, fork_server: ForkServer, process_id: int, events: socket.socket) -> None:
        """Send events over the socket `events`."""
        self._fork_server = fork_server
        self._process_id = process_id
        self._events = events
        self.killed = False

    def send(self, request: dict[str, Any]) -> None:
        """Send an event."""
        with suppress(ConnectionError):  # killed a moment ago
            self._events.sendall(json.dumps(request).encode() + b"\n")

    def answers_within(self, seconds: float) -> bool:
        """Return True if the answer begins within so many seconds."""
        return bool(select.select([self._events], [], [], seconds)[0])

    def answer(self) -> dict[str, Any] | None:
        """Return the answer, or None if the process was killed."""
        received = b""
        while not received.endswith(b"\n"):
            try:
                more = self._events.recv(65_536)
            except ConnectionError:
                more = b""
            if not more:
                return None
            received += more
        answer: dict[str, Any] = json.loads(received)
        return answer

    def kill(self) -> None:
        """Kill the process."""
        self.killed = True
        os.kill(self._process_id, signal.SIGKILL)  # the id is not reused before the process is reaped

    def end(self) -> None:
        """Close the socket, and reap the process."""
        self._events.close()
        self._fork_server.reap(self._process_id)


class KilledProcesses:
    """Runs functions in processes, and kills the processes of a `share` of the invocations while calls have faults."""

    def __init__(self, simulation: WireSimulation, fork_server: ForkServer, share: float = 0.8) -> None:
        """Fork each process on its first use, and again after it was killed."""
        self.kills: Counter[str] = Counter()
        self._simulation = simulation
        self._fork_server = fork_server
        self._share = share
        self._lock = Lock()
        self._invocations: Counter[str] = Counter()
        self._processes: dict[str, FunctionProcess] = {}
        self._planned: dict[str, tuple[str, int]] = {}
        """The time of the kill, and the calls until then, by worker."""

    def __enter__(self) -> Self:
        """Return the runner."""
        return self

    def __exit__(self, *_: object) -> None:
        """End every process."""
        for process in self._processes.values():
            process.kill()
            process.end()

    def invoke(self, invocation: Invocation) -> Outcome:
        """Run a function, and kill its process if that is planned."""
        worker = invocation.worker
        if worker not in self._processes:
            self._processes[worker] = self._fork_server.fork(worker, botocore=self._simulation.case.botocore)
        process, kill = self._processes[worker], self._plan_kill(worker)
        self._planned[worker] = kill.time, kill.call
        process.send(self._request(invocation))
        if kill.time == AT_ANY_TIME and not process.answers_within(kill.seconds):
            self._kill(worker, kill.time)
        answer = process.answer()
        self._planned.pop(worker)
        if answer is None or process.killed:
            self._processes.pop(worker).end()
            return Outcome()
        with self._lock:
            self._simulation.scheduler.clock = max(self._simulation.scheduler.clock, answer["clock"])
        for leak in answer["leaks"]:
            self._simulation.checker.add_violation("P7", f"the log contains {leak}")
        return Outcome(answer.get("answer"), answer.get("error", ""))

    def answer(self, request: Request) -> Reply:
        """Return AWS's reply. If a kill is planned at this call, the process is killed and gets no reply."""
        time = self._kill_time(request)
        if time not in {BEFORE_CALL, AFTER_CALL}:
            return self._simulation.aws.answer(request)
        self._kill(request.headers["x-worker"], time)
        if time == AFTER_CALL:
            self._simulation.aws.answer(request)
        return Reply(transmission=Transmission.CLOSED)

    def after_reply(self, request: Request) -> None:
        """Kill the process if that is planned after the reply to this call."""
        worker = request.headers.get("x-worker", "")
        if self._planned.get(worker) == (AFTER_ANSWER, 0):
            self._kill(worker, AFTER_ANSWER)

    def _request(self, invocation: Invocation) -> dict[str, Any]:
        return {
            "clock": self._simulation.scheduler.clock,
            "deadline": invocation.deadline,
            "event": invocation.event,
            "settings": asdict(settings_of(self._simulation.case, self._simulation.url)),
        }

    def _kill_time(self, request: Request) -> str:
        """Count a call, and return the time of the kill if it is planned at this call."""
        worker = request.headers.get("x-worker", "")
        if worker not in self._planned:
            return ""
        time, calls = self._planned[worker]
        self._planned[worker] = time, calls - 1
        return time if calls == 1 else ""

    def _kill(self, worker: str, time: str) -> None:
        process = self._processes[worker]
        if not process.killed:
            self.kills[time] += 1
            self._simulation.aws.add_to_log(worker, f"** killed {time}")
            process.kill()

    def _plan_kill(self, worker: str) -> Kill:
        """Return when the process of this invocation is killed."""
        self._invocations[worker] += 1
        simulation = self._simulation
        rng = random.Random(f"{simulation.case.seed} {worker} {self._invocations[worker]}")  # noqa: S311 (repeatable)
        time = rng.choice(KILL_TIMES) if simulation.aws.plan.active and rng.random() < self._share else ""
        return Kill(time, 1 + int(_MAX_CALL * rng.random() ** 2), _MAX_SECONDS * rng.random())

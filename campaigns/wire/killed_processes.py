"""Functions in processes of their own, killed for good at moments that a seed decides."""

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
from typing import Any, Self

from campaigns.wire.fork_server import BOTOCORE, DIRECTLY
from campaigns.wire.http_server import Manner, Reply, Request
from campaigns.wire.simulator import Invocation, Outcome, World
from campaigns.wire.threaded_functions import settings

_ROOT = Path(__file__).parents[2]
MOMENTS = ("at any time", "call not made", "call made", "answer given")
"""When a process is killed: some time after it was given an event, or at one of its calls."""
_LONGEST = 0.03
"""Seconds after which, at the latest, a process is killed at any time."""
_FARTHEST = 24
"""Calls of an invocation until, at the latest, its process is killed at one."""


class Warm:
    """The process that functions' processes are forked from."""

    def __init__(self, url: str, mutant: str = "") -> None:
        """Fork processes whose clients call `url`, and which have the bug `mutant` if it is named."""
        self._orders, theirs = socket.socketpair()
        self._lock = Lock()
        command = [sys.executable, "-m", "campaigns.wire.fork_server", str(theirs.fileno()), url, mutant]
        paths = os.pathsep.join([str(_ROOT), str(_ROOT / "src")])
        environment = {**os.environ, "PYTHONPATH": paths}
        self._process = subprocess.Popen(  # noqa: S603 (this very Python, and a module of ours)
            command, cwd=_ROOT, env=environment, pass_fds=[theirs.fileno()]
        )
        theirs.close()

    def __enter__(self) -> Self:
        """Be ready to fork."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._orders.close()
        self._process.wait()

    def fork(self, worker: str, *, botocore: bool) -> "Process":
        """Return a new process, which calls DynamoDB through `botocore` or directly."""
        way = BOTOCORE if botocore else DIRECTLY
        ours, theirs = socket.socketpair()
        with self._lock, theirs:
            socket.send_fds(self._orders, [f"fork {way} {worker}".encode()], [theirs.fileno()])
            number = int(self._orders.recv(16))
        return Process(self, number, ours)

    def reap(self, number: int) -> None:
        """Let go of a process that is dead."""
        with self._lock:
            self._orders.sendall(f"reap {number}".encode())
            self._orders.recv(16)


class Process:
    """A function's process."""

    def __init__(self, warm: Warm, number: int, spoken: socket.socket) -> None:
        """Speak to the process on `spoken`."""
        self._warm = warm
        self._number = number
        self._spoken = spoken
        self.dead = False

    def tell(self, told: dict[str, Any]) -> None:
        """Give it an event."""
        with suppress(ConnectionError):  # killed just now
            self._spoken.sendall(json.dumps(told).encode() + b"\n")

    def answers_within(self, seconds: float) -> bool:
        """Say whether it begins to answer in time."""
        return bool(select.select([self._spoken], [], [], seconds)[0])

    def answer(self) -> dict[str, Any] | None:
        """Return its answer, None when it is dead."""
        received = b""
        while not received.endswith(b"\n"):
            try:
                more = self._spoken.recv(65_536)
            except ConnectionError:
                more = b""
            if not more:
                return None
            received += more
        answer: dict[str, Any] = json.loads(received)
        return answer

    def kill(self) -> None:
        """Kill it, for good."""
        self.dead = True
        os.kill(self._number, signal.SIGKILL)  # no other process can have its number before it is reaped

    def end(self) -> None:
        """Let go of it, dead or alive."""
        self._spoken.close()
        self._warm.reap(self._number)


class Processes:
    """Functions that run in processes; `share` of the invocations are to be killed while other things break, too."""

    def __init__(self, world: World, warm: Warm, share: float = 0.8) -> None:
        """Fork each process on first use, and again when it was killed."""
        self.kills: Counter[str] = Counter()
        self._world = world
        self._warm = warm
        self._share = share
        self._lock = Lock()
        self._invoked: Counter[str] = Counter()
        self._processes: dict[str, Process] = {}
        self._ends: dict[str, tuple[str, int]] = {}

    def __enter__(self) -> Self:
        """Be ready to run functions."""
        return self

    def __exit__(self, *_: object) -> None:
        """End every process."""
        for process in self._processes.values():
            process.kill()
            process.end()

    def invoke(self, invocation: Invocation) -> Outcome:
        """Run a function, and perhaps kill it."""
        worker = invocation.worker
        if worker not in self._processes:
            self._processes[worker] = self._warm.fork(worker, botocore=self._world.case.botocore)
        process = self._processes[worker]
        moment, calls, seconds = self._fate(worker)
        self._ends[worker] = moment, calls
        process.tell(self._told(invocation))
        if moment == MOMENTS[0] and not process.answers_within(seconds):
            self._kill(worker, moment)
        answer = process.answer()
        self._ends.pop(worker)
        if answer is None or process.dead:
            self._processes.pop(worker).end()
            return Outcome()
        with self._lock:
            self._world.scheduler.clock = max(self._world.scheduler.clock, answer["clock"])
        for leak in answer["leaks"]:
            self._world.checker.add_violation("P7", f"{leak} in the log")
        return Outcome(answer.get("answer"), answer.get("error", ""))

    def _told(self, invocation: Invocation) -> dict[str, Any]:
        return {
            "clock": self._world.scheduler.clock,
            "deadline": invocation.deadline,
            "event": invocation.event,
            "settings": asdict(settings(self._world.case, self._world.url)),
        }

    def answer(self, request: Request) -> Reply:
        """Answer as AWS does; kill the process that is to die at this call."""
        moment = self._dies_now(request)
        if moment not in MOMENTS[1:3]:
            return self._world.aws.answer(request)
        self._kill(request.headers["x-worker"], moment)
        if moment == "call made":
            self._world.aws.answer(request)
        return Reply(manner=Manner.CLOSED)

    def given(self, request: Request) -> None:
        """Kill the process that is to die when it gets an answer."""
        worker = request.headers.get("x-worker", "")
        if self._ends.get(worker) == ("answer given", 0):
            self._kill(worker, "answer given")

    def _dies_now(self, request: Request) -> str:
        worker = request.headers.get("x-worker", "")
        if worker not in self._ends:
            return ""
        moment, calls = self._ends[worker]
        self._ends[worker] = moment, calls - 1
        return moment if calls == 1 else ""

    def _kill(self, worker: str, moment: str) -> None:
        process = self._processes[worker]
        if not process.dead:
            self.kills[moment] += 1
            self._world.aws.note(worker, f"** killed: {moment}")
            process.kill()

    def _fate(self, worker: str) -> tuple[str, int, float]:
        """Return when this invocation's process is killed (empty: not), at which of its calls, after what time."""
        self._invoked[worker] += 1
        chance = random.Random(f"{self._world.case.seed} {worker} {self._invoked[worker]}")  # noqa: S311 (repeatable)
        moment = chance.choice(MOMENTS) if self._world.aws.plan.active and chance.random() < self._share else ""
        return moment, 1 + int(_FARTHEST * chance.random() ** 2), _LONGEST * chance.random()

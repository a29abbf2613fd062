"""The local AWS as a process: started, found again, told things, and ended, by id."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
"""The checkout: the local AWS deploys its template and keeps to its directories."""
DEFAULT_PORT = 14566
_HOST = "127.0.0.1"
_START = 30.0
_ELSEWHERE = """\
The functions run on this machine itself, from the package built for Lambda, which is Linux. Use Linux, or WSL;
on this system there is the quick replay: make replay"""


class LocalError(Exception):
    """The local AWS cannot do what was asked. The message says what to do about it."""


@dataclass(frozen=True, slots=True)
class Running:
    """A local AWS that runs, and how it was started."""

    pid: int
    port: int
    iam: bool = True
    also_on: str | None = None

    @property
    def url(self) -> str:
        """Its endpoint."""
        return f"http://{_HOST}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make any AWS SDK or tool talk to it, and to nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def ask(self, operation: str, document: object = None, *, method: str = "GET") -> Any:  # noqa: ANN401 (JSON)
        """Call its own endpoint (`control`).

        Raises:
            LocalError: it refused.
            OSError: it is not there.

        """
        connection = HTTPConnection(_HOST, self.port, timeout=60)
        try:
            body = None if document is None else json.dumps(document)
            connection.request(method, f"/_feedbackctl/{operation}", body)
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:  # noqa: PLR2004 (OK)
            raise LocalError(f"The local AWS refused {operation}: {answer['message']}")
        return answer


class Local:
    """The local AWS of a checkout."""

    def __init__(self, root: Path = ROOT, home: Path | None = None) -> None:
        """Keep what there is to know about it in `home`, which is `.local` under `root` when nobody says."""
        self.root = root
        self.home = home or root / ".local"
        self.log = self.home / "aws.log"
        self._state = self.home / "aws.json"
        self._child: subprocess.Popen[bytes] | None = None

    def running(self) -> Running | None:
        """Return the local AWS that runs, if any does."""
        try:
            known = Running(**json.loads(self._state.read_text()))
            # A process id alone proves nothing: it may be anybody's by now.
            return known if known.ask("state")["pid"] == known.pid else None
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def require(self) -> Running:
        """Return the local AWS that runs.

        Raises:
            LocalError: none does.

        """
        running = self.running()
        if running is None:
            raise LocalError("The local AWS is not running. Start it with: feedbackctl local up")
        return running

    def up(self, port: int | None = None, *, iam: bool = True, also_on: str | None = None) -> Running:
        """Start it, unless it runs; on another port when the default one is taken, and on one address more if asked to.

        Raises:
            LocalError: it cannot be installed, the wanted port is taken, or it ended at once.

        """
        already = self.running()
        if already is not None:
            return already
        self._startable()
        chosen = _free(port)
        self.home.mkdir(exist_ok=True)
        with self.log.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 (our own interpreter, module and port)
                [self.python, "-m", "localaws.served.server", str(chosen), *([also_on] if also_on else [])],
                cwd=self.home,
                env={**_clean(), "PYTHONPATH": str(self.root), "AUTH": str(iam).lower(), "LOG_LEVEL": "WARNING"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._child = process
        started = Running(process.pid, chosen, iam, also_on)
        self._state.write_text(json.dumps(asdict(started)))
        self._wait_until_ready(process, started)
        return started

    def reset(self) -> Running:
        """Start it again as it was started, with nothing in it.

        Raises:
            LocalError: it is not running, or cannot be started again.

        """
        running = self.require()
        self.down()
        return self.up(running.port, iam=running.iam, also_on=running.also_on)

    def down(self) -> bool:
        """End it and wait for its end; say whether there was one."""
        running = self.running()
        if running is None:
            self._state.unlink(missing_ok=True)
            return False
        for number, patience in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)):
            os.kill(running.pid, number)
            if self._gone(running.pid, patience):
                break
        self._state.unlink(missing_ok=True)
        return True

    def _gone(self, pid: int, seconds: float) -> bool:
        """Wait for a process to end."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._child is not None and self._child.pid == pid and self._child.poll() is not None:
                return True
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return True
            time.sleep(0.05)
        return False

    @property
    def python_version(self) -> str:
        """The version of Python, such as `3.11`, that the emulator and with it the functions run on.

        Raises:
            LocalError: the emulator is not installed.

        """
        try:
            lines = (self._environment / "pyvenv.cfg").read_text().splitlines()
            (version,) = (value for name, _, value in (line.partition(" = ") for line in lines) if name == "version")
        except (OSError, ValueError) as error:
            raise LocalError("The emulator is not installed. Install it with: make .tools/local/installed") from error
        return ".".join(version.split(".")[:2])

    @property
    def python(self) -> Path:
        """The interpreter that the emulator and the functions run on."""
        return self._environment / "bin" / "python"

    @property
    def _environment(self) -> Path:
        return self.root / ".tools" / "local"

    def _startable(self) -> None:
        """Raise a LocalError unless the emulator can be started here."""
        if sys.platform != "linux":
            raise LocalError(_ELSEWHERE)
        if not (self._environment / "installed").exists() or not self.python.exists():
            raise LocalError("The emulator is not installed. Install it with: make .tools/local/installed")

    def _wait_until_ready(self, process: "subprocess.Popen[bytes]", started: Running) -> None:
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            try:
                started.ask("state")
            except OSError:
                time.sleep(0.05)
            else:
                return
        process.kill()
        self._state.unlink(missing_ok=True)
        last = self.log.read_text(errors="replace").strip().splitlines()[-3:]
        raise LocalError("\n".join([f"The local AWS did not start. The end of {self.log}:", *last]))


def _free(port: int | None) -> int:
    """Return `port`, or when nobody says which the default one or any other that is free."""
    for wanted in (DEFAULT_PORT, 0) if port is None else (port,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_HOST, wanted))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise LocalError(f"Port {port} is taken. Name another, or none to have a free one chosen.")


def _clean() -> dict[str, str]:
    """Return what the functions may know of this process's environment: nothing about AWS, Python, or logging."""
    return {name: os.environ[name] for name in ("HOME", "LANG", "PATH", "TMPDIR", "TZ") if name in os.environ}

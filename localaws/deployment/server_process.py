"""The local AWS server as a process: start it, find it again and stop it."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from localaws.deployment.running_server import HOST, LocalAwsError, RunningServer
from localaws.listen_address import check_listen_address

ROOT = Path(__file__).resolve().parents[2]
"""The checkout. Its template is deployed, and the server keeps its state in it."""
DEFAULT_PORT = 14566
_START_SECONDS = 30.0
_NOT_LINUX = """\
The local AWS runs the functions on this machine, from the package built for Lambda. Lambda uses Linux, so the local AWS
needs Linux or WSL. `make replay` works on every system."""
_NO_CHECKOUT = """\
This command deploys template.yaml, so it needs a checkout of ses-feedback, and {root} is none. In the checkout, run:
make .venv/installed && .venv/bin/feedbackctl local up"""
_NOT_INSTALLED = "The emulator is not installed. Install it with: make .tools/local/installed"


class LocalAws:
    """The local AWS of a checkout. At most one server per state directory runs."""

    def __init__(self, root: Path = ROOT, state_directory: Path | None = None) -> None:
        """Keep log and state in `state_directory`, by default `.local` in the checkout."""
        self.root = root
        self.state_directory = state_directory or root / ".local"
        self.log = self.state_directory / "aws.log"
        self._state_file = self.state_directory / "aws.json"
        self._child: subprocess.Popen[bytes] | None = None

    def find_server(self) -> RunningServer | None:
        """Return the running server, or None if there is none."""
        try:
            server = RunningServer(**json.loads(self._state_file.read_text()))
            # The process id alone is no proof, because the system reuses process ids.
            return server if server.call("state")["pid"] == server.pid else None
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def require_server(self) -> RunningServer:
        """Return the running server.

        Raises:
            LocalAwsError: there is none.

        """
        server = self.find_server()
        if server is None:
            raise LocalAwsError("The local AWS is not running. Start it with: feedbackctl local up")
        return server

    def start(self, port: int | None = None, *, iam: bool = True, also_on: str | None = None) -> RunningServer:
        """Start the server, unless it runs, and return it.

        Without `port` it uses the default port, or another one if that is taken. `also_on` is a second address to
        listen on. Each start creates a new access key.

        Raises:
            LocalAwsError: the emulator is not installed, the port is taken, other machines could reach `also_on`, or
                the server ended at once.

        """
        if also_on is not None:
            _require_listen_address(also_on)
        running = self.find_server()
        if running is not None:
            return running
        self._require_installation()
        free_port, access_key = _find_free_port(port), secrets.token_hex(20)
        self.state_directory.mkdir(exist_ok=True)
        with _create_private_file(self.log) as log:
            process = subprocess.Popen(  # noqa: S603 (the project's own interpreter and module)
                [self.python, "-m", "localaws.server", str(free_port), *([also_on] if also_on else [])],
                cwd=self.state_directory,
                env={
                    **_inherited_environment(),
                    "PYTHONPATH": str(self.root),
                    "AUTH": str(iam).lower(),
                    "LOCAL_AWS_ACCESS_KEY": access_key,
                    "LOG_LEVEL": "WARNING",
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._child = process
        server = RunningServer(process.pid, free_port, access_key, iam, also_on)
        with _create_private_file(self._state_file) as state:
            state.write(json.dumps(asdict(server)).encode())
        self._wait_until_ready(process, server)
        return server

    def reset(self) -> RunningServer:
        """Restart the server with the same options. Its data is deleted.

        Raises:
            LocalAwsError: the server is not running, or cannot be started again.

        """
        server = self.require_server()
        self.stop()
        return self.start(server.port, iam=server.iam, also_on=server.also_on)

    def stop(self) -> bool:
        """Stop the server and wait until it has ended. Return False if it was not running."""
        server = self.find_server()
        if server is None:
            self._state_file.unlink(missing_ok=True)
            return False
        for signal_number, seconds in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)):
            os.kill(server.pid, signal_number)
            if self._wait_for_end(server.pid, seconds):
                break
        self._state_file.unlink(missing_ok=True)
        return True

    def _wait_for_end(self, pid: int, seconds: float) -> bool:
        """Return True once the process has ended, or False after so many seconds."""
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
        """The Python version of the emulator, such as `3.11`. The functions use the same Python.

        Raises:
            LocalAwsError: the emulator is not installed.

        """
        try:
            lines = (self._environment / "pyvenv.cfg").read_text().splitlines()
            (version,) = (value for name, _, value in (line.partition(" = ") for line in lines) if name == "version")
        except (OSError, ValueError) as error:
            raise LocalAwsError(_NOT_INSTALLED) from error
        return ".".join(version.split(".")[:2])

    @property
    def python(self) -> Path:
        """The interpreter of the emulator and of the functions."""
        return self._environment / "bin" / "python"

    @property
    def _environment(self) -> Path:
        return self.root / ".tools" / "local"

    def _require_installation(self) -> None:
        """Raise LocalAwsError if the emulator cannot be started on this machine."""
        if sys.platform != "linux":
            raise LocalAwsError(_NOT_LINUX)
        if not (self.root / "template.yaml").exists():
            raise LocalAwsError(_NO_CHECKOUT.format(root=self.root))
        if not (self._environment / "installed").exists() or not self.python.exists():
            raise LocalAwsError(_NOT_INSTALLED)

    def _wait_until_ready(self, process: "subprocess.Popen[bytes]", server: RunningServer) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            try:
                server.call("state")
            except OSError:
                time.sleep(0.05)
            else:
                return
        process.kill()
        self._state_file.unlink(missing_ok=True)
        last_lines = self.log.read_text(errors="replace").strip().splitlines()[-3:]
        raise LocalAwsError("\n".join([f"The local AWS did not start. The end of {self.log}:", *last_lines]))


def _create_private_file(path: Path) -> BinaryIO:
    """Create a file that its owner alone can read, in place of an existing one, and open it for writing."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _require_listen_address(address: str) -> None:
    """Raise LocalAwsError if other machines could reach the server at this address."""
    try:
        check_listen_address(address)
    except ValueError as error:
        raise LocalAwsError(f"{error} Give one private address, such as that of Docker's bridge.") from None


def _find_free_port(port: int | None) -> int:
    """Return `port`. Without one, return the default port or, if that is taken, any free port.

    Raises:
        LocalAwsError: the port is taken.

    """
    for candidate in (DEFAULT_PORT, 0) if port is None else (port,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise LocalAwsError(f"Port {port} is taken. Choose another, or omit the option to use any free port.")


def _inherited_environment() -> dict[str, str]:
    """Return the variables that the functions inherit: none about AWS, Python or logging."""
    return {name: os.environ[name] for name in ("HOME", "LANG", "PATH", "TMPDIR", "TZ") if name in os.environ}

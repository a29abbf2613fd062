"""Time and peak memory of a command in a process of its own (Linux)."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Run(NamedTuple):
    """The seconds that a command took, and its greatest resident memory in MB."""

    seconds: float
    megabytes: float


def measure_command(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    kill_when: Callable[[], bool] = lambda: False,
) -> Run:
    """Run a command, and kill it as soon as `kill_when` returns True.

    The kernel's own figure for finished children is not used: it includes the memory of this process, from which the
    child is created (https://man7.org/linux/man-pages/man2/getrusage.2.html).

    Raises:
        CalledProcessError: the command failed.

    """
    began, peak, killed = time.monotonic(), 0.0, False
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:  # noqa: S603 (the caller's)
        while process.poll() is None:
            peak = max(peak, _peak(process.pid))
            if not killed and kill_when():
                process.kill()
                killed = True
            time.sleep(0.1)
    if process.returncode and not killed:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Run(time.monotonic() - began, peak)


def _peak(process: int) -> float:
    """Return the greatest resident memory of a process so far, or 0 if it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return int(lines.get("VmHWM", "0 kB").split()[0]) / 1_000

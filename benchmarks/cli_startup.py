"""Time of `feedbackctl --help`, compared with `python -c "import click"`.

    python -m benchmarks.cli_startup            # 20 pairs of runs; exit code 1 if the ratio exceeds the limit

The median of the ratios counts (benchmarks.pairs).
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.pairs import compare

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 2.5
"""Largest accepted ratio."""
IMPORT_CLICK = (sys.executable, "-c", "import click")
HELP = (sys.executable, "-m", "feedbackctl", "--help")


def measure(command: Sequence[str]) -> float:
    """Run a command, and return its duration in seconds."""
    began = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 (this interpreter)
    return time.perf_counter() - began


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the result, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cli_startup", description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=20, help="number of pairs of runs")
    pairs = parser.parse_args(arguments).pairs
    imported, shown, ratio = compare(partial(measure, IMPORT_CLICK), partial(measure, HELP), pairs)
    print(
        f'python -c "import click": {imported:.0f} ms; feedbackctl --help: {shown:.0f} ms; ratio {ratio:.2f} ', end=""
    )
    print(f"(limit {LIMIT})")
    return int(ratio > LIMIT)


if __name__ == "__main__":
    raise SystemExit(main())

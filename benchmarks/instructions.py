"""Instructions for a record, counted by valgrind: they repeat where times do not, and say the same on a busy machine.

    python -m benchmarks.instructions --batch 100

Two runs that differ only in how many batches they handle are compared, so that starting up does not count. It takes
minutes: valgrind runs Python about fifty times as slow.
"""

import argparse
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from tempfile import TemporaryDirectory

from benchmarks.stub_server import running
from benchmarks.subjects import BASELINE, OURS
from benchmarks.throughput import CORES, build

_VALGRIND = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
_MOST = 3
_COUNTED = re.compile(r"I +refs: +([\d,]+)")


@dataclass(frozen=True, slots=True)
class Bench:
    """Where ours is, and what it calls."""

    endpoint: str
    package: str

    def for_a_record(self, subject: str, scenario: str, batch: int) -> float:
        """Return the instructions that one more record takes."""
        few, many = (self._counted(subject, scenario, batch, batches) for batches in (1, _MOST))
        return (many - few) / ((_MOST - 1) * batch)

    def _counted(self, subject: str, scenario: str, batch: int, batches: int) -> int:
        command = [*_VALGRIND, sys.executable, "-m", "benchmarks.measure", subject, scenario, "--batch", str(batch)]
        command += ["--batches", str(batches), "--spare", str(_MOST - batches), "--endpoint", self.endpoint]
        environment = {**os.environ, "PYTHONPATH": self.package} if subject == OURS else None
        run = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)  # noqa: S603 (our own)
        found = _COUNTED.search(run.stderr)
        if found is None:
            raise RuntimeError(run.stderr)
        return int(found[1].replace(",", ""))


def main() -> None:
    """Count for both, and print the ratio."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    parser.add_argument("--scenario", default="hard")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--package", default="", help="a package built before, to measure instead of a new one")
    arguments = parser.parse_args()
    with TemporaryDirectory() as directory, running(CORES[1]) as endpoint:
        if not arguments.package:
            build(directory)
        bench = Bench(endpoint, arguments.package or directory)
        ours = bench.for_a_record(OURS, arguments.scenario, arguments.batch) / 1000
        print(f"{arguments.scenario}, batch of {arguments.batch}: ours {ours:,.0f} thousand instructions a record")
        # What the baseline does for a record is the same in every batch.
        baseline = bench.for_a_record(BASELINE, arguments.scenario, 10) / 1000
        print(f"baseline {baseline:,.0f} thousand: 1/{baseline / ours:.1f}")


if __name__ == "__main__":
    main()

"""Throughput, CPU and memory of the lanes against the baseline: `make bench`.

Both run warm against the same stub, which answers every call after 5 ms on a core of its own, and each run is a process
of its own on the other core. What is compared is taken in pairs, the subjects in rate_limiter, and the median of the pairs'
ratios is what counts: what else this machine does passes over both. Ours is the package that is deployed.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.stub_server import running
from benchmarks.subjects import BASELINE, OURS

Figures = Mapping[str, float]
SOURCE = Path(__file__).resolve().parent.parent / "src"
CORES = (0, 1)
"""What is measured, and the stub."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is run: a scenario of `benchmarks.measure`, in batches of this size, so many of them for each subject.

    The baseline takes one message after the other, so what it does for a message is the same in every batch: it gets
    fewer, to fit into a run's time. Its batches are as large as ours.
    """

    name: str
    scenario: str
    batch: int
    batches: int
    baseline_batches: int
    pairs: int
    target: float
    """How many times as fast ours has to be."""


CASES = (
    Case("hard bounces, batch of 1000", "hard", 1000, 4, 1, 3, 80),
    Case("hard bounces, batch of 100", "hard", 100, 20, 1, 5, 60),
    Case("hard bounces, batch of 10", "hard", 10, 40, 8, 5, 15),
    Case("hard bounces, batch of 1", "hard", 1, 80, 60, 5, 1.5),
    Case("deliveries to known contacts, batch of 1000", "deliveries", 1000, 6, 1, 3, 150),
)
TIMES = "\N{MULTIPLICATION SIGN}"
CPU_TARGET = 35
"""How many times as much CPU the baseline takes for a record, in batches of 1000."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One measurement of each, one right after the other."""

    ours: Figures
    baseline: Figures

    def ratio(self, figure: str) -> float:
        """Return ours over the baseline's."""
        return self.ours[figure] / self.baseline[figure]


def measured(subject: str, case: Case, endpoint: str, package: str) -> Figures:
    """Measure a subject once, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.measure", subject, case.scenario, "--endpoint", endpoint]
    batches = case.batches if subject == OURS else case.baseline_batches
    command += ["--batch", str(case.batch), "--batches", str(batches), "--core", str(CORES[0])]
    environment = {**os.environ, "PYTHONPATH": package} if subject == OURS else None
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)  # noqa: S603 (our own)
    figures: Figures = json.loads(run.stdout)
    return figures


def pairs(case: Case, endpoint: str, package: str, number: int) -> Iterator[Pair]:
    """Measure both, in rate_limiter: now one first, now the other."""
    for turn in range(number):
        order = (OURS, BASELINE) if turn % 2 else (BASELINE, OURS)
        taken = {subject: measured(subject, case, endpoint, package) for subject in order}
        yield Pair(taken[OURS], taken[BASELINE])


def row(case: Case, taken: Sequence[Pair]) -> str:
    """Return a line of the table."""
    fast, cpu = (median(pair.ratio(name) for pair in taken) for name in ("records_per_second", "cpu_seconds_per_1000"))
    ours, baseline = (
        {name: median(figures[name] for figures in side) for name in side[0]}
        for side in ([pair.ours for pair in taken], [pair.baseline for pair in taken])
    )
    reached = "yes" if fast >= case.target else "no"
    return (
        f"| {case.name} | {ours['records_per_second']:,.0f} | {baseline['records_per_second']:,.0f} "
        f"| **{fast:,.1f}{TIMES}** | {case.target:g}{TIMES} | {reached} "
        f"| {ours['cpu_seconds_per_1000']:.3f} | {baseline['cpu_seconds_per_1000']:.2f} | 1/{1 / cpu:.0f} "
        f"| {ours['peak_mebibytes']:.0f} | {baseline['peak_mebibytes']:.0f} |"
    )


HEAD = """\
| | records/s, ours | baseline | ratio | target | reached | CPU s per 1000, ours | baseline | ratio | peak MiB, ours \
| baseline |
|---|---|---|---|---|---|---|---|---|---|---|"""


def build(directory: str) -> None:
    """Build the package that is deployed, for the Python that runs this."""
    command = [
        sys.executable,
        "-m",
        "tools.package_build",
        directory,
        "--python",
        f"{sys.version_info[0]}.{sys.version_info[1]}",
    ]
    subprocess.run(command, check=True, cwd=SOURCE.parent)  # noqa: S603 (our own)


def main() -> None:
    """Run every case and print the table as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--pairs", type=int, default=0, help="instead of each case's own number of pairs")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--source", action="store_true", help="measure the source with its SDK, not the package")
    arguments = parser.parse_args()
    with TemporaryDirectory() as directory, running(CORES[1]) as endpoint:
        if not arguments.source:
            build(directory)
        print(HEAD, flush=True)
        for case in CASES:
            if arguments.only in case.name:
                package = str(SOURCE) if arguments.source else directory
                print(row(case, list(pairs(case, endpoint, package, arguments.pairs or case.pairs))), flush=True)


if __name__ == "__main__":
    main()

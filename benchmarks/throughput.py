"""Throughput, CPU and memory of ses-feedback, compared with the baseline (`make bench`).

Both subjects run warm. Each run is a process on one core. The stub runs on another core and answers each call after 5
ms. The subjects run alternately in pairs, and the median of the ratios counts, so that other load on the machine
affects both alike. The code of ses-feedback is the deployed package.
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
from benchmarks.subjects import BASELINE, SES_FEEDBACK

Figures = Mapping[str, float]
SOURCE = Path(__file__).resolve().parent.parent / "src"
CORES = (0, 1)
"""The cores of the subject and of the stub."""


@dataclass(frozen=True, slots=True)
class Case:
    """A scenario of `benchmarks.measure` with its batch size and its number of batches for each subject.

    The baseline processes messages one after the other, so its time per message does not depend on the number of
    batches. It gets fewer batches of the same size.
    """

    name: str
    scenario: str
    batch: int
    batches: int
    baseline_batches: int
    pairs: int
    target: float
    """Required throughput, as a multiple of the baseline's."""


CASES = (
    Case("hard bounces, batch of 1000", "hard", 1000, 4, 1, 3, 80),
    Case("hard bounces, batch of 100", "hard", 100, 20, 1, 5, 60),
    Case("hard bounces, batch of 10", "hard", 10, 40, 8, 5, 15),
    Case("hard bounces, batch of 1", "hard", 1, 80, 60, 5, 1.5),
    Case("deliveries to known contacts, batch of 1000", "deliveries", 1000, 6, 1, 3, 150),
)
TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True, slots=True)
class Pair:
    """One measurement of each subject, made one right after the other."""

    ses_feedback: Figures
    baseline: Figures

    def ratio(self, figure: str) -> float:
        """Return the figure of ses-feedback divided by the baseline's."""
        return self.ses_feedback[figure] / self.baseline[figure]


def measure(subject: str, case: Case, endpoint: str, package: str) -> Figures:
    """Measure a subject once in a separate process."""
    command = [sys.executable, "-m", "benchmarks.measure", subject, case.scenario, "--endpoint", endpoint]
    batches = case.batches if subject == SES_FEEDBACK else case.baseline_batches
    command += ["--batch", str(case.batch), "--batches", str(batches), "--core", str(CORES[0])]
    environment = {**os.environ, "PYTHONPATH": package} if subject == SES_FEEDBACK else None
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)  # noqa: S603 (this repository's module)
    figures: Figures = json.loads(run.stdout)
    return figures


def measure_pairs(case: Case, endpoint: str, package: str, number: int) -> Iterator[Pair]:
    """Measure both subjects `number` times. The subject that runs first alternates."""
    for turn in range(number):
        order = (SES_FEEDBACK, BASELINE) if turn % 2 else (BASELINE, SES_FEEDBACK)
        figures = {subject: measure(subject, case, endpoint, package) for subject in order}
        yield Pair(figures[SES_FEEDBACK], figures[BASELINE])


def row(case: Case, pairs: Sequence[Pair]) -> str:
    """Return a row of the table."""
    speed, cpu = (median(pair.ratio(name) for pair in pairs) for name in ("records_per_second", "cpu_seconds_per_1000"))
    ours, baseline = (
        {name: median(figures[name] for figures in side) for name in side[0]}
        for side in ([pair.ses_feedback for pair in pairs], [pair.baseline for pair in pairs])
    )
    reached = "yes" if speed >= case.target else "no"
    return (
        f"| {case.name} | {ours['records_per_second']:,.0f} | {baseline['records_per_second']:,.0f} "
        f"| **{speed:,.1f}{TIMES}** | {case.target:g}{TIMES} | {reached} "
        f"| {ours['cpu_seconds_per_1000']:.3f} | {baseline['cpu_seconds_per_1000']:.2f} | 1/{1 / cpu:.0f} "
        f"| {ours['peak_mebibytes']:.0f} | {baseline['peak_mebibytes']:.0f} |"
    )


HEAD = """\
| | records/s | baseline | ratio | target | reached | CPU s per 1000 | baseline | ratio | peak MiB | baseline |
|---|---|---|---|---|---|---|---|---|---|---|"""


def build(directory: str) -> None:
    """Build the Lambda package for the Python that runs the benchmark."""
    command = [
        sys.executable,
        "-m",
        "tools.package_build",
        directory,
        "--python",
        f"{sys.version_info[0]}.{sys.version_info[1]}",
    ]
    subprocess.run(command, check=True, cwd=SOURCE.parent)  # noqa: S603 (this repository's module)


def main() -> None:
    """Run all cases and print the table as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--pairs", type=int, default=0, help="number of pairs, instead of the default of each case")
    parser.add_argument("--only", default="", help="only cases whose name contains this text")
    parser.add_argument("--source", action="store_true", help="measure the source tree instead of the package")
    arguments = parser.parse_args()
    with TemporaryDirectory() as directory, running(CORES[1]) as endpoint:
        if not arguments.source:
            build(directory)
        print(HEAD, flush=True)
        for case in CASES:
            if arguments.only in case.name:
                package = str(SOURCE) if arguments.source else directory
                pairs = measure_pairs(case, endpoint, package, arguments.pairs or case.pairs)
                print(row(case, list(pairs)), flush=True)


if __name__ == "__main__":
    main()

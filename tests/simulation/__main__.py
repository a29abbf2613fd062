"""`python -m tests.simulation --seed S --cases N`: play many cases and print the figures; see `make simulate`."""

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from botocore.session import get_session

from feedbackctl.embedded import TABLE, EmbeddedAws
from tests.simulation.against import compare, compare_with_moto
from tests.simulation.case import make
from tests.simulation.exhaustive import explore_all
from tests.simulation.play import Figures, play, play_all
from tests.simulation.shrink import failure, readable

_PORTION = 1_000
"""Cases a process takes at a time."""
_APART = 1_000_000_000
"""How far apart the cases of two seeds begin."""


_FRESH = 250
"""Traces for which moto is kept: it reads the whole table for every query."""


def main() -> int:
    """Run what the command line asks for; return 1 when a promise was broken."""
    arguments = _arguments()
    if arguments.case is not None:
        _tell(readable(play(make(arguments.case))))
        return 0
    if arguments.interruptions is not None:
        return _explore(arguments.interruptions, arguments.processes)
    if arguments.traces is not None:
        return _compare(arguments.traces, arguments.endpoint)
    return _simulate(arguments.seed, arguments.cases, arguments.processes)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="which cases: the same seed makes the same")
    parser.add_argument("--cases", type=int, default=10_000, help="how many")
    parser.add_argument("--processes", type=int, default=2, help="how many at once")
    parser.add_argument("--case", type=int, help="instead, print the history of this one case")
    parser.add_argument(
        "--interruptions", type=int, help="instead, try everything in a small scope, with up to so many"
    )
    parser.add_argument("--traces", type=int, help="instead, hold the table in memory against moto with so many traces")
    parser.add_argument("--endpoint", help="with --traces: against the DynamoDB at this address")
    return parser.parse_args()


def _simulate(seed: int, cases: int, processes: int) -> int:
    begun = time.monotonic()
    first = seed * _APART
    seeds = range(first, first + cases)
    figures = Figures()
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for part in pool.map(play_all, (seeds[at : at + _PORTION] for at in range(0, cases, _PORTION))):
            figures += part
    _tell(_told(figures, seed, time.monotonic() - begun))
    shown: set[str] = set()
    for one, violation in figures.violations:
        if violation.promise not in shown:
            _tell(f"\n{violation}\n{failure(one, violation.promise)}")
            shown.add(violation.promise)
    return 1 if figures.violations else 0


def _told(figures: Figures, seed: int, seconds: float) -> str:
    broken = Counter(violation.promise for _, violation in figures.violations)
    return (
        f"seed {seed}: {figures.cases:,} cases in {seconds:,.0f} s, {len(figures.histories):,} distinct histories "
        f"(digest {figures.digest()})\n"
        f"{figures.steps:,} calls of AWS, {figures.faults:,} faults, {figures.switches:,} switches between workers, "
        f"{figures.calls:,} calls of SES\n"
        f"{len(figures.violations)} violations {dict(broken) or ''}"
    )


def _explore(interruptions: int, processes: int) -> int:
    broken = 0
    for name, explored in explore_all(interruptions, processes):
        found = len(explored.violations)
        broken += found
        _tell(f"{name}: {explored.runs:,} runs, {len(explored.states):,} states, {found} violations")
        for case, _ in explored.violations[:1]:
            _tell(readable(play(case)))
    return 1 if broken else 0


def _compare(traces: int, endpoint: str | None) -> int:
    begun = time.monotonic()
    if endpoint:
        client: Any = get_session().create_client(
            "dynamodb",
            "us-east-1",
            endpoint_url=endpoint,
            aws_access_key_id="emulated",
            aws_secret_access_key="emulated",
        )
        table = f"simulation-{time.time_ns()}"
        client.create_table(**{**TABLE, "TableName": table})
        for seed in range(traces):
            compare(client, table, seed)
    else:
        for first in range(0, traces, _FRESH):
            with EmbeddedAws() as aws:
                for seed in range(first, min(first + _FRESH, traces)):
                    compare_with_moto(aws, seed)
    _tell(f"{traces:,} traces alike on {endpoint or 'moto'} and in memory, in {time.monotonic() - begun:,.0f} s")
    return 0


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

"""`python -m campaigns.simulation --seed S --cases N`: play many cases and print the figures; see `make simulate`."""

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from botocore.session import get_session

from campaigns.simulation.campaign import Figures, play, play_all
from campaigns.simulation.case_generator import generate_case
from campaigns.simulation.differential import compare, compare_with_moto
from campaigns.simulation.exhaustive import explore_all, replay, ways
from campaigns.simulation.outages import OUTAGES, TOO_LONG, suffer
from campaigns.simulation.shrink import failure, readable
from campaigns.simulation.small_scopes import scopes
from localaws.deployment.server_process import LocalAws
from localaws.in_process.contacts_table import CREATE_TABLE
from localaws.in_process.embedded_aws import EmbeddedAws

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
        _tell(readable(play(generate_case(arguments.case))))
        return 0
    if arguments.exhaustive:
        return _explore(arguments.crashes, arguments.processes)
    if arguments.outages is not None:
        return _suffer(arguments.outages, arguments.processes)
    if arguments.traces is not None:
        return _compare(arguments.traces, arguments.against)
    return _simulate(arguments.seed, arguments.cases, arguments.processes)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m campaigns.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="which cases: the same seed makes the same")
    parser.add_argument("--cases", type=int, default=10_000, help="how many")
    parser.add_argument("--processes", type=int, default=2, help="how many at once")
    parser.add_argument("--case", type=int, help="instead, print the history of this one case")
    parser.add_argument("--exhaustive", action="store_true", help="instead, explore small scopes to the end")
    parser.add_argument("--crashes", type=int, default=2, help="with --exhaustive: up to so many in a way")
    parser.add_argument("--traces", type=int, help="instead, compare tables with so many traces")
    parser.add_argument("--against", choices=("moto", "emulator"), default="moto", help="with --traces: which other")
    parser.add_argument("--outages", type=int, help="instead, play so many cases in each of the long outages")
    return parser.parse_args()


def _simulate(seed: int, cases: int, processes: int) -> int:
    begun = time.monotonic()
    first = seed * _APART
    seeds = range(first, first + cases)
    figures = Figures()
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for part in pool.map(play_all, (seeds[at : at + _PORTION] for at in range(0, cases, _PORTION))):
            figures += part
            _progress(figures, cases, time.monotonic() - begun)
    _tell(_told(figures, seed, time.monotonic() - begun))
    shown: set[str] = set()
    for one, violation in figures.violations:
        if violation.promise not in shown:
            _tell(f"\n{violation}\n{failure(one, violation.promise)}")
            shown.add(violation.promise)
    return 1 if figures.violations else 0


def _progress(figures: Figures, cases: int, seconds: float) -> None:
    """Say how far it is, on one line that is written over: nobody keeps it."""
    rate = figures.cases / seconds
    left = timedelta(seconds=round((cases - figures.cases) / rate))
    found = len(figures.violations)
    sys.stderr.write(f"\r{figures.cases:,} of {cases:,} cases, {rate:,.0f} a second, {left} left, {found} violations ")
    sys.stderr.write("\n" if figures.cases == cases else "")
    sys.stderr.flush()


def _told(figures: Figures, seed: int, seconds: float) -> str:
    broken = Counter(violation.promise for _, violation in figures.violations)
    faults = ", ".join(f"{name} {number:,}" for name, number in figures.faults.most_common())
    return (
        f"seed {seed}: {figures.cases:,} cases in {seconds:,.0f} s ({figures.cases / seconds:,.0f} a second), "
        f"{len(figures.histories):,} distinct histories (digest {figures.digest()})\n"
        f"{figures.steps:,} calls of AWS, {figures.calls:,} of them of the suppression list; "
        f"{figures.switches:,} switches between workers\n"
        f"{figures.crashes:,} crashes, {figures.redeliveries:,} redeliveries\n"
        f"{figures.faults.total():,} faults: {faults}\n"
        f"{len(figures.violations)} violations {dict(broken) or ''}"
    )


def _explore(crashes: int, processes: int) -> int:
    broken = 0
    for name, explored in explore_all(crashes, processes):
        found = len(explored.violations)
        broken += found
        _tell(
            f"{name}:\n  {explored.states:,} states, {explored.transitions:,} transitions, "
            f"{ways(explored.graph):,} interleavings, {explored.graph.crashes:,} crash points, "
            f"{found} violations, {explored.seconds:,.0f} s"
        )
        for way, _ in explored.violations[:1]:
            _tell(readable(replay(scopes(crashes)[name], way)))
    return 1 if broken else 0


def _suffer(cases: int, processes: int) -> int:
    broken = 0
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting = {name: pool.submit(suffer, name, range(cases)) for name in {**OUTAGES, **TOO_LONG}}
        for name, outcome in waiting.items():
            _tell(f"{name}:\n  {outcome.result()}")
            broken += outcome.result().violations + outcome.result().changed
    return 1 if broken else 0


def _compare(traces: int, other: str) -> int:
    begun = time.monotonic()
    {"moto": _compare_with_moto, "emulator": _compare_with_emulator}[other](traces)
    _tell(f"{traces:,} traces alike on {other} and in memory, in {time.monotonic() - begun:,.0f} s")
    return 0


def _compare_with_moto(traces: int) -> None:
    for first in range(0, traces, _FRESH):
        with EmbeddedAws() as aws:
            for seed in range(first, min(first + _FRESH, traces)):
                compare_with_moto(aws, seed)


def _compare_with_emulator(traces: int) -> None:
    with TemporaryDirectory() as home:
        local_aws = LocalAws(state_directory=Path(home))
        server = local_aws.start(iam=False)
        try:
            session = get_session()
            session.set_credentials("emulated", "emulated")
            client: Any = session.create_client("dynamodb", "us-east-1", endpoint_url=server.url)
            client.create_table(**CREATE_TABLE)
            for seed in range(traces):
                compare(client, CREATE_TABLE["TableName"], seed)
        finally:
            local_aws.stop()


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

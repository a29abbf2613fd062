"""Run cases with faults, crashes and every order of calls, and print the figures. See campaigns/README.md."""

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

import click
from botocore.session import get_session

from campaigns.simulation.campaign import Figures, run_case, run_cases
from campaigns.simulation.case_generator import generate_case
from campaigns.simulation.differential import compare, compare_with_moto
from campaigns.simulation.exhaustive import count_interleavings, explore_all, replay
from campaigns.simulation.outages import DEAD_LETTER_OUTAGES, OUTAGES, run_outage
from campaigns.simulation.shrink import describe_failure, describe_run
from campaigns.simulation.small_scopes import make_scopes
from localaws.deployment.server_process import LocalAws
from localaws.in_process.contacts_table import CREATE_TABLE
from localaws.in_process.embedded_aws import EmbeddedAws

_CHUNK = 1_000
"""Cases that a process runs at a time."""
_CASES_PER_SEED = 1_000_000_000
"""Distance of the first cases of two seeds."""
_TRACES_PER_MOTO = 250
"""Traces after which moto is replaced: its queries read the whole table, so it becomes slower."""


def main() -> int:
    """Run the campaign that the command line selects. Return 1 if a promise was broken."""
    options = _parser().parse_args()
    if options.case is not None:
        simulation = run_case(generate_case(options.case))
        click.echo(describe_run(simulation))
        return 1 if simulation.checker.violations else 0
    if options.exhaustive:
        return _explore(options.crashes, options.processes)
    if options.outages is not None:
        return _run_outages(options.outages, options.processes)
    if options.traces is not None:
        return _compare(options.traces, options.against)
    return _run_cases(options.seed, options.cases, options.processes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m campaigns.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="seed of the cases; equal seeds give equal cases")
    parser.add_argument("--cases", type=int, default=10_000, help="number of cases")
    parser.add_argument("--processes", type=int, default=2, help="number of processes")
    parser.add_argument("--case", type=int, help="print the history of this one case")
    parser.add_argument("--exhaustive", action="store_true", help="explore every interleaving of small scopes")
    parser.add_argument("--crashes", type=int, default=2, help="with --exhaustive: most crashes of one interleaving")
    parser.add_argument("--outages", type=int, help="run this number of cases in each outage that lasts for days")
    parser.add_argument("--traces", type=int, help="compare the in-memory table with another for so many traces")
    parser.add_argument(
        "--against", choices=("moto", "emulator"), default="moto", help="with --traces: the other table"
    )
    return parser


def _run_cases(seed: int, cases: int, processes: int) -> int:
    started = time.monotonic()
    first = seed * _CASES_PER_SEED
    seeds = range(first, first + cases)
    figures = Figures()
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for part in pool.map(run_cases, (seeds[at : at + _CHUNK] for at in range(0, cases, _CHUNK))):
            figures += part
            _print_progress(figures, cases, time.monotonic() - started)
    click.echo(_format_figures(figures, seed, time.monotonic() - started))
    described: set[str] = set()
    for case, violation in figures.violations:
        if violation.promise not in described:
            click.echo(f"\n{violation}\n{describe_failure(case, violation.promise)}")
            described.add(violation.promise)
    return 1 if figures.violations else 0


def _print_progress(figures: Figures, cases: int, seconds: float) -> None:
    """Overwrite the progress line on standard error."""
    rate = figures.cases / seconds
    remaining = timedelta(seconds=round((cases - figures.cases) / rate))
    count = len(figures.violations)
    line = f"{figures.cases:,} of {cases:,} cases, {rate:,.0f} per second, {remaining} remaining, {count} violations "
    sys.stderr.write(f"\r{line}")
    sys.stderr.write("\n" if figures.cases == cases else "")
    sys.stderr.flush()


def _format_figures(figures: Figures, seed: int, seconds: float) -> str:
    broken = Counter(violation.promise for _, violation in figures.violations)
    faults = "; ".join(f"{name}: {count:,}" for name, count in figures.faults.most_common())
    return (
        f"seed {seed}: {figures.cases:,} cases in {seconds:,.0f} s ({figures.cases / seconds:,.0f} per second), "
        f"{len(figures.histories):,} distinct histories (digest {figures.digest()})\n"
        f"{figures.steps:,} AWS calls, of which {figures.list_calls:,} of the suppression list; "
        f"{figures.switches:,} context switches\n"
        f"{figures.crashes:,} crashes, {figures.redeliveries:,} redeliveries\n"
        f"{figures.faults.total():,} faults ({faults})\n"
        f"{len(figures.violations)} violations {dict(broken) or ''}"
    )


def _explore(crashes: int, processes: int) -> int:
    violations = 0
    for name, exploration in explore_all(crashes, processes):
        count = len(exploration.violations)
        violations += count
        click.echo(
            f"{name}:\n  {exploration.states:,} states, {exploration.transitions:,} transitions, "
            f"{count_interleavings(exploration.graph):,} interleavings, {exploration.graph.crashes:,} crash points, "
            f"{count} violations ({exploration.seconds:,.0f} s)"
        )
        for path, _ in exploration.violations[:1]:
            click.echo(describe_run(replay(make_scopes(crashes)[name], path)))
    return 1 if violations else 0


def _run_outages(cases: int, processes: int) -> int:
    failures = 0
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        futures = {name: pool.submit(run_outage, name, range(cases)) for name in {**OUTAGES, **DEAD_LETTER_OUTAGES}}
        for name, future in futures.items():
            result = future.result()
            click.echo(f"{name}:\n  {result}")
            failures += result.violations + result.changed
    return 1 if failures else 0


def _compare(traces: int, against: str) -> int:
    started = time.monotonic()
    {"moto": _compare_with_moto, "emulator": _compare_with_emulator}[against](traces)
    click.echo(f"{traces:,} traces: equal answers of {against} and in memory ({time.monotonic() - started:,.0f} s)")
    return 0


def _compare_with_moto(traces: int) -> None:
    for first in range(0, traces, _TRACES_PER_MOTO):
        with EmbeddedAws() as aws:
            for seed in range(first, min(first + _TRACES_PER_MOTO, traces)):
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


if __name__ == "__main__":
    sys.exit(main())

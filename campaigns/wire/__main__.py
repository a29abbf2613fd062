"""Run cases of the wire campaign and print their figures: `python -m campaigns.wire --deliveries N --kills K`."""

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import click

from campaigns.wire.campaign import (
    Figures,
    run_case,
    run_cases,
    run_every_fault,
    run_seed_with_kills,
    run_with_kills,
)
from campaigns.wire.case import generate_case
from campaigns.wire.history import describe_simulation

_PORTION = 4
"""Cases that a process runs at a time."""
_FAULT_PORTIONS = 20
_SEED_STRIDE = 1_000_000
"""Distance between the first cases of two seeds."""
_FIRST_WITH_KILLS = 500_000
"""Distance between the first case of a seed and its first case with kills."""
_MAX_SHOWN = 3


def main() -> int:
    """Run what the command line asks for; return 1 if a promise was broken."""
    arguments = _arguments()
    if arguments.case is not None:
        with_kills = arguments.case % _SEED_STRIDE >= _FIRST_WITH_KILLS
        simulation = run_seed_with_kills(arguments.case) if with_kills else run_case(generate_case(arguments.case))
        click.echo(describe_simulation(simulation))
        return 1 if simulation.checker.violations else 0
    violations = 0
    with ProcessPoolExecutor(arguments.processes, mp_context=get_context("spawn")) as pool:
        if arguments.every_call:
            violations += _run_every_fault(pool)
        if arguments.deliveries:
            violations += _run_deliveries(pool, arguments.seed, arguments.deliveries, arguments.processes)
        if arguments.kills:
            violations += _run_with_kills(pool, arguments.seed, arguments.kills, arguments.processes)
    return 1 if violations else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m campaigns.wire", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the same seed generates the same cases")
    parser.add_argument("--deliveries", type=int, default=0, help="minimum of messages delivered to functions")
    parser.add_argument("--kills", type=int, default=0, help="minimum of killed processes")
    parser.add_argument("--every-call", action="store_true", help="run a small case with every fault of every call")
    parser.add_argument("--processes", type=int, default=4, help="parallel processes, which wait most of the time")
    parser.add_argument("--case", type=int, help="print the history of this case only")
    return parser.parse_args()


def _run_deliveries(pool: ProcessPoolExecutor, seed: int, deliveries: int, processes: int) -> int:
    started = time.monotonic()
    figures = Figures()
    first = seed * _SEED_STRIDE
    while figures.deliveries < deliveries:
        cases = range(first, first + _PORTION * processes)
        for part in pool.map(run_cases, (cases[at : at + _PORTION] for at in range(0, len(cases), _PORTION))):
            figures += part
        first = cases.stop
    return _report(f"deliveries with faults, seed {seed}", figures, time.monotonic() - started)


def _run_with_kills(pool: ProcessPoolExecutor, seed: int, kills: int, processes: int) -> int:
    started = time.monotonic()
    figures = Figures()
    first, each = seed * _SEED_STRIDE + _FIRST_WITH_KILLS, (_SEED_STRIDE - _FIRST_WITH_KILLS) // processes
    cases = [range(first + each * number, first + each * (number + 1)) for number in range(processes)]
    for part in pool.map(partial(run_with_kills, kills=-(-kills // processes)), cases):
        figures += part
    return _report(f"deliveries with kills, seed {seed}", figures, time.monotonic() - started)


def _run_every_fault(pool: ProcessPoolExecutor) -> int:
    started = time.monotonic()
    figures = Figures()
    for part in pool.map(run_every_fault, range(_FAULT_PORTIONS), [_FAULT_PORTIONS] * _FAULT_PORTIONS):
        figures += part
    return _report("a small case with every fault of every call", figures, time.monotonic() - started)


def _report(title: str, figures: Figures, seconds: float) -> int:
    """Print the figures; return the number of violations."""
    click.echo(
        f"{title}: {figures.cases:,} cases in {seconds:,.0f} s\n"
        f"{figures.deliveries:,} deliveries ({figures.deliveries / seconds:,.0f} per second), "
        f"{figures.redeliveries:,} of them redeliveries; {figures.quarantined:,} messages quarantined\n"
        f"{figures.requests:,} AWS calls; {figures.invocations:,} invocations, {figures.failed:,} of them failed"
    )
    if figures.kills:
        click.echo(f"{figures.kills.total():,} kills: {_listed(figures.kills)}")
    by_fault: Counter[str] = Counter()
    for (_, fault), number in figures.faults.items():
        by_fault[fault] += number
    click.echo(f"{by_fault.total():,} faults: {_listed(by_fault)}\n{len(figures.violations)} violations")
    for seed, violation in figures.violations[:_MAX_SHOWN]:
        click.echo(f"\ncase {seed}: {violation}\n{figures.histories[seed]}")
    return len(figures.violations)


def _listed(counter: Counter[str]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in counter.most_common())


if __name__ == "__main__":
    sys.exit(main())

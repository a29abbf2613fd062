"""Check payloads of every shape, and print the statistics: `python -m campaigns.fuzz --seed S --payloads N`."""

import argparse
import sys
import time
from pathlib import Path

import click

from campaigns.fuzz import bounds, findings, growth
from campaigns.fuzz.campaign import Run, run
from campaigns.fuzz.invariants import InvariantChecker
from campaigns.fuzz.payloads import generate_payload
from campaigns.fuzz.shrink import breaks_same_rule, shrink


def main() -> int:
    """Run what the command line asks for; return 1 if a rule is broken."""
    arguments = _arguments()
    if arguments.replay:
        return _replay(arguments.replay)
    if arguments.growth:
        return _measure_growth()
    started = time.monotonic()
    if arguments.bounds:
        summary, broken = bounds.run(arguments.seed, arguments.payloads, arguments.processes)
        seconds = time.monotonic() - started
        click.echo(f"seed {arguments.seed}, in {seconds:,.0f} s\n{summary}\n{len(broken)} violations {broken}")
        return 1 if broken else 0
    result = run(arguments.seed, arguments.payloads, arguments.processes)
    payloads, seconds = result.statistics.payloads.total(), time.monotonic() - started
    click.echo(f"seed {arguments.seed}: {payloads:,} payloads in {seconds:,.0f} s")
    too_many_dimensions = len(result.statistics.dimensions) > bounds.MAX_DIMENSIONS
    violations = result.broken + too_many_dimensions
    click.echo(f"{result.statistics.summary()}\n{result.leaks} leaks, {violations} violations")
    _print_violations(result)
    return 1 if violations else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m campaigns.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the same seed generates the same payloads")
    parser.add_argument("--payloads", type=int, default=20_000, help="number of payloads")
    parser.add_argument("--processes", type=int, default=2, help="number of parallel processes")
    parser.add_argument("--bounds", action="store_true", help="check events and storms that try to exceed a bound")
    parser.add_argument("--growth", action="store_true", help="check how time and memory grow with hostile input")
    parser.add_argument("--replay", type=Path, help="check the payloads of this finding again")
    return parser.parse_args()


def _print_violations(result: Run) -> None:
    """Print one violation of each broken rule, and save the simplest payloads that cause it."""
    shown: set[str] = set()
    for case, violation in result.violations:
        if violation.rule in shown:
            continue
        shown.add(violation.rule)
        payloads = [violation.payload] if violation.payload else [generate_payload(seed) for seed in case]
        simplest = shrink(payloads, breaks_same_rule(InvariantChecker(), violation))
        path = findings.save(simplest, violation, f"{violation.rule}-{case.start}")
        click.echo(
            f"\n{violation.rule}: {violation.description}\n"
            f"  seeds {case.start} to {case.stop - 1}; the simplest payloads that cause it are in {path}"
        )


def _replay(path: Path) -> int:
    checker = InvariantChecker()
    payloads = findings.load(path)
    violations = [*checker.check_case(payloads), *checker.check_with_faults(payloads)]
    for violation in violations:
        click.echo(f"{violation.rule}: {violation.description}")
    click.echo(f"{len(violations)} violations")
    return 1 if violations else 0


def _measure_growth() -> int:
    too_fast = 0
    for measurement in growth.measure_all():
        click.echo(measurement.summary())
        too_fast += not measurement.is_linear
    return 1 if too_fast else 0


if __name__ == "__main__":
    sys.exit(main())

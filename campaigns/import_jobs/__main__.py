"""Print how long a backlog takes and how many calls it costs; with `--seeds N`, run N simulated cases with faults."""

import argparse
import sys
import time
from datetime import timedelta
from itertools import chain

import click

from campaigns.import_jobs.backlog import CALLS_PER_SECOND, clear
from campaigns.import_jobs.cases import PLANS, cases_with_each_fault, generate_import_case
from campaigns.import_jobs.simulator import run_case

_LIMIT = 21_600
"""Pending entries above which SES imports them."""
_MAX_CALLS = 8
"""Calls of each operation that fail, one at a time."""
_SECONDS_PER_PUT = 1 / CALLS_PER_SECOND + 0.05


def main() -> int:
    """Run what the command line asks for; return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m campaigns.import_jobs", description=__doc__)
    parser.add_argument("--contacts", type=int, default=100_000, help="size of the backlog")
    parser.add_argument("--minutes", type=int, nargs="*", default=[10, 60], help="how long SES takes for an import job")
    parser.add_argument(
        "--seeds",
        type=int,
        default=0,
        help="random cases with faults to run as well, beside a small case with each fault",
    )
    options = parser.parse_args()
    for minutes in options.minutes:
        started = time.perf_counter()
        cleared = clear(options.contacts, timedelta(minutes=minutes), _LIMIT)
        click.echo(
            f"an import job takes {minutes} minutes: {cleared}\n  (computed in {time.perf_counter() - started:.0f} s)"
        )
    hours = options.contacts * _SECONDS_PER_PUT / 3600
    click.echo(f"without import jobs: {hours:.1f} hours, one call to SES per contact every {_SECONDS_PER_PUT} s")
    return 1 if options.seeds and _run_cases(options.seeds) else 0


def _run_cases(seeds: int) -> int:
    """Run cases with each fault and those of the seeds; print their figures; return how many broke a promise."""
    started, cases, failed, jobs, faults = time.perf_counter(), 0, 0, 0, 0
    faulty = ((name, case) for name, plan in PLANS.items() for case in cases_with_each_fault(plan, _MAX_CALLS))
    random_cases = ((f"seed {seed}", generate_import_case(seed)) for seed in range(seeds))
    for name, case in chain(faulty, random_cases):
        cases += 1
        simulation = run_case(case)
        violations = simulation.checker.violations
        jobs += len(simulation.imports.jobs)
        faults += simulation.injector.fault_count
        failed += bool(violations)
        for violation in violations[:1]:
            click.echo(f"{name}, {case.faults}: {violation}")
        simulation.release()
    seconds = time.perf_counter() - started
    click.echo(
        f"{cases:,} cases, {jobs:,} import jobs, {faults:,} faults: {failed} cases with violations ({seconds:.0f} s)"
    )
    return failed


if __name__ == "__main__":
    sys.exit(main())

"""Print how long a backlog takes and how many calls it costs; with `--seeds N`, play N simulated cases with faults."""

import argparse
import sys
import time
from datetime import timedelta

from campaigns.import_jobs.backlog import CALLS_PER_SECOND, clear
from campaigns.import_jobs.simulator import a_world, perform

_LIMIT = 21_600
"""Pending entries above which SES imports them."""
_SECONDS_PER_PUT = 1 / CALLS_PER_SECOND + 0.05


def main() -> int:
    """Run what the command line asks for; return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m campaigns.import_jobs", description=__doc__)
    parser.add_argument("--contacts", type=int, default=100_000, help="size of the backlog")
    parser.add_argument("--minutes", type=int, nargs="*", default=[10, 60], help="how long SES takes for an import job")
    parser.add_argument("--seeds", type=int, default=0, help="simulated cases with faults to play as well")
    options = parser.parse_args()
    for minutes in options.minutes:
        started = time.perf_counter()
        cleared = clear(options.contacts, timedelta(minutes=minutes), _LIMIT)
        _print(
            f"an import job takes {minutes} minutes: {cleared}\n  (computed in {time.perf_counter() - started:.0f} s)"
        )
    hours = options.contacts * _SECONDS_PER_PUT / 3600
    _print(f"without import jobs: {hours:.1f} hours, one call to SES per contact every {_SECONDS_PER_PUT} s")
    return 1 if _play(options.seeds) else 0


def _play(seeds: int) -> int:
    """Play the cases of these seeds, print their figures, and return the number of cases that broke a promise."""
    started, failed, jobs, faults = time.perf_counter(), 0, 0, 0
    for seed in range(seeds):
        world = a_world(seed)
        violations = perform(world).violations
        jobs += len(world.importer.jobs)
        faults += world.injector.fault_count
        failed += bool(violations)
        for violation in violations[:1]:
            _print(f"seed {seed}: {violation}")
    if seeds:
        seconds = time.perf_counter() - started
        _print(
            f"{seeds:,} cases, {jobs:,} import jobs, {faults:,} faults: {failed} cases with violations ({seconds:.0f} s)"
        )
    return failed


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

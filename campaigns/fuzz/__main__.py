"""`python -m campaigns.fuzz --seed S --payloads N`: hand over many payloads and print the figures; see `make fuzz`."""

import argparse
import sys
import time
from pathlib import Path

from campaigns.fuzz import bounds, growth
from campaigns.fuzz.campaign import Run, run
from campaigns.fuzz.invariants import Referee
from campaigns.fuzz.payloads import make
from campaigns.fuzz.shrink import breaks, load, save, shrink


def main() -> int:
    """Run what the command line asks for; return 1 when something must not be as it is."""
    arguments = _arguments()
    if arguments.replay:
        return _replay(arguments.replay)
    if arguments.growth:
        return _grow()
    began = time.monotonic()
    if arguments.bounds:
        told, broken = bounds.run(arguments.seed, arguments.payloads, arguments.processes)
        _tell(f"seed {arguments.seed}, in {time.monotonic() - began:,.0f} s\n{told}\n{len(broken)} violations {broken}")
        return 1 if broken else 0
    done = run(arguments.seed, arguments.payloads, arguments.processes)
    _tell(f"seed {arguments.seed}: {done.figures.payloads.total():,} payloads in {time.monotonic() - began:,.0f} s")
    too_many = len(done.figures.dimensions) > bounds.MAX_DIMENSIONS
    _tell(f"{done.figures.told()}\n{done.leaks} leaks, {done.broken + too_many} violations")
    _tell_violations(done)
    return 1 if done.broken or too_many else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m campaigns.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="which payloads: the same seed makes the same")
    parser.add_argument("--payloads", type=int, default=20_000, help="how many")
    parser.add_argument("--processes", type=int, default=2, help="how many at once")
    parser.add_argument("--bounds", action="store_true", help="instead, events and storms that try to break a bound")
    parser.add_argument("--growth", action="store_true", help="instead, how time and memory grow with hostile input")
    parser.add_argument("--replay", type=Path, help="instead, play the finding in this file")
    return parser.parse_args()


def _tell_violations(done: Run) -> None:
    """Print each rule broken, with its payloads made small."""
    shown: set[str] = set()
    for case, violation in done.violations:
        if violation.rule in shown:
            continue
        shown.add(violation.rule)
        payloads = [violation.about] if violation.about else [make(seed) for seed in case]
        referee = Referee()
        small = shrink(payloads, breaks(referee, violation))
        path = save(small, violation, f"{violation.rule}-{case.start}")
        _tell(f"\n{violation.rule}: {violation.said}\n  payloads {case.start} to {case.stop - 1}, made small in {path}")


def _replay(path: Path) -> int:
    referee = Referee()
    payloads = load(path)
    violations = [*referee.play(payloads), *referee.play_faulty(payloads)]
    for violation in violations:
        _tell(f"{violation.rule}: {violation.said}")
    _tell(f"{len(violations)} violations")
    return 1 if violations else 0


def _grow() -> int:
    too_fast = 0
    for row in growth.rows():
        _tell(row.told())
        too_fast += not row.linear
    return 1 if too_fast else 0


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

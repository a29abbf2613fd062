"""`python -m campaigns.wire --seed S --deliveries N --kills K`: play cases and print the figures."""

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from campaigns.wire.campaign import Figures, every_call, play, play_all, play_killing, play_one_killing
from campaigns.wire.case import make
from campaigns.wire.history import readable

_PORTION = 4
"""Cases a process takes at a time."""
_APART = 1_000_000
"""How far apart the cases of two seeds begin."""
_KILLING = 500_000
"""How far into a seed's cases those begin whose functions are killed."""


def main() -> int:
    """Run what the command line asks for; return 1 when a promise was broken."""
    arguments = _arguments()
    if arguments.case is not None:
        world = play_one_killing(arguments.case) if arguments.case % _APART >= _KILLING else play(make(arguments.case))
        _tell(readable(world))
        return 1 if world.checker.violations else 0
    broken = 0
    with ProcessPoolExecutor(arguments.processes, mp_context=get_context("spawn")) as pool:
        if arguments.every_call:
            broken += _every_call(pool)
        if arguments.deliveries:
            broken += _deliver(pool, arguments.seed, arguments.deliveries, arguments.processes)
        if arguments.kills:
            broken += _kill(pool, arguments.seed, arguments.kills, arguments.processes)
    return 1 if broken else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m campaigns.wire", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="which cases: the same seed makes the same")
    parser.add_argument("--deliveries", type=int, default=0, help="messages to hand to functions, at least")
    parser.add_argument("--kills", type=int, default=0, help="processes to kill, at least")
    parser.add_argument("--every-call", action="store_true", help="break every call of a small case in every way")
    parser.add_argument("--processes", type=int, default=4, help="how many at once: they wait a lot")
    parser.add_argument("--case", type=int, help="instead, print the history of this one case")
    return parser.parse_args()


def _deliver(pool: ProcessPoolExecutor, seed: int, deliveries: int, processes: int) -> int:
    begun = time.monotonic()
    figures = Figures()
    first = seed * _APART
    while figures.deliveries < deliveries:
        cases = range(first, first + _PORTION * processes)
        for part in pool.map(play_all, (cases[at : at + _PORTION] for at in range(0, len(cases), _PORTION))):
            figures += part
        first = cases.stop
    return _told(f"deliveries under faults, seed {seed}", figures, time.monotonic() - begun)


def _kill(pool: ProcessPoolExecutor, seed: int, kills: int, processes: int) -> int:
    begun = time.monotonic()
    figures = Figures()
    first, each = seed * _APART + _KILLING, (_APART - _KILLING) // processes
    cases = [range(first + each * number, first + each * (number + 1)) for number in range(processes)]
    for part in pool.map(partial(play_killing, kills=-(-kills // processes)), cases):
        figures += part
    return _told(f"functions killed, seed {seed}", figures, time.monotonic() - begun)


def _every_call(pool: ProcessPoolExecutor) -> int:
    begun = time.monotonic()
    figures = Figures()
    for part in pool.map(every_call, range(20), [20] * 20):
        figures += part
    return _told("every fault at every call of a small case", figures, time.monotonic() - begun)


def _told(what: str, figures: Figures, seconds: float) -> int:
    _tell(
        f"{what}: {figures.cases:,} cases in {seconds:,.0f} s\n"
        f"{figures.deliveries:,} deliveries ({figures.deliveries / seconds:,.0f} a second), of which "
        f"{figures.redeliveries:,} again; {figures.quarantined:,} messages quarantined\n"
        f"{figures.requests:,} calls of AWS; {figures.invocations:,} invocations, of which {figures.failed:,} failed"
    )
    if figures.kills:
        _tell(f"{figures.kills.total():,} kills: {_listed(figures.kills)}")
    kinds: Counter[str] = Counter()
    for (_, fault), number in figures.faults.items():
        kinds[fault] += number
    _tell(f"{kinds.total():,} faults: {_listed(kinds)}\n{len(figures.violations)} violations")
    for seed, violation in figures.violations[:3]:
        _tell(f"\ncase {seed}: {violation}\n{figures.histories[seed]}")
    return len(figures.violations)


def _listed(counter: Counter[str]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in counter.most_common())


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

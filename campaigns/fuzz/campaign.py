"""A run over many payloads: cases of a few, made from a seed, each played by the referee."""

import tracemalloc
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from multiprocessing import get_context
from typing import Self

from campaigns.fuzz.invariants import Referee, Violation
from campaigns.fuzz.payloads import Payload, make
from campaigns.fuzz.statistics import Figures

IN_A_CASE = 10
_APART = 1_000_000_000
"""How far apart the payloads of two seeds begin."""
_PORTION = 2_000
"""Payloads a process takes at a time."""
_FAULTY = 8
"""Of so many cases, one is played with an AWS that fails."""
_MEASURED = 400
"""Of so many payloads, one has its memory measured, which takes long."""
_SHOWN = 3
"""Violations of a rule that are kept; a bug breaks it thousands of times."""


@dataclass
class Run:
    """What a run, or part of one, came to: figures, and violations with the seeds of the case they are of."""

    figures: Figures = field(default_factory=Figures)
    violations: list[tuple[range, Violation]] = field(default_factory=list)
    broken: int = 0
    leaks: int = 0

    def __iadd__(self, other: Self) -> Self:
        """Add another part."""
        self.figures += other.figures
        self.violations += other.violations
        self.broken += other.broken
        self.leaks += other.leaks
        return self


def run(seed: int, payloads: int, processes: int = 1) -> Run:
    """Play the payloads of `seed`, so many, and return what they come to."""
    first = seed * _APART
    portions = [range(at, min(at + _PORTION, first + payloads)) for at in range(first, first + payloads, _PORTION)]
    total = Run()
    if processes == 1:
        for portion in portions:
            total += play(portion)
        return total
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for part in pool.map(play, portions):
            total += part
    return total


def play(seeds: range) -> Run:
    """Play the payloads of these seeds."""
    referee = _referee()
    referee.figures = Figures()
    done = Run(referee.figures)
    found: dict[str, int] = {}
    for case in _cases(seeds):
        for violation in play_case(referee, case):
            done.broken += 1
            done.leaks += violation.rule == "P7"
            found[violation.rule] = found.get(violation.rule, 0) + 1
            if found[violation.rule] <= _SHOWN:
                done.violations.append((case, violation))
        if case.start % _MEASURED == 0:
            referee.figures.most_memory = max(referee.figures.most_memory, memory(referee, make(case.start)))
    referee.figures.remember_peak()
    return done


def play_case(referee: Referee, case: range) -> Sequence[Violation]:
    """Play one case; return what must not be."""
    payloads = [make(seed) for seed in case]
    if case.start // IN_A_CASE % _FAULTY == 0:
        return list(chain(referee.play(payloads, case.start), referee.play_faulty(payloads)))
    return referee.play(payloads, case.start)


def memory(referee: Referee, payload: Payload) -> int:
    """Return how many bytes handling a payload takes at most."""
    referee.house.clear()
    tracemalloc.start()
    referee.house.feedback(payload.event)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def _cases(seeds: range) -> Iterator[range]:
    for first in range(seeds.start, seeds.stop, IN_A_CASE):
        yield range(first, min(first + IN_A_CASE, seeds.stop))


_kept: list[Referee] = []


def _referee() -> Referee:
    """Return the referee of this process: what its house leaves behind from case to case shows in the figures."""
    if not _kept:
        _kept.append(Referee())
    return _kept[0]

"""Play cases, many of them, and add up the figures."""

import gc
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Self

from tests.simulation.case import Case, make
from tests.simulation.watch import Violation
from tests.simulation.world import World

_GARBAGE = 500
"""Cases between collections of garbage: they leave cycles, and little else."""


def play(case: Case, watcher: Callable[[World], None] | None = None) -> World:
    """Play one case, the same way every time; tell `watcher` of it before every call."""
    # The store's pauses are jittered by chance, which must be the same chance again.
    before = random.getstate()
    random.seed(len(case.messages))
    try:
        world = World(case)
        if watcher:
            world.wires.watched = partial(watcher, world)
        world.run()
    finally:
        random.setstate(before)
    return world


@dataclass
class Figures:
    """What many cases came to. `histories` are the digests of what happened in each: as many as were distinct."""

    cases: int = 0
    steps: int = 0
    switches: int = 0
    faults: int = 0
    calls: int = 0
    histories: set[int] = field(default_factory=set)
    violations: list[tuple[int, Violation]] = field(default_factory=list)

    def add(self, seed: int, world: World) -> None:
        """Count a case."""
        self.cases += 1
        self.steps += world.stage.steps
        self.switches += world.stage.switched
        self.faults += world.wires.broken
        self.calls += world.watch.calls
        self.histories.add(world.wires.digest())
        self.violations += [(seed, violation) for violation in world.watch.violations[:1]]

    def __iadd__(self, other: Self) -> Self:
        """Add other cases."""
        self.cases += other.cases
        self.steps += other.steps
        self.switches += other.switches
        self.faults += other.faults
        self.calls += other.calls
        self.histories |= other.histories
        self.violations += other.violations
        return self

    def digest(self) -> str:
        """Return what tells these histories from all others."""
        whole = blake2b(digest_size=8)
        for history in sorted(self.histories):
            whole.update(history.to_bytes(8, "big"))
        return whole.hexdigest()


def play_all(seeds: Iterable[int]) -> Figures:
    """Play the case of each seed."""
    figures = Figures()
    collecting = gc.isenabled()
    gc.disable()
    try:
        for number, seed in enumerate(seeds):
            figures.add(seed, play(make(seed)))
            if number % _GARBAGE == 0:
                gc.collect()
    finally:
        if collecting:
            gc.enable()
    return figures

"""Play cases, many of them, and add up the figures."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b

from campaigns.simulation.case import Case
from campaigns.simulation.case_generator import generate_case
from campaigns.simulation.invariants import Violation
from campaigns.simulation.simulator import World
from tests.support.sums import Sums


@contextmanager
def repeatable(case: Case) -> Iterator[None]:
    """Have chance be the same for a case every time: the store's pauses are jittered by it."""
    before = random.getstate()
    random.seed(len(case.messages))
    try:
        yield
    finally:
        random.setstate(before)


def play(case: Case) -> World:
    """Play one case, the same way every time."""
    with repeatable(case):
        world = World(case)
        world.run()
    return world


@dataclass
class Figures(Sums):
    """What many cases came to. `histories` are the digests of what happened in each: as many as were distinct."""

    cases: int = 0
    steps: int = 0
    switches: int = 0
    crashes: int = 0
    redeliveries: int = 0
    calls: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    histories: set[int] = field(default_factory=set)
    violations: list[tuple[int, Violation]] = field(default_factory=list)

    def add(self, seed: int, world: World) -> None:
        """Count a case."""
        self.cases += 1
        self.steps += world.stage.steps
        self.switches += world.stage.switched
        self.crashes += world.stage.crashed
        self.redeliveries += world.watch.lanes.redeliveries()
        self.calls += world.watch.calls
        self.faults += world.wires.soft_bounced
        self.histories.add(world.wires.digest())
        self.violations += [(seed, violation) for violation in world.watch.violations[:1]]

    def digest(self) -> str:
        """Return what tells these histories from all others."""
        whole = blake2b(digest_size=8)
        for history in sorted(self.histories):
            whole.update(history.to_bytes(8, "big"))
        return whole.hexdigest()


def play_all(seeds: Iterable[int]) -> Figures:
    """Play the case of each seed."""
    figures = Figures()
    for seed in seeds:
        world = play(generate_case(seed))
        figures.add(seed, world)
        world.forget()
    return figures

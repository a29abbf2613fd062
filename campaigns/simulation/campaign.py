"""Run cases, and add up their figures."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b

from campaigns.simulation.case import Case
from campaigns.simulation.case_generator import generate_case
from campaigns.simulation.invariants import Violation
from campaigns.simulation.simulator import Simulation
from tests.support.sums import Sums


@contextmanager
def fixed_jitter(case: Case) -> Iterator[None]:
    """Seed `random`, which jitters the pauses of the code under test, in the same way each time a case is run."""
    before = random.getstate()
    random.seed(len(case.messages))
    try:
        yield
    finally:
        random.setstate(before)


def run_case(case: Case) -> Simulation:
    """Run one case, in the same way each time."""
    with fixed_jitter(case):
        simulation = Simulation(case)
        simulation.run()
    return simulation


@dataclass
class Figures(Sums):
    """Sums over cases. `histories` are the digests of the traces, so their number is that of distinct histories."""

    cases: int = 0
    steps: int = 0
    switches: int = 0
    crashes: int = 0
    redeliveries: int = 0
    list_calls: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    histories: set[int] = field(default_factory=set)
    violations: list[tuple[int, Violation]] = field(default_factory=list)

    def add(self, seed: int, simulation: Simulation) -> None:
        """Add a case."""
        self.cases += 1
        self.steps += simulation.scheduler.steps
        self.switches += simulation.scheduler.switches
        self.crashes += simulation.scheduler.crashes
        self.redeliveries += simulation.checker.lanes.redeliveries()
        self.list_calls += simulation.checker.list_calls
        self.faults += simulation.injector.faults_by_name
        self.histories.add(simulation.injector.digest())
        self.violations += [(seed, violation) for violation in simulation.checker.violations[:1]]

    def digest(self) -> str:
        """Return a hash of all histories: campaigns with equal histories have equal digests."""
        digest = blake2b(digest_size=8)
        for history in sorted(self.histories):
            digest.update(history.to_bytes(8, "big"))
        return digest.hexdigest()


def run_cases(seeds: Iterable[int]) -> Figures:
    """Run the case of each seed."""
    figures = Figures()
    for seed in seeds:
        simulation = run_case(generate_case(seed))
        figures.add(seed, simulation)
        simulation.release()
    return figures

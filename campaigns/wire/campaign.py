"""Run cases of the wire campaign and add up their figures."""

from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from campaigns.simulation.invariants import Violation
from campaigns.wire.case import Case, generate_case, small_case
from campaigns.wire.clients import virtual_pauses
from campaigns.wire.faults import FAULTS, FaultPlan
from campaigns.wire.history import describe_simulation
from campaigns.wire.http_server import Server
from campaigns.wire.killed_processes import ForkServer, KilledProcesses
from campaigns.wire.simulator import WireSimulation
from campaigns.wire.threaded_functions import CheckedOutput, ThreadedFunctions, redirected_output
from ses_feedback.aws.dynamodb.client import ATTEMPTS
from tests.support.sums import Sums

MESSAGES_WITH_KILLS = 160
_CONTACTS_WITH_KILLS = 16
_THREADS = 8
_INTENSITY_WITH_KILLS = 0.2
"""Factor of the fault intensity in cases with kills: each fault adds waiting time."""


@dataclass
class Figures(Sums):
    """The figures of several cases."""

    cases: int = 0
    deliveries: int = 0
    redeliveries: int = 0
    requests: int = 0
    invocations: int = 0
    failed: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    faults: Counter[tuple[str, str]] = field(default_factory=Counter)
    quarantined: int = 0
    violations: list[tuple[int, Violation]] = field(default_factory=list)
    histories: dict[int, str] = field(default_factory=dict)
    """Descriptions of the cases with violations, by seed."""

    def add(self, simulation: WireSimulation, kills: Counter[str] | None = None) -> None:
        """Add a case."""
        checker, seed = simulation.checker, simulation.case.seed
        self.kills += kills or Counter()
        self.cases += 1
        self.deliveries += simulation.lanes.received.total()
        self.redeliveries += simulation.lanes.redeliveries()
        self.requests += simulation.scheduler.steps
        self.invocations += simulation.counts.invocations
        self.failed += simulation.counts.failed
        self.faults += simulation.aws.faults
        self.quarantined += len(set(checker.quarantined))
        self.violations += [(seed, violation) for violation in checker.violations[:1]]
        if checker.violations:
            self.histories[seed] = describe_simulation(simulation)


def run_case(case: Case, plan: FaultPlan | None = None) -> WireSimulation:
    """Run one case with functions in threads of this process."""
    with Server() as server, ThreadPoolExecutor(_THREADS) as pool:
        simulation = WireSimulation(case, server, plan)
        server.answer = simulation.aws.answer
        output = CheckedOutput(simulation.checker.check_text)
        with redirected_output(output), virtual_pauses(simulation.clock):
            simulation.run(ThreadedFunctions(simulation), pool)
    return simulation


def run_cases(seeds: Iterable[int]) -> Figures:
    """Run the case of each seed."""
    figures = Figures()
    for seed in seeds:
        figures.add(run_case(generate_case(seed)))
    return figures


def run_with_kills(seeds: Iterable[int], kills: int, messages: int = MESSAGES_WITH_KILLS, bug: str = "") -> Figures:
    """Run cases with functions in processes until so many were killed, or no seed is left.

    `bug` is the name of a planted bug, or empty.
    """
    figures = Figures()
    with Server() as server, ForkServer(server.url, bug) as fork_server, ThreadPoolExecutor(_THREADS) as pool:
        for seed in seeds:
            case = generate_case(seed, messages, _CONTACTS_WITH_KILLS)
            figures.add(*_run_with_kills(case, server, fork_server, pool))
            if figures.kills.total() >= kills:
                break
    return figures


def run_seed_with_kills(seed: int) -> WireSimulation:
    """Run the case of this seed with functions in processes."""
    case = generate_case(seed, MESSAGES_WITH_KILLS, _CONTACTS_WITH_KILLS)
    with Server() as server, ForkServer(server.url) as fork_server, ThreadPoolExecutor(_THREADS) as pool:
        return _run_with_kills(case, server, fork_server, pool)[0]


def _run_with_kills(
    case: Case, server: Server, fork_server: ForkServer, pool: ThreadPoolExecutor
) -> tuple[WireSimulation, Counter[str]]:
    plan = FaultPlan(case.seed, case.intensity * _INTENSITY_WITH_KILLS, case.focus)
    simulation = WireSimulation(case, server, plan)
    with KilledProcesses(simulation, fork_server) as processes:
        server.answer, server.after_reply = processes.answer, processes.after_reply
        simulation.run(processes, pool)
    return simulation, processes.kills


def run_every_fault(portion: int = 0, portions: int = 1) -> Figures:
    """Run a small case once for every fault of every call, with all attempts failing; or a portion of these runs.

    The functions call DynamoDB with the direct client, and then through botocore.
    """
    figures = Figures()
    cases = small_case(), replace(small_case(), botocore=True)
    runs = [(case, fault) for case in cases for fault in possible_faults(run_case(case))]
    for case, (operation, fault, nth) in runs[portion::portions]:
        forced = {(operation, nth + attempt): fault for attempt in range(ATTEMPTS)}
        figures.add(run_case(case, FaultPlan(case.seed, 0.0, forced=forced)))
    return figures


def possible_faults(without_faults: WireSimulation) -> Iterator[tuple[str, str, int]]:
    """Yield every possible fault of a case: the operation, the fault, and the number of the call."""
    for operation, calls in Counter(call.operation for call in without_faults.aws.log).items():
        for nth in range(calls):
            for fault in dict.fromkeys(FAULTS[operation]):
                yield operation, fault, nth

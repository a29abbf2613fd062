"""Play cases, many of them, and add up the figures."""

from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from campaigns.simulation.invariants import Violation
from campaigns.wire.case import Case, make, small
from campaigns.wire.clients import retrying_at_once
from campaigns.wire.faults import FAULTS, Plan
from campaigns.wire.history import readable
from campaigns.wire.http_server import Server
from campaigns.wire.killed_processes import Processes, Warm
from campaigns.wire.simulator import World
from campaigns.wire.threaded_functions import Output, Threads, printing_to
from ses_feedback.aws.dynamodb.client import ATTEMPTS
from tests.support.sums import Sums

_AT_ONCE = 8
MESSAGES_KILLING = 160
_CONTACTS_KILLING = 16
_INTENSITY_KILLING = 0.2
"""Where processes are killed less else breaks: what breaks is waited for, on top of everything."""


@dataclass
class Figures(Sums):
    """What many cases came to."""

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

    def add(self, world: World, kills: Counter[str] | None = None) -> None:
        """Count a case."""
        self.kills += kills or Counter()
        counted = world.counted
        self.cases += 1
        self.deliveries += world.lanes.received.total()
        self.redeliveries += world.lanes.redeliveries()
        self.requests += world.scheduler.steps
        self.invocations += counted.invocations
        self.failed += counted.failed
        self.faults += world.aws.faults
        self.quarantined += len(set(world.checker.quarantined))
        self.violations += [(world.case.seed, violation) for violation in world.checker.violations[:1]]
        if world.checker.violations:
            self.histories[world.case.seed] = readable(world)


def play(case: Case, plan: Plan | None = None) -> World:
    """Play one case, with functions in threads of this process."""
    with Server() as server, ThreadPoolExecutor(_AT_ONCE) as pool:
        world = World(case, server, plan)
        server.answer = world.aws.answer
        with printing_to(Output(world.checker.check_text)), retrying_at_once(world.clock):
            world.run(Threads(world), pool)
    return world


def play_all(seeds: Iterable[int]) -> Figures:
    """Play the case of each seed."""
    figures = Figures()
    for seed in seeds:
        figures.add(play(make(seed)))
    return figures


def play_killing(seeds: Iterable[int], kills: int, messages: int = MESSAGES_KILLING, mutant: str = "") -> Figures:
    """Play cases of so many messages, with functions in processes, until so many were killed, or seeds are used up.

    The functions have the bug `mutant`, if one is named.
    """
    figures = Figures()
    with Server() as server, Warm(server.url, mutant) as warm, ThreadPoolExecutor(_AT_ONCE) as pool:
        for seed in seeds:
            figures.add(*_kill_in(make(seed, messages, _CONTACTS_KILLING), server, warm, pool))
            if figures.kills.total() >= kills:
                break
    return figures


def play_one_killing(seed: int) -> World:
    """Play the case of this seed, with functions in processes."""
    with Server() as server, Warm(server.url) as warm, ThreadPoolExecutor(_AT_ONCE) as pool:
        return _kill_in(make(seed, MESSAGES_KILLING, _CONTACTS_KILLING), server, warm, pool)[0]


def _kill_in(case: Case, server: Server, warm: Warm, pool: ThreadPoolExecutor) -> tuple[World, Counter[str]]:
    world = World(case, server, Plan(case.seed, case.intensity * _INTENSITY_KILLING, case.focus))
    with Processes(world, warm) as processes:
        server.answer, server.given = processes.answer, processes.given
        world.run(processes, pool)
    return world, processes.kills


def every_call(portion: int = 0, portions: int = 1) -> Figures:
    """Break every attempt of every call of a small case, in every way it can break; or a portion of that.

    Twice: with functions that call DynamoDB directly, and with functions that call it through botocore.
    """
    figures = Figures()
    cases = small(), replace(small(), botocore=True)
    broken = [(case, breakage) for case in cases for breakage in breakages(play(case))]
    for case, (operation, fault, nth) in broken[portion::portions]:
        forced = {(operation, nth + again): fault for again in range(ATTEMPTS)}
        figures.add(play(case, Plan(case.seed, 0.0, forced=forced)))
    return figures


def breakages(calm: World) -> Iterator[tuple[str, str, int]]:
    """Yield every way in which a call of this case can break: the operation, the fault, and which of its calls."""
    for operation, calls in Counter(called.operation for called in calm.aws.log).items():
        for nth in range(calls):
            for fault in dict.fromkeys(FAULTS[operation]):
                yield operation, fault, nth

"""Exhaustive exploration of a small scope: every interleaving of the actors' calls, with a crash at every call.

A run follows a path of choices from the start, and then takes the first option each time. The other options are tried
in later runs. A run ends at a known state, because all continuations of this state are explored from there. So every
state is reached and every choice in it is made once. This covers all interleavings, far more than could be run.

A choice selects the actor that makes the next call. Actors that wait for a later time are options too: the calls of
the others then take that long, but never longer than their deadline. The actor makes the call, or crashes before,
during or after it. Reads are consistent: a stale read equals a read that was made earlier.
"""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING
from unittest.mock import patch

from campaigns.simulation.invariants import Violation
from campaigns.simulation.simulator import Simulation
from campaigns.simulation.small_scopes import Scope, make_scopes
from campaigns.simulation.state_explorer import ChosenFaultInjector, Path, PathFollower, StateGraph
from ses_feedback.contacts import record, repository

if TYPE_CHECKING:
    from campaigns.simulation.state_explorer import State


@dataclass
class Exploration:
    """The result of an exploration. Each of the `violations` has the path that leads to it."""

    graph: StateGraph = field(default_factory=StateGraph)
    seconds: float = 0.0
    violations: list[tuple[Path, Violation]] = field(default_factory=list)

    @property
    def states(self) -> int:
        """Number of states."""
        return len(self.graph.following)

    @property
    def transitions(self) -> int:
        """Number of choices in all states."""
        return sum(map(len, self.graph.following.values()))


def explore_all(crashes: int, processes: int) -> Iterator[tuple[str, Exploration]]:
    """Yield the name and the exploration of each scope."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        futures = {name: pool.submit(explore, scope) for name, scope in make_scopes(crashes).items()}
        for name, future in futures.items():
            yield name, future.result()


def explore(scope: Scope) -> Exploration:
    """Explore a scope completely."""
    started = time.process_time()
    exploration = Exploration()
    unexplored: list[tuple[Path, State | None]] = [((), None)]
    while unexplored:
        path, before = unexplored.pop()
        follower = PathFollower(scope, path, before, exploration.graph)
        simulation = _run(scope, follower)
        exploration.violations += [(path, violation) for violation in simulation.checker.violations[:1]]
        unexplored += follower.alternatives
        simulation.release()
    exploration.seconds = time.process_time() - started
    return exploration


def replay(scope: Scope, path: Path) -> Simulation:
    """Return the run along `path`."""
    return _run(scope, PathFollower(scope, path, None, StateGraph()))


def count_interleavings(graph: StateGraph) -> int:
    """Return the number of paths from the first state to a last one."""
    first = next(iter(graph.following))
    counts: dict[State, int] = {}
    stack = [(first, iter(graph.following[first]))]
    while stack:
        state, following = stack[-1]
        uncounted = next((successor for successor in following if successor not in counts), None)
        if uncounted is None:
            counts[state] = sum(counts[successor] for successor in graph.following[state]) or 1
            stack.pop()
        else:
            stack.append((uncounted, iter(graph.following[uncounted])))
    return counts[first]


def _run(scope: Scope, follower: PathFollower) -> Simulation:
    # No pauses, because any actor may be delayed anyway, and one shard of the index, because more add only calls.
    with (
        patch.object(random, "uniform", lambda _least, _most: 0.0),
        patch.object(repository, "SHARDS", 1),
        patch.object(record, "SHARDS", 1),
    ):
        simulation = Simulation(scope.case, partial(ChosenFaultInjector, follower))
        follower.attach(simulation)
        simulation.scheduler.run()
        if simulation.scheduler.settled:
            follower.finish()
            simulation.checker.check_result()
    return simulation

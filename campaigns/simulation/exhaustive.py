"""Everything that can happen in a small scope: every interleaving of the workers' calls, with a crash at every call.

A run is replayed from the start along the choices made so far, and goes on from there with the first choice everywhere;
the others are tried later. It ends at a state that was met before: what can sync that is known. So every state is
reached and every choice in it tried once, which covers every way through them: far more than could be run.

A choice is who makes the next call, among all who can go on or begin, also those who wait for a time that has not
come: the others' calls then just take that long. But no call takes longer than its function lives, for that is what
crashes are for. Who is chosen makes its call, or dies before, in the middle of or after it, and goes on to the next.
Reads are consistent here: a stale one is one that was made earlier.
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

from campaigns.simulation.choices import DirectedWires, Director, Graph, Way
from campaigns.simulation.invariants import Violation
from campaigns.simulation.simulator import World
from campaigns.simulation.small_scopes import Scope, scopes
from ses_feedback.contacts import record, repository

if TYPE_CHECKING:
    from campaigns.simulation.choices import State


@dataclass
class Explored:
    """What was explored of a scope; `violations` each with the choices that lead there."""

    graph: Graph = field(default_factory=Graph)
    runs: int = 0
    calls: int = 0
    seconds: float = 0.0
    violations: list[tuple[Way, Violation]] = field(default_factory=list)

    @property
    def states(self) -> int:
        """How many states there are."""
        return len(self.graph.sync)

    @property
    def transitions(self) -> int:
        """How many choices there were, in all states together."""
        return sum(map(len, self.graph.sync.values()))


def explore_all(crashes: int, processes: int) -> Iterator[tuple[str, "Explored"]]:
    """Yield what came of each scope."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting = {name: pool.submit(explore, scope) for name, scope in scopes(crashes).items()}
        for name, explored in waiting.items():
            yield name, explored.result()


def explore(scope: Scope) -> "Explored":
    """Explore a scope to the end."""
    begun = time.process_time()
    explored = Explored()
    waiting: list[tuple[Way, State | None]] = [((), None)]
    while waiting:
        way, before = waiting.pop()
        director = Director(scope, way, before, explored.graph)
        world = _run(scope, director)
        explored.runs += 1
        explored.calls += world.stage.steps
        explored.violations += [(way, violation) for violation in world.watch.violations[:1]]
        waiting += director.others
        world.forget()
    explored.seconds = time.process_time() - begun
    return explored


def replay(scope: Scope, way: Way) -> World:
    """Return the run that these choices lead to."""
    return _run(scope, Director(scope, way, None, Graph()))


def ways(graph: Graph) -> int:
    """Return how many ways there are from the first state to an end."""
    first = next(iter(graph.sync))
    known: dict[State, int] = {}
    path = [(first, iter(graph.sync[first]))]
    while path:
        state, following = path[-1]
        ahead = next((one for one in following if one not in known), None)
        if ahead is None:
            known[state] = sum(known[one] for one in graph.sync[state]) or 1
            path.pop()
        else:
            path.append((ahead, iter(graph.sync[ahead])))
    return known[first]


def _run(scope: Scope, director: Director) -> World:
    # Nobody pauses, for everybody may be overtaken anyway; and the index of what is due has one shard.
    with (
        patch.object(random, "uniform", lambda _least, _most: 0.0),
        patch.object(repository, "SHARDS", 1),
        patch.object(record, "SHARDS", 1),
    ):
        world = World(scope.case, partial(DirectedWires, director))
        director.produce(world)
        world.stage.run()
        if world.stage.settled:
            director.ended()
            world.watch.finished()
    return world

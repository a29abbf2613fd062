"""Everything that can happen in a small scope: two workers, three messages, every crash point, every interleaving.

Interleavings are bounded by the number of interruptions, as errors of concurrency seldom take more than two: whoever
acts goes on until it waits, unless it is interrupted, which is tried at every call and with everybody who can go on.
"""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import product
from multiprocessing import get_context
from typing import Self

from tests.simulation.breakage import FAULTS
from tests.simulation.case import SPELLINGS, Case, Fault, Reinstatement, Switch, message
from tests.simulation.mail import KINDS, Message
from tests.simulation.play import play
from tests.simulation.watch import Violation
from tests.simulation.world import World

_CRASHES = ("crashed", "crashed after", "crashed, done later")
_OTHERS = 3
"""Actors who may go on when one is interrupted, at most."""


@dataclass
class Explored:
    """What was tried in a scope, and what came of it."""

    runs: int = 0
    states: set[bytes] = field(default_factory=set)
    violations: list[tuple[Case, Violation]] = field(default_factory=list)

    def __iadd__(self, other: Self) -> Self:
        """Add what was tried elsewhere."""
        self.runs += other.runs
        self.states |= other.states
        self.violations += other.violations
        return self


def scopes() -> dict[str, Case]:
    """Return the scopes: what happens in each, before anything breaks."""
    ann, bob = ((names[0], names[0]) for names in SPELLINGS)
    return {
        "a bounce, a complaint and a delivery of one address": _scope(
            _say("hard bounce", ann, -2, 0), _say("complaint", ann, -1, 1), _say("delivery", ann, 0, 2)
        ),
        "two soft bounces and an opt-out of one address": _scope(
            _say("soft bounce", ann, -86_400_000, 0), _say("soft bounce", ann, 0, 1), _say("opted out", ann, -1, 2)
        ),
        "a bounce, its copy and a complaint of another": _scope(
            _say("hard bounce", ann, 0, 0), _say("hard bounce", ann, 0, 0, 1), _say("complaint", bob, 0, 1)
        ),
        "two bounces and a delivery about a reinstatement": replace(
            _scope(_say("hard bounce", ann, -1, 0), _say("delivery", ann, 0, 1), _say("hard bounce", ann, 2_001, 2)),
            reinstatements=(Reinstatement(2_000, ann[0]),),
        ),
    }


def explore(scope: Case, interruptions: int, *, crashing: bool = True) -> Explored:
    """Try every crash, and none, with up to so many interruptions of every kind."""
    explored = Explored()
    for crash in [None, *(_crashes(scope) if crashing else ())]:
        case = replace(scope, faults=(crash,) if crash else ())
        for first in range(_OTHERS):
            explored += _interrupted(replace(case, choices=(first,)), interruptions, 0)
    return explored


def explore_all(interruptions: int, processes: int) -> Iterator[tuple[str, Explored]]:
    """Yield what came of each scope."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        parts = {
            name: [pool.submit(_explore_crash, case, crash, interruptions) for crash in [None, *_crashes(case)]]
            for name, case in scopes().items()
        }
        for name, waiting in parts.items():
            explored = Explored()
            for part in waiting:
                explored += part.result()
            yield name, explored


def _explore_crash(scope: Case, crash: Fault | None, interruptions: int) -> Explored:
    explored = Explored()
    for first in range(_OTHERS):
        case = replace(scope, faults=(crash,) if crash else (), choices=(first,))
        explored += _interrupted(case, interruptions, 0)
    return explored


def _crashes(scope: Case) -> list[Fault]:
    """Return a crash at every call made when nothing crashes."""
    return [
        Fault(operation, nth, FAULTS[operation].index(crash))
        for operation, nth in _play(scope, set()).wires.calls()
        for crash in _CRASHES
        if crash in FAULTS[operation]
    ]


def _interrupted(case: Case, left: int, begin: int) -> Explored:
    """Try `case`, and it with up to `left` more interruptions, from its call number `begin` on."""
    explored = Explored(1)
    world = _play(case, explored.states)
    explored.violations += [(case, violation) for violation in world.watch.violations[:1]]
    if not left:
        return explored
    calls = world.wires.calls()
    others = range(min(_OTHERS, case.feedback_workers + case.shards + len(case.reinstatements) - 1))
    for number, choice in product(range(begin, len(calls)), others):
        operation, nth = calls[number]
        if operation in {"query", "late"}:
            continue  # sixteen in a row that only read; the calls about them will do
        more = replace(case, switches=(*case.switches, Switch(operation, nth, choice)))
        explored += _interrupted(more, left - 1, number + 1)
    return explored


def _play(case: Case, states: set[bytes]) -> World:
    return play(case, lambda world: states.add(_state(world)))


def _state(world: World) -> bytes:
    state = world.table.items, world.held.entries, world.watch.lanes.waiting.keys(), world.watch.quarantined
    return blake2b(repr(state).encode(), digest_size=8).digest()


def _scope(*messages: Message) -> Case:
    return Case(messages, feedback_workers=2, batch=1)


def _say(kind: str, about: tuple[str, str], at: int, identity: int, copy: int = 0) -> Message:
    (found,) = (one for _, one in KINDS if one.name == kind)
    number = identity + 2 * copy
    return message(found, [about], at, identity=identity, arrives=max(at, 0), number=number, shape=0)

"""One run of an exploration: follows a path of choices, records the alternatives, and ends at a known state."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from campaigns.simulation.case import Case
from campaigns.simulation.fault_injector import Answer, Effect, FaultInjector
from campaigns.simulation.fault_kinds import LATE_EFFECT
from campaigns.simulation.scheduler import Actor, Scheduler
from campaigns.simulation.small_scopes import Scope

if TYPE_CHECKING:
    from campaigns.simulation.simulator import Simulation

Option = tuple[int, Actor]
Fault = tuple[str, int]
State = bytes
"""A hash of everything on which the rest of a run depends."""
Path = tuple[int, ...]
"""Choices from the start of a run: the index of the chosen option, each time there are several."""


@dataclass
class StateGraph:
    """The known states, and the next state of each choice in them. `crashes` counts the choices that crash an actor."""

    following: dict[State, list[State]] = field(default_factory=dict)
    crashes: int = 0

    def add(self, before: State | None, state: State, *, crashed: bool) -> bool:
        """Add the transition from `before` to `state`. Return True if `state` is new."""
        if before is not None:
            self.following[before].append(state)
            self.crashes += crashed
        if state in self.following:
            return False
        self.following[state] = []
        return True


class PathFollower:
    """Makes the choices of `path`, then the first option each time, and ends the run at a known state.

    `alternatives` are the other options: the path to each, and the state in which its last choice is made.
    """

    def __init__(self, scope: Scope, path: Path, before: State | None, graph: StateGraph) -> None:
        """Start a run; the last choice of `path` is made in the state `before`."""
        self.alternatives: list[tuple[Path, State | None]] = []
        self._scope = scope
        self._path = path
        self._before = before
        self._graph = graph
        self._made: list[int] = []
        self._crashes_left = scope.crashes
        self._crashed = False
        self._observed: dict[str, bytes] = {}

    def attach(self, simulation: "Simulation") -> None:
        """Choose the actors of `simulation`."""
        self._simulation = simulation
        simulation.scheduler.chooser = self

    def choose(self, due: Sequence[Option]) -> Option | None:
        """Return the actor that continues, or None to end the run."""
        if not self._enter_state():
            return None
        options = self._options(due)
        at, actor = options[self._choose_index(len(options))]
        if not actor.thread:
            self._observed[actor.name] = b""
            self.add_observation(actor, actor.activity.state())
        return at, actor

    def finish(self) -> None:
        """Record the last state of a run that settled."""
        self._enter_state()

    def choose_fault(self, operation: str, parts: int) -> Fault:
        """Return the fault of the call that is about to be made, with its argument; the name is empty for none."""
        options = [("", 0), *(_crashes(operation, parts) if self._crashes_left else ())]
        fault, argument = options[self._choose_index(len(options))]
        self._crashed = bool(fault)
        self._crashes_left -= self._crashed
        return fault, argument

    def add_observation(self, actor: Actor, result: object) -> None:
        """Record a result that an actor received: within an invocation, nothing else decides what it does next."""
        observed = self._observed[actor.name] + repr(result).encode()
        self._observed[actor.name] = blake2b(observed, digest_size=8).digest()

    def _options(self, due: Sequence[Option]) -> list[Option]:
        active = [option for option in due if option[1].thread]
        atomic = [option for option in active if _has_prefix(option[1], self._scope.atomic)]
        if atomic:
            return atomic
        # A late call takes effect after some seconds; an actor ends at its deadline. Otherwise no lease would outlast
        # them.
        ends = [actor.deadline for _, actor in active] + [at + 1 for at, actor in due if actor.name == "network"]
        idle = [option for option in due if not option[1].thread and option[0] < min(ends, default=option[0] + 1)]
        sooner = [option for option in idle if not _has_prefix(option[1], self._scope.later)]
        return active + _without_equivalent(sooner or ([] if active else idle))

    def _choose_index(self, number: int) -> int:
        if number == 1:
            return 0
        at = len(self._made)
        if at >= len(self._path):
            self.alternatives += [((*self._made, other), self._before) for other in range(1, number)]
        self._made.append(self._path[at] if at < len(self._path) else 0)
        return self._made[-1]

    def _enter_state(self) -> bool:
        """Record the present state. Return True if it is new, or if the path leads on from it."""
        if len(self._made) < len(self._path):
            return True
        before, self._before = self._before, self._state()
        return self._graph.add(before, self._before, crashed=self._crashed)

    def _state(self) -> State:
        scheduler = self._simulation.scheduler
        actors = sorted(map(repr, map(self._state_of, scheduler.actors)))
        parts = scheduler.clock, actors, self._crashes_left, self._simulation.state()
        return blake2b(repr(parts).encode(), digest_size=12).digest()

    def _state_of(self, actor: Actor) -> object:
        name = actor.name.split()[0] if actor.name.startswith("feedback") else actor.name
        if not actor.thread:
            return name, actor.activity.state()
        waits = max(0, actor.wake - self._simulation.scheduler.clock)
        return name, actor.activity.state(), waits, actor.deadline, self._observed[actor.name]


def _without_equivalent(idle: Sequence[Option]) -> list[Option]:
    """Return the idle actors with one feedback worker only: idle feedback workers are interchangeable."""
    first = next((actor for _, actor in idle if actor.name.startswith("feedback")), None)
    return [option for option in idle if option[1] is first or not option[1].name.startswith("feedback")]


def _has_prefix(actor: Actor, prefixes: tuple[str, ...]) -> bool:
    return bool(prefixes) and actor.name.startswith(prefixes)


def _crashes(operation: str, parts: int) -> Iterator[Fault]:
    yield "crashed", 0
    yield "crashed after effect", 0
    for subset in range(1, 2**parts - 1):
        yield "crashed in part", subset
    # Only calls of the list can take effect late unnoticed: the conditions of DynamoDB writes reject late ones.
    if operation.endswith("suppressed_destination"):
        yield LATE_EFFECT[1], 0


class ChosenFaultInjector(FaultInjector):
    """Injects the faults that a `PathFollower` chooses."""

    def __init__(self, follower: PathFollower, case: Case, scheduler: Scheduler) -> None:
        """Let `follower` choose."""
        super().__init__(case, scheduler)
        self._follower = follower

    def call(self, operation: str, about: str, effect: Effect, parts: int = 1) -> Answer:
        """Make a call."""
        self.scheduler.step()
        actor, clock = self.scheduler.running_actor(), self.scheduler.clock
        fault = self._follower.choose_fault(operation, parts)
        outcome: object = None
        try:
            if fault[0]:
                answer = self._call_with_fault(operation, about, fault, effect)
            else:
                answer = self._call_without_fault(operation, about, effect)
            outcome = answer
        except ClientError as error:
            outcome = error.response["Error"]["Code"]
            raise
        finally:
            self._follower.add_observation(actor, (clock, operation, about, outcome))
        return answer

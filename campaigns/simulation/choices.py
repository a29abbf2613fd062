"""Takes every choice in a run from a list, and keeps what else could have been chosen."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from campaigns.simulation.call_faults import Answer, Effect, Wires, actor_of
from campaigns.simulation.case import Case
from campaigns.simulation.fault_kinds import LATE
from campaigns.simulation.scheduler import Actor, Stage
from campaigns.simulation.small_scopes import Scope

if TYPE_CHECKING:
    from campaigns.simulation.simulator import World

Option = tuple[int, Actor]
Fault = tuple[str, int]
State = bytes
Way = tuple[int, ...]


@dataclass
class Graph:
    """The states met so far, and those that sync each: as many as there are choices in it."""

    sync: dict[State, list[State]] = field(default_factory=dict)
    crashes: int = 0
    """In how many of these choices somebody dies."""

    def meet(self, before: State | None, state: State, *, crashed: bool) -> bool:
        """Note that `state` follows, because somebody `crashed` or not; say whether it was met for the first time."""
        if before is not None:
            self.sync[before].append(state)
            self.crashes += crashed
        if state in self.sync:
            return False
        self.sync[state] = []
        return True


class Director:
    """Takes the choices it is given, then the first everywhere, and ends the run at a state that was met before."""

    def __init__(self, scope: Scope, given: Way, before: State | None, graph: Graph) -> None:
        """Begin a run; the last given choice, which is a new one, is taken in the state `before`."""
        self.others: list[tuple[Way, State | None]] = []
        """What else could have been chosen: the choices that lead there, and the state in which the last is taken."""
        self._scope = scope
        self._given = given
        self._before = before
        self._graph = graph
        self._taken: list[int] = []
        self._left = scope.crashes
        self._crashed = False
        self._told: dict[str, bytes] = {}

    def produce(self, world: "World") -> None:
        """Direct what happens in `world`."""
        self._world = world
        world.stage.director = self

    def choose(self, due: Sequence[Option]) -> Option | None:
        """Return who goes on."""
        if not self._arrived():
            return None
        options = self._options(due)
        at, actor = options[self._choice(len(options))]
        if not actor.thread:
            self._told[actor.name] = b""
            self.tell(actor, actor.act.state())
        return at, actor

    def ended(self) -> None:
        """Note the last state of a run that went to its end."""
        self._arrived()

    def fault(self, operation: str, parts: int) -> Fault:
        """Return how the call that is about to be made goes wrong."""
        options = [("", 0), *(_crashes(operation, parts) if self._left else ())]
        fault, argument = options[self._choice(len(options))]
        self._crashed = bool(fault)
        self._left -= self._crashed
        return fault, argument

    def tell(self, actor: Actor, what: object) -> None:
        """Note what an actor was told: since its act began, nothing else decides what it does."""
        told = self._told[actor.name] + repr(what).encode()
        self._told[actor.name] = blake2b(told, digest_size=8).digest()

    def _options(self, due: Sequence[Option]) -> list[Option]:
        acting = [one for one in due if one[1].thread]
        alone = [one for one in acting if self._is(one[1], self._scope.whole)]
        if alone:
            return alone
        # What nobody waits for any more has its effect some seconds later at most, or leases could not outlast it.
        ends = [actor.deadline for _, actor in acting] + [at + 1 for at, actor in due if actor.name == "network"]
        begin = [one for one in due if not one[1].thread and one[0] < min(ends, default=one[0] + 1)]
        sooner = [one for one in begin if not self._is(one[1], self._scope.later)]
        return acting + self._distinct(sooner or ([] if acting else begin))

    def _distinct(self, idle: Sequence[Option]) -> list[Option]:
        """Leave out feedback workers but one: with nothing begun they are as good as each other."""
        first = next((actor for _, actor in idle if actor.name.startswith("feedback")), None)
        return [one for one in idle if one[1] is first or not one[1].name.startswith("feedback")]

    def _is(self, actor: Actor, names: tuple[str, ...]) -> bool:
        return bool(names) and actor.name.startswith(names)

    def _choice(self, number: int) -> int:
        if number == 1:
            return 0
        at = len(self._taken)
        if at >= len(self._given):
            self.others += [((*self._taken, other), self._before) for other in range(1, number)]
        self._taken.append(self._given[at] if at < len(self._given) else 0)
        return self._taken[-1]

    def _arrived(self) -> bool:
        """Note the state arrived at; say whether to go on from it: because it is new, or on the way to a new one."""
        if len(self._taken) < len(self._given):
            return True
        before, self._before = self._before, self._state()
        return self._graph.meet(before, self._before, crashed=self._crashed)

    def _state(self) -> State:
        stage = self._world.stage
        actors = sorted(map(repr, map(self._state_of, stage.actors)))
        return blake2b(repr((stage.clock, actors, self._left, self._world.state())).encode(), digest_size=12).digest()

    def _state_of(self, actor: Actor) -> object:
        name = actor.name.split()[0] if actor.name.startswith("feedback") else actor.name
        if not actor.thread:
            return name, actor.act.state()
        waits = max(0, actor.wake - self._world.stage.clock)
        return name, actor.act.state(), waits, actor.deadline, self._told[actor.name]


def _crashes(operation: str, parts: int) -> Iterator[Fault]:
    yield "crashed", 0
    yield "crashed after", 0
    for some in range(1, 2**parts - 1):
        yield "crashed in part", some
    if operation.endswith("suppressed_destination"):  # DynamoDB's conditions tell a late write from a timely one
        yield LATE[1], 0


class DirectedWires(Wires):
    """Wires that break where a director says so."""

    def __init__(self, director: Director, case: Case, stage: Stage) -> None:
        """Obey `director`."""
        super().__init__(case, stage)
        self._director = director

    def call(self, operation: str, about: str, effect: Effect, parts: int = 1) -> Answer:
        """Make a call."""
        self.stage.step()
        actor, clock = actor_of(self.stage), self.stage.clock
        broken = self._director.fault(operation, parts)
        outcome: object = None
        try:
            if broken[0]:
                answer = self._broken(operation, about, broken, effect)
            else:
                answer = self._unbroken(operation, about, effect)
            outcome = answer
        except ClientError as error:
            outcome = error.response["Error"]["Code"]
            raise
        finally:
            self._director.tell(actor, (clock, operation, about, outcome))
        return answer

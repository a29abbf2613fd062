"""Actors on a stage: one acts at a time, and another takes over only where the case says so.

The code under test is synchronous, so every actor has a thread; but only who holds the baton runs, so a performance
is the same every time. Time is virtual: it moves on only when nobody can act now.
"""

from threading import Lock, Thread
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SECOND = 1_000_000
"""Virtual time is counted in microseconds."""
LONGEST = 12_000
"""Steps after which a performance is given up as one that never settles."""


class Crash(BaseException):
    """The process dies here; nothing of it runs on. No `except Exception` may catch it."""


class Act(Protocol):
    """What an actor does when it is its turn."""

    def due(self) -> int | None:
        """Return when there is something to do, None when there is nothing."""

    def perform(self) -> None:
        """Do it, from start to end: one invocation of a function, or one command of an operator's."""

    def state(self) -> object:
        """Return what decides how it goes on, beside the table and all else that actors share."""


class Director(Protocol):
    """Who decides everything about who acts when, instead of chance."""

    def choose(self, due: "Sequence[tuple[int, Actor]]") -> "tuple[int, Actor] | None":
        """Return one of those who can go on or begin, each with when; None ends the performance."""


class _Thread:
    """A thread, kept from case to case because making one takes as long as a small case.

    Releasing `baton` makes it run `task`, or go on where it waits in the middle of one.
    """

    def __init__(self) -> None:
        self.baton = Lock()
        self.baton.acquire()
        self.task: Callable[[_Thread], None] = _nothing
        Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            self.baton.acquire()
            self.task(self)


_free: list[_Thread] = []


class Actor:
    """Somebody on the stage. While it has a `thread`, it is in the middle of its act, and waits for the time `wake`."""

    def __init__(self, name: str, act: Act) -> None:
        """Perform `act`."""
        self.name = name
        self.act = act
        self.thread: _Thread | None = None
        self.wake = 0
        self.deadline = 0
        self.chosen = False

    def due(self) -> int | None:
        """Return when it can go on, or begin; None when it has nothing to do."""
        return self.wake if self.thread else self.act.due()


class Stage:
    """Where the actors of one case perform.

    `choices` says who goes on whenever one has to be chosen (a number, taken modulo how many can), the first of those
    that can once it is used up.
    """

    def __init__(self, choices: "Sequence[int]", longest: int = LONGEST) -> None:
        """Take place at time 0, and give up after `longest` steps."""
        self.clock = 0
        self.steps = 0
        self.switched = 0
        self.crashed = 0
        self.settled = False
        self.stopped = False
        self.acting: Actor | None = None
        self.director: Director | None = None
        self.actors: list[Actor] = []
        self._choices = iter(choices)
        self._longest = longest
        self._main = Lock()
        self._main.acquire()
        self._closing = False
        self._problem: BaseException | None = None

    def cast(self, name: str, act: Act) -> None:
        """Put an actor on the stage."""
        self.actors.append(Actor(name, act))

    def run(self) -> None:
        """Perform until nothing is left to do (`settled`), or too long.

        Raises:
            BaseException: an actor raised something other than `Crash`: a bug of the simulator's.

        """
        self.settled = self._closing = False
        self._begin(None)
        self._main.acquire()
        self._close()
        if self._problem:
            raise self._problem

    def step(self, choice: int | None = None) -> None:
        """Count a step of the acting actor's, which may be out of time; `choice` interrupts it and says who goes on."""
        self.steps += 1
        if self.stopped or self.steps > self._longest:
            raise Crash
        actor = self.acting
        if choice is not None or (self.director and actor and not actor.chosen):
            self.wait(0, choice)
        if actor:
            actor.chosen = False
        if actor and self.clock >= actor.deadline:
            raise Crash

    def wait(self, microseconds: int, choice: int | None = None) -> None:
        """Let the acting actor wait; it is killed when its deadline comes first."""
        actor = self.acting
        if actor is None or actor.thread is None:
            raise RuntimeError("nobody is on the stage")
        actor.wake = min(self.clock + microseconds, actor.deadline)
        following = self._choose() if choice is None else self._choose(actor, choice)
        if following is not actor:
            self.switched += 1
            self._leave_to(following)
            actor.thread.baton.acquire()
            self.acting = actor
        if self._closing or (self.clock >= actor.deadline and microseconds):
            raise Crash

    def _leave_to(self, actor: Actor | None) -> None:
        """Let `actor` go on where it waits, or begin; None ends the performance."""
        if actor is None:
            self._main.release()
        elif actor.thread:
            actor.thread.baton.release()
        else:
            self._begin(actor)

    def _begin(self, actor: Actor | None) -> None:
        thread = _free.pop() if _free else _Thread()
        thread.task = lambda thread: self._perform(thread, actor)
        thread.baton.release()

    def _perform(self, thread: _Thread, actor: Actor | None) -> None:
        """Perform in a free thread, one act after another, until whoever follows waits in another thread."""
        actor = actor or self._choose()
        while actor and not actor.thread:
            self._act(thread, actor)
            actor = None if self._problem or self._closing else self._choose()
        _free.append(thread)
        self._leave_to(actor)

    def _act(self, thread: _Thread, actor: Actor) -> None:
        actor.thread, self.acting = thread, actor
        try:
            actor.act.perform()
        except Crash:
            self.crashed += not self._closing
        except BaseException as error:  # noqa: BLE001 (carried over to the thread that runs the case)
            self._problem = self._problem or error
        actor.thread = None

    def _choose(self, interrupted: Actor | None = None, choice: int = 0) -> Actor | None:
        """Return who goes on, moving the clock on when nobody can now; None when the performance is over."""
        while self.steps < self._longest and not self.stopped:
            due = [(at, actor) for actor in self.actors if (at := actor.due()) is not None]
            ready = [actor for at, actor in due if at <= self.clock]
            if not due:
                self.settled = True
                return None
            if self.director:
                return self._directed(self.director.choose(due))
            if not ready:
                self.clock = min(at for at, _ in due)
            elif interrupted and len(ready) > 1:
                ready.remove(interrupted)
                return ready[choice % len(ready)]
            else:
                return ready[self._draw(len(ready))]
        return None

    def _directed(self, choice: tuple[int, Actor] | None) -> Actor | None:
        if choice is None:
            self.stopped = True
            return None
        at, actor = choice
        self.clock = max(self.clock, at)
        actor.chosen = True  # it makes a call before anybody is chosen again
        return actor

    def _draw(self, number: int) -> int:
        return next(self._choices, 0) % number if number > 1 else 0

    def _close(self) -> None:
        """Let every actor that is still in the middle of something crash, so that its thread is free again."""
        self._closing = True
        for actor in self.actors:
            if actor.thread:
                actor.thread.baton.release()
                self._main.acquire()


def _nothing(_: _Thread) -> None:
    return None

"""A deterministic scheduler: one actor runs at a time, and another continues only where the case says so.

The code under test is synchronous, so every actor runs in a thread of its own. Only the thread that was resumed last
runs, therefore a run is the same every time. Time is virtual: it advances only if no actor can continue now.
"""

from threading import Lock, Thread
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SECOND = 1_000_000
"""Virtual time is counted in microseconds."""
MAX_STEPS = 12_000
"""Steps (AWS calls) after which a run counts as one that never settles."""


class Crash(BaseException):
    """The process ends here. A BaseException, so that no `except Exception` of the code under test catches it."""


class Activity(Protocol):
    """The work of an actor."""

    def due(self) -> int | None:
        """Return the time of the next work, or None if there is none."""

    def perform(self) -> None:
        """Do this work completely: one invocation of a function, or one command of an operator."""

    def state(self) -> object:
        """Return the actor's own state, which decides how it continues; shared state is not included."""


class ActorChooser(Protocol):
    """Selects each actor, instead of the case's `choices`."""

    def choose(self, due: "Sequence[tuple[int, Actor]]") -> "tuple[int, Actor] | None":
        """Return one of the actors that can continue or begin, each with its time, or None to end the run."""


class _Thread:
    """A thread that is reused from case to case: to start one takes as long as a small case.

    A release of `resume` lets it run `task`, or continue where it waits inside it.
    """

    def __init__(self) -> None:
        self.resume = Lock()
        self.resume.acquire()
        self.task: Callable[[_Thread], None] = _do_nothing
        Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            self.resume.acquire()
            self.task(self)


_free: list[_Thread] = []


class Actor:
    """A worker or an operator. While it has a `thread`, it is inside `perform` and waits for the time `wake`."""

    def __init__(self, name: str, activity: Activity) -> None:
        """Create an idle actor."""
        self.name = name
        self.activity = activity
        self.thread: _Thread | None = None
        self.wake = 0
        self.deadline = 0
        self.chosen = False

    def due(self) -> int | None:
        """Return the time at which it can continue or begin, or None if it has nothing to do."""
        return self.wake if self.thread else self.activity.due()


class Scheduler:
    """Runs the actors of one case.

    `choices` selects the actor each time one must be selected: a number, modulo the number of actors that are ready.
    After the last choice, the first ready actor continues.
    """

    def __init__(self, choices: "Sequence[int]", max_steps: int = MAX_STEPS) -> None:
        """Start at time 0, and give up after `max_steps`."""
        self.clock = 0
        self.steps = 0
        self.switches = 0
        self.crashes = 0
        self.settled = False
        self.stopped = False
        self.running: Actor | None = None
        self.chooser: ActorChooser | None = None
        self.actors: list[Actor] = []
        self.max_steps = max_steps
        self._choices = iter(choices)
        self._main = Lock()
        self._main.acquire()
        self._closing = False
        self._problem: BaseException | None = None

    def add_actor(self, name: str, activity: Activity) -> None:
        """Add an actor."""
        self.actors.append(Actor(name, activity))

    def run(self) -> None:
        """Run until nothing is left to do (`settled`), or until `stopped`, or for `max_steps`.

        Raises:
            BaseException: an actor raised something other than `Crash`, which is a bug of the simulator.

        """
        self.settled = self._closing = False
        self._begin(None)
        self._main.acquire()
        self._close()
        if self._problem:
            raise self._problem

    def running_actor(self) -> Actor:
        """Return the actor that runs now.

        Raises:
            RuntimeError: the caller is not an actor.

        """
        if self.running is None:
            raise RuntimeError("no actor is running")
        return self.running

    def step(self, choice: int | None = None) -> None:
        """Count a step of the running actor; a `choice` first switches to the actor that it selects.

        Raises:
            Crash: the actor's deadline has passed, or the run ends.

        """
        self.steps += 1
        if self.stopped or self.steps > self.max_steps:
            raise Crash
        actor = self.running
        if choice is not None or (self.chooser and actor and not actor.chosen):
            self.wait(0, choice)
        if actor:
            actor.chosen = False
        if actor and self.clock >= actor.deadline:
            raise Crash

    def wait(self, microseconds: int, choice: int | None = None) -> None:
        """Let the running actor wait, while others run.

        Raises:
            Crash: the actor's deadline passed meanwhile, or the run ends.

        """
        actor = self.running_actor()
        if actor.thread is None:
            raise RuntimeError("the running actor has no thread")
        actor.wake = min(self.clock + microseconds, actor.deadline)
        following = self._choose() if choice is None else self._choose(actor, choice)
        if following is not actor:
            self.switches += 1
            self._resume(following)
            actor.thread.resume.acquire()
            self.running = actor
        if self._closing or (self.clock >= actor.deadline and microseconds):
            raise Crash

    def _resume(self, actor: Actor | None) -> None:
        """Let `actor` continue or begin; None ends the run."""
        if actor is None:
            self._main.release()
        elif actor.thread:
            actor.thread.resume.release()
        else:
            self._begin(actor)

    def _begin(self, actor: Actor | None) -> None:
        thread = _free.pop() if _free else _Thread()
        thread.task = lambda thread: self._run_actors(thread, actor)
        thread.resume.release()

    def _run_actors(self, thread: _Thread, actor: Actor | None) -> None:
        """Run one actor after another in a free thread, until the next one waits in another thread."""
        actor = actor or self._choose()
        while actor and not actor.thread:
            self._run_activity(thread, actor)
            actor = None if self._problem or self._closing else self._choose()
        _free.append(thread)
        self._resume(actor)

    def _run_activity(self, thread: _Thread, actor: Actor) -> None:
        actor.thread, self.running = thread, actor
        try:
            actor.activity.perform()
        except Crash:
            self.crashes += not self._closing
        except BaseException as error:  # noqa: BLE001 (raised again in the thread that runs the case)
            self._problem = self._problem or error
        actor.thread = None

    def _choose(self, interrupted: Actor | None = None, choice: int = 0) -> Actor | None:
        """Return the next actor, or None if the run is over. Advances the clock if no actor is ready."""
        while self.steps < self.max_steps and not self.stopped:
            due = [(at, actor) for actor in self.actors if (at := actor.due()) is not None]
            ready = [actor for at, actor in due if at <= self.clock]
            if not due:
                self.settled = True
                return None
            if self.chooser:
                return self._accept(self.chooser.choose(due))
            if not ready:
                self.clock = min(at for at, _ in due)
            elif interrupted and len(ready) > 1:
                ready.remove(interrupted)
                return ready[choice % len(ready)]
            else:
                return ready[self._next_choice(len(ready))]
        return None

    def _accept(self, choice: tuple[int, Actor] | None) -> Actor | None:
        if choice is None:
            self.stopped = True
            return None
        at, actor = choice
        self.clock = max(self.clock, at)
        actor.chosen = True  # it makes a call before another choice
        return actor

    def _next_choice(self, number: int) -> int:
        return next(self._choices, 0) % number if number > 1 else 0

    def _close(self) -> None:
        """Crash every actor that is inside `perform`, so that its thread becomes free."""
        self._closing = True
        for actor in self.actors:
            if actor.thread:
                actor.thread.resume.release()
                self._main.acquire()


def _do_nothing(_: _Thread) -> None:
    return None

"""The result of a diagnosis: findings, hops and the first broken hop."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """The state of a finding or of a hop."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"
    NOT_REACHED = "not reached"


_SEVERITY = (State.FAIL, State.UNKNOWN, State.WARN, State.OK, State.SKIPPED, State.NOT_REACHED)
"""The states in the order in which they decide the state of a hop."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check of one thing.

    `subject` is the name of that thing, such as `BounceTopic`. `commands` are the commands that fix it, to be executed
    in this order. `advice` is what no command can do. `url` is the AWS page with the rule. `is_inferred` is True if the
    problem is concluded from the absence of feedback, which another broken hop may also explain.
    """

    state: State
    subject: str
    message: str
    commands: tuple[str, ...] = ()
    advice: str = ""
    url: str = ""
    is_inferred: bool = False


@dataclass(frozen=True, slots=True)
class Hop:
    """A diagnosed hop. `name` identifies it in JSON; `title` is for people."""

    name: str
    title: str
    state: State
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The hops in the order of the path."""

    hops: tuple[Hop, ...]

    @property
    def broken(self) -> Hop | None:
        """The first broken hop, or None if no hop is broken."""
        return next((hop for hop in self.hops if hop.state is State.FAIL), None)

    @property
    def is_undetermined(self) -> bool:
        """True if no hop is broken, and a check could not be made."""
        return self.broken is None and any(hop.state is State.UNKNOWN for hop in self.hops)


def worst(findings: Iterable[Finding]) -> State:
    """Return the state of a hop with these findings. Without findings it is `skipped`."""
    states = {finding.state for finding in findings}
    return next((state for state in _SEVERITY if state in states), State.SKIPPED)


def ok(subject: str, message: str) -> Finding:
    """Return a finding without a problem."""
    return Finding(State.OK, subject, message)


def skipped(subject: str, message: str) -> Finding:
    """Return the finding that a check does not apply."""
    return Finding(State.SKIPPED, subject, message)


def unknown(subject: str, message: str, advice: str = "") -> Finding:
    """Return the finding that a check could not be made."""
    return Finding(State.UNKNOWN, subject, message, advice=advice)


def warn(subject: str, message: str, *commands: str, advice: str = "", url: str = "") -> Finding:
    """Return a problem that does not stop feedback."""
    return Finding(State.WARN, subject, message, commands, advice, url)


def fail(subject: str, message: str, *commands: str, advice: str = "", url: str = "") -> Finding:
    """Return a problem that stops or distorts feedback."""
    return Finding(State.FAIL, subject, message, commands, advice, url)

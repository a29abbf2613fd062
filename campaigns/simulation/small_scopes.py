"""The small scopes that are explored completely: their cases, and the actors whose calls are interleaved."""

from dataclasses import dataclass, replace

from campaigns.simulation.case import Case, ForeignWrite, Reinstatement
from campaigns.simulation.case_generator import DAY, EXPIRY, VARIANTS
from campaigns.simulation.message_builder import build_message
from campaigns.simulation.message_kinds import find_kind
from campaigns.simulation.messages import Message

_ANN, _BOB = ((variants[0], variants[0]) for variants in VARIANTS[:2])


@dataclass(frozen=True, slots=True)
class Scope:
    """A case and the extent of its exploration.

    Actors whose names begin with one of `atomic` make all calls of an invocation without interruption, but between
    any two calls of others. Those of `later` begin only if no other actor can continue. At most `crashes` actors crash.
    """

    case: Case
    atomic: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    crashes: int = 1


def make_scopes(crashes: int = 2) -> dict[str, Scope]:
    """Return the scopes by name, each with at most `crashes` crashes."""
    scopes = {}
    for name, case in _cases().items():
        # The time of a reinstatement distinguishes all later states: a second crash costs ten times as much.
        few = 1 if case.reinstatements else crashes
        scopes[f"two feedback workers, {name}"] = Scope(
            case, ("stream", "sweep", "operator"), ("stream", "sweep"), min(crashes, few)
        )
        if not case.reinstatements:
            single = replace(case, feedback_workers=1)
            scopes[f"one feedback and one stream worker, {name}"] = Scope(
                single, ("sweep",), ("sweep",), min(crashes, 1)
            )
    scopes |= _scopes_in_time(crashes)
    name, case = next(iter(_cases().items()))
    stored = replace(case, feedback_workers=1, batch=10)
    scopes[f"one stream worker and one sweep, {name}"] = Scope(stored, ("feedback",), (), 0)
    return scopes


def _scopes_in_time(crashes: int) -> dict[str, Scope]:
    """Return the scopes in which time matters: emails that bounce later, releases, reinstatements, and expiries."""
    atomic, one = ("stream", "sweep", "operator", "application"), min(crashes, 1)
    releasing = ("stream", "operator")
    return {
        "two feedback workers, an email that is delivered and bounces, and a delivery of another email": Scope(
            _accepted_then_bounced(), atomic, atomic[:2], crashes
        ),
        "one feedback worker and one sweep, a suspension that ended, a soft bounce and a delivery": Scope(
            _suspended_then_delivered(), releasing, ("stream",), one
        ),
        "two sweeps, two suspensions that ended": Scope(_two_suspended(), ("feedback", *releasing), ("stream",), one),
        "one feedback worker, a complaint and a bounce around reinstatements of both kinds": Scope(
            _reinstated_twice(), atomic, atomic[:2], one
        ),
        # A crash multiplies the states by the times at which an operator may try again.
        "two feedback workers, a complaint and a bounce around reinstatements of both kinds": Scope(
            replace(_reinstated_twice(), feedback_workers=2), atomic, atomic[:2], 0
        ),
        "two feedback workers, a contact that expires, a soft bounce and a delivery": Scope(
            _expired(), atomic, atomic[:2], crashes
        ),
        "two feedback workers, a contact that expires, deliveries, and an application that adds an attribute": Scope(
            _expired_with_application(), atomic[:3], atomic[:2], crashes
        ),
    }


def _accepted_then_bounced() -> Case:
    case = _case(
        _message("delivery", _ANN, -DAY, 0, email=0),
        _message("soft bounce", _ANN, -1, 1, email=0),
        _message("delivery", _ANN, 0, 2),
    )
    return replace(case, soft_bounces=1, list_suspended=True)


def _suspended_then_delivered() -> Case:
    case = _case(
        _message("soft bounce", _ANN, -3 * DAY, 0),
        _message("soft bounce", _ANN, -1, 1),
        _message("delivery", _ANN, 0, 2),
    )
    return replace(case, soft_bounces=1, suspension_days=1, feedback_workers=1)


def _two_suspended() -> Case:
    case = _case(_message("soft bounce", _ANN, -3 * DAY, 0), _message("soft bounce", _BOB, -2 * DAY, 1))
    return replace(case, soft_bounces=1, suspension_days=1, feedback_workers=1, sweeps=2, batch=2)


def _reinstated_twice() -> Case:
    case = _case(_message("complaint", _ANN, 1_999, 0), _message("hard bounce", _ANN, 2_000, 1))
    kinds = (Reinstatement(2_000, _ANN[0], "cleared"), Reinstatement(2_001, _ANN[0], "opted_in"))
    return replace(case, reinstatements=kinds, feedback_workers=1)


def _expired() -> Case:
    case = _case(
        _message("delivery", _ANN, -1, 0),
        _message("soft bounce", _ANN, EXPIRY, 1),
        _message("delivery", _ANN, EXPIRY, 2),
    )
    return replace(case, expiry=(0,))


def _expired_with_application() -> Case:
    case = _case(
        _message("delivery", _ANN, -1, 0), _message("delivery", _ANN, EXPIRY, 1), _message("delivery", _ANN, EXPIRY, 2)
    )
    return replace(case, expiry=(0,), foreign_writes=(ForeignWrite(EXPIRY, _ANN[0]),))


def _cases() -> dict[str, Case]:
    return {
        "a bounce, a complaint and a delivery of one address": _case(
            _message("hard bounce", _ANN, -2, 0), _message("complaint", _ANN, -1, 1), _message("delivery", _ANN, 0, 2)
        ),
        "two soft bounces and an opt-out of one address": replace(
            _case(
                _message("soft bounce", _ANN, -DAY, 0),
                _message("soft bounce", _ANN, 0, 1),
                _message("opt-out", _ANN, -1, 2),
            ),
            list_suspended=True,
        ),
        "a bounce, its copy and a complaint of another address": _case(
            _message("hard bounce", _ANN, 0, 0),
            _message("hard bounce", _ANN, 0, 0, 1),
            _message("complaint", _BOB, 0, 1),
        ),
        "two bounces and a delivery around a reinstatement": replace(
            _case(
                _message("hard bounce", _ANN, -1, 0),
                _message("delivery", _ANN, 0, 1),
                _message("hard bounce", _ANN, 2_001, 2),
            ),
            reinstatements=(Reinstatement(2_000, _ANN[0]),),
        ),
    }


def _case(*messages: Message) -> Case:
    return Case(messages, feedback_workers=2, batch=1)


def _message(
    kind: str, recipient: tuple[str, str], at: int, identity: int, copy: int = 0, *, email: int | None = None
) -> Message:
    """Return a message of this kind. `email` is the number of its email, sent two days ago; None: one of its own."""
    return build_message(
        find_kind(kind),
        [recipient],
        at,
        identity=identity,
        arrives=max(at, 0),
        number=identity + 2 * copy,
        shape=0,
        email=None if email is None else (email, -2 * DAY),
    )

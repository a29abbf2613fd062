"""The small scopes that are explored completely: their cases, and the actors whose calls are interleaved."""

from dataclasses import dataclass, replace

from campaigns.simulation.case import Case, Reinstatement
from campaigns.simulation.case_generator import DAY, VARIANTS
from campaigns.simulation.message_builder import build_message
from campaigns.simulation.message_kinds import find_kind
from campaigns.simulation.messages import Message


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
    name, case = next(iter(_cases().items()))
    stored = replace(case, feedback_workers=1, batch=10)
    scopes[f"one stream worker and one sweep, {name}"] = Scope(stored, ("feedback",), (), 0)
    return scopes


def _cases() -> dict[str, Case]:
    ann, bob = ((variants[0], variants[0]) for variants in VARIANTS[:2])
    return {
        "a bounce, a complaint and a delivery of one address": _case(
            _message("hard bounce", ann, -2, 0), _message("complaint", ann, -1, 1), _message("delivery", ann, 0, 2)
        ),
        "two soft bounces and an opt-out of one address": replace(
            _case(
                _message("soft bounce", ann, -DAY, 0),
                _message("soft bounce", ann, 0, 1),
                _message("opt-out", ann, -1, 2),
            ),
            list_suspended=True,
        ),
        "a bounce, its copy and a complaint of another address": _case(
            _message("hard bounce", ann, 0, 0), _message("hard bounce", ann, 0, 0, 1), _message("complaint", bob, 0, 1)
        ),
        "two bounces and a delivery around a reinstatement": replace(
            _case(
                _message("hard bounce", ann, -1, 0),
                _message("delivery", ann, 0, 1),
                _message("hard bounce", ann, 2_001, 2),
            ),
            reinstatements=(Reinstatement(2_000, ann[0]),),
        ),
    }


def _case(*messages: Message) -> Case:
    return Case(messages, feedback_workers=2, batch=1)


def _message(kind: str, recipient: tuple[str, str], at: int, identity: int, copy: int = 0) -> Message:
    number = identity + 2 * copy
    return build_message(
        find_kind(kind), [recipient], at, identity=identity, arrives=max(at, 0), number=number, shape=0
    )

"""The small scopes that are explored to the end: who is interleaved with whom, and what happens meanwhile."""

from dataclasses import dataclass, replace

from campaigns.simulation.case import Case, Reinstatement
from campaigns.simulation.case_generator import VARIANTS
from campaigns.simulation.message_builder import build_message
from campaigns.simulation.message_kinds import find_kind
from campaigns.simulation.messages import Message


@dataclass(frozen=True, slots=True)
class Scope:
    """A case, and what is explored of it.

    Acts of the actors whose names begin with one of `whole` are not interleaved with others, but may come between any
    two calls of others. Those of `later` begin when nobody else can go on. At most `crashes` workers die.
    """

    case: Case
    whole: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    crashes: int = 1


def scopes(crashes: int = 2) -> dict[str, Scope]:
    """Return the scopes, each with at most so many crashes."""
    made = {}
    for name, case in _cases().items():
        # A time of its own makes everything that follows different: what happens later costs ten times as much.
        few = 1 if case.reinstatements else crashes
        made[f"two feedback workers, {name}"] = Scope(
            case, ("stream", "sweep", "operator"), ("stream", "sweep"), min(crashes, few)
        )
        if not case.reinstatements:
            one = replace(case, feedback_workers=1)
            made[f"a feedback worker and the stream's, {name}"] = Scope(one, ("sweep",), ("sweep",), min(crashes, 1))
    first, *_ = _cases().items()
    stored = replace(first[1], feedback_workers=1, batch=10)
    made[f"the stream's worker and the sweep's, {first[0]}"] = Scope(stored, ("feedback",), (), 0)
    return made


def _cases() -> dict[str, Case]:
    ann, bob = ((names[0], names[0]) for names in VARIANTS[:2])
    return {
        "a bounce, a complaint and a delivery of one address": _case(
            _say("hard bounce", ann, -2, 0), _say("complaint", ann, -1, 1), _say("delivery", ann, 0, 2)
        ),
        "two soft bounces and an opt-out of one address": _case(
            _say("soft bounce", ann, -86_400_000, 0), _say("soft bounce", ann, 0, 1), _say("opt-out", ann, -1, 2)
        ),
        "a bounce, its copy and a complaint of another": _case(
            _say("hard bounce", ann, 0, 0), _say("hard bounce", ann, 0, 0, 1), _say("complaint", bob, 0, 1)
        ),
        "two bounces and a delivery about a reinstatement": replace(
            _case(_say("hard bounce", ann, -1, 0), _say("delivery", ann, 0, 1), _say("hard bounce", ann, 2_001, 2)),
            reinstatements=(Reinstatement(2_000, ann[0]),),
        ),
    }


def _case(*messages: Message) -> Case:
    return Case(messages, feedback_workers=2, batch=1)


def _say(kind: str, about: tuple[str, str], at: int, identity: int, copy: int = 0) -> Message:
    number = identity + 2 * copy
    return build_message(find_kind(kind), [about], at, identity=identity, arrives=max(at, 0), number=number, shape=0)

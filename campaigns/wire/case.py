"""A case: what happens on the wire, made from a seed."""

import random
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from campaigns.simulation import case as simulated
from campaigns.simulation.message_builder import build_message
from campaigns.simulation.message_kinds import KINDS, MessageKind
from campaigns.simulation.messages import Message
from campaigns.wire.faults import FAULTS

CONTACTS = 32
MESSAGES = 600
"""Distinct messages of a case; some come twice or three times, and what fails comes again."""
_WEIGHTS = tuple(accumulate(weight for weight, _ in KINDS))
_KINDS = tuple(kind for _, kind in KINDS)
_DAY = 86_400_000
_WAVES = 8
_APART = (4_000, 20_000, 50_000)
"""How many milliseconds lie between the waves in which messages arrive: some while earlier ones are being report."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a case is made of. `told` is what the simulator's checker needs of it.

    `intensity` is how often calls break; those of the operation `focus` (empty: of none) four times as often. With
    `botocore`, functions call DynamoDB through it, as they do where they have no plain way to it.
    """

    seed: int
    told: simulated.Case
    intensity: float
    focus: str = ""
    botocore: bool = False


def make(seed: int, messages: int = MESSAGES, contacts: int = CONTACTS) -> Case:
    """Return the case of this seed."""
    chance = random.Random(seed)  # noqa: S311 (repeatable chance, not secrecy)
    told = simulated.Case(
        _messages(chance, messages, contacts),
        added=tuple(number for number in range(messages) if chance.random() < 0.5),
        feedback_workers=chance.choice((1, 2, 3)),
        shards=chance.choice((1, 2)),
        sweeps=chance.choice((1, 1, 2)),
        batch=chance.choice((1, 10, 10, 10, 25, 25, 50, 50, 100, 100)),
        soft_bounces=chance.choice((1, 2, 3)),
        list_unsubscribed=chance.random() < 0.2,
    )
    intensity = chance.choice((0.02, 0.05, 0.05, 0.1, 0.2))
    return Case(seed, told, intensity, chance.choice(("", "", "", *FAULTS)), botocore=seed % 2 == 1)


def small() -> Case:
    """Return a case that makes nearly every kind of call: an address is listed and taken off again, one is poison."""
    return _told(
        ("soft bounce", 0, -_DAY, 0),
        ("complaint", 1, -_DAY, 0),
        ("malformed message", 0, -_DAY, 0),
        ("delivery", 0, -1_000, _APART[-1]),
    )


def overtaken() -> Case:
    """Return a case in which an address that is being listed for a bounce should be listed for a complaint."""
    return _told(("hard bounce", 0, -_DAY, 0), ("complaint", 0, -1_000, 3_000))


def _told(*said: tuple[str, int, int, int]) -> Case:
    """Return a case from (kind, contact number, event time, arrival time) tuples; times in milliseconds."""
    kinds = {kind.name: kind for _, kind in KINDS}
    messages = tuple(
        build_message(
            kinds[name], [(f"c{contact}@example.com",) * 2], at, identity=n, arrives=arrives, number=n, shape=0
        )
        for n, (name, contact, at, arrives) in enumerate(said)
    )
    return Case(0, simulated.Case(messages, feedback_workers=1, soft_bounces=1), 0.0)


def _messages(chance: random.Random, messages: int, contacts: int) -> tuple[Message, ...]:
    made: list[Message] = []
    apart = chance.choice(_APART)
    for identity in range(messages):
        kind = chance.choices(_KINDS, cum_weights=_WEIGHTS)[0]
        about = _addressed(chance, kind, contacts)
        at = chance.choice((-1_000, -_DAY, -2 * _DAY, chance.randrange(-6 * _DAY, 0)))
        begins = chance.randrange(_WAVES) * apart
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            # Again: the same, come by the other mechanism, or simply repeated.
            arrives = begins + chance.choice((0, 0, 50, 3_000, 80_000))
            parts: dict[str, Any] = {
                "identity": identity,
                "arrives": arrives,
                "number": len(made),
                "shape": chance.randrange(12),
            }
            made.append(build_message(kind, about, at, **parts))
    return tuple(made)


def _addressed(chance: random.Random, kind: MessageKind, contacts: int) -> list[tuple[str, str]]:
    """Return the key and the address variant of each contact that a message is about."""
    return [
        (
            f"c{number}@example.com",
            chance.choice((f"c{number}@example.com", f"C{number}@example.com", f"c{number}@EXAMPLE.com")),
        )
        for number in chance.sample(range(contacts), 2 if kind.two_recipients else 1)
    ]

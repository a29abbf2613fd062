"""A case of the wire campaign: messages, the size of the stack and the probability of faults, generated from a seed."""

import random
from dataclasses import dataclass

from campaigns.simulation import case as simulation
from campaigns.simulation.case_generator import DAY
from campaigns.simulation.message_builder import build_message
from campaigns.simulation.message_kinds import MessageKind, choose_kind, find_kind
from campaigns.simulation.messages import Message
from campaigns.wire.faults import FAULTS

CONTACTS = 32
MESSAGES = 600
"""Distinct messages of a case. Some are sent two or three times, and failed ones are delivered again."""
_WAVES = 8
_WAVE_INTERVALS = (4_000, 20_000, 50_000)
"""Milliseconds between the waves in which messages arrive. Contacts of earlier waves may still be pending."""


@dataclass(frozen=True, slots=True)
class Case:
    """The input and the faults of one run. `stack` contains the messages and the size of the stack.

    `intensity` is the probability that a call has a fault; it is four times as high for the operation `focus`, if there
    is one. If `botocore` is True, the functions call DynamoDB through botocore instead of the direct client.
    """

    seed: int
    stack: simulation.Case
    intensity: float
    focus: str = ""
    botocore: bool = False


def generate_case(seed: int, messages: int = MESSAGES, contacts: int = CONTACTS) -> Case:
    """Return the case of this seed."""
    rng = random.Random(seed)  # noqa: S311 (repeatable, not secret)
    stack = simulation.Case(
        _messages(rng, messages, contacts),
        added=tuple(number for number in range(messages) if rng.random() < 0.5),
        feedback_workers=rng.choice((1, 2, 3)),
        shards=rng.choice((1, 2)),
        sweeps=rng.choice((1, 1, 2)),
        batch=rng.choice((1, 10, 10, 10, 25, 25, 50, 50, 100, 100)),
        soft_bounces=rng.choice((1, 2, 3)),
        list_unsubscribed=rng.random() < 0.2,
        list_suspended=rng.random() < 0.3,
    )
    intensity = rng.choice((0.02, 0.05, 0.05, 0.1, 0.2))
    return Case(seed, stack, intensity, rng.choice(("", "", "", *FAULTS)), botocore=seed % 2 == 1)


def small_case() -> Case:
    """Return a case that makes nearly every kind of call: a list entry is put and deleted, a message is quarantined."""
    return _without_faults(
        ("soft bounce", 0, -DAY, 0),
        ("complaint", 1, -DAY, 0),
        ("malformed message", 0, -DAY, 0),
        ("delivery", 0, -1_000, _WAVE_INTERVALS[-1]),
        list_suspended=True,
    )


def overtaking_case() -> Case:
    """Return a case in which a complaint arrives while the list entry of the same address's bounce is being put."""
    return _without_faults(("hard bounce", 0, -DAY, 0), ("complaint", 0, -1_000, 3_000))


def _without_faults(*rows: tuple[str, int, int, int], list_suspended: bool = False) -> Case:
    """Return a case without faults. A row is the kind of a message, its contact, the time of its event, its arrival."""
    messages = tuple(
        build_message(
            find_kind(name), [(f"c{contact}@example.com",) * 2], at, identity=n, arrives=arrives, number=n, shape=0
        )
        for n, (name, contact, at, arrives) in enumerate(rows)
    )
    stack = simulation.Case(messages, feedback_workers=1, soft_bounces=1, list_suspended=list_suspended)
    return Case(0, stack, 0.0)


def _messages(rng: random.Random, count: int, contacts: int) -> tuple[Message, ...]:
    messages: list[Message] = []
    emails: dict[str, tuple[int, int]] = {}
    interval = rng.choice(_WAVE_INTERVALS)
    for identity in range(count):
        kind = choose_kind(rng)
        recipients = _recipients(rng, kind, contacts)
        at = rng.choice((-1_000, -DAY, -2 * DAY, rng.randrange(-6 * DAY, 0)))
        email = _email(rng, emails, identity, recipients[0][0], at)
        wave = rng.randrange(_WAVES) * interval
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            # Copies are the same event in another format, or redeliveries.
            arrives, shape = wave + rng.choice((0, 0, 50, 3_000, 80_000)), rng.randrange(12)
            copy = build_message(
                kind, recipients, at, identity=identity, arrives=arrives, number=len(messages), shape=shape, email=email
            )
            messages.append(copy)
    return tuple(messages)


def _email(
    rng: random.Random, emails: dict[str, tuple[int, int]], identity: int, address: str, at: int
) -> tuple[int, int]:
    """Return number and time of the email that a message is about: an earlier one of the recipient, or a new one."""
    known = emails.get(address)
    if known and known[1] < at and rng.random() < 0.5:
        return known
    emails[address] = identity, at - rng.choice((5_000, 5_000, DAY))
    return emails[address]


def _recipients(rng: random.Random, kind: MessageKind, contacts: int) -> list[tuple[str, str]]:
    """Return the key and a variant of each contact that a message is about."""
    return [
        (
            f"c{number}@example.com",
            rng.choice((f"c{number}@example.com", f"C{number}@example.com", f"c{number}@EXAMPLE.com")),
        )
        for number in rng.sample(range(contacts), 2 if kind.two_recipients else 1)
    ]

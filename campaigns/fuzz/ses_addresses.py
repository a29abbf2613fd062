"""Recipient addresses as SES writes them: plain ones, address variants, and texts that are no usable address."""

from collections.abc import Callable, Sequence
from random import Random

from campaigns.fuzz.canaries import MARK, canary_address

PLAIN = tuple(canary_address(number, number % 2 or "") for number in range(6))
"""So few that the payloads of a case often name the same contact."""
VARIANTS: Sequence[Callable[[str], str]] = (
    str.upper,
    str.title,
    lambda plain: f"{MARK}, The <{plain}>",
    lambda plain: f'"{MARK} \\"<a@b>\\"" <{plain}>',
    lambda plain: f" <{plain}> ",
    lambda plain: f"{plain}.",
    lambda plain: f"({MARK}) {plain} ({MARK})",
    lambda plain: plain.replace("@", "+tag/slash@"),
    lambda _: f'"{MARK} @ <local>"@example.com',
    lambda plain: plain.replace("@", "@b\u00fccher-"),
    lambda plain: plain.replace("@", "\U0001f600\u00e9@"),
    lambda _: f"{MARK}@[192.0.2.1]",
)
UNUSABLE: Sequence[Callable[[str], str]] = (
    lambda plain: f"{plain}, {plain}",
    lambda plain: f"{plain} {plain}",
    lambda plain: f"<{plain}> <{plain}>",
    lambda plain: plain.replace("@", "\ud800@"),
    lambda plain: plain.replace("@", "\x00@"),
    lambda plain: plain.replace("@", "@\u212a"),
    lambda plain: plain.replace("@", ""),
    lambda plain: f"{plain}{'x' * 400}",
    lambda plain: f"{plain}{'<' * 2_000}",
    lambda _: "",
    lambda _: "\u200b",
)


def address(rng: Random) -> str:
    """Return an address: plain in six of ten cases, unusable in one or two."""
    plain = rng.choice(PLAIN)
    roll = rng.random()
    if roll < 0.6:
        return plain
    return rng.choice(VARIANTS if roll < 0.85 else UNUSABLE)(plain)


def addresses(rng: Random) -> list[str]:
    """Return recipients: mostly one, sometimes none or many."""
    return [address(rng) for _ in range(rng.choice((0, 1, 1, 1, 1, 1, 2, 3, 8)))]


def destination(rng: Random, recipients: Sequence[str]) -> list[str]:
    """Return the `mail.destination` of an event about `recipients`: they are judged only if the email went to them."""
    roll = rng.random()
    if roll < 0.6:
        return [*PLAIN, *recipients]
    if roll < 0.75:
        return [rng.choice(PLAIN)]
    return addresses(rng)

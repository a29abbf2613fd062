"""A case: everything that decides how a run of the simulator goes, as plain data, and how one is made from a seed."""

import random
from dataclasses import dataclass, replace
from itertools import accumulate

from campaigns.simulation.messages import KINDS, Kind, Meant, Message, say, stamp

OPERATIONS = (
    (4, "batch_execute_statement"),
    (3, "put_item"),
    (3, "put_suppressed_destination"),
    (3, "delete_suppressed_destination"),
    (2, "batch_get_item"),
    (2, "put_events"),
    (2, "acknowledge"),
    (2, "update_item"),
    (1, "get_item"),
    (1, "query"),
    (2, "send_message"),
    (1, "receive"),
    (1, "checkpoint"),
)
"""How often faults and interruptions soft_bounce which calls: most where something is at stake."""
_OPERATION_WEIGHTS = tuple(accumulate(weight for weight, _ in OPERATIONS))
_OPERATIONS = tuple(operation for _, operation in OPERATIONS)
_IMPORTING = (
    "create_import_job",
    "create_import_job",
    "get_import_job",
    "put_object",
    "get_object",
    "delete_object",
    "put_item",
    "get_item",
)
VARIANTS = (
    ("ann@example.com", "Ann@example.com", "ann@EXAMPLE.com"),
    ("bob@example.org", "BOB@example.org"),
    ("cleo@example.com", "Cleo@example.com", "CLEO@example.com"),
    ("dov@example.org",),
    ("eve@example.com", "eve@EXAMPLE.com"),
    ("fay@example.org", "Fay@example.org"),
)
"""Of each address, its key first, variants SES may use."""
_STRAIN = 3
"""How many times as large the strained cases are: one in twenty, for what only happens in a crowd."""
_WEIGHTS = tuple(accumulate(weight for weight, _ in KINDS))
_KINDS = tuple(kind for _, kind in KINDS)
_DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class Reinstatement:
    """An operator's command, given at this time (milliseconds), for this address."""

    at: int
    address: str

    def __str__(self) -> str:
        """Describe it on one line."""
        return f"reinstatement of {self.address} at {self.at} ms"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault at the `nth` call (from 0) of an operation: `number` chooses among those that such a call can have."""

    operation: str
    nth: int
    number: int


@dataclass(frozen=True, slots=True)
class Switch:
    """An interruption of whoever makes the `nth` call of an operation, before it: `choice` says who goes on."""

    operation: str
    nth: int
    choice: int


@dataclass(frozen=True, slots=True)
class Outage:
    """A service that answers nothing but errors, or nothing at all (it `hangs`), while it is away (in seconds).

    Two more can be away: the `stream`, which hands nothing over, and `SuppressionFunction`, which nobody can invoke.
    """

    service: str
    begins: int
    ends: int
    hangs: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """What happens, what breaks, and who goes when.

    `switches` are interruptions, `choices` who goes when somebody must, `staleness` how many
    versions old the answer of each eventually consistent read is, one after another. Beyond the end of each: the
    first, and none. `added` names the feedback because of which SES itself added to the suppression list. When more
    than `backlog` contacts wait (None: never), a sweep has SES import them, in jobs that go as `jobs` say.
    """

    messages: tuple[Message, ...]
    reinstatements: tuple[Reinstatement, ...] = ()
    added: tuple[int, ...] = ()
    faults: tuple[Fault, ...] = ()
    switches: tuple[Switch, ...] = ()
    choices: tuple[int, ...] = ()
    staleness: tuple[int, ...] = ()
    feedback_workers: int = 2
    shards: int = 1
    sweeps: int = 1
    batch: int = 10
    soft_bounces: int = 2
    list_unsubscribed: bool = False
    outages: tuple[Outage, ...] = ()
    backlog: int | None = None
    jobs: tuple[int, ...] = ()

    def __str__(self) -> str:
        """Describe what happens, a line each."""
        rows = [*self.messages, *self.reinstatements, f"on the list: {self.entries()}"]
        sizes = f"{self.feedback_workers} feedback workers, {self.shards} shards, batches of {self.batch}"
        return "\n".join([*(f"  {row}" for row in rows), f"  {sizes}"])

    def entries(self) -> dict[str, str]:
        """Return what the suppression list starts with, reasons by variant: what echoes say, and what SES added."""
        held: dict[str, tuple[str, str]] = {}
        spelt: dict[str, str] = {}
        for one in (one for message in self.messages for one in message.meant if one.register):
            spelt[one.address] = max(spelt.get(one.address, ""), one.variant)
            echo = one.register.startswith("listed_")
            if echo or (one.register in {"bounced", "complained"} and one.feedback in self.added):
                reason = "COMPLAINT" if "compl" in one.register else "BOUNCE"
                held[one.address] = max(held.get(one.address, ("", "")), (one.at if echo else "", reason))
        return {spelt[address]: reason for address, (_, reason) in held.items()}


def make(seed: int) -> Case:
    """Return the case of this seed."""
    chance = random.Random(seed)  # noqa: S311 (repeatable chance, not secrecy)
    strain = _STRAIN if chance.random() < 0.05 else 1
    crowd = VARIANTS if strain > 1 else chance.choice((VARIANTS[:1], VARIANTS[:1], VARIANTS[:2]))
    reinstatements = tuple(
        Reinstatement(chance.choice((0, 0, 0, 100, 2_000, 3_000, 70_000, 400_000)), chance.choice(crowd)[0])
        for _ in range(strain * chance.choice((0, 0, 1, 1, 1, 2)))
    )
    times = _times(chance, reinstatements)
    messages = _messages(chance, times, crowd, strain)
    backlog = chance.choice((*(None,) * 28, 0, 0, 1, 2))
    importing = 0 if backlog is None else strain * _few(chance)
    return Case(
        messages,
        reinstatements,
        # Without the stream contacts wait for a sweep, which else finds one now and then.
        outages=() if backlog is None else (Outage("stream", 0, chance.choice((0, 700, 700, 4_000))),),
        backlog=backlog,
        jobs=tuple(chance.randrange(1 << 16) for _ in range(4 * strain)),
        added=tuple(number for number in range(4 * strain) if chance.random() < 0.5),
        faults=(
            *(Fault(*_call(chance, strain), chance.randrange(1 << 16)) for _ in range(strain * _few(chance))),
            *(Fault(*_importing_call(chance), chance.randrange(1 << 16)) for _ in range(importing)),
        ),
        switches=tuple(Switch(*_call(chance, strain), chance.randrange(4)) for _ in range(2 * strain * _few(chance))),
        choices=tuple(chance.choices(range(5), k=8 * strain)),
        staleness=tuple(chance.choices((0, 0, 1, 2), k=6 * strain)),
        feedback_workers=strain * chance.choice((1, 2, 2, 3)),
        shards=strain * chance.choice((1, 1, 2)),
        sweeps=chance.choice((1, 1, 2)),
        batch=chance.choice((1, 2, 10)),
        soft_bounces=chance.choice((1, 2, 3)),
        list_unsubscribed=chance.random() < 0.2,
    )


def importing(case: Case) -> Case:
    """Return a case with more to import, whatever waits while the stream is away, and jobs that go wrong."""
    number = case.jobs[0]
    faults = (Fault("create_import_job", 0, number),) if number % 4 else ()
    return replace(case, backlog=0, outages=(Outage("stream", 0, 700),), faults=(*case.faults, *faults))


def _few(chance: random.Random) -> int:
    return chance.choice((0, 1, 1, 2, 2, 3, 4))


def _call(chance: random.Random, strain: int) -> tuple[str, int]:
    """Return an operation, and which of its calls: rather an early one, for there are not many."""
    operation = chance.choices(_OPERATIONS, cum_weights=_OPERATION_WEIGHTS)[0]
    return operation, int(8 * strain * chance.random() ** 2.5)


def _importing_call(chance: random.Random) -> tuple[str, int]:
    """Return a call that only imports make, or one that everything else hangs on when they do."""
    return chance.choice(_IMPORTING), int(5 * chance.random() ** 2)


def _times(chance: random.Random, reinstatements: tuple[Reinstatement, ...]) -> list[int]:
    """Return moments feedback may be dated: often the same, some just about a reinstatement, some days ago."""
    moments = [-1_000, -1_000, -1_001, -_DAY, -2 * _DAY, chance.randrange(-3 * _DAY, 0)]
    for one in reinstatements:
        moments += [one.at - 1, one.at, one.at + 1, one.at + 1_000, one.at + _DAY + 1]
    return moments


def _messages(
    chance: random.Random, times: list[int], crowd: tuple[tuple[str, ...], ...], strain: int
) -> tuple[Message, ...]:
    made: list[Message] = []
    for identity in range(strain * chance.choice((1, 1, 2, 2, 2, 3, 4))):
        kind = chance.choices(_KINDS, cum_weights=_WEIGHTS)[0]
        which = chance.sample(VARIANTS[: max(2, len(crowd))], 2) if kind.several else [chance.choice(crowd)]
        variants = [(names[0], chance.choice(names)) for names in which]
        at = chance.choice(times)
        for _ in range(chance.choice((1, 1, 1, 1, 2))):
            # A second time: the same, come by the other mechanism, or simply again.
            arrives = max(at, 0) + chance.choice((0, 0, 0, 0, 0, 50, 3_000, 3_000, 80_000, 3 * _DAY))
            parts = {"identity": identity, "arrives": arrives, "number": len(made), "shape": chance.randrange(12)}
            made.append(message(kind, variants, at, **parts))
    return tuple(made)


def message(
    kind: Kind, variants: list[tuple[str, str]], at: int, *, identity: int, arrives: int, number: int, shape: int
) -> Message:
    """Return a message of this kind about addresses, each given as its key and the variant used."""
    as_event, wrapped, lane = shape % 2 == 0, shape % 3 == 0, shape // 4 % 2
    meant = tuple(
        Meant(
            key,
            variant.replace("EXAMPLE", "example"),
            kind.meaning,
            stamp(at),
            kind.reason,
            "shop" if as_event else "",
            kind.verdict,
            identity,
        )
        for key, variant in variants
        if kind.verdict
    )
    body = say(kind, [variant for _, variant in variants], at, identity, as_event=as_event, wrapped=wrapped)
    return Message(kind.name, body, meant, kind.fate, lane, arrives, number)

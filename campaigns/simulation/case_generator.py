"""Generator of cases from seeds. Equal seeds give equal cases."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, count

from campaigns.simulation.case import Case, Fault, ForeignWrite, Outage, Reinstatement, Switch
from campaigns.simulation.message_builder import build_message
from campaigns.simulation.message_kinds import KINDS, MessageKind, choose_kind, find_kind
from campaigns.simulation.messages import Message

DAY = 86_400_000
"""Milliseconds in a day."""
VARIANTS = (
    ("ann@example.com", "Ann@example.com", "ann@EXAMPLE.com"),
    ("bob@example.org", "BOB@example.org"),
    ("cleo@example.com", "Cleo@example.com", "CLEO@example.com"),
    ("dov@example.org",),
    ("eve@example.com", "eve@EXAMPLE.com"),
    ("fay@example.org", "Fay@example.org"),
)
"""Address variants of each contact. The first variant is the key of the contact."""
SIMULATOR_VARIANTS = ("bounce@simulator.amazonses.com", "Bounce@simulator.amazonses.com")
"""Address variants of the mailbox simulator."""
_WEIGHTS = {
    "batch_execute_statement": 4,
    "put_item": 3,
    "put_suppressed_destination": 3,
    "delete_suppressed_destination": 3,
    "batch_get_item": 2,
    "put_events": 2,
    "acknowledge": 2,
    "update_item": 2,
    "get_item": 1,
    "query": 1,
    "send_message": 2,
    "receive": 1,
    "checkpoint": 1,
}
"""Operations at which faults and context switches happen, and their weights in a random choice.

Writes and list calls have the largest weights.
"""
_OPERATIONS = tuple(_WEIGHTS)
_CUMULATIVE_WEIGHTS = tuple(accumulate(_WEIGHTS.values()))
_IMPORT_OPERATIONS = (
    "create_import_job",
    "create_import_job",
    "get_import_job",
    "put_object",
    "get_object",
    "delete_object",
    "put_item",
    "get_item",
)
"""Operations of import jobs. An operation that occurs twice is twice as likely in a random choice."""
_LARGE_PROBABILITY = 0.05
_LARGE_SCALE = 3
"""Factor by which a large case has more messages, actors and faults. Large cases show races among many actors."""
_COMMAND_TIMES = (0, 0, 0, 100, 2_000, 3_000, 70_000, 400_000, 3 * DAY)
"""Times of operator commands, in milliseconds since the start. A time that occurs more often is more likely."""
_DELAYS = (0, 0, 0, 0, 0, 50, 3_000, 3_000, 80_000, 3 * DAY)
"""Milliseconds between the time of an event and its arrival. A delay that occurs more often is more likely."""

THEMES = {"suspensions": 0.1, "expiry": 0.2, "windows": 0.22, "consent": 0.32}
"""Themes of special cases, and their cumulative probabilities. A case without a theme is the most likely.

`suspensions`: cases of several months, in which suspensions end and begin again. `expiry`: cases in which feedback
arrives at the time at which a contact with deliveries only expires. `windows`: soft bounces that are more than sixty
days apart. They cause a suspension only if the automatic window is longer than that. `consent`: opt-outs, opt-ins,
complaints and reinstatements of the same people, nearly at the same time.
"""
EXPIRY = 60 * DAY + DAY // 2
"""Milliseconds from the start (noon) to the expiry of a contact whose last delivery was on the day of the start."""
_EXPIRY_OFFSETS = (0, 0, 0, 1, 1_000, 3_600_000, DAY)
"""Milliseconds from an expiry to the deletion of the contact, or to feedback about it."""
_SIMULATOR_PROBABILITY = 0.05
"""Probability that some emails of a case are sent to the mailbox simulator."""
_DELIVERIES_PROBABILITY = 0.9
"""Probability that SES publishes deliveries to the stack of a case."""
_MAILINGS = {
    ("soft bounce",): 10,
    ("delivery", "soft bounce"): 4,
    ("soft bounce", "delivery"): 2,
    ("delivery",): 2,
    ("hard bounce",): 1,
    ("bounce echo",): 1,
    ("opt-out",): 1,
}
"""Possible feedback about one email in a case of the theme `suspensions`, with weights for a random choice."""

_REQUESTED = frozenset({"unsubscribed", "unsubscribed_from", "opted_into", "complained"})
_REQUESTS = tuple(
    kind
    for _, kind in KINDS
    if kind.event_type == "preference"
    or (not kind.two_recipients and any(outcome.register in _REQUESTED for outcome in kind.outcomes))
)
"""Kinds of messages in which a person asks for less or for more email."""


def generate_case(seed: int, theme: str = "", postpone: Callable[[], int] = lambda: 0) -> Case:
    """Return the case of `seed`. `theme` is one of `THEMES`, or empty for a random one or none.

    `postpone` is called for each message, and returns the milliseconds by which it arrives later.
    """
    rng = random.Random(seed)  # noqa: S311 (a repeatable sequence, not a secret)
    scale = _LARGE_SCALE if rng.random() < _LARGE_PROBABILITY else 1
    contacts = VARIANTS if scale > 1 else rng.choice((VARIANTS[:1], VARIANTS[:1], VARIANTS[:2]))
    if rng.random() < _SIMULATOR_PROBABILITY:
        contacts = (SIMULATOR_VARIANTS, *contacts)
    drawn = rng.random()
    theme = theme or next((name for name, cumulative in THEMES.items() if drawn < cumulative), "")
    return _Generator(rng, scale, contacts, theme, postpone).generate()


def with_imports(case: Case) -> Case:
    """Return `case` with import jobs.

    While the stream is unavailable, contacts stay pending. The next sweep therefore starts a job. In three of four
    cases, the first call that creates a job has a fault.
    """
    number = case.jobs[0]
    faults = (Fault("create_import_job", 0, number),) if number % 4 else ()
    return replace(case, backlog=0, outages=(Outage("stream", 0, 700),), faults=(*case.faults, *faults))


@dataclass
class _Generator:
    """Generates the parts of one case. A change of the order in which `rng` is called changes the case of each seed."""

    rng: random.Random
    scale: int
    contacts: tuple[tuple[str, ...], ...]
    theme: str
    postpone: Callable[[], int]
    deliveries: bool = True

    def generate(self) -> Case:
        """Return the case."""
        rng, scale = self.rng, self.scale
        reinstatements = tuple(self._reinstatement() for _ in range(scale * rng.choice((0, 0, 1, 1, 1, 2))))
        suspends, expires = self.theme == "suspensions", self.theme == "expiry"
        windows = self.theme == "windows"
        self.deliveries = expires or rng.random() < (0.5 if windows else _DELIVERIES_PROBABILITY)
        times = self._event_times(reinstatements)
        messages = {
            "suspensions": self._mailings,
            "expiry": self._messages_at_expiry,
            "windows": self._messages_months_apart,
            "consent": lambda: self._requests(times),
        }.get(self.theme, lambda: self._messages(times))()
        # One case in eight has import jobs.
        backlog = rng.choice((*(None,) * 28, 0, 0, 1, 2))
        import_faults = 0 if backlog is None else scale * self._small_number()
        return Case(
            tuple(messages),
            reinstatements,
            tuple(self._foreign_writes()) if expires else (),
            # While the stream is unavailable, contacts stay pending. Otherwise, a sweep rarely finds a pending contact.
            outages=() if backlog is None else (Outage("stream", 0, rng.choice((0, 700, 700, 4_000))),),
            backlog=backlog,
            jobs=tuple(rng.randrange(1 << 16) for _ in range(4 * scale)),
            added=tuple(number for number in range(4 * scale) if rng.random() < 0.5),
            faults=(
                *(Fault(*self._choose_call(), rng.randrange(1 << 16)) for _ in range(scale * self._small_number())),
                *(Fault(*self._choose_import_call(), rng.randrange(1 << 16)) for _ in range(import_faults)),
            ),
            switches=tuple(
                Switch(*self._choose_call(), rng.randrange(4)) for _ in range(2 * scale * self._small_number())
            ),
            choices=tuple(rng.choices(range(5), k=8 * scale)),
            staleness=() if suspends and rng.random() < 0.5 else tuple(rng.choices((0, 0, 1, 2), k=6 * scale)),
            expiry=tuple(rng.choices(_EXPIRY_OFFSETS, k=3)) if expires else (),
            feedback_workers=scale * rng.choice((1, 2, 2, 3)),
            shards=scale * rng.choice((1, 1, 2)),
            sweeps=rng.choice((1, 1, 2)),
            batch=rng.choice((1, 2, 10)),
            soft_bounces=2 if windows else rng.choice((1, 1, 2) if suspends else (1, 2, 3)),
            list_unsubscribed=rng.random() < 0.2,
            list_suspended=rng.random() < 0.3,
            suspension_days=rng.choice((1, 1, 2) if suspends else (0, 0, 1, 1, 30)),
            window_days=0 if windows else rng.choice((90, 90, 0)),
            deliveries_published=self.deliveries,
        )

    def _mailings(self) -> Iterator[Message]:
        """Yield feedback of several months. Most emails bounce, so that suspensions end and begin again."""
        rng = self.rng
        numbers = count()
        for variants in VARIANTS[: rng.choice((1, 2, 4))]:
            sent = rng.randrange(-4 * DAY, -DAY)
            for _ in range(rng.choice((1, 4, 7))):
                for name in rng.choices(tuple(_MAILINGS), tuple(_MAILINGS.values()))[0]:
                    yield self._feedback_on(sent, self._published(find_kind(name)), variants, next(numbers))
                sent += rng.choice((1, 1, 2, 2, 4, 8, 16, 75, 75)) * DAY

    def _messages_months_apart(self) -> Iterator[Message]:
        """Yield soft bounces that are 75 days apart."""
        for number in range(self.rng.choice((2, 3))):
            yield self._feedback_on(75 * number * DAY, find_kind("soft bounce"), self.contacts[0], number)

    def _requests(self, times: list[int]) -> Iterator[Message]:
        """Yield requests and complaints of few people, at few times: the latest decides, and an opt-out wins a tie."""
        rng = self.rng
        numbers = count()
        for identity in range(self.scale * rng.choice((2, 3, 4, 5))):
            variants, at, kind = rng.choice(self.contacts), rng.choice(times), rng.choice(_REQUESTS)
            for _ in range(rng.choice((1, 1, 2))):
                yield self._message(
                    kind, [(variants[0], rng.choice(variants))], at, identity=identity, number=next(numbers)
                )

    def _messages_at_expiry(self) -> Iterator[Message]:
        """Yield deliveries, and then feedback about later emails. It arrives at about the expiry of the contacts."""
        rng = self.rng
        numbers = count()
        for variants in self.contacts:
            for _ in range(rng.choice((1, 1, 2))):
                yield self._feedback_on(rng.choice((-DAY, -10_000)), find_kind("delivery"), variants, next(numbers))
            for _ in range(rng.choice((1, 2, 2, 3))):
                sent = EXPIRY + rng.choice((*_EXPIRY_OFFSETS, -DAY)) - 5_000
                kind = find_kind("delivery") if rng.random() < 0.4 else self._choose_single_recipient_kind()
                yield self._feedback_on(sent, kind, variants, next(numbers))

    def _choose_single_recipient_kind(self) -> MessageKind:
        """Return a random kind of messages with one recipient."""
        kind = choose_kind(self.rng)
        return self._choose_single_recipient_kind() if kind.two_recipients else kind

    def _foreign_writes(self) -> Iterator[ForeignWrite]:
        """Yield writes of another application, before or at about the expiry of contacts."""
        for variants in self.contacts:
            if self.rng.random() < 0.3:
                yield ForeignWrite(self.rng.choice((DAY, EXPIRY + self.rng.choice(_EXPIRY_OFFSETS))), variants[0])

    def _feedback_on(self, sent: int, kind: MessageKind, variants: tuple[str, ...], number: int) -> Message:
        """Return feedback on an email. `sent` is the time of sending."""
        rng = self.rng
        at = sent + rng.choice((5_000, 5_000, 5_000, DAY))
        recipients = [(variants[0], rng.choice(variants))]
        return self._message(kind, recipients, at, identity=number, number=number, email=(sent, sent))

    def _message(
        self,
        kind: MessageKind,
        recipients: Sequence[tuple[str, str]],
        at: int,
        *,
        identity: int,
        number: int,
        email: tuple[int, int] | None = None,
    ) -> Message:
        """Return a message with a random arrival and shape: an event or a notification, on one of the lanes."""
        return build_message(
            kind,
            recipients,
            at,
            identity=identity,
            arrives=max(at, 0) + self.rng.choice(_DELAYS) + self.postpone(),
            number=number,
            shape=self.rng.randrange(12),
            email=email,
        )

    def _published(self, kind: MessageKind) -> MessageKind:
        """Return `kind`. If SES publishes no deliveries, return a soft bounce instead of a delivery."""
        return kind if self.deliveries or kind.event_type != "delivery" else find_kind("soft bounce")

    def _small_number(self) -> int:
        return self.rng.choice((0, 1, 1, 2, 2, 3, 4))

    def _reinstatement(self) -> Reinstatement:
        kind = self.rng.choice(("cleared", "opted_in"))
        return Reinstatement(self.rng.choice(_COMMAND_TIMES), self.rng.choice(self.contacts)[0], kind)

    def _choose_call(self) -> tuple[str, int]:
        """Return an operation and the index of a call. Early calls are more likely, because a case has few calls."""
        operation = self.rng.choices(_OPERATIONS, cum_weights=_CUMULATIVE_WEIGHTS)[0]
        return operation, int(8 * self.scale * self.rng.random() ** 2.5)

    def _choose_import_call(self) -> tuple[str, int]:
        """Return an operation of import jobs and the index of a call."""
        return self.rng.choice(_IMPORT_OPERATIONS), int(5 * self.rng.random() ** 2)

    def _event_times(self, reinstatements: tuple[Reinstatement, ...]) -> list[int]:
        """Return possible times of events: equal times, earlier days, and times close to each reinstatement."""
        times = [-1_000, -1_000, -1_001, -DAY, -2 * DAY, self.rng.randrange(-3 * DAY, 0)]
        for command in reinstatements:
            times += [command.at - 1, command.at, command.at + 1, command.at + 1_000, command.at + DAY + 1]
        return times

    def _messages(self, times: list[int]) -> Iterable[Message]:
        rng = self.rng
        messages: list[Message] = []
        emails: dict[str, tuple[int, int]] = {}
        for identity in range(self.scale * rng.choice((1, 1, 2, 2, 2, 3, 4))):
            kind = self._published(choose_kind(rng))
            recipients = self._recipients(2 if kind.two_recipients else 1)
            at = rng.choice(times)
            email = self._email(emails, identity, recipients[0][0], at)
            # A second message is a copy of the first. Its shape may differ: an event, or a notification.
            for _ in range(rng.choice((1, 1, 1, 1, 2))):
                messages.append(
                    self._message(kind, recipients, at, identity=identity, number=len(messages), email=email)
                )
        return messages

    def _email(self, emails: dict[str, tuple[int, int]], identity: int, address: str, at: int) -> tuple[int, int]:
        """Return the number and the time of the email of a message: an earlier email to `address`, or a new one."""
        known = emails.get(address)
        if known and known[1] < at and self.rng.random() < 0.6:
            return known
        emails[address] = identity, at - self.rng.choice((5_000, 5_000, 5_000, 5_000, DAY, 5 * DAY, 9 * DAY))
        return emails[address]

    def _recipients(self, number: int) -> list[tuple[str, str]]:
        """Return `number` contacts as pairs of key and address variant."""
        if number == 1:
            chosen = [self.rng.choice(self.contacts)]
        else:
            chosen = self.rng.sample(VARIANTS[: max(number, len(self.contacts))], number)
        return [(variants[0], self.rng.choice(variants)) for variants in chosen]

"""What stays bounded, whatever is sent: metrics' dimensions, items, history, logs, calls of SES, heat of partitions.

`hostile` events try to break a bound each; two storms of bounces, at as many addresses and at one, show what they heat.
"""

import math
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from multiprocessing import get_context
from random import Random
from typing import Any, Self

from benchmarks.dynamodb_units import item_size
from campaigns.fuzz.harness import SETTINGS, House
from campaigns.fuzz.invariants import MAX_ITEM_BYTES, MAX_LINE_BYTES, MAX_LINES
from campaigns.fuzz.statistics import Figures
from ses_feedback.contacts.history import HISTORY_A_DAY
from ses_feedback.contacts.record import RECORD
from tests.support.builders import START, a_bounce, a_bounced_recipient, a_complaint, a_mail, an_sqs_record, on_day

BATCH = 100
"""Messages a lane's function is handed at once, as the template has it."""
MAX_DIMENSIONS = 50
MAX_HISTORY = 100
"""Records that a storm may add to the history of one contact."""
MAX_WRITES = HISTORY_A_DAY + 10
"""Writes of one contact, its history with it, that a batch may make."""
_PORTION = 5_000
_APART = 1_000_000_000
_STORM = 10_000
_STORM_RATE = 20.0
_RATES = (0.5, 1.0, 20.0)

Json = dict[str, Any]


def hostile(seed: int) -> Json:
    """Return feedback that makes as much as it can of every text it may hold."""
    chance = Random(seed)  # noqa: S311 (repeatable chance, not secrecy)
    # Characters of one to four bytes, and as many as are ever kept of any field.
    wide = chance.choice("x\u00e9\u4e2d\U0001f600")
    long = wide * chance.choice((64, 128, 1_000, 5_000))
    names = (f"set-{chance.randrange(100)}", f"{chance.getrandbits(256):064x}", long, f"{long[:60]}{seed}")
    mail = a_mail(configuration_set=chance.choice(names), messageId=f"{seed}{long}", subject=long)
    mail["tags"]["ses:tenant-name"] = [long]
    mail["timestamp"] = START.isoformat()
    recipient = _spelt(chance, wide)
    at = on_day(-chance.randrange(400))
    if chance.random() < 0.3:
        return a_complaint(long, long, recipients=[recipient], at=at, mail=mail, feedbackId=f"{seed}{long}")
    said = a_bounced_recipient(recipient, action=long, status=long, diagnosticCode=long)
    type_ = chance.choice(("Permanent", "Transient", "Transient", "Undetermined", long))
    sub_type = chance.choice(("General", "MailboxFull", "OnAccountSuppressionList", "UnsubscribedRecipient", long))
    return a_bounce(type_, sub_type, recipients=[said], at=at, mail=mail, feedbackId=f"{seed}{long}")


def _spelt(chance: Random, wide: str) -> str:
    """Return one of the variants of one of a few addresses, as long as an address may be."""
    letters = (chance.choice((letter, letter.upper())) for letter in "recipient")
    return f"{''.join(letters)}{chance.randrange(4)}{wide * chance.choice((1, 40, 74, 290))}@example.com"


@dataclass
class Bounds:
    """What came of hostile events."""

    events: int = 0
    figures: Figures = field(default_factory=Figures)
    largest_contact: int = 0

    def __iadd__(self, other: Self) -> Self:
        """Add another part."""
        self.events += other.events
        self.figures += other.figures
        self.largest_contact = max(self.largest_contact, other.largest_contact)
        return self

    def told(self) -> str:
        """Return it as lines fit to be shown."""
        return (
            f"{self.events:,} hostile events: {len(self.figures.dimensions)} metric dimension sets; "
            f"items up to {self.figures.largest_item:,} bytes, contacts up to {self.largest_contact:,}; "
            f"up to {self.figures.most_lines} lines and {self.figures.most_printed:,} characters printed by a batch "
            f"of {BATCH}, {self.figures.longest_line:,} in a line"
        )

    def broken(self) -> list[str]:
        """Return which bounds do not hold."""
        figures = self.figures
        held = {
            f"{len(figures.dimensions)} metric dimension sets": len(figures.dimensions) <= MAX_DIMENSIONS,
            f"an item of {figures.largest_item:,} bytes": figures.largest_item <= MAX_ITEM_BYTES,
            f"{figures.most_lines} lines printed by a batch": figures.most_lines <= MAX_LINES,
            f"a line of {figures.longest_line:,} characters": figures.longest_line <= MAX_LINE_BYTES,
        }
        return [said for said, holds in held.items() if not holds]


def play(seeds: range) -> Bounds:
    """Hand hostile events to the functions, in batches."""
    house, bounds = House(), Bounds()
    house.clear()
    for first in range(seeds.start, seeds.stop, BATCH):
        batch = [an_sqs_record(hostile(seed), seed) for seed in range(first, min(first + BATCH, seeds.stop))]
        bounds.figures.printed(house.feedback({"Records": batch}).printed.splitlines())
        bounds.figures.printed(house.stream().printed.splitlines())
        bounds.events += len(batch)
    contacts = (item for (_, record), item in house.table.items.items() if record == RECORD)
    bounds.figures.largest_item = house.table.sizes.largest
    bounds.largest_contact = max(map(item_size, contacts))
    return bounds


@dataclass(frozen=True, slots=True)
class Storm:
    """What a storm of bounces heated, and how often SES was called in the second in which it was called most."""

    name: str
    bounces: int
    partitions: Sequence[int]
    shards: dict[str, list[int]]
    history: int
    history_bytes: int
    calls: int
    busiest: int
    rate: float
    pace_writes: int

    def told(self) -> str:
        """Return it as lines fit to be shown."""
        shards = "\n".join(
            f"    index {name}: {len(writes)} shards, {min(writes):,} to {max(writes):,} writes each"
            for name, writes in self.shards.items()
        )
        return (
            f"{self.bounces:,} bounces at {self.name}, in batches of {BATCH}\n"
            f"    table: {len(self.partitions):,} partition keys of contacts, {min(self.partitions):,} to "
            f"{max(self.partitions):,} writes each; the rate_limiter: {self.pace_writes:,}\n{shards}\n"
            f"    history of a contact: up to {self.history:,} records, {self.history_bytes:,} bytes\n"
            f"    SES: {self.calls:,} calls at a rate of {self.rate:g} a second, {self.busiest} in the busiest second"
        )

    def broken(self) -> list[str]:
        """Return which bounds do not hold."""
        most = MAX_WRITES * (1 if len(self.partitions) > 1 else math.ceil(self.bounces / BATCH))
        writes = [number for each in self.shards.values() for number in each]
        spread = len(self.partitions) == 1 or max(writes) <= 2 * sum(writes) / len(writes)
        held = {
            f"{self.history:,} records of one contact": self.history <= MAX_HISTORY,
            f"{max(self.partitions):,} writes of one contact": max(self.partitions) <= most,
            f"{max(writes):,} writes of one shard": spread,
            f"{self.busiest} calls of SES in a second, at {self.rate:g}": self.busiest <= max(1, self.rate),
        }
        return [f"{said} ({self.name})" for said, holds in held.items() if not holds]


def storm(addresses: int, bounces: int = _STORM, rate: float = _STORM_RATE) -> Storm:
    """Let so many hard bounces of distinct messages come within minutes, at so many addresses, and the list sync."""
    house = House(replace(SETTINGS, suppression_rate=rate))
    house.clear()
    for first in range(0, bounces, BATCH):
        numbers = range(first, min(first + BATCH, bounces))
        house.feedback({"Records": [_bounced(number, addresses) for number in numbers]})
        house.clock.sleep(1)
        house.stream()
    while house.table.earliest("PendingSync"):
        house.sweep()
    return _seen(house, addresses, bounces, rate)


def _bounced(number: int, addresses: int) -> Json:
    at = START + timedelta(milliseconds=100 * number)
    mail = a_mail(messageId=f"message-{number}")
    recipients = [f"recipient{number % addresses}@example.com"]
    document = a_bounce(recipients=recipients, at=at, mail=mail, feedbackId=f"feedback-{number}")
    return an_sqs_record(document, number, attributes={"SentTimestamp": str(round(at.timestamp() * 1_000) + 1_000)})


def _seen(house: House, addresses: int, bounces: int, rate: float) -> Storm:
    writes = {name: dict(counted) for name, counted in house.table.partitions.counts.items()}
    rate_limiter = writes["table"].pop("suppression-list", 0)
    records: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for (address, record), item in house.table.items.items():
        if record.startswith("feedback#"):
            records[address] += 1
            sizes[address] += item_size(item)
    return Storm(
        "one address" if addresses == 1 else f"{addresses:,} addresses",
        bounces,
        list(writes.pop("table").values()),
        {name: list(counted.values()) for name, counted in writes.items()},
        max(records.values()),
        max(sizes.values()),
        len(house.sesv2.calls),
        busiest_second(house.sesv2.calls),
        rate,
        rate_limiter,
    )


def busiest_second(calls: Sequence[datetime]) -> int:
    """Return how many of `calls` fall into the second, wherever it begins, into which most do."""
    ordered = sorted(calls)
    most = first = 0
    for last, moment in enumerate(ordered):
        while moment - ordered[first] >= timedelta(seconds=1):
            first += 1
        most = max(most, last - first + 1)
    return most


def run(seed: int, events: int, processes: int) -> tuple[str, list[str]]:
    """Try hostile events of `seed`, and both storms; return what is to be told, and which bounds do not hold."""
    begin = seed * _APART
    portions = [range(at, min(at + _PORTION, begin + events)) for at in range(begin, begin + events, _PORTION)]
    total = Bounds()
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for part in pool.map(play, portions):
            total += part
    storms = [storm(_STORM), storm(1), *(storm(300, 300, rate) for rate in _RATES)]
    told = "\n".join([total.told(), *(one.told() for one in storms)])
    return told, [*total.broken(), *(said for one in storms for said in one.broken())]

"""Bounds that hold for any input: metric dimensions, item sizes and log lines. Hostile events try to exceed them."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from random import Random
from typing import Any, Self

from benchmarks.dynamodb_units import item_size
from campaigns.fuzz.campaign import SEED_STRIDE, split
from campaigns.fuzz.harness import Harness
from campaigns.fuzz.invariants import MAX_ITEM_BYTES, MAX_LINE_BYTES, MAX_LINES
from campaigns.fuzz.statistics import Statistics
from campaigns.fuzz.storms import BATCH_SIZE, simulate_storms
from ses_feedback.contacts.record import RECORD
from tests.support.builders import START, a_bounce, a_bounced_recipient, a_complaint, a_mail, an_sqs_record, on_day

MAX_DIMENSIONS = 50
_PORTION = 5_000
"""Events that a process handles at a time."""

Json = dict[str, Any]


def hostile_event(seed: int) -> Json:
    """Return feedback whose texts are as long, and whose names are as varied, as possible."""
    rng = Random(seed)  # noqa: S311 (repeatable, not secret)
    wide = rng.choice("x\u00e9\u4e2d\U0001f600")  # characters of one to four bytes
    long = wide * rng.choice((64, 128, 1_000, 5_000))  # as long as the longest stored text, and longer
    names = (f"set-{rng.randrange(100)}", f"{rng.getrandbits(256):064x}", long, f"{long[:60]}{seed}")
    recipient = _variant(rng, wide)
    mail = a_mail(configuration_set=rng.choice(names), messageId=f"{seed}{long}", subject=long, destination=[recipient])
    mail["tags"]["ses:tenant-name"] = [long]
    mail["timestamp"] = START.isoformat()
    at = on_day(-rng.randrange(400))
    if rng.random() < 0.3:
        return a_complaint(long, long, recipients=[recipient], at=at, mail=mail, feedbackId=f"{seed}{long}")
    bounced = a_bounced_recipient(recipient, action=long, status=long, diagnosticCode=long)
    type_ = rng.choice(("Permanent", "Transient", "Transient", "Undetermined", long))
    sub_type = rng.choice(("General", "MailboxFull", "OnAccountSuppressionList", "UnsubscribedRecipient", long))
    return a_bounce(type_, sub_type, recipients=[bounced], at=at, mail=mail, feedbackId=f"{seed}{long}")


def _variant(rng: Random, wide: str) -> str:
    """Return a variant of one of four addresses. The longest are as long as an address may be."""
    letters = (rng.choice((letter, letter.upper())) for letter in "recipient")
    return f"{''.join(letters)}{rng.randrange(4)}{wide * rng.choice((1, 40, 74, 290))}@example.com"


@dataclass
class BoundsResult:
    """The result of hostile events."""

    events: int = 0
    statistics: Statistics = field(default_factory=Statistics)
    largest_contact: int = 0

    def __iadd__(self, other: Self) -> Self:
        """Add the result of another part."""
        self.events += other.events
        self.statistics += other.statistics
        self.largest_contact = max(self.largest_contact, other.largest_contact)
        return self

    def summary(self) -> str:
        """Return the result as text."""
        found = self.statistics
        return (
            f"{self.events:,} hostile events: {len(found.dimensions)} metric dimension sets; "
            f"items of at most {found.largest_item:,} bytes, contacts of at most {self.largest_contact:,}; "
            f"at most {found.most_lines} lines and {found.most_output:,} characters by a batch of {BATCH_SIZE}, "
            f"at most {found.longest_line:,} in a line"
        )

    def exceeded(self) -> list[str]:
        """Return the bounds that are exceeded."""
        found = self.statistics
        bounds = {
            f"{len(found.dimensions)} metric dimension sets": len(found.dimensions) <= MAX_DIMENSIONS,
            f"an item of {found.largest_item:,} bytes": found.largest_item <= MAX_ITEM_BYTES,
            f"{found.most_lines} lines printed by a batch": found.most_lines <= MAX_LINES,
            f"a line of {found.longest_line:,} characters": found.longest_line <= MAX_LINE_BYTES,
        }
        return [description for description, holds in bounds.items() if not holds]


def check_hostile_events(seeds: range) -> BoundsResult:
    """Pass the hostile events of these seeds to the functions, in batches."""
    harness, result = Harness(), BoundsResult()
    harness.clear()
    for batch in split(seeds, BATCH_SIZE):
        records = [an_sqs_record(hostile_event(seed), seed) for seed in batch]
        result.statistics.add_output(harness.feedback({"Records": records}).output.splitlines())
        result.statistics.add_output(harness.stream().output.splitlines())
        result.events += len(records)
    contacts = (item for (_, record), item in harness.table.items.items() if record == RECORD)
    result.statistics.largest_item = harness.table.sizes.largest
    result.largest_contact = max(map(item_size, contacts))
    return result


def run(seed: int, events: int, processes: int) -> tuple[str, list[str]]:
    """Check so many hostile events of `seed`, and the storms; return a summary and the exceeded bounds."""
    first = seed * SEED_STRIDE
    portions = split(range(first, first + events), _PORTION)
    total = BoundsResult()
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for part in pool.map(check_hostile_events, portions):
            total += part
    storms = simulate_storms()
    summary = "\n".join([total.summary(), *(storm.summary() for storm in storms)])
    return summary, [*total.exceeded(), *(description for storm in storms for description in storm.exceeded())]

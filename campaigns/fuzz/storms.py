"""Storms of bounces, at one address or at many: the writes of each partition, and the calls to SES per second.

DynamoDB throttles a partition that takes more than 1,000 write units in a second:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from benchmarks.dynamodb_units import item_size
from campaigns.fuzz.harness import SETTINGS, Harness
from ses_feedback.contacts.history import HISTORY_A_DAY
from tests.support.builders import START, a_bounce, a_mail, an_sqs_record

BATCH_SIZE = 100
"""Messages of a batch, as in template.yaml."""
MAX_HISTORY = 100
"""History records of one contact after a storm."""
MAX_WRITES = HISTORY_A_DAY + 10
"""Writes of one contact and its history by one batch."""
_STORM_BOUNCES = 10_000
_STORM_RATE = 20.0
_RATES = (0.5, 1.0, 20.0)


@dataclass(frozen=True, slots=True)
class Storm:
    """The result of a storm."""

    addresses: int
    bounces: int
    contact_writes: Sequence[int]
    """Writes of each partition of the table that belongs to a contact."""
    shard_writes: dict[str, list[int]]
    """Writes of each shard, by index."""
    history_records: int
    """History records of the contact that has most."""
    history_bytes: int
    ses_calls: int
    busiest_second: int
    """Calls to SES in the second with most calls."""
    rate: float
    rate_limiter_writes: int

    @property
    def name(self) -> str:
        """The number of addresses, as text."""
        return "one address" if self.addresses == 1 else f"{self.addresses:,} addresses"

    def summary(self) -> str:
        """Return the result as text."""
        shards = "\n".join(
            f"    index {name}: {len(writes)} shards, {min(writes):,} to {max(writes):,} writes each"
            for name, writes in self.shard_writes.items()
            if writes
        )
        return (
            f"{self.bounces:,} bounces of {self.name}, in batches of {BATCH_SIZE}\n"
            f"    table: {len(self.contact_writes):,} partition keys of contacts, {min(self.contact_writes):,} to "
            f"{max(self.contact_writes):,} writes each; the rate limiter: {self.rate_limiter_writes:,}\n{shards}\n"
            f"    history of a contact: at most {self.history_records:,} records, {self.history_bytes:,} bytes\n"
            f"    SES: {self.ses_calls:,} calls at a rate of {self.rate:g} per second, "
            f"at most {self.busiest_second} in one second"
        )

    def exceeded(self) -> list[str]:
        """Return the bounds that are exceeded."""
        max_writes = MAX_WRITES * (1 if self.addresses > 1 else math.ceil(self.bounces / BATCH_SIZE))
        writes = [number for shards in self.shard_writes.values() for number in shards]
        is_even = self.addresses == 1 or max(writes) <= 2 * sum(writes) / len(writes)
        bounds = {
            f"{self.history_records:,} history records of one contact": self.history_records <= MAX_HISTORY,
            f"{max(self.contact_writes):,} writes of one contact": max(self.contact_writes) <= max_writes,
            f"{max(writes):,} writes of one shard": is_even,
            f"{self.busiest_second} calls to SES in one second, at a rate of {self.rate:g}": (
                self.busiest_second <= max(1, self.rate)
            ),
        }
        return [f"{description} ({self.name})" for description, holds in bounds.items() if not holds]


def simulate_storm(addresses: int, bounces: int = _STORM_BOUNCES, rate: float = _STORM_RATE) -> Storm:
    """Process hard bounces of distinct messages within minutes, and sync the list until no contact is pending."""
    harness = Harness(replace(SETTINGS, suppression_rate=rate))
    harness.clear()
    for first in range(0, bounces, BATCH_SIZE):
        numbers = range(first, min(first + BATCH_SIZE, bounces))
        harness.feedback({"Records": [_bounce_record(number, addresses) for number in numbers]})
        harness.clock.sleep(1)
        harness.stream()
    while harness.table.earliest("PendingSync"):
        harness.sweep()
    return _result(harness, addresses, bounces, rate)


def simulate_storms() -> list[Storm]:
    """Return the results of a storm at many addresses, one at one address, and smaller ones at other rates."""
    return [
        simulate_storm(_STORM_BOUNCES),
        simulate_storm(1),
        *(simulate_storm(300, 300, rate) for rate in _RATES),
    ]


def busiest_second(calls: Sequence[datetime]) -> int:
    """Return the most calls in any second, which may begin at any time."""
    ordered = sorted(calls)
    most = first = 0
    for last, moment in enumerate(ordered):
        while moment - ordered[first] >= timedelta(seconds=1):
            first += 1
        most = max(most, last - first + 1)
    return most


def _bounce_record(number: int, addresses: int) -> dict[str, Any]:
    at = START + timedelta(milliseconds=100 * number)
    recipients = [f"recipient{number % addresses}@example.com"]
    mail = a_mail(messageId=f"message-{number}", destination=recipients)
    document = a_bounce(recipients=recipients, at=at, mail=mail, feedbackId=f"feedback-{number}")
    return an_sqs_record(document, number, attributes={"SentTimestamp": str(round(at.timestamp() * 1_000) + 1_000)})


def _result(harness: Harness, addresses: int, bounces: int, rate: float) -> Storm:
    writes = {name: dict(counts) for name, counts in harness.table.partitions.counts.items()}
    contacts = writes.pop("table")
    rate_limiter_writes = contacts.pop("suppression-list", 0)
    records: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for (address, record), item in harness.table.items.items():
        if record.startswith("feedback#"):
            records[address] += 1
            sizes[address] += item_size(item)
    return Storm(
        addresses,
        bounces,
        list(contacts.values()),
        {name: list(counts.values()) for name, counts in writes.items()},
        max(records.values()),
        max(sizes.values()),
        len(harness.sesv2.calls),
        busiest_second(harness.sesv2.calls),
        rate,
        rate_limiter_writes,
    )
